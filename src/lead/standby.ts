/**
 * What a standby looks at while it waits: how far the journal is, because it may lead next and must
 * know then whether history was cut; and whether it would run another schedule than the one in force.
 * The leader's configuration rules, and the revisions of its tasks stand in Redis; so neither needs a
 * word from the leader.
 */

import { waitFor } from "../clock.ts";
import { unlessAway } from "../errors.ts";
import { TASK_NAME } from "../fire.ts";
import type { Log } from "../log.ts";
import type { Clock, Journal, Loaded } from "../ports.ts";
import type { History } from "./history.ts";
import { forgetTold, watchJournal } from "./history.ts";
import type { Looks } from "./looks.ts";
import type { Roster } from "../core/roster.ts";

/** How often it looks at the schedule, and for what the leader told. Milliseconds. */
const SCHEDULE_MS = 30_000;
/** A difference must be there this much later, too: replicas do not reload all at once. Milliseconds. */
const AGAIN_MS = 2_000;
/** A difference that stays is said again after this. Milliseconds. */
const REMIND_MS = 600_000;
/** Names of each kind that are said; the rest is counted. */
const NAMES_MAX = 5;

export interface StandbyParts {
  /** As it is: without the watch over its history. */
  readonly journal: Pick<Journal, "load">;
  readonly clock: Clock;
  readonly log: Log;
  readonly ttlMs: number;
  /** This replica's own. */
  readonly declared: { readonly roster: Roster };
  /** @default LOOKS */
  readonly looks?: Looks;
}

interface HistoryParts extends StandbyParts {
  readonly journal: Pick<Journal, "load" | "read" | "trace">;
  readonly history: History;
}

/** All of it, until `signal` is aborted. */
export function watchWhileWaiting(parts: HistoryParts, signal: AbortSignal): void {
  for (const watch of [watchJournal, watchTold, watchSchedule]) {
    watch(parts, signal).catch((error) =>
      parts.log.error("a defect: standing by unseeing", { err: error })
    );
  }
}

/** What the leader has told of is forgotten before the rows that say so are trimmed. */
async function watchTold(
  { journal, clock, history }: HistoryParts,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await waitFor(clock, SCHEDULE_MS, signal);
    if (!signal.aborted) await unlessAway(() => forgetTold(journal, history));
  }
}

/** Says what differs between this replica's schedule and the one in force. */
export async function watchSchedule(parts: StandbyParts, signal: AbortSignal): Promise<void> {
  const { journal, clock, log, declared } = parts;
  let before = "";
  let told = { text: "", atMs: 0 };
  // A leader that has just begun has written what it runs by then.
  let pauseMs = 2 * parts.ttlMs;
  for (;;) {
    await waitFor(clock, pauseMs, signal);
    if (signal.aborted) return;
    // Whoever asks for the lease says where Redis is away.
    const loaded = await unlessAway(() => journal.load("cursors"));
    if (signal.aborted) return;
    pauseMs = SCHEDULE_MS;
    if (loaded === null) continue;
    const difference = differenceOf(declared.roster, loaded.cursors);
    const text = JSON.stringify(difference);
    const isNew = text !== told.text || clock.monotonicMs() - told.atMs >= REMIND_MS;
    if (difference === null) told = { text: "", atMs: 0 };
    else if (text !== before) pauseMs = AGAIN_MS;
    else if (isNew) {
      log.warn(
        "the leader runs another schedule than this replica would; the leader's rules",
        difference,
      );
      told = { text, atMs: clock.monotonicMs() };
    }
    before = text;
  }
}

/** What a person needs to find the file that is old: names by kind; `null` where there is nothing. */
export function differenceOf(
  roster: Roster,
  cursors: Loaded["cursors"],
): Record<string, string> | null {
  const onlyHere = [...roster.keys()].filter((name) => !cursors.has(name));
  const onlyThere = [...cursors.keys()].filter((name) => TASK_NAME.test(name) && !roster.has(name));
  const unlike = [...roster].filter(([name, { revision }]) =>
    cursors.has(name) && cursors.get(name)!.revision !== revision
  ).map(([name]) => name);
  const kinds = Object.entries({ onlyHere, onlyThere, unlike })
    .filter(([, names]) => names.length > 0)
    .map(([kind, names]) => [kind, namesText(names)]);
  return kinds.length === 0 ? null : Object.fromEntries(kinds);
}

function namesText(names: readonly string[]): string {
  const some = names.toSorted().slice(0, NAMES_MAX).join(", ");
  return names.length <= NAMES_MAX ? some : `${some} and ${names.length - NAMES_MAX} more`;
}
