import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import type { Slot, SlotState } from "../../src/asked/ring.ts";
import { encodeSlot, neededId, RING_SIZE, ringOf, slotOf } from "../../src/asked/ring.ts";
import type { Cursor } from "../../src/cursor.ts";
import { decodeCursor } from "../../src/cursor.ts";
import { TASK_NAME } from "../../src/fire.ts";

const slotAt = (number: number, own: Partial<Slot> = {}): Slot => ({
  entryId: `${1_000 + number}-0`,
  number,
  state: "done",
  settled: 1,
  published: 1,
  requestId: `r${number}`,
  backfill: null,
  ...own,
});

/** As the leader writes it, one after the other. */
function write(count: number, own: (number: number) => Partial<Slot> = () => ({})) {
  const cursors = new Map<string, Cursor>();
  for (let each = 0; each < count; each++) {
    const isFull = each >= RING_SIZE - 1;
    const first = { cursor: `@request:${each + 1}`, number: each + 1 };
    const { cursor, number } = isFull ? ringOf(cursors).next : first;
    cursors.set(cursor, decodeCursor(encodeSlot(slotAt(number, own(number)))));
  }
  return cursors;
}

describe("ringOf()", () => {
  it("reads what was written, whatever it says", () => {
    const slot = fc.record({
      entryId: fc.tuple(fc.nat(), fc.nat()).map(([ms, count]) => `${ms}-${count}`),
      number: fc.integer({ min: 1, max: 2 ** 40 }),
      state: fc.constantFrom<SlotState>("taken", "done", "refused", "repeated"),
      settled: fc.nat(),
      published: fc.nat(),
      requestId: fc.stringMatching(/^[A-Za-z0-9_.:-]{1,64}$/),
      backfill: fc.option(
        fc.record({
          task: fc.stringMatching(TASK_NAME),
          endedId: fc.option(fc.tuple(fc.nat(), fc.nat()).map(([ms, count]) => `${ms}-${count}`)),
        }, { noNullPrototype: true }),
      ),
    }, { noNullPrototype: true });
    fc.assert(fc.property(slot, (each) => {
      const cursors = new Map([["@request:7", decodeCursor(encodeSlot(each))]]);
      assert.deepEqual([...ringOf(cursors).slots.values()], [each]);
    }));
  });

  it("begins with nothing read, and the first request", () => {
    const ring = ringOf(new Map());
    assert.deepEqual([ring.lastId, ring.next.number], ["0-0", 1]);
  });

  it("remembers the newest thousand, and no more", () => {
    const ring = ringOf(write(RING_SIZE + 10));
    assert.equal(ring.slots.size, RING_SIZE);
    assert.equal(ring.lastId, `${1_000 + RING_SIZE + 10}-0`);
    assert.equal(slotOf(ring, "r10"), null);
    assert.equal(slotOf(ring, "r11")?.number, 11);
  });

  it("never writes over a request that goes on", () => {
    const cursors = write(RING_SIZE + 10, (number) => number === 5 ? { state: "taken" } : {});
    const ring = ringOf(cursors);
    assert.equal(slotOf(ring, "r5")?.state, "taken");
    assert.equal(neededId(ring), "1005-0");
  });

  it("knows the first of several of one id", () => {
    const states = ["refused", "done", "repeated", "repeated"] as const;
    const ring = ringOf(
      write(4, (number) => ({ requestId: "x", state: states[number - 1]!, published: 0 })),
    );
    assert.equal(slotOf(ring, "x")?.number, 2);
  });

  it("takes a refused request for new, unless something of it was published", () => {
    const refused = (published: number) =>
      ringOf(write(3, (number) => number === 2 ? { state: "refused", published } : {}));
    const ring = refused(0);
    assert.equal(slotOf(ring, "r2"), null);
    assert.equal(slotOf(refused(3), "r2")?.number, 2);
    assert.equal(slotOf(ring, "r3")?.number, 3);
  });

  it("passes over a cursor that it cannot read", () => {
    const cursors = new Map([["@request:1", { dueMs: 1, revision: "of-another-build" }]]);
    assert.equal(ringOf(cursors).slots.size, 0);
  });
});
