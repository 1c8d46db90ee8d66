import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import { loadFiles, yamlTasks } from "../support/load_files.ts";

/** An entry that is fine but for `extra`. */
const entry = (extra: string) => yamlTasks(`report: {task: t, queue: q, every: 1m, ${extra}}`);
/** An entry without a trigger but `extra`. */
const timed = (extra: string) => yamlTasks(`report: {task: t, queue: q, ${extra}}`);
const file = (text: string) => ({ "env/beat.yaml": text });

const POLICIES_ONLY = "expected `tasks.paper_trading.scheduler_tick`, which is built in, to have " +
  "policies only, got ";

/** What is wrong, the files, and each problem, by its start. */
const BAD: [string, Record<string, string>, string[]][] = [
  ["no version", file("tasks: {}"), ["env/beat.yaml:1: expected `version` to be 1, got nothing"]],
  ["another version", file("\nversion: 2"), [
    "env/beat.yaml:2: expected `version` to be 1, got 2",
  ]],
  ["a list", file("- 1"), [
    "env/beat.yaml:1: expected the file to be a map with version: 1, got a list",
  ]],
  ["an unknown key", file("version: 1\ntaskz: {}"), [
    "env/beat.yaml:2: expected the top level to have known keys, got `taskz`; did you mean tasks?",
  ]],
  ["an unknown key that resembles none", file("version: 1\nbeat: {wwwwwwwwww: 1}"), [
    "env/beat.yaml:2: expected `beat` to have known keys, got `wwwwwwwwww`; known: namespace, " +
    "lease, log_level, log_format",
  ]],
  ["an unknown key inside", entry("expire: 5"), [
    "env/beat.yaml:3: expected `tasks.report` to have known keys, got `expire`; did you mean expires?",
  ]],
  ["an unknown key of a policy", entry("catchup: {polcy: all}"), [
    "env/beat.yaml:3: expected `tasks.report.catchup` to have known keys, got `polcy`; did you mean policy?",
  ]],
  ["a repeated key", yamlTasks("a: {}", "a: {task: t, queue: q, every: 1s}"), [
    "env/beat.yaml:4: expected each key once, got it a second time",
  ]],
  ["a tab as indentation", file("version: 1\ntasks:\n\ta: 1"), [
    "env/beat.yaml:3: expected valid YAML: Tabs are not allowed as indentation",
  ]],
  ["an open bracket", file("version: 1\ntasks: {a: {"), ["env/beat.yaml:2: expected valid YAML"]],
  ["a tag", entry("args: [!env X]"), ["env/beat.yaml:3: expected plain YAML, got a tag"]],
  ["binary data", entry("args: [!!binary aGk=]"), [
    "env/beat.yaml:3: expected `tasks.report.args[0]` to be plain JSON",
  ]],
  ["a key __proto__", entry("kwargs: {__proto__: 1}"), [
    "env/beat.yaml:3: expected `tasks.report.kwargs` to be plain JSON",
  ]],
  ["an alias of nothing", entry("args: [*x]"), ["env/beat.yaml:3: expected an alias of something"]],
  ["a star without quotes", timed("crontab: {minute: */15}"), [
    "env/beat.yaml:3: expected an alias of something above it, got one that names nothing; a text " +
    "that begins with * needs quotes",
  ]],
  ["a list as a key", entry("kwargs: {[a, b]: 1}"), [
    "env/beat.yaml:3: expected a key that is text, got a list",
  ]],
  ["a merge of what is no map", entry("kwargs: {<<: 5}"), [
    "env/beat.yaml:1: expected valid YAML: Merge",
  ]],
  ["aliases without end", {
    "env/beat.yaml": `version: 1\na: &a [x,x,x,x,x,x,x,x,x]\n${
      "bcdefg".split("").map((name, at) => {
        const before = "abcdef"[at];
        return `${name}: &${name} [${Array(9).fill(`*${before}`).join(",")}]`;
      }).join("\n")
    }`,
  }, ["env/beat.yaml:1: expected valid YAML: Excessive alias count"]],

  ["neither task nor queue nor trigger", yamlTasks("report: {}"), [
    "env/beat.yaml:3: expected `tasks.report` to have `task` and `queue`, got neither",
    "env/beat.yaml:3: expected `tasks.report` to have one of every, cron, crontab, at and session, got none",
  ]],
  ["a slip in a built-in name", yamlTasks("paper_trading.sheduler_tick: {importance: normal}"), [
    "env/beat.yaml:3: expected `tasks.paper_trading.sheduler_tick` to have `task` and `queue`, got " +
    "neither; did you mean paper_trading.scheduler_tick?",
    "env/beat.yaml:3: expected `tasks.paper_trading.sheduler_tick` to have one of every",
  ]],
  ["no queue", yamlTasks("report: {task: t, every: 1m}"), [
    "env/beat.yaml:3: expected `tasks.report` to have `queue`, one that a worker consumes",
  ]],
  ["a name with a space", yamlTasks("a b: {task: t, queue: q, every: 1m}"), [
    "env/beat.yaml:3: expected the name of `tasks.a b` to be letters, digits",
  ]],
  ["two triggers", timed('every: 1m, cron: "* * * * *"'), [
    "env/beat.yaml:3: expected `tasks.report` to have one of every, cron, crontab, at and session, got every and cron",
  ]],
  ["a word as a duration", timed("every: soon"), [
    "env/beat.yaml:3: expected `tasks.report.every` to be a duration such as 15m, 1h30m or 500ms, " +
    'or a number of seconds, got "soon"',
  ]],
  ["an interval that is too short", timed("every: 9ms"), [
    'env/beat.yaml:3: expected `tasks.report.every` to be a duration from 10ms to 52w2d, got "9ms"',
  ]],
  ["a negative interval", timed("every: -5"), [
    "env/beat.yaml:3: expected `tasks.report.every` to be a duration from 10ms",
  ]],
  ["a phase that is no part of the interval", entry("phase: 1m"), [
    "env/beat.yaml:3: expected `tasks.report` to have a `phase` below its `every`, 1m",
  ]],
  ["a phase of a cron", timed('cron: "* * * * *", phase: 5s'), [
    "env/beat.yaml:3: expected `tasks.report` to have `phase` with `every` only, got it with `cron`",
  ]],
  ["a zone of an interval", entry("tz: UTC"), [
    "env/beat.yaml:3: expected `tasks.report` to have `tz` with cron, crontab or at",
  ]],
  ["a zone that does not exist", timed('cron: "* * * * *", tz: Mars/Olympus'), [
    'env/beat.yaml:3: expected `tasks.report.tz` to be an IANA time zone such as Europe/Paris, got "Mars/Olympus"',
  ]],
  ["a cron that cannot be read", timed('cron: "61 * * * *"'), [
    "env/beat.yaml:3: `tasks.report.cron`: expected",
  ]],
  ["a date that never comes", timed('cron: "0 0 30 2 *"'), [
    "env/beat.yaml:3: `tasks.report.cron`: expected",
  ]],
  ["a weekday that Celery does not have", timed("crontab: {day_of_week: 7}"), [
    "env/beat.yaml:3: `tasks.report.crontab`: expected",
  ]],
  ["a list as a field of crontab", timed("crontab: {minute: [0, 30]}"), [
    "env/beat.yaml:3: expected `tasks.report.crontab.minute` to be a field of crontab: a number, or " +
    'text such as "0,30"',
  ]],
  ["a crontab of four fields", timed('crontab: "0 3 * *"'), [
    "env/beat.yaml:3: expected `tasks.report` to have a `crontab` of five fields",
  ]],
  ["a date that does not exist", timed('at: "2027-02-30T09:00:00Z"'), [
    "env/beat.yaml:3: expected `tasks.report` to have an `at` that exists",
  ]],
  ["a time in a gap", timed('at: "2026-03-29T02:30:00", tz: Europe/Paris'), [
    "env/beat.yaml:3: expected `tasks.report` to have an `at` that exists",
  ]],
  ...["[America/New_York]", "+01:00[Europe/Paris]", "[u-ca=hebrew]", ":60Z", "+05:30:00"].map((
    end,
  ): [string, Record<string, string>, string[]] => [
    `a time with ${end} behind it`,
    timed(`at: "2027-01-31T09:00${end}", tz: Asia/Tokyo`),
    ["env/beat.yaml:3: expected `tasks.report` to have an `at` that exists"],
  ]),

  ["a priority that does not exist", entry("priority: 10"), [
    "env/beat.yaml:3: expected `tasks.report.priority` to be a whole number from 0 to 9, got 10",
  ]],
  ["an unknown importance", entry("importance: high"), [
    'env/beat.yaml:3: expected `tasks.report.importance` to be critical, normal, deferrable, got "high"',
  ]],
  ["an unknown catch-up", entry("catchup: everything"), [
    "env/beat.yaml:3: expected `tasks.report.catchup` to be skip, latest, all, or a map",
  ]],
  ["text as a flag", entry('enabled: "yes"'), [
    'env/beat.yaml:3: expected `tasks.report.enabled` to be true or false, got "yes"',
  ]],
  ["a soft limit above the hard one", entry("time_limit: 5, soft_time_limit: 6"), [
    "env/beat.yaml:3: expected `soft_time_limit` of `tasks.report` to be below its `time_limit`, 5 s, got 6 s",
  ]],
  ["args that are no list", entry("args: {a: 1}"), [
    "env/beat.yaml:3: expected `tasks.report.args` to be a list, got a map",
  ]],
  ["a number beyond 2^53", entry("args: [9007199254740993]"), [
    "env/beat.yaml:3: expected `tasks.report.args[0]` to be a whole number within 2^53, got 9007199254740993",
  ]],
  ["NaN and infinity", entry("kwargs: {a: .nan, b: [-.inf]}"), [
    "env/beat.yaml:3: `tasks.report`: expected `kwargs.a` to be a finite number, got NaN",
    "env/beat.yaml:3: `tasks.report`: expected `kwargs.b[0]` to be a finite number, got -Infinity",
  ]],
  ["a typed object", entry("args: [{__type__: uuid, __value__: x}]"), [
    "env/beat.yaml:3: `tasks.report`: expected `args[0]` not to have exactly the keys __type__",
  ]],
  ["arguments over a megabyte", entry(`args: ["${"x".repeat(1_048_577)}"]`), [
    "env/beat.yaml:3: `tasks.report`: expected",
  ]],
  ["a header of Celery's own", entry("headers: {id: x}"), [
    "env/beat.yaml:3: `tasks.report`: expected `headers` not to have",
  ]],
  ["a queue that is a key of Celery's", yamlTasks("r: {task: t, queue: unacked, every: 1m}"), [
    "env/beat.yaml:3: `tasks.r`: expected `queue` not to be one of Celery's own keys",
  ]],
  ["canvas", entry("chain: [], link: x, chunks: y, chord: z, link_error: e, callbacks: c"), [
    ..."chain link chunks chord link_error callbacks".split(" ").map((key) =>
      `env/beat.yaml:3: expected \`tasks.report\` not to have \`${key}\`: a task that starts others is ` +
      "written in Python: wrap them in a task of your own, and name that task here"
    ),
  ]],
  ["eta and countdown", entry("eta: x, countdown: 3"), [
    "env/beat.yaml:3: expected `tasks.report` not to have `eta`: Beat publishes a task when it is due",
    "env/beat.yaml:3: expected `tasks.report` not to have `countdown`: Beat publishes a task when",
  ]],
  ["a sunset and a policy of retries", entry("solar: {}, retry_policy: {}"), [
    "env/beat.yaml:3: expected `tasks.report` not to have `solar`: Beat publishes a task when",
    "env/beat.yaml:3: expected `tasks.report` not to have `retry_policy`: Beat itself sends again",
  ]],
  ["Celery's own words", entry("options: {}, schedule: 5, routing_key: r"), [
    "env/beat.yaml:3: expected `tasks.report` not to have `options`: write queue, priority",
    "env/beat.yaml:3: expected `tasks.report` not to have `schedule`: write `every: 15m`",
    "env/beat.yaml:3: expected `tasks.report` not to have `routing_key`: Beat publishes to the list",
  ]],

  ["overrides of a built-in entry", {
    "env/beat.yaml": "version: 1\ntasks:\n  paper_trading.scheduler_tick:\n    every: 2s\n" +
      "    task: other\n    expires: 5s",
  }, [
    `env/beat.yaml:4: ${POLICIES_ONLY}\`every\`: it is set by PAPER_TRADING_LOOP_INTERVAL_SECONDS`,
    `env/beat.yaml:5: ${POLICIES_ONLY}\`task\`: it is what the workers expect`,
    `env/beat.yaml:6: ${POLICIES_ONLY}\`expires\`: it is set by PAPER_TRADING_LOOP_INTERVAL_SECONDS`,
  ]],
  ["a phase of the backup", yamlTasks("maintenance.postgres_full_backup: {phase: 5m}"), [
    "env/beat.yaml:3: expected `tasks.maintenance.postgres_full_backup`, which is built in, to have " +
    "policies only, got `phase`: it is set by POSTGRES_BACKUP_HOUR_UTC and POSTGRES_BACKUP_MINUTE_UTC",
  ]],
  ["a phase beyond a built-in interval", yamlTasks("paper_trading.scheduler_tick: {phase: 1s}"), [
    "env/beat.yaml:3: expected `tasks.paper_trading.scheduler_tick` to have a `phase` below its interval, 1s",
  ]],
  ["steps that do not grow", file("version: 1\nbroker: {priority_steps: [0, 6, 3]}"), [
    "env/beat.yaml:2: expected `broker.priority_steps` to be steps that start at 0 and grow, got a list",
  ]],
  ["a URL where a map belongs", file("version: 1\nbroker: redis://:hunter2@h"), [
    "env/beat.yaml:2: expected `broker` to be a map, got a URL (not shown)",
  ]],
  ["a password that is no text", file("version: 1\nbroker: {sentinel_password: [hunter2]}"), [
    "env/beat.yaml:2: expected `broker.sentinel_password` to be text, got something else (not shown)",
  ]],
];

