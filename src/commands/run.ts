/** `beat run`: loads the configuration, connects, and leads or stands by until a signal. */

import { randomUUID } from "node:crypto";
import project from "../../deno.json" with { type: "json" };
import { directoryArchive, historyDirectory } from "../archive/directory.ts";
import { serverClock, systemClock } from "../clock.ts";
import { listsOf } from "../celery/message.ts";
import { loadConfig } from "../config/load.ts";
import type { OfficeParts } from "../lead/office.ts";
import { rosterOf } from "../core/roster.ts";
import { BeatError, EXIT } from "../errors.ts";
import type { Log } from "../log.ts";
import { createLog } from "../log.ts";
import { connect, untilTried } from "../redis/client.ts";
import type { Embedded } from "../redis/embedded.ts";
import { EMBEDDED_DIR, startEmbedded, withEmbedded } from "../redis/embedded.ts";
import { redisGauges } from "../redis/gauges.ts";
import { redisJournal } from "../redis/journal.ts";
import { keysOf } from "../redis/keys.ts";
import { redisLease } from "../redis/lease.ts";
import { redisStage } from "../redis/stage.ts";
import { redisRequests } from "../redis/requests.ts";
import { redisSensors } from "../redis/sensors.ts";
import { serverRisks } from "../redis/server_check.ts";
import type { Config, Settings } from "../settings.ts";
import { gaugesOver } from "./gauges.ts";
import { reloader, watchFiles } from "./reload.ts";
import type { Shell } from "./shell.ts";
import { saySummary } from "./summary.ts";
import type { Supervisor } from "./supervise.ts";
import { supervise } from "./supervise.ts";

export interface RunOptions {
  /** Whether profile `dev` without a broker may start a Redis of its own. */
  readonly isEmbeddingAllowed: boolean;
  /** Whether to wait for a Redis that is away at start. */
  readonly isWaiting: boolean;
}

/** @throws {ConfigError} {JournalUnavailableError} */
export async function run(options: RunOptions, shell: Shell): Promise<number> {
  let env = shell.env;
  let config = await loadConfig(env);
  const log = await createLog({
    level: config.settings.logLevel,
    format: config.settings.logFormat,
    write: (text) => shell.err(text),
    isTerminal: shell.isErrTerminal,
    hasColor: shell.isErrTerminal && !env.NO_COLOR,
  }, systemClock);
  let embedded: Embedded | null = null;
  if (config.settings.broker === null) {
    try {
      embedded = await embed(options, config.settings, shell, log);
    } catch (error) {
      if (shell.signal.aborted && error === shell.signal.reason) return EXIT.ok;
      throw error;
    }
    env = withEmbedded(env, embedded.url);
    config = await loadConfig(env);
  }
  try {
    return await lead({ config, env, isPatient: options.isWaiting, log, embedded }, shell);
  } finally {
    await embedded?.stop();
  }
}

interface Start {
  readonly config: Config;
  readonly env: Shell["env"];
  readonly isPatient: boolean;
  readonly log: Log;
  readonly embedded: Embedded | null;
}

async function lead({ config, env, isPatient, log, embedded }: Start, shell: Shell) {
  const owner = `${Deno.hostname()}:${Deno.pid}:${randomUUID().slice(0, 8)}`;
  const origin = `beat@${Deno.hostname()}`;
  // Settings are those of the start, as all else has them.
  const ready = ({ tasks }: Config) => rosterOf(tasks, config.settings.transport, origin);
  const { office, connected, close } = officeOf({
    ...{ config, owner, origin, isPatient, log },
    roster: ready(config),
  });
  saySummary(config, office.declared.roster, office.server, log);
  if (embedded !== null) sayEmbedded(embedded, shell);
  await connected(shell.signal);
  const supervisor = supervise(office);
  const reload = reloader({
    ...office,
    load: ({ written }) => loadConfig(env, { before: written }),
    rosterOf: ready,
  }, config);
  const stopWatching = watchForReload(config, office, { supervisor, reload, shell });
  embedded?.lost.then((reason) => log.error("the embedded Redis is gone", { reason }));
  const stop = () => supervisor.actor.send({ type: "STOP" });
  if (shell.signal.aborted) stop();
  shell.signal.addEventListener("abort", stop, { once: true });
  const { error } = await supervisor.done;
  stopWatching();
  close();
  if (error !== null) throw error;
  log.info("stopped", { reason: String(shell.signal.reason) });
  return EXIT.ok;
}

