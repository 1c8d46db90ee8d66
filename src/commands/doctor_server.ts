/** What `beat doctor` says of the server, of who leads, and of the workers as a whole. Pure. */

import type { Leadership } from "../ports.ts";
import { isTooOld, OLDEST_TEXT } from "../redis/server_check.ts";
import type { JournalSize, ServerFacts, Unacked } from "../redis/server_facts.ts";
import { NEVER_LED } from "./place.ts";
import { spanText } from "./time_text.ts";

export interface Check {
  readonly level: "fine" | "warning" | "failure";
  /** What was looked at, in a word or two. */
  readonly subject: string;
  readonly text: string;
  /** What to do; `null` where there is nothing to do. */
  readonly advice: string | null;
}

export function fine(subject: string, text: string): Check {
  return { level: "fine", subject, text, advice: null };
}

export function warning(subject: string, text: string, advice: string): Check {
  return { level: "warning", subject, text, advice };
}

export function failure(subject: string, text: string, advice: string): Check {
  return { level: "failure", subject, text, advice };
}

export function serverChecks({ info, savePoints, clock, journal }: ServerFacts): Check[] {
  if (info === null) {
    const advice = "allow it INFO, or ask whoever runs the server";
    return [
      warning("redis", "the Redis user may not ask the server about itself", advice),
      clockCheck(clock),
    ];
  }
  return [
    versionCheck(info),
    roleCheck(info),
    evictionCheck(info),
    persistenceCheck(info, savePoints),
    memoryCheck(info, journal),
    clockCheck(clock),
  ];
}

type Info = ReadonlyMap<string, string>;

function versionCheck(info: Info): Check {
  const name = info.get("server_name") === "valkey" ? "Valkey" : "Redis";
  const version = info.get("valkey_version") ?? info.get("redis_version") ?? "?";
  return isTooOld(info.get("redis_version") ?? "")
    ? failure("redis", `${name} ${version}`, `use ${OLDEST_TEXT} or newer`)
    : fine("redis", `${name} ${version}`);
}

/** As Redis names the role of who takes writes. */
export const MASTER = "master";

function roleCheck(info: Info): Check {
  const role = info.get("role") ?? "?";
  const replicas = Number(info.get("connected_slaves") ?? 0);
  if (role !== MASTER) {
    const advice = "point Beat and the workers at the master, or at the sentinels";
    return failure("role", `this server is a ${role === "slave" ? "replica" : role}`, advice);
  }
  return fine("role", `master, ${replicas === 1 ? "1 replica" : `${replicas} replicas`} of Redis`);
}

function evictionCheck(info: Info): Check {
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  if (policy === "noeviction") return fine("eviction", policy);
  const text = `${policy}: queues, cursors and the journal can vanish when Redis is full`;
  return failure("eviction", text, "set maxmemory-policy noeviction");
}

function persistenceCheck(info: Info, savePoints: string | null): Check {
  const isAppending = info.get("aof_enabled") === "1";
  if (info.get("aof_last_write_status") === "err") {
    return failure(
      "persistence",
      "the append-only file cannot be written",
      "see the disk of Redis",
    );
  }
  if (info.get("rdb_last_bgsave_status") === "err") {
    return failure("persistence", "the last snapshot failed", "see the disk and memory of Redis");
  }
  if (isAppending) return fine("persistence", "append-only file");
  const advice = "set appendonly yes";
  return savePoints === ""
    ? failure("persistence", "none: a restart loses queues, cursors and the journal", advice)
    : warning("persistence", "snapshots alone: a crash loses what came after the last", advice);
}

/** Shares of `maxmemory` in use from which on there is something to say. */
const FULL_SOON = 0.75;
const FULL = 0.9;

/** Less than this until it is full, at the present rate, is soon. Milliseconds. */
const LASTS_MIN_MS = 3 * 86_400_000;

function memoryCheck(info: Info, journal: JournalSize): Check {
  const used = Number(info.get("used_memory") ?? 0);
  const max = Number(info.get("maxmemory") ?? 0);
  const size = journal.bytes === null ? "" : `; the journal has ${bytesText(journal.bytes)} in ` +
    `${journal.rows} rows`;
  if (max === 0) {
    const total = Number(info.get("total_system_memory") ?? 0);
    const of = total === 0 ? "" : ` of ${bytesText(total)}`;
    return fine("memory", `${bytesText(used)} used, no limit set${of}${size}`);
  }
  const lastsMs = lastsFor(journal, max - used);
  const lasts = lastsMs === null ? "" : `, enough for ${spanText(lastsMs)} at its present rate`;
  const text = `${bytesText(used)} of ${bytesText(max)} used${size}${lasts}`;
  const advice = "raise maxmemory, or see which keys grow (queues without workers?)";
  if (used > FULL * max) return failure("memory", text, advice);
  const isSoon = lastsMs !== null && lastsMs < LASTS_MIN_MS;
  return used > FULL_SOON * max || isSoon ? warning("memory", text, advice) : fine("memory", text);
}

