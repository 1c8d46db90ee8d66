/**
 * Segments as files of gzip-compressed NDJSON in a directory, one of each history. A file appears under
 * its name whole, and on the disk, or not at all.
 */

import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createGunzip, gzip } from "node:zlib";
import { ArchiveError } from "../errors.ts";
import type { Archive, Segment } from "../ports.ts";
import { inOrder, segmentName, segmentOf } from "./segments.ts";

const zip = promisify(gzip);

/** The directory of one history: several of a namespace may share `root`, as may several namespaces. */
export function historyDirectory(root: string, namespace: string, epoch: string): string {
  return join(root, namespace, epoch);
}

/** @param owner tells apart what two processes write at the same time */
export function directoryArchive(directory: string, owner: string): Archive {
  const pathOf = (segment: Segment) => join(directory, segmentName(segment));
  return {
    write: (segment, lines) =>
      explained(`write ${pathOf(segment)}`, async () => {
        await mkdir(directory, { recursive: true });
        const path = pathOf(segment);
        // Names of what is not finished do not end as those of segments do.
        const temporary = `${path}.${owner.replaceAll(/[^\w-]/g, "-")}.part`;
        try {
          await writeDurably(temporary, await zip(`${lines.join("\n")}\n`));
          await rename(temporary, path);
          await syncDirectory(directory);
        } finally {
          await rm(temporary, { force: true });
        }
      }),
    list: () =>
      explained(`list ${directory}`, async () => {
        const names = await orEmpty(readdir(directory));
        return inOrder(names.flatMap((name) => segmentOf(name) ?? []));
      }),
    read: (segment) => linesOf(pathOf(segment), segment.rows),
    async problem() {
      const path = join(directory, `.${owner.replaceAll(/[^\w-]/g, "-")}.probe`);
      try {
        await mkdir(directory, { recursive: true });
        await writeDurably(path, new Uint8Array(1));
        await rm(path);
        return null;
      } catch (error) {
        return messageOf(error);
      }
    },
  };
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file: FileHandle = await open(path, "w");
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A new name is on the disk only when its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @param rows that it must have */
async function* linesOf(path: string, rows: number): AsyncGenerator<string[]> {
  const file = createReadStream(path);
  try {
    const decoder = new TextDecoder();
    let rest = "";
    let count = 0;
    const text = createGunzip({ chunkSize: 1 << 18 });
    file.on("error", (error) => text.destroy(error));
    for await (const chunk of file.pipe(text)) {
      const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n");
      rest = lines.pop()!;
      count += lines.length;
      if (lines.length > 0) yield lines;
    }
    if (count === rows && rest === "") return;
    throw new ArchiveError(`expected ${rows} rows in ${path}, got ${count}; ${READ_ADVICE}`);
  } catch (error) {
    throw unreadable(`read ${path}`, error, READ_ADVICE);
  } finally {
    // Whoever has seen enough ends what unpacks it, and that leaves the file open.
    file.destroy();
  }
}

async function orEmpty(names: Promise<string[]>): Promise<string[]> {
  try {
    return await names;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return [];
    throw error;
  }
}

async function explained<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unreadable(what, error, WRITE_ADVICE);
  }
}

const WRITE_ADVICE = "see BEAT_ARCHIVE, and that Beat may write there (--allow-write)";
const READ_ADVICE =
  "put a copy of it in its place, or move it out of the directory: its rows are " +
  "missing then, and all others are read";

function unreadable(what: string, error: unknown, advice: string): unknown {
  // What the reader of a segment threw is passed through it, too.
  const isOfFiles = error instanceof Error &&
    ("code" in error || error instanceof Deno.errors.NotCapable);
  if (!isOfFiles || error instanceof ArchiveError) return error;
  return new ArchiveError(
    `expected to be able to ${what}, got: ${messageOf(error)}; ${advice}`,
    { cause: error },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