function officeOf({ config, owner, origin, isPatient, log, roster }: {
  config: Config;
  owner: string;
  origin: string;
  isPatient: boolean;
  log: Log;
  roster: OfficeParts["declared"]["roster"];
}): { office: OfficeParts; connected(signal: AbortSignal): Promise<void>; close(): void } {
  const { settings } = config;
  const { broker, backend, transport, namespace, leaseMs } = settings;
  if (broker === null) throw new BeatError("CONFIG", EXIT.usage, "no broker is configured");
  const keys = keysOf(namespace, transport.globalKeyPrefix);
  const commandTimeoutMs = Math.floor(leaseMs * 0.4);
  // The lease has a connection of its own: renewing it never waits behind publishing.
  const publishing = connect(broker, { name: "beat-publish", commandTimeoutMs });
  const staging = connect(broker, { name: "beat-stage", commandTimeoutMs });
  const leasing = connect(broker, { name: keys.lease, commandTimeoutMs });
  const sensors = redisSensors({
    ...{ broker, backend, transport, commandTimeoutMs, fenceKey: keys.fence },
    onRefused: (what, err) =>
      log.warn("may not listen: ends of fires are seen later", { what, err }),
  });
  const gauges = redisGauges({ broker, transport, commandTimeoutMs });
  warnOfRisks(publishing, log);
  const journal = redisJournal(publishing, keys);
  const office: OfficeParts = {
    journal,
    stage: redisStage(staging, keys, { journal }),
    lease: redisLease(leasing, keys),
    sensors,
    clock: systemClock,
    server: serverClock(systemClock),
    log,
    owner,
    ttlMs: leaseMs,
    newEpoch: randomUUID(),
    isPatient,
    namespace,
    build: project.version,
    declared: { roster, rows: [], levels: config.levels },
    measuring: {
      gauges: gaugesOver(gauges),
      listsOf: (queue) => listsOf(queue, transport),
    },
    asking: { requests: redisRequests(publishing, keys), origin },
    retention: {
      limits: settings.journal,
      archiveOf: (epoch) =>
        directoryArchive(historyDirectory(settings.journal.archive, namespace, epoch), owner),
    },
  };
  const close = () => {
    publishing.disconnect();
    staging.disconnect();
    leasing.disconnect();
    sensors.close();
    gauges.close();
  };
  const connected = async (signal: AbortSignal) => {
    const tried = AbortSignal.any([signal, AbortSignal.timeout(commandTimeoutMs)]);
    await Promise.all([publishing, leasing].map((client) => untilTried(client, tried)));
  };
  return { office, connected, close };
}

/** At each connection: another server may stand there now. The same risk is told once. */
function warnOfRisks(client: ReturnType<typeof connect>, log: Log): void {
  const told = new Set<string>();
  client.on("ready", async () => {
    for (const risk of await serverRisks(client)) {
      if (!told.has(risk)) log.warn(risk);
      told.add(risk);
    }
  });
}

function watchForReload(
  { files }: Config,
  parts: OfficeParts,
  { supervisor, reload, shell }: {
    supervisor: Supervisor;
    reload: () => Promise<boolean>;
    shell: Shell;
  },
): () => void {
  const watched = new AbortController();
  const reloadNow = async () => {
    if (await reload()) supervisor.actor.send({ type: "RELOAD" });
  };
  const stopHangup = shell.onHangup(reloadNow);
  watchFiles(files, parts, watched.signal, reloadNow);
  return () => {
    watched.abort();
    stopHangup();
  };
}

async function embed(
  { isEmbeddingAllowed }: RunOptions,
  { profile }: Settings,
  shell: Shell,
  log: Log,
): Promise<Embedded> {
  if (!isEmbeddingAllowed || profile !== "dev") {
    throw new BeatError(
      "CONFIG",
      EXIT.usage,
      "expected CELERY_BROKER_URL (or REDIS_HOST, REDIS_PORT, REDIS_DB) to say where the broker is, " +
        "got nothing: set it in the environment or in env/.env.<profile>.beat",
    );
  }
  return await startEmbedded({
    dataDir: EMBEDDED_DIR,
    signal: shell.signal,
    say: (sentence) => log.info(sentence),
  });
}

function sayEmbedded({ url }: Embedded, shell: Shell): void {
  shell.err(`
  No broker is configured, so Beat runs a Redis of its own:  ${url}

  To see the fires run, start a Celery worker on it (python3 with celery and redis):
    cd env && CELERY_BROKER_URL=${url} CELERY_RESULT_BACKEND=${url} \\
      python3 -m celery -A celery_app worker -l info
  To look, from another terminal in this folder:
    deno task beat tasks
    deno task beat journal --follow

`);
}
