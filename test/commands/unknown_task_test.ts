import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { unknownTask } from "../../src/commands/unknown_task.ts";
import { aTask } from "../support/build.ts";

const CONFIG = {
  tasks: [aTask({ name: "shop.report" })],
  off: [{ name: "shop.backup", by: "enabled: false" }],
};

describe("unknownTask()", () => {
  const cases: [string, string | null][] = [
    ["shop.report", null],
    ["shop.report+march", null],
    ["shop.backup", null],
    ["shop.reprot", "this configuration has no task shop.reprot; did you mean shop.report?"],
    ["elsewhere", "this configuration has no task elsewhere"],
  ];
  for (const [name, wanted] of cases) {
    it(`says of ${name}: ${wanted}`, () => assert.equal(unknownTask(name, CONFIG), wanted));
  }
});
