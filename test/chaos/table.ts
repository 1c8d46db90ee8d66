/** What a run came to: each measure, its bar, and what was got. */

import type { Measure } from "./ledger.ts";
import { isAfter } from "./ledger.ts";
import type { Verdict } from "./judge.ts";
import type { MemorySample, Scene } from "./scene.ts";

export interface TableRow {
  readonly measure: string;
  /** Empty where a figure is only told. */
  readonly bar: string;
  readonly got: string;
  readonly isBroken: boolean;
  /** Depends on the machine, and on who else is on it: times, and how many faults there was room for. */
  readonly isTiming?: boolean;
}

/** A run must be this long for its memory to say something. Minutes. */
const MEMORY_MINUTES = 30;
const GROWTH_MAX = 1.05;

export function tableOf(scene: Scene, verdict: Verdict, slowCalls: number): TableRow[] {
  return [
    ...counts(scene, verdict),
    ...correctness(verdict),
    ...fences(scene),
    ...times(scene),
    ...processes(scene),
    told("calls of Redis above 5 ms (SLOWLOG)", String(slowCalls)),
  ];
}

/** For people. */
export function printTable(rows: readonly TableRow[]): string {
  const width = (pick: (row: TableRow) => string) =>
    Math.max(...rows.map((row) => pick(row).length));
  const [first, second] = [width(({ measure }) => measure), width(({ bar }) => bar)];
  const line = (measure: string, bar: string, got: string, end = "") =>
    `${measure.padEnd(first)}  ${bar.padEnd(second)}  ${got}${end}`;
  return [
    line("measure", "bar", "got"),
    ...rows.map(({ measure, bar, got, isBroken }) =>
      line(measure, bar, got, isBroken ? "   <-- BROKEN" : "")
    ),
  ].join("\n");
}

function counts(scene: Scene, { owed }: Verdict): TableRow[] {
  const { options: { minutes }, counts, ledger } = scene;
  const count = (...names: string[]) =>
    names.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0);
  const atLeast = (measure: string, perHour: number, got: number): TableRow => {
    const bar = Math.floor(perHour * minutes / 60);
    return { measure, bar: `>= ${bar}`, got: String(got), isBroken: got < bar, isTiming: true };
  };
  const leaders = count("kill of the leader");
  const kills = leaders + count("kill of a standby");
  const swallowed = scene.replicas.all.reduce((sum, { link }) => sum + link.swallowed, 0);
  const published = ledger.rows.get("p") ?? 0;
  return [
    told("fires owed, published", `${owed}, ${published}`),
    atLeast("kill -9 of a replica", 300, kills),
    {
      measure: "  of the leader",
      bar: ">= 2/3",
      got: `${leaders} (${Math.round(100 * leaders / Math.max(1, kills))} %)`,
      isBroken: leaders < kills * 2 / 3,
      isTiming: true,
    },
    atLeast("SIGSTOP of the leader beyond its lease", 50, count("freeze 1.5", "freeze 5")),
    atLeast("link cuts", 100, count("link cut")),
    atLeast("swallowed replies", 100, swallowed),
    atLeast("redis kill -9, fsync always", 30, count("crash always")),
    atLeast("redis kill -9, fsync everysec", 30, count("crash everysec")),
    told("redis kill -9, file torn", String(count("crash and tear"))),
    atLeast("failovers to a lagging replica", 10, count("fail over")),
    told(
      "rollbacks of history, with rows",
      `${ledger.rollbacks.length}, ${
        ledger.rollbacks.filter(({ keptId, lostId }) => isAfter(lostId, keptId)).length
      }`,
    ),
    told(
      "other faults",
      [...counts].filter(([name]) => OTHERS.includes(name))
        .map(([name, each]) => `${name} ${each}`).join(", "),
    ),
  ];
}

const OTHERS = [
  ...["freeze 0.5", "freeze all", "slow link", "client pause", "client kill", "server sleep"],
  ...["out of memory", "disk full", "script flush", "stop"],
];

