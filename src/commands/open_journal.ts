/** Opens the journal that the configuration names, for commands that only look. */

import type { ReadPages } from "../archive/across.ts";
import { acrossJournal, acrossPages, passingOver } from "../archive/across.ts";
import { directoryArchive, historyDirectory } from "../archive/directory.ts";
import { loadConfig } from "../config/load.ts";
import type { ArchiveError } from "../errors.ts";
import { BeatError, EXIT } from "../errors.ts";
import type { JournalRow } from "../event.ts";
import type { Archive, Journal, Lease, OnForeign, ReadRange } from "../ports.ts";
import { ask, connect, untilReady } from "../redis/client.ts";
import { EMBEDDED_DIR, withEmbedded } from "../redis/embedded.ts";
import { orNull } from "../redis/errors.ts";
import { redisJournal } from "../redis/journal.ts";
import type { Keys } from "../redis/keys.ts";
import { keysOf } from "../redis/keys.ts";
import { redisLease } from "../redis/lease.ts";
import { peekingJournal } from "../redis/peek.ts";
import { readBytes, readPages } from "../redis/bulk_read.ts";
import { firstRowId, readEpoch } from "../redis/read.ts";
import type { RowBytes } from "../redis/row_bytes.ts";
import { factsOf } from "../redis/server_check.ts";
import type { Config, RedisEndpoint, Settings } from "../settings.ts";
import type { Shell } from "./shell.ts";
import { spanText } from "./time_text.ts";

/** Who looks does not wait long for a server that does not answer. */
const ANSWER_MAX_MS = 5_000;

/** Where the embedded Redis of a running Beat leaves its port, from the working directory. */
const EMBEDDED_PORT = `${EMBEDDED_DIR}/port`;

/** The journal in Redis, without the archive. */
export interface HotJournal extends Pick<Journal, "read" | "readBack" | "reload" | "extent"> {
  firstId(): Promise<string | null>;
  readonly pages: ReadPages;
  bytes(range: ReadRange): AsyncIterable<RowBytes>;
}

export interface OpenedJournal {
  /** Reads all rows that there are: those of the archive, then those in Redis. */
  readonly journal: Pick<Journal, "load" | "reload" | "read" | "readBack">;
  /**
   * As `journal`, and good at few rows. Passes over entries that are no rows, and over what is damaged in
   * the archive.
   */
  readonly peek: Pick<Journal, "read" | "readBack">;
  /** What `peek` has passed over in the archive. */
  readonly damage: readonly ArchiveError[];
  /** As `journal.read`, many rows at a time. */
  pages(range: ReadRange, onForeign: OnForeign): AsyncIterable<readonly JournalRow[]>;
  /** Where old rows are, of the history that this namespace holds. */
  readonly archive: Archive;
  readonly archiveDir: string;
  /** The stream in Redis alone. */
  readonly hot: HotJournal;
  readonly lease: Pick<Lease, "look">;
  readonly config: Config;
  /** The connection itself, for what else there is to look at. */
  readonly client: ReturnType<typeof connect>;
  close(): void;
}

/**
 * Warns where the server is a replica.
 * @throws {ConfigError} also when no broker is configured and none is embedded
 * @throws {JournalUnavailableError} at once when the server refuses, else after a few seconds
 */
export async function openJournal(
  { env, err }: Pick<Shell, "env" | "err">,
): Promise<OpenedJournal> {
  const config = await orEmbedded(await loadConfig(env), env);
  const { broker, namespace, transport } = config.settings;
  const client = connect(brokerOf(broker), { name: "beat-look", commandTimeoutMs: ANSWER_MAX_MS });
  const refused = new AbortController();
  client.once("error", () => refused.abort());
  try {
    await untilReady(client, AbortSignal.any([refused.signal, AbortSignal.timeout(ANSWER_MAX_MS)]));
    const warning = await replicaWarning(client);
    if (warning !== null) err(`${warning}\n`);
  } catch (error) {
    client.disconnect();
    throw error;
  }
  const keys = keysOf(namespace, transport.globalKeyPrefix);
  const stream = redisJournal(client, keys);
  const hot: HotJournal = {
    ...stream,
    firstId: () => firstRowId(client, keys),
    pages: (...args) => readPages(client, keys, ...args),
    bytes: (range) => readBytes(client, keys, range),
  };
  const archiveDir = await archiveDirOf(client, keys, config.settings).catch((error) => {
    client.disconnect();
    throw error;
  });
  const archive = directoryArchive(archiveDir, `look-${Deno.pid}`);
  const { firstId } = hot;
  const damage: ArchiveError[] = [];
  const readable = passingOver(archive, (error) => damage.push(error));
  return {
    journal: { ...stream, ...acrossJournal(archive, hot) },
    peek: acrossJournal(readable, { ...peekingJournal(client, keys), firstId }),
    pages: (range, onForeign) => acrossPages(archive, hot, range, onForeign),
    lease: redisLease(client, keys),
    ...{ archive, archiveDir, damage, hot, config },
    client,
    close: () => client.disconnect(),
  };
}

/** `null` on a master, and where the user may not ask. */
async function replicaWarning(client: OpenedJournal["client"]): Promise<string | null> {
  const info = await orNull(() => ask(client, () => client.info("replication")));
  const facts = factsOf(info ?? "");
  if (facts.get("role") !== "slave") return null;
  const master = `${facts.get("master_host")}:${facts.get("master_port")}`;
  const downS = Number(facts.get("master_link_down_since_seconds") ?? -1);
  const isDown = facts.get("master_link_status") === "down";
  const sinceText = downS < 1 ? "" : ` for ${spanText(downS * 1000)}`;
  return `this server is a replica of Redis, its master is ${master}: ` +
    (isDown ? `it has no link to it${sinceText}, and shows what was` : "what it shows may be late");
}

/** Each damaged file once, a line each; `null` where there is none. */
export function damageText({ damage }: Pick<OpenedJournal, "damage">): string | null {
  const messages = [...new Set(damage.map(({ message }) => message))];
  if (messages.length === 0) return null;
  return messages.map((each) => `without the rows of a damaged file: ${each}`).join("\n");
}

/** A history that has no name yet has no rows in an archive either. */
async function archiveDirOf(
  client: OpenedJournal["client"],
  keys: Keys,
  { journal, namespace }: Settings,
): Promise<string> {
  const epoch = await readEpoch(client, keys) ?? "none";
  return historyDirectory(journal.archive, namespace, epoch);
}

/** Without a broker, profile `dev` looks at the Redis that `beat` embeds. */
async function orEmbedded(config: Config, env: Shell["env"]): Promise<Config> {
  if (config.settings.broker !== null || config.settings.profile !== "dev") return config;
  const port = await Deno.readTextFile(EMBEDDED_PORT).catch(() => null);
  if (port === null) return config;
  return await loadConfig(withEmbedded(env, `redis://127.0.0.1:${port.trim()}/0`));
}

function brokerOf(broker: RedisEndpoint | null): RedisEndpoint {
  if (broker !== null) return broker;
  throw new BeatError(
    "CONFIG",
    EXIT.usage,
    "expected `--broker` or CELERY_BROKER_URL to say where the broker is, got nothing; " +
      "set one, or look from the directory in which `beat` runs with a Redis of its own",
  );
}
