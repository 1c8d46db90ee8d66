/** What a server in trouble refuses, in the order in which a real one looks. */

import { ReplyError } from "./redis_words.ts";

/** The trouble that a server is in; the world sets it. */
export interface Conditions {
  /** Above `maxmemory`, with `noeviction`. */
  isOutOfMemory: boolean;
  /** The append-only file cannot be written. Under `appendfsync always` a real server ends instead. */
  isDiskFull: boolean;
  isLoading: boolean;
  /** Another refusal of everything: `BUSY …`, `MASTERDOWN …`, `NOAUTH …`; `null` for none. */
  refusal: string | null;
}

export const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
export const READ_ONLY = "READONLY You can't write against a read only replica.";
export const DISK_FULL = "MISCONF Errors writing to the AOF file: No space left on device";
const LOADING = "LOADING Redis is loading the dataset in memory";

export function calmConditions(): Conditions {
  return { isOutOfMemory: false, isDiskFull: false, isLoading: false, refusal: null };
}

export interface Demands {
  readonly isWrite: boolean;
  readonly needsMemory: boolean;
  readonly isForLoading: boolean;
  readonly isPing: boolean;
}

/** Why a command with these demands is refused; `null` when it is not. */
export function denialOf(
  { isOutOfMemory, isDiskFull, isLoading, refusal }: Conditions,
  isReplica: boolean,
  { isWrite, needsMemory, isForLoading, isPing }: Demands,
): ReplyError | null {
  // A replica leaves its memory to its master.
  const text = isOutOfMemory && needsMemory && !isReplica
    ? OUT_OF_MEMORY
    : isDiskFull && !isReplica && (isWrite || isPing)
    ? DISK_FULL
    : isReplica && isWrite
    ? READ_ONLY
    : isLoading && !isForLoading
    ? LOADING
    : refusal !== null && !(refusal.startsWith("MASTERDOWN") && isForLoading) &&
        (isWrite || refusal !== READ_ONLY)
    ? refusal
    : null;
  return text === null ? null : new ReplyError(text);
}
