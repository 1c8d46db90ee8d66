/** Fires that people asked for: each was asked for, goes out once, and every request has an answer. */

import type { Books } from "./books.ts";
import type { LedgerRow } from "./ledger.ts";
import type { Pause } from "./policy_rule.ts";
import { publishName } from "./ledger.ts";
import type { World } from "./world.ts";

/** A request, as it stands in the stream. */
export interface Asking {
  readonly kind: string;
  readonly id: string;
  /** `null`: of all. */
  readonly task: string | null;
  /** Of a backfill: due times in order, and how often each was published before. */
  readonly fires?: readonly (readonly [dueMs: number, attempt: number])[];
  /** Of a trigger. */
  readonly isObeying?: boolean;
  /** Of a backfill: fires a second. */
  readonly rate?: number;
  /** Of a backfill: the newest row of the journal that says which fires these are. */
  readonly readId?: string;
}

export interface Wanted {
  /** A request stands in the stream as `entryId`. */
  asked(request: Asking, entryId: string): void;
  /** Why the row of a wanted fire must not be; `null` where it may. */
  whyNot(row: LedgerRow): string | null;
  /** The same of an order, or of a request and what became of it. @param pauses before it */
  whyNotOrder(row: LedgerRow, pauses: ReadonlyMap<string, Pause>): string | null;
}

export function isWanted({ task }: Pick<LedgerRow, "task">): boolean {
  return task.includes("+");
}

/** How ids of backfills begin here. */
export const BACKFILL = "backfill-";

/** A fire of a backfill: late by intention. */
export function isBackfilled({ task }: Pick<LedgerRow, "task">): boolean {
  return task.includes(`+${BACKFILL}`);
}

/** Whether the schedule's fire of the same due time is open or held. */
export function isUnderWay({ fires, cursors }: Books, { task, dueMs }: LedgerRow): boolean {
  const entry = task.slice(0, task.indexOf("+"));
  const cursor = cursors.get(entry);
  const isHeld = cursor !== undefined && cursor.pending !== null && cursor.dueMs === dueMs;
  return isHeld || (fires.get(`${entry}@${dueMs}`)?.stand ?? "closed") !== "closed";
}

export function wantedFires(): Wanted {
  const entries = new Map<string, string[]>();
  const requests = new Map<string, Asking>();
  /** By name, the fires that went out under it, in any history. */
  const sent = new Map<string, LedgerRow[]>();
  /** Attempts that backfills made, by what they are attempts at. */
  const attempts = new Map<string, LedgerRow[]>();

  /** Who works out the same due times from the same rows means one fire of each. */
  function whyNotAttempt(row: LedgerRow): string | null {
    const [entry] = row.task.split("+");
    const name = `${entry}@${row.dueMs}#${row.detail.attempt ?? 0}`;
    const before = attempts.get(name) ?? [];
    attempts.set(name, [...before, row]);
    const other = before.find(({ isLost, task }) => !isLost && task !== row.task);
    return other === undefined ? null : `${other.task} sent it before, as ${other.id}`;
  }

  return {
    asked(request, entryId) {
      requests.set(request.id, request);
      entries.set(request.id, [...entries.get(request.id) ?? [], entryId]);
    },
    whyNot(row) {
      const requestId = row.task.slice(row.task.indexOf("+") + 1);
      const known = entries.get(requestId);
      if (known === undefined) return "nobody asked for it";
      const { fires } = requests.get(requestId)!;
      const isAsked = fires === undefined
        ? known.some((id) => Number(id.split("-")[0]) === row.dueMs)
        : fires.some(([dueMs, attempt]) =>
          dueMs === row.dueMs && attempt === (row.detail.attempt ?? 0)
        );
      if (!isAsked) return `it was asked for as ${known.join(" and ")}, and not so`;
      const before = sent.get(row.task) ?? [];
      sent.set(row.task, [...before, row]);
      const other = before.find(({ isLost, dueMs }) =>
        !isLost && (fires === undefined || dueMs! >= row.dueMs!)
      );
      if (other !== undefined) return `after ${publishName(other)}, as ${other.id}`;
      if (isTooFast(requests.get(requestId)!, row, before)) return "faster than it was asked for";
      return fires === undefined ? null : whyNotAttempt(row);
    },
    whyNotOrder({ type, task, detail }, pauses) {
      const { request: id, entryId, firstId, who, kind, fires, fromMs, toMs, sinceMs } = detail;
      const known = entries.get(String(id)) ?? [];
      const request = requests.get(String(id));
      if (request === undefined) return "nobody asked for it";
      // What was refused with its fire names no task.
      if (task !== "" && task !== request.task) return `it is about ${task}`;
      if (entryId !== undefined && !known.includes(String(entryId))) {
        return `no entry is ${entryId}`;
      }
      if (firstId !== undefined && (firstId === entryId || !known.includes(String(firstId)))) {
        return `it was not asked before as ${firstId}`;
      }
      if (type === "control.answered") return null;
      if (who !== "ops") return `${who} did not ask for it`;
      if (type === "control.requested") {
        const isSame = kind === request.kind && fires === request.fires?.length &&
          fromMs === request.fires?.[0]?.[0] && toMs === request.fires?.at(-1)?.[0];
        return isSame ? null : `it is told as a ${kind} of ${fires} from ${fromMs} to ${toMs}`;
      }
      const standing = pauses.get(request.task ?? "*");
      return type === "control.paused" || sinceMs === standing?.sinceMs
        ? null
        : `it is told to have stood since ${sinceMs}, and not since ${standing?.sinceMs}`;
    },
  };
}

