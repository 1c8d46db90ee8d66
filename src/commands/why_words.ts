/** The story of a due time in plain sentences. */

import type { Cause, QueueLook } from "../audit/cause.ts";
import type { Leading } from "../audit/leading.ts";
import type { ScheduleThen } from "../audit/schedule_then.ts";
import type { Awaited, Story, Verdict } from "../audit/why.ts";
import type { Detail, EventType, JournalRow } from "../event.ts";
import { isEventType, recordedMs, rowOf } from "../event.ts";
import type { Reading } from "../triggers/mod.ts";
import { NEVER_LED } from "./place.ts";
import { noListText } from "./queue_text.ts";
import { dueText, instantText, spanText } from "./time_text.ts";
import { triggerText } from "./trigger_text.ts";

/** One line of a story. */
export interface Sentence {
  /** When it happened; `null` where it is no event. Unix milliseconds. */
  readonly atMs: number | null;
  readonly text: string;
}

/** What became of it, in a few words. */
export function verdictText({ verdict, rows }: Story): string {
  if (verdict === "finished") {
    const { outcome } = rows.findLast(({ type }) => type === "fire.finished")!.detail;
    return FINISHED[String(outcome)] ?? `finished: ${outcome}`;
  }
  return VERDICT[verdict];
}

const FINISHED: Readonly<Record<string, string>> = {
  success: "it ran, with success",
  failure: "it ran, and failed",
  revoked: "somebody revoked it",
  lost: "its worker is gone, and the run with it",
  unknown: "its message was taken and acknowledged; nobody stored how it ended",
};

const VERDICT: Readonly<Record<Exclude<Verdict, "finished">, string>> = {
  "not due": "nothing was due at that time",
  "to come": "its time has not come",
  acked: "a worker has taken its message for good; how the run ended is not known yet",
  expired: "published, and expired before a worker ran it",
  taken: "published, and a worker has it",
  waiting: "published, and no worker has taken it yet",
  held: "held back",
  skipped: "skipped",
  dropped: "dropped: it was not published",
  undecided: "no row says yet what became of it: it was not published",
  off: "the task was switched off: it was not published",
  "not known yet": "the task was not in the schedule yet: it was not published",
  forgotten: "the journal has no rows of that time any more",
  "further on": "published or decided; what followed is further on in the journal than was read",
  missed: "missed: its time was passed over, and nothing in the journal says why",
};

/** By which trigger it was due, and since when that is so. */
export function scheduleSentences(
  schedule: ScheduleThen,
  dueMs: number,
  isDue: boolean,
): Sentence[] {
  switch (schedule.kind) {
    case "on": {
      const { declared: { spec }, sinceMs, trigger, changedMs } = schedule;
      const since = sinceMs === null
        ? "as the configuration says now; the row that declared it was not found near"
        : `declared so since ${instantText(sinceMs)}`;
      const changed = changedMs === null ? "" : `, changed at ${instantText(changedMs)}`;
      const by = `${triggerText(spec)} (${since}${changed})`;
      const reading = isDue ? trigger.explain?.(dueMs) ?? null : null;
      return [
        { atMs: dueMs, text: isDue ? `due by ${by}` : `not due by ${by}` },
        ...(reading === null || isUtc(reading, dueMs) ? [] : [dstSentence(reading)]),
      ];
    }
    case "retired":
      return [{
        atMs: schedule.sinceMs,
        text: "taken out of the schedule: it was not due after that",
      }];
    case "not yet":
      return [{
        atMs: schedule.knownMs,
        text: "taken into the schedule: due times count from here on",
      }];
    case "unknown":
      return [{
        atMs: null,
        text: "what the schedule said then is not in the rows that were read; --deep reads on",
      }];
  }
}

/** Then the local clock says nothing that the due time does not. */
function isUtc({ local, dst }: Reading, dueMs: number): boolean {
  return dst === null && dueText(dueMs).startsWith(local);
}

function dstSentence({ local, dst }: Reading): Sentence {
  if (dst === null) return { atMs: null, text: `that was ${local} by the clock of its zone` };
  const text = dst === "moved"
    ? `${local} did not exist there: the clocks went forward over it, so it was due at the first ` +
      "instant after"
    : `${local} came twice there: the clocks went back, and this is the first time`;
  return { atMs: null, text };
}

