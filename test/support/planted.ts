/**
 * Faults for an audit to find, planted into what Redis holds: rows deleted, doubled, delayed, altered and
 * forged; cursors and open fires changed; messages pushed by hand. Each says what it is about.
 *
 * Left out is what leaves no trace by its nature: a note on a fire that has ended since (taken, overdue),
 * the orderly end of a term that was not the last, and a declaration under which nothing was decided.
 */

import type { JournalRow } from "../../src/event.ts";
import { millisecondsOf } from "../../src/event.ts";
import { decodeRow } from "../../src/row_text.ts";
import { hasSameTrigger } from "../../src/task.ts";
import type { CleanJournal, Draw } from "./clean_journal.ts";
import { idOf } from "./clean_journal.ts";
import type { Held } from "./audited.ts";
import { copyOf } from "./audited.ts";

export interface Planted {
  readonly what: string;
  readonly held: Held;
  /** A finding must be about one of these. */
  readonly about: {
    readonly task: string;
    /** `null` where others may show it as well. */
    readonly dueMs: number | null;
    readonly rowId: string | null;
    /** Of a row that is counted, and no more. */
    readonly isCounted?: boolean;
  };
}

type Entry = Held["entries"][number];
type Plant = (clean: CleanJournal, rows: readonly JournalRow[], draw: Draw) => Planted | null;

