/** Cutting old rows off, as every journal must do it; run against memory and against Redis. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import { lookBack, newHistory, watchHistory } from "../../src/lead/history.ts";
import type { Row } from "../../src/event.ts";
import type { Journal, Step } from "../../src/ports.ts";
import { BATCH_MAX } from "../../src/ports.ts";
import { skipStep, T0 } from "../support/steps.ts";
import type { JournalRig } from "./journal.ts";

/** Above the time, so that the lease gives it just so. */
const FENCE = 9e15;

export function describeTrim(name: string, open: () => Promise<JournalRig>): void {
  describe(`${name} that is cut off`, () => {
    let rig: JournalRig;
    let journal: Journal;
    let ids: string[];

    beforeEach(async () => {
      rig = await open();
      journal = rig.journal;
      await rig.lease.take({ owner: "me", ttlMs: 60_000, minFence: FENCE - 1, epoch: "epoch-1" });
      for (let at = 0; at < 5; at++) {
        await journal.commit([skipStep(at === 0 ? null : T0 + at - 1, T0 + at)], FENCE);
      }
      ids = await idsOf(rig);
    });
    afterEach(() => rig.stop());

    it("loses what is before the row that stays, and nothing else", async () => {
      const before = await rig.dump();
      const request = { firstId: ids[0]!, cutId: ids[3]! };
      assert.deepEqual(await journal.trim(request, FENCE), { kind: "done", rows: 3 });
      const after = await rig.dump();
      assert.deepEqual(after.entries, before.entries.slice(3));
      assert.deepEqual({ ...after, entries: [] }, { ...before, entries: [] });
    });

    it("is left alone by a leader of before", async () => {
      const request = { firstId: ids[0]!, cutId: ids[3]! };
      assert.deepEqual(await journal.trim(request, FENCE - 1), { kind: "fenced" });
      assert.deepEqual(await idsOf(rig), ids);
    });

    it("is left alone where it begins elsewhere, or the row that is to stay is gone", async () => {
      for (
        const request of [
          { firstId: ids[1]!, cutId: ids[3]! },
          { firstId: ids[0]!, cutId: "99999999999999-0" },
          { firstId: ids[0]!, cutId: "1-1" },
        ]
      ) {
        assert.deepEqual(await journal.trim(request, FENCE), { kind: "moved" });
        assert.deepEqual(await idsOf(rig), ids);
      }
    });

    it("says how large it is", async () => {
      const { bytes, ...extent } = await journal.extent();
      assert.deepEqual(extent, { rows: 5, firstId: ids[0], lastId: ids[4] });
      assert.ok(bytes !== null && bytes > 100, `${bytes}`);
    });

    it("counts a row of a snapshot for what it is, wherever it stands", async () => {
      let at = 4;
      const commit = async (count: number, reason: string) => {
        const steps = Array.from({ length: count }, () => skipOf(at++, reason));
        await journal.commit(steps, FENCE);
      };
      const bytes = async () => (await journal.extent()).bytes!;
      await commit(1, LONG);
      for (let turn = 0; turn < 8; turn++) await commit(BATCH_MAX, "closed");
      const ofOne = await bytes();
      await commit(1, LONG);
      for (let turn = 0; turn < 8; turn++) await commit(BATCH_MAX, "closed");
      const ofTwo = await bytes();
      for (const told of [ofOne, ofTwo - ofOne]) {
        assert.ok(told > LONG.length && told < 2.5 * LONG.length, `${ofOne} ${ofTwo}`);
      }
    });

    it("is not taken for one that lost its end", async () => {
      const history = newHistory();
      const watched = watchHistory(journal, history);
      await watched.load();
      assert.equal(history.lastId, ids[4]);
      await journal.commit([skipStep(T0 + 4, T0 + 5)], FENCE);
      const newest = (await idsOf(rig)).at(-1)!;
      // A standby that was away meanwhile: all that it has seen is gone.
      await journal.trim({ firstId: ids[0]!, cutId: newest }, FENCE);
      await lookBack(journal, history);
      await watched.commit([skipStep(T0 + 5, T0 + 6)], FENCE);
      assert.deepEqual(history.cuts, []);
      assert.notEqual(history.lastId, ids[4]);
    });
  });
}

/** As long as a row of a snapshot. */
const LONG = "x".repeat(200_000);

/** The decision of the due time after `T0 + at`. */
function skipOf(at: number, reason: string): Step {
  const step = skipStep(T0 + at, T0 + at + 1);
  return { ...step, row: { ...step.row, detail: { by: "calendar", reason } } as Row };
}

async function idsOf(rig: JournalRig): Promise<string[]> {
  return (await rig.dump()).entries.map(({ id }) => id);
}
