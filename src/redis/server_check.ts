/** What a Redis server is set to that puts the journal and the queues at risk. */

import type { Redis } from "ioredis";

/** Older ones know neither ranges without their end (XRANGE) nor MINID (XADD, XTRIM). */
const OLDEST = { major: 6, minor: 2 } as const;
export const OLDEST_TEXT = `Redis ${OLDEST.major}.${OLDEST.minor}`;

/** @param version as `redis_version` of INFO has it */
export function isTooOld(version: string): boolean {
  const [major = NaN, minor = NaN] = version.split(".").map(Number);
  return !(major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor));
}

/**
 * One sentence for each risk, with what to do; empty where there is none, or where the server does
 * not answer (whoever leads next asks again).
 */
export async function serverRisks(client: Redis): Promise<string[]> {
  try {
    const info = factsOf(await client.info());
    return risksOf(info, await savePoints(client));
  } catch {
    return [];
  }
}

/** @param savePoints the setting `save`; `null` where it may not be read */
export function risksOf(info: ReadonlyMap<string, string>, savePoints: string | null): string[] {
  const risks: string[] = [];
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  const version = info.get("redis_version") ?? "";
  if (policy !== "noeviction") {
    risks.push(
      `Redis evicts keys when it is full (maxmemory-policy ${policy}): queues, cursors and the ` +
        "journal can vanish. Set maxmemory-policy noeviction",
    );
  }
  if (info.get("aof_enabled") === "0") {
    risks.push(
      savePoints === ""
        ? "Redis keeps nothing on disk: its restart loses queues, cursors and the journal. Set " +
          "appendonly yes"
        : "Redis has no append-only file: a crash loses what came after its last snapshot. Set " +
          "appendonly yes",
    );
  }
  if (isTooOld(version)) {
    risks.push(
      `expected ${OLDEST_TEXT} or newer, got ${version}: it cannot be asked for all that ` +
        "Beat needs, and requests, long journals and old rows go wrong",
    );
  }
  return risks;
}

/** Managed servers forbid CONFIG. */
export async function savePoints(client: Redis): Promise<string | null> {
  try {
    const [, value] = await client.config("GET", "save") as string[];
    return value ?? null;
  } catch {
    return null;
  }
}

/** The lines `name:value` of INFO. */
export function factsOf(info: string): Map<string, string> {
  const lines = info.split("\r\n").map((line) => line.split(":", 2));
  return new Map(lines.filter((pair): pair is [string, string] => pair.length === 2));
}
