/** The oracle finds what is planted: one that finds nothing proves nothing. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Run } from "../support/celery_worker.ts";
import type { Remains } from "./judge.ts";
import { judge } from "./judge.ts";
import type { Ledger } from "./ledger.ts";
import { newLedger } from "./ledger.ts";
import type { Command, Group } from "./tap.ts";

const ENTRY = {
  ...{ name: "a", queue: "q", yaml: "", rate: 1 },
  dueTimes: (afterMs: number, untilMs: number) =>
    [1_000, 2_000, 3_000].filter((dueMs) => dueMs > afterMs && dueMs <= untilMs),
};

interface Fire {
  readonly dueMs: number;
  /** Of the row. */
  readonly atMs?: number;
  readonly fence?: number;
  readonly celeryId?: string;
  readonly hasMessage?: boolean;
  readonly hasRow?: boolean;
}

/** What Redis would say of one publish: message, row and cursor in one step. */
function groupOf(fire: Fire): Group {
  const { dueMs, atMs = dueMs, fence = 1, hasMessage = true, hasRow = true } = fire;
  const { celeryId = `id${dueMs}` } = fire;
  const headers = { "id": celeryId, "x-beat-fire-id": `a@${dueMs}` };
  const row = ["v", "1", "t", "p", "k", "a", "d", `${dueMs}`, "m", "0", "f", `${fence}`, "p", ""];
  return [
    ...(hasMessage ? [["LPUSH", "q", JSON.stringify({ headers, properties: {} })]] : []),
    ...(hasRow ? [["XADD", "beat:journal", `${atMs}-0`, ...row]] : []),
    ["HSET", "beat:cursors", "a", `${dueMs} r`],
  ];
}

/** A worker gives a message back: its connection broke before it was done. */
function returned(dueMs: number): Command {
  const headers = { "id": `id${dueMs}`, "x-beat-fire-id": `a@${dueMs}`, "redelivered": true };
  return ["RPUSH", "q", JSON.stringify({ headers, properties: {} })];
}

const KNOWN: Group = [[
  ...["XADD", "beat:journal", "500-0", "v", "1", "t", "task.known", "k", "a"],
  ...["d", "500", "m", "0", "f", "1", "p", "{}"],
]];

function runOf(dueMs: number, more: Partial<Run> = {}): Run {
  return {
    ...{ id: `id${dueMs}`, name: "check.echo", fire_id: `a@${dueMs}`, due: null, entry: "a" },
    ...{ received: dueMs / 1_000 + 0.1, pid: 1, retries: 0, redelivered: false },
    ...more,
  };
}

function heard(...groups: readonly Group[]): Ledger {
  const ledger = newLedger();
  for (const group of [KNOWN, ...groups]) ledger.take(group);
  return ledger;
}

const ALL: readonly Fire[] = [{ dueMs: 1_000 }, { dueMs: 2_000 }, { dueMs: 3_000 }];
const REMAINS: Remains = {
  fires: [1_000, 2_000, 3_000].map((dueMs) => ({
    ...{ fire: `a@${dueMs}`, rowId: `${dueMs}-0`, fence: 1 },
  })),
  ...{ queued: [], unacked: [], dropped: [], terms: [{ fence: 1, owner: "one" }] },
  runs: [runOf(1_000), runOf(2_000), runOf(3_000)],
};

function found(ledger: Ledger, remains: Partial<Remains> = {}): string[] {
  const { wrong } = judge({
    ...{ entries: [ENTRY], ledger, endMs: 10_000 },
    remains: { ...REMAINS, ...remains },
  });
  return wrong.map(({ measure }) => measure);
}

