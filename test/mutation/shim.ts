// What stands in for Vitest while mutants run: tests are collected, and any of them run again and again in one process.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect';

type Body = () => unknown;

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
chai.util.addMethod(chai.Assertion.prototype, 'toMatchFileSnapshot', function (this: object, file: string) {
  const actual: unknown = chai.util.flag(this, 'object');
  // A relative one lies beside the test of the claims.
  if (actual !== readFileSync(resolve(import.meta.dirname, '../verify', file), 'utf8'))
    throw new Error(`not what is in ${file}`);
});

export const expect = Object.assign(
  (value: unknown, message?: string) => chai.expect(value, message),
  chai.expect,
  Reflect.get(globalThis, ASYMMETRIC_MATCHERS_OBJECT),
);

/** In the order of their files. */
export const tests: Body[] = [];
const add = (_name: string, body: Body) => void tests.push(body);
const each =
  (run: (name: string, body: Body) => void) =>
  (rows: readonly unknown[]) =>
  (name: string, body: (...args: unknown[]) => unknown) => {
    for (const row of rows) run(name, () => body(...(Array.isArray(row) ? row : [row])));
  };

export const test = Object.assign(add, { each: each(add) });
export { test as it };
const group = (_name: string, body: Body) => void body();
export const describe = Object.assign(group, { each: each(group) });
// What a test leaves behind is used again; there is no beforeAll, as nobody would know whose it is.
export const afterAll = () => {};
