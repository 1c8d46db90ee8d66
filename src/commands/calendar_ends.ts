/** Calendars whose data end soon or have ended, and what becomes of the tasks that follow them. Pure. */

import type { CalendarSpec, Task } from "../task.ts";
import { calendarsOf } from "../task.ts";
import { calendarOf, dayNumber } from "../triggers/calendar.ts";
import type { Check } from "./doctor_server.ts";
import { warning } from "./doctor_server.ts";

/** So long before the end it is said. Days. */
const END_NOTICE_DAYS = 90;

const ADVICE =
  "take a newer Beat, or put a newer file in the directory that BEAT_CALENDARS names " +
  "(env/calendars/README.md says how to extend a year)";

/** A sentence for each such calendar that some task follows. */
export function calendarHints(tasks: readonly Task[], nowMs: number): string[] {
  return endings(tasks, nowMs).map((text) => `${text}; ${ADVICE}`);
}

/** The same for `beat doctor`. */
export function calendarChecks(tasks: readonly Task[], nowMs: number): Check[] {
  return endings(tasks, nowMs).map((text) => warning("calendars about to end", text, ADVICE));
}

function endings(tasks: readonly Task[], nowMs: number): string[] {
  const specs = new Set(tasks.flatMap(calendarsOf));
  return [...specs].flatMap((spec) => {
    const daysLeft = dayNumber(spec.validTo) - calendarOf(spec).dayOf(nowMs);
    if (daysLeft > END_NOTICE_DAYS) return [];
    const when = daysLeft < 0
      ? `ended on ${spec.validTo}`
      : `ends on ${spec.validTo}, ${daysLeft === 0 ? "today" : `in ${daysText(daysLeft)}`}`;
    return [`calendar ${spec.mic} ${when}: ${consequences(tasks, spec).join("; ")}`];
  });
}

function daysText(days: number): string {
  return days === 1 ? "1 day" : `${days} days`;
}

/** What its followers do beyond the data. */
function consequences(tasks: readonly Task[], spec: CalendarSpec): string[] {
  const onEntry = (kind: "due" | "fire" | "skip") =>
    tasks.filter((task) => endOf(task, spec).includes(kind)).map(({ name }) => name).join(", ");
  const [due, fire, skip] = [onEntry("due"), onEntry("fire"), onEntry("skip")];
  return [
    ...(due === "" ? [] : [`after that ${due} is never due`]),
    ...(fire === "" ? [] : [`after that ${fire} fires at all hours (\`unknown: fire\`)`]),
    ...(skip === "" ? [] : [`after that ${skip} does not fire (\`unknown: skip\`)`]),
  ];
}

function endOf({ trigger, policies }: Task, spec: CalendarSpec): ("due" | "fire" | "skip")[] {
  const { session } = policies;
  return [
    ...(trigger.kind === "session" && trigger.calendar === spec ? ["due" as const] : []),
    ...(session?.calendars.includes(spec) ? [session.unknown] : []),
  ];
}