const ZERO: readonly (readonly [Measure, string])[] = [
  ["lost", "lost fires"],
  ["doubled", "doubled fires, no rollback"],
  ["unexplained", "copies with another id"],
  ["early", "early fires"],
  ["not on the list", "fires not on the list"],
  ["out of order", "fires out of order"],
  ["message without record", "message without record"],
  ["record without message", "record without message"],
  ["vanished", "rows gone without a rollback"],
  ["started anew", "entries that started anew"],
  ["old fence", "accepted writes of an old fence"],
];

function correctness(verdict: Verdict): TableRow[] {
  const zero = ZERO.map(([measure, words]): TableRow => {
    const count = verdict.wrong.filter((each) => each.measure === measure).length;
    return { measure: words, bar: "0", got: String(count), isBroken: count > 0 };
  });
  return [
    ...zero,
    told("doubled by a rollback, equal ids", String(verdict.explained)),
    told("run again by Celery or by a rollback", String(verdict.runAgain)),
    told("lost between queue and worker", String(verdict.goneInHands)),
    told("rows that only the server heard", String(verdict.unheard)),
  ];
}

function fences({ options, replicas }: Scene): TableRow[] {
  const refused = replicas.all.reduce((sum, { link }) => sum + link.fenced, 0);
  const bar = Math.floor(20 * options.minutes / 60);
  return [{
    measure: "refused writes of an old fence",
    bar: `>= ${bar}`,
    got: String(refused),
    isBroken: refused < bar,
    isTiming: true,
  }];
}

function times(scene: Scene): TableRow[] {
  const { killGaps, stopGaps, leaseMs, ledger, calm, options } = scene;
  const late = [...ledger.published.values()].flat()
    .filter(({ dueMs }) => calm.some(({ fromMs, toMs }) => dueMs >= fromMs && dueMs <= toMs))
    .map(({ atMs, dueMs }) => atMs - dueMs);
  const atMost = (measure: string, bar: number, values: readonly number[], share: number) => {
    const got = quantile(values, share);
    return {
      ...{ measure, bar: `<= ${bar}`, got: `${got} of ${values.length}` },
      ...{ isBroken: got > bar, isTiming: true },
    };
  };
  const isHerd = options.profile === "herd";
  return [
    atMost("leader gap after kill -9, p99, ms", leaseMs + 1_000, killGaps, 0.99),
    told("  p50, max", `${quantile(killGaps, 0.5)}, ${quantile(killGaps, 1)}`),
    atMost("leader gap after a clean stop, p99, ms", 300, stopGaps, 0.99),
    told("  p50, max", `${quantile(stopGaps, 0.5)}, ${quantile(stopGaps, 1)}`),
    ...(isHerd ? [] : [atMost("lateness in calm, p50, ms", 15, late, 0.5)]),
    atMost("lateness in calm, p99, ms", isHerd ? 2_000 : 250, late, 0.99),
    told("  max", String(quantile(late, 1))),
  ];
}

function processes({ replicas, counts, crew, memory, options }: Scene): TableRow[] {
  const zero = (measure: string, got: number): TableRow => ({
    ...{ measure, bar: "0", got: String(got) },
    isBroken: got > 0,
  });
  return [
    zero("crash exits", replicas.crashes.length),
    zero("ends other than 143 on SIGTERM", counts.get("bad end") ?? 0),
    zero("lines that are no log lines (rejections)", replicas.strayLines().length),
    memoryRow(memory, options.minutes),
    told("workers replaced", String(crew.replaced)),
  ];
}

/** Leaders of about the same age, early and late in the run. */
function memoryRow(memory: readonly MemorySample[], minutes: number): TableRow {
  const grown = memory.filter(({ ageMs }) => ageMs >= 20_000);
  const third = Math.max(1, Math.floor(grown.length / 3));
  const median = (samples: readonly MemorySample[]) =>
    quantile(samples.map(({ residentMiB }) => residentMiB), 0.5);
  const [first, last] = [median(grown.slice(0, third)), median(grown.slice(-third))];
  const isSaying = minutes >= MEMORY_MINUTES;
  return {
    measure: "resident memory of a leader, MiB",
    bar: isSaying ? "+5 %" : "",
    got: `${first.toFixed(1)} at first, ${last.toFixed(1)} at last (${grown.length} samples)`,
    isBroken: isSaying && last > first * GROWTH_MAX,
  };
}

function told(measure: string, got: string): TableRow {
  return { measure, bar: "", got, isBroken: false };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
