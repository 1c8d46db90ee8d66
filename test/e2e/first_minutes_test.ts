/** A new user's first minutes, on a clean copy: one command, fires, what to type next, Ctrl-C. */

import { after, before, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { needs } from "../support/needs.ts";
import { inherited } from "../support/running_beat.ts";
import { until } from "../support/until.ts";

const redisThere = needs("redis");
const PROJECT = new URL("../../", import.meta.url).pathname;
const MINUTE_MS = 60_000;
const CTRL_C = "\x03";
const deno = Deno.execPath();

/** What is not in a fresh clone: folders that tools make, and people's own env files. */
const isOwn = (name: string) =>
  /^(\.git|\.beat|node_modules|\.coverage)$/.test(name) || /^\.env(?!.*\.example$)/.test(name);

async function copyFresh(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const each of await readdir(from, { withFileTypes: true })) {
    if (isOwn(each.name)) continue;
    if (each.isDirectory()) await copyFresh(`${from}/${each.name}`, `${to}/${each.name}`);
    else if (each.isFile()) await copyFile(`${from}/${each.name}`, `${to}/${each.name}`);
  }
}

/** A terminal of its own in which a command runs. */
function terminal(command: string, cwd: string) {
  const child = new Deno.Command("script", {
    args: ["-qec", command, "/dev/null"],
    cwd,
    env: { ...inherited(), TERM: "xterm", NO_COLOR: "1", SHELL: "/bin/sh" },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const keyboard = child.stdin.getWriter();
  let screen = "";
  let isEnded = false;
  const drained = (async () => {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) screen += chunk;
  })();
  return {
    screen: () => screen,
    async shows(pattern: RegExp, timeoutMs = MINUTE_MS): Promise<RegExpExecArray> {
      await until(() => pattern.test(screen), timeoutMs).catch((cause) => {
        throw new Error(`expected ${pattern} on the screen, got:\n${screen}`, { cause });
      });
      return pattern.exec(screen)!;
    },
    type: (text: string) => keyboard.write(new TextEncoder().encode(text)),
    /** As when its window is closed. */
    close() {
      if (!isEnded) child.kill("SIGKILL");
    },
    ended: child.status.then(async ({ code }) => {
      isEnded = true;
      await drained;
      await keyboard.close().catch(() => {}); // It may have gone with the process.
      return code;
    }),
  };
}

async function task(args: string[], cwd: string) {
  const { code, stdout, stderr } = await new Deno.Command(deno, {
    args: ["task", "beat", ...args],
    cwd,
    env: { ...inherited(), NO_COLOR: "1" },
    clearEnv: true,
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const answer = (is: boolean) => () => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", answer(true)).once("error", answer(false));
  });
}

const onTerminal = Deno.build.os === "linux" ? redisThere.it : it.ignore;

describe("a new user", () => {
  let folder: string;
  const open: ReturnType<typeof terminal>[] = [];
  const start = () => {
    const window = terminal(`'${deno}' task beat`, folder);
    open.push(window);
    return window;
  };
  before(async () => {
    folder = await Deno.makeTempDir({ prefix: "beat-fresh-" });
    await copyFresh(PROJECT, folder);
  });
  after(async () => {
    for (const window of open) {
      window.close();
      await window.ended;
    }
    await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 100 });
  });

  onTerminal("sees fires within a minute, what to type next, and ends it by Ctrl-C", async () => {
    const startMs = performance.now();
    const window = start();
    const [, port] = await window.shows(
      /runs a Redis of its own: +redis:\/\/127\.0\.0\.1:(\d+)\/0/,
    );
    // The shortest that does not wait for a market to open.
    await window.shows(/published.*notifications\.dispatch_pending/);
    const tookMs = Math.round(performance.now() - startMs);
    assert.ok(tookMs < MINUTE_MS, `the first fire came after ${tookMs} ms`);
    const screen = window.screen();
    assert.match(screen, /celery_app worker/);
    assert.match(screen, /deno task beat tasks/);
    assert.match(screen, /deno task beat journal --follow/);
    for (const name of ["postgres_full_backup", "user_email_csv_export", "expire_pending"]) {
      assert.match(screen, new RegExp(`task on.*${name}.*next`));
    }

    const [tasks, journal] = await Promise.all([
      task(["tasks"], folder),
      task(["journal"], folder),
    ]);
    assert.equal(tasks.code, 0, tasks.err);
    assert.match(
      tasks.out,
      /^notifications\.dispatch_pending +on +notifications +every 5s .*published/m,
    );
    assert.equal(journal.code, 0, journal.err);
    assert.match(journal.out, /fire\.published +notifications\.dispatch_pending/);

    await window.type(CTRL_C);
    assert.equal(await window.ended, 130, window.screen());
    assert.match(window.screen(), /stopped.*SIGINT/);
    assert.equal(await isListening(Number(port)), false, "its Redis goes on");
    console.log(`first fire after ${tookMs} ms`);
  });

  onTerminal("finds the journal of before again, and ends with the terminal", async () => {
    const window = start();
    const [, port] = await window.shows(
      /runs a Redis of its own: +redis:\/\/127\.0\.0\.1:(\d+)\/0/,
    );
    await window.shows(/leading.*"fence":\d+/);
    await window.shows(/published/);
    window.close();
    await window.ended;
    await until(async () => !await isListening(Number(port)));
  });

  it("is told what is missing where no Redis server is installed", async () => {
    const env = { ...inherited(), NO_COLOR: "1", PATH: "/nowhere" };
    const { code, stderr } = await new Deno.Command(deno, {
      args: ["run", "-q", "--no-prompt", "-P=beat", "src/main.ts"],
      cwd: folder,
      env,
      clearEnv: true,
      stdout: "null",
    }).output();
    const said = new TextDecoder().decode(stderr);
    assert.equal(code, 69, said);
    assert.match(
      said,
      /expected `redis-server` or `valkey-server` to be installed.*apt-get install/s,
    );
  });
});
