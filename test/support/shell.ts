/** A shell that keeps what a command says. */

import type { Shell } from "../../src/commands/shell.ts";

export interface KeptShell extends Shell {
  /** Standard output and standard error so far. */
  readonly said: { out: string; err: string };
  /** As SIGINT would. */
  interrupt(): void;
}

export function keptShell(
  shell: Partial<Pick<Shell, "env" | "isOutTerminal" | "columns">> = {},
): KeptShell {
  const said = { out: "", err: "" };
  const stopping = new AbortController();
  return {
    env: {},
    isOutTerminal: false,
    isErrTerminal: false,
    columns: 80,
    said,
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    readStdin: () => Promise.resolve(""),
    signal: stopping.signal,
    onHangup: () => () => {},
    interrupt: () => stopping.abort("SIGINT"),
    ...shell,
  };
}
