/** Two redis-servers, one of which is the master, and how they die, come back and change places. */

import { Redis } from "ioredis";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import type { Ledger } from "./ledger.ts";
import { BEACON, JOURNAL, rowOf } from "./ledger.ts";
import type { Link } from "./link.ts";
import { openLink } from "./link.ts";
import type { Group, Tap } from "./tap.ts";
import { openTap } from "./tap.ts";

export interface Servers {
  readonly master: RedisServer;
  /** On the master, past all links. */
  readonly admin: Redis;
  /** The replica follows the master over it. */
  readonly replication: Link;
  /**
   * SIGKILL; `meanwhile` with nobody there; then back again, with what the disk holds.
   *
   * @param isTorn `meanwhile` cuts the file: it is written anew before anybody else writes
   */
  crash(
    cause: string,
    meanwhile: (dead: RedisServer) => Promise<void>,
    isTorn?: boolean,
  ): Promise<void>;
  /** The replica becomes the master, as far as it has followed; the old one follows it. */
  failOver(cause: string): Promise<void>;
  /** Resolves when the replica has all that the master has. */
  replicated(): Promise<void>;
  close(): Promise<void>;
}

/** A write beyond the limit of a file is an error then, as on a full disk, and not the end. */
const LAUNCHER = "#!/bin/sh\ntrap '' XFSZ\nexec redis-server \"$@\"\n";

const BEACON_MS = 50;

/** @param links of the clients: cut where a server goes, open once the ledger hears the next one */
export async function startServers(
  dir: string,
  { ledger, take }: { ledger: Ledger; take: (group: Group) => void },
  links: () => readonly Link[],
): Promise<Servers> {
  const binary = `${dir}/redis-server.sh`;
  await Deno.writeTextFile(binary, LAUNCHER, { mode: 0o755 });
  const conf = ["repl-diskless-sync no", "slowlog-log-slower-than 5000", "slowlog-max-len 1024"];
  const start = () => startRedis({ isPersistent: true, fsync: "everysec", conf, binary });
  let [master, replica] = await Promise.all([start(), start()]) as [RedisServer, RedisServer];
  const clients = new Map([master, replica].map((each) => [each, each.client()]));
  const admin = () => clients.get(master)!;
  const replication = openLink(master.port);
  const follow = (server: RedisServer) =>
    clients.get(server)!.call("REPLICAOF", "127.0.0.1", String(replication.port));
  let tap: Tap = await openTap(master.port, take);
  await follow(replica);
  let beacon = openBeacon(master.port);

  const shutDoors = () => {
    beacon.close();
    for (const link of links()) link.shut(true);
  };
  /** Nothing is written before the ledger hears it. */
  const openDoors = async (cause: string, isTorn = false) => {
    const [last] = await admin().xrevrange(JOURNAL, "+", "-", "COUNT", 1);
    const lastFence = last === undefined ? 0 : rowOf(...last).fence;
    const beaconMs = Number(await admin().get(BEACON));
    ledger.takeOver(cause, { lastId: last?.[0] ?? "0-0", lastFence, beaconMs, isTorn });
    tap = await openTap(master.port, take);
    beacon = openBeacon(master.port);
    for (const link of links()) {
      link.lead(master.port);
      link.shut(false);
    }
  };
  const replicated = () =>
    until(async () => {
      const [ahead, behind] = await Promise.all(
        [master, replica].map((each) => replicationOf(clients.get(each)!)),
      );
      return behind!.master_link_status === "up" &&
        behind!.slave_repl_offset === ahead!.master_repl_offset;
    }, 30_000);
  return {
    get master() {
      return master;
    },
    get admin() {
      return admin();
    },
    replication,
    replicated,
    async crash(cause, meanwhile, isTorn = false) {
      await master.kill();
      shutDoors();
      await tap.ended;
      await meanwhile(master);
      const isCut = await comeBack(master) || isTorn;
      if (isCut) await writeFileAnew(admin());
      await openDoors(cause, isCut);
    },
    async failOver(cause) {
      shutDoors();
      await caughtUp(tap, admin());
      await tap.close();
      replication.refuse(true);
      const old = master;
      [master, replica] = [replica, master];
      await admin().call("REPLICAOF", "NO", "ONE");
      replication.heal();
      replication.lead(master.port);
      await openDoors(cause);
      await follow(old);
    },
    async close() {
      beacon.close();
      await tap.close();
      await Promise.all([master.stop(), replica.stop()]);
      await replication.close();
    },
  };
}

/** Writes the time again and again, until it is closed: never to a server that has just taken over. */
function openBeacon(port: number): { close(): void } {
  const client = new Redis(port, "127.0.0.1", {
    ...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false },
    retryStrategy: () => BEACON_MS,
  });
  client.on("error", () => {});
  const timer = setInterval(() => {
    // Refused where all writes are, and while there is no connection.
    client.set(BEACON, Date.now()).catch(() => {});
  }, BEACON_MS);
  return {
    close() {
      clearInterval(timer);
      client.disconnect();
    },
  };
}

/** Waits until the tap has heard all that the server wrote, and no more comes. */
async function caughtUp(tap: Tap, admin: Redis): Promise<void> {
  await until(async () => {
    const before = tap.offset;
    const { master_repl_offset: offset } = await replicationOf(admin);
    return before === Number(offset);
  }, 5_000);
}

async function replicationOf(client: Redis): Promise<Record<string, string>> {
  const lines = (await client.info("replication")).split("\r\n");
  return Object.fromEntries(lines.map((line) => line.split(":") as [string, string]));
}

/**
 * Starts a server that was killed, as a person does: what cannot be read of its file is cut off. Redis
 * 7.0 may leave such a piece in it where it is killed soon after its disk was full.
 *
 * @returns whether something was cut off
 */
export async function comeBack(server: RedisServer): Promise<boolean> {
  try {
    await server.restart();
    return false;
  } catch (error) {
    if (!String(error).includes("Bad file format reading the append only file")) throw error;
    const mending = new Deno.Command("redis-check-aof", {
      args: ["--fix", `${server.dir}/appendonlydir/appendonly.aof.manifest`],
      ...{ stdin: "piped", stdout: "piped", stderr: "piped" } as const,
    }).spawn();
    const answer = mending.stdin.getWriter();
    await answer.write(new TextEncoder().encode("y\n"));
    await answer.close();
    const { success, stdout, stderr } = await mending.output();
    const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    if (!success) throw new Error(`expected redis-check-aof to mend the file: ${said}`);
    await server.restart();
    return true;
  }
}

/**
 * As a person should after a start from a torn file. One that was cut inside a step ends in an open
 * MULTI: Redis 7.0 leaves the step out and goes on writing behind it, so its next start takes the half
 * that was left in with the step that follows. `test/redis/torn_file_test.ts` shows it.
 */
export async function writeFileAnew(client: Redis): Promise<void> {
  await client.call("BGREWRITEAOF");
  await until(async () => {
    const info = await client.info("persistence");
    return ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0", "aof_last_bgrewrite_status:ok"]
      .every((line) => info.includes(line));
  }, 10_000);
}

/** The append-only file that is written to at present. */
export async function appendOnlyFile({ dir }: RedisServer): Promise<string> {
  const folder = `${dir}/appendonlydir`;
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) if (name.endsWith(".aof")) names.push(name);
  const number = (name: string) => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1] ?? 0);
  const newest = names.toSorted((a, b) => number(a) - number(b)).at(-1);
  if (newest === undefined) throw new Error(`expected an append-only file in ${folder}`);
  return `${folder}/${newest}`;
}
