/** What `deno.json` promises: permissions that fit the program, and names that fit JSR. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { dirname } from "node:path/posix";
import project from "../deno.json" with { type: "json" };
import { VARIABLES } from "../src/config/variables.ts";
import { SERVER_PROGRAMS } from "../src/redis/embedded.ts";
import { beat } from "./support/beat.ts";
import { filesBelow, parseSource, readProjectFile } from "./support/source_file.ts";
import jsr from "./std/jsr_import_map.json" with { type: "json" };

const { permissions, imports } = project;

describe("the permissions of Beat", () => {
  const own = permissions.beat;

  it("are named one by one", () => {
    assert.deepEqual(Object.keys(own).sort(), ["env", "net", "read", "run", "sys", "write"]);
    assert.deepEqual(own.write, [".beat"]);
    assert.deepEqual(own.run, [...SERVER_PROGRAMS]);
  });

  it("let it see each variable that it knows", () => {
    const patterns = own.env.allow.map((each) => new RegExp(`^${each.replace("*", ".*")}$`));
    const hidden = Object.keys(VARIABLES.shape)
      .filter((name) => !patterns.some((pattern) => pattern.test(name)));
    assert.deepEqual(hidden, []);
  });

  it("are never all of them, for no task", () => {
    for (const [name, command] of Object.entries(project.tasks)) {
      assert.doesNotMatch(command, /\s(-\w*A\w*|--allow-all)\b/, name);
    }
    for (const [name, set] of Object.entries(permissions)) {
      assert.ok(!("all" in set) && !("import" in set), name);
      // DuckDB is a native library; nobody else has any.
      assert.equal("ffi" in set, name === "sql", name);
    }
  });
});

describe("the import map for JSR", () => {
  it("has the same names, and the same packages behind all but @std/testing", () => {
    const others = (map: Record<string, string>) =>
      Object.entries(map).filter(([name]) => !name.startsWith("@std/testing/"));
    assert.deepEqual(Object.keys(jsr.imports).sort(), Object.keys(imports).sort());
    assert.deepEqual(others(jsr.imports).sort(), others(imports).sort());
  });

  it("leads each name of @std/testing to the part of that name", () => {
    for (const [name, target] of Object.entries(jsr.imports)) {
      if (!name.startsWith("@std/testing/")) continue;
      assert.match(target, new RegExp(`^jsr:@std/testing@\\^1\\.\\d+\\.\\d+/${name.slice(13)}$`));
      assert.match(imports[name as keyof typeof imports], /^\.\/test\/std\/\w+\.ts$/);
    }
  });

  it("is enough, because the adapters are used by their names only", () => {
    const byPath = filesBelow("test", /\.ts$/).filter((path) =>
      parseSource(path).imports.some(({ target }) =>
        /^test\/std\/(bdd|mock|time)\.ts$/.test(target)
      )
    );
    assert.deepEqual(byPath, []);
  });
});

describe("README.md", () => {
  const readme = readProjectFile("README.md");

  it("has each variable, and none that Beat does not know", () => {
    const outer = ["MINSY_SERVICE", "MINSY_CELERY_PROFILE", "MINSY_ENV_FILES", "MINSY_ENV_FILE"];
    const known = [...Object.keys(VARIABLES.shape), ...outer, "NO_COLOR"];
    const named = [...readme.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, name]) => name ?? "");
    assert.deepEqual(known.filter((name) => !named.includes(name)), []);
    assert.deepEqual(named.filter((name) => !known.includes(name)), []);
  });

  it("names each room of the code", () => {
    const rooms = new Set(filesBelow("src", /\.ts$/).map((path) => dirname(path)));
    rooms.delete("src");
    assert.deepEqual([...rooms].filter((room) => !readme.includes(`\`${room}/\``)), []);
  });

  it("has each verb, and none that Beat does not know", async () => {
    const verbs = (await verbsOf([])).filter((verb) => verb !== "help");
    const below = await Promise.all(["audit", "journal"].map((verb) => verbsOf([verb])));
    const table = readme.split("\n## ").find((section) => section.startsWith("Verbs")) ?? "";
    const named = table.matchAll(/^\| (.*?`.*?) +\|/gm).flatMap(([, cell]) =>
      cell!.matchAll(/`([a-z]+(?: [a-z]+)?)/g).map(([, verb]) => verb!)
    );
    assert.deepEqual([...named].sort(), [...verbs, ...below.flat()].sort());
  });
});

/** The verbs below `path`, as `--help` lists them. */
async function verbsOf(path: readonly string[]): Promise<string[]> {
  const { out } = await beat([...path, "--help"]);
  return (out.split("\nCommands:\n")[1] ?? "").matchAll(/^ {2}(\w+) /gm)
    .map(([, verb]) => [...path, verb].join(" ")).toArray();
}
