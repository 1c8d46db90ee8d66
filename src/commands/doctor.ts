/** `beat doctor`: all that can keep tasks from running, each with what to do. */

import type { Recent } from "../audit/recent.ts";
import { recentOf } from "../audit/recent.ts";
import { listOf } from "../celery/message.ts";
import { ArchiveError, BeatError, ConfigError, EXIT, JournalUnavailableError } from "../errors.ts";
import type { Journal, Leadership, Loaded } from "../ports.ts";
import { connect, untilReady } from "../redis/client.ts";
import { keysOf } from "../redis/keys.ts";
import { listenTo } from "../redis/listen.ts";
import type { Gone } from "../redis/read.ts";
import { goneRows } from "../redis/read.ts";
import { serverFacts, unackedOf, workerPrefixes } from "../redis/server_facts.ts";
import type { Config } from "../settings.ts";
import type { Task } from "../task.ts";
import { calendarChecks } from "./calendar_ends.ts";
import { archiveCheck, journalCheck } from "./doctor_journal.ts";
import { queueCheck, queueFault } from "./doctor_queues.ts";
import type { QueueFacts } from "./doctor_queues.ts";
import { longRuns } from "./doctor_runs.ts";
import type { Check } from "./doctor_server.ts";
import {
  failure,
  fine,
  leaderCheck,
  MASTER,
  prefixCheck,
  resultsCheck,
  serverChecks,
  unackedCheck,
  warning,
} from "./doctor_server.ts";
import { taskCheck } from "./doctor_tasks.ts";
import { levelChecks } from "./level_views.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { openJournal } from "./open_journal.ts";
import { placeOf } from "./place.ts";
import { lookAtQueues } from "./queue_look.ts";
import { during } from "./progress.ts";
import { harmless } from "./row_words.ts";
import type { Shell } from "./shell.ts";
import { paintFor } from "./table.ts";
import { viewsOf } from "./task_views.ts";

export interface DoctorOptions {
  readonly json?: boolean;
}

/** Rows of the journal that are looked at, from the newest back. */
const ROWS_MAX = 50_000;

/** How long workers may take to answer where a queue has none: a heartbeat comes each two seconds. */
const WORKERS_WAIT_MS = 2_200;

const ANSWER_MAX_MS = 5_000;

const CONFIG_ADVICE =
  "correct it; `beat validate` checks it. Until then `beat doctor -c /dev/null` looks at " +
  "what does not follow from the file";

const DEAF_ADVICE =
  "allow it PSUBSCRIBE and the channels of events: until then the ends of fires are seen later";

/** With more tasks than this, those that are fine are told in one line. */
const TASKS_LISTED_MAX = 50;

/** Read only, but for the question to the workers (`redis/pidbox.ts`). */
export async function doctor(options: DoctorOptions, shell: Shell): Promise<number> {
  const { checks, code } = await examine(shell);
  if (options.json) shell.out(`${JSON.stringify(checks, null, 2)}\n`);
  else printChecks(checks, shell);
  return code;
}

/** What keeps it from looking is a finding as well. */
async function examine(shell: Shell): Promise<{ checks: Check[]; code: number }> {
  let opened: OpenedJournal | null = null;
  try {
    // It has a check of its own for what others are warned of.
    opened = await openJournal({ env: shell.env, err: () => {} });
    const open = opened;
    const checks = await during("asking the workers", shell, () => checksOf(open));
    const isFailing = checks.some(({ level }) => level === "failure");
    return { checks, code: isFailing ? EXIT.finding : EXIT.ok };
  } catch (error) {
    if (error instanceof ConfigError) {
      const checks = error.problems.map(({ where, message }) =>
        failure("configuration", `${where}: ${message}`, CONFIG_ADVICE)
      );
      return { checks, code: EXIT.usage };
    }
    if (!(error instanceof JournalUnavailableError)) throw error;
    const check = failure("redis", error.message, "nothing else can be looked at without it");
    return { checks: [check], code: error.exitCode };
  } finally {
    opened?.close();
  }
}

async function checksOf(opened: OpenedJournal): Promise<Check[]> {
  const { client, config, journal, lease } = opened;
  const { namespace, transport, backend } = config.settings;
  const keys = keysOf(namespace, transport.globalKeyPrefix);
  const facts = await serverFacts(client, keys);
  const place = placeOf(config);
  const server = [
    fine("namespace", `${place.namespace} on ${place.broker}`),
    ...serverChecks(facts),
  ];
  // It takes no question to workers, and all else there may be of some time ago.
  if ((facts.info?.get("role") ?? MASTER) !== MASTER) return server;
  const [loaded, standing, { recent, damage }, unacked, prefixes, results] = await Promise.all([
    journal.load(),
    lease.look(),
    readRecent(journal),
    unackedOf(client, transport.globalKeyPrefix + transport.unackedIndexKey),
    workerPrefixes(client, transport.globalKeyPrefix),
    resultsProblem(config),
  ]);
  await longRuns(config, { client, keys, loaded, recent });
  const { queues, heartbeats, deaf } = await readQueues(opened, recent);
  const { serverMs: nowMs } = loaded;
  return [
    ...server,
    journalCheck(facts.journal, config.settings.journal, nowMs),
    await checkArchive(opened, await goneRows(client, keys), damage),
    leaderCheck(standing, facts.journal.lastMs),
    resultsCheck(backend !== null, results),
    ...deaf === null ? [] : [warning("events", deaf, DEAF_ADVICE)],
    unackedCheck(unacked, nowMs, transport.visibilityTimeoutMs),
    prefixCheck(transport.globalKeyPrefix, prefixes),
    ...config.hints.map(hintCheck),
    ...calendarChecks(config.tasks, nowMs),
    ...levelChecks(loaded.cursors, nowMs),
    ...queues.map((each) => queueCheck(each, { nowMs, heartbeats })),
    ...taskChecks(config, { loaded, standing, recent, queues }),
  ];
}

