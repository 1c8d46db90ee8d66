/** The adapters behave as the package whose names they carry. */

import { before, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const sample = fileURLToPath(new URL("./bdd_sample.ts", import.meta.url));

async function runSample(
  args: readonly string[] = [],
  file = sample,
): Promise<{ code: number; text: string }> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-check", "--frozen=false", "--no-prompt", ...args, file],
    env: { NO_COLOR: "1" },
    stderr: "null",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) };
}

describe("bdd", () => {
  let run: { code: number; text: string };
  before(async () => {
    run = await runSample();
  });

  it("reports each test under its own name", () => {
    for (const line of ["waits ... ok", "breaks ... FAILED", "nests ... ok", "skips ... ignored"]) {
      assert.match(run.text, new RegExp(`^\\s+${line}`, "m"));
    }
    assert.match(run.text, /^ {2}ignores \.\.\. ignored/m);
    assert.match(run.text, /^ {2}ignored by option \.\.\. ignored/m);
    assert.match(run.text, /^ {2}ignored suite \.\.\. ignored/m);
  });

  it("runs hooks around each test, outer ones first, also around one that fails", () => {
    const order = "before beforeEach waits afterEach beforeEach breaks afterEach " +
      "beforeEach innerBeforeEach nests afterEach";
    assert.ok(run.text.includes(`order: ${order}\n`), run.text);
  });

  it("takes a suite and a test as objects", () => {
    assert.match(run.text, /beforeAll by definition\n[^]*took an object/);
  });

  it("fails the run when a test fails, and counts all of them", () => {
    assert.equal(run.code, 1);
    assert.match(run.text, /1 passed \(4 steps\) \| 1 failed \(1 step\) \| 0 ignored \(4 steps\)/);
    assert.match(run.text, /Error: on purpose/);
  });

  it("filters by the name of a suite at the top", async () => {
    const { code, text } = await runSample(["--filter", "by definition"]);
    assert.equal(code, 0);
    assert.match(text, /1 passed \(1 step\) \| 0 failed \| 1 filtered out/);
  });

  for (
    const [what, body] of [
      ["a file that breaks while it is loaded", 'it("a", () => {});\nthrow new Error("loading");'],
      ["a rejection that nobody awaits", 'it("a", () => void Promise.reject(new Error("late")));'],
      ["a hook that throws", 'afterEach(() => { throw new Error("hook"); });\nit("a", () => {});'],
      ["a leftover of only", 'describe("b", () => it.only("a", () => {}));'],
    ] as const
  ) {
    it(`fails the run for ${what}`, async () => {
      const file = await Deno.makeTempFile({ suffix: "_test.ts" });
      const names = "afterEach, describe, it";
      await Deno.writeTextFile(file, `import { ${names} } from "@std/testing/bdd";\n${body}\n`);
      const { code } = await runSample([], file);
      await Deno.remove(file);
      assert.equal(code, 1);
    });
  }
});
