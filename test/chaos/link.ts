/**
 * A TCP link that can be made bad: slow, held one way or both, cut, with replies swallowed, or leading
 * to another server. What is held is delivered late even where the sender has gone, as a network does.
 */

/** Requests go from who connected to the target; replies come back. */
export type Way = "request" | "reply";

export interface Link {
  readonly port: number;
  /** `redis://127.0.0.1:port/0` */
  readonly url: string;
  /** Replies that were swallowed so far. */
  readonly swallowed: number;
  /** Scripts of a publishing connection that were answered "fenced", counted off the wire. */
  readonly fenced: number;
  /** Cuts what is connected; what connects from now on goes to `port`. */
  lead(port: number): void;
  /** Cuts what is connected and refuses what tries to connect, until `false`. A fault: heals. */
  refuse(isRefusing: boolean): void;
  /** As `refuse`, and does not heal: there is no server to lead to. */
  shut(isShut: boolean): void;
  /** Bytes wait on these ways until {@link Link.release}. */
  hold(ways: readonly Way[]): void;
  /** Held bytes go on, or are lost with their connections. */
  release(how: "deliver" | "cut"): void;
  /** Each piece waits so long, both ways; 0 for not at all. Milliseconds. */
  delay(durationMs: number): void;
  /** Forwards the next requests that contain `mark`, swallows the replies, and closes. */
  swallow(count: number, mark: string): void;
  /** Good again, whatever it was. */
  heal(): void;
  close(): Promise<void>;
}

interface State {
  targetPort: number;
  isRefusing: boolean;
  isShut: boolean;
  delayMs: number;
  swallowLeft: number;
  mark: string;
  swallowed: number;
  fenced: number;
  readonly gates: Map<Way, Gate>;
  readonly pipes: Set<Pipe>;
}

interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

interface Pipe {
  readonly client: Deno.TcpConn;
  server: Deno.TcpConn | null;
  isClosed: boolean;
  /** The reply to come is to be swallowed. */
  isMarked: boolean;
  isPublishing: boolean;
}

/** How Beat names the connection that it publishes on. */
const PUBLISHING = "beat-publish";
/** What commit.lua and settle.lua say to an old fence: a list of one element, 1. */
const FENCED = "*1\r\n:1\r\n";
const latin1 = new TextDecoder("latin1");

export function openLink(targetPort: number): Link {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const state: State = {
    ...{ targetPort, isRefusing: false, isShut: false, delayMs: 0 },
    ...{ swallowLeft: 0, mark: "", swallowed: 0, fenced: 0 },
    gates: new Map(),
    pipes: new Set(),
  };
  const cutAll = () => {
    for (const pipe of [...state.pipes]) close(state, pipe);
  };
  const openGates = () => {
    for (const gate of state.gates.values()) gate.open();
    state.gates.clear();
  };
  const serving = serve(listener, state);
  return {
    port: listener.addr.port,
    url: `redis://127.0.0.1:${listener.addr.port}/0`,
    get swallowed() {
      return state.swallowed;
    },
    get fenced() {
      return state.fenced;
    },
    lead(port) {
      state.targetPort = port;
      cutAll();
    },
    refuse(isRefusing) {
      state.isRefusing = isRefusing;
      cutAll();
    },
    shut(isShut) {
      state.isShut = isShut;
      cutAll();
    },
    hold(ways) {
      for (const way of ways) if (!state.gates.has(way)) state.gates.set(way, newGate());
    },
    release(how) {
      if (how === "cut") cutAll();
      openGates();
    },
    delay(durationMs) {
      state.delayMs = durationMs;
    },
    swallow(count, mark) {
      state.swallowLeft = count;
      state.mark = mark;
    },
    heal() {
      state.isRefusing = false;
      state.delayMs = 0;
      state.swallowLeft = 0;
      openGates();
    },
    async close() {
      listener.close();
      openGates();
      cutAll();
      await serving;
    },
  };
}

async function serve(listener: Deno.TcpListener, state: State): Promise<void> {
  try {
    for await (const client of listener) {
      const pipe: Pipe = {
        ...{ client, server: null, isClosed: false, isMarked: false, isPublishing: false },
      };
      state.pipes.add(pipe);
      if (state.isRefusing || state.isShut) close(state, pipe);
      else void run(state, pipe);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted)) {
      throw error;
    }
  }
}

async function run(state: State, pipe: Pipe): Promise<void> {
  try {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: state.targetPort });
    pipe.server = server;
    if (pipe.isClosed) return server.close();
    pipe.client.setNoDelay(true);
    server.setNoDelay(true);
    await Promise.all([requests(state, pipe, server), replies(state, pipe, server)]);
  } catch {
    // Either end is gone: that is what links do.
  } finally {
    close(state, pipe);
  }
}

async function requests(state: State, pipe: Pipe, server: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  let seen = 0;
  for (;;) {
    const count = await pipe.client.read(buffer).catch(() => null);
    if (count === null) return void await server.closeWrite();
    const piece = buffer.subarray(0, count);
    await passGate(state, "request");
    if (pipe.isClosed) return;
    if (seen < 4_096 && latin1.decode(piece).includes(PUBLISHING)) pipe.isPublishing = true;
    seen += count;
    if (state.swallowLeft > 0 && latin1.decode(piece).includes(state.mark)) pipe.isMarked = true;
    await writeAll(server, piece);
  }
}

async function replies(state: State, pipe: Pipe, server: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  let isClientThere = true;
  for (;;) {
    const count = await server.read(buffer);
    if (count === null) return close(state, pipe);
    const piece = buffer.subarray(0, count);
    if (pipe.isPublishing) state.fenced += latin1.decode(piece).split(FENCED).length - 1;
    if (pipe.isMarked && state.swallowLeft > 0) {
      state.swallowLeft--;
      state.swallowed++;
      return close(state, pipe);
    }
    await passGate(state, "reply");
    if (pipe.isClosed) return;
    // A client that has gone is no reason not to hear how its last request went.
    if (isClientThere) {
      isClientThere = await writeAll(pipe.client, piece).then(() => true, () => false);
    }
  }
}

async function passGate(state: State, way: Way): Promise<void> {
  if (state.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, state.delayMs));
  for (let gate = state.gates.get(way); gate !== undefined; gate = state.gates.get(way)) {
    await gate.opened;
  }
}

function newGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

function close(state: State, pipe: Pipe): void {
  if (pipe.isClosed) return;
  pipe.isClosed = true;
  state.pipes.delete(pipe);
  for (const end of [pipe.client, pipe.server]) {
    try {
      end?.close();
    } catch {
      // Closed already by the other side.
    }
  }
}
