import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { QueueLook } from "../../src/audit/cause.ts";
import type { TaskRecent } from "../../src/audit/recent.ts";
import { queueCheck, queueFault } from "../../src/commands/doctor_queues.ts";
import type { Check } from "../../src/commands/doctor_server.ts";
import {
  leaderCheck,
  prefixCheck,
  resultsCheck,
  serverChecks,
  unackedCheck,
} from "../../src/commands/doctor_server.ts";
import type { TaskFacts } from "../../src/commands/doctor_tasks.ts";
import type { OpenFire } from "../../src/open_fire.ts";
import { taskCheck } from "../../src/commands/doctor_tasks.ts";
import type { ServerFacts } from "../../src/redis/server_facts.ts";
import { anOpenFire, aTask, T0 } from "../support/build.ts";

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const GIB = 1024 ** 3;

const HEALTHY = {
  redis_version: "7.2.4",
  role: "master",
  connected_slaves: "1",
  maxmemory_policy: "noeviction",
  aof_enabled: "1",
  aof_last_write_status: "ok",
  rdb_last_bgsave_status: "ok",
  used_memory: String(GIB / 4),
  maxmemory: String(GIB),
};

function facts(
  info: Partial<typeof HEALTHY> = {},
  own: Partial<ServerFacts> = {},
): ServerFacts {
  return {
    info: new Map(Object.entries({ ...HEALTHY, ...info })),
    savePoints: "3600 1",
    clock: { differenceMs: 3, errorMs: 1 },
    journal: { rows: 1_000, bytes: 1_000_000, firstMs: T0 - 7 * DAY, lastMs: T0 },
    ...own,
  };
}

/** What it says in one line. */
const line = ({ level, text, advice }: Check) =>
  `${level}: ${text}${advice === null ? "" : ` → ${advice}`}`;

describe("serverChecks()", () => {
  it("finds a healthy server fine", () => {
    const checks = serverChecks(facts());
    assert.deepEqual(checks.map(({ level }) => level), Array(6).fill("fine"));
    assert.match(checks.map(line).join("\n"), /256 MiB of 1 GiB used; .* enough for \d+ d/);
  });

  const sick: [string, ServerFacts, RegExp][] = [
    [
      "an old version",
      facts({ redis_version: "6.0.16" }),
      /^failure: Redis 6\.0\.16 → use Redis 6\.2 or newer/,
    ],
    ["a replica", facts({ role: "slave" }), /^failure: this server is a replica/],
    [
      "eviction",
      facts({ maxmemory_policy: "allkeys-lru" }),
      /^failure: allkeys-lru: .*noeviction$/,
    ],
    [
      "nothing on disk",
      facts({ aof_enabled: "0" }, { savePoints: "" }),
      /^failure: none: a restart loses .* → set appendonly yes$/,
    ],
    ["snapshots alone", facts({ aof_enabled: "0" }), /^warning: snapshots alone/],
    [
      "a full disk",
      facts({ aof_last_write_status: "err" }),
      /^failure: the append-only file cannot/,
    ],
    ["memory in use", facts({ used_memory: String(0.8 * GIB) }), /^warning: 819\.2 MiB of 1 GiB/],
    ["memory that is full", facts({ used_memory: String(0.95 * GIB) }), /^failure: 972\.8 MiB/],
    [
      "a journal that fills it soon",
      facts({}, {
        journal: { rows: 9, bytes: GIB / 4, firstMs: T0 - HOUR, lastMs: T0 },
      }),
      /^warning: .* enough for 3 h at its present rate/,
    ],
    [
      "a clock that is off",
      facts({}, { clock: { differenceMs: -5_000, errorMs: 1 } }),
      /^warning: this machine's clock is 5 s behind Redis'/,
    ],
    ["a user who may not look", facts({}, { info: null }), /^warning: the Redis user may not ask/],
  ];
  for (const [name, each, wanted] of sick) {
    it(`tells of ${name}, and nothing else`, () => {
      const wrong = serverChecks(each).filter(({ level }) => level !== "fine");
      assert.equal(wrong.length, 1);
      assert.match(line(wrong[0]!), wanted);
    });
  }
});