describe("the oracle", () => {
  it("finds nothing where all is well", () => {
    assert.deepEqual(found(heard(...ALL.map(groupOf))), []);
  });

  it("finds a due time that nobody decided, and one that was let go", () => {
    const ledger = heard(...ALL.slice(0, 2).map(groupOf));
    const remains = { fires: REMAINS.fires.slice(0, 2), runs: REMAINS.runs.slice(0, 2) };
    assert.deepEqual(found(ledger, remains), ["lost"]);
    assert.deepEqual(found(heard(...ALL.map(groupOf)), { dropped: ["a task.dropped"] }), ["lost"]);
  });

  it("finds a fire that was published twice in one history", () => {
    const twice = heard(...ALL.map(groupOf), groupOf({ dueMs: 3_000, atMs: 4_000 }));
    assert.deepEqual(found(twice), ["out of order", "doubled", "vanished"]);
    const both = [...REMAINS.fires, { fire: "a@3000", rowId: "4000-0", fence: 1 }];
    assert.ok(found(heard(...ALL.map(groupOf)), { fires: both }).includes("doubled"));
  });

  it("lets a rollback explain a copy, and only with the same id", () => {
    const again = (celeryId: string) => {
      const ledger = heard(...ALL.map(groupOf));
      ledger.takeOver("fail over", { lastId: "2000-0", lastFence: 1, beaconMs: 2_000 });
      ledger.take(groupOf({ dueMs: 3_000, atMs: 4_000, celeryId }));
      return ledger;
    };
    const fires = [...REMAINS.fires.slice(0, 2), { ...REMAINS.fires[2]!, rowId: "4000-0" }];
    assert.deepEqual(found(again("id3000"), { fires }), []);
    assert.deepEqual(found(again("other"), { fires }), ["unexplained"]);
  });

  it("finds what a rollback took and nobody published again", () => {
    const ledger = heard(...ALL.map(groupOf));
    ledger.takeOver("fail over", { lastId: "2000-0", lastFence: 1, beaconMs: 2_000 });
    assert.deepEqual(found(ledger, { fires: REMAINS.fires.slice(0, 2) }), ["lost"]);
  });

  it("finds a row that is gone without a rollback", () => {
    const fires = REMAINS.fires.slice(0, 2);
    assert.deepEqual(found(heard(...ALL.map(groupOf)), { fires }), ["lost", "vanished"]);
  });

  it("finds fires that are early, and fires that nobody owes", () => {
    const early = heard(...ALL.slice(0, 2).map(groupOf), groupOf({ dueMs: 3_000, atMs: 2_999 }));
    const fires = [...REMAINS.fires.slice(0, 2), { ...REMAINS.fires[2]!, rowId: "2999-0" }];
    assert.deepEqual(found(early, { fires }), ["early"]);
    const stray = heard(...ALL.map(groupOf), groupOf({ dueMs: 3_500 }));
    const more = [...REMAINS.fires, { fire: "a@3500", rowId: "3500-0", fence: 1 }];
    assert.deepEqual(found(stray, { fires: more }), ["not on the list"]);
    const runs = [runOf(1_000, { received: 0.9 }), runOf(2_000), runOf(3_000)];
    assert.deepEqual(found(heard(...ALL.map(groupOf)), { runs }), ["early"]);
  });

  it("finds a message without its record, and a record without its message or cursor", () => {
    const [first, second] = ALL.map(groupOf) as [Group, Group, Group];
    const noRow = heard(first, second, groupOf({ dueMs: 3_000, hasRow: false }));
    assert.ok(found(noRow).includes("message without record"));
    const noMessage = heard(first, second, groupOf({ dueMs: 3_000, hasMessage: false }));
    assert.ok(found(noMessage).includes("record without message"));
    const noCursor = heard(first, second, groupOf({ dueMs: 3_000 }).slice(0, 2));
    assert.ok(found(noCursor).includes("record without message"));
    const queued = [{ fire: "a@9000", isReturned: false }];
    assert.deepEqual(found(heard(...ALL.map(groupOf)), { queued }), ["message without record"]);
  });

  it("finds a row of an old fence after one of a newer, and a start anew", () => {
    const [first] = ALL.map(groupOf) as [Group, Group, Group];
    const old = heard(first, groupOf({ dueMs: 2_000, fence: 2 }), groupOf({ dueMs: 3_000 }));
    assert.deepEqual(found(old), ["old fence"]);
    const terms = [...REMAINS.terms, { fence: 1, owner: "two" }];
    assert.deepEqual(found(heard(...ALL.map(groupOf)), { terms }), ["old fence"]);
    assert.deepEqual(found(heard(KNOWN, ...ALL.map(groupOf))), ["started anew"]);
  });

  it("tells Celery's second delivery from a second message", () => {
    const ledger = heard(...ALL.map(groupOf));
    const again = (more: Partial<Run>) => ({ runs: [...REMAINS.runs, runOf(3_000, more)] });
    assert.deepEqual(found(ledger, again({ redelivered: true })), []);
    assert.deepEqual(found(ledger, again({})), ["doubled"]);
    const givenBack = heard(...ALL.map(groupOf), [returned(3_000)]);
    assert.deepEqual(found(givenBack, again({})), []);
    const twice = { runs: [...again({}).runs, runOf(3_000)] };
    assert.deepEqual(found(givenBack, twice), ["doubled"]);
    const late = again({ received: Date.now() / 1_000 + 1 });
    const surviving = { lastId: "3000-0", lastFence: 1 };
    ledger.take([["SET", "chaos:beacon", "4000"]]);
    ledger.takeOver("crash", { ...surviving, beaconMs: 4_000 });
    assert.deepEqual(found(ledger, late), ["doubled"]);
    ledger.takeOver("crash", { ...surviving, beaconMs: 3_000 });
    assert.deepEqual(found(ledger, late), []);
    assert.ok(found(ledger, again({ id: "other", redelivered: true })).includes("unexplained"));
  });

  it("lets a torn file give back what was taken since the last beacon", () => {
    const late = { runs: [...REMAINS.runs, runOf(3_000, { received: Date.now() / 1_000 + 1 })] };
    const crashed = (isTorn: boolean) => {
      const ledger = heard(...ALL.map(groupOf), [["SET", "chaos:beacon", "3000"]]);
      ledger.takeOver("crash", { lastId: "3000-0", lastFence: 1, beaconMs: 3_000, isTorn });
      return ledger;
    };
    assert.deepEqual(found(crashed(false), late), ["doubled"]);
    assert.deepEqual(found(crashed(true), late), []);
  });
});
