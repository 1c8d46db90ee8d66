/** A master, a replica of it, and sentinels that know both and each other. */

import type { Redis } from "ioredis";
import type { RedisServer } from "./redis_server.ts";
import { startRedis } from "./redis_server.ts";
import { until } from "./until.ts";

export const MASTER_NAME = "main";

/** So long must a master be silent before it counts as down. Milliseconds. */
const DOWN_AFTER_MS = 500;

export interface Watched {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly RedisServer[];
  /** The sentinels as Celery users write them. */
  readonly url: string;
  /** Makes the replica the master, and resolves once the sentinels say so. */
  failOver(): Promise<void>;
  /** The port of the master, as the first sentinel that answers has it. */
  masterPort(): Promise<number>;
  stop(): Promise<void>;
}

export interface WatchedOptions {
  /** How many sentinels; more than half of them must agree. @default 3 */
  readonly count?: number;
  /** What the sentinels ask of their clients. */
  readonly password?: string;
}

export async function startWatched(options: WatchedOptions = {}): Promise<Watched> {
  const { count = 3, password } = options;
  const servers: RedisServer[] = [];
  const start = async (...args: Parameters<typeof startRedis>) => {
    const server = await startRedis(...args);
    servers.push(server);
    return server;
  };
  const stop = async () => {
    for (const server of servers.reverse()) await server.stop();
  };
  try {
    const conf = ["repl-diskless-sync-delay 0"];
    const master = await start({ conf });
    const replica = await start({ conf: [...conf, `replicaof 127.0.0.1 ${master.port}`] });
    await until(async () =>
      /master_link_status:up/.test(await replica.client().info("replication"))
    );
    const quorum = Math.floor(count / 2) + 1;
    const sentinels: RedisServer[] = [];
    for (let index = 0; index < count; index++) {
      sentinels.push(
        await start({ isSentinel: true, conf: sentinelConf(master.port, quorum) }),
      );
    }
    const bosses = sentinels.map((sentinel) => sentinel.client());
    await until(async () => {
      const known = await Promise.all(bosses.map((boss) => isComplete(boss, count)));
      return known.every(Boolean);
    }, 30_000);
    if (password !== undefined) {
      for (const boss of bosses) {
        await boss.call("ACL", "SETUSER", "default", "resetpass", `>${password}`);
      }
    }
    const boss = bosses[0]!;
    const masterPort = async () => {
      const address = await Promise.any(
        bosses.map((each) => each.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)),
      );
      return Number((address as string[])[1]);
    };
    return {
      ...{ master, replica, sentinels, masterPort, stop },
      url: sentinels.map(({ port }) => `sentinel://127.0.0.1:${port}`).join(";") + "/0",
      async failOver() {
        await boss.call("SENTINEL", "FAILOVER", MASTER_NAME);
        await until(async () => await masterPort() === replica.port);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function sentinelConf(masterPort: number, quorum: number): string[] {
  return [
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} ${quorum}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER_NAME} 3000`,
  ];
}

/**
 * Whether a sentinel would promote the replica now. It learns of one from the INFO of the master, asks
 * it every few seconds, and refuses (NOGOODSLAVE) as long as it has not heard that its link is up.
 */
async function isComplete(boss: Redis, count: number): Promise<boolean> {
  const replicas = await asked(boss, "REPLICAS");
  const others = await asked(boss, "SENTINELS");
  return replicas.length === 1 && others.length === count - 1 &&
    replicas.every((each) =>
      each.get("flags") === "slave" && each.get("master-link-status") === "ok"
    ) && others.every((each) => each.get("flags") === "sentinel");
}

async function asked(boss: Redis, what: string): Promise<Map<string, string>[]> {
  const reply = await boss.call("SENTINEL", what, MASTER_NAME) as string[][];
  return reply.map((flat) => {
    const fields = new Map<string, string>();
    for (let at = 0; at + 1 < flat.length; at += 2) fields.set(flat[at]!, flat[at + 1]!);
    return fields;
  });
}