/** Rows of a shorter time say nothing of a rate. Milliseconds. */
export const RATE_MIN_MS = 600_000;

/** How long `free` bytes last while the journal grows as it did. */
function lastsFor({ bytes, firstMs, lastMs }: JournalSize, free: number): number | null {
  if (bytes === null || firstMs === null || lastMs === null) return null;
  const spanMs = lastMs - firstMs;
  return spanMs < RATE_MIN_MS || bytes === 0 ? null : Math.max(0, free) * spanMs / bytes;
}

export function bytesText(bytes: number): string {
  if (bytes < 1_048_576) return `${Math.round(bytes / 1024)} KiB`;
  if (bytes < 1_073_741_824) return `${Number((bytes / 1_048_576).toFixed(1))} MiB`;
  return `${Number((bytes / 1_073_741_824).toFixed(1))} GiB`;
}

/** From here on Beat warns at its start, too. Milliseconds. */
const CLOCK_MAX_MS = 1_000;

function clockCheck({ differenceMs, errorMs }: ServerFacts["clock"]): Check {
  const isOff = Math.abs(differenceMs) > CLOCK_MAX_MS + errorMs;
  const side = differenceMs < 0 ? "behind" : "ahead of";
  const text = `this machine's clock is ${spanText(Math.abs(differenceMs))} ${side} Redis'`;
  return isOff
    ? warning("clock", text, "set both by NTP; Redis' clock decides when tasks are due")
    : fine("clock", text);
}

/** @param lastMs of the newest row, which was a leader's; `null` where there is none */
export function leaderCheck(
  { leader, replicas, serverMs }: Leadership,
  lastMs: number | null,
): Check {
  if (leader === null) {
    const standbys = replicas === null || replicas === 0
      ? "and none stands by"
      : `${replicas} connected`;
    const text = `nobody leads: nothing is published, ${standbys}`;
    if (lastMs === null) return failure("leader", text, NEVER_LED);
    const ago = spanText(Math.max(0, serverMs - lastMs));
    const advice = "start it with `beat run`; where it runs, see its log";
    return failure("leader", `${text}; the last sign of one was ${ago} ago`, advice);
  }
  const standbys = replicas === null ? null : Math.max(0, replicas - 1);
  const others = standbys === null
    ? ""
    : standbys === 0
    ? "; no replica stands by"
    : `; ${standbys} ${standbys === 1 ? "stands" : "stand"} by`;
  const { owner, fence, leftMs } = leader;
  return fine(
    "leader",
    `${owner} (fence ${fence}), ${spanText(leftMs)} of its lease left${others}`,
  );
}

/** @param problem why they cannot be read; `null` where they can */
export function resultsCheck(hasBackend: boolean, problem: string | null): Check {
  if (!hasBackend) {
    const advice = "set CELERY_RESULT_BACKEND to the Redis where workers store results";
    return warning("results", "no result backend in Redis: outcomes stay unknown", advice);
  }
  return problem === null
    ? fine("results", "the result backend answers")
    : failure("results", problem, "outcomes stay unknown until it answers");
}

/** @param visibilityMs how long workers may hold a message. Milliseconds. */
export function unackedCheck(unacked: Unacked | null, nowMs: number, visibilityMs: number): Check {
  if (unacked === null) return fine("reserved", "the Redis user may not look at reserved messages");
  const { count, oldestMs } = unacked;
  const heldMs = oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs);
  const text = count === 0
    ? "no message is in a worker's hands"
    : `${count} in workers' hands, one for ${spanText(heldMs)}`;
  return heldMs > visibilityMs
    ? warning(
      "reserved",
      `${text}: longer than the visibility timeout (${spanText(visibilityMs)})`,
      "its worker is gone, or runs a task for longer: then it is run twice; raise " +
        "visibility_timeout in the workers and in beat.yaml",
    )
    : fine("reserved", text);
}

/** @param found prefixes under which workers have announced themselves; `null`: may not look */
export function prefixCheck(expected: string, found: readonly string[] | null): Check {
  const name = (prefix: string) => prefix === "" ? "no global_keyprefix" : `prefix "${prefix}"`;
  if (found === null) {
    return fine("prefix", `${name(expected)}; workers' keys may not be looked at`);
  }
  if (found.includes(expected)) return fine("prefix", `${name(expected)}, as the workers`);
  if (found.length === 0) return fine("prefix", `${name(expected)}; no worker has ever been here`);
  const advice = found.length === 1
    ? `set broker: { global_keyprefix: ${
      JSON.stringify(found[0])
    } } in beat.yaml, or the workers' ` +
      "broker_transport_options to the same"
    : "set broker: { global_keyprefix: … } in beat.yaml to that of your workers";
  const theirs = found.map(name).join(", ");
  return failure("prefix", `Beat uses ${name(expected)}, the workers ${theirs}`, advice);
}
