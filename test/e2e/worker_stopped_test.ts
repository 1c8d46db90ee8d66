/** The worker goes away and comes back: what may be lost by its `expires` is, and nothing else. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { CeleryWorker } from "../support/celery_worker.ts";
import { findPython, startCelery } from "../support/celery_worker.ts";
import { needs } from "../support/needs.ts";
import type { Entry, Story } from "../support/oracle.ts";
import { dueTimes, findings, knownSince, owed, storiesOf } from "../support/oracle.ts";
import type { Stage } from "../support/stage.ts";
import { ALL, openStage, SEVEN_OFF, yamlOf } from "../support/stage.ts";
import { passes, until } from "../support/until.ts";

const { it, missing } = needs("redis", "celery");
const WITH_WORKER_MS = 5_000;
const AWAY_MS = 10_000;
/** What a worker that was just started may take to look at the first message. */
const GRACE_MS = 1_500;

/** The two of the seven that expire, by their variables: after 2 s, and after 2 s. */
const EXPIRING: readonly Entry[] = [
  builtIn("paper_trading.scheduler_tick", "1"),
  builtIn("notifications.dispatch_pending", "2"),
];
const EXPIRES_MS = 2_000;
/** Two of the seven that wait, and one that is often due. */
const WAITING: readonly Entry[] = [
  builtIn("market_data.refresh_active_subscriptions", "1.5"),
  builtIn("trade_approval.expire_pending", "1"),
  { ...builtIn("maintenance.often", "0.4"), celeryTask: "maintenance.backup_postgres_full" },
];
const CANCEL_PY = `
from celery_app import IO_QUEUES, app
for queue in IO_QUEUES:
    assert app.control.cancel_consumer(queue, reply=True, timeout=20, limit=1)
`;
const ENTRIES = [...EXPIRING, ...WAITING];

function builtIn(name: string, everyS: string): Entry {
  return { name, celeryTask: name, queue: name.split(".")[0]!, everyS };
}

