import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import type { JitterSpec } from "../../src/task.ts";
import { loadFiles, loadFine } from "../support/load_files.ts";

const PLAIN: JitterSpec = { kind: "per-fire", maxMs: 60_000, seed: "beat", place: null };

function yamlOf(lines: Record<string, string>, head: string): Record<string, string> {
  const tasks = Object.entries(lines).map(([name, line]) =>
    `  ${name}: {task: t, queue: q, ${line}}`
  );
  return { "env/beat.yaml": ["version: 1", head, "tasks:", ...tasks].join("\n") };
}

/** The jitter of each of these entries. */
async function jitters(lines: Record<string, string>, head = "", env = {}) {
  const { tasks } = await loadFine(yamlOf(lines, head), env);
  const all = new Map(tasks.map(({ name, policies }) => [name, policies.jitter]));
  return Object.fromEntries(Object.keys(lines).map((name) => [name, all.get(name)]));
}

async function jitterOf(line: string, head = "", env = {}) {
  return (await jitters({ x: line }, head, env)).x;
}

async function problemsOf(line: string, head = ""): Promise<string[]> {
  return (await loadFiles(yamlOf({ x: line }, head))).problems;
}

const GROUPS = "groups: {reports: {jitter: 60s}, even: {jitter: {kind: even, max: 60s}}}";

describe("jitter", () => {
  const written: [string, Partial<JitterSpec> | null][] = [
    ["60s", {}],
    ["1.5", { maxMs: 1_500 }],
    ["{max: 60s}", {}],
    ["{kind: fixed, max: 60s}", { kind: "fixed" }],
    ["{kind: per-fire, max: 60s, seed: x}", { seed: "x" }],
    ["none", null],
  ];
  for (const [text, own] of written) {
    it(`reads ${text}`, async () => {
      const jitter = await jitterOf(`every: 5m, jitter: ${text}`);
      assert.deepEqual(jitter, own === null ? null : { ...PLAIN, ...own });
    });
  }

  it("starts from the namespace where no seed is written", async () => {
    assert.equal(
      (await jitterOf("every: 5m, jitter: 1s", "", { BEAT_NAMESPACE: "stage" }))?.seed,
      "stage",
    );
    assert.equal(
      (await jitterOf("every: 5m, jitter: 1s", "beat: {namespace: prod}"))?.seed,
      "prod",
    );
  });

  it("is that of the entry, else of its group, else of defaults", async () => {
    const head = `${GROUPS}\ndefaults: {jitter: 3s}`;
    const maxMs = async (line: string) => (await jitterOf(line, head))?.maxMs ?? null;
    assert.equal(await maxMs("every: 5m, group: reports, jitter: 2s"), 2_000);
    assert.equal(await maxMs("every: 5m, group: reports"), 60_000);
    assert.equal(await maxMs("every: 5m"), 3_000);
    assert.equal(await maxMs("every: 5m, group: reports, jitter: none"), null);
  });

  it("gives each member of a group that is staggered a place by its name", async () => {
    const found = await jitters({
      c: "every: 5m, group: even",
      off: "every: 5m, group: even, enabled: false",
      a: "every: 5m, group: even",
      own: "every: 5m, group: even, jitter: 1s",
      b: "every: 5m, group: even, jitter: {kind: even, max: 30s}",
    }, GROUPS);
    const places = ["a", "b", "c", "own"].map((name) => found[name]?.place);
    const place = (index: number) => ({ group: "even", index, count: 3 });
    assert.deepEqual(places, [place(0), place(1), place(2), null]);
    assert.equal(found.b?.maxMs, 30_000);
  });

  it("may be as long as the period, and longer than some gaps of an irregular schedule", async () => {
    for (
      const line of [
        "every: 60s, jitter: 60s",
        "cron: '* * * * *', jitter: 60s",
        "cron: '0 9,10 * * *', jitter: 2h",
        "cron: '0 9 * * 1-5', jitter: 48h",
        "at: 2027-01-31T09:00:00Z, jitter: 5h",
      ]
    ) assert.notEqual(await jitterOf(line), null, line);
  });

  it("of defaults is cut by each task's own gap, without a word", async () => {
    const { tasks, hints } = await loadFine({
      "env/beat.yaml": "version: 1\ndefaults: {jitter: 60s}",
    });
    assert.ok(tasks.every(({ policies }) => policies.jitter?.maxMs === 60_000));
    assert.ok(!hints.some((each) => /jitter/.test(each)));
  });

  const LONGER = /: expected `tasks\.x\.jitter` to be at most the period of `tasks\.x`, /;
  const refused: [string, string, RegExp, string?][] = [
    ["longer than the period", "every: 30s, jitter: 60s", LONGER],
    ["longer than the period of a cron", "cron: '*/10 * * * *', jitter: 10m1s", LONGER],
    ["longer than any gap", "cron: '0 9,10 * * *', jitter: 24h", LONGER],
    [
      "of a group, longer than a member's period",
      "every: 30s, group: reports",
      /^env\/beat\.yaml:2: expected `groups\.reports\.jitter` to be at most the period of `tasks\.x`, 30s, got 1m/,
      GROUPS,
    ],
    [
      "even without a group",
      "every: 5m, jitter: {kind: even, max: 1s}",
      /of kind even to be that of a group.*; add a `group`$/,
    ],
    [
      "even in defaults",
      "every: 5m, group: even",
      /`defaults\.jitter` of kind even to be that of a group/,
      `${GROUPS}\ndefaults: {jitter: {kind: even, max: 1s}}`,
    ],
    [
      "with a slip in a key",
      "every: 5m, jitter: {kind: fixed, mx: 1s}",
      /got `mx`; did you mean max\?$/,
    ],
    [
      "with a kind that is none",
      "every: 5m, jitter: {kind: fix, max: 1s}",
      /`tasks\.x\.jitter\.kind` to be fixed, per-fire, even, got "fix"$/,
    ],
    [
      "that is no duration",
      "every: 5m, jitter: soon",
      /`tasks\.x\.jitter` to be .*duration such as/,
    ],
    [
      "of a group that nobody declared",
      "every: 5m, group: repots",
      /`tasks\.x\.group` to be the name of one of `groups`, got "repots"; did you mean reports\?$/,
      GROUPS,
    ],
    [
      "of a group where there is none",
      "every: 5m, group: reports",
      /got "reports"; none is declared$/,
    ],
  ];
  for (const [name, line, expected, head] of refused) {
    it(`is refused ${name}`, async () => {
      const problems = await problemsOf(line, head);
      assert.ok(problems.some((each) => expected.test(each)), problems.join("\n"));
    });
  }

  it("tells a wrong group once, and not again where it is named", async () => {
    const problems = await problemsOf("every: 5m, group: g", "groups: {g: {jitter: {max: x}}}");
    assert.equal(problems.length, 1, problems.join("\n"));
  });
});
