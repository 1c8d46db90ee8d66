/** Reads the evidence on fires and judges it. */

import { deliveryTag } from "../celery/ids.ts";
import { JournalUnavailableError } from "../errors.ts";
import { entryOf } from "../fire.ts";
import type { Log } from "../log.ts";
import type { Settlement } from "../ports.ts";
import type { Sensors, TaskResult } from "../sensors.ts";
import type { Task } from "../task.ts";
import type { Evidence } from "./evidence.ts";
import { newNotes, UNREAD } from "./evidence.ts";
import type { Tracked } from "./open_fires.ts";
import type { Views } from "./position.ts";
import { plainListOf, positionOf, viewOf } from "./position.ts";
import { judge } from "./verdict.ts";
import type { Watch } from "./watch.ts";

export interface LookerParts {
  readonly sensors: Omit<Sensors, "listen">;
  /** The server's time. Unix milliseconds. */
  readonly server: { nowMs(): number };
  readonly log: Log;
  readonly fence: number;
  /** `null` for tasks that are no longer declared. */
  readonly task: (name: string) => Pick<Task, "ignoreResult"> | null;
}

export interface Looker {
  /** Samples the lists, and those that Kombu may give their messages back to. */
  takeViews(lists: readonly string[], limit: number): Promise<Views>;
  /** Reads reservations and results; what is new of each fire. */
  lookAt(fires: readonly Tracked[], views: Views | null): Promise<Settlement[]>;
  /** What workers told of each fire, without a look. */
  listenTo(fires: readonly Tracked[]): Settlement[];
  /** `null` when the result backend is away: then nothing is concluded from silence. */
  readResults(taskIds: readonly string[]): Promise<(TaskResult | null)[] | null>;
}

export function looker(parts: LookerParts, watch: Watch): Looker {
  const { sensors, server, fence } = parts;
  const readResults = resultReader(parts);

  function judgeOne(tracked: Tracked, evidence: Evidence, nowMs: number): Settlement[] {
    // While a reply was under way, a reload may have put another in its place.
    if (tracked.isClosed) return [];
    const isIgnored = parts.task(entryOf(tracked.open.task))?.ignoreResult ?? false;
    const isOutcomeStored = sensors.hasResults && !isIgnored;
    const rules = { nowMs, isOutcomeStored };
    const verdict = judge(tracked.open, tracked.notes ?? newNotes(tracked.open), evidence, rules);
    watch.looked(tracked, evidence, verdict, nowMs);
    return verdict.settlement === null ? [] : [verdict.settlement];
  }

  return {
    async takeViews(lists, limit) {
      const sampledMs = server.nowMs();
      const all = [...new Set(lists.flatMap((list) => [list, plainListOf(list, sensors.sep)]))];
      const samples = all.length === 0 ? [] : await sensors.sampleQueues(all, limit, fence);
      const views = samples.map((sample, index) => viewOf(all[index]!, sample));
      return {
        sampledMs,
        sep: sensors.sep,
        byList: new Map(views.map((view) => [view.list, view])),
      };
    },
    async lookAt(fires, views) {
      if (fires.length === 0) return [];
      const ids = fires.map((tracked) => {
        const taskId = watch.names.taskIdOf(tracked);
        return { taskId, tag: deliveryTag(taskId, tracked.open.fence) };
      });
      const [reservations, results] = await Promise.all([
        sensors.reservations(ids.map(({ tag }) => tag)),
        readResults(ids.map(({ taskId }) => taskId)),
      ]);
      const nowMs = server.nowMs();
      return fires.flatMap((tracked, index) => {
        const isRejected = tracked.notes?.isRejected ?? false;
        return judgeOne(tracked, {
          position: positionOf(tracked.open, ids[index]!, views, isRejected),
          reserved: reservations[index] ?? null,
          result: results === null ? "unread" : results[index] ?? null,
          isWorkerGone: watch.isWorkerGone(tracked, nowMs),
        }, nowMs);
      });
    },
    listenTo(fires) {
      const nowMs = server.nowMs();
      return fires.flatMap((tracked) => judgeOne(tracked, UNREAD, nowMs));
    },
    readResults,
  };
}

/** Says once that the backend is away, and once that it is back. */
function resultReader({ sensors, log }: LookerParts): Looker["readResults"] {
  let isAway = false;
  return async (taskIds) => {
    if (!sensors.hasResults) return taskIds.map(() => null);
    try {
      const results = await sensors.results(taskIds);
      if (isAway) log.info("the result backend answers again");
      isAway = false;
      return results;
    } catch (error) {
      if (!(error instanceof JournalUnavailableError)) throw error;
      if (!isAway) {
        log.warn("the result backend is away: fires stay open until it answers", { err: error });
      }
      isAway = true;
      return null;
    }
  };
}
