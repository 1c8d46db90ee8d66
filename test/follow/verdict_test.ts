import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Evidence, Notes } from "../../src/follow/evidence.ts";
import { newNotes } from "../../src/follow/evidence.ts";
import { judge } from "../../src/follow/verdict.ts";
import type { OpenFire } from "../../src/open_fire.ts";
import { decodeOpen, encodeOpen, openKey } from "../../src/open_fire.ts";
import type { TaskResult } from "../../src/sensors.ts";
import { anOpenFire, T0 } from "../support/build.ts";

const SECOND = 1_000;
const HOUR = 3_600_000;

/** A look that finds nothing anywhere. */
const NOWHERE: Evidence = {
  position: { kind: "left" },
  reserved: "none",
  result: null,
  isWorkerGone: false,
};
const BEHIND: Evidence = { ...NOWHERE, position: { kind: "behind" } };
const HELD: Evidence = { ...NOWHERE, reserved: "first" };

function aResult(status: string, own: Partial<TaskResult> = {}): TaskResult {
  return { status, doneMs: T0 + SECOND, revokedAs: null, worker: null, ...own };
}

interface Case {
  readonly open?: Partial<OpenFire>;
  readonly notes?: Partial<Notes>;
  readonly look?: Evidence;
  /** After the publish. Milliseconds. */
  readonly afterMs?: number;
  readonly isOutcomeStored?: boolean;
}

/** The rows, and the state that they leave. */
function say({ open: own, notes, look = NOWHERE, afterMs = 5 * SECOND, ...rest }: Case): string {
  const rules = { nowMs: T0 + afterMs, isOutcomeStored: rest.isOutcomeStored ?? true };
  const { settlement } = judge(
    anOpenFire(own),
    { ...newNotes(anOpenFire(own)), ...notes },
    look,
    rules,
  );
  if (settlement === null) return "nothing";
  const rows = settlement.rows.map(({ type, detail }) => {
    const { reason, by, outcome } = detail as Record<string, string | undefined>;
    return [type.slice("fire.".length), reason, by, outcome].filter(Boolean).join(" ");
  });
  return [...rows, settlement.next?.state ?? "closed"].join(", ");
}

const gone = { goneMs: T0 + 4 * SECOND };
const ended = { end: { outcome: "success", isExpired: false, runtimeMs: 3 } } as const;