describe("a Celery worker that goes away and comes back", () => {
  let stage: Stage;
  let worker: CeleryWorker;
  let recordFile: string;
  before(async () => {
    if (missing !== null) return;
    recordFile = await Deno.makeTempFile();
    stage = await openStage({
      yaml: `${ALL}\ntasks:\n${yamlOf(WAITING.slice(2))}`,
      env: {
        ...SEVEN_OFF,
        PAPER_TRADING_ENABLED: "true",
        NOTIFICATIONS_ENABLED: "true",
        TRADING_APPROVAL_ENABLED: "true",
        PAPER_TRADING_LOOP_INTERVAL_SECONDS: "1",
        NOTIFICATIONS_LOOP_INTERVAL_SECONDS: "2",
        MARKET_DATA_REFRESH_ACTIVE_SUBSCRIPTIONS_INTERVAL_SECONDS: "1.5",
        TRADING_APPROVAL_EXPIRE_SCAN_INTERVAL_SECONDS: "1",
      },
    });
    worker = await startWorker();
  });
  after(async () => {
    await worker?.kill();
    await stage?.close();
    if (recordFile !== undefined) await Deno.remove(recordFile);
  });

  const startWorker = () =>
    startCelery({ brokerUrl: stage.redis.url, concurrency: 4, recordFile, name: "io" });

  /**
   * SIGTERM, once it has stopped asking for messages. A Celery worker that is ended while its BRPOP
   * waits loses the message that Redis hands over in that moment, whoever published it.
   */
  async function stopWorker(): Promise<void> {
    const { success } = await new Deno.Command(findPython()!, {
      args: ["-c", CANCEL_PY],
      cwd: new URL("../../env/", import.meta.url),
      env: { CELERY_BROKER_URL: stage.redis.url, PYTHONDONTWRITEBYTECODE: "1" },
    }).output();
    assert.ok(success, "expected the worker to cancel its consumers");
    const isBlocked = /^.* flags=[a-zA-Z]*b[a-zA-Z]* /m;
    await until(async () => !isBlocked.test(await stage.client.client("LIST") as string));
    await worker.stop();
  }

  /** Fire ids of the messages that wait. */
  async function queued(): Promise<Set<string>> {
    const queues = [...new Set(ENTRIES.map(({ queue }) => queue))];
    const lists = await Promise.all(queues.map((queue) => stage.client.lrange(queue, 0, -1)));
    return new Set(lists.flat().map((text) => JSON.parse(text).headers["x-beat-fire-id"]));
  }

  /** Fire ids of the messages that a worker has taken and not acknowledged. */
  async function reserved(): Promise<Set<string>> {
    const entries = await stage.client.hvals("unacked");
    return new Set(entries.map((text) => JSON.parse(text)[0].headers["x-beat-fire-id"]));
  }

  async function stories(): Promise<Map<string, Story>> {
    return storiesOf(await stage.journal.read(), await worker.runs());
  }

  /** Ids that are in the journal with a row of this type. */
  async function having(type: string): Promise<Set<string>> {
    const rows = (await stage.journal.read()).filter((row) => row.type === type);
    return new Set(rows.map(({ task, dueMs }) => `${task}@${dueMs}`));
  }

  it("leaves expired fires that are out of the queue, and others that are run late", async () => {
    const beat = stage.beat();
    await beat.says("leading");
    await passes(WITH_WORKER_MS);
    await stopWorker();
    const awaySinceMs = Date.now();
    await passes(AWAY_MS);

    const known = knownSince(await stage.journal.read());
    const dead = owed(EXPIRING, known, Date.now() - EXPIRES_MS)
      .filter((id) => dueOf(id) > awaySinceMs);
    assert.ok(dead.length >= 8, `only ${dead.length} fires had the time to expire`);
    await until(async () => {
      const [expired, waiting] = [await having("fire.expired"), await queued()];
      return dead.every((id) => expired.has(id) && !waiting.has(id));
    }).catch(async (cause) => {
      const found = [...await stories()].filter(([id]) => dead.includes(id));
      throw new Error(`expected all of these to expire: ${JSON.stringify(found)}`, { cause });
    });
    const waiting = await queued();
    const kept = owed(WAITING, known, Date.now() - GRACE_MS)
      .filter((id) => dueOf(id) > awaySinceMs);
    assert.deepEqual(kept.filter((id) => !waiting.has(id)), []);

    worker = await startWorker();
    const endMs = Date.now();
    await stage.decided(ENTRIES, endMs);
    const wanted = owed(ENTRIES, known, endMs);
    await until(async () => {
      const [finished, expired] = [await having("fire.finished"), await having("fire.expired")];
      return wanted.every((id) => finished.has(id) || expired.has(id));
    }, 20_000).catch(() => {}); // What is not, is a finding below.
    assert.equal(await beat.stop(), 143, beat.text());
    // What a worker took in the instant in which it was cancelled stays with it until its visibility
    // timeout, an hour: Beat sees it taken, and waits.
    const isKept = await reserved();
    await worker.stop();

    const expiring = new Set(EXPIRING.map(({ name }) => name));
    const mustExpire = new Set(dead);
    const rule = (story: Story) => {
      const isExpiring = expiring.has(nameOf(story.id));
      const ends = story.rows.filter(({ type }) => /acked|finished|expired/.test(type))
        .map(({ type, detail }) => [type, detail.reason ?? detail.outcome].join(" ").trim());
      const text = ends.join();
      if (text === "fire.expired ttl") {
        if (!isExpiring) return "it has no end of its own";
        return story.runs.length === 0 ? null : "expired, and yet it ran";
      }
      if (mustExpire.has(story.id)) return "it should have expired";
      if (story.runs.length === 0 && text === "" && isKept.has(story.id)) return null;
      if (story.runs.length !== 1) return `expected one run, got ${story.runs.length}`;
      return text === "fire.acked,fire.finished success" ? null : `it ended as ${text}`;
    };
    const isDue = ({ id, dueMs }: Story) => {
      const entry = ENTRIES.find(({ name }) => name === nameOf(id));
      return dueMs > endMs && entry !== undefined &&
        dueTimes(entry.everyS, dueMs - 1, dueMs).length === 1;
    };
    assert.deepEqual(findings(wanted, await stories(), { rule, isDue }), []);
    console.log(
      `worker away: ${wanted.length} fires, ${(await having("fire.expired")).size} expired`,
    );
  });
});

function nameOf(id: string): string {
  return id.slice(0, id.lastIndexOf("@"));
}

function dueOf(id: string): number {
  return Number(id.slice(id.lastIndexOf("@") + 1));
}
