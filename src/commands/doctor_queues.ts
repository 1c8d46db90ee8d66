/** What `beat doctor` says of each queue: its length, its age, who consumes it. Pure. */

import type { QueueLook } from "../audit/cause.ts";
import type { Task } from "../task.ts";
import type { Check } from "./doctor_server.ts";
import { failure, fine, warning } from "./doctor_server.ts";
import { noListText, waitText } from "./queue_text.ts";
import { spanText } from "./time_text.ts";

export interface QueueFacts {
  readonly look: QueueLook;
  readonly queue: string;
  /** Those that publish to it. */
  readonly tasks: readonly Task[];
  /** When a fire of one of them was last taken; `null` where the rows that were read do not say. */
  readonly takenMs: number | null;
}

/** A backlog from which on a queue counts as congested. */
const CONGESTED = 2_000;

const MOVE_IT = "move that key";

/** A worker that took something so short a time ago is there, whatever it answers. Milliseconds. */
const TAKEN_MAX_MS = 10_000;

/** @param heartbeats workers that were heard; `null` where nobody listened for long enough */
export function queueCheck(
  { look, queue, tasks, takenMs }: QueueFacts,
  { nowMs, heartbeats }: { readonly nowMs: number; readonly heartbeats: readonly string[] | null },
): Check {
  const { list, wrongType, depth, oldestMs, workers } = look;
  const ageMs = oldestMs === null ? null : Math.max(0, nowMs - oldestMs);
  const waiting = depth === 0
    ? "empty"
    : `${waitText(depth)}${ageMs === null ? "" : `, the oldest for ${spanText(ageMs)}`}`;
  const subject = `queue ${list.replaceAll(/\p{Cc}+/gu, "/")}`;
  if (wrongType !== null) return failure(subject, noListText(queue, wrongType), MOVE_IT);
  if (workers !== null && workers.length === 0) {
    const sinceMs = takenMs === null ? null : nowMs - takenMs;
    if (sinceMs !== null && sinceMs < TAKEN_MAX_MS) {
      const text = `${waiting}; no worker answered, but one took a fire ${spanText(sinceMs)} ago`;
      const advice = "a worker with a solo pool does not answer while it runs a task: look again";
      return warning(subject, text, advice);
    }
    const alive = heartbeats === null || heartbeats.length === 0
      ? ""
      : `; alive, and not on this queue: ${heartbeats.join(", ")}`;
    const advice =
      `start a worker with -Q ${queue} (or look again: one with a solo pool does not ` +
      "answer while it runs a task)";
    return failure(subject, `${waiting}; no worker consumes it${alive}`, advice);
  }
  const by = workers === null
    ? "who consumes it may not be asked"
    : `consumed by ${workers.join(", ")}`;
  const text = `${waiting}; ${by}`;
  const patienceMs = Math.min(...tasks.map(({ takeByMs }) => takeByMs));
  if (ageMs !== null && ageMs > patienceMs) {
    return warning(subject, `${text}: too long for its tasks`, "start more workers for it");
  }
  if (depth >= CONGESTED) return warning(subject, text, "start more workers for it");
  return fine(subject, text);
}

/** What its tasks say of it; `null` where it keeps them from nothing. */
export function queueFault(
  facts: QueueFacts,
  nowMs: number,
): { readonly text: string; readonly advice: string } | null {
  const { queue, look: { wrongType } } = facts;
  if (wrongType !== null) {
    return { text: noListText(queue, wrongType), advice: MOVE_IT };
  }
  if (queueCheck(facts, { nowMs, heartbeats: null }).level !== "failure") return null;
  return { text: `no worker consumes its queue ${queue}`, advice: `start one with -Q ${queue}` };
}
