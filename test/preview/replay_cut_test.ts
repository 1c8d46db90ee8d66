/** A replay that begins at a snapshot, because the rows before it are gone for good. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { auditOf } from "../../src/audit/audit.ts";
import type { SnapshotState } from "../../src/audit/snapshot.ts";
import { snapshotOf } from "../../src/audit/snapshot.ts";
import type { JournalRow } from "../../src/event.ts";
import { recordedMs } from "../../src/event.ts";
import type { Past } from "../../src/preview/past.ts";
import { pastOf } from "../../src/preview/past.ts";
import { WHOLE } from "../support/audited.ts";
import { cleanJournal, drawsOf } from "../support/clean_journal.ts";
import { rowsIn } from "../support/planted.ts";
import { POLICED } from "../support/policed_shop.ts";
import { replayed } from "../support/replayed.ts";

const SEED = Number(Deno.env.get("REPLAY_SEED") ?? 1);
const JOURNALS = Number(Deno.env.get("REPLAY_JOURNALS") ?? 12);
const CUTS = 4;

describe("a replay from a snapshot", () => {
  it("decides nothing otherwise, and comes to the same, wherever the cut is", async () => {
    let compared = 0;
    for (let seed = SEED; seed < SEED + JOURNALS; seed++) {
      const draw = drawsOf(seed);
      const rows = rowsIn(await cleanJournal(draw, POLICED));
      for (let each = 0; each < CUTS; each++) {
        const cut = 1 + Math.floor(draw() * (rows.length - 1));
        const state = stateOf(rows.slice(0, cut));
        const rest = rows.slice(cut);
        const { differences, byTask } = replayed(rest, { seed: state });
        const where = `seed ${seed}, cut ${cut}`;
        assert.deepEqual(differences.slice(0, 3), [], where);
        assert.ok([...byTask.values()].every(({ unreadable }) => unreadable === 0), where);
        for (const counts of byTask.values()) compared += counts.compared;
        assert.deepEqual(told(pastAfter(rest, state)), told(pastAfter(rows)), where);
      }
    }
    assert.ok(compared > 0);
  });

  it("finds a row that was forged, a while after the cut", async () => {
    const rows = rowsIn(await cleanJournal(drawsOf(SEED), POLICED));
    const cut = Math.floor(rows.length / 3);
    const untilMs = recordedMs(rows[cut]!) + 60_000;
    const index = rows.findIndex((row) =>
      row.type === "fire.published" && row.dueMs !== null && recordedMs(row) > untilMs
    );
    assert.ok(index > cut);
    const skipped = { type: "fire.skipped", detail: { by: "pause", reason: "paused by mallory" } };
    const forged = rows.map((row, at) => at === index ? { ...row, ...skipped } : row);
    const { differences } = replayed(forged.slice(cut), { seed: stateOf(rows.slice(0, cut)) });
    assert.deepEqual(differences[0]?.recorded?.id, rows[index]!.id);
  });
});

/** As it is in a row. */
function stateOf(rows: readonly JournalRow[]): SnapshotState {
  const audit = auditOf(WHOLE);
  for (const row of rows) audit.take(row);
  return JSON.parse(JSON.stringify(snapshotOf(audit.ledger)));
}

function pastAfter(rows: readonly JournalRow[], seed: SnapshotState | null = null): Past {
  const past = pastOf(seed);
  for (const row of rows) past.take(row);
  return past;
}

/** Levels that are normal again are as good as none. */
function told({ cursors, runs, term, facts, fires, declared }: Past): unknown {
  return {
    ...{ cursors: [...cursors].sort(), runs: [...runs].sort(), term },
    notes: [...facts.notes].filter(([, { revision }]) => revision !== "normal").sort(),
    fires: [...fires].map(([id, { state }]) => [id, state]).sort(),
    declared: [...declared.keys()].sort(),
  };
}
