/** What a user reads when the embedded Redis cannot start: what is in the way, and what to do. */

import { BeatError, EXIT } from "../errors.ts";

const ELSEWHERE = "or set CELERY_BROKER_URL to a Redis that runs elsewhere";

/** None of the programs is installed. */
export function noProgram(programs: readonly string[]): BeatError {
  const names = programs.map((name) => `\`${name}\``).join(" or ");
  return new BeatError(
    "EMBEDDED_PROGRAM",
    EXIT.unavailable,
    `expected ${names} to be installed, got none on PATH; install one ` +
      "(Debian, Ubuntu: apt-get install redis-server; Fedora: dnf install valkey; " +
      `macOS: brew install redis), ${ELSEWHERE}`,
  );
}

/** The directory of the data. */
export function notWritable(dataDir: string, cause: unknown): BeatError {
  return new BeatError(
    "EMBEDDED_DIR",
    EXIT.unavailable,
    `expected \`${dataDir}\` to be a directory that can be written, got ${cause}; ` +
      `make it so, ${ELSEWHERE}`,
    { cause },
  );
}

/** @param reason the server's last words */
export function notStarted(reason: string): BeatError {
  return new BeatError(
    "EMBEDDED_START",
    EXIT.unavailable,
    `expected the embedded Redis to start, got:\n${reason}\n` +
      `look at redis.log beside its data, ${ELSEWHERE}`,
  );
}

/** Something has the port, and may be the embedded Redis. */
export function hanging(port: number, waitedMs: number): BeatError {
  return new BeatError(
    "EMBEDDED_PORT",
    EXIT.unavailable,
    `expected port ${port} to be free or the embedded Redis to answer there, got no answer in ` +
      `${waitedMs} ms; end the program that has it, ${ELSEWHERE}`,
  );
}
