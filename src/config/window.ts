/** The windows of `beat.yaml`: how one is written, and which one a task has. */

import { z } from "zod";

import { openingsOf, windowText } from "../policies/window.ts";
import type { WindowSpec } from "../task.ts";
import { nameOf } from "./issues.ts";
import { nearest } from "./nearest.ts";
import type { Subject, Telling } from "./policies.ts";
import { isDueEachHour, JUDGED_FROM_MS } from "./rhythm.ts";
import { line, map, zone } from "./shapes.ts";

const A_TIME = "a time of day such as 22:00";
const A_DAY = "days such as mon, fri or mon-fri";
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const time = z.string({ error: A_TIME })
  .regex(/^(([01]?\d|2[0-3]):[0-5]\d|24:00)$/, { error: A_TIME })
  .transform((text) => text === "24:00" ? "00:00" : text.padStart(5, "0"));

/** ISO weekdays, from names, numbers and ranges of them. */
const days = z.union([z.string(), z.array(z.union([z.string(), z.int()]))], { error: A_DAY })
  .transform((written, context) => {
    const items = Array.isArray(written) ? written.map(String) : written.split(",");
    const found = items.flatMap((item) => daysOf(item.trim().toLowerCase()));
    if (found.length > 0 && found.every((day) => day > 0)) return [...new Set(found)].sort();
    context.addIssue({ code: "custom", message: A_DAY });
    return z.NEVER;
  });

/** 0 for what is no day. A range may go over Sunday. */
function daysOf(item: string): number[] {
  const [first = 0, last = 0, ...rest] = item.split("-").map((part) =>
    /^[1-7]$/.test(part) ? Number(part) : DAYS.indexOf(part) + 1
  );
  if (first === 0 || rest.length > 0) return [0];
  if (!item.includes("-")) return [first];
  if (last === 0) return [0];
  return Array.from({ length: (last - first + 7) % 7 + 1 }, (_, at) => (first - 1 + at) % 7 + 1);
}

const hours = z.strictObject({
  from: time,
  to: time,
  tz: zone.optional(),
  days: days.optional(),
}, map).refine(({ from, to }) => from !== to, {
  path: ["to"],
  error: "another time than `from` (a window of zero length never opens; a task that may run " +
    "all day has none)",
});

type Hours = z.output<typeof hours>;

const NONE = "none";

/** What a task says of its window. */
export const WINDOW = z.union([line, hours], {
  error: "none, the name of one of `windows`, or a map of from, to, tz and days",
});

/** The windows that tasks share, by name. */
export const WINDOWS = z.record(
  z.string().regex(/^[A-Za-z0-9_.:-]{1,64}$/, {
    error: "at most 64 letters, digits, `_`, `.`, `:` and `-`",
  }).refine((name) => name !== NONE, { error: "another word: none stands for no window" }),
  hours,
  map,
).nullable().optional().transform((value) => value ?? {});

/** The window that heavy tasks have by default; `windows` may declare it otherwise. */
const OFF_PEAK = "off_peak";
const OFF_PEAK_HOURS: Hours = { from: "22:00", to: "06:00" };

/** The window of a task, or `null`. What is wrong or odd about it is told. */
export function windowOf(subject: Subject, telling: Telling): WindowSpec | null {
  const { name, entry } = subject;
  const { yaml } = telling;
  const written = entry.window ?? yaml.data.defaults.window;
  if (written === NONE || (written === undefined && entry.heavy !== true)) return null;
  if (written === undefined) return heavyWindow(subject, telling);
  const path = entry.window === undefined ? ["defaults", "window"] : ["tasks", name, "window"];
  const spec = specOf(written, path, telling);
  if (spec !== null && isDueOutside(subject, spec)) {
    telling.hint(`${held(subject, spec)}`);
  }
  return spec;
}

/** A default gives way to a time that somebody wrote, and to nothing else. */
function heavyWindow(subject: Subject, telling: Telling): WindowSpec | null {
  const spec = specOf(OFF_PEAK, [], telling);
  if (spec === null || !isDueOutside(subject, spec)) return spec;
  if (subject.timing?.isStated !== true) {
    telling.hint(
      `${held(subject, spec)}. It is heavy, so this is its default; \`window: none\` ends it`,
    );
    return spec;
  }
  telling.hint(
    `${subject.name} is heavy, but ${subject.timing.text} is outside of the default window ` +
      `${
        windowText(spec)
      }: the written time holds. \`window: ${OFF_PEAK}\` would let it wait for ` +
      "the window, `window: none` ends this hint",
  );
  return null;
}

function held({ name, timing }: Subject, spec: WindowSpec): string {
  return `${name}: ${timing?.text} is outside of its window ${windowText(spec)}: ` +
    "what is due then waits until the window opens";
}

function specOf(
  written: string | Hours,
  path: readonly string[],
  { yaml, timezone, tell }: Telling,
): WindowSpec | null {
  if (typeof written !== "string") return specFrom(null, written, timezone);
  const shared: Readonly<Record<string, Hours>> = {
    [OFF_PEAK]: OFF_PEAK_HOURS,
    ...yaml.data.windows,
  };
  if (Object.hasOwn(shared, written)) return specFrom(written, shared[written]!, timezone);
  // Where the section is damaged, nobody knows which names it has.
  if (yaml.lost.has("windows")) return null;
  const known = [...Object.keys(shared), NONE];
  const slip = nearest(written, known);
  tell({
    where: yaml.whereOf(path),
    message: `expected \`${nameOf(path)}\` to be none, or the name of one of \`windows\`, got ` +
      `${JSON.stringify(written)}${slip === "" ? `; known: ${known.join(", ")}` : slip}`,
  });
  return null;
}

function specFrom(
  name: string | null,
  { from, to, tz, days }: Hours,
  timezone: string,
): WindowSpec {
  return { name, from, to, tz: tz ?? timezone, days: days ?? null };
}

/** Days on both sides of a change of the clocks. A thousand looks at each of 20,000 tasks take seconds. */
const LOOKS_MAX = 128;

/** Whether a task that is due at times of its own is due while its window is closed. */
function isDueOutside({ trigger, timing }: Subject, spec: WindowSpec): boolean {
  // Who is due each hour has no times of its own: a window only says which of the hours count.
  if (timing === null || isDueEachHour(trigger)) return false;
  const openings = openingsOf(spec);
  let dueMs = trigger.next(JUDGED_FROM_MS) ?? trigger.next(-Infinity);
  for (let looks = 0; dueMs !== null && looks < LOOKS_MAX; looks++) {
    if (openings.at(dueMs).fromMs > dueMs) return true;
    dueMs = trigger.next(dueMs);
  }
  return false;
}