export interface RowContext {
  readonly publishedMs: number | null;
  readonly owners: ReadonlyMap<number, string>;
  readonly queue: string | null;
  readonly expiresMs: number | null;
  taskIdOf(row: JournalRow): string;
}

/** A row of the fire as a sentence. */
export function rowSentence(row: JournalRow, context: RowContext): Sentence {
  const text = isEventType(row.type) ? wordsOf(row, row.type, context) : null;
  return { atMs: recordedMs(row), text: text ?? `${row.type} ${JSON.stringify(row.detail)}` };
}

function wordsOf<T extends EventType>(
  row: JournalRow,
  type: T,
  context: RowContext,
): string | null {
  const known = rowOf(row, type);
  const words = WORDS[type];
  return known === null || words === undefined ? null : words(known.detail, row, context);
}

const WORDS: {
  readonly [T in EventType]?: (detail: Detail<T>, row: JournalRow, context: RowContext) => string;
} = {
  "fire.due": () => "held by a policy",
  "fire.delayed": ({ untilMs, by, reason }) =>
    `held back ${untilMs === null ? "" : `until ${dueText(untilMs)} `}by ${by}: ${reason}`,
  "fire.skipped": ({ by, reason }) => `skipped by ${by}: ${reason}`,
  "fire.published": ({ attempt }, row, { queue, expiresMs, owners, taskIdOf }) => {
    const again = attempt === undefined ? "" : ` anew (attempt ${attempt + 1})`;
    const lateMs = recordedMs(row) - row.dueMs!;
    const end = expiresMs === null
      ? ""
      : `; it expires at ${instantText(recordedMs(row) + expiresMs)}`;
    return `published${again}${queue === null ? "" : ` to queue ${queue}`}, ` +
      `${spanText(lateMs)} after it was due, by ${leaderText(row.fence, owners)} ` +
      `as Celery task ${taskIdOf(row)}${end}`;
  },
  "fire.taken": ({ by, worker }, row, { publishedMs }) =>
    `${worker ?? "a worker"} took it, ${sinceText(row, publishedMs)}; seen by ${
      EVIDENCE[by] ?? by
    }`,
  "fire.overdue": ({ takeByMs }) => `overdue: no worker had taken it by ${dueText(takeByMs)}`,
  "fire.redelivered": ({ deliveries }) =>
    `delivered again, ${deliveries} times now: a worker gave it back, or had it for longer than ` +
    "the visibility timeout",
  "fire.acked": ({ by, worker }, row, { publishedMs }) =>
    `${worker ?? "a worker"} acknowledged it, ${sinceText(row, publishedMs)}; seen by ` +
    `${EVIDENCE[by] ?? by}`,
  "fire.finished": ({ outcome, runtimeMs }) =>
    `finished: ${outcome}${runtimeMs === undefined ? "" : `, ran ${spanText(runtimeMs)}`}`,
  "fire.expired": ({ reason, by }, row, { publishedMs }) =>
    reason === "ttl"
      ? `expired: its own end passed before a worker ran it, ${sinceText(row, publishedMs)}; ` +
        `seen by ${by === "worker" ? "a worker" : "Beat"}`
      : `given up: no worker acknowledged it, ${sinceText(row, publishedMs)}`,
  "fire.late_ack": ({ by, outcome }) =>
    `a word on it after its end, by ${EVIDENCE[by] ?? by}${
      outcome === undefined ? "" : `: ${outcome}`
    }`,
  "task.dropped": ({ fromMs, toMs, count, by, reason }) =>
    `${by} let ${count === 1 ? "1 due time" : `${count} due times`} go, from ` +
    `${dueText(fromMs)} to ${dueText(toMs)}: ${REASON[reason] ?? reason}`,
};

const EVIDENCE: Readonly<Record<string, string>> = {
  unacked: "the broker (reserved)",
  broker: "the broker (gone from it)",
  result: "its result",
  event: "the worker's event",
};

const REASON: Readonly<Record<string, string>> = {
  superseded: "a newer due time took its place (superseded)",
  late: "too late to be on time (late)",
};

function sinceText(row: JournalRow, publishedMs: number | null): string {
  return publishedMs === null
    ? `${spanText(recordedMs(row) - row.dueMs!)} after it was due`
    : `${spanText(recordedMs(row) - publishedMs)} after the publish`;
}