describe("checks of what stands around the tasks", () => {
  const leader = { owner: "host:1:a", fence: 3, leftMs: 4_000 };
  const cases: [string, Check, RegExp][] = [
    [
      "nobody leads",
      leaderCheck({ serverMs: T0, leader: null, replicas: 0 }, T0 - MINUTE),
      /^failure: nobody leads.*; the last sign of one was 1 min ago → start it with `beat run`/,
    ],
    [
      "nobody ever led",
      leaderCheck({ serverMs: T0, leader: null, replicas: 0 }, null),
      /^failure: nobody leads.* → no Beat has ever led in this namespace/,
    ],
    [
      "one leads, one stands by",
      leaderCheck({ serverMs: T0, leader, replicas: 2 }, T0),
      /^fine: host:1:a \(fence 3\), 4 s .*; 1 stands by$/,
    ],
    ["no result backend", resultsCheck(false, null), /^warning: no result backend/],
    ["results away", resultsCheck(true, "Redis at x: no"), /^failure: Redis at x: no/],
    [
      "a message held too long",
      unackedCheck({ count: 2, oldestMs: T0 - 2 * HOUR }, T0, HOUR),
      /^warning: 2 in workers' hands, one for 2 h: longer than the visibility timeout/,
    ],
    ["a message held", unackedCheck({ count: 1, oldestMs: T0 - 9 }, T0, HOUR), /^fine: 1 in/],
    ["the same prefix", prefixCheck("p:", ["p:"]), /^fine: prefix "p:", as the workers$/],
    [
      "a prefix that no worker uses",
      prefixCheck("p:", [""]),
      /^failure: Beat uses prefix "p:", the workers no global_keyprefix → set broker/,
    ],
    [
      "workers with a prefix",
      prefixCheck("", ["shop:"]),
      /^failure: Beat uses no global_keyprefix, the workers prefix "shop:" → .*"shop:"/,
    ],
    ["no worker at all", prefixCheck("", []), /^fine: .*no worker has ever been here$/],
  ];
  for (const [name, check, wanted] of cases) {
    it(`tell that there is: ${name}`, () => assert.match(line(check), wanted));
  }
});

describe("queueCheck()", () => {
  const look: QueueLook = {
    ...{ list: "maintenance", wrongType: null, depth: 3 },
    ...{ oldestMs: T0 - 20_000, workers: ["io@host"] },
  };
  const tell = (own: Partial<QueueLook>, takenMs: number | null = null, heard = ["cpu@host"]) =>
    line(queueCheck(
      { look: { ...look, ...own }, queue: "maintenance", tasks: [aTask()], takenMs },
      { nowMs: T0, heartbeats: heard },
    ));
  const cases: [string, string, RegExp][] = [
    ["is served", tell({}), /^fine: 3 wait, the oldest for 20 s; consumed by io@host$/],
    ["is empty", tell({ depth: 0, oldestMs: null }), /^fine: empty/],
    [
      "nobody serves",
      tell({ workers: [] }),
      /^failure: 3 wait.*; no worker consumes it; alive, .*: cpu@host → start a worker with -Q m/,
    ],
    ["a busy worker serves", tell({ workers: [] }, T0 - 900), /^warning: .*one took a fire 900 ms/],
    [
      "was served a while ago",
      tell({ workers: [] }, T0 - HOUR, []),
      /^failure: 3 wait, the oldest for 20 s; no worker consumes it →/,
    ],
    [
      "is too slow for its tasks",
      tell({ oldestMs: T0 - 2 * MINUTE }),
      /^warning: .*too long for its tasks → start more workers/,
    ],
    ["is congested", tell({ depth: 2_000 }), /^warning: 2000 wait/],
    ["has one message", tell({ depth: 1 }), /^fine: 1 waits, the oldest for 20 s; consumed/],
    [
      "is none",
      tell({ depth: 0, oldestMs: null, wrongType: "string" }),
      /^failure: nothing can be .* to maintenance: its key holds a string, not a list → move that key$/,
    ],
    [
      "may not be asked about",
      tell({ workers: null }),
      /^fine: 3 wait, the oldest for 20 s; who consumes it may not be asked$/,
    ],
  ];
  for (const [name, said, wanted] of cases) {
    it(`tells of a queue that ${name}`, () => assert.match(said, wanted));
  }
});

