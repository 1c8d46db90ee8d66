import { after, before, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { causesOf } from "../../src/audit/cause.ts";
import { storyOf } from "../../src/audit/why.ts";
import { celeryTaskId } from "../../src/celery/ids.ts";
import { why } from "../../src/commands/why.ts";
import { AROUND_MAX, readAround } from "../../src/commands/why_read.ts";
import type { Row } from "../../src/event.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { appendRow } from "../../src/memory/store.ts";
import { aReady, aRoster, aRow, T0 } from "../support/build.ts";
import { aDesk } from "../support/desk.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { keptShell } from "../support/shell.ts";

const HOUR = 3_600_000;
const SPEC = { kind: "every", everyMs: 1_000, phaseMs: 0 } as const;

/** Fills a journal: 20 tasks, each due every 48 s, four rows a fire, over a week. */
const FILL = `
local from, count, base = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function add(id, ...) redis.call("XADD", KEYS[1], id, "v", "1", ...) end
if from == 0 then
  add((base - 100) .. "-0", "t", "term.started", "k", "", "d", "", "m", tostring(base), "f", "1",
    "p", '{"owner":"host:1:a","epoch":"e","build":"1"}')
  for n = 0, 19 do
    add((base - 99) .. "-" .. n, "t", "task.known", "k", "task" .. n, "d", tostring(base - 99),
      "m", "0", "f", "1", "p", '{"revision":"r.r","definition":{"queue":"maintenance",' ..
      '"trigger":{"kind":"every","everyMs":48000,"phaseMs":' .. (n * 2400) .. '}}}')
  end
end
for i = from, from + count - 1 do
  local due, task = base + i * 2400, "task" .. (i % 20)
  local function row(id, kind, payload)
    add(id, "t", kind, "k", task, "d", tostring(due), "m", "2", "f", "1", "p", payload)
  end
  row((due + 2) .. "-0", "p", "")
  row((due + 5) .. "-0", "t", '{"by":"event","worker":"io@host"}')
  row((due + 50) .. "-0", "a", '{"by":"event","worker":"io@host"}')
  row((due + 50) .. "-1", "f", '{"outcome":"success","runtimeMs":40}')
end`;
const FIRES = 250_000;
const FILL_PORTION = 10_000;
const EVERY_MS = 48_000;

needs("redis").describe("beat why on a journal of 1,000,000 rows", () => {
  let redis: RedisServer;
  const newestMs = Math.floor(Date.now() / EVERY_MS) * EVERY_MS;
  const baseMs = newestMs - FIRES * 2_400;
  before(async () => {
    redis = await startRedis();
    const client = redis.client();
    for (let from = 0; from < FIRES; from += FILL_PORTION) {
      await client.eval(FILL, 1, "beat:journal", from, FILL_PORTION, baseMs);
    }
    await client.set("beat:fence", 1);
    for (let n = 0; n < 20; n++) {
      await client.hset("beat:cursors", `task${n}`, `${baseMs + (FIRES - 20 + n) * 2_400} r.r`);
    }
    assert.ok(await client.xlen("beat:journal") > 1_000_000);
  });
  after(() => redis.stop());

  async function ask(subject: string, time?: string) {
    const env = { CELERY_BROKER_URL: redis.url, CELERY_RESULT_BACKEND: redis.url };
    const shell = keptShell({ env });
    const fromMs = performance.now();
    const asked = { subject, json: true, ...(time === undefined ? {} : { time }) };
    assert.equal(await why(asked, shell), 0);
    return { story: JSON.parse(shell.said.out), tookMs: performance.now() - fromMs };
  }

  it("answers in 300 ms, wherever the fire is", async () => {
    const took: number[] = [];
    for (const index of [5, 1_003, 125_017, FIRES - 3]) {
      const dueMs = baseMs + index * 2_400;
      const { story, tookMs } = await ask(`task${index % 20}@${dueMs}`);
      took.push(tookMs);
      assert.deepEqual([story.verdict, story.lateness_ms], ["finished", 2]);
      assert.match(JSON.stringify(story.story), /declared so since.*host:1:a \(fence 1\) led/);
    }
    took.sort((one, other) => one - other);
    console.log(`why on 1,000,000 rows: ${took.map(Math.round).join(", ")} ms`);
    // The slowest loads the modules, too; a machine that is busy must not fail the suite.
    assert.ok(took[1]! < 300, `${took}`);
  });

  it("finds a recent Celery task id, and says how far it looked for another", async () => {
    const dueMs = baseMs + (FIRES - 4_000) * 2_400;
    const { story } = await ask(celeryTaskId("beat", `task0@${dueMs}`));
    assert.equal(story.fire_id, `task0@${dueMs}`);
    const old = celeryTaskId("beat", `task0@${baseMs}`);
    await assert.rejects(ask(old), /newest 50000 rows of the journal, back to 20/);
  });

  it("names the nearest due times where nothing was due", async () => {
    const dueMs = baseMs + 40 * 2_400;
    const { story } = await ask("task0", new Date(dueMs + 1).toISOString());
    assert.equal(story.verdict, "not_due");
    assert.deepEqual([Date.parse(story.before), Date.parse(story.after)], [dueMs, dueMs + 48_000]);
  });
});

needs("redis").describe("beat why of an attempt that ended long after its publish", () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  it("finds the end by its own result", async () => {
    const dueMs = Date.now() - 12 * HOUR;
    const doneMs = dueMs + HOUR;
    const client = redis.client();
    const add = (atMs: number, type: string, task: string, payload: unknown) => {
      const own = ["t", type, "k", task, "d", `${dueMs}`, "m", "2", "f", "1"];
      return client.xadd(
        "beat:journal",
        `${atMs}-*`,
        "v",
        "1",
        ...own,
        "p",
        JSON.stringify(payload),
      );
    };
    const wanted = "report+again";
    await add(dueMs + 10, "p", wanted, { attempt: 1 });
    await client.eval(MANY, 1, "beat:journal", AROUND_MAX + 500, dueMs + 20);
    await add(doneMs + 5, "a", wanted, { by: "result" });
    await add(doneMs + 5, "f", wanted, { outcome: "success" });
    const key = `celery-task-meta-${celeryTaskId("beat", `${wanted}@${dueMs}#1`)}`;
    const dateDone = new Date(doneMs).toISOString().replace("Z", "000+00:00");
    await client.set(key, JSON.stringify({ status: "SUCCESS", date_done: dateDone }));
    const env = { CELERY_BROKER_URL: redis.url, CELERY_RESULT_BACKEND: redis.url };
    const shell = keptShell({ env });
    assert.equal(await why({ subject: `${wanted}@${dueMs}`, json: true }, shell), 0);
    assert.equal(JSON.parse(shell.said.out).verdict, "finished");
  });
});

