/** One replica of Beat on its machine: production code from the supervisor down, on simulated ways. */

import { listsOf } from "../../src/celery/message.ts";
import { serverClock } from "../../src/clock.ts";
import { reloader } from "../../src/commands/reload.ts";
import { supervise } from "../../src/commands/supervise.ts";
import { SourceError } from "../../src/errors.ts";
import type { Measuring } from "../../src/lead/levels.ts";
import type { OfficeParts } from "../../src/lead/office.ts";
import type { Log } from "../../src/log.ts";
import type { Looks } from "../../src/lead/looks.ts";
import type { Hint } from "../../src/sensors.ts";
import { connect } from "../../src/redis/client.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { redisLease } from "../../src/redis/lease.ts";
import { redisRequests } from "../../src/redis/requests.ts";
import { redisStage } from "../../src/redis/stage.ts";
import { sensorsOver } from "../../src/redis/sensors.ts";
import type { RedisEndpoint, Transport } from "../../src/settings.ts";
import type { RedisOptions } from "ioredis";
import type { Machine, Process } from "./machine.ts";
import type { Line } from "./redis_line.ts";
import { modelClient } from "./redis_client.ts";
import type { ScheduleFile } from "./schedule_file.ts";

export const NAMESPACE = "beat";

export const TRANSPORT: Transport = {
  globalKeyPrefix: "",
  sep: "\x06\x16",
  prioritySteps: [0, 3, 6, 9],
  visibilityTimeoutMs: 3_600_000,
  unackedKey: "unacked",
  unackedIndexKey: "unacked_index",
  resultKeyPrefix: "",
};

const ENDPOINT: RedisEndpoint = {
  hosts: [{ host: "redis", port: 6379 }],
  socketPath: null,
  database: 0,
  username: null,
  password: null,
  tls: null,
  sentinelMaster: null,
  sentinelPassword: null,
};

const KEYS = keysOf(NAMESPACE, "");

/** Nobody asks the workers. */
const MEASURING: Measuring = {
  gauges: {
    consumers: () => Promise.resolve(null),
    share: () => Promise.reject(new SourceError("no objective is simulated")),
  },
  listsOf: (queue) => listsOf(queue, TRANSPORT),
};

export interface ReplicaParts {
  readonly name: string;
  readonly machine: Machine;
  readonly leaseMs: number;
  readonly looks: Looks | undefined;
  readonly stepsMin: number | undefined;
  readonly hasLevels: boolean;
  readonly file: ScheduleFile;
  readonly log: Log;
  /** A way to Redis; each connection has its own. `owner` is the process that dials. */
  line(owner: string): Line;
  listen(process: Process, onHint: (hint: Hint) => void, signal: AbortSignal): void;
  /** A process ended by itself: after a stop in order, or by an error. */
  onEnd(error: unknown): void;
}

/** A running process of Beat. */
export interface Beat {
  readonly owner: string;
  readonly process: Process;
  /** Whatever waits in it never comes; its connections are gone. */
  kill(): void;
  /** Its connections are reset. */
  resetLines(): void;
  /** Since when it is asked to end; `null`: it is not. Milliseconds of the world. */
  readonly stoppingMs: number | null;
  /** SIGTERM. */
  stop(): void;
  /** The file has changed. */
  reload(): Promise<void>;
}

export function startBeat(parts: ReplicaParts, generation: number): Beat {
  const { machine, leaseMs, looks, stepsMin, file, log } = parts;
  const process = machine.spawn();
  const owner = `${parts.name}.${generation}`;
  const commandTimeoutMs = Math.floor(leaseMs * 0.4);
  const lines: Line[] = [];
  const client = () => {
    const line = parts.line(owner);
    lines.push(line);
    const create = (options: RedisOptions) => modelClient(options, line, process);
    return connect(ENDPOINT, { name: "beat", commandTimeoutMs }, create);
  };
  const config = runnable(file);
  const { clock } = process;
  const journal = redisJournal(client(), KEYS);
  const office: OfficeParts = {
    journal,
    ...(stepsMin === undefined ? {} : { stage: redisStage(client(), KEYS, { journal, stepsMin }) }),
    lease: redisLease(client(), KEYS),
    sensors: {
      ...sensorsOver({ queues: client(), results: client() }, TRANSPORT, {
        fenceKey: KEYS.fence,
      }),
      listen: (onHint, signal) => parts.listen(process, onHint, signal),
    },
    clock,
    server: serverClock(clock),
    log,
    owner,
    ttlMs: leaseMs,
    newEpoch: `epoch of ${owner}`,
    isPatient: true,
    ...(looks === undefined ? {} : { looks }),
    namespace: NAMESPACE,
    build: "sim",
    declared: { roster: file.rosterOf(config), rows: [], levels: config.levels },
    ...(parts.hasLevels ? { measuring: MEASURING } : {}),
    asking: { requests: redisRequests(client(), KEYS), origin: "beat@sim" },
  };
  let stoppingMs: number | null = null;
  const supervisor = supervise(office);
  const load = reloader(
    { ...office, load: () => settled(file.load), rosterOf: file.rosterOf },
    config,
  );
  supervisor.done.then(({ error }) => {
    if (process.isAlive) parts.onEnd(error);
  });
  return {
    owner,
    process,
    kill() {
      process.kill();
      for (const line of lines) line.abandon();
    },
    resetLines() {
      for (const { open } of lines) for (const each of open) each.reset();
    },
    get stoppingMs() {
      return stoppingMs;
    },
    stop() {
      stoppingMs ??= process.now();
      supervisor.actor.send({ type: "STOP" });
    },
    async reload() {
      if (await load()) supervisor.actor.send({ type: "RELOAD" });
    },
  };
}

/** A process that is started with a file that cannot be read ends, and is started again until it can. */
function runnable(file: ScheduleFile) {
  return file.isPoisoned ? file.loadGood() : file.load();
}

async function settled<T>(work: () => T): Promise<T> {
  await Promise.resolve();
  return work();
}