describe("taskCheck()", () => {
  const task = aTask({ name: "report", expiresMs: 2_000 });
  const view = {
    ...{ name: "report", task, state: "on" as const, offBy: null, last: null },
    ...{ nextMs: T0 + 1_000, waiting: 0, pause: null },
  };
  const recent: TaskRecent = {
    ...{ published: 100, expired: 0, dropped: 0, overdue: 0, redelivered: 0, lost: 0, ended: 99 },
    ...{ waits: [5, 6, 7, 8, 9], runtimes: [40], holds: [], lastDueMs: T0, lastState: "success" },
  };
  const healthy: TaskFacts = { view, recent, open: [], cursorMs: T0, queueFault: null };
  const context = { nowMs: T0, isLed: true, visibilityMs: HOUR };
  const tell = (own: Partial<TaskFacts>, isLed = true) =>
    line(taskCheck({ ...healthy, ...own }, { ...context, isLed }));
  const facing = (own: Partial<QueueLook>) => {
    const look = { list: "maintenance", wrongType: null, depth: 0, oldestMs: null, workers: [] };
    const queue = { look: { ...look, ...own }, queue: "maintenance", tasks: [task], takenMs: null };
    return queueFault(queue, T0);
  };
  const unserved = facing({});
  const queued = anOpenFire({ task: "report", publishedMs: T0 - 5 * MINUTE });
  const ran: OpenFire = { ...queued, state: "acked" };
  const cases: [string, string, RegExp][] = [
    ["is well", tell({}), /^fine: last due .*: success, taken after 9 ms \(p95\); next /],
    [
      "is off",
      tell({ view: { ...view, state: "off", offBy: "X=false" } }),
      /^fine: off by X=false$/,
    ],
    [
      "only the leader has",
      tell({ view: { ...view, state: "unknown", task: null } }),
      /^warning: a leader runs it, and this configuration does not have it/,
    ],
    ["is new", tell({ view: { ...view, state: "new" } }), /^warning: no leader has taken it up/],
    [
      "nobody decided about",
      tell({ view: { ...view, waiting: 3 } }, false),
      /^failure: 3 due times passed and nobody decided about them → start Beat with `beat run`$/,
    ],
    [
      "the leader is behind with",
      tell({ view: { ...view, waiting: 1 } }),
      /^failure: 1 due time passed and nobody decided about it → the leader is behind/,
    ],
    [
      "waits for Redis' clock",
      tell({ cursorMs: T0 + HOUR }),
      /^failure: decided up to .*, 1 h from now: Redis' clock was set back/,
    ],
    [
      "nobody serves",
      tell({ queueFault: unserved }),
      /^failure: no worker consumes its queue maintenance → start one with -Q maintenance$/,
    ],
    [
      "has no queue",
      tell({ queueFault: facing({ wrongType: "hash" }) }),
      /^failure: nothing can be .* to maintenance: its key holds a hash, not a list → move that key$/,
    ],
    ["has its queue", tell({ queueFault: facing({ workers: ["io@host"] }) }), /^fine/],
    [
      "expires before it is taken",
      tell({ recent: { ...recent, expired: 30, waits: [9, 3_000, 3_000, 3_000, 3_000] } }),
      /^warning: 30 of the last 100 expired; they wait 3 s \(p95\), and expire after 2 s →/,
    ],
    ["expired once in a while", tell({ recent: { ...recent, expired: 1 } }), /^fine/],
    [
      "is overdue",
      tell({ open: [queued] }),
      /^warning: 1 fire is overdue: nobody took it, since /,
    ],
    [
      "runs for over half of the visibility timeout",
      tell({ recent: { ...recent, runtimes: [40 * MINUTE] } }),
      /^warning: it runs for 40 min \(p99\), over half of the visibility timeout \(1 h\) → raise/,
    ],
    [
      "is held that long, as acks show",
      tell({ recent: { ...recent, runtimes: [], holds: [40 * MINUTE] } }),
      /^warning: it runs for 40 min/,
    ],
    [
      "runs for that long now",
      tell({ open: [{ ...queued, state: "taken", publishedMs: T0 - 31 * MINUTE }] }),
      /^warning: 1 fire is taken and not ended since/,
    ],
    [
      "runs without an end that anybody sees",
      tell({ open: [ran, ran, ran], recent: { ...recent, ended: 0 } }),
      /^warning: 3 fires were taken in the last 5 min, and no run was seen to end: .*`ignore_result: true`/,
    ],
    ["runs a few times at once", tell({ open: [ran, ran, ran] }), /^fine/],
    ["came again", tell({ recent: { ...recent, redelivered: 2 } }), /^warning: 2 redeliveries/],
    [
      "failed last",
      tell({ recent: { ...recent, lastState: "failure" } }),
      /^warning: its last run/,
    ],
    [
      "is dropped a lot",
      tell({ recent: { ...recent, dropped: 11 } }),
      /^warning: 11 due times dropped by its policies → `beat why report` tells more$/,
    ],
    ["was dropped at a change of leaders", tell({ recent: { ...recent, dropped: 4 } }), /^fine/],
    [
      "has two troubles: the worse first",
      tell({ queueFault: unserved, recent: { ...recent, lost: 1 } }),
      /^failure: no worker .*; 1 run lost with the worker → start one .*; see workers' logs$/,
    ],
  ];
  for (const [name, said, wanted] of cases) {
    it(`tells of a task that ${name}`, () => assert.match(said, wanted));
  }
});
