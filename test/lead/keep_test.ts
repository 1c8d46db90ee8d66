import { openOf } from "../../src/follow/open_fires.ts";
import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { keepJournal } from "../../src/lead/keep.ts";
import type { Office } from "../../src/lead/office.ts";
import { worldOf } from "../../src/core/world.ts";
import type { Log } from "../../src/log.ts";
import type { Archive, Clock, Step } from "../../src/ports.ts";
import { ArchiveError } from "../../src/errors.ts";
import { publishStep, skipStep, T0 } from "../support/steps.ts";
import { retained } from "../support/retained.ts";

const FENCE = 3;
const ROWS = 10;
const NOW_MS = T0 + 1_000_000;

/** An office in its term, whose clock passes over pauses until it has had enough. */
async function anOffice({ archive, first = skipStep(null, T0), pauses }: {
  archive?: Partial<Archive>;
  first?: Step;
  pauses: number;
}) {
  const none = { entries: [], cursors: new Map(), open: new Map(), lists: new Map() };
  const kept = retained(none, NOW_MS, FENCE);
  for (let at = 0; at < ROWS; at++) {
    await kept.journal.commit([at === 0 ? first : skipStep(T0 + at - 1, T0 + at)], FENCE);
  }
  // Rows of ten minutes.
  kept.journal.store.entries.forEach((entry, at) => {
    Object.assign(entry, { id: `${NOW_MS - (ROWS - at) * 60_000}-0` });
  });
  const loaded = await kept.journal.load();
  const ended = new AbortController();
  const said: string[] = [];
  const say = (level: string) => (message: string) => void said.push(`${level}: ${message}`);
  const log = { info: say("info"), warn: say("warn"), error: say("error") } as unknown as Log;
  let nowMs = 0;
  let left = pauses;
  const clock: Clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep(durationMs) {
      nowMs += durationMs;
      if (durationMs > 1_000 && left-- <= 0) ended.abort();
      return Promise.resolve();
    },
  };
  const office = {
    parts: {
      ...kept.parts({ keepMs: 240_000, maxBytes: 1e9 }),
      ...{ log, clock, newEpoch: "new" },
      retention: {
        limits: { keepMs: 240_000, maxBytes: 1e9 },
        archiveOf: () => ({ ...kept.archive, ...archive }),
      },
    },
    seen: { epoch: "epoch-1" },
    now: { world: worldOf(loaded, await openOf(loaded, () => Promise.resolve())) },
  } as unknown as Office;
  return { office, kept, said, signal: ended.signal };
}

describe("keepJournal()", () => {
  it("cuts off what is too old, and goes on", async () => {
    const { office, kept, said, signal } = await anOffice({ pauses: 3 });
    await keepJournal(office, { fence: FENCE, failures: 0 }, signal, () => assert.fail("fenced"));
    assert.deepEqual(said, ["info: rows went to the archive"]);
    const types = kept.journal.store.entries.map(({ fields }) => fields[3]);
    assert.deepEqual(types.slice(-2), ["fire.skipped", "journal.snapshot"]);
    assert.ok(types.length < ROWS);
    assert.equal((await kept.rows()).length, ROWS);
  });

  it("cuts nothing off where it cannot be archived, and says so once", async () => {
    const write = () => Promise.reject(new ArchiveError("disk full"));
    const { office, kept, said, signal } = await anOffice({ archive: { write }, pauses: 5 });
    await keepJournal(office, { fence: FENCE, failures: 0 }, signal, () => assert.fail("fenced"));
    assert.deepEqual(said, ["error: old rows stay in Redis: they cannot be archived"]);
    assert.equal(kept.journal.store.entries.length, ROWS);
  });

  it("says once which open fire keeps the rows, though it is the first of them", async () => {
    const { office, kept, said, signal } = await anOffice({
      first: publishStep(null, T0),
      pauses: 3,
    });
    await keepJournal(office, { fence: FENCE, failures: 0 }, signal, () => assert.fail("fenced"));
    assert.deepEqual(said, [
      "warn: the journal is over its limits: an open fire keeps its rows, and those after",
    ]);
    assert.equal(kept.journal.store.entries.length, ROWS);
  });

  it("steps down where somebody newer leads", async () => {
    const { office, kept, signal } = await anOffice({ pauses: 5 });
    kept.journal.store.fence = FENCE + 1;
    let fenced = 0;
    await keepJournal(office, { fence: FENCE, failures: 0 }, signal, () => fenced++);
    assert.equal(fenced, 1);
    assert.equal(kept.journal.store.entries.length, ROWS);
  });
});
