/** A plan as one page that needs nothing else: a timeline for each task, and what goes out per minute. */

import type { MinuteBook, PlanRow } from "../preview/plan_table.ts";
import { bucketsOf } from "../preview/plan_table.ts";
import { dueText, instantText } from "./time_text.ts";

export interface PlanPage {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly assumptions: readonly string[];
  readonly rows: readonly PlanRow[];
  readonly book: MinuteBook;
}

const WIDTH = 1_000;
const LANE = 18;
const CHART = 60;
const BUCKETS = 250;

const KINDS = ["published", "held", "skipped"] as const;
type Kind = (typeof KINDS)[number];

export function planHtml({ fromMs, untilMs, assumptions, rows, book }: PlanPage): string {
  const title = `Plan, ${dueText(fromMs)} to ${dueText(untilMs)}`;
  const lanes = lanesOf(rows, { fromMs, untilMs });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1080px; padding: 0 1rem; }
svg { width: 100%; height: auto; display: block; }
text { font: 11px system-ui, sans-serif; fill: currentColor; }
.published { fill: #2a7f4f; } .held { fill: #c98a00; } .skipped { fill: #b9b9b9; }
.lane { fill: #8881; } .bar { fill: #3566b8; }
.key span { padding: 0 .6em; margin-right: .8em; border-left: 1em solid; }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #ddd; } }
</style></head><body>
<h1>${escaped(title)}</h1>
<h2>Assumed</h2>
<ul>${assumptions.map((text) => `<li>${escaped(text)}</li>`).join("")}</ul>
<h2>Tasks</h2>
<p class="key"><span style="border-color:#2a7f4f">published</span><span style="border-color:#c98a00">held</span><span style="border-color:#b9b9b9">skipped</span></p>
${[...lanes].map(([task, lane]) => laneSvg(task, lane, { fromMs, untilMs })).join("\n")}
<h2>Published per minute</h2>
${
    [...book.queues].sort().map(([queue, minutes]) =>
      chartSvg(queue, minutes, book, { fromMs, untilMs })
    ).join("\n")
  }
</body></html>
`;
}

interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

type Lane = Readonly<Record<Kind, number[]>>;

function lanesOf(rows: readonly PlanRow[], { fromMs, untilMs }: Span): Map<string, Lane> {
  const lanes = new Map<string, Lane>();
  const widthMs = (untilMs - fromMs) / BUCKETS;
  const empty = () => new Array<number>(BUCKETS).fill(0);
  const place = (ms: number) =>
    Math.max(0, Math.min(BUCKETS - 1, Math.floor((ms - fromMs) / widthMs)));
  for (const row of rows) {
    let lane = lanes.get(row.task);
    if (lane === undefined) {
      lane = { published: empty(), held: empty(), skipped: empty() };
      lanes.set(row.task, lane);
    }
    const kind = kindOf(row.type);
    // A range of skips is shown over all of its time.
    const [first, last] = kind === "skipped"
      ? [place(row.fromMs), place(row.dueMs)]
      : [place(row.decidedMs), place(row.decidedMs)];
    for (let at = first; at <= last; at++) lane[kind][at]! += row.count / (last - first + 1);
  }
  return new Map([...lanes].sort(([one], [other]) => one < other ? -1 : 1));
}

function kindOf(type: string): Kind {
  return type === "fire.published" ? "published" : type === "fire.delayed" ? "held" : "skipped";
}

function laneSvg(task: string, lane: Lane, { fromMs, untilMs }: Span): string {
  const step = WIDTH / BUCKETS;
  const widthMs = (untilMs - fromMs) / BUCKETS;
  const marks = KINDS.toReversed().flatMap((kind) =>
    lane[kind].flatMap((count, at) =>
      count === 0 ? [] : [
        `<rect class="${kind}" x="${(at * step).toFixed(1)}" y="16" width="${
          Math.max(1.5, step).toFixed(1)
        }" height="${LANE}"><title>${
          escaped(`${dueText(Math.round(fromMs + at * widthMs))}: ${Math.ceil(count)} ${kind}`)
        }</title></rect>`,
      ]
    )
  );
  return `<svg viewBox="0 0 ${WIDTH} ${LANE + 20}" role="img"><text x="0" y="11">${
    escaped(task)
  }</text>` +
    `<rect class="lane" x="0" y="16" width="${WIDTH}" height="${LANE}"/>${marks.join("")}</svg>`;
}

function chartSvg(
  queue: string,
  minutes: ReadonlyMap<number, number>,
  book: MinuteBook,
  span: Span,
): string {
  const buckets = bucketsOf(minutes, { ...span, count: BUCKETS });
  const most = Math.max(...buckets);
  const step = WIDTH / BUCKETS;
  const bars = buckets.map((count, at) => {
    const height = CHART * count / most;
    return count === 0
      ? ""
      : `<rect class="bar" x="${(at * step).toFixed(1)}" y="${
        (16 + CHART - height).toFixed(1)
      }" width="${step.toFixed(1)}" height="${height.toFixed(1)}"/>`;
  });
  const { atMs, count } = book.peak(queue)!;
  const label = `${queue}: peak ${count} in the minute of ${instantText(atMs).slice(0, 16)}Z`;
  return `<svg viewBox="0 0 ${WIDTH} ${CHART + 20}" role="img"><text x="0" y="11">${
    escaped(label)
  }</text>${bars.join("")}</svg>`;
}

const ENTITY: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (each) => ENTITY[each]!).replaceAll(/\p{Cc}/gu, "\ufffd");
}