/** Fires of one term within a second: those of the rate, and what a late reply or a slice lets go at once. */
function isTooFast(
  { rate }: Asking,
  { atMs, fence }: LedgerRow,
  before: readonly LedgerRow[],
): boolean {
  if (rate === undefined) return false;
  const recent = before.filter((row) => row.fence === fence && row.atMs > atMs - 1_000);
  return recent.length > 1.1 * rate + 4;
}

/** How long a leader may take for it. Milliseconds. */
const ANSWERED_WITHIN_MS = 10_000;

/** Requests of the surviving stream that have no answer; and answers that say what is not so. */
export function wrongAnswers(world: World): string[] {
  const { redis, account } = world;
  const stream = redis.store.keys.get("beat:requests");
  if (stream?.type !== "stream") return [];
  const standing = account.rows.filter(({ isLost }) => !isLost);
  const answers = Map.groupBy(
    standing.filter(({ type }) => type === "control.answered"),
    ({ detail }) => String(detail.request),
  );
  const sent = Map.groupBy(
    standing.filter((row) => row.type === "fire.published" && isWanted(row)),
    ({ task }) => task,
  );
  const isPaused = new Map<string, boolean>();
  const wrong = stream.entries.flatMap(({ ms, id, fields }) => {
    const request = JSON.parse(fields[1]!) as Asking;
    if (ms > redis.nowMs() - answeredWithinMs(request)) return [];
    const given = answers.get(request.id) ?? [];
    if (given.length === 0) return [`${request.id}, entry ${id}, has no answer`];
    const isDone = given.some(({ detail }) => detail.result === "done");
    const fires = sent.get(`${request.task}+${request.id}`) ?? [];
    if (request.kind === "backfill") return wrongBackfill(world, request, { given, fires });
    if (request.kind !== "trigger") {
      if (isDone) isPaused.set(request.task ?? "*", request.kind === "pause");
      return [];
    }
    const isThere = fires.length > 0;
    if (isDone !== isThere) {
      const [done, there] = [isDone, isThere].map((isSo) => isSo ? "" : "not ");
      return [`${request.id} is ${done}done, and its fire is ${there}there`];
    }
    const isRight = isDone || mayBeUnknown(world, request) || mayHaveNoList(world, given);
    return isRight ? [] : [`${request.id} was refused`];
  });
  return [...wrong, ...wrongPauses(account.books.pauses, isPaused)];
}

/** Of a backfill: another one goes on or did, Redis' clock was set back, or it had begun under the same id. */
const MAY_REFUSE = /goes on; wait|went on when|is to come|went out before it was refused/;

