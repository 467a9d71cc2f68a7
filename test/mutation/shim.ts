// What stands in for Vitest while mutants run: tests are collected, and run again and again in one process, until the first that fails.
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

const tests: Body[] = [];
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
export const beforeAll = (body: Body) => void tests.push(body);
export const afterAll = () => {};

/** Runs the tests; the one that failed last comes first, as it is likely to fail again. Gives the message of the first that fails. */
export async function runAll(): Promise<string | undefined> {
  for (const [index, body] of tests.entries()) {
    try {
      await body();
    } catch (error) {
      if (index > 0) tests.unshift(...tests.splice(index, 1));
      return error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}
