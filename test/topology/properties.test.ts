import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KINDS } from '../../src/topology/expectations.ts';
import { parseTopology, TopologyError } from '../../src/topology/index.ts';

const nat = readFileSync(new URL('../../topologies/nat.yaml', import.meta.url), 'utf8');

/** What came of it; throws what is not allowed to come of it. */
function outcome(text: string | Uint8Array): 'topology' | 'issues' | 'issue without a place' | 'unprintable' {
  try {
    parseTopology(text, 't.yaml', {
      readFile: () => {
        throw Object.assign(new Error('gone'), { code: 'ENOENT' });
      },
    });
    return 'topology';
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    const { issues } = error;
    if (issues.length === 0 || issues.some(({ line, column }) => !(line >= 1 && column >= 1))) {
      return 'issue without a place';
    }
    const unprintable = issues.some(({ message, hint }) =>
      /[\u0000-\u001f\u007f-\u009f\u202e]/.test(message + (hint ?? '')),
    );
    return unprintable ? 'unprintable' : 'issues';
  }
}

const fine = (text: string | Uint8Array): boolean => ['topology', 'issues'].includes(outcome(text));

/** Throws with the smallest text that breaks it. */
function holds<Ts extends [unknown, ...unknown[]]>(property: fc.IProperty<Ts>, numRuns: number): true {
  fc.assert(property, { numRuns });
  return true;
}

// Words of the format and values that go wrong, put together at random.
const key = fc.constantFrom(
  ...'name segments nodes balancer captures traffic kernel role interfaces eth0 gateway routes to via method vip port services'.split(
    ' ',
  ),
  ...'expect claims connections sources backend header path end-to-end spread analysis latency packets arp table status'.split(
    ' ',
  ),
  ...'at count are is include exclude request never even tolerance none max median matches contains answered-by not within'.split(
    ' ',
  ),
  ...'backends node weight at filter files from setup command ready http tcp loopback sysctls constructor toString front lb'.split(
    ' ',
  ),
);
const leaf = fc.oneof(
  fc.constantFrom(
    'front',
    'lb',
    'be1',
    'client',
    'balancer',
    'backend',
    'nginx',
    'ipvs-dsr',
    'lb:eth0',
    '10.0.0.1',
    '10.0.0.0/24',
  ),
  fc.constantFrom(
    'fd00::/64',
    '::',
    '0.0.0.0/0',
    'default',
    '../x',
    '-x',
    '',
    'a\u0000b',
    'http://h/',
    '5ms',
    '__proto__',
  ),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.dictionary(key, tie('tree'), { maxKeys: 5 }),
    fc.array(tie('tree'), { maxLength: 4 }),
  ),
}));

describe('whatever the file holds, parsing gives a topology or a TopologyError', () => {
  test('bytes', () => {
    expect(holds(fc.property(fc.uint8Array({ maxLength: 400 }), fine), 500)).toBe(true);
  });

  test('text of YAML signs', () => {
    const signs = fc.string({
      unit: fc.constantFrom(...`ab:-?[]{},&*!|>'"%@#\n 01\u0007`.split('')),
      maxLength: 200,
    });
    expect(holds(fc.property(signs, fine), 1000)).toBe(true);
  });

  test('mappings of the format’s own keys', () => {
    const data = fc.dictionary(key, tree, { maxKeys: 6 });
    expect(
      holds(
        fc.property(
          data.map((each) => JSON.stringify(each)),
          fine,
        ),
        1000,
      ),
    ).toBe(true);
  });

  test('a good topology with one value replaced', () => {
    const lines = nat.split('\n');
    const changed = fc
      .tuple(fc.nat({ max: lines.length - 1 }), leaf)
      .map(([index, value]) =>
        lines.with(index, (lines[index] ?? '').replace(/: [^{].*$/, `: ${JSON.stringify(value)}`)).join('\n'),
      );
    expect(holds(fc.property(changed, fine), 500)).toBe(true);
  });

  test('a good topology that expects anything', () => {
    const entries = fc.array(
      fc.dictionary(fc.constantFrom(...KINDS, 'not', 'level', 'within'), tree, { minKeys: 1, maxKeys: 2 }),
      { minLength: 1, maxLength: 3 },
    );
    const expecting = entries.map((each) => `${nat}\nexpect: ${JSON.stringify(each)}\n`);
    expect(holds(fc.property(expecting, fine), 1000)).toBe(true);
  });

  test('a good topology cut short', () => {
    const bytes = Buffer.from(nat);
    const cut = fc.nat({ max: bytes.length }).map((length) => bytes.subarray(0, length));
    expect(holds(fc.property(cut, fine), 300)).toBe(true);
  });

  test('a good topology with one byte changed', () => {
    const bytes = Buffer.from(nat);
    const changed = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => {
      const copy = Buffer.from(bytes);
      copy[at] = byte;
      return copy;
    });
    expect(holds(fc.property(changed, fine), 500)).toBe(true);
  });

  // Each of these once cost a parser minutes, its stack or its memory.
  test.each([
    ['[', 1 << 20],
    ['{', 1 << 20],
    ['- ', 1 << 19],
    ['? ', 1 << 19],
    ['a: ', 300_000],
    ['a:\n', 300_000],
    ['"', 1 << 20],
    ['&a ', 300_000],
    ['*a,', 300_000],
    ['!a ', 300_000],
    ['- a: {b\n', 100_000],
    ['---\n', 200_000],
    ['\r', 1 << 20],
    ['[a,', 300_000],
  ])('%j, %i times, within five seconds', (sign, times) => {
    const start = performance.now();
    expect(outcome(sign.repeat(times))).toBe('issues');
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test('keys nested by indentation, within five seconds', () => {
    const start = performance.now();
    const text = Array.from({ length: 1400 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n');
    expect(outcome(text)).toBe('issues');
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
