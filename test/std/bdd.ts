/**
 * The part of `@std/testing/bdd` that the suite uses, over `Deno.test`: JSR is not reachable everywhere.
 * Every call that compiles here means the same with the real package (`deno task test:jsr`).
 * Not over `node:test`: under Deno that one passes over errors that nobody catches, even of a whole file.
 */

/** A test or a hook. */
export type TestFunction = () => void | Promise<void>;

/** What can be said of a test or a suite beside its body. */
export interface TestOptions {
  /** Not run, but listed. */
  ignore?: boolean;
  /** Run alone; the whole run then fails, so that it is not forgotten. */
  only?: boolean;
  /** As those of `Deno.test`. */
  sanitizeExit?: boolean;
  sanitizeOps?: boolean;
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
export type Variants<Call> = Call & { only: Call; ignore: Call; skip: Call };

/** Registers a suite. Hooks and tests inside belong to it; a suite inside inherits the hooks. */
export const describe: Variants<DescribeCall> = variants<DescribeCall>((forced) => (...args) => {
  const { fn, beforeAll, afterAll, beforeEach, afterEach, ...options } = //
    gather<DescribeDefinition>(args, forced);
  const suite: Suite = { ...options, hooks: noHooks(), children: [] };
  for (const [when, hook] of Object.entries({ beforeAll, afterAll, beforeEach, afterEach })) {
    if (hook !== undefined) suite.hooks[when as keyof Hooks].push(hook);
  }
  const outer = open;
  open = suite;
  try {
    fn?.();
  } finally {
    open = outer;
  }
  add(suite);
});

/** Registers a test. */
export const it: Variants<ItCall> = variants<ItCall>((forced) => (...args) => {
  add(gather<ItDefinition>(args, forced));
});

/** Another name of `it`. */
export const test: Variants<ItCall> = it;

/** Runs once before the first test of the suite, or of the file. */
export function beforeAll(fn: TestFunction): void {
  if (open === file) Deno.test.beforeAll(fn);
  else open.hooks.beforeAll.push(fn);
}

/** Runs once after the last test of the suite, failed or not, or of the file. */
export function afterAll(fn: TestFunction): void {
  if (open === file) Deno.test.afterAll(fn);
  else open.hooks.afterAll.push(fn);
}

/** Another name of `beforeAll`. */
export const before: typeof beforeAll = beforeAll;

/** Another name of `afterAll`. */
export const after: typeof afterAll = afterAll;

/** Runs before each test of the suite and of the suites inside, outer ones first. */
export function beforeEach(fn: TestFunction): void {
  open.hooks.beforeEach.push(fn);
}

/** Runs after each test of the suite and of the suites inside, failed or not, inner ones first. */
export function afterEach(fn: TestFunction): void {
  open.hooks.afterEach.push(fn);
}

interface Hooks {
  beforeAll: TestFunction[];
  afterAll: TestFunction[];
  beforeEach: TestFunction[];
  afterEach: TestFunction[];
}

interface Suite extends TestOptions {
  name: string;
  hooks: Hooks;
  children: (Suite | ItDefinition)[];
}

const noHooks = (): Hooks => ({ beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] });

/** Deno loads each test file by itself, and this module with it. */
const file: Suite = { name: "", hooks: noHooks(), children: [] };
let open = file;

function add(entry: Suite | ItDefinition): void {
  if (open !== file) {
    open.children.push(entry);
    return;
  }
  Deno.test({ ...named(entry), only: hasOnly(entry), fn: (t) => run(entry, [file], t) });
}

async function run(
  entry: Suite | ItDefinition,
  outer: readonly Suite[],
  t: Deno.TestContext,
): Promise<void> {
  if ("fn" in entry) {
    await around(
      outer.flatMap(({ hooks }) => hooks.beforeEach),
      outer.toReversed().flatMap(({ hooks }) => hooks.afterEach),
      entry.fn,
    );
    return;
  }
  const isOnly = entry.children.some(hasOnly);
  await around(entry.hooks.beforeAll, entry.hooks.afterAll, async () => {
    for (const child of entry.children) {
      const ignore = child.ignore === true || (isOnly && !hasOnly(child));
      await t.step({ ...named(child), ignore, fn: (t) => run(child, [...outer, entry], t) });
    }
  });
}

/** What comes after runs in any case; the first error is the one that is told. */
async function around(
  before: readonly TestFunction[],
  after: readonly TestFunction[],
  fn: TestFunction,
): Promise<void> {
  const errors: unknown[] = [];
  const attempt = async (steps: readonly TestFunction[]) => {
    try {
      for (const step of steps) await step();
    } catch (error) {
      errors.push(error);
    }
  };
  await attempt([...before, fn]);
  for (const each of after) await attempt([each]);
  if (errors.length > 0) throw errors[0];
}

function hasOnly(entry: Suite | ItDefinition): boolean {
  return entry.only === true || ("children" in entry && entry.children.some(hasOnly));
}

function named({ name, ignore, sanitizeExit, sanitizeOps, sanitizeResources }: TestOptions & {
  name: string;
}) {
  const given = { ignore, sanitizeExit, sanitizeOps, sanitizeResources };
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return { name, ...Object.fromEntries(entries) };
}

type Gathered = TestOptions & { name: string; fn?: () => unknown };

function variants<Call>(
  make: (forced: TestOptions) => (...args: never[]) => void,
): Variants<Call> {
  const call = (forced: TestOptions) => make(forced) as Call;
  const ignore = call({ ignore: true });
  return Object.assign(call({}) as never, { only: call({ only: true }), ignore, skip: ignore });
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
