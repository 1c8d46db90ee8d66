import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { auditOf } from "../../src/audit/audit.ts";
import type { Report } from "../../src/audit/close.ts";
import type { Finding } from "../../src/audit/findings.ts";
import type { AuditOptions } from "../../src/audit/ledger.ts";
import { noteOutside, sightingOf } from "../../src/audit/outside.ts";
import { snapshotOf } from "../../src/audit/snapshot.ts";
import { celeryTaskId } from "../../src/celery/ids.ts";
import { definitionOf } from "../../src/core/reconcile.ts";
import type { JournalRow } from "../../src/event.ts";
import type { Task } from "../../src/task.ts";
import { revisionOf } from "../../src/task.ts";
import { WHOLE } from "../support/audited.ts";
import { aTask, T0 } from "../support/build.ts";

const MINUTE = 60_000;
const EACH = aTask({ name: "each", trigger: { kind: "every", everyMs: MINUTE, phaseMs: 0 } });

describe("auditOf()", () => {
  it("does not call it clean that there is no row at all", () => {
    const { findings } = audited([], {}, at(5));
    assert.deepEqual(findings.map(({ kind }) => kind), ["history"]);
    assert.match(findings[0]!.text, /^there is no row: .*namespace/);
  });

  it("counts what was due in the window, from what was declared before it", () => {
    const rows = [started(), known(EACH), ...fires([1, 2, 3, 4, 5])];
    const report = audited(rows, { sinceMs: at(2), untilMs: at(4) }, at(5.5));
    const { planned, published, acked, missed, waiting } = report.sum;
    assert.deepEqual([planned, published, acked, missed, waiting], [2, 2, 2, 0, 0]);
    assert.deepEqual(report.findings, []);
  });

  it("names the times of what was missed, and counts years of it without walking them", () => {
    const every = { kind: "every", everyMs: 1_000, phaseMs: 0 } as const;
    const rows = [started(), known(aTask({ name: "each", trigger: every }))];
    const [missed] = audited(rows, {}, T0 + 10 * 365 * 86_400_000).findings;
    assert.equal(missed?.kind, "missed");
    assert.equal(missed.count, 10 * 365 * 86_400 - 1);
    assert.deepEqual(missed.times.slice(0, 2), [T0 + 1_000, T0 + 2_000]);
    assert.equal(missed.times.length, 20);
  });

  it("takes what came due after the last row for waiting, within the tolerance", () => {
    const rows = [started(), known(EACH), ...fires([1])];
    assert.equal(audited(rows, {}, at(2) + 500).sum.waiting, 1);
    const { sum, findings } = audited(rows, {}, at(2) + 1_500);
    assert.deepEqual([sum.waiting, sum.missed, findings[0]?.fromMs], [0, 1, at(2)]);
  });

  it("lets a changed or retired task explain what it took out, unless its leader was at work", () => {
    const slow = { ...EACH, trigger: { kind: "every", everyMs: 5 * MINUTE, phaseMs: 0 } } as const;
    const changed = row("task.changed", { dueMs: at(4.5), detail: declared(slow) }, at(4.5));
    const dark = [
      started(),
      known(EACH),
      ...fires([1]),
      started(at(4.5) - 1, 2),
      inTerm(2, changed),
    ];
    const { sum, findings } = audited(dark, {}, at(4.9));
    assert.deepEqual([...sum.skipped], [["schedule: the trigger was changed", 3]]);
    assert.deepEqual(findings, []);

    const other = aTask({ ...EACH, name: "other" });
    const worked = [
      started(),
      known(EACH),
      known(other),
      ...fires([1]),
      ...fires([1, 2, 3, 4], other),
    ];
    const retired = row("task.retired", { dueMs: null }, at(4.5));
    const report = audited([...worked, retired], {}, at(4.9));
    assert.deepEqual(report.findings.map(({ kind, times }) => [kind, times]), [
      ["missed", [at(2), at(3)]],
    ]);
    assert.deepEqual([...report.sum.skipped], [["schedule: the task was retired", 1]]);
  });

  it("explains what was decided anew after rows were lost", () => {
    const detail = { owner: "b", fromId: `${at(1.5)}-0`, toId: `${at(3.5)}-0` };
    const told = inTerm(2, row("term.history_shortened", { task: "", dueMs: null, detail }, at(6)));
    const anew = [2, 3].flatMap((minute) =>
      fireOf(EACH, at(minute), at(6)).map((each) => inTerm(2, each))
    );
    const rows = [started(), known(EACH), ...fires([1]), started(at(6), 2), told, ...anew];
    const { sum, findings } = audited(rows, { untilMs: at(4) }, at(6.5));
    assert.deepEqual(findings.map(({ kind }) => kind), ["history"]);
    assert.deepEqual([sum.published, sum.redone, sum.late, sum.duplicate], [3, 2, 0, 0]);
  });

  it("lets lost history explain the next declaration of a task, and none after that", () => {
    const detail = { owner: "b", reason: "Beat's keys are of another history" };
    const lost = inTerm(2, row("term.history_lost", { task: "", dueMs: null, detail }, at(3.5)));
    const anew = (minute: number) =>
      inTerm(2, row("task.known", { dueMs: at(minute), detail: declared(EACH) }, at(minute)));
    const rows = [started(), known(EACH), ...fires([1]), started(at(3.5), 2), lost, anew(3.6)];
    const once = audited(rows, {}, at(3.9));
    assert.deepEqual([...once.sum.skipped], [["schedule: history was lost", 2]]);
    assert.deepEqual(once.findings.map(({ kind }) => kind), ["history"]);
    const { sum, findings } = audited([...rows, anew(5.5)], {}, at(5.9));
    assert.deepEqual([sum.missed, sum.refused], [2, 1]);
    assert.match(findings.map(({ text }) => text).join(), /the task was declared already/);
  });

  it("takes several cuts that one term tells, each once", () => {
    const cut = (from: number, to: number) => {
      const detail = { owner: "b", fromId: `${at(from)}-0`, toId: `${at(to)}-0` };
      const own = { task: "", dueMs: null, detail };
      return inTerm(2, row("term.history_shortened", own, at(6)));
    };
    const anew = fireOf(EACH, at(5), at(6)).map((each) => inTerm(2, each));
    // Somebody led between them, and has decided anew what the first took.
    const stayed = [started(), known(EACH), ...fires([1, 2, 3, 4]), started(at(6), 2)];
    const rowsOf = (...cuts: JournalRow[]) => [...stayed, ...cuts, ...anew];
    const two = [cut(1.5, 2.5), cut(4.5, 5.5)];
    const { sum, findings } = audited(rowsOf(...two), { untilMs: at(6) }, at(6.5));
    assert.deepEqual(findings.map(({ kind }) => kind), ["history", "history"]);
    assert.deepEqual([sum.published, sum.redone, sum.late, sum.duplicate], [5, 1, 0, 0]);
    const again = audited(rowsOf(...two, cut(4.5, 5.5)), {}, at(6.5));
    assert.match(again.findings.map(({ text }) => text).join(), /its term had told it before/);
  });

  it("explains what a second cut took of what was decided anew after the first", () => {
    const cut = (fence: number, from: number, to: number, atMs: number) => {
      const detail = { owner: "b", fromId: `${at(from)}-0`, toId: `${at(to)}-0` };
      return inTerm(fence, row("term.history_shortened", { task: "", dueMs: null, detail }, atMs));
    };
    const anew = (fence: number, minute: number, atMs: number) =>
      fireOf(EACH, at(minute), atMs).map((each) => inTerm(fence, each));
    const first = [started(at(6), 2), cut(2, 1.5, 5.5, at(6)), ...anew(2, 2, at(6))];
    const lost = [3, 4, 5].flatMap((minute) => anew(3, minute, at(7)));
    const second = [started(at(7), 3), cut(3, 6.1, 6.5, at(7)), ...lost];
    const rows = [started(), known(EACH), ...fires([1]), ...first, ...second];
    const { sum, findings } = audited(rows, { untilMs: at(6) }, at(7.5));
    assert.deepEqual(findings.map(({ kind }) => kind), ["history"]);
    assert.deepEqual([sum.published, sum.redone, sum.late], [5, 4, 0]);
  });

  it("finds a fire stuck that should have been taken, expired or given up", () => {
    for (
      const [own, minutes] of [
        [{ takeByMs: MINUTE }, 1],
        [{ takeByMs: 60 * MINUTE, expiresMs: 10 * MINUTE }, 10],
        [{ takeByMs: 60 * MINUTE, giveUpMs: 30 * MINUTE }, 30],
      ] as const
    ) {
      const once = { kind: "at", atMs: at(1) } as const;
      const task = aTask({ name: "each", trigger: once, ...own });
      const rows = [started(), known(task), published(task, at(1))];
      const after = (ms: number) => audited(rows, {}, at(1 + minutes + 5) + ms).findings;
      assert.deepEqual(after(0), []);
      assert.deepEqual(after(10).map(({ kind }) => kind), ["stuck"]);
    }
  });

  it("waits for what a policy holds, and for what comes after it", () => {
    const until = { untilMs: at(30), by: "window", reason: "off-peak" };
    const held = row("fire.delayed", { dueMs: at(1), detail: until }, at(1));
    const { sum, findings } = audited([started(), known(EACH), held], {}, at(3.5));
    assert.deepEqual([sum.waiting, findings.length], [3, 0]);
    const skip = row(
      "fire.skipped",
      { dueMs: at(1), detail: { by: "window", reason: "over" } },
      at(4),
    );
    const rows = [started(), known(EACH), held, skip, ...fires([2, 3, 4], EACH, at(4))];
    const later = audited(rows, { toleranceMs: 5 * MINUTE }, at(4.5));
    assert.deepEqual([...later.sum.skipped], [["window: over", 1]]);
    assert.deepEqual(later.findings, []);
  });

  it("counts skips by overlap together, although each names another fire", () => {
    const skips = [1, 2, 3].map((minute) => {
      const detail = { by: "overlap", reason: `each@${at(minute - 1)} has not ended` };
      return row("fire.skipped", { dueMs: at(minute), detail }, at(minute));
    });
    const { sum } = audited([started(), known(EACH), ...skips], {}, at(3.5));
    assert.deepEqual([...sum.skipped], [["overlap: an earlier fire has not ended", 3]]);
  });

  it("counts lateness from when a policy lets go, also of what waited behind a held fire", () => {
    const held = (own: Record<string, unknown>) =>
      row("fire.delayed", { dueMs: at(1), detail: { reason: "x", ...own } }, at(1) + 1);
    const out = (minute: number, atMs: number, notBeforeMs?: number) =>
      row("fire.published", {
        dueMs: at(minute),
        detail: notBeforeMs === undefined ? {} : { notBeforeMs },
      }, atMs);
    const late = (...rows: JournalRow[]) => {
      const { sum, findings } = audited([started(), known(EACH), ...rows], {}, at(9));
      const times = findings.filter(({ kind }) => kind === "late").map(({ fromMs }) => fromMs);
      return [times, sum.onTime];
    };
    const timed = held({ by: "window", untilMs: at(6) });
    const waits = held({ by: "overlap", cause: "each@1", untilMs: null });
    const behind = (atMs: number) => [2, 3, 4].map((minute) => out(minute, atMs));
    // The one that was held waited for an instant; those after it followed at once.
    assert.deepEqual(late(timed, out(1, at(6), at(6)), ...behind(at(6) + 3)), [[], 4]);
    // It waited for another fire to end, which nothing but its publish dates.
    assert.deepEqual(late(waits, out(1, at(5), at(1) + 1), ...behind(at(5) + 3)), [[], 4]);
    // The leader came late to the window, or superseded what was held.
    const [times] = late(timed, out(1, at(7), at(6)), ...behind(at(7)));
    assert.deepEqual(times, [at(1), at(2), at(3), at(4)]);
    const over = { by: "catchup", reason: "superseded" };
    const skip = row("fire.skipped", { dueMs: at(1), detail: over }, at(5));
    assert.deepEqual(late(timed, skip, out(2, at(5)))[0], [at(2)]);
  });

  it("takes new attempts and what somebody asked for as they are", () => {
    const wanted = [...fireOf(aTask({ name: "each+r7" }), at(1) + 7, at(2) + 7)];
    const again = fireOf(EACH, at(1), at(2) + 100).map((each) =>
      each.type === "fire.published" ? { ...each, detail: { attempt: 1 } } : each
    );
    const rows = [started(), known(EACH), ...fires([1, 2]), ...wanted, ...again];
    const { sum, findings } = audited(rows, {}, at(2.5));
    assert.deepEqual([sum.planned, sum.published, sum.anew, sum.acked], [2, 2, 2, 4]);
    assert.deepEqual(findings, []);
  });

  it("says what it cannot know of a journal whose beginning is gone", () => {
    const rows = [started(), known(EACH), ...fires([1, 2, 3])].slice(3);
    const report = audited(rows, { isTrimmed: true }, at(3.5));
    assert.deepEqual([report.isCut, report.isCovered], [true, false]);
    const [{ kind, rowId, text }, ...others] = report.findings as [Finding, ...Finding[]];
    assert.deepEqual([kind, rowId, others], ["history", report.firstId, []]);
    assert.match(text, /rows before this one are gone/);
    assert.ok(report.undeclared > 0);
    const whole = audited([started(), ...fires([1])], {}, at(1.5));
    assert.match(whole.findings[0]!.text, /no row declares its task/);
  });

  it("takes a late ack under a trigger from before a snapshot as it is", () => {
    const slow = { ...EACH, trigger: { kind: "every", everyMs: 7 * MINUTE, phaseMs: 0 } } as const;
    const changed = row("task.changed", { dueMs: at(1.5), detail: declared(slow) }, at(1.5));
    const late = (minute: number) =>
      row("fire.late_ack", { dueMs: at(minute), detail: { by: "result" } }, at(3));
    const orphans = (before: readonly JournalRow[], ...rows: readonly JournalRow[]) => {
      const first = auditOf(WHOLE);
      for (const each of before) first.take(each);
      const audit = auditOf(WHOLE, before.length === 0 ? null : snapshotOf(first.ledger));
      for (const each of rows) audit.take(each);
      return audit.close(at(3)).counts.get("orphan") ?? 0;
    };
    const rows = [started(), known(EACH), ...fires([1]), changed];
    assert.deepEqual([orphans([], ...rows, late(1)), orphans(rows, late(1))], [0, 0]);
    assert.deepEqual([orphans([], ...rows, late(2)), orphans(rows, late(2))], [1, 1]);
  });

  it("audits some tasks alone", () => {
    const other = aTask({ ...EACH, name: "other" });
    const rows = [started(), known(EACH), known(other), ...fires([1, 2])];
    const report = audited(rows, { tasks: new Set(["each"]) }, at(2.5));
    assert.deepEqual([[...report.tasks.keys()], report.findings], [["each"], []]);
  });
});