/** Rows of another task. */
const MANY = `
for i = 1, tonumber(ARGV[1]) do
  redis.call("XADD", KEYS[1], (tonumber(ARGV[2]) + i) .. "-0", "v", "1", "t", "t", "k", "other",
    "d", ARGV[2], "m", "2", "f", "1", "p", '{"by":"event"}')
end`;

describe("readAround()", () => {
  const options = {
    ...{ task: "report", dueMs: T0 + HOUR, isOpen: false, isUndecided: false, isDeep: false },
    ...{ revision: "r.r", cursorMs: T0, neighbours: new Set<string>() },
  };
  const declared = (revision: string, phaseMs = 0): Row => ({
    ...{ type: "task.known", task: "report", dueMs: T0, decidedMs: T0 },
    detail: { revision, definition: { trigger: { ...SPEC, phaseMs } } },
  });

  /** A term that declares the task, and then so many rows of another before it is due. */
  function aJournal(revision: string, others: number) {
    const journal = memoryJournal({ serverMs: () => T0 });
    const started: Row = {
      ...{ type: "term.started", task: "", dueMs: null, decidedMs: T0 },
      detail: { owner: "host:1:a", epoch: "e", build: "1" },
    };
    appendRow(journal.store, T0, started, 1);
    appendRow(journal.store, T0, declared(revision), 1);
    for (let index = 0; index < others; index++) {
      appendRow(journal.store, T0 + 100 + index, aRow({ task: "other" }), 1);
    }
    appendRow(journal.store, options.dueMs, aRow({ task: "report", dueMs: options.dueMs }), 1);
    return journal;
  }
  const typesOf = ({ rows }: { readonly rows: readonly { readonly type: string }[] }) =>
    rows.map(({ type }) => type);

  it("finds the declaration at the start of the term, however far back that is", async () => {
    const journal = aJournal("r.r", 2 * AROUND_MAX);
    const around = await readAround(journal, options);
    assert.deepEqual(typesOf(around), ["task.known", "fire.published"]);
    assert.equal(around.isComplete, true);
  });

  it("goes from term to term back, however far their fences are apart", async () => {
    const journal = memoryJournal({ serverMs: () => T0 });
    for (const [term, fence] of [T0, T0 + 9_000, T0 + 70_000, T0 + 71_000].entries()) {
      const atMs = T0 + term * 10_000;
      const head = { task: "", dueMs: null, decidedMs: T0 };
      const detail = { owner: `host:${term}:a`, epoch: "e", build: "1" };
      appendRow(journal.store, atMs, { ...head, type: "term.started", detail }, fence);
      if (term === 1) appendRow(journal.store, atMs, declared("r.r"), fence);
      for (let index = 0; index < 400; index++) {
        appendRow(journal.store, atMs + index, aRow({ task: "other" }), fence);
      }
    }
    const around = await readAround(journal, options);
    assert.equal(typesOf(around)[0], "task.known");
  });

  it("looks further back where the task was declared anew since", async () => {
    const journal = aJournal("old.r", 2_000);
    appendRow(journal.store, T0 + 9_000, { ...declared("r.r", 5), dueMs: T0 + 9_000 }, 1);
    for (let index = 0; index < 1_000; index++) {
      appendRow(journal.store, T0 + 9_001 + index, aRow({ task: "other" }), 1);
    }
    const late = { ...options, dueMs: T0 + 2 * HOUR };
    const around = await readAround(journal, late);
    const [found] = around.rows.filter(({ type }) => type === "task.known").slice(-1);
    assert.equal(found?.detail.revision, "r.r");
  });

  it("finds the row that skipped the due time before one without a decision", async () => {
    const journal = aJournal("r.r", 400);
    const dueMs = options.dueMs + 1_000;
    const skipped: Row = {
      ...{ type: "fire.skipped", task: "report", dueMs, decidedMs: dueMs },
      detail: { by: "session", reason: "closed" },
    };
    appendRow(journal.store, dueMs + 2, skipped, 1);
    const undecided = { ...options, dueMs: dueMs + 5_000, isUndecided: true, cursorMs: dueMs };
    assert.equal((await readAround(journal, undecided)).before?.detail.reason, "closed");
    assert.equal((await readAround(journal, { ...undecided, isUndecided: false })).before, null);
  });

  it("finds that workers served the queue to the last, however much they did before", async () => {
    const journal = aJournal("r.r", 0);
    const { dueMs } = options;
    const add = (atMs: number, row: Row) => appendRow(journal.store, atMs, row, 1);
    const taken: Row = {
      ...{ type: "fire.taken", task: "other", dueMs, decidedMs: dueMs },
      detail: { by: "event" },
    };
    for (let index = 1; index <= 500; index++) add(dueMs + index * 1_000, taken);
    const expired: Row = {
      ...{ type: "fire.expired", task: "report", dueMs, decidedMs: dueMs },
      detail: { reason: "ttl", by: "beat" },
    };
    add(dueMs + 501_000, expired);
    add(dueMs + 502_000, taken);
    const evidence = {
      ...{ task: "report", dueMs, nowMs: dueMs + HOUR, open: null, leader: null, offBy: null },
      cursor: { dueMs, revision: "r.r" },
      today: { spec: SPEC, queue: "maintenance", expiresMs: null },
      ...await readAround(journal, { ...options, neighbours: new Set(["report", "other"]) }),
    };
    const causes = causesOf({ evidence, story: storyOf(evidence), queue: null, owners: new Map() });
    assert.deepEqual(causes.map(({ kind }) => kind), ["workers busy", "expires"]);
  });

  it("says when it did not read to the end", async () => {
    const journal = aJournal("r.r", 0);
    for (let index = 0; index <= AROUND_MAX; index++) {
      appendRow(journal.store, options.dueMs + 1 + index, aRow({ task: "other" }), 1);
    }
    assert.equal((await readAround(journal, options)).isComplete, false);
    assert.equal((await readAround(journal, { ...options, isDeep: true })).isComplete, true);
  });
});

