import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { beat, spawnBeat } from "./support/beat.ts";

describe("beat", () => {
  it("--help shows the verbs on standard output and ends with 0", async () => {
    const { code, out, err } = await beat(["--help"]);
    assert.equal(code, 0);
    assert.equal(err, "");
    for (const verb of ["run", "validate", "next", "tasks", "why", "doctor", "leader", "journal"]) {
      assert.match(out, new RegExp(`^ {2}${verb}\\b`, "m"));
    }
  });

  it("VERB --help shows its options and the common ones", async () => {
    const { code, out } = await beat(["journal", "--help"]);
    assert.equal(code, 0);
    assert.match(out, /--follow/);
    assert.match(out, /--broker/);
  });

  it("--version prints a version alone", async () => {
    assert.match((await beat(["--version"])).out, /^\d+\.\d+\.\d+\n$/);
  });

  const wrong = [
    { args: ["jurnal"], says: /unknown command 'jurnal'\n\(Did you mean journal\?\)/ },
    { args: ["journal", "--folow"], says: /unknown option '--folow'\n\(Did you mean --follow\?\)/ },
    { args: ["--borker", "x"], says: /unknown option '--borker'\n\(Did you mean --broker\?\)/ },
    {
      args: ["tasks", "report"],
      says: /too many arguments for 'tasks'.*\n\(beat tasks --help shows what there is\)/,
    },
    { args: ["help", "jurnal"], says: /expected VERB to be dev, run, .*, got "jurnal"/ },
    {
      args: ["journal", "export", "--task", "report"],
      says: /expected `journal export` to have --format, --output, .*--until, got --task$/m,
    },
    {
      args: ["audit", "sql", "--verify", "select 1"],
      says: /expected `audit sql` to have --since, --until, --json, got --verify$/m,
    },
    { args: ["journal", "--task"], says: /argument missing/ },
  ];
  for (const { args, says } of wrong) {
    it(`${args.join(" ")} ends with 2 and says what is known`, async () => {
      const { code, out, err } = await beat(args);
      assert.equal(code, 2);
      assert.equal(out, "");
      assert.match(err, says);
    });
  }

  it("help shows what is below a verb", async () => {
    const { code, out } = await beat(["help", "audit", "sql"]);
    assert.equal(code, 0);
    assert.match(out, /^Usage: beat audit sql /);
  });

  it("names the option that was given, not its variable", async () => {
    const args = ["--loglevel", "loud", "-b", "http://host", "-c", "/no/such.yaml", "validate"];
    const { code, err } = await beat(args, { env: { BEAT_NAMESPACE: "a b" } });
    assert.equal(code, 2);
    assert.match(err, /^ {2}--loglevel: expected `--loglevel` to be .*, got "loud"$/m);
    assert.match(err, /^ {2}--broker: expected `--broker` to be redis:/m);
    assert.match(err, /^ {2}--config: expected `--config` to be .*, got \/no\/such.yaml/m);
    assert.match(err, /^ {2}BEAT_NAMESPACE: expected `BEAT_NAMESPACE`/m);
  });

  it("reports what it foresaw without a stack", async () => {
    const { code, err } = await beat(["journal", "--since", "yesterday"]);
    assert.equal(code, 2);
    assert.match(err, /^error: expected `--since` to be .* got "yesterday"\n$/);
  });

  it("ends quietly when nobody reads its output", async () => {
    const child = spawnBeat(["--help"]);
    await child.stdout.cancel();
    const err = await new Response(child.stderr).text();
    assert.equal((await child.status).code, 0);
    assert.equal(err, "");
  });

  it("loads nothing but its arguments before it knows the verb", async () => {
    const loaded = await loadedBy("src/main.ts");
    const own = ["src/clock.ts", "src/commands/std_streams.ts", "src/errors.ts", "src/main.ts"];
    const isVerb = (name: string) => name.startsWith("src/verbs/");
    const others = loaded.filter((name) => !isVerb(name));
    assert.deepEqual(others, ["deno.json", "npm:commander", ...own]);
    assert.ok(loaded.some(isVerb));
  });

  it("answers `next` without the packages of the server", async () => {
    const loaded = await loadedBy("src/commands/next.ts");
    const heavy = ["ioredis", "xstate", "pino", "zod", "yaml"].map((name) => `npm:${name}`);
    assert.deepEqual(loaded.filter((name) => heavy.includes(name)), []);
    assert.ok(loaded.includes("npm:cron-parser"));
  });
});

/** What a module loads at once: its imports and theirs, without those asked for later. */
async function loadedBy(root: string): Promise<string[]> {
  const project = new URL("../", import.meta.url);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", root],
    cwd: project,
  }).output();
  const { modules }: { modules: GraphModule[] } = JSON.parse(new TextDecoder().decode(stdout));
  const bySpecifier = new Map(modules.map((module) => [module.specifier, module]));
  const seen = new Set<string>();
  const waiting = [new URL(root, project).href];
  for (let specifier = waiting.pop(); specifier !== undefined; specifier = waiting.pop()) {
    if (seen.has(specifier)) continue;
    seen.add(specifier);
    for (const { isDynamic, code } of bySpecifier.get(specifier)?.dependencies ?? []) {
      if (!isDynamic && code !== undefined) waiting.push(code.specifier);
    }
  }
  return [...seen].map((specifier) =>
    specifier.replace(project.href, "").replace(/^npm:\/?([^@]+)@.*$/, "npm:$1")
  ).sort();
}

/** A module in the output of `deno info`; `code` is absent where only types are taken. */
interface GraphModule {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly isDynamic?: boolean;
    readonly code?: { readonly specifier: string };
  }[];
}
