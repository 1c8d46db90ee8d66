/**
 * The lease over Redis.
 *
 *     absent ── take ──► ours (fence n) ── renew, in time ──► ours (fence n)
 *       ▲                  │        │
 *       └──── release ─────┘        └── not renewed in time ──► absent, and the next fence is above n
 *
 * Redis ends a lease by its own clock. Who holds one trusts it for less: from the start of the
 * attempt that was granted, on the monotonic clock. What is sent after that carries an old fence and
 * is refused, because every script compares the fence before it writes.
 */

import type { Redis } from "ioredis";
import { JournalUnavailableError, tooOldToLead } from "../errors.ts";
import { ROW_VERSION } from "../event.ts";
import type { Leadership, Lease, Taken } from "../ports.ts";
import { LEASE_MAX_MS } from "../settings.ts";
import { ask } from "./client.ts";
import { orNull, refuseForeign } from "./errors.ts";
import type { Keys } from "./keys.ts";
import leaseText from "./lease.lua" with { type: "text" };
import { runScript, scriptOf } from "./script.ts";
import { timeReplyMs, transaction } from "./transaction.ts";

const LEASE = scriptOf(leaseText);

/** First element of an answer of lease.lua. */
const REPLY = { done: 0, notOurs: 1, foreignKey: 2, tooOld: 3 } as const;

/**
 * @param client a connection of its own, so that a long commit cannot delay a renewal here; that of a
 *   replica is called after the key of the lease
 */
export function redisLease(client: Redis, keys: Keys): Lease {
  const run = async (...args: (string | number)[]): Promise<[code: number, ...rest: unknown[]]> => {
    const own = [keys.lease, keys.fence, keys.epoch];
    const reply = await ask(client, () => runScript(client, LEASE, own, args)) as [
      code: number,
      ...rest: unknown[],
    ];
    if (reply[0] === REPLY.foreignKey) throw refuseForeign(`\`${reply[1]}\` is a ${reply[2]}`);
    if (reply[0] === REPLY.tooOld) throw tooOldToLead(ROW_VERSION, reply[1] as number);
    return reply;
  };
  return {
    async take({ owner, ttlMs, minFence, epoch }) {
      return takenOf(await run("take", owner, ttlMs, minFence, epoch, ROW_VERSION, LEASE_MAX_MS));
    },
    async renew({ owner, fence, ttlMs }) {
      const [code, serverMs] = await run("renew", owner, ttlMs, fence, "");
      return code === REPLY.done ? serverMs as number : null;
    },
    async release(owner) {
      await run("release", owner, 0, "", "");
    },
    async look() {
      const replicas = await replicasOf(client, keys);
      const [held, leftMs, time] = await transaction(client, [
        ["GET", keys.lease],
        ["PTTL", keys.lease],
        ["TIME"],
      ]);
      const leader = leaderOf(held as string | null, leftMs as number);
      return { serverMs: timeReplyMs(time as [string, string]), leader, replicas };
    },
  };
}

function leaderOf(held: string | null, leftMs: number): Leadership["leader"] {
  if (held === null) return null;
  const [, owner = held, fence = 0] = /^(.*) (\d+)$/s.exec(held) ?? [];
  return { owner, fence: Number(fence), leftMs: Math.max(0, leftMs) };
}

/** Each replica has one connection that is called after the key of the lease. */
async function replicasOf(client: Redis, keys: Keys): Promise<number | null> {
  // A user who may look at Beat's keys need not be allowed to look at everybody's connections.
  const list = await orNull(() => ask(client, () => client.call("CLIENT", "LIST")));
  const isReplica = (line: string) =>
    line.includes(` name=${keys.lease} `) && line.includes(` db=${client.options.db ?? 0} `);
  return list === null ? null : (list as string).split("\n").filter(isReplica).length;
}

function takenOf(reply: readonly unknown[]): Taken {
  switch (reply[0]) {
    case REPLY.done: {
      const [, serverMs, fence, epoch, isNew] = reply as [0, number, number, string, number];
      return { kind: "taken", fence, epoch, isNewEpoch: isNew === 1, serverMs };
    }
    case REPLY.notOurs: {
      const [, owner, fence, leftMs] = reply as [1, string, number, number];
      return { kind: "held", owner, fence, leftMs };
    }
    default:
      throw new JournalUnavailableError(`expected an answer of lease.lua, got ${reply}`, "fatal");
  }
}