describe("a clock of Redis that steps", () => {
  const owners = new Map([[1, "host:1:a"], [3, "me"]]);

  async function aStory(desk: ReturnType<typeof aDesk>, dueMs: number) {
    const loaded = await desk.journal.load();
    const cursor = loaded.cursors.get("report")!;
    const options = {
      ...{ task: "report", dueMs, isOpen: false, isDeep: false, revision: cursor.revision },
      ...{ isUndecided: cursor.dueMs < dueMs, cursorMs: cursor.dueMs },
      neighbours: new Set<string>(),
    };
    const evidence = {
      ...{ task: "report", dueMs, nowMs: loaded.serverMs, cursor, open: null, offBy: null },
      ...{ leader: { owner: "me", fence: 3, leftMs: 4_000 } },
      ...{ today: { spec: SPEC, queue: "maintenance", expiresMs: null } },
      ...await readAround(desk.journal, options),
    };
    const story = storyOf(evidence);
    return { story, causes: causesOf({ evidence, story, queue: null, owners }) };
  }

  async function running() {
    const desk = aDesk();
    const now = await desk.open(aRoster(aReady({ name: "report", trigger: SPEC })));
    let aheadMs = 0;
    const step = (byMs: number) => {
      aheadMs += byMs;
      desk.stepServer(byMs);
    };
    const pass = async () => {
      await desk.clock.advance(1_000);
      desk.server.observe(desk.clock.monotonicMs(), desk.clock.wallMs() + aheadMs);
      await desk.tick(now);
    };
    for (let second = 0; second < 3; second++) await pass();
    return { desk, pass, step };
  }

  it("forward drops what it passed over, and the story says so", async () => {
    const { desk, pass, step } = await running();
    step(HOUR);
    await pass();
    const { story, causes } = await aStory(desk, T0 + HOUR / 2);
    assert.equal(story.verdict, "dropped");
    assert.deepEqual(causes.map(({ kind }) => kind), ["policy", "leader silent"]);
    assert.deepEqual(causes[1], {
      kind: "leader silent",
      ...{ fromMs: T0 + 3_000, untilMs: T0 + HOUR + 4_000 },
    });
  });

  it("back stops the firing, and the story says by how much", async () => {
    const { desk, pass, step } = await running();
    step(-HOUR);
    await pass();
    const { story, causes } = await aStory(desk, T0 + 2_000);
    assert.equal(story.publishedMs, T0 + 2_000);
    assert.deepEqual(causes, [{ kind: "clock behind", byMs: HOUR - 1_000 }]);
  });
});
