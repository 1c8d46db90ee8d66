import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Cause, QueueLook } from "../../src/audit/cause.ts";
import { causesOf } from "../../src/audit/cause.ts";
import type { Evidence, Story, Verdict } from "../../src/audit/why.ts";
import { storyOf } from "../../src/audit/why.ts";
import type { JournalRow } from "../../src/event.ts";
import { anOpenFire, T0 } from "../support/build.ts";

const MINUTE = 60_000;
const DUE = T0 + 10 * MINUTE;
const SPEC = { kind: "every", everyMs: MINUTE, phaseMs: 0 } as const;
const TODAY = { spec: SPEC, queue: "maintenance", expiresMs: null };
const LEADER = { owner: "host:1:a", fence: 2, leftMs: 4_000 };

let sequence = 0;

/** @param atMs from the due time on */
function row(atMs: number, type: string, own: Partial<JournalRow> = {}): JournalRow {
  return {
    id: `${DUE + atMs}-${sequence++}`,
    version: 1,
    type,
    task: type.startsWith("term.") ? "" : "report",
    dueMs: type.startsWith("term.") ? null : DUE,
    decidedMs: DUE + atMs,
    fence: 2,
    detail: {},
    ...own,
  };
}

const started = (atMs: number, fence = 2) =>
  row(atMs, "term.started", { fence, detail: { owner: "host:1:a", epoch: "e", build: "1" } });
const ended = (atMs: number, fence = 1) =>
  row(atMs, "term.ended", { fence, detail: { owner: "host:1:a", reason: "stopped" } });
const known = (atMs: number, definition: Record<string, unknown> = { trigger: SPEC }) =>
  row(atMs, "task.known", {
    ...{ dueMs: DUE + atMs, fence: 1 },
    detail: { revision: "r.r", definition },
  });
const retired = (atMs: number) => row(atMs, "task.retired", { dueMs: null });
const published = (atMs: number, own: Partial<JournalRow> = {}) => row(atMs, "fire.published", own);
const acked = (atMs: number) => row(atMs, "fire.acked", { detail: { by: "broker" } });
const finished = (atMs: number) =>
  row(atMs, "fire.finished", { detail: { outcome: "success", runtimeMs: 12 } });
const expired = (atMs: number) =>
  row(atMs, "fire.expired", { detail: { reason: "ttl", by: "beat" } });
const dropped = (atMs: number, fromMs: number, toMs: number, fence = 2) =>
  row(atMs, "task.dropped", {
    fence,
    dueMs: DUE + toMs,
    detail: {
      ...{ fromMs: DUE + fromMs, toMs: DUE + toMs, count: 2 },
      ...{ by: "catchup", reason: "superseded" },
    },
  });

const skips = (atMs: number, fromMs: number, toMs: number) => {
  const range = dropped(atMs, fromMs, toMs);
  return { ...range, detail: { ...range.detail, by: "session", reason: "closed" } };
};

const OLD = [{ ...started(-9 * MINUTE), fence: 1 }, known(-9 * MINUTE), started(-8 * MINUTE)];

function evidence(rows: readonly JournalRow[], own: Partial<Evidence> = {}): Evidence {
  return {
    task: "report",
    dueMs: DUE,
    nowMs: DUE + 30_000,
    rows,
    first: rows[0] ?? null,
    isComplete: true,
    cursor: { dueMs: DUE, revision: "r.r" },
    open: null,
    leader: LEADER,
    today: TODAY,
    offBy: null,
    ...own,
  };
}

const queue = (workers: string[] | null): QueueLook => ({
  ...{ list: "maintenance", wrongType: null, depth: 3 },
  oldestMs: DUE,
  workers,
});

interface Case {
  readonly name: string;
  readonly rows: readonly JournalRow[];
  readonly own?: Partial<Evidence>;
  readonly queue?: QueueLook;
  readonly verdict: Verdict;
  readonly causes?: readonly Partial<Cause>[];
}

const WAITING = anOpenFire({ task: "report", dueMs: DUE, publishedMs: DUE + 3 });

/** Its cursor stands at the due time before, which a policy skipped. */
const SKIPPING: Partial<Evidence> = {
  cursor: { dueMs: DUE - MINUTE, revision: "r.r" },
  before: row(-MINUTE, "fire.skipped", {
    dueMs: DUE - MINUTE,
    detail: { by: "session", reason: "closed" },
  }),
};

