/** What each fault of the redis-servers does. One at a time: they change places. */

import type { Draw } from "../sim/draws.ts";
import { until } from "../support/until.ts";
import type { Fault } from "./faults.ts";
import type { FaultKind } from "./plan.ts";
import type { Scene } from "./scene.ts";
import { holding, pause } from "./scene.ts";
import { appendOnlyFile } from "./servers.ts";

const TORN_MAX_BYTES = 20_000;
const LAG_MAX_MS = 2_500;
/** How far a new leader may have come when its first rows are taken from it. */
const TAKEOVER_MAX_MS = 200;

type ServerFault = Extract<
  FaultKind,
  | `crash${string}`
  | `fail over${string}`
  | `client ${string}`
  | "server sleep"
  | "out of memory"
  | "disk full"
  | "script flush"
>;

export const SERVER_FAULTS: Readonly<Record<ServerFault, Fault>> = {
  "crash always": crash("always"),
  "crash everysec": crash("everysec"),
  "crash and tear": tear,
  "fail over": failOver,
  "fail over in takeover": failOverInTakeover,
  "client pause": clientPause,
  "client kill": clientKill,
  "server sleep": serverSleep,
  "out of memory": outOfMemory,
  "disk full": diskFull,
  "script flush": scriptFlush,
};

function crash(fsync: "always" | "everysec"): Fault {
  return (scene, draw) => {
    const runMs = draw.between(300, 1_500);
    const darkMs = darkOf(scene, draw);
    return scene.alone(async () => {
      await scene.servers.admin.config("SET", "appendfsync", fsync);
      await pause(runMs);
      scene.tell(`redis kill -9, fsync ${fsync}, dark for ${darkMs} ms`, `crash ${fsync}`);
      await scene.servers.crash(`crash ${fsync}`, () => pause(darkMs));
      scene.tell("redis is back");
    });
  };
}

function tear(scene: Scene, draw: Draw): Promise<void> {
  const tornBytes = draw.between(1, TORN_MAX_BYTES);
  const darkMs = darkOf(scene, draw);
  return scene.alone(async () => {
    await scene.servers.crash("crash and tear", async (dead) => {
      const path = await appendOnlyFile(dead);
      const { size } = await Deno.stat(path);
      const bytes = Math.min(tornBytes, Math.floor(size / 2));
      scene.tell(`redis kill -9, its file torn by ${bytes} bytes`, "crash and tear");
      await Deno.truncate(path, size - bytes);
      await pause(darkMs);
    }, true);
    scene.tell("redis is back");
  });
}

function failOver(scene: Scene, draw: Draw): Promise<void> {
  const lagMs = draw.between(50, LAG_MAX_MS);
  return scene.alone(async () => {
    await someoneLeads(scene);
    await scene.servers.replicated();
    scene.servers.replication.hold(["reply"]);
    await pause(lagMs);
    scene.tell(`fail over to a replica that lags by ${lagMs} ms`, "fail over");
    await scene.servers.failOver("fail over");
    scene.tell("the replica is the master");
  });
}

/** A term begins that the next master knows nothing of: its fence must not be given out again. */
function failOverInTakeover(scene: Scene, draw: Draw): Promise<void> {
  const intoMs = draw.between(0, TAKEOVER_MAX_MS);
  return scene.alone(async () => {
    await scene.servers.replicated();
    await someoneLeads(scene);
    const leader = await scene.leader();
    await holding(scene, "fail over in takeover", leader?.replica ?? null, async (replica) => {
      scene.servers.replication.hold(["reply"]);
      await scene.replicas.kill(replica);
      const isNext = async () =>
        Number(await scene.servers.admin.get("beat:fence")) > (leader?.fence ?? 0);
      await until(isNext, 3 * scene.leaseMs).catch(() => {});
      await pause(intoMs);
      scene.tell(
        `kill -9 ${replica.name}, and fail over ${intoMs} ms into the next term`,
        "fail over",
      );
      await scene.servers.failOver("fail over in takeover");
      scene.replicas.start(replica);
    });
  });
}

function clientPause(scene: Scene, draw: Draw): Promise<void> {
  const kind = draw.pick(["WRITE", "ALL"] as const);
  const durationMs = Math.round(scene.leaseMs * (0.1 + 1.4 * draw.unit()));
  return scene.alone(async () => {
    scene.tell(`CLIENT PAUSE ${durationMs} ${kind}`, "client pause");
    await scene.servers.admin.call("CLIENT", "PAUSE", String(durationMs), kind);
    await pause(durationMs);
  });
}

function clientKill(scene: Scene, draw: Draw): Promise<void> {
  const type = draw.pick(["normal", "pubsub"] as const);
  const times = draw.between(1, 5);
  return scene.alone(async () => {
    scene.tell(`CLIENT KILL TYPE ${type}, ${times} times`, "client kill");
    for (let index = 0; index < times; index++) {
      await scene.servers.admin.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes");
      await pause(300);
    }
  });
}

function serverSleep(scene: Scene, draw: Draw): Promise<void> {
  const durationS = (scene.leaseMs * (0.1 + 1.2 * draw.unit()) / 1_000).toFixed(2);
  return scene.alone(async () => {
    scene.tell(`DEBUG SLEEP ${durationS}`, "server sleep");
    await scene.servers.admin.call("DEBUG", "SLEEP", durationS);
  });
}

function outOfMemory(scene: Scene, draw: Draw): Promise<void> {
  const durationMs = draw.between(500, 2 * scene.leaseMs);
  return scene.alone(async () => {
    scene.tell(`maxmemory 1mb for ${durationMs} ms`, "out of memory");
    await scene.servers.admin.config("SET", "maxmemory", "1mb");
    await pause(durationMs);
    await scene.servers.admin.config("SET", "maxmemory", "0");
  });
}

function diskFull(scene: Scene, draw: Draw): Promise<void> {
  const leftBytes = draw.between(0, 8_000);
  const durationMs = draw.between(1_500, 6_000);
  return scene.alone(async () => {
    const { servers } = scene;
    // With fsync always, Redis ends itself instead.
    await servers.admin.config("SET", "appendfsync", "everysec");
    const { size } = await Deno.stat(await appendOnlyFile(servers.master));
    scene.tell(`no room on the disk after ${leftBytes} bytes, for ${durationMs} ms`, "disk full");
    await limitFiles(servers.master.pid, String(size + leftBytes));
    await pause(durationMs);
    await limitFiles(servers.master.pid, "unlimited");
    await until(async () =>
      (await servers.admin.info("persistence")).includes("aof_last_write_status:ok")
    );
  });
}

function scriptFlush(scene: Scene): Promise<void> {
  return scene.alone(async () => {
    scene.tell("SCRIPT FLUSH", "script flush");
    await scene.servers.admin.script("FLUSH");
  });
}

/** So that there is something to lose. */
async function someoneLeads(scene: Scene): Promise<void> {
  const isFree = async () => {
    const leader = await scene.leader();
    return leader !== null && !scene.taken.has(leader.replica);
  };
  await until(isFree, 3 * scene.leaseMs).catch(() => {});
}

/** Mostly short, at times longer than a lease. Milliseconds. */
function darkOf(scene: Scene, draw: Draw): number {
  return Math.round(100 + 1.3 * scene.leaseMs * draw.unit() ** 3);
}

/** As `ulimit -f`, for a process that runs; the hard limit stays. */
async function limitFiles(pid: number, soft: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("prlimit", {
    args: ["--pid", String(pid), `--fsize=${soft}:`],
  }).output();
  if (!success) throw new Error(`expected prlimit to work: ${new TextDecoder().decode(stderr)}`);
}
