/** The Beats under test: three processes, each behind a link of its own, ended by the pids started here. */

import { SEVEN_OFF } from "../support/stage.ts";
import type { RunningBeat } from "../support/running_beat.ts";
import { runBeat } from "../support/running_beat.ts";
import type { Link } from "./link.ts";

/** A place for a process; one after the other has it. */
export interface Replica {
  readonly name: string;
  readonly link: Link;
  /** `null` between two. */
  beat: RunningBeat | null;
  startedMs: number;
  /** A fault has it in its hands: no other may take it. */
  isTaken: boolean;
}

/** An end that nobody here asked for. */
export interface Crash {
  readonly name: string;
  readonly code: number;
  readonly text: string;
}

export interface Replicas {
  readonly all: readonly Replica[];
  /** Whoever has the process `pid`. */
  holderOf(pid: number): Replica | null;
  start(replica: Replica): void;
  /** SIGKILL, also of a stopped one; resolves when it has ended. */
  kill(replica: Replica): Promise<void>;
  /** SIGTERM; the exit code. */
  stop(replica: Replica): Promise<number>;
  readonly crashes: readonly Crash[];
  /** Lines of all the processes' error output, of those still running too, that are no log lines. */
  strayLines(): string[];
  /** Messages of level error and above, with how often. */
  errors(): Map<string, number>;
  close(): Promise<void>;
}

const NAMES = ["alfa", "bravo", "charlie"] as const;

export interface ReplicaOptions {
  /** Holds `env/beat.yaml`; logs are written below. */
  readonly cwd: string;
  readonly leaseS: number;
  readonly links: readonly Link[];
}

export function openReplicas({ cwd, leaseS, links }: ReplicaOptions): Replicas {
  const all: Replica[] = NAMES.map((name, index) => ({
    ...{ name, link: links[index]!, beat: null, startedMs: 0, isTaken: false },
  }));
  const crashes: Crash[] = [];
  const expected = new Set<RunningBeat>();
  const stray: string[] = [];
  const errors = new Map<string, number>();
  let count = 0;

  async function watch(replica: Replica, beat: RunningBeat): Promise<void> {
    const code = await beat.ended;
    if (replica.beat === beat) replica.beat = null;
    stray.push(...strayIn(beat));
    noteErrors(beat, errors);
    await Deno.writeTextFile(`${cwd}/${replica.name}.${count++}.${beat.pid}.log`, beat.text());
    if (!expected.has(beat)) crashes.push({ name: replica.name, code, text: beat.text() });
  }
  async function end(replica: Replica, signal: Deno.Signal): Promise<number> {
    const { beat } = replica;
    if (beat === null) return 0;
    expected.add(beat);
    beat.signal(signal);
    if (signal === "SIGTERM") beat.signal("SIGCONT");
    const code = await beat.ended;
    replica.beat = null;
    return code;
  }
  return {
    all,
    crashes,
    holderOf: (pid) => all.find(({ beat }) => beat?.pid === pid) ?? null,
    start(replica) {
      const { url } = replica.link;
      const env = {
        ...SEVEN_OFF,
        ...{ CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url },
        ...{ BEAT_LEASE_SECONDS: String(leaseS), BEAT_LOG_FORMAT: "json", BEAT_LOG_LEVEL: "warn" },
      };
      replica.beat = runBeat({ env, cwd });
      replica.startedMs = Date.now();
      void watch(replica, replica.beat);
    },
    async kill(replica) {
      await end(replica, "SIGKILL");
    },
    stop: (replica) => end(replica, "SIGTERM"),
    strayLines: () => [...stray, ...all.flatMap(({ beat }) => beat === null ? [] : strayIn(beat))],
    errors: () => errors,
    async close() {
      await Promise.all(all.map((replica) => end(replica, "SIGKILL")));
    },
  };
}

/** Resident memory. MiB; `null` where the process is gone. */
export async function residentMiB(pid: number): Promise<number | null> {
  // Deno itself reads /proc only where it may do everything.
  const { stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/status`],
    stderr: "null",
  }).output();
  const found = /VmRSS:\s+(\d+) kB/.exec(new TextDecoder().decode(stdout));
  return found === null ? null : Number(found[1]) / 1_024;
}

function strayIn(beat: RunningBeat): string[] {
  const lines = beat.text().split("\n").filter((line) => line !== "");
  // Who was killed may have been in the middle of a line.
  return lines.filter((line) => !line.startsWith("{"));
}

function noteErrors(beat: RunningBeat, errors: Map<string, number>): void {
  for (const { level, msg } of beat.log()) {
    const key = `${level}: ${msg}`;
    errors.set(key, (errors.get(key) ?? 0) + 1);
  }
}