function leaderText(fence: number, owners: ReadonlyMap<number, string>): string {
  return `${owners.get(fence) ?? "the leader"} (fence ${fence})`;
}

/** Who led when it was due. */
export function leadingText(leading: Leading, owners: ReadonlyMap<number, string>): string {
  switch (leading.kind) {
    case "led":
      return `${leaderText(leading.fence, owners)} led`;
    case "vacant": {
      const { fence, fromMs, reason, untilMs, nextFence } = leading;
      const end = reason === null
        ? `gave its last sign at ${instantText(fromMs)}`
        : `ended at ${instantText(fromMs)} (${reason})`;
      const next = untilMs === null
        ? nextFence === null ? "nobody has led since" : `then ${leaderText(nextFence, owners)}`
        : `${leaderText(nextFence!, owners)} began at ${instantText(untilMs)}`;
      return `nobody led: ${leaderText(fence, owners)} ${end}; ${next}`;
    }
    case "never":
      return leading.untilMs === null
        ? "nobody has ever led"
        : `nobody had led yet; the first leader began at ${instantText(leading.untilMs)}`;
    case "unknown":
      return "who led then is not in the journal any more";
  }
}

export function awaitedText({ what, untilMs, then }: Awaited): string {
  const wanted =
    { take: "a worker to take it", ack: "its end", finish: "word of how it ended" }[what];
  const end = {
    alarm: "after that it counts as overdue",
    expire: "after that it expires",
    "give up": "after that it is given up",
    "outcome unknown": "after that its outcome counts as unknown",
  }[then];
  return `awaited: ${wanted}, until ${instantText(untilMs)}; ${end}`;
}

/** Why, and what to do. @param queue of the task */
export function causeText(cause: Cause, queue: QueueLook | null): string {
  const name = queue?.list ?? "its queue";
  switch (cause.kind) {
    case "nobody led":
      return nobodyText(cause);
    case "leader silent":
      return `the leader wrote nothing from ${instantText(cause.fromMs)} to ` +
        `${instantText(cause.untilMs)}: Redis did not answer it, it stood still, or the clock of ` +
        "Redis was set forward";
    case "waits behind":
      return `${cause.by} holds the fire that was due at ${
        dueText(cause.heldMs)
      }, and those after ` +
        "it follow in order";
    case "skips go on":
      return `${cause.by}: ${cause.reason}; the row of ${instantText(cause.saidMs)} says so, and ` +
        "those skipped after it have one row within the hour";
    case "leader behind":
      return "a leader is there and has not come to it: see its log; `beat doctor` shows its lease";
    case "clock behind":
      return `the clock of Redis is ${
        spanText(cause.byMs)
      } behind what was decided already (it was ` +
        "set back): nothing fires again until it gets there; set that clock right";
    case "switched off":
      return "the task was switched off" +
        (cause.sinceMs === null ? "" : ` at ${instantText(cause.sinceMs)}`) +
        (cause.by === null ? "" : `: now by ${cause.by}`);
    case "declared later":
      return `the task came into the schedule at ${
        instantText(cause.knownMs)
      }; the past is not fired`;
    case "policy":
      return `${cause.by}: ${REASON[cause.reason] ?? cause.reason}`;
    case "no list":
      return `${noListText(name, cause.type)}; move that key`;
    case "no worker":
      return cause.isThen
        ? `no worker took anything from ${name} while it waited`
        : `no worker consumes ${name}: start one with -Q ${name}`;
    case "workers busy":
      return `workers served ${name}, and did not get to it in time: it was too long for them`;
    case "expires":
      return "its `expires` passed while it waited in the queue";
  }
}

function nobodyText(
  { fromMs, untilMs, sameOwner }: Extract<Cause, { kind: "nobody led" }>,
): string {
  if (fromMs === null && untilMs === null) {
    return NEVER_LED;
  }
  if (untilMs === null) {
    return `Beat is not running: nobody has led since ${instantText(fromMs!)}; start it with ` +
      "`beat run`";
  }
  if (fromMs === null) return `Beat was not running before ${instantText(untilMs)}`;
  const between = `from ${instantText(fromMs)} to ${instantText(untilMs)}`;
  return sameOwner
    ? `no leader gave a sign ${between}, and the same replica led again: it or its machine stood ` +
      "still, lost Redis, or the clock of Redis was set forward"
    : `Beat was not running ${between}: nobody led`;
}
