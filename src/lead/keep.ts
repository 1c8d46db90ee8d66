/** Keeps the journal within its limits for as long as this replica leads, at a slow pace. */

import type { TermInput } from "../../machines/supervisor.ts";
import { waitFor } from "../clock.ts";
import type { World } from "../core/world.ts";
import { ArchiveError, JournalUnavailableError } from "../errors.ts";
import { fireIdOf } from "../fire.ts";
import type { Archive } from "../ports.ts";
import type { Limits, RetainParts } from "../retain/retain.ts";
import { retain } from "../retain/retain.ts";
import type { Office } from "./office.ts";

/** Where old rows go, and when. */
export interface Retention {
  readonly limits: Limits;
  /** @param epoch which history it is of */
  archiveOf(epoch: string): Archive;
}

/** A new leader has more urgent things to do first. Milliseconds. */
const FIRST_MS = 10_000;
const PACE_MS = 60_000;

/** Until `signal` is aborted. Whatever is wrong with the archive, the leader leads on. */
export async function keepJournal(
  office: Office,
  { fence }: TermInput,
  signal: AbortSignal,
  onFenced: () => void,
): Promise<void> {
  const { parts, seen } = office;
  const { retention, log, clock } = parts;
  if (retention === undefined || office.now === null) return;
  const work: RetainParts = {
    ...parts,
    archive: retention.archiveOf(seen.epoch ?? parts.newEpoch),
    limits: retention.limits,
    openFires: () => openFiresOf(office.now?.world ?? null),
  };
  let told = "";
  await waitFor(clock, FIRST_MS, signal);
  while (!signal.aborted) {
    try {
      const kept = await retain(work, fence, signal);
      if (kept.kind === "fenced") return onFenced();
      if (kept.rows > 0) log.info("rows went to the archive", { count: kept.rows });
      if (kept.heldBy !== null && kept.heldBy !== told) {
        log.warn("the journal is over its limits: an open fire keeps its rows, and those after", {
          fire: kept.heldBy,
        });
      }
      told = kept.heldBy ?? "";
    } catch (error) {
      if (!(error instanceof ArchiveError || error instanceof JournalUnavailableError)) throw error;
      if (told !== error.message) {
        log.error("old rows stay in Redis: they cannot be archived", { err: error });
      }
      told = error.message;
    }
    await waitFor(clock, PACE_MS, signal);
  }
}

function openFiresOf(world: World | null): Set<string> {
  const fires = new Set<string>();
  if (world === null) return fires;
  for (const { task, dueMs } of world.open.values()) fires.add(fireIdOf(task, dueMs));
  for (const [task, { dueMs, pending }] of world.cursors) {
    if (pending !== undefined) fires.add(fireIdOf(task, dueMs));
  }
  return fires;
}
