/** Headers of an objective's source: their secrets stand in variables, and never in `beat.yaml`. */

import { z } from "zod";

import type { SourceHeaders } from "../level.ts";
import type { Path } from "./issues.ts";
import { HIDDEN, nameOf } from "./issues.ts";
import { map } from "./shapes.ts";

const TEXT = "text such as Bearer ${BEAT_PROMETHEUS_TOKEN}";
const NAME = "the name of a header";

/** By name. */
export const HEADERS = z.record(
  z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, { error: NAME }),
  z.string({ error: TEXT }).min(1, { error: TEXT }).max(4_000, { error: TEXT }),
  map,
).optional();

/** Beat's permission lets it see no other variables of its process. */
const VARIABLE = /^BEAT_[A-Z0-9_]+$/;
const PLACE = /\$\{([^}]*)\}/g;
/** What a header may hold. */
const SENT = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
/** Headers that are there to prove something. */
const SECRET = /^(proxy-)?authorization$|^cookie$|token|secret|password|api-?key/i;

/** Shorter ones prove nothing, and hidden wherever they occur they would hide the message. */
const HIDDEN_MIN = 4;

/**
 * The headers as they are sent. Nothing of a value is told, neither as it is written nor as it is sent.
 *
 * @param path of the map of headers
 * @param variable the value of a variable; `undefined` where it is not set
 */
export function headersOf(
  written: z.output<typeof HEADERS>,
  { path, variable, tell }: {
    readonly path: Path;
    variable(name: string): string | undefined;
    tell(path: Path, message: string): void;
  },
): SourceHeaders {
  const secrets = new Set<string>();
  const values = Object.entries(written ?? {}).map(([header, text]) => {
    const own = [...path, header];
    const name = `\`${nameOf(own)}\``;
    const problem = problemOf(header, text);
    if (problem !== null) tell(own, `expected ${name} to ${problem}`);
    const sent = text.replaceAll(PLACE, (_, word: string) => {
      const value = variable(word)?.trim() ?? "";
      if (problem !== null) return value;
      if (!SENT.test(value)) {
        const got = value === "" ? "nothing: set it, or put it into an env file" : HIDDEN;
        tell(own, `expected ${word}, which ${name} names, to be a line of ASCII, got ${got}`);
      }
      if (value.length >= HIDDEN_MIN) secrets.add(value);
      return value;
    });
    return [header, sent] as const;
  });
  return { values: Object.fromEntries(values), secrets: [...secrets] };
}

/** What is wrong with a value as it is written; `null` for nothing. */
function problemOf(header: string, text: string): string | null {
  const names = Array.from(text.matchAll(PLACE), ([, name = ""]) => name);
  const rest = text.replaceAll(PLACE, "x");
  if (!SENT.test(rest) || rest.includes("${")) return `be one line of ${TEXT}, got ${HIDDEN}`;
  if (names.some((name) => !VARIABLE.test(name))) {
    return `name variables that begin with BEAT_ (\${BEAT_PROMETHEUS_TOKEN}), got ${
      names.join(", ")
    }`;
  }
  if (names.length > 0 || !SECRET.test(header)) return null;
  return "take its secret from a variable (Bearer ${BEAT_PROMETHEUS_TOKEN}), got it in the file";
}
