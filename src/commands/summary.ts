/** What `run` says at start: what is on, where it goes and when it fires next; what is off, and why. */

import type { ServerClock } from "../clock.ts";
import type { Roster } from "../core/roster.ts";
import type { Log } from "../log.ts";
import type { Config } from "../settings.ts";
import { describeEndpoint } from "../settings.ts";
import { calendarHints } from "./calendar_ends.ts";
import { triggerText } from "./trigger_text.ts";

export function saySummary(config: Config, roster: Roster, server: ServerClock, log: Log): void {
  const { broker, backend, profile, namespace, timezone } = config.settings;
  log.info("beat starts", {
    profile,
    namespace,
    timezone,
    broker: broker === null ? "none" : describeEndpoint(broker),
    results: backend === null ? "not in a Redis" : describeEndpoint(backend),
    files: config.files.join(", ") || "none",
    tasks: roster.size,
  });
  sayTasks(config, roster, server, log);
  const endings = calendarHints(config.tasks, server.nowMs());
  for (const hint of [...config.hints, ...endings]) log.warn(hint);
}

/** One line for each task. */
function sayTasks(config: Config, roster: Roster, server: ServerClock, log: Log): void {
  const nowMs = server.nowMs();
  for (const { task, trigger } of roster.values()) {
    const nextMs = trigger.next(nowMs);
    log.info("task on", {
      task: task.name,
      queue: task.queue,
      trigger: triggerText(task.trigger),
      ...(nextMs === null ? {} : { nextMs }),
    });
  }
  for (const { name, by } of config.off) log.info("task off", { task: name, reason: by });
}
