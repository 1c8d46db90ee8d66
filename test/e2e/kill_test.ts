/** `kill -9` at random instants: the next Beat goes on from Redis alone, and nothing is lost or doubled. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import type { Entry, Story } from "../support/oracle.ts";
import { dueTimes, findings, knownSince, lateness, owed, storiesOf } from "../support/oracle.ts";
import type { RunningBeat } from "../support/running_beat.ts";
import type { Stage } from "../support/stage.ts";
import { ALL, openStage, SEVEN_OFF, yamlOf } from "../support/stage.ts";
import { passes, until } from "../support/until.ts";

const { it, missing } = needs("redis");
const KILLS = 30;
const BETWEEN_MAX_MS = 2_500;
/** Of the kills that hit the one that leads; the others hit a standby, or one that starts. */
const LEADER_SHARE = 0.75;

const PERIODS_S = ["0.05", "0.11", "0.25", "0.3333", "0.5", "1", "1.7", "3"];
const ENTRIES: readonly Entry[] = PERIODS_S.map((everyS, index) => ({
  name: `task${index}`,
  celeryTask: "check.echo",
  queue: `queue${index % 3}`,
  everyS,
}));

describe("Beat, killed again and again", () => {
  let stage: Stage;
  before(async () => {
    if (missing !== null) return;
    const env = { ...SEVEN_OFF, BEAT_LEASE_SECONDS: "1", BEAT_LOG_LEVEL: "warn" };
    stage = await openStage({ yaml: `${ALL}\ntasks:\n${yamlOf(ENTRIES)}`, env });
  });
  after(() => stage?.close());

  /** The process that holds the lease; `null` when nobody does. */
  async function leader(): Promise<number | null> {
    const owner = await stage.client.get("beat:lease");
    return owner === null ? null : Number(owner.split(":")[1]);
  }

  it("loses no due time and publishes none twice", async () => {
    const seed = Number(Deno.env.get("SEED") ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}; SEED=${seed} draws the same instants`);
    const random = randomFrom(seed);
    let replicas = [stage.beat(), stage.beat()];
    await until(async () => await leader() !== null);
    let leadersKilled = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const pauseMs = random() * BETWEEN_MAX_MS;
      const isForLeader = random() < LEADER_SHARE;
      await passes(pauseMs);
      const leading = await leader();
      const victim = replicas.find(({ pid }) => (pid === leading) === isForLeader) ?? replicas[0]!;
      if (victim.pid === leading) leadersKilled++;
      await victim.kill();
      replicas = [...replicas.filter((each) => each !== victim), stage.beat()];
    }
    const endMs = Date.now();
    await stage.decided(ENTRIES, endMs);
    for (const beat of replicas) await stopped(beat);

    const rows = await stage.journal.read();
    const stories = storiesOf(rows, []);
    const wanted = owed(ENTRIES, knownSince(rows), endMs);
    const queued = await messages();
    const rule = ({ id, rows }: Story) => {
      const others = rows.filter(({ type }) => !/published|overdue/.test(type));
      if (others.length > 0) return `expected no other rows, got ${others.map(({ type }) => type)}`;
      const count = queued.get(id)?.length ?? 0;
      return count === 1 ? null : `expected one message in the queue, got ${count}`;
    };
    const isDue = (story: Story) => {
      const entry = ENTRIES.find(({ name }) => story.id.startsWith(`${name}@`))!;
      return story.dueMs > endMs && rule(story) === null &&
        dueTimes(entry.everyS, story.dueMs - 1, story.dueMs).length === 1;
    };
    assert.deepEqual(findings(wanted, stories, { rule, isDue }), []);
    assert.deepEqual([...queued.keys()].filter((id) => !stories.has(id)), []);
    assert.deepEqual(disorder(rows.filter(({ type }) => type === "fire.published")), []);
    const terms = rows.filter(({ type }) => type === "term.started").length;
    assert.ok(terms >= leadersKilled / 2, `${leadersKilled} leaders killed, and ${terms} terms`);
    console.log(
      `${KILLS} kills, ${leadersKilled} of leaders, ${terms} terms, ${lateness(stories)}`,
    );
  });

  /** Ids of the messages in the queues, by fire. */
  async function messages(): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>();
    for (const queue of new Set(ENTRIES.map((entry) => entry.queue))) {
      for (const text of await stage.client.lrange(queue, 0, -1)) {
        const { id, "x-beat-fire-id": fireId } = JSON.parse(text).headers;
        found.set(fireId, [...found.get(fireId) ?? [], id]);
      }
    }
    return found;
  }
});

/** Places where the fires of a task do not rise, or a fence falls. */
function disorder(rows: readonly { task: string; dueMs: number | null; fence: number }[]) {
  const last = new Map<string, number>();
  let fence = 0;
  return rows.filter((row) => {
    const isWrong = row.dueMs! <= (last.get(row.task) ?? 0) || row.fence < fence;
    last.set(row.task, row.dueMs!);
    fence = row.fence;
    return isWrong;
  });
}

async function stopped(beat: RunningBeat): Promise<void> {
  assert.equal(await beat.stop(), 143, beat.text());
  const bad = beat.log().filter(({ level }) => level === "error");
  assert.deepEqual(bad, []);
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
