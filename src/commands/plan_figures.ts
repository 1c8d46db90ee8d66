/** The figures of a plan: what jitter and sessions are worth, beforehand. Each with what it means. */

import type { PlanRow } from "../preview/plan_table.ts";
import { minuteBook } from "../preview/plan_table.ts";
import { EXIT } from "../errors.ts";
import type { Config } from "../settings.ts";
import type { PlanSetting } from "./plan_setting.ts";
import { picker } from "./plan_scope.ts";
import { planned } from "./plan_setting.ts";
import type { Shell } from "./shell.ts";

export async function planFigures(setting: PlanSetting, shell: Shell): Promise<number> {
  const { config } = setting;
  const own = await counted(setting, config);
  const even = await counted(setting, {
    ...config,
    tasks: config.tasks.map((task) => ({ ...task, policies: { ...task.policies, jitter: null } })),
  });
  const { due, bySession, skipped } = own;
  const share = (part: number) => due === 0 ? "0 %" : `${(100 * part / due).toFixed(1)} %`;
  const lines = [
    ...setting.words.map((each) => `assumed: ${each}`),
    "",
    ...[...own.book.queues.keys()].sort().map((queue) =>
      `queue peak, ${queue}: ${own.book.peakSecond(queue)} a second with jitter, ` +
      `${even.book.peakSecond(queue)} without`
    ),
    ...own.book.queues.size === 0 ? ["queue peak: nothing is published"] : [],
    "    the most fires published to the queue within one second",
    `off-session fires saved: ${bySession.toLocaleString("en")} of ${due.toLocaleString("en")} (${
      share(bySession)
    })`,
    "    due times that the policy session skips, of all due times",
    `skipped in all: ${skipped.toLocaleString("en")} (${share(skipped)})`,
    "    due times that any policy or the catch-up lets go, of all due times",
  ];
  shell.out(`${lines.join("\n")}\n`);
  return EXIT.ok;
}

async function counted(setting: PlanSetting, config: Config) {
  const book = minuteBook();
  let [due, bySession, skipped] = [0, 0, 0];
  const add = (row: PlanRow) => {
    book.add(row);
    if (row.type === "fire.delayed") return;
    due += row.count;
    if (row.type === "fire.published") return;
    skipped += row.count;
    if (row.detail.by === "session") bySession += row.count;
  };
  await planned(setting, config, picker(setting.scope, config, add));
  return { book, due, bySession, skipped };
}
