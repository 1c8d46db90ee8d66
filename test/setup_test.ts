/** Set-up: installs only what is missing and only where it may, and hands over signals and exit codes. */

import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type Host, prepareBeat, prepareTest } from "../src/setup.ts";

let dir: string;
let said: string[];

beforeEach(async () => {
  dir = await Deno.makeTempDir({ prefix: "setup-test-" });
  said = [];
  await Deno.mkdir(`${dir}/bin`);
  await Deno.writeTextFile(`${dir}/env`, "");
  await Deno.writeTextFile(`${dir}/os-release`, 'NAME="Some Linux"\nID=debian\n');
});

afterEach(async () => {
  await Deno.remove(dir, { recursive: true });
});

function host(changes: Partial<Host> = {}): Host {
  return {
    env: { PATH: `${dir}/bin`, MINSY_ENV_FILES: `${dir}/env` },
    uid: 0,
    osReleaseFile: `${dir}/os-release`,
    policyFile: `${dir}/policy-rc.d`,
    pythonDir: `${dir}/python`,
    say: (sentence) => void said.push(sentence),
    ...changes,
  };
}

async function program(name: string, body = ""): Promise<void> {
  await Deno.writeTextFile(`${dir}/bin/${name}`, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

/** An apt-get that notes its arguments and what a service would be told. */
async function aptGet({ exit = 0 }: { exit?: number } = {}): Promise<void> {
  await program(
    "apt-get",
    `echo "$@" >> ${dir}/calls; ${dir}/policy-rc.d; echo $? >> ${dir}/policy; exit ${exit}`,
  );
}

async function read(name: string): Promise<string> {
  return await Deno.readTextFile(`${dir}/${name}`).catch(() => "");
}

const INSTALL = "install -y --no-install-recommends";

describe("prepareBeat()", () => {
  it("installs a Redis server as root on Debian, says so, and lets no service start", async () => {
    await aptGet();
    await prepareBeat([], host());
    const options = "-qq -o DPkg::Lock::Timeout=120";
    assert.equal(await read("calls"), `${options} update\n${options} ${INSTALL} redis-server\n`);
    assert.equal(await read("policy"), "101\n101\n");
    assert.equal(await read("policy-rc.d"), "", "expected the policy to be gone afterwards");
    assert.match(said.join("\n"), /Installing with apt-get: apt-get install .* redis-server/);
  });

  it("leaves the rules of others for services as they are", async () => {
    await aptGet();
    await Deno.writeTextFile(`${dir}/policy-rc.d`, "#!/bin/sh\nexit 7\n", { mode: 0o755 });
    await prepareBeat([], host());
    assert.equal(await read("policy"), "7\n7\n");
    assert.equal(await read("policy-rc.d"), "#!/bin/sh\nexit 7\n");
  });

  it("says what to type when it is not root, and what failed when apt-get did", async () => {
    await aptGet({ exit: 100 });
    await prepareBeat([], host({ uid: 1000 }));
    assert.match(said.join("\n"), /As root: apt-get install --no-install-recommends redis-server/);
    assert.equal(await read("calls"), "");
    await prepareBeat([], host());
    assert.match(said.join("\n"), /apt-get failed\. Please see to it, as root: apt-get install/);
    assert.equal(await read("policy-rc.d"), "");
  });

  it("only names what is missing on another system", async () => {
    await aptGet();
    await Deno.writeTextFile(`${dir}/os-release`, "ID=fedora\n");
    await prepareBeat([], host());
    assert.match(said.join("\n"), /Missing: redis-server\. Please install/);
    assert.equal(await read("calls"), "");
  });

  for (
    const [why, args, env] of [
      ["a verb that never embeds", ["run"], {}],
      ["a verb after options with values", ["-c", "dev", "--namespace", "x", "tasks"], {}],
      ["help", ["--help"], {}],
      ["a broker as an option", ["--broker=redis://elsewhere/0"], {}],
      ["a broker as an option of its own", ["dev", "-b", "redis://elsewhere/0"], {}],
      ["a broker in the environment", [], { CELERY_BROKER_URL: "redis://elsewhere/0" }],
      ["a broker in parts", [], { REDIS_HOST: "elsewhere" }],
      ["another profile", [], { MINSY_ENV_PROFILE: "prod" }],
      ["a configuration with a problem", [], { CELERY_TIMEZONE: "Mars/Olympus" }],
    ] as const
  ) {
    it(`installs nothing for ${why}`, async () => {
      await aptGet();
      const { env: basic } = host();
      const command = await prepareBeat(args, host({ env: { ...basic, ...env } }));
      assert.equal(await read("calls"), "");
      assert.deepEqual(said, []);
      assert.deepEqual(command.slice(command.indexOf("src/main.ts")), ["src/main.ts", ...args]);
      assert.ok(command.includes("-P=beat"));
    });
  }

  for (
    const [what, args, env, permission] of [
      ["questions in SQL", ["-c", "dev", "audit", "sql", "select 1"], {}, "-P=sql"],
      ["Parquet", ["journal", "export", "--format=parquet", "-o", "x"], {}, "-P=sql"],
      ["an archive elsewhere", ["run"], { BEAT_ARCHIVE: "/a" }, "--allow-write=.beat,/a"],
      [
        "a file to export to",
        ["journal", "export", "--output=x.csv"],
        {},
        "--allow-write=.beat,.beat/archive,x.csv",
      ],
    ] as const
  ) {
    it(`gives ${what} the permissions that it needs`, async () => {
      const { env: basic } = host();
      const command = await prepareBeat(args, host({ env: { ...basic, ...env } }));
      assert.ok(command.includes(permission), command.join(" "));
      assert.deepEqual(command.slice(command.indexOf("src/main.ts")), ["src/main.ts", ...args]);
    });
  }

  for (const args of [["-c", "FILE", "run"], ["run", "--config=FILE"], ["--config", "FILE"]]) {
    it(`lets ${args.join(" ")} write to the archive that the file names`, async () => {
      const file = `${dir}/other.yaml`;
      await Deno.writeTextFile(file, "version: 1\njournal: { archive: /a }\n");
      const own = args.map((arg) => arg.replace("FILE", file));
      const command = await prepareBeat(own, host({ uid: 1000 }));
      assert.ok(command.includes("--allow-write=.beat,/a"), command.join(" "));
    });
  }

  it("installs where the bare verb follows options with values", async () => {
    await aptGet();
    await prepareBeat(["-l", "debug", "dev"], host());
    assert.match(await read("calls"), /install/);
  });

  for (const server of ["redis-server", "valkey-server"]) {
    it(`installs nothing where ${server} is there`, async () => {
      await aptGet();
      await program(server);
      await prepareBeat([], host());
      assert.equal(await read("calls"), "");
    });
  }
});

describe("prepareTest()", () => {
  it("installs all that the tests run for real", async () => {
    await aptGet();
    const command = await prepareTest(["--filter", "x"], host());
    const packages = "redis-server celery python3-celery python3-redis";
    assert.match(await read("calls"), new RegExp(`${INSTALL} ${packages}\n$`));
    assert.deepEqual(command, ["test", "--no-prompt", "-P=test", "--filter", "x"]);
  });

  it("takes a Celery from elsewhere as it is", async () => {
    await aptGet();
    await program("redis-server");
    await program("celery");
    await prepareTest([], host());
    assert.equal(await read("calls"), "");
    assert.deepEqual(said, []);
  });

  it("goes on without, and says what that means", async () => {
    await program("redis-server");
    await prepareTest([], host({ uid: 1000 }));
    assert.match(
      said.join("\n"),
      /Without celery, python3-celery, python3-redis the tests .* skipped/,
    );
  });
});

describe("launch()", () => {
  /** Runs `body` as a program under set-up's launcher, itself a process that can be sent signals. */
  async function launched(body: string) {
    await Deno.writeTextFile(`${dir}/program.ts`, body);
    const setup = new URL("../src/setup.ts", import.meta.url).href;
    const launcher = `import { launch } from "${setup}";
      Deno.exit(await launch(["run", "-A", "${dir}/program.ts"]));`;
    await Deno.writeTextFile(`${dir}/launcher.ts`, launcher);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "-A", `${dir}/launcher.ts`],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    return { child, next: async () => (await lines.read()).value, close: () => lines.cancel() };
  }

  for (const [signal, exit] of [["SIGTERM", 143], ["SIGINT", 130], ["SIGHUP", 12]] as const) {
    it(`hands on ${signal}, and the exit code that follows`, async () => {
      const { child, next, close } = await launched(`
        Deno.addSignalListener("${signal}", () => Deno.exit(${exit}));
        setInterval(() => {}, 1_000);
        console.log("ready");
      `);
      assert.equal(await next(), "ready\n");
      child.kill(signal);
      assert.equal((await child.status).code, exit);
      await close();
    });
  }

  it("turns an end by a signal into 128 and the signal", async () => {
    const { child, close } = await launched('Deno.kill(Deno.pid, "SIGKILL");');
    assert.equal((await child.status).code, 137);
    await close();
  });
});
