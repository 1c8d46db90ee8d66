/** `beat leader`: who leads, or led last, since when and with which fence, and how many stand by. */

import { EXIT } from "../errors.ts";
import { recordedMs } from "../event.ts";
import type { Journal, Leadership } from "../ports.ts";
import { openJournal } from "./open_journal.ts";
import type { Place } from "./place.ts";
import { NEVER_LED, placeOf } from "./place.ts";
import type { Shell } from "./shell.ts";
import { paintFor } from "./table.ts";
import type { TermStart } from "./term_start.ts";
import { firstRow, termStart } from "./term_start.ts";
import { instantText, spanText } from "./time_text.ts";

export interface LeaderOptions {
  readonly json?: boolean;
}

/** @throws {JournalUnavailableError | ConfigError} */
export async function leader(options: LeaderOptions, shell: Shell): Promise<number> {
  const { peek, lease, config, close } = await openJournal(shell);
  try {
    const standing = await lease.look();
    const { leader } = standing;
    const start = leader === null ? null : await termStart(peek, leader.fence);
    const last = leader === null ? await lastOf(peek) : null;
    const known = { standing, start, last, place: placeOf(config) };
    if (options.json) shell.out(`${JSON.stringify(objectOf(known), null, 2)}\n`);
    else print(known, shell);
    return leader === null ? EXIT.notLeading : EXIT.ok;
  } finally {
    close();
  }
}

interface Known {
  readonly standing: Leadership;
  /** Of the term of the one that leads; `null` where nobody does, or its row is not there. */
  readonly start: TermStart | null;
  /** Who led last; `null` where somebody leads, or nobody ever did. */
  readonly last: Last | null;
  readonly place: Place;
}

interface Last {
  readonly owner: string | null;
  readonly fence: number;
  /** Its newest row. The server's time, Unix milliseconds. */
  readonly atMs: number;
}

/** All rows are a leader's. */
async function lastOf(peek: Pick<Journal, "read" | "readBack">): Promise<Last | null> {
  const newest = await firstRow(peek.readBack({ from: "-", to: "+" }));
  if (newest === null) return null;
  const start = await termStart(peek, newest.fence);
  return { owner: start?.owner ?? null, fence: newest.fence, atMs: recordedMs(newest) };
}

/** Replicas that do not lead; `null` where that cannot be told. */
function standbysOf({ leader, replicas }: Leadership): number | null {
  // The one that leads may have lost its connection.
  return replicas === null ? null : Math.max(0, replicas - (leader === null ? 0 : 1));
}

/** For programs. Names are stable. */
function objectOf({ standing, start, last, place }: Known): Record<string, unknown> {
  const { leader } = standing;
  return {
    owner: leader?.owner ?? null,
    fence: leader?.fence ?? null,
    since: start === null ? null : instantText(start.atMs),
    build: start?.build ?? null,
    lease_left_ms: leader?.leftMs ?? null,
    standbys: standbysOf(standing),
    last: last === null
      ? null
      : { owner: last.owner, fence: last.fence, sign: instantText(last.atMs) },
    ...place,
  };
}

function print(known: Known, shell: Shell): void {
  const { standing, start, last, place } = known;
  const { leader, serverMs } = standing;
  const standbys = standbysOf(standing);
  const spanTo = (atMs: number) => spanText(Math.max(0, serverMs - atMs));
  const lines: [name: string, text: string][] = [];
  if (leader === null) {
    shell.err("nobody leads: nothing is published until a replica takes over\n");
    if (last === null) shell.err(`${NEVER_LED}\n`);
    else {
      lines.push(["led last", last.owner ?? "unknown"], ["fence", String(last.fence)]);
      lines.push(["last sign", `${instantText(last.atMs)} (${spanTo(last.atMs)} ago)`]);
    }
  } else {
    lines.push(["leader", leader.owner], ["fence", String(leader.fence)]);
    if (start !== null) {
      lines.push(["since", `${instantText(start.atMs)} (${spanTo(start.atMs)})`]);
      lines.push(["build", start.build]);
    }
    lines.push(["lease", `${spanText(leader.leftMs)} left`]);
  }
  if (standbys !== null) lines.push(["standbys", String(standbys)]);
  lines.push(["namespace", place.namespace], ["broker", place.broker]);
  const paint = paintFor(shell);
  for (const [name, text] of lines) shell.out(`${paint("bold", name.padEnd(10))}${text}\n`);
}
