/** A task that follows a market, under a running Beat: skipped while it is closed, and taken up again. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { beat } from "../support/beat.ts";
import { needs } from "../support/needs.ts";
import type { Stage } from "../support/stage.ts";
import { openStage, SEVEN_OFF } from "../support/stage.ts";
import { until } from "../support/until.ts";

const { it, missing } = needs("redis");

/** A market of the test's own, so that the time of day does not matter. */
function market(sessions: readonly unknown[]): string {
  return JSON.stringify({
    ...{ mic: "TEST", name: "Test market", tz: "UTC", aliases: [] },
    ...{ validFrom: "2020-01-01", validTo: "2060-12-31", officialThrough: "2060-12-31" },
    ...{ sessions, holidays: [], specialOpens: {}, specialCloses: {}, specialSessions: {} },
  });
}

const ALWAYS = [{ days: [1, 2, 3, 4, 5, 6, 7], open: "00:00", close: "24:00", breaks: [] }];

describe("a task that follows a market", () => {
  let stage: Stage;
  before(async () => {
    if (missing !== null) return;
    stage = await openStage({
      yaml: "tasks:\n" +
        "  follows: { task: check.echo, queue: a, every: 0.25, calendar: test, during: session }\n" +
        "  always: { task: check.echo, queue: b, every: 0.25 }",
      env: { ...SEVEN_OFF, BEAT_CALENDARS: "calendars" },
    });
    await Deno.mkdir(`${stage.cwd}/calendars`);
    await writeMarket([]);
  });
  after(() => stage?.close());

  const writeMarket = (sessions: readonly unknown[]) =>
    Deno.writeTextFile(`${stage.cwd}/calendars/TEST.json`, market(sessions));
  const rowsOf = async (type: string, task: string) =>
    (await stage.journal.read()).filter((row) => row.type === type && row.task === task);
  const seen = (type: string, task: string, count: number) =>
    until(async () => (await rowsOf(type, task)).length >= count);

  it("is skipped with the reason while it is closed, published once it opens, and audited", async () => {
    const running = stage.beat();
    await running.says("leading");
    await seen("fire.published", "always", 4);
    await seen("fire.skipped", "follows", 1);
    assert.deepEqual(await rowsOf("fire.published", "follows"), []);
    const [skipped] = await rowsOf("fire.skipped", "follows");
    const { by, reason } = skipped!.detail;
    assert.equal(by, "session");
    assert.equal(reason, "TEST is closed, and its calendar ends 2060-12-31");

    await writeMarket(ALWAYS);
    await running.says("configuration loaded anew");
    await seen("fire.published", "follows", 4);

    const { env, cwd } = stage;
    const audited = await beat(["audit", "--json", "--since", "1h"], { env, cwd });
    const { findings, tasks } = JSON.parse(audited.out);
    const kinds = new Set(
      findings.map(({ kind, task }: { kind: string; task: string }) => `${kind} ${task}`),
    );
    assert.ok(!kinds.has("missed follows") && !kinds.has("refused follows"), audited.out);
    const own = tasks.find(({ task }: { task: string }) => task === "follows");
    assert.ok(own.skipped[`session: ${reason}`] > 0 && own.published >= 4, JSON.stringify(own));
    assert.equal(await running.stop(), 143, running.text());
  });
});
