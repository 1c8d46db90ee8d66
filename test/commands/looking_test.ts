import { after, before, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { celeryTaskId } from "../../src/celery/ids.ts";
import { loadConfig } from "../../src/config/load.ts";
import { encodeCursor } from "../../src/cursor.ts";
import type { Journal, Step } from "../../src/ports.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { redisLease } from "../../src/redis/lease.ts";
import type { Task } from "../../src/task.ts";
import { revisionOf } from "../../src/task.ts";
import { triggerOf } from "../../src/triggers/mod.ts";
import { beat, beatCommand, spawnBeat } from "../support/beat.ts";
import { anOpenFire, aRow, aStep } from "../support/build.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { freePort, startRedis } from "../support/redis_server.ts";

const NAME = "trade_approval.expire_pending";
const KEYS = keysOf("beat", "");

/** A journal in which a leader has just published one fire of each task. */
interface Scene {
  readonly redis: RedisServer;
  readonly journal: Journal;
  readonly fence: number;
  readonly task: Task;
  readonly dueMs: number;
  /** Empty but for this, so that no env file of the developer counts. */
  readonly cwd: string;
  readonly env: Record<string, string>;
}

async function aScene(): Promise<Scene> {
  const redis = await startRedis();
  const cwd = await Deno.makeTempDir({ prefix: "looking-test-" });
  const env = { CELERY_BROKER_URL: redis.url, POSTGRES_BACKUP_ENABLED: "false" };
  const { tasks } = await loadConfig(env, { directory: cwd });
  const client = redis.client();
  const journal = redisJournal(client, KEYS);
  const taken = await redisLease(client, KEYS)
    .take({ owner: "test", ttlMs: 60_000, minFence: 0, epoch: "test" });
  assert.equal(taken.kind, "taken");
  const nowMs = (await journal.load()).serverMs;
  await journal.commit(tasks.map((task) => fireOf(task, nowMs)), taken.fence);
  const task = tasks.find(({ name }) => name === NAME)!;
  const dueMs = triggerOf(task.trigger).last(nowMs)!;
  return { redis, journal, fence: taken.fence, task, dueMs, cwd, env };
}

function fireOf(task: Task, nowMs: number): Step {
  const dueMs = triggerOf(task.trigger).last(nowMs)!;
  return aStep({
    task: task.name,
    next: encodeCursor({ dueMs, revision: revisionOf(task) }),
    notBeforeMs: dueMs,
    row: aRow({ task: task.name, dueMs, decidedMs: nowMs }),
    publish: {
      message: "{}",
      open: anOpenFire({ task: task.name, dueMs, publishedMs: nowMs, list: task.queue }),
    },
  });
}

/** Records that the fire after the last one was skipped, for `reason`. */
async function skipNext({ journal, fence }: Scene, reason: string): Promise<void> {
  const cursor = (await journal.load()).cursors.get(NAME)!;
  const dueMs = cursor.dueMs + 1;
  const detail = { by: "test", reason };
  await journal.commit([{
    task: NAME,
    expect: encodeCursor(cursor),
    next: encodeCursor({ ...cursor, dueMs }),
    notBeforeMs: 0,
    row: { type: "fire.skipped", task: NAME, dueMs, decidedMs: dueMs, detail },
    publish: null,
  }], fence);
}

/** Output on a pseudo terminal, which util-linux' `script` makes. */
async function shownOnTerminal(args: string[], { cwd, env }: Pick<Scene, "cwd" | "env">) {
  const { command, args: all } = beatCommand(args);
  const { stdout } = await new Deno.Command("script", {
    args: ["-qec", [command, ...all].map((word) => `'${word}'`).join(" "), "/dev/null"],
    cwd,
    env: { TERM: "xterm", NO_COLOR: "", ...env },
    stdin: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

const redisThere = needs("redis");
const onTerminal = Deno.build.os === "linux" ? redisThere.it : it.ignore;

redisThere.describe("looking at a journal", () => {
  let scene: Scene;
  before(async () => {
    scene = await aScene();
  });
  after(async () => {
    await scene.redis.stop();
    await Deno.remove(scene.cwd, { recursive: true });
  });

  redisThere.it("beat tasks lists each entry with its last and next due time", async () => {
    const { code, out, err } = await beat(["tasks"], scene);
    assert.equal(code, 0, err);
    const lines = out.trimEnd().split("\n");
    assert.match(lines[0]!, /^TASK +STATUS +QUEUE +TRIGGER +LAST DUE +STATE +LATE +NEXT DUE$/);
    assert.equal(lines.length, 1 + 7);
    assert.match(
      out,
      /^trade_approval\.expire_pending +on +trade_approval +every 10s .*published/m,
    );
    assert.match(out, /^maintenance\.postgres_full_backup +off .*POSTGRES_BACKUP_ENABLED/m);
    assert.doesNotMatch(out, /\p{Cc}\[/u);
  });

  redisThere.it("beat tasks --json gives the same to programs", async () => {
    const { code, out } = await beat(["tasks", "--json"], scene);
    assert.equal(code, 0);
    const found = JSON.parse(out).find(({ name }: { name: string }) => name === NAME);
    assert.equal(found.state, "on");
    assert.equal(Date.parse(found.last.due), scene.dueMs);
    assert.ok(Date.parse(found.next) > scene.dueMs);
  });

  redisThere.it("beat journal --json prints one object a line", async () => {
    const { code, out, err } = await beat(["journal", "--json", "--task", NAME], scene);
    assert.equal(code, 0, err);
    const [line, ...others] = out.trimEnd().split("\n");
    assert.deepEqual(others, []);
    const row = JSON.parse(line!);
    const fireId = `${NAME}@${scene.dueMs}`;
    assert.equal(row.type, "fire.published");
    assert.equal(row.fire_id, fireId);
    assert.equal(row.celery_task_id, celeryTaskId("beat", fireId));
  });

  redisThere.it(
    "without a broker, the Redis that a Beat here has embedded is looked at",
    async () => {
      const { CELERY_BROKER_URL: _, ...env } = scene.env;
      const none = await beat(["journal"], { ...scene, env });
      assert.deepEqual([none.code, none.out], [2, ""]);
      await Deno.mkdir(`${scene.cwd}/.beat/redis`, { recursive: true });
      await Deno.writeTextFile(`${scene.cwd}/.beat/redis/port`, `${scene.redis.port}\n`);
      const { code, out } = await beat(["journal", "--task", NAME], { ...scene, env });
      assert.equal(code, 0);
      assert.match(out, /fire\.published/);
    },
  );

  redisThere.it("options reach the configuration: another namespace has no rows", async () => {
    const { code, out, err } = await beat(["journal", "--namespace", "other"], scene);
    assert.equal(err, "no such row in the journal (namespace other)\n");
    assert.deepEqual([code, out], [0, ""]);
  });

  for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    redisThere.it(
      `beat journal --follow goes on until ${signal}, ending with ${expected}`,
      async () => {
        const child = spawnBeat(["journal", "--follow", "--task", NAME, "-n", "1"], scene);
        const lines = linesOf(child.stdout);
        try {
          assert.match((await lines.next()).value ?? "", /fire\./);
          await skipNext(scene, signal);
          assert.match((await lines.next()).value ?? "", new RegExp(`by test: ${signal}`));
        } finally {
          child.kill(signal);
          await child.stderr.cancel();
          await lines.return();
        }
        assert.equal((await child.status).code, expected);
      },
    );
  }

  onTerminal("a terminal gets colours, unless --no-color or NO_COLOR", async () => {
    assert.match(await shownOnTerminal(["tasks"], scene), /\p{Cc}\[1mTASK/u);
    assert.doesNotMatch(await shownOnTerminal(["tasks", "--no-color"], scene), /\p{Cc}\[1m/u);
    const env = { ...scene.env, NO_COLOR: "1" };
    assert.doesNotMatch(await shownOnTerminal(["tasks"], { ...scene, env }), /\p{Cc}\[1m/u);
  });

  redisThere.it("entries of somebody else are passed over, and counted", async () => {
    await scene.redis.client().xadd(KEYS.journal, "*", "hello", "world");
    const { code, err } = await beat(["journal"], scene);
    assert.equal(code, 0);
    assert.match(err, /^1 entry in the journal not written by Beat, passed over$/m);
  });

  redisThere.it("a server that is away ends it with 69, and says which", async () => {
    const url = `redis://:secret@127.0.0.1:${await freePort()}/0`;
    for (const verb of ["tasks", "journal"]) {
      const { code, out, err } = await beat([verb, "--broker", url], scene);
      assert.deepEqual([code, out], [69, ""]);
      assert.match(err, /^error: .*127\.0\.0\.1/);
      assert.doesNotMatch(err, /secret|\n {4}at /);
    }
  });
});

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
