/**
 * A machine and the process on it: its two clocks, and what stops it. A machine that is paused runs
 * nothing until it goes on, then everything that came meanwhile, in order; what a killed process
 * waited for never comes.
 */

import { SLEEP_MAX_MS } from "../../src/clock.ts";
import type { Clock } from "../../src/ports.ts";
import type { Scheduler } from "./redis_words.ts";
import type { Timeline } from "./timeline.ts";

/** A process: everything that it waits for dies with it. */
export interface Process extends Scheduler {
  readonly clock: Clock;
  readonly isAlive: boolean;
  kill(): void;
}

export interface Machine {
  readonly isPaused: boolean;
  /** The machine's idea of the time minus the true time. Milliseconds. */
  readonly wallOffsetMs: number;
  spawn(): Process;
  /** SIGSTOP, a stall, a long garbage collection: both clocks go on. */
  pause(): void;
  /** The lid is closed: the monotonic clock stops, the other goes on, but for a virtual machine's. */
  suspend(isVirtual: boolean): void;
  resume(): void;
  stepWall(byMs: number): void;
}

export interface MachineOptions {
  /** Unix milliseconds of the world's start. */
  readonly startMs: number;
  readonly offsetMs: number;
  /** How fast both clocks run: 1 is right. */
  readonly rate: number;
}

/** More than a sum of times of a run is off by. Milliseconds. */
const TINY_MS = 1e-6;

interface Waiting {
  readonly process: Process;
  readonly run: () => void;
}

export function machineOf(
  timeline: Timeline,
  { startMs, offsetMs, rate }: MachineOptions,
): Machine {
  let wallOffsetMs = offsetMs;
  let isPaused = false;
  /** True time at which the monotonic clock stopped; `null` while it runs. */
  let stoppedMs: number | null = null;
  let isWallStopped = false;
  let sleptMs = 0;
  let waiting: Waiting[] = [];

  const monotonicMs = () => ((stoppedMs ?? timeline.now()) - sleptMs) * rate;

  function arrive(process: Process, run: () => void): void {
    if (!process.isAlive) return;
    if (isPaused) waiting.push({ process, run });
    else run();
  }

  function spawn(): Process {
    let isAlive = true;
    const process: Process = {
      now: timeline.now,
      at: (ms, run) => timeline.at(ms, () => arrive(process, run)),
      clock: {
        wallMs: () => startMs + timeline.now() * rate + wallOffsetMs,
        monotonicMs,
        sleep: (durationMs, signal) => sleep(process, durationMs, signal),
      },
      get isAlive() {
        return isAlive;
      },
      kill() {
        isAlive = false;
        waiting = waiting.filter((each) => each.process !== process);
      },
    };
    return process;
  }

  /** By the monotonic clock: time in which the machine slept does not count. */
  function sleep(process: Process, durationMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      // As a timer does: never at once, so that nobody can wait for nothing without end.
      const wakeMs = monotonicMs() + Math.max(1, Math.min(durationMs, SLEEP_MAX_MS));
      let cancel = () => {};
      const done = () => {
        cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const look = () => {
        const leftMs = wakeMs - monotonicMs();
        // A timer is never early, not by what is lost in counting either: its caller would sleep again.
        if (leftMs > 0) cancel = process.at(timeline.now() + leftMs / rate + TINY_MS, look);
        else done();
      };
      signal.addEventListener("abort", done);
      look();
    });
  }

  return {
    get isPaused() {
      return isPaused;
    },
    get wallOffsetMs() {
      return wallOffsetMs;
    },
    spawn,
    pause() {
      isPaused = true;
    },
    suspend(isVirtual) {
      isPaused = true;
      stoppedMs ??= timeline.now();
      isWallStopped ||= isVirtual;
    },
    resume() {
      if (stoppedMs !== null) {
        const ownMs = timeline.now() - stoppedMs;
        sleptMs += ownMs;
        if (isWallStopped) wallOffsetMs -= ownMs * rate;
      }
      stoppedMs = null;
      isWallStopped = false;
      isPaused = false;
      const now = waiting;
      waiting = [];
      // One by one and in their order, as the event loop of a process would.
      for (const [index, { process, run }] of now.entries()) {
        timeline.at(timeline.now() + (index + 1) * 1e-6, () => arrive(process, run));
      }
    },
    stepWall(byMs) {
      wallOffsetMs += byMs;
    },
  };
}
