import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { timingOf } from "../../src/config/timing.ts";
import { absentYaml } from "../../src/config/yaml_file.ts";

describe("timingOf()", () => {
  it("looks for the place in the file only for who asks: of many tasks, that takes seconds", () => {
    let looks = 0;
    const whereOf = () => `beat.yaml:${++looks}`;
    const yaml = { ...absentYaml("beat.yaml"), whereOf };
    const timing = timingOf("cron", { name: "a", entry: {} }, { yaml })!;
    assert.deepEqual([timing.isStated, looks], [true, 0]);
    assert.equal(timing.text, "`cron` (beat.yaml:1)");
  });
});
