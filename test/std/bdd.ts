/**
 * The part of `@std/testing/bdd` that the suite uses, over `node:test`: JSR is not reachable everywhere.
 * Every call that compiles here means the same with the real package (`deno task test:jsr`).
 * No `only`: `node:test` under Deno passes over it in silence. `deno task test FILE --filter NAME` does it.
 */

import * as node from "node:test";

/** A test or a hook. */
export type TestFunction = () => void | Promise<void>;

/** What can be said of a test or a suite beside its body. */
export interface TestOptions {
  /** Not run, but listed. */
  ignore?: boolean;
  /** Taken for the real package's sake; `node:test` has no such check. */
  sanitizeExit?: boolean;
  /** See `sanitizeExit`. */
  sanitizeOps?: boolean;
  /** See `sanitizeExit`. */
  sanitizeResources?: boolean;
}

/** A suite as one object. */
export interface DescribeDefinition extends TestOptions {
  name: string;
  fn?: () => void;
  beforeAll?: TestFunction;
  afterAll?: TestFunction;
  beforeEach?: TestFunction;
  afterEach?: TestFunction;
}

/** A test as one object. */
export interface ItDefinition extends TestOptions {
  name: string;
  fn: TestFunction;
}

/** The ways to write a suite. */
export interface DescribeCall {
  (name: string, fn: () => void): void;
  (name: string, options: Omit<DescribeDefinition, "name" | "fn">, fn: () => void): void;
  (options: DescribeDefinition): void;
  (options: Omit<DescribeDefinition, "fn">, fn: () => void): void;
}

/** The ways to write a test. */
export interface ItCall {
  (name: string, fn: TestFunction): void;
  (name: string, options: TestOptions, fn: TestFunction): void;
  (options: ItDefinition): void;
  (options: Omit<ItDefinition, "fn">, fn: TestFunction): void;
}

/** A call and its variants; `skip` is another name of `ignore`. */
export type Variants<Call> = Call & { ignore: Call; skip: Call };

/** Registers a suite. Hooks and tests inside belong to it; a suite inside inherits the hooks. */
export const describe: Variants<DescribeCall> = variants<DescribeCall>((forced) => (...args) => {
  const definition = gather<DescribeDefinition>(args, forced);
  node.describe(definition.name, nodeOptions(definition), () => {
    if (definition.beforeAll) beforeAll(definition.beforeAll);
    if (definition.afterAll) afterAll(definition.afterAll);
    if (definition.beforeEach) beforeEach(definition.beforeEach);
    if (definition.afterEach) afterEach(definition.afterEach);
    definition.fn?.();
  });
});

/** Registers a test. */
export const it: Variants<ItCall> = variants<ItCall>((forced) => (...args) => {
  const definition = gather<ItDefinition>(args, forced);
  // Called without arguments: a test that takes one would be a callback test to `node:test`.
  node.it(definition.name, nodeOptions(definition), () => definition.fn());
});

/** Another name of `it`. */
export const test: Variants<ItCall> = it;

/** Runs once before the first test of the suite. */
export function beforeAll(fn: TestFunction): void {
  node.before(() => fn());
}

/** Runs once after the last test of the suite, failed or not. */
export function afterAll(fn: TestFunction): void {
  node.after(() => fn());
}

/** Another name of `beforeAll`. */
export const before: typeof beforeAll = beforeAll;

/** Another name of `afterAll`. */
export const after: typeof afterAll = afterAll;

/** Runs before each test of the suite and of the suites inside. */
export function beforeEach(fn: TestFunction): void {
  node.beforeEach(() => fn());
}

/** Runs after each test of the suite and of the suites inside, failed or not. */
export function afterEach(fn: TestFunction): void {
  node.afterEach(() => fn());
}

type Gathered = TestOptions & { name: string; fn?: () => unknown };

function variants<Call>(
  make: (forced: TestOptions) => (...args: never[]) => void,
): Variants<Call> {
  const call = (forced: TestOptions) => make(forced) as Call;
  const ignore = call({ ignore: true });
  return Object.assign(call({}) as never, { ignore, skip: ignore });
}

function gather<Definition extends Gathered>(args: readonly unknown[], forced: TestOptions) {
  let gathered: Partial<Gathered> = {};
  for (const arg of args) {
    if (typeof arg === "string") gathered.name = arg;
    else if (typeof arg === "function") gathered.fn = arg as () => unknown;
    else gathered = { ...gathered, ...(arg as object) };
  }
  return { ...gathered, ...forced } as Definition;
}

function nodeOptions(options: TestOptions) {
  return { skip: options.ignore === true };
}
