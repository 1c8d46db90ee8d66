/**
 * Time zones as stretches of constant offset, remembered once found. Temporal knows the rules and is
 * asked only about a stretch that nobody has asked for before.
 */

import { distance } from "fastest-levenshtein";
import { TriggerError } from "../errors.ts";

/** The instants in [fromMs, endMs), throughout which local time is UTC plus `offsetMs`. */
export interface Stretch {
  /** `-Infinity` for the first. */
  readonly fromMs: number;
  /** `Infinity` for the last. */
  readonly endMs: number;
  readonly offsetMs: number;
}

export interface Zone {
  readonly id: string;
  /** The stretch that an instant lies in. Whole Unix milliseconds. */
  at(instantMs: number): Stretch;
}

/** No zone is or was further than this from UTC. */
export const OFFSET_MAX_MS = 16 * 3_600_000;

/** So many at most, so that questions about strange names cannot fill the memory. */
const ZONES_MAX = 2_000;
const zones = new Map<string, Zone>();

/**
 * The zone of an IANA name.
 * @throws {TriggerError} there is none; the message has the most similar name
 */
export function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) {
    zone = makeZone(name);
    if (zones.size >= ZONES_MAX) zones.clear();
    zones.set(name, zone);
  }
  return zone;
}

function makeZone(name: string): Zone {
  const id = identify(name);
  /** In order of time; there may be holes between them. */
  const known: Stretch[] = [];
  let recent: Stretch = { fromMs: 0, endMs: 0, offsetMs: 0 };

  return {
    id,
    at(instantMs) {
      if (instantMs >= recent.fromMs && instantMs < recent.endMs) return recent;
      let low = 0;
      let high = known.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (known[middle]!.endMs <= instantMs) low = middle + 1;
        else high = middle;
      }
      const found = known[low];
      if (found !== undefined && found.fromMs <= instantMs) {
        recent = found;
      } else {
        recent = ask(id, instantMs);
        known.splice(low, 0, recent);
      }
      return recent;
    },
  };
}

function ask(id: string, instantMs: number): Stretch {
  const at = Temporal.Instant.fromEpochMilliseconds(instantMs).toZonedDateTimeISO(id);
  // "previous" means strictly before, and a transition at this very instant belongs to the stretch.
  const from = at.add({ milliseconds: 1 }).getTimeZoneTransition("previous");
  const end = at.getTimeZoneTransition("next");
  return {
    fromMs: from?.epochMilliseconds ?? -Infinity,
    endMs: end?.epochMilliseconds ?? Infinity,
    offsetMs: at.offsetNanoseconds / 1e6,
  };
}

function identify(name: string): string {
  try {
    // An offset such as +02:00 is no zone: it would be wrong after the next change of the clocks.
    if (/^[a-z]/i.test(name)) return new Temporal.ZonedDateTime(0n, name).timeZoneId;
  } catch {
    // Refused below, like an offset.
  }
  const nearest = nearestZone(name.slice(0, NAME_MAX));
  const advice = nearest === null ? "" : `; did you mean "${nearest}"?`;
  throw new TriggerError(
    `expected \`tz\` to be an IANA zone such as "Europe/Berlin", got "${name}"${advice}`,
    name,
  );
}

/** Longer than any zone's name; what follows is not compared. */
const NAME_MAX = 64;

/** The known zone whose name takes the fewest changes, or `null` when none is similar. */
function nearestZone(name: string): string | null {
  const wanted = name.toLowerCase().replaceAll(" ", "_");
  // A misspelt city without its continent is as likely as a misspelt name.
  const candidates = Intl.supportedValuesOf("timeZone").map((id) => {
    const full = id.toLowerCase();
    const city = full.slice(full.lastIndexOf("/") + 1);
    return { id, changes: Math.min(distance(wanted, full), distance(wanted, city)) };
  });
  const best = candidates.reduce((a, b) => (b.changes < a.changes ? b : a));
  return best.changes <= Math.max(1, wanted.length / 3) ? best.id : null;
}