describe("readYaml()", () => {
  for (const [what, files, expected] of BAD) {
    it(`refuses ${what}`, async () => {
      const { problems, text } = await loadFiles(files);
      assert.equal(problems.length, expected.length, text);
      for (const start of expected) {
        assert.ok(problems.some((problem) => problem.startsWith(start)), `${start}\n${text}`);
      }
      assert.doesNotMatch(text, /hunter2/);
    });
  }

  it("tells all that is wrong at once, from top to end, beside the variables", async () => {
    const { problems } = await loadFiles({
      "env/beat.yaml": [
        "version: 1",
        "broker: {sepp: x}",
        "beat: {lease: 1h}",
        "defaults: {give_up: never}",
        "tasks:",
        "  paper_trading.scheduler_tick: {every: 1s, importnace: normal}",
        "  a: {task: t, queue: q, every: 1m, args: [.nan]}",
        "  b: {task: t, queue: q, every: 1m, args: [9007199254740993]}",
        "  c: {task: t, queue: q, every: x}",
        '  d: {task: t, queue: q, cron: "x"}',
        "  e: {task: t, queue: q}",
        "  e: {task: t, queue: q}",
      ].join("\n"),
    }, { REDIS_PORT: "x", CELERY_BROKER_URL: "http://h" });
    assert.deepEqual(
      problems.map((problem) => /^(env\/beat.yaml:\d+|\w+)/.exec(problem)![0]),
      [
        "REDIS_PORT",
        "CELERY_BROKER_URL",
        ...[2, 3, 4, 6, 6, 7, 8, 9, 10, 12, 12].map((line) => `env/beat.yaml:${line}`),
      ],
    );
  });

  it("refuses a file that BEAT_CONFIG names and that does not exist, but not its default", async () => {
    const { problems } = await loadFiles({}, { BEAT_CONFIG: "conf/own.yaml" });
    assert.deepEqual(problems, [
      "BEAT_CONFIG: expected `BEAT_CONFIG` to be a file that can be read, got conf/own.yaml: no such file",
    ]);
    const named = await loadFiles({}, { BEAT_CONFIG: "env/beat.yaml" });
    assert.equal(named.problems.length, 1);
  });

  for (const text of ["", "# nothing\n", "version: 1\ntasks:\nbroker:\nbeat: null\n"]) {
    it(`takes ${JSON.stringify(text)} for saying nothing`, async () => {
      const { config } = await loadFiles({ "env/beat.yaml": text });
      assert.equal(config?.tasks.length, 7);
    });
  }

  it("reads JSON too, and aliases, and times and dates as text", async () => {
    const { config } = await loadFiles({
      "env/own.json": JSON.stringify({
        version: 1,
        tasks: { a: { task: "t", queue: "q", every: "1m", args: [1, "x", null, true] } },
      }),
    }, { BEAT_CONFIG: "env/own.json" });
    assert.deepEqual(config?.tasks.at(-1)?.args, [1, "x", null, true]);
    const yaml = await loadFiles(yamlTasks(
      "a: {task: t, queue: q, every: 1m, kwargs: &k {day: 2026-01-01, no: 0x10, at: 12:30:00}}",
      "b: {task: t, queue: q, every: 1m, kwargs: *k}",
    ));
    const expected = { day: "2026-01-01", no: 16, at: "12:30:00" };
    assert.deepEqual(yaml.config?.tasks.slice(-2).map(({ kwargs }) => kwargs), [
      expected,
      expected,
    ]);
  });

  it("merges with <<, also into arguments, and what is written beside it holds", async () => {
    const { config, text } = await loadFiles(yamlTasks(
      "a: &a {task: t, queue: q, every: 1m, kwargs: &k {x: 1, y: 1}}",
      "b: {<<: *a, queue: r, kwargs: {<<: *k, y: 2}}",
    ));
    const { celeryTask, queue, kwargs } = config?.tasks.at(-1) ?? assert.fail(text);
    assert.deepEqual([celeryTask, queue, kwargs], ["t", "r", { x: 1, y: 2 }]);
  });

  it("takes names that look like numbers as they are written", async () => {
    const names = ["1.10", "1.1", "007", "1e3", "0x10", "true", "null"];
    const rest = "{task: t, queue: q, every: 1m, kwargs: {1.10: a, 0123: b}}";
    const { config, text } = await loadFiles(yamlTasks(...names.map((name) => `${name}: ${rest}`)));
    const own = config?.tasks.slice(-names.length) ?? assert.fail(text);
    assert.deepEqual(own.map(({ name }) => name), names);
    assert.deepEqual(own[0]?.kwargs, { "1.10": "a", "0123": "b" });
  });

  it("lets thousands of entries share what stands behind one anchor", async () => {
    const { config, text } = await loadFiles(yamlTasks(
      "t: {task: t, queue: q, every: 1m, catchup: &c {policy: all, cap: 5}}",
      ...Array.from(
        { length: 3_000 },
        (_, at) => `t${at}: {task: t, queue: q, every: 1m, catchup: *c}`,
      ),
    ));
    assert.equal(config?.tasks.at(-1)?.catchUp.cap, 5, text);
  });
});
