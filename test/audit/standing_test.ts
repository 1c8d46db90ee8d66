import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { auditOf } from "../../src/audit/audit.ts";
import { snapshotOf, standingIn } from "../../src/audit/snapshot.ts";
import { checksumOf, snapshotReader } from "../../src/audit/snapshot_parts.ts";
import { standingOf } from "../../src/audit/standing.ts";
import { verify } from "../../src/audit/verify.ts";
import { definitionOf } from "../../src/core/reconcile.ts";
import { ALL_TASKS, encodeNote, levelCursor, pauseCursor } from "../../src/cursor.ts";
import type { JournalRow } from "../../src/event.ts";
import { revisionOf } from "../../src/task.ts";
import { WHOLE } from "../support/audited.ts";
import { aTask, T0 } from "../support/build.ts";

const ORDER = { request: "r", who: "ada", note: "a move" };
const PAUSED = [
  aRow({ type: "term.started", task: "", detail: { owner: "o", epoch: "e", build: "b" } }),
  aRow({ type: "control.paused", task: "", detail: ORDER }),
  aRow({ type: "control.paused", detail: ORDER }),
  aRow({ type: "control.resumed", decidedMs: T0 + 9, detail: { ...ORDER, sinceMs: T0 } }),
  aRow({ type: "level.changed", task: "", detail: aLevel("slowed") }),
];

describe("what stands beside the fires", () => {
  it("has a cursor that no attempt moves, nor a fire that somebody asked for", () => {
    const standing = standingOf();
    const declared = { type: "task.known", detail: { revision: "a.b", definition: {} } };
    standing.take(aRow({ ...declared, dueMs: T0 }));
    standing.take(aRow({ dueMs: T0 + 5 }));
    standing.take(aRow({ dueMs: T0 + 1, detail: { attempt: 1 } }));
    standing.take(aRow({ task: "check.echo+r7", dueMs: T0 + 9 }));
    assert.deepEqual([...standing.cursors], [["check.echo", { dueMs: T0 + 5, revision: "a.b" }]]);
    standing.take(aRow({ type: "task.retired", dueMs: null }));
    assert.equal(standing.cursors.size, 0);
  });

  it("has skips that go on, until something else happens to the task or a term begins", () => {
    const standing = standingOf();
    const skip = aRow({ type: "fire.skipped", detail: { by: "pause", reason: "why" } });
    const going = { by: "pause", reason: "why", toMs: T0, writtenMs: T0 };
    const runs = (row: JournalRow) => {
      standing.take(row);
      return [...standing.runs];
    };
    assert.deepEqual(runs(skip), [["check.echo", going]]);
    assert.deepEqual(runs(aRow({ type: "fire.acked" })), [["check.echo", going]]);
    assert.deepEqual(runs(aRow({})), []);
    assert.deepEqual(runs(skip), [["check.echo", going]]);
    assert.deepEqual(runs(aRow({ type: "term.started", task: "", detail: { owner: "o" } })), []);
    assert.equal(standing.term?.owner, "o");
  });
});

