/** `beat plan --diff`: what another schedule would do otherwise, and send otherwise. */

import { rosterOf } from "../core/roster.ts";
import { EXIT } from "../errors.ts";
import type { OutcomeDifference } from "../preview/outcomes.ts";
import { outcomeDifferences, outcomesOf } from "../preview/outcomes.ts";
import type { Config } from "../settings.ts";
import type { Task } from "../task.ts";
import { canonicalJson } from "../task.ts";
import { factsObject } from "./plan_facts.ts";
import { isInScope } from "./plan_scope.ts";
import type { PlanSetting } from "./plan_setting.ts";
import { planned } from "./plan_setting.ts";
import { differenceLine, messageLine } from "./plan_text.ts";
import type { Shell } from "./shell.ts";
import { paintFor } from "./table.ts";

/** Ends with 3 where anything differs. */
export async function planDiff(
  setting: PlanSetting,
  { other, isJson }: { readonly other: Config; readonly isJson: boolean },
  shell: Shell,
): Promise<number> {
  const { config, scope, words, assumed: { facts } } = setting;
  const wanted = new Set(
    [...config.tasks, ...other.tasks]
      .filter((task) => isInScope(scope, task)).map(({ name }) => name),
  );
  const times = (await timesOf(setting, other)).filter(({ task }) => wanted.has(task));
  const messages = messagesOf(config, other).filter(({ task }) => wanted.has(task));
  if (isJson) {
    const own = { assumptions: words, model: factsObject(facts), differences: times, messages };
    shell.out(`${JSON.stringify(own, null, 2)}\n`);
  } else {
    const paint = paintFor(shell);
    shell.out(`${words.map((each) => `assumed: ${each}`).join("\n")}\n\n`);
    for (const each of times) shell.out(differenceLine(each, paint));
    for (const each of messages) shell.out(messageLine(each, paint));
    const count = times.reduce((sum, each) => sum + each.count, 0);
    shell.out(`${count.toLocaleString("en")} due times differ\n`);
    if (messages.length > 0) shell.out(`${senders(messages.length)} another message\n`);
  }
  return times.length + messages.length > 0 ? EXIT.finding : EXIT.ok;
}

function senders(count: number): string {
  return count === 1 ? "1 task sends" : `${count.toLocaleString("en")} tasks send`;
}

async function timesOf(setting: PlanSetting, other: Config): Promise<OutcomeDifference[]> {
  const sides = [];
  for (const config of [setting.config, other]) {
    const roster = rosterOf(config.tasks, config.settings.transport, "beat@plan");
    const window = { sinceMs: setting.fromMs, untilMs: setting.untilMs };
    const side = outcomesOf(window, (task) => roster.get(task)?.trigger ?? null);
    await planned(setting, config, side.take);
    sides.push(side);
  }
  return outcomeDifferences(sides[0]!, sides[1]!);
}

/** A task of both that sends another message, and what is another in it, as `beat.yaml` names it. */
export interface MessageDifference {
  readonly task: string;
  readonly fields: readonly string[];
  readonly queue: { readonly one: string; readonly other: string };
}

/** What workers get of a task. */
const SENT: readonly (readonly [name: string, field: keyof Task])[] = [
  ["task", "celeryTask"],
  ["queue", "queue"],
  ["args", "args"],
  ["kwargs", "kwargs"],
  ["expires", "expiresMs"],
  ["priority", "priority"],
  ["headers", "headers"],
  ["time_limit", "timeLimitS"],
  ["soft_time_limit", "softTimeLimitS"],
  ["ignore_result", "ignoreResult"],
];

function messagesOf(config: Config, { tasks }: Config): MessageDifference[] {
  const others = new Map(tasks.map((task) => [task.name, task]));
  return config.tasks.flatMap((one) => {
    const other = others.get(one.name);
    if (other === undefined) return [];
    const fields = SENT.filter(([, field]) =>
      canonicalJson(one[field]) !== canonicalJson(other[field])
    ).map(([name]) => name);
    if (fields.length === 0) return [];
    return [{ task: one.name, fields, queue: { one: one.queue, other: other.queue } }];
  });
}
