/** Redis goes away, comes back, and refuses in all its ways, under a Beat that is never restarted. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import type { Entry, OracleRow, Story } from "../support/oracle.ts";
import { dueTimes, findings, knownSince, owed, storiesOf } from "../support/oracle.ts";
import { freePort } from "../support/redis_server.ts";
import type { RunningBeat } from "../support/running_beat.ts";
import type { Stage } from "../support/stage.ts";
import { ALL, openStage, SEVEN_OFF, yamlOf } from "../support/stage.ts";
import { passes, until } from "../support/until.ts";

const { it, missing } = needs("redis");

/** Catch up on everything. */
const EVERY: readonly Entry[] = ["0.2", "0.7", "1"].map((everyS, index) => ({
  name: `all${index}`,
  celeryTask: "check.echo",
  queue: "first",
  everyS,
}));
/** Catches up on the newest one, and says of the others that they were superseded. */
const NEWEST = { name: "newest", celeryTask: "check.echo", queue: "second", everyS: "0.5" };
const ENTRIES = [...EVERY, NEWEST];

describe("a running Beat", () => {
  let stage: Stage;
  let beat: RunningBeat;
  before(async () => {
    if (missing !== null) return;
    const newest = { ...NEWEST, extra: ", catchup: latest" };
    stage = await openStage({
      redis: { isPersistent: true },
      yaml: `${ALL}\ntasks:\n${yamlOf([...EVERY, newest])}`,
      env: { ...SEVEN_OFF, BEAT_LEASE_SECONDS: "1" },
    });
    beat = stage.beat();
    await beat.says("leading");
  });
  after(() => stage?.close());

  /** Everything that was due up to this moment is decided in the end. */
  const catchesUp = () => stage.decided(ENTRIES, Date.now());

  /** Lines that are said from now on; earlier ones do not count. */
  function fromNow() {
    const before = beat.log().length;
    return (msg: RegExp, pattern: RegExp) =>
      until(() => {
        const lines = beat.log().slice(before).filter((line) => msg.test(line.msg));
        return lines.some((line) => pattern.test(JSON.stringify(line)));
      }).catch((cause) => {
        throw new Error(`expected ${msg} with ${pattern}, got:\n${beat.worthTelling()}`, { cause });
      });
  }

  it("goes on when Redis was killed and has come back", async () => {
    const says = fromNow();
    await stage.redis.kill();
    await says(/trying on|waiting for Redis/, /is it running, and reachable from here/);
    // Longer than its lease, and than several due times of each entry.
    await passes(2_500);
    await stage.redis.restart();
    await says(/^leading$/, /./);
    await catchesUp();
  });

  it("keeps its lease and tries on while Redis is out of memory", async () => {
    const says = fromNow();
    const fence = await stage.client.get("beat:fence");
    await stage.client.config("SET", "maxmemory", "1");
    await says(/trying on/, /OOM.*raise maxmemory/);
    await says(/^open fires cannot be followed/, /OOM.*raise maxmemory/);
    await passes(1_500);
    assert.equal(await stage.client.get("beat:fence"), fence);
    await stage.client.config("SET", "maxmemory", "0");
    await says(/^Redis takes what is due again$/, /./);
    await says(/^open fires are followed again$/, /./);
    await catchesUp();
  });

  it("says that it is connected to a replica, and goes on once that is a master", async () => {
    const says = fromNow();
    await stage.client.replicaof("127.0.0.1", await freePort());
    await says(/trying on|waiting for Redis/, /READONLY.*point the URL at the master/);
    await passes(1_500);
    await stage.client.replicaof("NO", "ONE");
    await catchesUp();
  });

  it("ends its term when Redis does not answer, and goes on when it does", async () => {
    const says = fromNow();
    stage.redis.pause();
    try {
      // Whichever is first: a renewal in vain, or a reply that was lost.
      await says(/^lease lost$|trying on$/, /could not be renewed in time|timed out/);
      await passes(1_500);
    } finally {
      stage.redis.resume();
    }
    await says(/^leading$/, /./);
    await catchesUp();
  });

  it("goes on when its lease is deleted and its scripts are forgotten", async () => {
    const fence = Number(await stage.client.get("beat:fence"));
    await stage.client.multi().del("beat:lease").script("FLUSH").exec();
    await until(async () => Number(await stage.client.get("beat:fence")) > fence);
    await catchesUp();
  });

  it("has lost nothing by all that, doubled nothing, and needed no restart", async () => {
    const endMs = Date.now();
    await stage.decided(ENTRIES, endMs);
    assert.equal(await beat.stop(), 143, beat.text());
    assert.deepEqual(
      beat.text().split("\n").filter((line) => /^\S/.test(line) && line[0] !== "{"),
      [],
    );

    const rows = await stage.journal.read();
    const stories = storiesOf(rows, []);
    const queued = await messages();
    const isSuperseded = supersededIn(rows);
    const known = knownSince(rows);
    const rule = ({ id }: Story) => {
      const count = queued.filter((each) => each === id).length;
      return count === 1 ? null : `expected one message in the queue, got ${count}`;
    };
    const isDue = (story: Story) => {
      const { everyS } = ENTRIES.find(({ name }) => story.id.startsWith(`${name}@`))!;
      return story.dueMs > endMs && dueTimes(everyS, story.dueMs - 1, story.dueMs).length === 1;
    };
    const wanted = [
      ...owed(EVERY, known, endMs),
      ...owed([NEWEST], known, endMs).filter((id) => !isSuperseded(id)),
    ];
    assert.deepEqual(findings(wanted, stories, { rule, isDue }), []);
    assert.deepEqual([...stories.keys()].filter((id) => isSuperseded(id)), []);
    assert.equal(queued.length, stories.size);
    const dropped = rows.filter(({ type }) => type === "task.dropped");
    assert.ok(dropped.length > 0 && dropped.every(({ task }) => task === NEWEST.name));
    console.log(`Redis away: ${stories.size} fires, ${dropped.length} ranges superseded`);
  });

  async function messages(): Promise<string[]> {
    const lists = await Promise.all(
      ["first", "second"].map((queue) => stage.client.lrange(queue, 0, -1)),
    );
    return lists.flat().map((text) => JSON.parse(text).headers["x-beat-fire-id"]);
  }
});

/** Whether a row says of a fire that it was let go, in favour of a newer one. */
function supersededIn(rows: readonly OracleRow[]): (id: string) => boolean {
  const ranges = rows.filter(({ type, detail }) =>
    type === "task.dropped" && detail.reason === "superseded"
  );
  for (const { task, detail: { fromMs, toMs, count } } of ranges) {
    const { everyS } = ENTRIES.find(({ name }) => name === task)!;
    assert.equal(dueTimes(everyS, Number(fromMs) - 1, Number(toMs)).length, count);
  }
  return (id) => {
    const [name, due] = id.split("@");
    return ranges.some(({ task, detail }) =>
      task === name && Number(due) >= Number(detail.fromMs) && Number(due) <= Number(detail.toMs)
    );
  };
}