describe("a snapshot", () => {
  it("knows pauses, those that are over as well, levels and the term", () => {
    const { ledger } = audited(PAUSED);
    const state = JSON.parse(JSON.stringify(snapshotOf(ledger)));
    const { notes, term } = standingIn(state);
    const order = { who: "ada", note: "a move" };
    assert.deepEqual(
      new Map(notes),
      new Map([
        [levelCursor("queue:one"), { dueMs: T0, revision: "slowed" }],
        [pauseCursor(ALL_TASKS), aPause(encodeNote({ ...order, untilMs: null }))],
        [pauseCursor("check.echo"), aPause(encodeNote({ ...order, untilMs: T0 + 9 }))],
      ]),
    );
    assert.equal(term?.owner, "o");
    const gone = aRow({ type: "level.changed", task: "", detail: aLevel("normal") });
    assert.deepEqual(snapshotOf(audited([...PAUSED, gone]).ledger).levels, []);
  });

  it("is read in the form that knew neither, and is not taken for more than it is", () => {
    const { pauses: _p, runs: _r, term: _t, isStandingKnown: _i, ...rest } = snapshotOf(
      audited(PAUSED).ledger,
    );
    const state = { ...rest, format: 1, levels: [] };
    const head = { cutId: `${T0}-1`, rows: 5 };
    const checksum = checksumOf({ ...head, state });
    const detail = { ...head, checksum, state };
    const known = snapshotReader({ revision: checksum, dueMs: T0 })
      .take(aRow({ type: "journal.snapshot", task: "", detail }));
    assert.ok(known !== null && typeof known !== "string", String(known));
    const after = auditOf(WHOLE, known.state);
    assert.equal(snapshotOf(after.ledger).isStandingKnown, false);
    verify(after.ledger, { cursors: new Map([[pauseCursor("*"), aPause("x/")]]), open: [] });
    assert.deepEqual(after.close(T0).counts.get("differs") ?? 0, 0);
  });
});

describe("audit --verify", () => {
  it("finds a pause or a level that is another in Redis than in the journal", () => {
    const { ledger } = audited(PAUSED);
    const same = new Map(ledger.standing.notes);
    const differences = (cursors: Map<string, { dueMs: number; revision: string }>) => {
      const audit = audited(PAUSED);
      verify(audit.ledger, { cursors, open: [] });
      return audit.close(T0).findings.filter(({ kind }) => kind === "differs")
        .map(({ text }) => text);
    };
    assert.deepEqual(differences(same), []);
    const normal = { dueMs: T0, revision: "normal" };
    assert.deepEqual(differences(new Map([...same, [levelCursor("queue:two"), normal]])), []);
    const lost = new Map(same);
    lost.delete(pauseCursor(ALL_TASKS));
    assert.match(differences(lost).join(), /^pause:\* is ".*ada.*" by the journal, and "none"/);
    const forged = new Map([...same, [levelCursor("queue:one"), normal]]);
    assert.match(differences(forged).join(), /^level:queue:one is ".*slowed" by the journal/);
  });

  it("of some tasks alone leaves out what a snapshot has of others", () => {
    const [started] = PAUSED as [JournalRow];
    const task = aTask({ name: "check.echo" });
    const detail = { revision: revisionOf(task), definition: definitionOf(task) };
    const known = aRow({ type: "task.known", dueMs: T0 - 1, detail });
    const seed = snapshotOf(audited([started, known, aRow({})]).ledger);
    assert.equal(seed.fires.length, 1);
    const cursors = new Map([["check.echo", { dueMs: T0, revision: revisionOf(task) }]]);
    const differences = (task: string) => {
      const audit = auditOf({ ...WHOLE, tasks: new Set([task]) }, seed);
      audit.take(aRow({ type: "fire.acked", id: `${T0}-9`, detail: { by: "result" } }));
      audit.take(aRow({ type: "fire.finished", id: `${T0}-10`, detail: { outcome: "success" } }));
      verify(audit.ledger, { cursors, open: [] });
      return audit.close(T0).counts.get("differs") ?? 0;
    };
    assert.deepEqual(["check.echo", "other"].map(differences), [0, 0]);
  });
});

function audited(rows: readonly JournalRow[]) {
  const audit = auditOf(WHOLE);
  rows.forEach((row, index) => audit.take({ ...row, id: `${T0}-${index}` }));
  return audit;
}

function aPause(revision: string) {
  return { dueMs: T0, revision };
}

function aLevel(to: string) {
  return { key: "queue:one", from: "normal", to, reason: "drawn" };
}

function aRow(own: Partial<JournalRow>): JournalRow {
  return {
    ...{ id: `${T0}-0`, version: 1, type: "fire.published", task: "check.echo", dueMs: T0 },
    ...{ decidedMs: T0, fence: 1, detail: {} },
    ...own,
  };
}
