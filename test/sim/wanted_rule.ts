/** Fires that people asked for: each was asked for, goes out once, and every request has an answer. */

import type { LedgerRow } from "./ledger.ts";
import type { World } from "./world.ts";

export interface Wanted {
  /** A request stands in the stream as `entryId`. */
  asked(requestId: string, entryId: string): void;
  /** Why the row of a wanted fire must not be; `null` where it may. */
  whyNot(row: LedgerRow): string | null;
}

export function isWanted({ task }: Pick<LedgerRow, "task">): boolean {
  return task.includes("+");
}

export function wantedFires(): Wanted {
  const entries = new Map<string, string[]>();
  /** By name, the fires that went out under it, in any history. */
  const sent = new Map<string, LedgerRow[]>();
  return {
    asked(requestId, entryId) {
      entries.set(requestId, [...entries.get(requestId) ?? [], entryId]);
    },
    whyNot(row) {
      const requestId = row.task.slice(row.task.indexOf("+") + 1);
      const known = entries.get(requestId);
      if (known === undefined) return "nobody asked for it";
      if (!known.some((id) => Number(id.split("-")[0]) === row.dueMs)) {
        return `it was asked for as ${known.join(" and ")}`;
      }
      const before = sent.get(row.task) ?? [];
      sent.set(row.task, [...before, row]);
      const other = before.find(({ isLost }) => !isLost);
      return other === undefined ? null : `it went out before, as ${other.id}`;
    },
  };
}

/** How long a leader may take for it. Milliseconds. */
const ANSWERED_WITHIN_MS = 10_000;

/** As it stands in the stream. */
interface Asked {
  readonly id: string;
  readonly kind: string;
  /** `null`: of all. */
  readonly task: string | null;
}

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
  const names = new Set(
    standing.filter((row) => row.type === "fire.published" && isWanted(row)).map(({ task }) =>
      task
    ),
  );
  const isPaused = new Map<string, boolean>();
  const wrong = stream.entries.flatMap(({ ms, id, fields }) => {
    if (ms > redis.nowMs() - ANSWERED_WITHIN_MS) return [];
    const request = JSON.parse(fields[1]!) as Asked;
    const given = answers.get(request.id) ?? [];
    if (given.length === 0) return [`${request.id}, entry ${id}, has no answer`];
    const isDone = given.some(({ detail }) => detail.result === "done");
    if (request.kind !== "trigger") {
      if (isDone) isPaused.set(request.task ?? "*", request.kind === "pause");
      return [];
    }
    const isThere = names.has(`${request.task}+${request.id}`);
    if (isDone !== isThere) {
      const [done, there] = [isDone, isThere].map((isSo) => isSo ? "" : "not ");
      return [`${request.id} is ${done}done, and its fire is ${there}there`];
    }
    const isRight = isDone || mayBeUnknown(world, request) || mayHaveNoList(world, given);
    return isRight ? [] : [`${request.id} was refused`];
  });
  return [...wrong, ...wrongPauses(account.books.pauses, isPaused)];
}

/** Whether its task may not have been known when it was asked for. */
function mayBeUnknown({ plan }: World, { task }: Asked): boolean {
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
