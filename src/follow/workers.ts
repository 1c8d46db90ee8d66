/**
 * Which workers live, from what they say of themselves; and what each is known to run.
 *
 * A worker of the kind `solo` says nothing while it runs a task, so silence is only believed of a
 * worker that has been heard while it was running one. And it is only believed while the line that
 * workers are heard over is up.
 */

import type { Hint } from "../sensors.ts";

/** Heartbeats come every 2 s, unless a worker was told otherwise. Milliseconds. */
const SILENT_AFTER_MS = 10_000;

/** So many that are missing are silence, where they come more seldom. */
const BEATS_MISSED = 3;

/** So many signs of life after a task has started: more than one that was on its way. */
const BEATS_WHILE_BUSY = 2;

/**
 * A worker that stops in order says so at once, and then nothing more while it ends what it runs. Whoever
 * supervises it kills it at last: 90 s is what systemd waits, 600 s what Celery's own file for supervisord
 * does. Milliseconds.
 */
const STOPS_WITHIN_MS = 900_000;

/** A worker that runs nothing is forgotten after this. Milliseconds. */
const FORGET_AFTER_MS = 3_600_000;

/**
 * So much between two looks counts as silence, at the most: looks come each second, and after more the
 * clock was set, the machine slept or this process stood still, and nobody listened. Milliseconds.
 */
const LISTENED_MAX_MS = 2_000;

interface Worker {
  heardMs: number;
  /** It said that it stops. */
  isStopped: boolean;
  beats: number;
  hasBeatenWhileBusy: boolean;
  processId: number | null;
  processed: number;
  /** It is silent after so long. */
  silentMs: number;
  /** What it runs, by its count of beats when that began. */
  readonly running: Map<string, number>;
  /** What ran in a process that is no more, and since when. */
  readonly orphans: Map<string, number>;
  /** When its process seemed to be another one than before. */
  restartMs: number;
  /** When each process of its name spoke last, as far back as it matters. */
  readonly spokeMs: Map<number, number>;
}

export interface Workers {
  note(hint: Extract<Hint, { kind: "worker" | "line" }>, serverMs: number): void;
  /** A worker says that it has started this fire; that it received one says nothing of its pool. */
  begin(worker: string, key: string, serverMs: number): void;
  /** It ran this fire until now: what it said since the start, it said while it was busy. */
  ran(worker: string, key: string): void;
  /** It is not asked about this fire any more. */
  end(worker: string, key: string): void;
  /** Whether `worker` cannot end this fire any more. */
  isGone(worker: string, key: string, serverMs: number): boolean;
  /** Fires of workers that are gone. */
  abandoned(serverMs: number): { readonly worker: string; readonly key: string }[];
}

export function workers(): Workers {
  const byName = new Map<string, Worker>();
  const listened = listening();
  let lineUpMs: number | null = null;

  function workerOf(name: string, nowMs: number): Worker {
    let worker = byName.get(name);
    if (worker === undefined) {
      worker = newWorker(nowMs);
      byName.set(name, worker);
    }
    return worker;
  }

  function isSilent(worker: Worker, nowMs: number): boolean {
    const silentMs = worker.isStopped ? STOPS_WITHIN_MS : worker.silentMs;
    return lineUpMs !== null && nowMs - Math.max(worker.heardMs, lineUpMs) >= silentMs;
  }

  /** @param nowMs as all times in here, by what was listened */
  function isGone(name: string, key: string, nowMs: number): boolean {
    const worker = byName.get(name);
    if (worker === undefined) return false;
    const orphanedMs = worker.orphans.get(key);
    if (orphanedMs !== undefined) return nowMs - orphanedMs >= worker.silentMs;
    const beatsBefore = worker.running.get(key);
    if (beatsBefore === undefined || !isSilent(worker, nowMs)) return false;
    return worker.isStopped || worker.hasBeatenWhileBusy ||
      worker.beats - beatsBefore >= BEATS_WHILE_BUSY;
  }

  return {
    note(hint, serverMs) {
      const nowMs = listened(serverMs);
      if (hint.kind === "line") {
        lineUpMs = hint.isUp ? nowMs : null;
        return;
      }
      hear(workerOf(hint.worker, nowMs), hint, nowMs);
    },
    begin(name, key, serverMs) {
      const nowMs = listened(serverMs);
      const worker = workerOf(name, nowMs);
      worker.heardMs = nowMs;
      // Begun anew, it does not hang on a process that is no more.
      worker.orphans.delete(key);
      if (!worker.running.has(key)) worker.running.set(key, worker.beats);
    },
    ran(name, key) {
      const worker = byName.get(name);
      const beatsBefore = worker?.running.get(key);
      if (worker === undefined || beatsBefore === undefined) return;
      if (worker.beats - beatsBefore >= BEATS_WHILE_BUSY) worker.hasBeatenWhileBusy = true;
    },
    end(name, key) {
      const worker = byName.get(name);
      worker?.orphans.delete(key);
      worker?.running.delete(key);
    },
    isGone: (name, key, serverMs) => isGone(name, key, listened(serverMs)),
    abandoned(serverMs) {
      const nowMs = listened(serverMs);
      const gone: { worker: string; key: string }[] = [];
      for (const [name, worker] of byName) {
        const { running, orphans, heardMs } = worker;
        if (running.size + orphans.size === 0 && nowMs - heardMs > FORGET_AFTER_MS) {
          byName.delete(name);
        }
        if (orphans.size === 0 && !isSilent(worker, nowMs)) continue;
        for (const key of [...running.keys(), ...orphans.keys()]) {
          if (isGone(name, key, nowMs)) gone.push({ worker: name, key });
        }
      }
      return gone;
    },
  };
}