describe("noteOutside()", () => {
  function seen(openId: string, before: readonly JournalRow[], after: readonly JournalRow[]) {
    const taskId = celeryTaskId("beat", openId);
    const message = { taskId, deliveryTag: "", publishedMs: null, expiresMs: null };
    const bytes = JSON.stringify({ headers: { "x-beat-fire-id": openId, retries: 0 } });
    const sample = { depth: 1, oldest: [{ ...message, isRedelivered: false, bytes }] };
    const sighting = sightingOf(["q"], [sample], at(9));
    const first = auditOf(WHOLE);
    for (const each of before) first.take(each);
    const seed = before.length === 0 ? null : snapshotOf(first.ledger);
    const audit = auditOf({ ...WHOLE, sights: sighting.sights }, seed);
    for (const each of after) audit.take(each);
    noteOutside(audit.ledger, sighting, "beat");
    return audit.close(at(2.5));
  }

  it("counts a message without a row for the task that somebody asked it for", () => {
    const { sum, tasks } = seen(`each+r7@${at(1) + 7}`, [], [
      started(),
      known(EACH),
      ...fires([1]),
    ]);
    assert.deepEqual([sum.orphan, tasks.get("each")?.orphan], [1, 1]);
  });

  it("looks for no row of a message that was given up before a snapshot", () => {
    const expired = row("fire.expired", {
      dueMs: at(1),
      detail: { reason: "unacknowledged", by: "beat" },
    }, at(1.5));
    const given = [started(), known(EACH), published(EACH, at(1)), expired];
    const orphans = (...args: Parameters<typeof seen>) => seen(...args).counts.get("orphan") ?? 0;
    assert.equal(orphans(`each@${at(1)}`, [], [...given, ...fires([2])]), 0);
    assert.equal(orphans(`each@${at(1)}`, given, fires([2])), 0);
    assert.equal(orphans(`each@${at(2) + 1}`, given, fires([2])), 1);
  });
});

