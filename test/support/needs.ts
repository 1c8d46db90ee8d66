/** Tests that need a program which is not everywhere: shown as skipped with the reason, failing in CI. */

import { describe, it } from "@std/testing/bdd";
import { hasCelery } from "./celery_worker.ts";

/** A program that some tests run for real. */
export type Component = "redis" | "celery";

/** As `describe` and `it` of the same names, for tests that need something. */
export interface Needing {
  describe(name: string, fn: () => void): void;
  it(name: string, fn: () => void | Promise<void>): void;
  /** What is missing, in words; `null` when nothing is. */
  readonly missing: string | null;
}

/**
 * Where a component is missing, tests are listed as skipped and say why. With `CI=true` they fail: a
 * suite that silently skips its proof proves nothing.
 */
export function needs(...components: readonly Component[]): Needing {
  const missing = components.map(whyMissing).find((reason) => reason !== null) ?? null;
  if (missing === null) return { describe, it, missing };
  if (Deno.env.get("CI") === "true") {
    const fail = (name: string) =>
      it(name, () => {
        throw new Error(`expected what this test needs to be installed where CI=true: ${missing}`);
      });
    return { describe: fail, it: fail, missing };
  }
  const skipped = (name: string) => `${name} (skipped: ${missing})`;
  return {
    describe: (name, fn) => describe.ignore(skipped(name), fn),
    it: (name, fn) => it.ignore(skipped(name), fn),
    missing,
  };
}

function whyMissing(component: Component): string | null {
  switch (component) {
    case "redis":
      return hasRedis() ? null : "redis-server is not installed";
    case "celery":
      return hasCelery() ? null : "Celery and the Python package redis are not installed";
  }
}

let isRedisThere: boolean | null = null;

function hasRedis(): boolean {
  isRedisThere ??= runs("redis-server", ["--version"]);
  return isRedisThere;
}

function runs(program: string, args: string[]): boolean {
  try {
    return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
