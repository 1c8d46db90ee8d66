import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { auditOf } from "../../src/audit/audit.ts";
import type { Report } from "../../src/audit/close.ts";
import type { SnapshotState } from "../../src/audit/snapshot.ts";
import { snapshotOf } from "../../src/audit/snapshot.ts";
import { ArchiveError, JournalUnavailableError } from "../../src/errors.ts";
import type { JournalRow } from "../../src/event.ts";
import { compareIds, millisecondsOf } from "../../src/event.ts";
import { decodeRow } from "../../src/row_text.ts";
import { fireIdOf } from "../../src/fire.ts";
import type { RetainParts } from "../../src/retain/retain.ts";
import { retain } from "../../src/retain/retain.ts";
import { newestSnapshot } from "../../src/retain/newest_snapshot.ts";
import { WHOLE } from "../support/audited.ts";
import type { Draw } from "../support/clean_journal.ts";
import { cleanJournal, drawsOf } from "../support/clean_journal.ts";
import { POLICED } from "../support/policed_shop.ts";
import { isInOrder, openFiresIn, retained } from "../support/retained.ts";

const SIGNAL = new AbortController().signal;

describe("a journal that is cut off at random points", () => {
  it("comes to the same, from its archive and from its last snapshot", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const draw = drawsOf(seed);
        const whole = await cleanJournal(draw, seed % 2 === 0 ? undefined : POLICED);
        const rows = rowsIn(whole.entries);
        const fence = rows.at(-1)!.fence;
        const cut = retained(whole, whole.nowMs, fence);
        for (const parts of cutsOf(cut, rows, whole.nowMs, draw)) {
          await tried(parts, fence);
          assert.deepEqual(await cut.rows(), rows, "rows of archive and stream");
        }
        const left = rowsIn(cut.journal.store.entries);
        assert.ok(isInOrder(left));
        mustHaveOpenRows(left, rows, openFiresIn(whole));

        const { snapshot } = await newestSnapshot(cut.journal);
        if (snapshot === null) return;
        assert.ok(typeof snapshot !== "string", String(snapshot));
        const rest = left.filter(({ id }) => compareIds(id, snapshot.cutId) >= 0);
        assert.deepEqual(stateOf(rest, snapshot.state), stateOf(rows), "snapshot and rest");
        // A snapshot that was cut off since is an entry like any other.
        const all = await cut.rows({ withSnapshots: true });
        assert.equal(snapshot.rows, all.filter(isBefore(snapshot.cutId)).length);

        const sinceMs = millisecondsOf(snapshot.cutId) + 1;
        const options = { sinceMs, nowMs: whole.nowMs };
        assert.deepEqual(
          told(reportOf(rest, { ...options, seed: snapshot.state })),
          told(reportOf(rows, options)),
          "audit",
        );
      }),
      // A task is retired while due times of it have no decision; a fire that waited behind a held one
      // goes out after the cut; a snapshot is cut off itself.
      { numRuns: 30, examples: [[1891936140], [9], [1172845595]] },
    );
  });
});

/** Attempts to cut, at later and later points, some of which fail half way. */
function cutsOf(
  cut: ReturnType<typeof retained>,
  rows: readonly JournalRow[],
  nowMs: number,
  draw: Draw,
): RetainParts[] {
  const spanMs = nowMs - millisecondsOf(rows[0]!.id);
  const shares = Array.from({ length: 1 + Math.floor(draw() * 5) }, () => draw()).sort().reverse();
  return shares.map((share) => {
    const isBySize = draw() < 0.3;
    const limits = isBySize
      ? { keepMs: 1e12, maxBytes: 50 + 100 * rows.length * share }
      : { keepMs: spanMs * share, maxBytes: 1e12 };
    return withFault(cut.parts(limits), draw);
  });
}

function withFault(parts: RetainParts, draw: Draw): RetainParts {
  const { journal, archive } = parts;
  const fault = Math.floor(draw() * 8);
  const away = () => Promise.reject(new JournalUnavailableError("away", "backoff"));
  switch (fault) {
    case 0:
      return { ...parts, journal: { ...journal, trim: away } };
    case 1:
      return { ...parts, journal: { ...journal, commit: away } };
    case 2: // Its reply is lost.
      return {
        ...parts,
        journal: { ...journal, commit: (...call) => journal.commit(...call).then(away) },
      };
    case 3:
      return {
        ...parts,
        archive: { ...archive, write: () => Promise.reject(new ArchiveError("disk full")) },
      };
    case 4: // A second replica has written the same, and more of it, meanwhile.
      return {
        ...parts,
        archive: {
          ...archive,
          async write(segment, lines) {
            const half = lines.slice(0, Math.ceil(lines.length / 2));
            const lastId = String(JSON.parse(half.at(-1)!).id);
            await archive.write({ ...segment, lastId, rows: half.length }, half);
            await archive.write(segment, lines);
          },
        },
      };
    default:
      return parts;
  }
}

async function tried(parts: RetainParts, fence: number): Promise<void> {
  try {
    await retain(parts, fence, SIGNAL);
  } catch (error) {
    if (!(error instanceof ArchiveError || error instanceof JournalUnavailableError)) throw error;
  }
}

function rowsIn(entries: readonly { id: string; fields: readonly string[] }[]): JournalRow[] {
  return entries.map(({ id, fields }) => decodeRow(id, fields) as JournalRow);
}

function isBefore(cutId: string): (row: JournalRow) => boolean {
  return ({ id }) => compareIds(id, cutId) < 0;
}

/** Every row of an open fire is in Redis still. */
function mustHaveOpenRows(
  left: readonly JournalRow[],
  rows: readonly JournalRow[],
  open: ReadonlySet<string>,
): void {
  const there = new Set(left.map(({ id }) => id));
  for (const { id, task, dueMs } of rows) {
    if (dueMs !== null && open.has(fireIdOf(task, dueMs))) {
      assert.ok(there.has(id), `${task} ${id}`);
    }
  }
}

function stateOf(rows: readonly JournalRow[], seed: SnapshotState | null = null): SnapshotState {
  const audit = auditOf(WHOLE, seed);
  for (const row of rows) audit.take(row);
  return snapshotOf(audit.ledger);
}

function reportOf(
  rows: readonly JournalRow[],
  { sinceMs, nowMs, seed = null }: { sinceMs: number; nowMs: number; seed?: SnapshotState | null },
): Report {
  const audit = auditOf({ ...WHOLE, isShowingAll: false, sinceMs }, seed);
  for (const row of rows) audit.take(row);
  return audit.close(nowMs);
}

/** What does not hang on how many rows were read, as plain data. */
function told({ findings, counts, tasks, sum, isCovered, undeclared }: Report): unknown {
  const plain = { findings, counts, tasks, sum, isCovered, undeclared };
  return JSON.parse(
    JSON.stringify(plain, (_, value) => value instanceof Map ? [...value] : value),
  );
}