/** Plants a fault of a kind; `null` where the journal has no place for it. */
export const PLANTS: Readonly<Record<string, Plant>> = {
  deleted(clean, rows, draw) {
    const index = indexOf(rows, draw, (_row, at) => at > 0 && isMissed(clean, rows, at));
    return index === null ? null : change("deleted", clean, rows[index]!, ({ entries }) => {
      entries.splice(index, 1);
    });
  },
  doubled(clean, rows, draw) {
    const index = indexOf(rows, draw, () => true);
    if (index === null) return null;
    const at = Math.min(rows.length, index + 1 + Math.floor(draw() * 3));
    return insert("doubled", clean, rows[index]!, { at, fields: clean.entries[index]!.fields });
  },
  delayed(clean, rows, draw) {
    const index = indexOf(rows, draw, ({ type }, at) => at > 0 && TIMED.test(type));
    if (index === null) return null;
    const atMs = millisecondsOf(rows[index]!.id) + 61_000;
    const later = rows.findIndex(({ id }, at) => at > index && millisecondsOf(id) >= atMs);
    if (later < 0) return null;
    const { fields } = clean.entries[index]!;
    const planted = insert("delayed", clean, rows[index]!, { at: later + 1, fields });
    planted.held.entries.splice(index, 1);
    return planted;
  },
  "of no due time": (clean, rows, draw) => {
    const index = indexOf(rows, draw, ({ type }) => type === "fire.published");
    if (index === null) return null;
    const dueMs = rows[index]!.dueMs! - 1;
    const isDue = clean.regimes.some(({ task, trigger }) =>
      task === rows[index]!.task && trigger.last(dueMs) === dueMs
    );
    return isDue ? null : forge("of no due time", clean, rows, index, { d: String(dueMs) });
  },
  "of an unknown task": (clean, rows, draw) => {
    const index = indexOf(rows, draw, ({ type }) => type === "fire.published");
    return index === null ? null : forge("unknown task", clean, rows, index, { k: "nobody.knows" });
  },
  "an end of nothing": (clean, rows, draw) => {
    const index = indexOf(rows, draw, ({ type }) => /^fire\.(acked|finished|expired)$/.test(type));
    return index === null ? null : forge("an end of nothing", clean, rows, index, {
      d: String(rows[index]!.dueMs! + 1),
    });
  },
  early(clean, rows, draw) {
    const index = indexOf(rows, draw, ({ type }) => type === "fire.published");
    return index === null ? null : forge("early", clean, rows, index, {
      d: String(rows[index]!.dueMs! + 3_600_000),
    });
  },
  "of an ended term": (clean, rows, draw) => {
    const index = indexOf(rows, draw, ({ fence, type }) => fence > 1 && type.startsWith("fire."));
    return index === null ? null : forge("of an ended term", clean, rows, index, { f: "0" });
  },
  "of a term to come": (clean, rows, draw) => {
    const index = indexOf(rows, draw, ({ type }) => type.startsWith("fire."));
    return index === null ? null : forge("of a term to come", clean, rows, index, { f: "999" });
  },
  "no row": (clean, rows, draw) => {
    const index = indexOf(rows, draw, () => true)!;
    const fields = ["hello", "world"];
    return insert("no row", clean, rows[index]!, { at: index, fields });
  },
  "another count": (clean, rows, draw) => {
    const index = indexOf(rows, draw, ({ type }) => type === "task.dropped");
    if (index === null) return null;
    const { detail } = rows[index]!;
    const p = JSON.stringify({ ...detail, count: Number(detail.count) + 1 });
    return alter("another count", clean, rows, index, { p });
  },
  "another outcome": (clean, rows, draw) => {
    const index = indexOf(rows, draw, ({ type }) => type === "fire.finished");
    const p = JSON.stringify({ outcome: "sucess" });
    return index === null ? null : alter("another outcome", clean, rows, index, { p });
  },
  cursor(clean, _rows, draw) {
    const tasks = [...clean.cursors.keys()].filter((task) => !task.startsWith("@"));
    const task = tasks[Math.floor(draw() * tasks.length)];
    if (task === undefined) return null;
    const [due, revision] = clean.cursors.get(task)!.split(" ");
    const ways = [
      `${Number(due) - 1 - Math.floor(draw() * 1e6)} ${revision}`,
      `${Number(due) + 1 + Math.floor(draw() * 1e6)} ${revision}`,
      `${due} 00000000.00000000`,
      "",
    ];
    const text = ways[Math.floor(draw() * ways.length)]!;
    return about(`cursor ${text}`, clean, { task, dueMs: null, rowId: null }, ({ cursors }) => {
      if (text === "") cursors.delete(task);
      else cursors.set(task, text);
    });
  },
  "open fire": (clean, _rows, draw) => {
    const [key, text] = [...clean.open][Math.floor(draw() * clean.open.size)] ?? [];
    if (key === undefined || text === undefined) return null;
    const [task, due] = key.split("@") as [string, string];
    const state = text.startsWith("a") ? "t" : "a";
    const isGone = draw() < 0.5;
    const subject = { task, dueMs: Number(due), rowId: null };
    return about(isGone ? "closed" : `made ${state}`, clean, subject, ({ open }) => {
      if (isGone) open.delete(key);
      else open.set(key, text.replace(/^\w+/, state));
    });
  },
  message(clean, rows, draw) {
    const lists = [...clean.lists].filter(([, messages]) => messages.length > 0);
    const [list, messages] = lists[Math.floor(draw() * lists.length)] ?? [];
    if (list === undefined || messages === undefined) return null;
    const envelope = JSON.parse(messages[Math.floor(draw() * messages.length)]!);
    const acked = rows.findLast(({ type }) => type === "fire.acked");
    const own: string = envelope.headers["x-beat-fire-id"];
    const [task, due] = own.split("@") as [string, string];
    const ways: [what: string, openId: string, id: string][] = [
      ["a copy", own, envelope.headers.id],
      ["of no row", `${task}@${Number(due) - 1}`, idOf(`${task}@${Number(due) - 1}`)],
      ["with another id", own, idOf("made.up@1")],
    ];
    if (acked !== undefined) {
      const openId = `${acked.task}@${acked.dueMs}`;
      ways.push(["of an acked fire", openId, idOf(openId)]);
    }
    const [what, openId, id] = ways[Math.floor(draw() * ways.length)]!;
    envelope.headers = { ...envelope.headers, "x-beat-fire-id": openId, id };
    const [about_, dueMs] = openId.split("@") as [string, string];
    const subject = { task: about_, dueMs: Number(dueMs), rowId: null };
    return about(`a message: ${what}`, clean, subject, (held) => {
      held.lists.get(list)!.unshift(JSON.stringify(envelope));
    });
  },
};

/** Rows that must not come much later than they were decided. */
const TIMED = /^(fire\.(published|taken|overdue|acked|finished|expired)|task\.)/;

/** Whether something is missed when a row is not there. */
function isMissed(clean: CleanJournal, rows: readonly JournalRow[], at: number): boolean {
  const row = rows[at]!;
  const { type, task, fence } = row;
  if (type === "term.started") return rows[at + 1]?.fence === fence;
  if (type === "term.ended") {
    return !rows.slice(at + 1).some((each) => each.type === "term.started");
  }
  if (type === "task.changed") {
    const own = rows.slice(at + 1).filter((each) => each.task === task);
    const next = own.findIndex((each) => /^task\.(changed|known|retired)$/.test(each.type));
    const decided = own.slice(0, next < 0 ? own.length : next)
      .filter((each) => each.type === "fire.published" || each.type === "task.dropped");
    const before = rows.slice(0, at).findLast((each) =>
      each.task === task && /^task\.(changed|known)$/.test(each.type)
    );
    const isSame = hasSameTrigger(String(before?.detail.revision), String(row.detail.revision));
    return next < 0 || (decided.length > 0 && !isSame && movesDueTimes(clean, row, own[next]!));
  }
  return !/^fire\.(taken|overdue|redelivered)$/.test(type);
}