async function checkArchive(
  { archive, archiveDir }: OpenedJournal,
  gone: Gone,
  damage: string | null,
): Promise<Check> {
  const problem = await archive.problem();
  const archived = await archive.list().then(
    (all) => ({ segments: all.length, rows: all.reduce((sum, { rows }) => sum + rows, 0) }),
    (error) => error instanceof ArchiveError ? error.message : Promise.reject(error),
  );
  return damage === null
    ? archiveCheck(archiveDir, archived, { problem, goneRows: gone.count })
    : failure("archive", damage, DAMAGE_ADVICE);
}

const DAMAGE_ADVICE =
  "until then audit, replay and export end with this error, and what is below is of newer rows only";

/** `damage`: why it goes back no further; `null` where nothing is in the way. */
async function readRecent(
  journal: Pick<Journal, "readBack">,
): Promise<{ recent: Recent; damage: string | null }> {
  const recent = recentOf();
  try {
    for await (const row of journal.readBack({ from: "-", to: "+" })) {
      recent.take(row);
      if (recent.rows >= ROWS_MAX) break;
    }
  } catch (error) {
    if (error instanceof ArchiveError) return { recent, damage: error.message };
    throw error;
  }
  return { recent, damage: null };
}

/** Most hints are about what is meant so; a variable that nobody reads is a slip. */
function hintCheck(hint: string): Check {
  return hint.includes("is set, but not read")
    ? warning("configuration", hint, "correct its name, or remove it")
    : fine("configuration", hint);
}

async function resultsProblem({ settings: { backend } }: Config): Promise<string | null> {
  if (backend === null) return null;
  const client = connect(backend, { name: "beat-look", commandTimeoutMs: ANSWER_MAX_MS });
  try {
    await untilReady(client, AbortSignal.timeout(ANSWER_MAX_MS));
    await client.get("celery-task-meta-");
    return null;
  } catch (error) {
    if (error instanceof BeatError) return error.message;
    return error instanceof Error ? `the result backend refuses: ${error.message}` : String(error);
  } finally {
    client.disconnect();
  }
}

async function readQueues(
  { client, config }: OpenedJournal,
  recent: Recent,
): Promise<{ queues: QueueFacts[]; heartbeats: string[]; deaf: string | null }> {
  const byList = new Map<string, Task[]>();
  for (const task of config.tasks) {
    const list = listOf(task.queue, task.priority, config.settings.transport);
    byList.set(list, [...byList.get(list) ?? [], task]);
  }
  const lists = [...byList].map(([list, [task]]) => ({ list, queue: task!.queue }));
  const heard = new Set<string>();
  const listening = new AbortController();
  let deaf: string | null = null;
  listenTo(
    {
      broker: config.settings.broker!,
      backend: null,
      transport: config.settings.transport,
      commandTimeoutMs: ANSWER_MAX_MS,
      onRefused: (_what, { message }) => deaf = message,
    },
    (hint) => {
      if (hint.kind === "worker" && hint.isOnline) heard.add(hint.worker);
    },
    listening.signal,
  );
  const looks = await lookAtQueues({ client, config }, lists, WORKERS_WAIT_MS)
    .finally(() => listening.abort());
  const queues = looks.map((look, index) => {
    const { list, queue } = lists[index]!;
    const tasks = byList.get(list)!;
    const taken = tasks.flatMap(({ name }) => recent.takenMs.get(name) ?? []);
    return { look, queue, tasks, takenMs: taken.length === 0 ? null : Math.max(...taken) };
  });
  return { queues, heartbeats: [...heard], deaf };
}

function taskChecks(
  config: Config,
  { loaded, standing, recent, queues }: {
    readonly loaded: Loaded;
    readonly standing: Leadership;
    readonly recent: Recent;
    readonly queues: readonly QueueFacts[];
  },
): Check[] {
  const context = {
    nowMs: loaded.serverMs,
    isLed: standing.leader !== null,
    visibilityMs: config.settings.transport.visibilityTimeoutMs,
  };
  const faults = new Map(queues.flatMap((each) => {
    const fault = queueFault(each, context.nowMs);
    return fault === null ? [] : each.tasks.map(({ name }) => [name, fault] as const);
  }));
  const open = Map.groupBy(loaded.open, ({ task }) => task);
  const checks = viewsOf(config, loaded, new Map()).map((view) =>
    taskCheck({
      view,
      recent: recent.tasks.get(view.name) ?? null,
      open: open.get(view.name) ?? [],
      cursorMs: loaded.cursors.get(view.name)?.dueMs ?? null,
      queueFault: faults.get(view.name) ?? null,
    }, context)
  );
  if (checks.length <= TASKS_LISTED_MAX) return checks;
  const wrong = checks.filter(({ level }) => level !== "fine");
  const others = checks.length - wrong.length;
  return [...wrong, ...(others === 0 ? [] : [fine("tasks", `${others} others are fine or off`)])];
}

const COLOUR = { fine: "green", warning: "yellow", failure: "red" } as const;

function printChecks(checks: readonly Check[], shell: Shell): void {
  const paint = paintFor(shell);
  const width = Math.min(40, Math.max(...checks.map(({ subject }) => subject.length)));
  for (const { level, subject, text, advice } of checks) {
    shell.out(
      `${paint(COLOUR[level], level.padEnd(7))}  ${harmless(subject.padEnd(width))}  ${
        harmless(text)
      }\n`,
    );
    if (advice !== null) shell.out(`${" ".repeat(9)}${paint("dim", `→ ${advice}`)}\n`);
  }
}
