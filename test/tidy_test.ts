/** The shape of the code, kept: sizes, who imports whom, where time and chance come in, no leftovers. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { COPIED } from "./sim/mutants.ts";
import type { FunctionSize, SourceFile } from "./support/source_file.ts";
import { filesBelow, parseSource, readProjectFile } from "./support/source_file.ts";

const LINES_MAX = { program: 300, test: 500, lua: 80 };
/** Of a function without the functions inside, and with them; of a test, which may hold a table of cases. */
const FUNCTION_LINES_MAX = { own: 70, whole: 120, test: 100 };

const programs = [...filesBelow("src", /\.ts$/), ...filesBelow("machines", /\.ts$/)]
  .map((path) => parseSource(path));
const tests = filesBelow("test", /\.ts$/).map((path) => parseSource(path));
const files = [...programs, ...tests];

/** Folders, and files directly in `src`, to what they may import; beside what is of their own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  words: [],
  triggers: ["words"],
  policies: ["words", "triggers"],
  machines: ["words"],
  celery: ["words"],
  config: ["words", "triggers", "policies", "celery"],
  clock: ["words"],
  log: ["words"],
  // What is measured, and the level that follows: pure, for the leader and for those who look.
  levels: ["words", "machines"],
  // Where objectives are measured outside of Redis.
  sources: ["words"],
  core: ["words", "triggers", "policies", "machines", "celery", "clock", "follow"],
  follow: ["words", "celery", "log", "core"],
  asked: ["words", "policies", "celery", "core"],
  lead: ["words", "machines", "clock", "log", "core", "follow", "asked", "levels", "retain"],
  audit: ["words", "triggers", "policies", "celery", "core", "follow"],
  // Segments of old rows, and one reading of them and the stream.
  archive: ["words"],
  // What the leader does to keep the journal small: it archives, folds and cuts.
  retain: ["words", "clock", "audit", "archive"],
  // DuckDB, which needs a permission of its own.
  sql: ["words"],
  // What was or will be decided, by running the core itself on other facts: so it may import it all.
  preview: [
    ...["words", "triggers", "policies", "clock", "log"],
    ...["core", "follow", "lead", "audit", "memory"],
  ],
  memory: ["words", "celery", "archive"],
  redis: ["words", "celery", "clock"],
  commands: [
    ...["words", "triggers", "policies", "machines", "celery", "config", "clock", "log"],
    ...[
      "core",
      "asked",
      "lead",
      "audit",
      "redis",
      "sources",
      "archive",
      "retain",
      "sql",
      "preview",
    ],
  ],
  verbs: ["commands"],
  main: ["words", "clock", "commands", "verbs"],
  setup: ["config"],
};

/** Edges of the table above that carry types only. Windows ask `triggers/zoned.ts` about clocks. */
const TYPES_ONLY = [
  ...["machines → words", "core → follow", "asked → policies"],
  ...["follow → log", "lead → log", "lead → machines", "retain → clock"],
];

const WORDS = [
  "task",
  "fire",
  "event",
  "row_text",
  "sensors",
  "request",
  "cursor",
  "open_fire",
  "level",
  "steps",
  "ports",
  "errors",
  "settings",
];

/** Outside packages, and the one home of each. */
const HOMES: Readonly<Record<string, RegExp>> = {
  "@duckdb/node-api": /^src\/sql\/duck\.ts$/,
  "commander": /^src\/(main|verbs\/\w+)\.ts$/,
  "cron-parser": /^src\/triggers\/cron\.ts$/,
  "fastest-levenshtein": /^src\/(config\/nearest|triggers\/zone)\.ts$/,
  "ioredis": /^src\/redis\//,
  "pino": /^src\/log\.ts$/,
  "pino-pretty": /^src\/log\.ts$/,
  "tinyqueue": /^src\/(core\/agenda|preview\/workers_model)\.ts$/,
  "xstate":
    /^(machines\/|src\/core\/life\.ts$|src\/levels\/move\.ts$|src\/commands\/supervise\.ts$)/,
  "yaml": /^src\/config\//,
  "zod": /^src\/((event|request)\.ts$|config\/)/,
  "node:crypto":
    /^src\/(task\.ts$|audit\/snapshot_parts\.ts$|celery\/|config\/|redis\/|commands\/)/,
  "node:fs": /^src\/(archive|config|redis|commands)\//,
  "node:fs/promises": /^src\/(archive|config|redis|commands)\//,
  "node:path": /^src\/(archive|config|redis|commands)\//,
  "node:util": /^src\/(archive|commands)\//,
  "node:buffer": /^src\/redis\//,
  "node:zlib": /^src\/archive\//,
};

function layerOf(path: string): string {
  const [, folder, name] = /^(?:src\/)?(?:(\w+)\/)?(\w+)\.(?:ts|lua|json)$/.exec(path) ?? [];
  if (folder !== undefined) return folder;
  return name !== undefined && WORDS.includes(name) ? "words" : name ?? path;
}

/** All that is wrong at once; none is what the test wants. */
function none(problems: readonly string[]): void {
  assert.deepEqual(problems, []);
}

