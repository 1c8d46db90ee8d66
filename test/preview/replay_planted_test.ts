/** What is planted into journals that the core has written shows in a replay of them. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { JournalRow } from "../../src/event.ts";
import { recordedMs } from "../../src/event.ts";
import { NO_POLICIES } from "../../src/task.ts";
import type { Draw } from "../support/clean_journal.ts";
import { cleanJournal, drawsOf } from "../support/clean_journal.ts";
import { rowsIn } from "../support/planted.ts";
import { POLICED, RESTLESS } from "../support/policed_shop.ts";
import { replayed } from "../support/replayed.ts";

const JOURNALS = 12;
const FAULTS_EACH = 40;
const SEED = Number(Deno.env.get("REPLAY_SEED") ?? 1);

interface Planted {
  readonly rows: readonly JournalRow[];
  readonly task: string;
  /** Where it lies. Unix milliseconds. */
  readonly atMs: number;
}

/** `null` where the rows have no place for it. */
type Plant = (rows: readonly JournalRow[], draw: Draw) => Planted | null;

const PLANTS: Readonly<Record<string, Plant>> = {
  "a publish deleted": (rows, draw) => deleted(rows, draw, "fire.published"),
  "a skip deleted": (rows, draw) => deleted(rows, draw, "fire.skipped"),
  "a range of drops deleted": (rows, draw) => deleted(rows, draw, "task.dropped"),
  "a publish doubled": (rows, draw) => {
    const at = placeOf(rows, draw, ({ type }) => type === "fire.published");
    return at === null ? null : planted(rows, at, [rows[at]!, rows[at]!]);
  },
  "a publish turned into a skip": (rows, draw) =>
    changed(rows, draw, "fire.published", (row) => ({
      ...row,
      type: "fire.skipped",
      detail: { by: "session", reason: "XNYS is closed" },
    })),
  "a skip turned into a publish": (rows, draw) =>
    changed(rows, draw, "fire.skipped", (row) => ({ ...row, type: "fire.published", detail: {} })),
  "the reason of a skip changed": (rows, draw) => changed(rows, draw, "fire.skipped", reworded),
  "the reason of a delay changed": (rows, draw) => changed(rows, draw, "fire.delayed", reworded),
  "the reason of a range changed": (rows, draw) => changed(rows, draw, "task.dropped", reworded),
  "the time of a delay moved": (rows, draw) =>
    changed(rows, draw, "fire.delayed", (row) => {
      const { untilMs } = row.detail;
      return typeof untilMs === "number"
        ? { ...row, detail: { ...row.detail, untilMs: untilMs + 7 } }
        : row;
    }),
  "the count of a range changed": (rows, draw) =>
    changed(rows, draw, "task.dropped", (row) => ({
      ...row,
      detail: { ...row.detail, count: Number(row.detail.count) + 1 },
    })),
  "a policy of a task changed": (rows, draw) => {
    const at = placeOf(
      rows,
      draw,
      (row, index) =>
        row.type.startsWith("task.") && row.detail.definition !== undefined &&
        nextOf(rows, index, ({ type }) => type === "fire.published") !== null,
    );
    if (at === null) return null;
    const session = { calendars: [NEVER], match: "any", leadMs: 0, lagMs: 0, unknown: "skip" };
    const definition = {
      ...rows[at]!.detail.definition as object,
      policies: { ...NO_POLICIES, session },
    };
    const row = { ...rows[at]!, detail: { ...rows[at]!.detail, definition } };
    return planted(rows, at, [row]);
  },
};

const NEVER = { ...RESTLESS, mic: "NEVER", sessions: [] };

describe("a replay", () => {
  it("shows each of some hundred planted differences", async () => {
    const draw = drawsOf(SEED + 99);
    const kinds = new Map<string, number>();
    const unseen: string[] = [];
    for (let seed = SEED + 300; seed < SEED + 300 + JOURNALS; seed++) {
      const { nowMs, ...journal } = await cleanJournal(drawsOf(seed), POLICED);
      const rows = rowsIn(journal);
      const clean = replayed(rows, { nowMs });
      assert.deepEqual(clean.differences, []);
      for (let each = 0; each < FAULTS_EACH; each++) {
        const kind = Object.keys(PLANTS)[each % Object.keys(PLANTS).length]!;
        const fault = PLANTS[kind]!(rows, draw);
        if (fault === null) continue;
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        const { differences, undecided } = replayed(fault.rows, { nowMs });
        const isSeen = differences.some(({ task }) => task === fault.task) ||
          JSON.stringify(undecided) !== JSON.stringify(clean.undecided);
        const others = differences.filter(({ task, decidedMs }) =>
          task !== fault.task || decidedMs < fault.atMs
        );
        assert.deepEqual(others, [], `seed ${seed}: ${kind}`);
        if (!isSeen) unseen.push(`seed ${seed}: ${kind} of ${fault.task} at ${fault.atMs}`);
      }
    }
    assert.deepEqual(unseen, []);
    for (const kind of Object.keys(PLANTS)) {
      assert.ok((kinds.get(kind) ?? 0) >= 10, `${kind} was planted too rarely`);
    }
  });
});

function deleted(rows: readonly JournalRow[], draw: Draw, type: string): Planted | null {
  const at = placeOf(rows, draw, (row) => row.type === type && row.detail.by !== "schedule");
  return at === null ? null : planted(rows, at, []);
}

function changed(
  rows: readonly JournalRow[],
  draw: Draw,
  type: string,
  change: (row: JournalRow) => JournalRow,
): Planted | null {
  const at = placeOf(
    rows,
    draw,
    (row) => row.type === type && row.detail.by !== "schedule" && change(row) !== row,
  );
  return at === null ? null : planted(rows, at, [change(rows[at]!)]);
}

function reworded(row: JournalRow): JournalRow {
  return { ...row, detail: { ...row.detail, reason: `${row.detail.reason}, or not` } };
}

/** The rows with others in the place of one. */
function planted(rows: readonly JournalRow[], at: number, own: readonly JournalRow[]): Planted {
  const { task, decidedMs } = rows[at]!;
  return {
    rows: rows.toSpliced(at, 1, ...own),
    task,
    atMs: Math.min(decidedMs, recordedMs(rows[at]!)),
  };
}

function placeOf(
  rows: readonly JournalRow[],
  draw: Draw,
  isPlace: (row: JournalRow, index: number) => boolean,
): number | null {
  const places = rows.flatMap((row, index) => isPlace(row, index) ? [index] : []);
  return places.length === 0 ? null : places[Math.floor(draw() * places.length)]!;
}

/** The next such row of the same task, before it is declared again. */
function nextOf(
  rows: readonly JournalRow[],
  at: number,
  isIt: (row: JournalRow) => boolean,
): JournalRow | null {
  for (const row of rows.slice(at + 1)) {
    if (row.task !== rows[at]!.task) continue;
    if (isIt(row)) return row;
    if (["task.known", "task.changed", "task.retired"].includes(row.type)) return null;
  }
  return null;
}
