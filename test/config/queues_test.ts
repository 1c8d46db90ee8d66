/** Marks of queues, objectives, and what tasks say of both. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { NO_HEADERS } from "../support/build.ts";
import { loadFiles, loadFine } from "../support/load_files.ts";

const VARIABLE = "PAPER_TRADING_QUEUE_BACKLOG_SOFT_LIMIT";

/** @param lines what follows `version: 1` */
function yaml(...lines: readonly string[]) {
  return { "env/beat.yaml": ["version: 1", ...lines].join("\n") };
}

const OWN = ["tasks:", "  own: { task: t, queue: work, every: 1m, importance: normal }"];
const PROMETHEUS = "{prometheus: {url: 'http://prometheus:9090', query: errors}}";

describe("queues", () => {
  it("have marks by default, where some task may be held back", async () => {
    const { levels } = await loadFine(yaml(...OWN));
    assert.deepEqual(levels.everyMs, 5_000);
    assert.deepEqual(levels.queues["work"], {
      depth: { low: 200, high: 1_000, pause: 2_000 },
      waitMs: { low: 60_000, high: 300_000, pause: 1_800_000 },
      dwellMs: 30_000,
    });
    assert.deepEqual(Object.keys(levels.queues), [
      "maintenance",
      "market_data",
      "notifications",
      "work",
    ]);
  });

  it("take the marks that are written, and move the others along", async () => {
    const { levels } = await loadFine(yaml(
      "beat: {readings: 2s}",
      "queues:",
      "  work: {high: 50, dwell: 1m, wait: {high: 10s}}",
      "  maintenance: {low: 1, high: 2, pause: 3, wait: none}",
      ...OWN,
    ));
    assert.equal(levels.everyMs, 2_000);
    assert.deepEqual(levels.queues["work"], {
      depth: { low: 10, high: 50, pause: 100 },
      waitMs: { low: 2_000, high: 10_000, pause: 60_000 },
      dwellMs: 60_000,
    });
    assert.deepEqual(levels.queues["maintenance"], {
      depth: { low: 1, high: 2, pause: 3 },
      waitMs: null,
      dwellMs: 30_000,
    });
  });

  it("honour the soft limit of paper trading, before the file where it is set", async () => {
    const files = (queues: string) =>
      yaml(
        queues,
        "tasks:",
        "  own: { task: t, queue: paper_trading, every: 1m, importance: normal }",
      );
    const high = async (queues: string, env = {}) =>
      (await loadFine(files(queues), env)).levels.queues["paper_trading"]!.depth.high;
    assert.equal(await high(""), 2_000);
    assert.equal(await high("", { [VARIABLE]: "300" }), 300);
    assert.equal(await high("queues: {paper_trading: {high: 700}}"), 700);
    assert.equal(await high("queues: {paper_trading: {high: 700}}", { [VARIABLE]: "300" }), 300);
  });

  for (
    const [what, queue, expected] of [
      ["low above high", "{low: 9, high: 5}", "queues.work`.*got low 9, high 5, pause 10"],
      ["pause at high", "{high: 5, pause: 5}", "queues.work`.*got low 1, high 5, pause 5"],
      ["pause below a default", "{pause: 800}", "queues.work`.*low 200, high 1000, pause 800"],
      ["waits", "{wait: {low: 10m}}", "queues.work.wait`.*low 10m, high 5m, pause 30m"],
    ] as const
  ) {
    it(`with marks in the wrong order are refused: ${what}`, async () => {
      const { problems } = await loadFiles(yaml("queues:", `  work: ${queue}`, ...OWN));
      assert.equal(problems.length, 1);
      assert.match(
        problems[0]!,
        new RegExp(`^env/beat.yaml:3: expected the marks of .${expected}`),
      );
    });
  }

  it("that nobody publishes to are told of", async () => {
    const { hints } = await loadFine(yaml("queues:", "  wrok: {high: 50}", ...OWN));
    const told = hints.filter((hint) => hint.startsWith("queues."));
    assert.deepEqual(told.map((hint) => hint.replace(/\(.*\//, "(")), [
      "queues.wrok has marks, but no task that may be held back publishes to it (beat.yaml:3)",
    ]);
  });
});

describe("pressure", () => {
  const ofOwn = async (own: string, defaults = "") =>
    (await loadFine(yaml(defaults, "tasks:", `  own: { task: t, queue: work, every: 1m${own} }`)))
      .tasks.find(({ name }) => name === "own")!.policies;

  it("observes what is not critical, unless told otherwise", async () => {
    assert.equal((await ofOwn("")).pressure, null);
    assert.deepEqual((await ofOwn(", importance: normal")).pressure, {
      mode: "observe",
      slowTo: 4,
    });
    const normal = ", importance: normal, pressure: ";
    assert.deepEqual((await ofOwn(`${normal}enforce`)).pressure, { mode: "enforce", slowTo: 4 });
    assert.equal((await ofOwn(`${normal}off`)).pressure, null);
    assert.deepEqual(
      (await ofOwn(`${normal}{slow_to: 2}`, "defaults: {pressure: enforce}")).pressure,
      {
        mode: "enforce",
        slowTo: 2,
      },
    );
    assert.equal((await ofOwn(", importance: critical, pressure: enforce")).pressure, null);
  });

  it("may hold what is deferrable for a day, and others for a period", async () => {
    assert.equal((await ofOwn(", importance: deferrable")).maxHoldMs, 86_400_000);
    assert.equal((await ofOwn(", importance: normal")).maxHoldMs, 60_000);
    assert.equal((await ofOwn(", importance: deferrable, max_hold: 2h")).maxHoldMs, 7_200_000);
  });
});

describe("objectives", () => {
  it("are read with what they leave out", async () => {
    const { levels, tasks } = await loadFine(yaml(
      "objectives:",
      `  api: {target: 99.9%, source: ${PROMETHEUS}}`,
      "  own: {target: 0.95, source: {workers: {}}, every: 10s, hold: 1m,",
      "    rules: [{level: slowed, burn: 2, long: 10m, short: 30s}]}",
      "  page: {target: 99%, source: {http: {url: 'https://api/health', path: errors.share, at: now}}}",
      "  key: {target: 99%, source: {redis: {key: 'api:errors'}}}",
      "defaults: {slo: api}",
      "tasks:",
      "  own: { task: t, queue: work, every: 1m, importance: normal }",
      "  other: { task: t, queue: work, every: 1m, importance: normal, slo: none }",
      "  third: { task: t, queue: work, every: 1m, importance: deferrable,",
      "    slo: {objective: own, mode: observe, slow_to: 9} }",
      "  vital: { task: t, queue: work, every: 1m }",
    ));
    const [api, own, page, key] = levels.objectives;
    assert.deepEqual(api, {
      name: "api",
      target: 0.999,
      source: {
        ...{ kind: "prometheus", url: "http://prometheus:9090", headers: NO_HEADERS },
        query: "errors",
      },
      everyMs: 30_000,
      timeoutMs: 5_000,
      staleMs: 95_000,
      holdMs: 120_000,
      minEvents: 2,
      rules: [
        { level: "paused", burn: 14.4, longMs: 300_000, shortMs: 60_000 },
        { level: "slowed", burn: 6, longMs: 300_000, shortMs: 60_000 },
      ],
    });
    assert.deepEqual([own!.target, own!.source, own!.minEvents], [
      0.95,
      { kind: "workers", tasks: null },
      20,
    ]);
    assert.deepEqual(own!.rules, [{ level: "slowed", burn: 2, longMs: 600_000, shortMs: 30_000 }]);
    assert.deepEqual(page!.source, {
      kind: "http",
      ...{ url: "https://api/health", headers: NO_HEADERS },
      path: ["errors", "share"],
      at: ["now"],
    });
    assert.deepEqual(key!.source, { kind: "redis", key: "api:errors" });
    const sloOf = (name: string) => tasks.find((task) => task.name === name)!.policies.slo;
    assert.deepEqual(sloOf("own"), { objective: "api", mode: "enforce", slowTo: 4 });
    assert.deepEqual(sloOf("third"), { objective: "own", mode: "observe", slowTo: 9 });
    assert.deepEqual([sloOf("other"), sloOf("vital")], [null, null]);
  });

  for (
    const [what, objective, expected] of [
      [
        "a target",
        `{target: 100%, source: ${PROMETHEUS}}`,
        /`objectives\.api\.target`.*share of good/,
      ],
      ["a source", "{target: 99%, source: {graphite: {}}}", /`objectives\.api\.source`.*workers/],
      [
        "two sources",
        "{target: 99%, source: {workers: {}, redis: {key: a}}}",
        /`objectives\.api\.source` to be a map with one of workers/,
      ],
      ["none", "{target: 99%, source: {}}", /`objectives\.api\.source` to be a map with one of/],
      [
        "a key of a source",
        "{target: 99%, source: {prometheus: {url: 'http://p', query: a, head: {}}}}",
        /`objectives\.api\.source\.prometheus` to have known keys, got `head`/,
      ],
      [
        "a URL",
        "{target: 99%, source: {http: {url: 'ftp://x', path: a}}}",
        /`objectives\.api\.source/,
      ],
      [
        "a rule",
        `{target: 99%, source: ${PROMETHEUS}, rules: [{level: slowed, burn: 2, long: 1m, short: 1m}]}`,
        /`objectives\.api\.rules\[0\]\.short`.*shorter than `long`/,
      ],
      [
        "a window",
        `{target: 99%, source: ${PROMETHEUS}, every: 2m}`,
        /`objectives\.api\.rules\[0\]\.short` to be at least `every`, 2m, got 1m/,
      ],
    ] as const
  ) {
    it(`are refused for ${what} that cannot be`, async () => {
      const { problems } = await loadFiles(yaml("objectives:", `  api: ${objective}`));
      assert.match(problems[0]!, expected);
      assert.match(problems[0]!, /^env\/beat\.yaml:\d+: expected/);
    });
  }

  it("must be there for a task to name one", async () => {
    const { problems } = await loadFiles(yaml(
      "objectives:",
      `  checkout: {target: 99%, source: ${PROMETHEUS}}`,
      "tasks:",
      "  own: { task: t, queue: work, every: 1m, importance: normal, slo: chekout }",
    ));
    assert.deepEqual(problems, [
      'env/beat.yaml:5: expected `tasks.own.slo` to be none, or the name of one of `objectives`, got "chekout"' +
      "; did you mean checkout?",
    ]);
  });
});
