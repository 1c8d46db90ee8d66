/** Loads the configuration anew on SIGHUP or when one of its files changes. A bad one changes nothing. */

import { dirname } from "node:path";
import type { ServerClock } from "../clock.ts";
import { difference } from "../config/load.ts";
import type { Declared } from "../lead/office.ts";
import type { Roster } from "../core/roster.ts";
import { ConfigError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Clock } from "../ports.ts";
import type { Config } from "../settings.ts";

/** Editors write a file in several steps; the last one counts. Milliseconds. */
const SETTLE_MS = 200;

export interface ReloadParts {
  readonly clock: Clock;
  readonly server: ServerClock;
  readonly log: Log;
  readonly declared: Declared;
  /** @param running the configuration that runs. @throws {ConfigError} */
  load(running: Config): Promise<Config>;
  rosterOf(config: Config): Roster;
}

/**
 * @param before the configuration that runs
 * @returns loads it anew; resolves with whether there is something for the next tick to take up
 */
export function reloader(parts: ReloadParts, before: Config): () => Promise<boolean> {
  const { declared, log, server } = parts;
  let running = before;
  const head = () => ({ task: "", dueMs: null, decidedMs: server.nowMs() });

  const reload = async () => {
    try {
      const after = await parts.load(running);
      const roster = parts.rosterOf(after);
      const changes = difference(running, after);
      sayRestart({ before, running, after }, log);
      running = after;
      declared.levels = after.levels;
      const isSame = Object.values(changes).every((names) => names.length === 0);
      log.info(
        isSame ? "configuration loaded anew: no task changed" : "configuration loaded anew",
        {
          ...changes,
        },
      );
      if (isSame) return false;
      declared.roster = roster;
      declared.rows.push({ ...head(), type: "control.reloaded", detail: changes });
    } catch (error) {
      // Also what nobody has thought of: replicas read the same file, and one after the other would end.
      log.error("the changed configuration is refused; the old one runs on", { err: error });
      const problems = error instanceof ConfigError
        ? error.problems.map(({ where, message }) => `${where}: ${message}`)
        : [error instanceof Error ? error.message : String(error)];
      declared.rows.push({ ...head(), type: "control.reload_refused", detail: { problems } });
    }
    return true;
  };
  // One after the other: of two at once, the one that has read the older file might end last.
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const mine = last.then(reload);
    last = mine.catch(() => {});
    return mine;
  };
}

/**
 * Calls `onChange` after one of the files changed, until `signal` is aborted. Where the system has no
 * watch left, that is said, and nobody is called.
 */
export async function watchFiles(
  files: readonly string[],
  { clock, log }: Pick<ReloadParts, "clock" | "log">,
  signal: AbortSignal,
  onChange: () => void,
): Promise<void> {
  const folders = [...new Set(files.map((file) => dirname(file)))].filter(isFolder);
  if (folders.length === 0) return;
  const watcher = watcherOf(folders);
  if (watcher instanceof Error) {
    log.warn("files are not watched: send SIGHUP after a change", { err: watcher });
    return;
  }
  signal.addEventListener("abort", () => watcher.close(), { once: true });
  // Not by the names in the events: a file may be a link, and change with a folder that has another.
  const look = () => files.map(standOf).join();
  let known = look();
  let settling = false;
  for await (const { kind } of watcher) {
    if (kind === "access" || settling) continue;
    settling = true;
    clock.sleep(SETTLE_MS, signal).then(() => {
      settling = false;
      const now = look();
      if (signal.aborted || now === known) return;
      known = now;
      onChange();
    });
  }
}

/** Each process of a user takes one of a few (on Linux 128, `fs.inotify.max_user_instances`). */
function watcherOf(folders: string[]): Deno.FsWatcher | Error {
  try {
    return Deno.watchFs(folders, { recursive: false });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Another text for another file, or other contents. */
function standOf(path: string): string {
  try {
    const { ino, size, mtime } = Deno.statSync(path);
    return `${ino} ${size} ${mtime?.getTime()}`;
  } catch {
    return "";
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** @param configs.before that of the start, whose settings are in force */
function sayRestart(
  { before, running, after }: Readonly<Record<"before" | "running" | "after", Config>>,
  log: Log,
): void {
  const text = ({ settings }: Config) => JSON.stringify(settings);
  if (text(after) === text(running) || text(after) === text(before)) return;
  log.warn("settings other than tasks changed; they are taken up by a restart");
}