function audited(rows: readonly JournalRow[], own: Partial<AuditOptions>, nowMs: number): Report {
  const audit = auditOf({ ...WHOLE, isShowingAll: false, ...own });
  for (const each of rows) audit.take(each);
  return audit.close(nowMs);
}

/** So many minutes after the beginning. */
function at(minutes: number): number {
  return T0 + minutes * MINUTE;
}

let sequence = 0;

function row(type: string, own: Partial<JournalRow>, atMs: number): JournalRow {
  const id = `${atMs}-${sequence++}`;
  return {
    id,
    version: 1,
    type,
    task: "each",
    dueMs: T0,
    decidedMs: atMs,
    fence: 1,
    detail: {},
    ...own,
  };
}

function inTerm(fence: number, each: JournalRow): JournalRow {
  return { ...each, fence };
}

function started(atMs = T0, fence = 1): JournalRow {
  const detail = { owner: "a", epoch: "e", build: "b" };
  return row("term.started", { task: "", dueMs: null, fence, detail }, atMs);
}

function declared(task: Task) {
  return { revision: revisionOf(task), definition: definitionOf(task) };
}

/** Its first due time is after the next whole minute. */
function known(task: Task): JournalRow {
  return row("task.known", { task: task.name, dueMs: T0 + 1, detail: declared(task) }, T0 + 1);
}

function published({ name }: Pick<Task, "name">, dueMs: number, atMs = dueMs): JournalRow {
  return row("fire.published", { task: name, dueMs }, atMs);
}

function fireOf({ name }: Pick<Task, "name">, dueMs: number, atMs = dueMs): JournalRow[] {
  const own = { task: name, dueMs };
  return [
    published({ name }, dueMs, atMs),
    row("fire.acked", { ...own, detail: { by: "result" } }, atMs + 20),
    row("fire.finished", { ...own, detail: { outcome: "success" } }, atMs + 20),
  ];
}

function fires(minutes: readonly number[], task: Task = EACH, atMs?: number): JournalRow[] {
  return minutes.flatMap((minute) => fireOf(task, at(minute), atMs ?? at(minute)));
}
