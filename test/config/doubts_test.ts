import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import { loadFine, yamlTasks } from "../support/load_files.ts";

/** The hints about an entry `x`. */
async function doubtsOn(text: string): Promise<string[]> {
  const { hints } = await loadFine(yamlTasks(`x: {task: t, queue: q, every: 1m, ${text}}`));
  return hints.filter((hint) => hint.startsWith("tasks.x"));
}

describe("doubtsIn()", () => {
  const doubted: [text: string, path: string, says: RegExp][] = [
    ["kwargs: {dry_run: no}", "kwargs.dry_run", /Python takes for true: write false, or quotes/],
    ["kwargs: {a: {b: [1, OFF]}}", "kwargs.a.b[1]", /Python takes for true: write false/],
    ["args: [yes]", "args[0]", /is the text that is written there: write true/],
    ["headers: {x-flag: On}", "headers.x-flag", /write true, or quotes/],
    ["args: [0123]", "args[0]", /a decimal number, without the zero before it/],
    ["args: [1_000]", "args[0]", /is text: write it without `_`/],
    ["kwargs: {share: 1.0}", "kwargs.share", /a whole number, and no float/],
    ["args: [1e3]", "args[0]", /a whole number, and no float/],
    ["args: [-0.0]", "args[0]", /a whole number, and no float/],
  ];
  for (const [text, path, says] of doubted) {
    it(`has a word on ${text}`, async () => {
      const hints = await doubtsOn(text);
      assert.equal(hints.length, 1, hints.join("\n"));
      assert.match(hints[0]!, says);
      assert.match(hints[0]!, /^tasks\.x\.\S+ \(\S*env\/beat\.yaml:3\) /);
      assert.ok(hints[0]!.startsWith(`tasks.x.${path} (`), hints[0]);
    });
  }

  const clear = [
    "args: ['no', \"yes\", '0123', '1_000', '1.0']",
    "args: [true, false, 0, -1, 100, 1.5, 0.1, 0o17, 2026-01-01, 12:30, text, null, a_b]",
    "kwargs: {no: 1, on: 2}",
    "expires: 30.0, priority: 1",
    "args: [no], enabled: false",
  ];
  for (const text of clear) {
    it(`is silent on ${text}`, async () => assert.deepEqual(await doubtsOn(text), []));
  }

  it("is silent where the file says that it is YAML 1.1", async () => {
    const [text = ""] = Object.values(
      yamlTasks("x: {task: t, queue: q, every: 1m, args: [no, 010]}"),
    );
    const { hints, tasks } = await loadFine({ "env/beat.yaml": `%YAML 1.1\n---\n${text}` });
    assert.deepEqual(tasks.at(-1)?.args, [false, 8]);
    assert.deepEqual(hints.filter((hint) => hint.startsWith("tasks.x")), []);
  });

  it("stops where nobody reads on", async () => {
    assert.equal((await doubtsOn(`args: [${"no,".repeat(50)}]`)).length, 20);
  });
});
