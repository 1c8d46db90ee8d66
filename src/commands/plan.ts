/** `beat plan`: what would be published, held and skipped in the time to come, and why. */

import { loadConfig } from "../config/load.ts";
import { nearest } from "../config/nearest.ts";
import { EXIT, UsageError } from "../errors.ts";
import type { PlanRow } from "../preview/plan_table.ts";
import { minuteBook, planLines } from "../preview/plan_table.ts";
import type { Task } from "../task.ts";
import { planDiff } from "./plan_diff.ts";
import { factsObject } from "./plan_facts.ts";
import { planFigures } from "./plan_figures.ts";
import { planHtml } from "./plan_html.ts";
import { picker } from "./plan_scope.ts";
import { CSV_HEAD, csvLine, rowObject } from "./plan_rows.ts";
import type { PlanSetting, SettingOptions } from "./plan_setting.ts";
import { planned, settingOf } from "./plan_setting.ts";
import { chartLines, planTable } from "./plan_text.ts";
import type { Shell } from "./shell.ts";
import { layoutFor } from "./table.ts";
import { instantText } from "./time_text.ts";

export interface PlanCommandOptions extends SettingOptions {
  readonly format?: string;
  readonly json?: boolean;
  readonly explain?: boolean;
  readonly diff?: string;
  readonly figures?: boolean;
}

const FORMATS = ["table", "json", "csv", "html"];

/** @throws {UsageError | ConfigError} */
export async function plan(options: PlanCommandOptions, shell: Shell): Promise<number> {
  const format = formatOf(options);
  if (!FORMATS.includes(format)) {
    throw new UsageError(`expected \`--format\` to be ${FORMATS.join(", ")}, got "${format}"`);
  }
  checkTogether({ ...options, format });
  const other = options.diff === undefined
    ? null
    : await loadConfig(shell.env, { file: options.diff });
  const setting = await settingOf(options, shell, other);
  checkNames(options, [...setting.config.tasks, ...other?.tasks ?? []]);
  if (other !== null) return await planDiff(setting, { other, isJson: format === "json" }, shell);
  if (options.figures === true) return await planFigures(setting, shell);
  await show(setting, { ...options, format }, shell);
  return EXIT.ok;
}

/** The table is what the command line takes where nothing is said. */
function formatOf({ format = "table", json }: PlanCommandOptions): string {
  if (json !== true) return format;
  if (format === "table" || format === "json") return "json";
  throw new UsageError(`expected either \`--json\` or \`--format ${format}\`; name one of them`);
}

/** What would be passed over in silence is refused. */
function checkTogether({ diff, figures, explain, format, json }: PlanCommandOptions): void {
  const one = diff !== undefined ? "--diff" : figures === true ? "--figures" : null;
  const isFormat = format !== "table" && !(one === "--diff" && format === "json");
  const other = one === "--diff" && figures === true
    ? "--figures"
    : explain === true
    ? "--explain"
    : isFormat
    ? json === true ? "--json" : `--format ${format}`
    : null;
  if (one === null || other === null) return;
  throw new UsageError(`expected \`${one}\` without \`${other}\`: it has no such output`);
}

function checkNames(
  { task = [], queue = [] }: PlanCommandOptions,
  tasks: readonly Pick<Task, "name" | "queue">[],
): void {
  const names = new Set(tasks.map(({ name }) => name));
  const queues = new Set(tasks.map((each) => each.queue));
  for (const each of task) {
    if (!names.has(each)) {
      throw new UsageError(
        `expected \`--task\` to name a task that is on, got "${each}"${nearest(each, [...names])}`,
      );
    }
  }
  for (const each of queue) {
    if (!queues.has(each)) {
      throw new UsageError(
        `expected \`--queue\` to be one of ${[...queues].sort().join(", ")}, got "${each}"`,
      );
    }
  }
}

async function show(
  setting: PlanSetting,
  options: PlanCommandOptions & { readonly format: string },
  shell: Shell,
): Promise<void> {
  const { config, fromMs, untilMs, words } = setting;
  const { format } = options;
  if (format === "csv") {
    for (const each of words) shell.err(`${each}\n`);
    shell.out(`${CSV_HEAD}\n`);
    await planned(setting, config, picker(options, config, (row) => shell.out(csvLine(row))));
    return;
  }
  const book = minuteBook();
  const rows: PlanRow[] = [];
  if (format === "json") {
    const model = factsObject(setting.assumed.facts);
    shell.out(`{"assumptions":${JSON.stringify(words)},"model":${JSON.stringify(model)},"rows":[`);
    let comma = "\n";
    const out = (row: PlanRow) => {
      book.add(row);
      shell.out(`${comma}${JSON.stringify(rowObject(row))}`);
      comma = ",\n";
    };
    const { depths } = await planned(setting, config, picker(options, config, out));
    const queues = Object.fromEntries([...book.queues.keys()].map((queue) => {
      const { atMs, count } = book.peak(queue)!;
      return [queue, {
        peak_minute: instantText(atMs),
        peak: count,
        depth: depths === null ? null : depths.get(queue) ?? 0,
      }];
    }));
    return shell.out(`\n],"queues":${JSON.stringify(queues)}}\n`);
  }
  const keep = (row: PlanRow) => {
    book.add(row);
    rows.push(row);
  };
  const { depths } = await planned(setting, config, picker(options, config, keep));
  if (format === "html") {
    return shell.out(planHtml({ fromMs, untilMs, assumptions: words, rows, book }));
  }
  const lines = rows.length === 0
    ? ["nothing is due in this time"]
    : planTable(planLines(rows), layoutFor(shell), options.explain === true);
  const chart = chartLines(book, { fromMs, untilMs, columns: shell.columns });
  const deep = [...depths ?? []].filter(([, depth]) => depth > 0)
    .map(([queue, depth]) => `${queue}: at most ${depth} wait`);
  const head = words.map((each) => `assumed: ${each}`);
  const charts = chart.length === 0 ? [] : [["published per minute"], chart];
  const parts = [head, lines, ...charts, deep].filter((each) => each.length > 0);
  shell.out(`${parts.map((each) => each.join("\n")).join("\n\n")}\n`);
}
