/** A TCP forwarder whose target a test can change: what clients see when a name moves to another server. */

import type { Socket } from "node:net";
import { connect, createServer } from "node:net";
import { once } from "node:events";

export interface Forwarder {
  readonly port: number;
  /** Ends every connection; new ones go to `port`. */
  retarget(port: number): void;
  stop(): Promise<void>;
}

export async function startForwarder(targetPort: number): Promise<Forwarder> {
  let target = targetPort;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    // Whatever ends one side ends the other; why is for the clients to find out.
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  const server = createServer((inner) => {
    const outer = connect(target, "127.0.0.1");
    for (const socket of [inner, outer]) keep(socket);
    inner.on("close", () => outer.destroy());
    outer.on("close", () => inner.destroy());
    inner.pipe(outer);
    outer.pipe(inner);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    retarget(port) {
      target = port;
      cut();
    },
    async stop() {
      const closed = once(server, "close");
      server.close();
      cut();
      await closed;
    },
  };
}
