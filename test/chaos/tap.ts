/**
 * Hears every write of a redis-server as a replica of it does: what a script wrote comes as one group,
 * in order, whether or not the history survives. Nothing of it goes through Beat.
 */

/** A command and its arguments; a group is what Redis did as one step. */
export type Command = readonly string[];
export type Group = readonly Command[];

export interface Tap {
  /** Bytes of the replication stream that were taken in, as Redis counts them. */
  readonly offset: number;
  /** Resolves when the server closed the connection, or {@link Tap.close} did. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

const ACK_EVERY_MS = 1_000;
const text = new TextDecoder();
const bytesOf = (words: readonly string[]) =>
  new TextEncoder().encode(
    `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join(""),
  );

/** Resolves once every write from now on is heard. */
export async function openTap(port: number, onGroup: (group: Group) => void): Promise<Tap> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const input = inputOf(conn);
  for (const words of [["REPLCONF", "listening-port", "1"], ["REPLCONF", "capa", "psync2"]]) {
    await conn.write(bytesOf(words));
    await input.line();
  }
  await conn.write(bytesOf(["PSYNC", "?", "-1"]));
  const [word, , start] = (await input.line()).split(" ");
  if (word !== "+FULLRESYNC") throw new Error(`expected +FULLRESYNC, got ${word}`);
  await input.skip(Number((await input.line()).slice(1)));
  let offset = Number(start);
  let isOpen = true;
  const hang = () => {
    if (!isOpen) return;
    isOpen = false;
    clearInterval(acks);
    conn.close();
  };
  const acks = setInterval(() => {
    if (isOpen) conn.write(bytesOf(["REPLCONF", "ACK", String(offset)])).catch(() => {});
  }, ACK_EVERY_MS);
  const ended = (async () => {
    const take = grouping(onGroup);
    try {
      for (;;) {
        const { words, length } = await input.command();
        take(words);
        offset += length;
      }
    } catch (error) {
      if (!isEnd(error)) throw error;
    } finally {
      hang();
    }
  })();
  ended.catch(() => {});
  return {
    get offset() {
      return offset;
    },
    ended,
    async close() {
      hang();
      await ended;
    },
  };
}

/** MULTI to EXEC is one group; any other command is a group of its own. */
function grouping(onGroup: (group: Group) => void): (words: Command) => void {
  let open: Command[] | null = null;
  return (words) => {
    const name = words[0]?.toUpperCase();
    if (name === "MULTI") open = [];
    else if (name === "EXEC") {
      if (open !== null) onGroup(open);
      open = null;
    } else if (open !== null) open.push(words);
    else onGroup([words]);
  };
}

class EndOfInput extends Error {}

function isEnd(error: unknown): boolean {
  return error instanceof EndOfInput || error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.Interrupted;
}

interface Input {
  /** Without its end; empty ones, which Redis sends to show that it lives, are passed over. */
  line(): Promise<string>;
  skip(count: number): Promise<void>;
  command(): Promise<{ words: string[]; length: number }>;
}

function inputOf(conn: Deno.TcpConn): Input {
  let data = new Uint8Array(0);
  let at = 0;
  const piece = new Uint8Array(262_144);
  const more = async () => {
    const count = await conn.read(piece);
    if (count === null) throw new EndOfInput();
    const rest = data.subarray(at);
    const joined = new Uint8Array(rest.length + count);
    joined.set(rest);
    joined.set(piece.subarray(0, count), rest.length);
    data = joined;
    at = 0;
  };
  return {
    async line() {
      for (;;) {
        const end = data.indexOf(10, at);
        if (end < 0) await more();
        else {
          const line = text.decode(data.subarray(at, end)).trimEnd();
          at = end + 1;
          if (line !== "") return line;
        }
      }
    },
    async skip(count) {
      for (let left = count; left > 0;) {
        const taken = Math.min(left, data.length - at);
        at += taken;
        left -= taken;
        if (left > 0) await more();
      }
    },
    async command() {
      for (;;) {
        const found = parse(data, at);
        if (found === null) await more();
        else {
          const length = found.end - at;
          at = found.end;
          return { words: found.words, length };
        }
      }
    },
  };
}

/** A command from `start` on, or `null` where its end has not come yet. */
function parse(data: Uint8Array, start: number): { words: string[]; end: number } | null {
  let at = start;
  const number = (): number | null => {
    const end = data.indexOf(10, at);
    if (end < 0) return null;
    const value = Number(text.decode(data.subarray(at + 1, end - 1)));
    at = end + 1;
    return value;
  };
  const count = number();
  if (count === null) return null;
  const words: string[] = [];
  for (let index = 0; index < count; index++) {
    const length = number();
    if (length === null || at + length + 2 > data.length) return null;
    words.push(text.decode(data.subarray(at, at + length)));
    at += length + 2;
  }
  return { words, end: at };
}