/** Lines of each function that belong to no function inside it. */
function ownLines({ line, lineCount }: FunctionSize, all: readonly FunctionSize[]): number {
  const isInside = (each: FunctionSize) =>
    each.line >= line && each.line + each.lineCount <= line + lineCount &&
    each.lineCount < lineCount;
  const inside = all.filter(isInside);
  const isOutermost = (each: FunctionSize) =>
    !inside.some((other) =>
      other !== each && other.line <= each.line && other.lineCount > each.lineCount &&
      other.line + other.lineCount >= each.line + each.lineCount
    );
  const taken = inside.filter(isOutermost).reduce((sum, each) => sum + each.lineCount - 1, 0);
  return lineCount - taken;
}

/** A way from a file back to itself along imports of values; `null` where there is none. */
function findCycle(all: readonly SourceFile[]): string | null {
  const targets = new Map(all.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): string | null => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path].join(" → ");
    if (done.has(path)) return null;
    for (const { target, isPackage, isTypeOnly } of targets.get(path) ?? []) {
      const cycle = isPackage || isTypeOnly ? null : visit(target, [...way, path]);
      if (cycle !== null) return cycle;
    }
    done.add(path);
    return null;
  };
  for (const { path } of all) {
    const cycle = visit(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

describe("a file", () => {
  it("is short", () => {
    const tooLong = (all: readonly SourceFile[], max: number) =>
      all.filter(({ lineCount }) => lineCount > max)
        .map(({ path, lineCount }) => `${path}: ${lineCount} lines, at most ${max}`);
    none([...tooLong(programs, LINES_MAX.program), ...tooLong(tests, LINES_MAX.test)]);
  });

  it("has short functions", () => {
    none(
      files.flatMap(({ path, functions }) =>
        functions.filter(({ isSuite }) => !isSuite).flatMap((each) => {
          const own = ownLines(each, functions);
          const isShort = path.startsWith("test/")
            ? own <= FUNCTION_LINES_MAX.test
            : own <= FUNCTION_LINES_MAX.own && each.lineCount <= FUNCTION_LINES_MAX.whole;
          const size = `${own} lines of its own, ${each.lineCount} in all`;
          return isShort ? [] : [`${path}:${each.line}: ${size}`];
        })
      ),
    );
  });

  it("says first what it owns", () => {
    // The path of a test says it.
    const isTest = (path: string) => path.endsWith("_test.ts");
    none(
      files.filter(({ path, text }) => !isTest(path) && !text.startsWith("/**"))
        .map(({ path }) => path),
    );
  });

  it("is named after its subject, at most one folder deep", () => {
    const shape = /^(src\/(\w+\/)?|machines\/|test\/(\w+\/){0,2})[a-z][a-z0-9_]*\.ts$/;
    const isVague = (path: string) => /\/(utils?|helpers?|types|common|misc)\.ts$/.test(path);
    none(files.map(({ path }) => path).filter((path) => !shape.test(path) || isVague(path)));
  });

  it("exports by name", () => {
    none(files.filter(({ defaultExports }) => defaultExports.length > 0).map(({ path }) => path));
  });
});

describe("a Lua script", () => {
  const scripts = filesBelow("src", /\.lua$/).map((path) => ({
    path,
    lines: readProjectFile(path).trimEnd().split("\n"),
  }));

  it("is short, and starts with its signature", () => {
    none(
      scripts.filter(({ lines }) => lines.length > LINES_MAX.lua || !lines[0]?.startsWith("--"))
        .map(({ path, lines }) => `${path}: ${lines.length} lines, at most ${LINES_MAX.lua}`),
    );
  });
});

describe("an import", () => {
  it("goes downwards only", () => {
    none(programs.flatMap(({ path, imports }) => {
      const from = layerOf(path);
      return imports.filter(({ isPackage }) => !isPackage).flatMap(({ target, isTypeOnly }) => {
        const to = layerOf(target);
        if (target === "deno.json" || to === from) return [];
        const isAllowed = MAY_IMPORT[from]?.includes(to) ?? false;
        const isValueOfType = !isTypeOnly && TYPES_ONLY.includes(`${from} → ${to}`);
        return isAllowed && !isValueOfType ? [] : [`${path} imports ${target}`];
      });
    }));
  });

  it("has no way back", () => {
    assert.equal(findCycle(files), null);
  });

  it("of the simulation is there in a copy of it, too", () => {
    const isCopied = (path: string) =>
      COPIED.some((each) => path === each || path.startsWith(`${each}/`));
    none(
      tests.filter(({ path }) => path.startsWith("test/sim/") && !path.endsWith("_test.ts"))
        .flatMap(({ path, imports }) =>
          imports.filter(({ target, isPackage }) => !isPackage && !isCopied(target))
            .map(({ target }) => `${path} imports ${target}`)
        ),
    );
  });

  it("of an outside package has one home", () => {
    none(
      programs.flatMap(({ path, imports }) =>
        imports.filter(({ target, isPackage }) => isPackage && !HOMES[target]?.test(path))
          .map(({ target }) => `${path} imports ${target}`)
      ),
    );
  });

  it("of a program never comes from the tests", () => {
    none(
      programs.flatMap(({ path, imports }) =>
        imports.filter(({ target }) => target.startsWith("test/") || target.startsWith("@std/"))
          .map(({ target }) => `${path} imports ${target}`)
      ),
    );
  });
});

describe("time and chance", () => {
  const PURE = [
    "words",
    "triggers",
    "policies",
    "machines",
    "core",
    "celery",
    "memory",
    "follow",
    "lead",
    "asked",
  ];

  it("come in through clock.ts alone", () => {
    none(
      programs.filter(({ path }) => path !== "src/clock.ts").flatMap(({ path, impure }) =>
        impure.filter(({ what }) => PURE.includes(layerOf(path)) || !/^(crypto|Abort)/.test(what))
          .map(({ what, line }) => `${path}:${line}: ${what}`)
      ),
    );
  });
});

describe("nothing is left over", () => {
  const texts = [
    ...files.map(({ path, text }) => ({ path, text })),
    ...[...filesBelow("src", /\.lua$/), ...filesBelow("env", /\.(py|yaml|example)$/)]
      .map((path) => ({ path, text: readProjectFile(path) })),
  ].filter(({ path }) => path !== "test/tidy_test.ts");

  it("no export that only its own file uses", () => {
    const words = new Map(files.map(({ path, text }) => [path, new Set(text.match(/\w+/g))]));
    const isUsed = (name: string, home: string) =>
      files.some(({ path }) => path !== home && words.get(path)!.has(name));
    none(
      files.filter(({ path }) => !path.startsWith("test/std/")).flatMap((
        { path, exportedValues },
      ) => exportedValues.filter((name) => !isUsed(name, path)).map((name) => `${path}: ${name}`)),
    );
  });

  it("no import allowed that no file needs", () => {
    const edges = new Set(
      programs.flatMap(({ path, imports }) =>
        imports.filter(({ isPackage }) => !isPackage)
          .map(({ target }) => `${layerOf(path)} → ${layerOf(target)}`)
      ),
    );
    const allowed = Object.entries(MAY_IMPORT)
      .flatMap(([from, all]) => all.map((to) => `${from} → ${to}`));
    none([...allowed, ...TYPES_ONLY].filter((edge) => !edges.has(edge)));
  });

  for (
    const [what, pattern] of [
      ["a note to oneself", /\b(TODO|FIXME|XXX|HACK)\b/],
      ["a test that runs alone", /\b(it|describe|test)\.only\(/],
      ["a breakpoint", /^\s*debugger\b/m],
      ["code in a comment", /^\s*(\/\/|--)\s*(const|let|return|import|if \(|local)\b.*[;{]$/m],
      ["a path of somebody's machine", /(^|[\s"'`(=])\/(root|work|home\/\w+|Users)\/\w/m],
    ] as const
  ) {
    it(`no ${what}`, () => {
      const exempt = /^test\/std\/bdd/;
      none(
        texts.filter(({ path, text }) => pattern.test(text) && !exempt.test(path))
          .map(({ path, text }) => `${path}: ${pattern.exec(text)?.[0].trim()}`),
      );
    });
  }
});

describe("the checks themselves", () => {
  it("see imports, functions and what is impure", () => {
    const { imports, functions, exportedValues, impure, defaultExports } = parseSource(
      "src/core/sample.ts",
      [
        'import type { A } from "../fire.ts";',
        'import { b } from "ioredis";',
        "export default function long() {",
        "  return () => {",
        "    return Date.now() + new Date(0).getTime() + new Date().getTime();",
        "  };",
        "}",
        'const c = await import("./other.ts");',
        "export const d = 1, e = 2;",
        "export class F {}",
        "export type G = string;",
      ].join("\n"),
    );
    assert.deepEqual(imports, [
      { target: "src/fire.ts", isPackage: false, isTypeOnly: true },
      { target: "ioredis", isPackage: true, isTypeOnly: false },
      { target: "src/core/other.ts", isPackage: false, isTypeOnly: false },
    ]);
    assert.deepEqual(functions.map(({ lineCount }) => lineCount), [5, 3]);
    assert.equal(ownLines(functions[0] as FunctionSize, functions), 3);
    assert.deepEqual(impure, [{ what: "Date.now", line: 5 }, { what: "new Date()", line: 5 }]);
    assert.deepEqual(defaultExports, [3]);
    assert.deepEqual(exportedValues, ["d", "e", "F"]);
  });

  it("find a cycle of three", () => {
    const file = (name: string, to: string) =>
      parseSource(`src/core/${name}.ts`, `import { x } from "./${to}.ts";`);
    assert.equal(findCycle([file("a", "b"), file("b", "c")]), null);
    const way = ["a", "b", "c", "a"].map((name) => `src/core/${name}.ts`).join(" → ");
    assert.equal(findCycle([file("a", "b"), file("b", "c"), file("c", "a")]), way);
  });
});
