/** Three sentinels move the master under two running replicas, by order and because it died. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { needs } from "../support/needs.ts";
import type { OracleRow } from "../support/oracle.ts";
import {
  dueTimes,
  findings,
  journalReader,
  knownSince,
  owed,
  storiesOf,
} from "../support/oracle.ts";
import type { RedisServer } from "../support/redis_server.ts";
import type { RunningBeat } from "../support/running_beat.ts";
import { runBeat } from "../support/running_beat.ts";
import type { Watched } from "../support/sentinels.ts";
import { MASTER_NAME, startWatched } from "../support/sentinels.ts";
import { ALL, entriesEvery, SEVEN_OFF, yamlOf } from "../support/stage.ts";
import { disorder } from "../support/terms.ts";
import { until } from "../support/until.ts";

const { it, missing } = needs("redis");
const ENTRIES = entriesEvery("0.05", "0.5");
/** Between the new master's first moment and the first publish there: reconnect, lease, recovery. */
const PUBLISH_MAX_MS = 5_000;

describe("Beat on a Redis that sentinels watch", () => {
  let watched: Watched;
  let cwd: string;
  const replicas: RunningBeat[] = [];
  before(async () => {
    if (missing !== null) return;
    watched = await startWatched();
    cwd = await Deno.makeTempDir({ prefix: "beat-sentinel-" });
    await Deno.mkdir(`${cwd}/env`);
    const broker = `broker: { master_name: ${MASTER_NAME} }`;
    const yaml = `version: 1\n${broker}\n${ALL}\ntasks:\n${yamlOf(ENTRIES)}\n`;
    await Deno.writeTextFile(`${cwd}/env/beat.yaml`, yaml);
    const url = { CELERY_BROKER_URL: watched.url, CELERY_RESULT_BACKEND: watched.url };
    const env = { ...SEVEN_OFF, ...url, BEAT_LEASE_SECONDS: "1" };
    replicas.push(runBeat({ cwd, env }), runBeat({ cwd, env }));
  });
  after(async () => {
    await Promise.all(replicas.map((beat) => beat.kill()));
    await watched?.stop();
    if (cwd !== undefined) await Deno.remove(cwd, { recursive: true });
  });

  const serverAt = (port: number) =>
    [watched.master, watched.replica].find((server) => server.port === port)!;
  const master = async (): Promise<RedisServer> => serverAt(await watched.masterPort());

  /** Waits until something that is due from now on is published on `client`, and says how long it took. */
  async function publishesOn(client: Redis): Promise<number> {
    const [sinceMs, fromMs] = [Date.now(), performance.now()];
    const reader = journalReader(client);
    await until(async () => {
      const rows = await reader.read();
      return rows.some(({ type, dueMs }) => type === "fire.published" && dueMs! > sinceMs);
    });
    return Math.round(performance.now() - fromMs);
  }

  it("publishes on the master that they name", async () => {
    await publishesOn((await master()).client());
  });

  it("goes on with the new master after a forced failover, without a restart", async () => {
    await watched.failOver();
    const tookMs = await publishesOn(watched.replica.client());
    console.log(`forced failover: ${tookMs} ms after the sentinels named the new master`);
    assert.ok(tookMs <= PUBLISH_MAX_MS, `it took ${tookMs} ms`);
    assert.equal(await watched.masterPort(), watched.replica.port);
  });

  it("goes on with the old one when the new one is killed", async () => {
    // It must have become a replica that has everything, else nobody could take over.
    await until(async () =>
      /role:slave[^]*master_link_status:up/.test(await watched.master.client().info("replication"))
    );
    await watched.replica.kill();
    const killedMs = performance.now();
    await until(async () => await watched.masterPort() === watched.master.port, 30_000);
    const namedMs = Math.round(performance.now() - killedMs);
    const tookMs = await publishesOn(watched.master.client());
    console.log(`killed master: another named after ${namedMs} ms, publishing ${tookMs} ms later`);
    assert.ok(tookMs <= PUBLISH_MAX_MS, `it took ${tookMs} ms`);
  });

  it("has lost nothing and doubled nothing in the history that survived", async () => {
    const client = watched.master.client();
    const endMs = Date.now();
    await until(async () => {
      const cursors = await client.hgetall("beat:cursors");
      return ENTRIES.every(({ name, everyS }) =>
        dueTimes(everyS, Number(cursors[name]?.split(" ")[0]), endMs).length === 0
      );
    });
    for (const beat of replicas) assert.equal(await beat.stop(), 143, beat.text());
    for (const beat of replicas) assert.deepEqual(strayLines(beat), []);

    const rows = await journalReader(client).read();
    const queued = (await client.lrange("queue", 0, -1))
      .map((text) => JSON.parse(text).headers["x-beat-fire-id"] as string);
    const wrong = findings(owed(ENTRIES, knownSince(rows), endMs), storiesOf(rows, []), {
      rule: ({ id }) => {
        const count = queued.filter((each) => each === id).length;
        return count === 1 ? null : `expected one message in the queue, got ${count}`;
      },
      isDue: ({ dueMs }) => dueMs > endMs,
    });
    assert.deepEqual(wrong, []);
    assert.deepEqual(disorder(rows), []);
    console.log(
      `${countOf(rows, "fire.published")} fires, ${countOf(rows, "term.started")} terms, ` +
        `${countOf(rows, "term.history_shortened")} times rows were lost`,
    );
  });
});

function countOf(rows: readonly OracleRow[], type: string): number {
  return rows.filter((row) => row.type === type).length;
}

/** What was not said through the log. */
function strayLines(beat: RunningBeat): string[] {
  return beat.text().split("\n").filter((line) => /^\S/.test(line) && !line.startsWith("{"));
}
