/** `beat leader`: who leads, since when and with which fence, and how many stand by. */

import { EXIT } from "../errors.ts";
import type { Leadership } from "../ports.ts";
import { openJournal } from "./open_journal.ts";
import type { Shell } from "./shell.ts";
import { paintFor } from "./table.ts";
import type { TermStart } from "./term_start.ts";
import { termStart } from "./term_start.ts";
import { instantText, spanText } from "./time_text.ts";

export interface LeaderOptions {
  readonly json?: boolean;
}

/** @throws {JournalUnavailableError | ConfigError} */
export async function leader(options: LeaderOptions, shell: Shell): Promise<number> {
  const { peek, lease, close } = await openJournal(shell.env);
  try {
    const standing = await lease.look();
    const start = standing.leader === null ? null : await termStart(peek, standing.leader.fence);
    if (options.json) shell.out(`${JSON.stringify(objectOf(standing, start), null, 2)}\n`);
    else print(standing, start, shell);
    return standing.leader === null ? EXIT.notLeading : EXIT.ok;
  } finally {
    close();
  }
}

/** Replicas that do not lead; `null` where that cannot be told. */
function standbysOf({ leader, replicas }: Leadership): number | null {
  // The one that leads may have lost its connection.
  return replicas === null ? null : Math.max(0, replicas - (leader === null ? 0 : 1));
}

/** For programs. Names are stable. */
function objectOf(standing: Leadership, start: TermStart | null): Record<string, unknown> {
  const { leader } = standing;
  return {
    owner: leader?.owner ?? null,
    fence: leader?.fence ?? null,
    since: start === null ? null : instantText(start.atMs),
    build: start?.build ?? null,
    lease_left_ms: leader?.leftMs ?? null,
    standbys: standbysOf(standing),
  };
}

function print(standing: Leadership, start: TermStart | null, shell: Shell): void {
  const { leader, serverMs } = standing;
  const standbys = standbysOf(standing);
  const lines: [name: string, text: string][] = [];
  if (leader === null) shell.err("nobody leads: nothing is published until a replica takes over\n");
  else {
    lines.push(["leader", leader.owner], ["fence", String(leader.fence)]);
    if (start !== null) {
      const agoMs = Math.max(0, serverMs - start.atMs);
      lines.push(["since", `${instantText(start.atMs)} (${spanText(agoMs)})`]);
      lines.push(["build", start.build]);
    }
    lines.push(["lease", `${spanText(leader.leftMs)} left`]);
  }
  if (standbys !== null) lines.push(["standbys", String(standbys)]);
  const paint = paintFor(shell);
  for (const [name, text] of lines) shell.out(`${paint("bold", name.padEnd(10))}${text}\n`);
}