const CASES: readonly Case[] = [
  {
    name: "ran as it should",
    rows: [...OLD, published(3), acked(40), finished(40)],
    verdict: "finished",
  },
  {
    name: "ran, published late after a time without a leader",
    rows: [
      ...[started(-9 * MINUTE, 1), known(-9 * MINUTE), ended(-MINUTE), started(20_000)],
      ...[published(20_003), acked(20_040), finished(20_040)],
    ],
    verdict: "finished",
    causes: [{ kind: "nobody led", fromMs: DUE - MINUTE, untilMs: DUE + 20_000 }],
  },
  { name: "acked, end unknown", rows: [...OLD, published(3), acked(40)], verdict: "acked" },
  {
    name: "waits, and no worker consumes the queue",
    rows: [...OLD, published(3)],
    own: { open: WAITING },
    queue: queue([]),
    verdict: "waiting",
    causes: [{ kind: "no worker", isThen: false }],
  },
  {
    name: "waits behind others",
    rows: [...OLD, published(3), row(9_000, "fire.acked", { task: "other" })],
    own: { open: WAITING, nowMs: DUE + 10_000 },
    queue: queue(["io@host"]),
    verdict: "waiting",
    causes: [{ kind: "workers busy" }],
  },
  {
    name: "waits for a moment",
    rows: [...OLD, published(3)],
    own: { open: WAITING, nowMs: DUE + 10 },
    queue: queue(["io@host"]),
    verdict: "waiting",
    causes: [],
  },
  {
    name: "is in a worker's hands",
    rows: [...OLD, published(3)],
    own: { open: { ...WAITING, state: "taken" } },
    verdict: "taken",
  },
  {
    name: "expired, and no worker was there then",
    rows: [...OLD, published(3), expired(2_500)],
    queue: queue(["io@host"]),
    verdict: "expired",
    causes: [{ kind: "no worker", isThen: true }, { kind: "expires" }],
  },
  {
    name: "expired, and no worker is there",
    rows: [...OLD, published(3), expired(2_500)],
    queue: queue([]),
    verdict: "expired",
    causes: [{ kind: "no worker", isThen: false }, { kind: "expires" }],
  },
  {
    name: "expired while workers did others",
    rows: [
      ...[...OLD, published(3)],
      ...[row(1_900, "fire.taken", { task: "other" }), expired(2_500)],
    ],
    queue: queue(["io@host"]),
    verdict: "expired",
    causes: [{ kind: "workers busy" }, { kind: "expires" }],
  },
  {
    name: "expired after the worker that did another was stopped",
    rows: [
      ...[...OLD, published(3), row(90, "fire.acked", { task: "other", detail: { by: "event" } })],
      ...[row(1_900, "fire.acked", { task: "other", detail: { by: "broker" } }), expired(2_500)],
    ],
    queue: queue([]),
    verdict: "expired",
    causes: [{ kind: "no worker", isThen: false }, { kind: "expires" }],
  },
  {
    name: "was published anew after it had expired",
    rows: [
      ...[...OLD, published(3), expired(2_500)],
      ...[published(9_000, { detail: { attempt: 1 } }), acked(9_020), finished(9_020)],
    ],
    verdict: "finished",
  },
  {
    name: "dropped after a kill",
    rows: [
      started(-9 * MINUTE, 1),
      known(-9 * MINUTE),
      started(90_000),
      dropped(90_004, 0, MINUTE),
    ],
    own: { cursor: { dueMs: DUE + MINUTE, revision: "r.r" }, nowMs: DUE + 91_000 },
    verdict: "dropped",
    causes: [
      { kind: "policy", by: "catchup", reason: "superseded" },
      { kind: "nobody led", fromMs: DUE - 9 * MINUTE, untilMs: DUE + 90_000, sameOwner: true },
    ],
  },
  {
    name: "dropped by a leader that wrote nothing for an hour",
    rows: [...OLD, row(-20, "fire.acked", { task: "other" }), dropped(3_600_000, 0, 59 * MINUTE)],
    own: { cursor: { dueMs: DUE + 59 * MINUTE, revision: "r.r" }, nowMs: DUE + 3_601_000 },
    verdict: "dropped",
    causes: [
      { kind: "policy" },
      { kind: "leader silent", fromMs: DUE - 20, untilMs: DUE + 3_600_000 },
    ],
  },
  {
    name: "a range that it stands between the due times of",
    rows: [...OLD, dropped(90_000, -MINUTE, MINUTE)],
    own: { dueMs: DUE + 7, nowMs: DUE + 91_000 },
    verdict: "not due",
  },
  {
    name: "undecided without a leader",
    rows: OLD,
    own: { cursor: { dueMs: DUE - MINUTE, revision: "r.r" }, leader: null },
    verdict: "undecided",
    causes: [{ kind: "nobody led", fromMs: DUE - 8 * MINUTE, untilMs: null }],
  },
  {
    name: "undecided, and the leader has not come to it",
    rows: OLD,
    own: { cursor: { dueMs: DUE - MINUTE, revision: "r.r" } },
    verdict: "undecided",
    causes: [{ kind: "leader behind" }],
  },
  {
    name: "undecided, and its queue is no list",
    rows: OLD,
    own: { cursor: { dueMs: DUE - MINUTE, revision: "r.r" } },
    queue: { ...queue([]), wrongType: "string" },
    verdict: "undecided",
    causes: [{ kind: "no list", type: "string" }],
  },
  {
    name: "dropped, while its queue is no list",
    rows: [...OLD, dropped(60_010, 0, 0)],
    own: { cursor: { dueMs: DUE, revision: "r.r" }, nowMs: DUE + 61_000 },
    queue: { ...queue([]), wrongType: "string" },
    verdict: "dropped",
    causes: [
      { kind: "policy", by: "catchup", reason: "superseded" },
      { kind: "no list", type: "string" },
      { kind: "leader silent" },
    ],
  },
  {
    name: "undecided, behind one that a policy holds",
    rows: OLD,
    own: {
      cursor: {
        dueMs: DUE - MINUTE,
        revision: "r.r",
        pending: { notBeforeMs: DUE, by: "overlap:a@1" },
      },
    },
    verdict: "undecided",
    causes: [{ kind: "waits behind", heldMs: DUE - MINUTE, by: "overlap" }],
  },
  {
    name: "undecided for a moment",
    rows: OLD,
    own: { cursor: { dueMs: DUE - MINUTE, revision: "r.r" }, nowMs: DUE + 50 },
    verdict: "undecided",
    causes: [],
  },
  {
    name: "off by a row",
    rows: [...OLD, retired(-MINUTE)],
    own: { today: null, offBy: "X=false", cursor: null },
    verdict: "off",
    causes: [{ kind: "switched off", sinceMs: DUE - MINUTE, by: "X=false" }],
  },
  {
    name: "off as long as the journal knows",
    rows: [started(-MINUTE)],
    own: { today: null, offBy: "X=false", cursor: null },
    verdict: "off",
    causes: [{ kind: "switched off", sinceMs: null }],
  },
  {
    name: "declared after it",
    rows: [started(-9 * MINUTE), known(5_000)],
    verdict: "not known yet",
    causes: [{ kind: "declared later", knownMs: DUE + 5_000 }],
  },
  { name: "not due", rows: OLD, own: { dueMs: DUE + 1 }, verdict: "not due" },
  { name: "to come", rows: OLD, own: { nowMs: DUE - 1 }, verdict: "to come" },
  { name: "passed over without a word", rows: OLD, verdict: "missed" },
  { name: "not read to its end", rows: OLD, own: { isComplete: false }, verdict: "further on" },
  { name: "older than the journal", rows: [started(5)], verdict: "forgotten" },
  {
    name: "held by a policy",
    rows: [
      ...OLD,
      row(3, "fire.delayed", { detail: { untilMs: DUE + 9, by: "window", reason: "quiet hours" } }),
    ],
    verdict: "held",
    causes: [{ kind: "policy", by: "window", reason: "quiet hours" }],
  },
  {
    name: "held at once by a leader that then had nothing to do",
    rows: [
      ...OLD,
      row(0, "fire.delayed", { detail: { untilMs: DUE + 9, by: "jitter", reason: "spread" } }),
      row(5_000, "fire.acked", { task: "other" }),
    ],
    verdict: "held",
    causes: [{ kind: "policy", by: "jitter", reason: "spread" }],
  },
  {
    name: "skipped at once by a leader that then had nothing to do",
    rows: [
      ...OLD,
      row(0, "fire.skipped", { detail: { by: "session", reason: "closed" } }),
      row(5_000, "fire.acked", { task: "other" }),
    ],
    verdict: "skipped",
    causes: [{ kind: "policy", by: "session", reason: "closed" }],
  },
  {
    name: "skipped in a row with others, by a leader that had nothing else to do",
    rows: [...OLD, skips(3_600_000, 0, 59 * MINUTE)],
    own: { cursor: { dueMs: DUE + 59 * MINUTE, revision: "r.r" }, nowMs: DUE + 3_601_000 },
    verdict: "dropped",
    causes: [{ kind: "policy", by: "session", reason: "closed" }],
  },
  {
    name: "skipped, and the row of such skips is not written yet",
    rows: OLD,
    own: { ...SKIPPING, nowMs: DUE + 30_000 },
    verdict: "undecided",
    causes: [{ kind: "skips go on", by: "session", reason: "closed", saidMs: DUE - MINUTE }],
  },
  {
    name: "undecided for longer than skips go without a row",
    rows: OLD,
    own: { ...SKIPPING, nowMs: DUE + 61 * MINUTE },
    verdict: "undecided",
    causes: [{ kind: "leader behind" }],
  },
  {
    name: "undecided under another leader than the one that skipped",
    rows: OLD,
    own: { ...SKIPPING, leader: { ...LEADER, fence: 3 } },
    verdict: "undecided",
    causes: [{ kind: "leader behind" }],
  },
  {
    name: "undecided behind one that catch-up let go",
    rows: OLD,
    own: { ...SKIPPING, before: { ...dropped(-MINUTE, -2 * MINUTE, -MINUTE) } },
    verdict: "undecided",
    causes: [{ kind: "leader behind" }],
  },
  {
    name: "skipped by a policy",
    rows: [...OLD, row(3, "fire.skipped", { detail: { by: "session", reason: "closed" } })],
    verdict: "skipped",
    causes: [{ kind: "policy", by: "session", reason: "closed" }],
  },
];

