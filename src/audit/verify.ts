/**
 * The journal against what Beat runs by: cursors and open fires. Both must say the same, as of the row
 * that was the newest when they were read.
 */

import type { Cursor } from "../cursor.ts";
import type { OpenFire } from "../open_fire.ts";
import { encodeCursor, levelCursor, LOG_CURSOR, pauseCursor } from "../cursor.ts";
import { openKey } from "../open_fire.ts";
import { lifeOf } from "../core/life.ts";
import { millisecondsOf } from "../event.ts";
import { entryOf } from "../fire.ts";
import type { Loaded } from "../ports.ts";
import type { FoldedFire } from "./fold.ts";
import type { Ledger, Note } from "./ledger.ts";
import type { Plan } from "./schedule.ts";

/** Notes every difference as a finding. @param ledger as it is after the row `loaded.lastId` */
export function verify(ledger: Ledger, loaded: Pick<Loaded, "cursors" | "open">): void {
  verifyCursors(ledger, loaded.cursors);
  verifyCounters(ledger, loaded.cursors);
  verifyNotes(ledger, loaded.cursors);
  verifyOpen(ledger, loaded.open);
}

function differ(ledger: Ledger, task: string, dueMs: number | null, text: string): void {
  const times = dueMs === null ? [] : [dueMs];
  ledger.findings.add({
    ...{ kind: "differs", task, fromMs: dueMs, toMs: dueMs, count: 1, times, rowId: null, text },
  });
}

function verifyCursors(ledger: Ledger, cursors: ReadonlyMap<string, Cursor>): void {
  const { isWhole } = ledger.terms;
  for (const { task, plan } of ledger.accounts.values()) {
    if (plan === null || plan.isRetired || cursors.has(task)) continue;
    differ(ledger, task, plan.cursorMs, "the journal has a cursor of it, and Redis none");
  }
  for (const [task, cursor] of cursors) {
    if (task.startsWith("@") || !isAudited(ledger, task)) continue;
    const plan = ledger.accounts.get(task)?.plan ?? null;
    if (plan === null || plan.isRetired) {
      const isOlder = plan === null && !isWhole;
      if (!isOlder) {
        differ(ledger, task, cursor.dueMs, "Redis has a cursor of it, the journal none");
      }
    } else if (!isEqual(plan, cursor)) {
      const text =
        `the journal says "${plan.heldMs ?? plan.cursorMs} ${plan.revision}" of its cursor` +
        `${plan.heldMs === null ? "" : ", held"}, and Redis "${encodeCursor(cursor)}"`;
      differ(ledger, task, cursor.dueMs, text);
    }
  }
}

/** A held fire stands at the cursor of its task. */
function isEqual({ cursorMs, heldMs, ...plan }: Plan, cursor: Cursor): boolean {
  const { dueMs, revision, pending } = cursor;
  return (heldMs ?? cursorMs) === dueMs && plan.revision === revision &&
    (heldMs === null) === (pending === undefined);
}

/** Rows that belong to no schedule are numbered. */
function verifyCounters(ledger: Ledger, cursors: ReadonlyMap<string, Cursor>): void {
  const { terms, lateAcks } = ledger;
  const term = cursors.get(LOG_CURSOR.term);
  const last = terms.told.isEnded ? "ended" : `started${terms.told.count - 1}`;
  if (term !== undefined && terms.fence !== null && terms.told.count > 0) {
    if (term.dueMs !== terms.fence || term.revision !== last) {
      const text = `the last row of a term is "${terms.fence} ${last}" by the journal, ` +
        `and "${term.dueMs} ${term.revision}" by Redis`;
      differ(ledger, "", null, text);
    }
  }
  if (!terms.isWhole) return;
  const counted = [
    [LOG_CURSOR.control, "control.*", terms.controls],
    [LOG_CURSOR.late, "fire.late_ack", lateAcks],
  ] as const;
  for (const [cursor, type, count] of counted) {
    const written = cursors.get(cursor)?.dueMs ?? 0;
    if (written === count) continue;
    differ(ledger, "", null, `the journal has ${count} rows ${type}, and ${written} were written`);
  }
}

/** Levels and pauses. A level that is normal again is as good as none. */
function verifyNotes(ledger: Ledger, cursors: ReadonlyMap<string, Cursor>): void {
  const { standing: { notes }, terms, isStandingKnown } = ledger;
  const isAllKnown = terms.isWhole && isStandingKnown;
  const textOf = (cursor: Cursor | undefined) =>
    cursor === undefined || cursor.revision === "normal" ? null : encodeCursor(cursor);
  for (const name of new Set([...notes.keys(), ...cursors.keys()])) {
    if (!NOTED.some((prefix) => name.startsWith(prefix))) continue;
    const [told, kept] = [textOf(notes.get(name)), textOf(cursors.get(name))];
    if (told === kept || (told === null && !isAllKnown)) continue;
    const text = `${name.slice(1)} is "${told ?? "none"}" by the journal, ` +
      `and "${kept ?? "none"}" by Redis`;
    differ(ledger, "", null, text);
  }
}

const NOTED = [levelCursor(""), pauseCursor("")];

function verifyOpen(ledger: Ledger, open: readonly OpenFire[]): void {
  const known = new Map<string, FoldedFire<Note>>();
  for (const fire of ledger.fold.fires.values()) {
    if (fire.note !== undefined) known.set(fire.openId, fire);
  }
  for (const each of open) {
    if (!isAudited(ledger, each.task)) continue;
    const key = openKey(each);
    const fire = known.get(key);
    known.delete(key);
    const state = lifeOf(each);
    if (fire === undefined) {
      if (!isOlder(ledger, each)) {
        differ(ledger, each.task, each.dueMs, `Redis has ${key} as ${state}, the journal not`);
      }
      continue;
    }
    const { note } = fire;
    if (fire.state !== state) {
      differ(
        ledger,
        each.task,
        each.dueMs,
        `${key} is ${fire.state} by the journal, ${state} by Redis`,
      );
    } else if (note !== undefined && note.deliveries !== each.redeliveries + 1) {
      const text = `${key} was delivered ${note.deliveries} times by the journal, ` +
        `${each.redeliveries + 1} by Redis`;
      differ(ledger, each.task, each.dueMs, text);
    }
  }
  for (const { openId, note } of known.values()) {
    if (note === undefined) continue;
    differ(ledger, note.fire, note.dueMs, `the journal has ${openId} open, and Redis not`);
  }
}

function isAudited({ tasks }: Ledger, task: string): boolean {
  return tasks === null || tasks.has(entryOf(task));
}

/** Published before the journal begins. */
function isOlder({ terms, firstId }: Ledger, { publishedMs }: OpenFire): boolean {
  return !terms.isWhole && firstId !== null && publishedMs < millisecondsOf(firstId);
}
