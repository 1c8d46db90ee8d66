/** `beat replay --config`: what another schedule would have done of the recorded period. */

import { listsOf } from "../celery/message.ts";
import { rosterOf } from "../core/roster.ts";
import { EXIT } from "../errors.ts";
import type { JournalRow } from "../event.ts";
import { otherSchedule } from "../preview/other_schedule.ts";
import type { Config } from "../settings.ts";
import type { AuditReading } from "./audit_reading.ts";
import { differenceLine } from "./plan_text.ts";
import type { Shell } from "./shell.ts";
import { layoutFor, tableLines } from "./table.ts";
import { dueText, instantText } from "./time_text.ts";

export interface OtherOptions {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly task?: readonly string[];
  readonly json?: boolean;
  readonly config: Config;
}

export async function replayOther(
  { config, sinceMs, untilMs, task, json = false }: OtherOptions,
  { source, read }: {
    readonly source: Pick<AuditReading, "seed">;
    read(take: (row: JournalRow) => void): Promise<unknown>;
  },
  shell: Shell,
): Promise<number> {
  const { transport } = config.settings;
  const other = otherSchedule({ sinceMs, untilMs }, source.seed);
  await read(other.take);
  const roster = rosterOf(config.tasks, transport, "beat@replay");
  const compared = await other.close(roster, (queue) => listsOf(queue, transport));
  const isWanted = (name: string) => task === undefined || task.includes(name);
  const differences = compared.differences.filter((each) => isWanted(each.task));
  const counts = [...compared.counts].filter(([name]) => isWanted(name)).map(([name, each]) => ({
    ...{ name, ...each },
    differ: differences.filter((one) => one.task === name)
      .reduce((sum, { count }) => sum + count, 0),
  }));
  const total = counts.reduce((sum, { differ }) => sum + differ, 0);
  if (json) {
    const tasks = Object.fromEntries(counts.map(({ name, ...each }) => [name, each]));
    const shown = differences.map(({ fromMs, toMs, one, other, ...each }) => ({
      ...each,
      ...{ from: dueText(fromMs), to: dueText(toMs), was: one, now: other },
    }));
    const window = { from: instantText(sinceMs), to: instantText(untilMs) };
    shell.out(`${JSON.stringify({ ...window, tasks, differences: shown }, null, 2)}\n`);
    return total > 0 ? EXIT.finding : EXIT.ok;
  }
  const layout = layoutFor(shell);
  for (const each of differences) shell.out(differenceLine(each, layout.paint));
  const lines = tableLines(
    ["TASK", "DUE TIMES", "UNDER THE OTHER", "DIFFER"],
    counts.map(({ name, was, now, differ }) => [
      { text: name },
      ...[was, now, differ].map((count) => ({ text: String(count) })),
    ]),
    layout,
  );
  shell.out(`\n${lines.join("\n")}\n\n${total.toLocaleString("en")} due times differ\n`);
  shell.err(
    "led when somebody led then, with the levels and pauses of then; a fire that only the other " +
      "schedule sends runs as long as those of its task mostly did\n",
  );
  return total > 0 ? EXIT.finding : EXIT.ok;
}
