/** A change of a level is one row and one cursor, whatever becomes of the reply. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Tick } from "../../src/core/tick.ts";
import { levelWriter } from "../../src/lead/level_writer.ts";
import { aLog, aReady, aRoster, rowsOf, T0 } from "../support/build.ts";
import { aDesk, FENCE } from "../support/desk.ts";

const SLOWED = { to: "slowed", reason: "300 wait", facts: { depth: 300 } } as const;

async function aWriter() {
  const desk = aDesk();
  let now: Tick | null = await desk.open(aRoster(aReady()));
  const log = aLog();
  const writer = levelWriter({
    journal: desk.journal,
    server: desk.server,
    log,
    fence: FENCE,
    now: () => now,
    alone: (work) => work(),
  });
  const rows = async () =>
    (await rowsOf(desk.journal)).filter(({ type }) => type === "level.changed");
  return { desk, writer, log, rows, leave: () => void (now = null) };
}

describe("levelWriter()", () => {
  it("writes the change and the cursor in one step, and says so", async () => {
    const { desk, writer, log, rows } = await aWriter();
    assert.deepEqual(await writer.standing("queue:a b"), { level: "normal", sinceMs: null });
    await writer.change("queue:a b", SLOWED);
    assert.deepEqual((await rows()).map(({ detail }) => detail), [
      { key: "queue:a b", from: "normal", ...SLOWED },
    ]);
    assert.equal(desk.store.cursors.get("@level:queue:a b"), `${T0} slowed`);
    assert.deepEqual(await writer.standing("queue:a b"), { level: "slowed", sinceMs: T0 });
    assert.deepEqual(log.lines.map(({ level, message }) => [level, message]), [
      ["warn", "level changed"],
    ]);
    assert.deepEqual(writer.raised("queue:"), ["queue:a b"]);
    assert.deepEqual(writer.raised("slo:"), []);
  });

  it("writes nothing where the level is that already, or the term has ended", async () => {
    const { writer, rows, leave } = await aWriter();
    await writer.change("slo:api", SLOWED);
    await writer.change("slo:api", SLOWED);
    leave();
    await writer.change("slo:api", { ...SLOWED, to: "paused" });
    assert.equal((await rows()).length, 1);
  });

  it("reads again what a lost reply left open, and writes it once", async () => {
    const { desk, writer, rows } = await aWriter();
    desk.journal.faults.push("reply");
    await assert.rejects(writer.change("queue:a", SLOWED), JournalUnavailableError);
    assert.deepEqual(await writer.standing("queue:a"), { level: "slowed", sinceMs: T0 });
    await writer.change("queue:a", SLOWED);
    assert.equal((await rows()).length, 1);
  });

  it("writes a change once, although its first call arrives late", async () => {
    const { desk, writer, rows } = await aWriter();
    desk.journal.faults.push("late");
    await assert.rejects(writer.change("queue:a", SLOWED), JournalUnavailableError);
    assert.deepEqual(await writer.standing("queue:a"), { level: "normal", sinceMs: null });
    await desk.clock.advance(1_000);
    await writer.change("queue:a", SLOWED);
    await desk.journal.arrive();
    assert.equal((await rows()).length, 1);
    desk.journal.faults.push("late");
    await assert.rejects(writer.change("queue:a", { ...SLOWED, to: "paused" }));
    await writer.standing("queue:a");
    await desk.journal.arrive();
    await desk.clock.advance(1_000);
    await writer.change("queue:a", { ...SLOWED, to: "normal" });
    // It was refused, and the world is what the journal says.
    assert.deepEqual((await rows()).map(({ detail }) => detail.to), ["slowed", "paused"]);
    assert.equal((await writer.standing("queue:a")).level, "paused");
  });

  it("knows when somebody newer leads", async () => {
    const { desk, writer, rows } = await aWriter();
    desk.store.fence = FENCE + 1;
    await writer.change("queue:a", SLOWED);
    assert.equal(writer.isFenced, true);
    assert.deepEqual(await rows(), []);
  });
});