const CASES: readonly (readonly [name: string, expected: string, given: Case])[] = [
  ["one look is no ack", "nothing", {}],
  ["two looks are", "acked broker, acked", { notes: gone }],
  ["not while results cannot be read", "nothing", {
    notes: gone,
    look: { ...NOWHERE, result: "unread" },
  }],
  ["a worker's word needs no result", "acked event, finished success, closed", {
    notes: ended,
    look: { ...NOWHERE, result: "unread" },
  }],
  ["a result is stronger than a word", "acked result, finished failure, closed", {
    notes: ended,
    look: { ...NOWHERE, result: aResult("FAILURE") },
  }],
  ["a result from before the publish", "nothing", {
    look: { ...NOWHERE, result: aResult("SUCCESS", { doneMs: T0 - 1_001 }) },
  }],
  ["a result from before the publish, acked for less long", "nothing", {
    open: { state: "acked" },
    notes: { ackedMs: T0 + 1 },
    look: { ...NOWHERE, result: aResult("SUCCESS", { doneMs: T0 - 5_000 }) },
  }],
  ["a result from before the publish, acked for as long", "finished success, closed", {
    open: { state: "acked" },
    notes: { ackedMs: T0 },
    look: { ...NOWHERE, result: aResult("SUCCESS", { doneMs: T0 - 5_000 }) },
  }],
  ["clocks may differ by a second", "acked result, finished success, closed", {
    look: { ...NOWHERE, result: aResult("SUCCESS", { doneMs: T0 - 1_000 }) },
  }],
  ["a final result without a date", "nothing", {
    look: { ...NOWHERE, result: aResult("SUCCESS", { doneMs: null }) },
  }],
  ["expired by a worker", "expired ttl worker, closed", {
    look: { ...NOWHERE, result: aResult("REVOKED", { revokedAs: "expired" }) },
  }],
  ["expired by a worker, acked before", "finished revoked, closed", {
    open: { state: "acked" },
    look: { ...NOWHERE, result: aResult("REVOKED", { revokedAs: "expired" }) },
  }],
  ["revoked by a person", "acked result, finished revoked, closed", {
    look: { ...NOWHERE, result: aResult("REVOKED", { revokedAs: "revoked" }) },
  }],
  ["a retry waits elsewhere", "taken result, taken", {
    notes: gone,
    look: { ...NOWHERE, result: aResult("RETRY", { doneMs: null }) },
  }],
  ["STARTED of a run that was broken off", "nothing", {
    open: { redeliveries: 1 },
    look: { ...NOWHERE, result: aResult("STARTED", { doneMs: null }) },
  }],
  ["reserved, overdue before", "taken unacked, taken", { open: { isOverdue: true }, look: HELD }],
  ["reserved still", "nothing", { open: { state: "taken" }, look: HELD }],
  ["reserved again, as first heard", "redelivered, taken unacked, taken", {
    look: { ...HELD, reserved: "again" },
  }],
  ["reserved again, as known", "nothing", {
    open: { state: "taken", redeliveries: 1 },
    look: { ...HELD, reserved: "again" },
  }],
  ["overdue", "overdue, queued", { look: BEHIND, afterMs: 60 * SECOND }],
  ["overdue only once", "nothing", {
    open: { isOverdue: true },
    look: BEHIND,
    afterMs: HOUR,
  }],
  ["not overdue when it has just left its list", "nothing", { afterMs: 60 * SECOND }],
  ["nobody could read its end", "acked broker, finished unknown, closed", {
    notes: gone,
    isOutcomeStored: false,
  }],
  ["its worker will tell", "acked broker, acked", {
    notes: { ...gone, worker: "w" },
    isOutcomeStored: false,
  }],
  ["its worker is gone", "acked broker, finished lost, closed", {
    notes: { ...gone, worker: "w" },
    look: { ...NOWHERE, isWorkerGone: true },
  }],
  ["its worker is gone, but it waits to be retried", "nothing", {
    open: { state: "acked" },
    notes: { worker: "w", retries: 1, receipts: 1 },
    look: { ...NOWHERE, isWorkerGone: true },
  }],
  ["its worker is gone, but the broker holds it", "nothing", {
    open: { state: "taken" },
    notes: { worker: "w" },
    look: { ...HELD, isWorkerGone: true },
  }],
  ["expired out of reach, first look", "nothing", {
    open: { expiresMs: T0, isOverdue: true },
    look: BEHIND,
    afterMs: HOUR,
  }],
  ["expired out of reach", "expired ttl beat, closed", {
    open: { expiresMs: T0, isOverdue: true },
    notes: { unseenMs: T0 + HOUR - SECOND },
    look: BEHIND,
    afterMs: HOUR,
  }],
  ["expired, but a worker said that it took it", "taken event, taken", {
    open: { expiresMs: T0 },
    notes: { unseenMs: T0, receipts: 1, worker: "w" },
    look: { ...NOWHERE, position: { kind: "unknown" } },
    afterMs: HOUR,
  }],
  ["given up", "expired unacknowledged beat, closed", {
    open: { giveUpMs: T0 + HOUR, state: "taken" },
    look: HELD,
    afterMs: HOUR,
  }],
  ["not given up where it has just left its list", "nothing", {
    open: { giveUpMs: T0 + HOUR },
    afterMs: HOUR,
  }],
  ["not given up unread", "nothing", {
    open: { giveUpMs: T0 + HOUR, state: "taken" },
    look: { ...HELD, result: "unread" },
    afterMs: HOUR,
  }],
  ["too many are awaited", "finished unknown, closed", {
    open: { state: "acked" },
    notes: { isSurplus: true },
  }],
  ["awaited for a day", "finished unknown, closed", {
    open: { state: "acked" },
    notes: { ackedMs: T0 },
    afterMs: 24 * HOUR,
  }],
];

describe("judge()", () => {
  for (const [name, expected, given] of CASES) {
    it(`${name}: ${expected}`, () => assert.equal(say(given), expected));
  }

  it("gives a fire the same time to be taken each time it is given back", () => {
    let open = anOpenFire({ state: "taken", isOverdue: true });
    const message = {
      taskId: "x",
      deliveryTag: "x.1",
      publishedMs: T0,
      expiresMs: null,
      isRedelivered: true,
      bytes: "",
    };
    const look: Evidence = {
      ...NOWHERE,
      position: { kind: "queued", list: open.list, reach: 1, message },
    };
    for (const times of [1, 2, 3]) {
      const nowMs = T0 + times * HOUR;
      const { settlement } = judge(open, newNotes(open), look, { nowMs, isOutcomeStored: true });
      const { state, isOverdue, redeliveries, takeByMs } = settlement!.next!;
      assert.deepEqual({ state, isOverdue, redeliveries, takeByMs }, {
        state: "queued",
        isOverdue: false,
        redeliveries: times,
        takeByMs: nowMs + 60 * SECOND,
      });
      // As the next leader reads it.
      open = { ...decodeOpen(openKey(open), encodeOpen(settlement!.next!)), state: "taken" };
    }
  });
});