/** Whether other due times follow from a change than from what it changed, until the declaration after it. */
function movesDueTimes({ regimes }: CleanJournal, change: JournalRow, next: JournalRow): boolean {
  const [before, after] = (["untilMs", "afterMs"] as const).map((end) =>
    regimes.find((regime) => regime.task === change.task && regime[end] === change.decidedMs)!
  );
  for (let lastMs = next.decidedMs;;) {
    const [one, other] = [before, after].map((regime) => regime!.trigger.last(lastMs) ?? -Infinity);
    if (Math.max(one!, other!) <= change.decidedMs) return false;
    if (one !== other) return true;
    lastMs = one! - 1;
  }
}

function indexOf(
  rows: readonly JournalRow[],
  draw: Draw,
  isFit: (row: JournalRow, index: number) => boolean,
): number | null {
  const fit = rows.flatMap((row, index) => isFit(row, index) ? [row.type] : []);
  const types = [...new Set(fit)];
  // A type first, so that the rare ones get their turn.
  const type = types[Math.floor(draw() * types.length)];
  const places = rows.flatMap((row, index) =>
    row.type === type && isFit(row, index) ? [index] : []
  );
  return places[Math.floor(draw() * places.length)] ?? null;
}

function about(
  what: string,
  clean: CleanJournal,
  subject: Planted["about"],
  work: (held: Held) => void,
): Planted {
  const held = copyOf(clean);
  work(held);
  return { what, held, about: subject };
}

/** What is wrong with a declaration shows in what hangs on it. */
function subjectOf({ task, dueMs, type }: JournalRow): Omit<Planted["about"], "rowId"> {
  const isDeclaration = type.startsWith("task.") && type !== "task.dropped";
  const isCounted = task === "" || type === "fire.late_ack";
  return { task, dueMs: isDeclaration ? null : dueMs, isCounted };
}

function change(what: string, clean: CleanJournal, row: JournalRow, work: (held: Held) => void) {
  const subject = { ...subjectOf(row), rowId: row.id };
  return about(`${what} ${row.type} ${row.id}`, clean, subject, work);
}

/** Another entry before the one at `at`, recorded at the time of the one before it. */
function insert(
  what: string,
  clean: CleanJournal,
  row: JournalRow,
  { at, fields }: { at: number; fields: readonly string[] },
): Planted {
  const ms = millisecondsOf(clean.entries[Math.max(0, at - 1)]!.id);
  const id = `${ms}-1000000`;
  const subject = { ...subjectOf(row), rowId: id };
  return about(`${what} ${row.type} ${row.id}`, clean, subject, ({ entries }) => {
    entries.splice(at, 0, { id, fields });
  });
}

function forge(
  what: string,
  clean: CleanJournal,
  rows: readonly JournalRow[],
  index: number,
  values: Readonly<Record<string, string>>,
): Planted {
  const fields = withValues(clean.entries[index]!, values);
  const planted = insert(what, clean, rows[index]!, { at: index + 1, fields });
  return { ...planted, about: { task: "", dueMs: null, rowId: planted.about.rowId } };
}

function alter(
  what: string,
  clean: CleanJournal,
  rows: readonly JournalRow[],
  index: number,
  values: Readonly<Record<string, string>>,
): Planted {
  return change(what, clean, rows[index]!, ({ entries }) => {
    const entry = entries[index]!;
    entries[index] = { id: entry.id, fields: withValues(entry, values) };
  });
}

function withValues({ fields }: Entry, values: Readonly<Record<string, string>>): string[] {
  return fields.map((value, index) =>
    index % 2 === 1 ? values[fields[index - 1]!] ?? value : value
  );
}

/** The rows of what is held; all entries of a clean journal are rows. */
export function rowsIn({ entries }: Pick<Held, "entries">): JournalRow[] {
  return entries.map(({ id, fields }) => {
    const row = decodeRow(id, fields);
    if (typeof row === "string") throw new Error(row);
    return row;
  });
}
