/**
 * The part of `@std/testing/mock` that a test here may want; see `bdd.ts` for why it exists.
 * For functions handed in as arguments: ports have real implementations in memory, not mocks.
 */

import assert from "node:assert/strict";

/** A wrong use of a spy or a stub. */
export class MockError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MockError";
  }
}

/** One call of a spy: what went in, and what came out or was thrown. */
export interface SpyCall<Args extends unknown[] = unknown[], Return = unknown> {
  args: Args;
  returned?: Return;
  error?: Error;
}

/** A function that remembers its calls. */
export interface Spy<Args extends unknown[] = unknown[], Return = unknown> {
  (...args: Args): Return;
  calls: SpyCall<Args, Return>[];
}

/** A stand-in for a method, until `restore()` or the end of the block of `using`. */
export interface Stub<Args extends unknown[] = unknown[], Return = unknown>
  extends Spy<Args, Return>, Disposable {
  readonly restored: boolean;
  /** @throws {MockError} restored already */
  restore(): void;
}

type Arguments<Method> = Method extends (...args: infer Args) => unknown ? Args : never;
type Returned<Method> = Method extends (...args: never[]) => infer Return ? Return : never;

/** A spy that does nothing. */
export function spy(): Spy<unknown[], undefined>;
/** A spy around a function. */
export function spy<Args extends unknown[], Return>(
  func: (...args: Args) => Return,
): Spy<Args, Return>;
export function spy(func: (...args: unknown[]) => unknown = () => undefined): Spy {
  const calls: SpyCall[] = [];
  return Object.assign(function (this: unknown, ...args: unknown[]): unknown {
    const call: SpyCall = { args };
    try {
      return call.returned = func.apply(this, args);
    } catch (error) {
      call.error = error as Error;
      throw error;
    } finally {
      calls.push(call);
    }
  }, { calls });
}

/**
 * Puts `func` in the place of a method; without it the method does nothing.
 * @throws {MockError} no such method
 */
export function stub<Self extends object, Name extends keyof Self & string>(
  self: Self,
  name: Name,
  func?: (...args: Arguments<Self[Name]>) => Returned<Self[Name]>,
): Stub<Arguments<Self[Name]>, Returned<Self[Name]>> {
  if (typeof self[name] !== "function") {
    throw new MockError(`expected \`${name}\` to be a method, got ${typeof self[name]}`);
  }
  const before = Object.getOwnPropertyDescriptor(self, name);
  const spying = func === undefined ? spy() : spy(func as (...args: unknown[]) => unknown);
  let isRestored = false;
  const restore = () => {
    if (isRestored) {
      throw new MockError(`expected \`${name}\` to be stubbed, got it restored already`);
    }
    if (before === undefined) delete self[name];
    else Object.defineProperty(self, name, before);
    isRestored = true;
  };
  Object.defineProperties(spying, {
    restored: { get: () => isRestored },
    restore: { value: restore },
    [Symbol.dispose]: { value: () => isRestored || restore() },
  });
  Object.defineProperty(self, name, { value: spying, configurable: true, writable: true });
  return spying as never;
}

/** A function that returns the values in turn, and throws those that are errors. */
export function returnsNext<Return>(
  values: Iterable<Return | Error>,
): (...args: unknown[]) => Return {
  const iterator = values[Symbol.iterator]();
  let count = 0;
  return () => {
    const next = iterator.next();
    if (next.done) throw new MockError(`expected at most ${count} calls, got one more`);
    count++;
    if (next.value instanceof Error) throw next.value;
    return next.value;
  };
}

// deno-lint-ignore no-explicit-any -- a spy of any arguments is wanted, and they stand in a parameter's place.
type AnySpy = Spy<any[], any>;

/** Asserts how often a spy was called. */
export function assertSpyCalls(spying: AnySpy, expectedCalls: number): void {
  assert.equal(spying.calls.length, expectedCalls, `calls: ${spying.calls.length}`);
}

/** Asserts what the call at `callIndex` (from 0) was given, returned or threw. */
export function assertSpyCall(
  spying: AnySpy,
  callIndex: number,
  expected: { args?: unknown[]; returned?: unknown } = {},
): void {
  const call = spying.calls[callIndex];
  assert.ok(call !== undefined, `expected call ${callIndex}, got ${spying.calls.length} calls`);
  if (expected.args !== undefined) assert.deepEqual(call.args, expected.args);
  if ("returned" in expected) assert.deepEqual(call.returned, expected.returned);
}
