/** The calendars that a configuration may name: those of the project, and those of the user. */

import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";

import type { Problem } from "../errors.ts";
import { ConfigError } from "../errors.ts";
import type { CalendarFile } from "./calendar_file.ts";
import { parseCalendar } from "./calendar_file.ts";
import { inDirectory, lostProblem, readEnvironment, readText } from "./env_files.ts";
import { nearest } from "./nearest.ts";

/** Beside the code, wherever Beat runs. */
const SHIPPED = join(import.meta.dirname ?? ".", "../../env/calendars");

export interface CalendarBook {
  /** In the order of their codes. */
  readonly all: readonly CalendarFile[];
  /** By code or alias, whatever the case; `null` where there is none. */
  find(name: string): CalendarFile | null;
  /** What to say after a name that is not known. */
  advice(name: string): string;
}

/** No calendar at all, for a configuration that names none. */
export const NO_CALENDARS: CalendarBook = { all: [], find: () => null, advice: () => "" };

/**
 * Reads every calendar. One of the user's own stands in the place of the project's with the same code.
 *
 * @param own a directory of the user's, and what names it; `null` for none
 * @param before see `LoadOptions`
 */
export async function readCalendars(
  own: { readonly directory: string; readonly by: string } | null,
  problems: Problem[],
  before: readonly string[] = [],
): Promise<CalendarBook> {
  const read = await readDirectory({ directory: SHIPPED, by: "Beat" }, problems, before);
  const owned = own === null ? [] : await readDirectory(own, problems, before);
  return bookOf(
    read.filter(({ spec }) => !owned.some((each) => isSame(each.spec.mic, spec.mic))),
    owned,
    problems,
  );
}

/**
 * The calendars for whoever asks about them without a configuration; only BEAT_CALENDARS counts.
 *
 * @param env the process's environment
 * @throws {ConfigError} with every problem
 */
export async function loadCalendars(
  env: Readonly<Record<string, string | undefined>>,
): Promise<CalendarBook> {
  const problems: Problem[] = [];
  const { variables } = await readEnvironment({ env, directory: "." }, problems);
  const own = variables.get("BEAT_CALENDARS");
  const by = own?.from ?? "BEAT_CALENDARS";
  const book = await readCalendars(
    own === undefined ? null : { directory: inDirectory(own.value.trim(), "."), by },
    problems,
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return book;
}

async function readDirectory(
  { directory, by }: { readonly directory: string; readonly by: string },
  problems: Problem[],
  before: readonly string[],
): Promise<CalendarFile[]> {
  let names: string[];
  try {
    names = (await readdir(directory)).filter((name) => name.endsWith(".json")).sort();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `expected the calendars in \`${directory}\` to be readable, got ${reason}`;
    problems.push({ where: by, message });
    return [];
  }
  const lost = before.filter((file) =>
    file === join(directory, basename(file)) && !names.includes(basename(file))
  );
  problems.push(...lost.map(lostProblem));
  const calendars: CalendarFile[] = [];
  for (const name of names) {
    const file = join(directory, name);
    const text = await readText(file);
    if (text.kind !== "read") {
      const message = `expected the calendar to be readable, got ${text.message}`;
      problems.push({ where: file, message });
      continue;
    }
    const calendar = parseCalendar(file, text.text, problems);
    if (calendar !== null) calendars.push(calendar);
  }
  return calendars;
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function bookOf(
  shipped: readonly CalendarFile[],
  owned: readonly CalendarFile[],
  problems: Problem[],
): CalendarBook {
  const byName = new Map<string, CalendarFile>();
  const names: string[] = [];
  for (const calendar of [...shipped, ...owned]) {
    for (const name of [calendar.spec.mic, ...calendar.aliases]) {
      const other = byName.get(name.toLowerCase());
      if (other !== undefined && other !== calendar) {
        const message = `expected the name ${name} to be of one calendar, got it in ${other.file}`;
        problems.push({ where: calendar.file, message });
      }
      byName.set(name.toLowerCase(), calendar);
      names.push(name);
    }
  }
  const all = [...shipped, ...owned]
    .toSorted((one, other) => one.spec.mic < other.spec.mic ? -1 : 1);
  return {
    all,
    find: (name) => byName.get(name.trim().toLowerCase()) ?? null,
    advice(name) {
      const meant = nearest(name, names);
      const known = all.map(({ spec: { mic } }) => mic).join(", ");
      return meant === "" ? `; known: ${known}` : meant;
    },
  };
}