function tell(each: Pick<Case, "rows" | "own" | "queue">): { story: Story; causes: Cause[] } {
  const told = evidence(each.rows, each.own);
  const story = storyOf(told);
  const owners = new Map([[1, "host:1:a"], [2, "host:1:a"]]);
  return {
    story,
    causes: causesOf({ evidence: told, story, queue: each.queue ?? null, owners }),
  };
}

describe("storyOf() and causesOf()", () => {
  for (const each of CASES) {
    it(`tell a fire that: ${each.name}`, () => {
      const { story, causes } = tell(each);
      assert.equal(story.verdict, each.verdict);
      const wanted = each.causes ?? [];
      assert.deepEqual(causes.map(({ kind }) => kind), wanted.map(({ kind }) => kind));
      for (const [index, cause] of wanted.entries()) {
        assert.deepEqual({ ...causes[index], ...cause }, causes[index]);
      }
    });
  }

  it("take the schedule as it was, not as it is", () => {
    const then = known(-9 * MINUTE, { trigger: { ...SPEC, phaseMs: 1_000 }, queue: "q" });
    const changed = row(3 * MINUTE, "task.changed", {
      dueMs: DUE + 3 * MINUTE,
      detail: { revision: "s.s", definition: { trigger: SPEC } },
    });
    const { story } = tell({ rows: [started(-9 * MINUTE), then, changed] });
    assert.equal(story.verdict, "not due");
    assert.deepEqual([story.beforeMs, story.afterMs], [DUE - MINUTE + 1_000, DUE + 1_000]);
    assert.ok(story.schedule.kind === "on" && story.schedule.declared.queue === "q");
  });

  it("do not take today's schedule for one that was changed since", () => {
    const changed = row(3 * MINUTE, "task.changed", { dueMs: DUE + 3 * MINUTE });
    const { story } = tell({ rows: [row(-5, "fire.acked", { task: "other" }), changed] });
    assert.equal(story.schedule.kind, "unknown");
  });

  it("say until when a message may wait, the soonest first", () => {
    const waits = (own: Parameters<typeof anOpenFire>[0], nowMs = DUE + 10) =>
      tell({ rows: OLD, own: { open: { ...WAITING, ...own }, nowMs } }).story.awaited;
    assert.deepEqual(waits({}), { what: "take", untilMs: WAITING.takeByMs, then: "alarm" });
    assert.deepEqual(waits({ expiresMs: DUE + 2_003 }), {
      ...{ what: "take", untilMs: DUE + 2_003, then: "expire" },
    });
    const overdue = waits({ isOverdue: true }, DUE + 3 * MINUTE);
    assert.deepEqual(overdue, { what: "take", untilMs: WAITING.giveUpMs, then: "give up" });
    assert.equal(waits({ state: "taken" })?.what, "ack");
    assert.equal(waits({ state: "acked" })?.what, "finish");
  });

  it("say of an empty journal that nobody has ever led, unless something was decided", () => {
    const own = { nowMs: DUE + 60_000, leader: null };
    assert.equal(tell({ rows: [], own: { ...own, cursor: null } }).story.leading.kind, "never");
    assert.equal(tell({ rows: [], own }).story.leading.kind, "unknown");
  });

  it("see a clock of Redis that was set back", () => {
    const own = { cursor: { dueMs: DUE + 3_600_000, revision: "r.r" }, nowMs: DUE };
    assert.equal(tell({ rows: OLD, own }).story.clockBehindMs, 3_600_000);
  });
});
