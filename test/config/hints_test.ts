import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import { slipHints } from "../../src/config/hints.ts";
import { loadFine, yamlTasks } from "../support/load_files.ts";

/** The hints about an entry `x`. */
async function hintsOn(line: string): Promise<string[]> {
  const { hints } = await loadFine(yamlTasks(`x: {task: t, queue: q, ${line}}`));
  return hints.filter((hint) => hint.startsWith("x"));
}

describe("triggerHint()", () => {
  const when: [string, RegExp][] = [
    ["every: 1h", /every 1h on the hour, whenever Beat starts/],
    ["every: 6h", /at 00:00, 06:00, 12:00, 18:00 UTC/],
    ["every: 2h", /at 00:00, 02:00 … UTC/],
    ["every: 1d", /at 00:00 UTC/],
    ["every: 1w", /at 00:00 UTC on Thursdays/],
    ["every: 5h", /counted from 1970-01-01 00:00 UTC/],
    ["cron: '0 0 1 * 1'", /cron is due when either fits/],
    ["cron: '0 12 * * ? *'", /six fields begin with seconds.*meant as the year/],
    ["cron: '0 9 ? * 2 *'", /six fields begin with seconds/],
  ];
  for (const [line, expected] of when) {
    it(`says when it is due: ${line}`, async () =>
      assert.match((await hintsOn(line)).join(), expected));
  }

  const silent = [
    "every: 59m",
    "every: 1h, phase: 0",
    "every: 1h, phase: auto",
    "every: 1h, enabled: false",
    "cron: '0 0 1 * *'",
    "cron: '0 0 0 ? * 1'",
    "cron: '@daily'",
  ];
  for (const line of silent) {
    it(`is silent: ${line}`, async () => assert.deepEqual(await hintsOn(line), []));
  }
});

describe("slipHints()", () => {
  it("finds variables that look like one that is read", () => {
    assert.deepEqual(slipHints(["PAPER_TRADING_ENABELD", "BEAT_NAMESPCE", "HOME", "REDIS_HOST"]), [
      "PAPER_TRADING_ENABELD is set, but not read; did you mean PAPER_TRADING_ENABLED?",
      "BEAT_NAMESPCE is set, but not read; did you mean BEAT_NAMESPACE?",
    ]);
  });

  it("is silent where the right one is set too, or nothing is near", () => {
    assert.deepEqual(slipHints(["BEAT_NAMESPCE", "BEAT_NAMESPACE", "REDIS_URL", "BEAT_X"]), []);
  });
});
