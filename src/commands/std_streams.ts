/** Standard output and error of the process: all of a text is written, however slow its reader. */

/** Nobody reads standard output any more: the reader had enough, which is no failure. */
export class ClosedPipe extends Error {}

/** @throws {ClosedPipe} */
export function out(text: string): void {
  try {
    writeAll(Deno.stdout, text);
  } catch (error) {
    throw error instanceof Deno.errors.BrokenPipe ? new ClosedPipe() : error;
  }
}

/** Nobody to tell is no reason to stop. */
export function err(text: string): void {
  try {
    writeAll(Deno.stderr, text);
  } catch (error) {
    const isClosedTerminal = error instanceof Error && "code" in error && error.code === "EIO";
    if (!(error instanceof Deno.errors.BrokenPipe || isClosedTerminal)) throw error;
  }
}

const encoder = new TextEncoder();

/** How long to wait for a reader that is behind, when the pipe does not wait by itself. */
const PIPE_WAIT_MS = 5;

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(stream.writeSync(bytes));
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_WAIT_MS);
    }
  }
}
