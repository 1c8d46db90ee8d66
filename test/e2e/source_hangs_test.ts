/** An objective whose source accepts the question and does not answer: nothing waits for it. */

import { describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import { openStage, SEVEN_OFF } from "../support/stage.ts";
import { passes, until } from "../support/until.ts";

const { it } = needs("redis");
const RUN_MS = 6_000;

describe("a source that hangs for 30 s", () => {
  it("delays no tick, and no stop", async () => {
    const asked: Deno.Conn[] = [];
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepting = (async () => {
      for await (const each of listener) asked.push(each);
    })();
    const stage = await openStage({
      yaml: [
        "objectives:",
        "  api: { target: 99%, every: 1s, timeout: 30s, source: { http: ",
        `    { url: 'http://127.0.0.1:${listener.addr.port}/', path: errors } },`,
        "    rules: [{ level: slowed, burn: 6, long: 5s, short: 1s }] }",
        "tasks:",
        "  often: { task: check.echo, queue: maintenance, every: 0.25, importance: normal, slo: api }",
      ].join("\n"),
      env: SEVEN_OFF,
    });
    try {
      const beat = stage.beat();
      await beat.says("leading");
      await until(() => asked.length > 0);
      const fromMs = Date.now();
      await passes(RUN_MS);
      const stopMs = performance.now();
      assert.equal(await beat.stop(), 143, beat.text());
      const stoppedMs = performance.now() - stopMs;
      const fires = (await stage.journal.read()).filter(({ type, dueMs }) =>
        type === "fire.published" && dueMs! >= fromMs && dueMs! < fromMs + RUN_MS
      );
      const late = fires.map(({ atMs, dueMs }) => atMs - dueMs!).sort((one, two) => one - two);
      console.log(
        `source hangs: ${fires.length} fires, late by ${late[Math.floor(late.length / 2)]} ms ` +
          `(median), ${late.at(-1)} ms (most); stopped within ${stoppedMs.toFixed(0)} ms`,
      );
      assert.equal(asked.length, 1);
      assert.equal(fires.length, RUN_MS / 250);
      assert.ok(late.at(-1)! < 1_000, `${late.at(-1)}`);
      assert.ok(stoppedMs < 2_000, `${stoppedMs}`);
      assert.ok((await stage.journal.read()).every(({ type }) => type !== "level.changed"));
    } finally {
      listener.close();
      for (const each of asked) each.close();
      await accepting.catch(() => {});
      await stage.close();
    }
  });
});
