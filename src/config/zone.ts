/** Time zones as users name them. */

import { nearestWord } from "./nearest.ts";

/** Whether `text` is an IANA zone that this build knows; an offset such as `+02:00` is none. */
export function isZone(text: string): boolean {
  if (known.has(text)) return true;
  if (!/^[A-Za-z]/.test(text)) return false;
  try {
    // As triggers read it. Intl also takes names such as CST and BST, for zones that few mean by them.
    new Temporal.ZonedDateTime(0n, text);
  } catch {
    return false;
  }
  known.add(text);
  return true;
}

/** Asking takes a tenth of a millisecond; thousands of tasks share a few zones. */
const known = new Set<string>();

/** What was expected where `text` is no zone: with the nearest one as the example. */
export function zoneWanted(text: unknown): string {
  const zones = Intl.supportedValuesOf("timeZone");
  const example = typeof text === "string" ? nearestWord(text, zones) : null;
  return `an IANA time zone such as ${example ?? "Europe/Paris"}`;
}
