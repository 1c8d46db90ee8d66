/** A server that speaks Redis' protocol and answers what a test wants, such as errors that are rare. */

import { once } from "node:events";
import type { Socket } from "node:net";
import { createServer } from "node:net";

export interface FakeRedis {
  readonly port: number;
  /** Commands in the order of arrival, handshakes included, their names in upper case. */
  readonly commands: string[][];
  /** How many connections there were so far. */
  connections(): number;
  /** How many stand. */
  standing(): number;
  /** Resolves at the `count`-th connection. */
  connected(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** What the handshake of a client needs; everything else is the test's. */
const HANDSHAKE: Readonly<Record<string, string>> = {
  CLIENT: "+OK\r\n",
  SELECT: "+OK\r\n",
  INFO: "$9\r\nloading:0\r\n",
};

/** @param answer the raw reply to a command, such as `-OOM …\r\n`; `null` for none at all */
export async function startFakeRedis(
  answer: (command: readonly string[]) => string | null,
): Promise<FakeRedis> {
  const commands: string[][] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    count++;
    sockets.add(socket);
    server.emit("counted");
    let rest = "";
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (bytes: Uint8Array) => {
      rest += new TextDecoder("latin1").decode(bytes);
      for (let parsed = parse(rest); parsed !== null; parsed = parse(rest)) {
        rest = rest.slice(parsed.length);
        const [name = "", ...args] = parsed.command;
        const command = [name.toUpperCase(), ...args];
        commands.push(command);
        const reply = answer(command) ?? HANDSHAKE[command[0]!];
        if (reply !== undefined) socket.write(reply);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("expected a TCP address");
  return {
    port: address.port,
    commands,
    connections: () => count,
    standing: () => sockets.size,
    async connected(wanted) {
      while (count < wanted) await once(server, "counted");
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** One complete command at the start of `text`, or `null` when more has to come. */
function parse(text: string): { command: string[]; length: number } | null {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return null;
  const command: string[] = [];
  let at = head[0].length;
  for (let left = Number(head[1]); left > 0; left--) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20));
    if (size === null) return null;
    const start = at + size[0].length;
    const end = start + Number(size[1]);
    if (text.length < end + 2) return null;
    command.push(text.slice(start, end));
    at = end + 2;
  }
  return { command, length: at };
}
