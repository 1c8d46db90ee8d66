/** `beat tasks`: each entry of the configuration, what became of its last due time, and the next. */

import { EXIT } from "../errors.ts";
import { lastFires } from "./last_fires.ts";
import { levelsText, throttlesOf } from "./level_views.ts";
import { damageText, openJournal } from "./open_journal.ts";
import { NEVER_LED } from "./place.ts";
import type { Shell } from "./shell.ts";
import type { Cell, Colour } from "./table.ts";
import { printTable } from "./table.ts";
import type { TaskView } from "./task_views.ts";
import { pausesText, taskObject, viewsOf, worriesOf } from "./task_views.ts";
import { dueText, spanText } from "./time_text.ts";
import { triggerText } from "./trigger_text.ts";

export interface TasksOptions {
  readonly json?: boolean;
}

/** @throws {JournalUnavailableError | ConfigError} */
export async function tasks(options: TasksOptions, shell: Shell): Promise<number> {
  const opened = await openJournal(shell);
  const { config } = opened;
  try {
    const loaded = await opened.journal.load();
    const last = await lastFires(opened.peek, config.tasks.map(({ name }) => name), loaded);
    const views = viewsOf(config, loaded, last);
    if (options.json) {
      const objects = views.map((view) => ({
        ...taskObject(view),
        throttled: view.task === null ? [] : throttlesOf(view.task, loaded.cursors),
      }));
      shell.out(`${JSON.stringify(objects, null, 2)}\n`);
    } else {
      const rows = views.map((view) => cellsOf(view, loaded.serverMs));
      printTable(HEADINGS, rows, shell, SPARE);
    }
    const remarks = [
      pausesText(loaded),
      levelsText(loaded.cursors),
      worriesOf(views),
      loaded.cursors.size === 0 ? NEVER_LED : null,
      damageText(opened),
    ];
    for (const remark of remarks) if (remark !== null) shell.err(`${remark}\n`);
  } finally {
    opened.close();
  }
  return EXIT.ok;
}

const HEADINGS = ["TASK", "STATUS", "QUEUE", "TRIGGER", "LAST DUE", "STATE", "LATE", "NEXT DUE"];

const SPARE = ["QUEUE", "LATE", "TRIGGER"];

function cellsOf(view: TaskView, nowMs: number): Cell[] {
  const { name, task, state, pause, offBy, last, nextMs } = view;
  if (task === null) {
    const why = offBy === null ? "not in this configuration" : `by ${offBy}`;
    return [name, state, "-", why].map((text) => ({ text, colour: "dim" }));
  }
  const lateMs = last?.latenessMs ?? null;
  return [
    { text: name },
    pause !== null
      ? { text: "paused", colour: "yellow" }
      : { text: state, ...(state === "new" ? { colour: "yellow" } : {}) },
    { text: task.queue },
    { text: triggerText(task.trigger) },
    { text: last === null ? "-" : clockText(last.dueMs, nowMs) },
    last === null ? { text: "-" } : endCell(last.state),
    { text: lateMs === null ? "-" : spanText(lateMs) },
    { text: nextMs === null ? "never" : clockText(nextMs, nowMs) },
  ];
}

const END_COLOUR: Readonly<Record<string, Colour>> = {
  acked: "green",
  success: "green",
  failure: "red",
  lost: "red",
  expired: "red",
  overdue: "red",
  dropped: "yellow",
  skipped: "yellow",
  redelivered: "yellow",
};

function endCell(state: string): Cell {
  const colour = END_COLOUR[state];
  return colour === undefined ? { text: state } : { text: state, colour };
}

/** Without the date where that is today's in UTC. */
function clockText(ms: number, nowMs: number): string {
  const [text, today] = [dueText(ms), dueText(nowMs).slice(0, 11)];
  return text.startsWith(today) ? text.slice(today.length) : text;
}