function answeredWithinMs({ fires = [], rate = 1 }: Asking): number {
  return ANSWERED_WITHIN_MS + 2 * fires.length * 1_000 / rate;
}

/** @param told.fires what went out under its name, in the surviving history */
function wrongBackfill(
  world: World,
  request: Asking,
  told: { readonly given: readonly LedgerRow[]; readonly fires: readonly LedgerRow[] },
): string[] {
  const { given, fires } = told;
  const numberOf = (name: string) =>
    given.reduce((sum, { detail }) => sum + Number(detail[name] ?? 0), 0);
  const published = numberOf("published");
  if (published !== fires.length) {
    return [`${request.id} says that it published ${published}, and ${fires.length} are there`];
  }
  if (!given.some(({ detail }) => detail.result === "done")) {
    const refused = given.filter(({ detail }) => detail.result === "refused");
    const isRight = mayBeUnknown(world, request) ||
      refused.every((row) => {
        const reason = String(row.detail.reason);
        const isForItself = reason.startsWith(`${request.id} of the same task`);
        return mayHaveNoList(world, [row]) || (MAY_REFUSE.test(reason) && !isForItself);
      });
    return isRight ? [] : [`${request.id} was refused`];
  }
  const passed = request.fires!.filter(([dueMs]) => !fires.some((row) => row.dueMs === dueMs));
  if (numberOf("passed") !== passed.length) {
    return [`${request.id} says that it passed ${numberOf("passed")} over, not ${passed.length}`];
  }
  const mayPass = passingOf(world, request);
  return passed.filter(([dueMs]) => !mayPass(dueMs)).map(([dueMs]) =>
    `${request.id} passed ${dueMs} over, which was decided and not out`
  );
}

/** Whether the schedule had sent a due time of a backfill, or was to decide it itself. */
function passingOf(world: World, request: Asking): (dueMs: number) => boolean {
  const { account: { rows, cursors }, plan } = world;
  const { task, id } = request;
  const isEdited = plan.faults.some((fault) => fault.kind === "edit" && fault.task.name === task);
  const always = () => true;
  if (isEdited || mayBeUnknown(world, request)) return always;
  const takenUp = rows.find(({ type, detail }) =>
    type === "control.requested" && detail.request === id
  );
  const cursor = cursors.get(task!);
  if (takenUp === undefined || cursor === undefined) return always;
  const own = rows.filter((row) => row.task === task);
  return (dueMs) =>
    cursor.dueMs < dueMs || (cursor.dueMs === dueMs && cursor.pending !== null) ||
    own.some((row) =>
      (row.type === "fire.published" && row.dueMs === dueMs) ||
      (row.atMs > takenUp.atMs - 1_000 && decides(row, dueMs))
    );
}

function decides({ type, dueMs, detail }: LedgerRow, wantedMs: number): boolean {
  return type === "task.dropped"
    ? Number(detail.fromMs) <= wantedMs && wantedMs <= dueMs!
    : type === "fire.skipped" && dueMs === wantedMs;
}

/** Whether its task may not have been known when it was asked for. */
function mayBeUnknown({ plan }: World, { task }: Asking): boolean {
  return plan.faults.some((fault) =>
    fault.kind === "flushall" ||
    ((fault.kind === "remove" || fault.kind === "cursor_deleted") && fault.task === task)
  );
}

/** Whether the key of its queue may have been no list, as the answers say. */
function mayHaveNoList({ plan }: World, given: readonly LedgerRow[]): boolean {
  return plan.faults.some(({ kind }) => kind === "wrong_type") &&
    given.every(({ detail }) => String(detail.reason).includes("not a list"));
}

/** @param isPaused what was asked for and done last, by task */
function wrongPauses(
  pauses: World["account"]["books"]["pauses"],
  isPaused: ReadonlyMap<string, boolean>,
): string[] {
  return [...isPaused].filter(([name, isSo]) => (pauses.get(name)?.untilMs === null) !== isSo)
    .map(([name, isSo]) => `${name} should ${isSo ? "" : "not "}be paused`);
}
