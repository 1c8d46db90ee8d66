/** What a command may touch of the process that it runs in. `main.ts` makes the real one. */

export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Data, to standard output; no line end is added. */
  out(text: string): void;
  /** Everything else, to standard error; no line end is added. */
  err(text: string): void;
  readonly isOutTerminal: boolean;
  readonly isErrTerminal: boolean;
  /** Width of the terminal in characters; 80 where there is none. */
  readonly columns: number;
  /** All of standard input. */
  readStdin(): Promise<string>;
  /**
   * Aborted by SIGINT, SIGTERM or the end of the terminal; its reason is the signal's name. A command that never asks for it
   * is ended by the signal itself.
   */
  readonly signal: AbortSignal;
  /** Calls `listener` on each SIGHUP that a person sent, until the returned function is called. */
  onHangup(listener: () => void): () => void;
}