/** How long was listened until `serverMs`, of which some may have been leapt over. Milliseconds. */
function listening(): (serverMs: number) => number {
  let totalMs = 0;
  let lastMs = Infinity;
  return (serverMs) => {
    totalMs += Math.min(Math.max(serverMs - lastMs, 0), LISTENED_MAX_MS);
    lastMs = serverMs;
    return totalMs;
  };
}

function newWorker(nowMs: number): Worker {
  return {
    heardMs: nowMs,
    isStopped: false,
    beats: 0,
    hasBeatenWhileBusy: false,
    processId: null,
    processed: 0,
    silentMs: SILENT_AFTER_MS,
    running: new Map(),
    orphans: new Map(),
    restartMs: -Infinity,
    spokeMs: new Map(),
  };
}

function hear(worker: Worker, hint: Extract<Hint, { kind: "worker" }>, nowMs: number): void {
  if (hasRestarted(worker, hint)) {
    if (isOneOfSeveral(worker, hint, nowMs)) takeBack(worker);
    else orphan(worker, nowMs);
    worker.restartMs = nowMs;
    for (const [each, atMs] of worker.spokeMs) {
      if (nowMs - atMs >= worker.silentMs) worker.spokeMs.delete(each);
    }
  }
  if (hint.processId !== undefined) worker.spokeMs.set(hint.processId, nowMs);
  worker.heardMs = nowMs;
  worker.isStopped = !hint.isOnline;
  worker.processId = hint.processId ?? worker.processId;
  worker.processed = hint.processed ?? worker.processed;
  worker.silentMs = Math.max(SILENT_AFTER_MS, BEATS_MISSED * (hint.beatMs ?? 0));
  if (hint.isOnline) worker.beats++;
}

/** A container's worker may come back under the same name and the same number. */
function hasRestarted(worker: Worker, hint: Extract<Hint, { kind: "worker" }>): boolean {
  const isOther = worker.processId !== null && hint.processId !== undefined &&
    hint.processId !== worker.processId;
  return isOther || (hint.processed !== undefined && hint.processed < worker.processed);
}

/** Several share the name, and each speaks in turn: this one was heard before, or comes faster than one can start. */
function isOneOfSeveral(
  { processId, restartMs, silentMs, spokeMs }: Worker,
  hint: Extract<Hint, { kind: "worker" }>,
  nowMs: number,
): boolean {
  const isOther = hint.processId !== undefined && hint.processId !== processId;
  const beforeMs = isOther ? spokeMs.get(hint.processId!) ?? -Infinity : restartMs;
  return nowMs - beforeMs < silentMs;
}

/** What ran in the process before ended with it. */
function orphan(worker: Worker, nowMs: number): void {
  for (const key of worker.running.keys()) worker.orphans.set(key, nowMs);
  worker.running.clear();
  worker.beats = 0;
}

function takeBack(worker: Worker): void {
  for (const key of worker.orphans.keys()) worker.running.set(key, worker.beats);
  worker.orphans.clear();
}
