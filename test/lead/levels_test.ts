/** Levels as a leader moves them, on a simulated clock: queues under pressure, objectives that burn. */

import { afterEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { SourceError } from "../../src/errors.ts";
import type { Objective, QueueMarks } from "../../src/level.ts";
import { NO_LEVELS } from "../../src/level.ts";
import type { Importance, Task } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { T0 } from "../support/build.ts";
import type { Moved, ShopOptions } from "../support/throttled_shop.ts";
import { throttledShop } from "../support/throttled_shop.ts";

const PERIOD_S = 5;
const MARKS: QueueMarks = {
  depth: { low: 20, high: 100, pause: 200 },
  waitMs: null,
  dwellMs: 30_000,
};
const PRESSED = { ...NO_LEVELS, queues: { work: MARKS } };

/** Due each second; five of them are five messages a second. */
function aTaskOf(name: string, importance: Importance, own: Partial<Task> = {}): Partial<Task> {
  return {
    name,
    importance,
    queue: "work",
    policies: {
      ...NO_POLICIES,
      pressure: { mode: "enforce", slowTo: 4 },
      maxHoldMs: 86_400_000,
    },
    ...own,
  };
}

const CRITICAL = aTaskOf("tick", "critical", { queue: "core" });
const NORMAL = Array.from({ length: 8 }, (_, at) => aTaskOf(`normal${at}`, "normal"));
const DEFERRABLE = [
  aTaskOf("export", "deferrable", { trigger: { kind: "every", everyMs: 10_000, phaseMs: 0 } }),
];
const TASKS = [CRITICAL, ...NORMAL, ...DEFERRABLE];

/** No two changes of one key are closer than its dwell time. */
function assertDwells(moves: readonly Moved[], leastS: number): void {
  moves.slice(1).forEach(({ atS }, index) => {
    assert.ok(atS - moves[index]!.atS >= leastS, JSON.stringify(moves));
  });
}

describe("watchLevels()", () => {
  const open: ReturnType<typeof throttledShop>[] = [];
  afterEach(async () => {
    for (const shop of open.splice(0)) await shop.stop();
  });
  const start = (options: ShopOptions) => {
    const shop = throttledShop(options);
    open.push(shop);
    return shop;
  };

  it("keeps a queue about its marks while it is served at half the rate, and lets go after", async () => {
    const shop = start({ tasks: TASKS, levels: PRESSED });
    Object.assign(shop.worker, { core: 10, work: 20 });
    await shop.pass(60);
    assert.deepEqual(await shop.moves(), []);
    shop.worker.work = 4;
    let deepest = 0;
    await shop.pass(300, () => deepest = Math.max(deepest, shop.depth("work")));
    const moves = await shop.moves();
    assert.deepEqual(moves[0]!.to, "slowed");
    assertDwells(moves, MARKS.dwellMs / 1_000);
    // What comes between two looks, and what a tick sends.
    assert.ok(deepest <= MARKS.depth.high + (PERIOD_S + 1) * 9, `${deepest}`);
    shop.worker.work = 20;
    await shop.pass(120);
    assert.equal((await shop.moves()).at(-1)!.to, "normal");
    const before = shop.shop.served.length;
    await shop.pass(20);
    assert.equal(shop.shop.served.length - before, 20 * 9 + 2);
    const waits = shop.shop.served.filter(({ entry }) => entry === "tick").map((each) =>
      each.waitMs
    );
    assert.ok(Math.max(...waits) <= 1_000, `${Math.max(...waits)}`);
    assert.equal(Math.max(...await shop.latenesses("tick")), 0);
  });

  it("stops the growth of a queue that nobody serves, and goes on when somebody does", async () => {
    const shop = start({ tasks: TASKS, levels: PRESSED });
    Object.assign(shop.worker, { core: 10, work: 20 });
    await shop.pass(30);
    shop.worker.work = 0;
    await shop.pass(60);
    assert.equal((await shop.moves()).at(-1)!.to, "paused");
    const reason = (await shop.rows()).findLast(({ type }) => type === "level.changed")!.detail;
    assert.match(String(reason.reason), /and no worker takes any$/);
    const depth = shop.depth("work");
    await shop.pass(600);
    assert.equal(shop.depth("work"), depth);
    shop.worker.work = 20;
    await shop.pass(180);
    assert.deepEqual((await shop.moves()).slice(-2).map(({ to }) => to), ["slowed", "normal"]);
    assert.ok(shop.depth("work") < MARKS.depth.low);
    assertDwells(await shop.moves(), MARKS.dwellMs / 1_000);
  });

  it("holds what is deferrable, and sends the newest when the queue recovers", async () => {
    const shop = start({ tasks: TASKS, levels: PRESSED });
    Object.assign(shop.worker, { core: 10, work: 0 });
    await shop.pass(120);
    const ofExport = async () => (await shop.rows()).filter(({ task }) => task === "export");
    const held = (await ofExport()).filter(({ type }) => type === "fire.delayed");
    assert.ok(held.length > 0);
    assert.deepEqual(held[0]!.detail.cause, "queue:work");
    shop.worker.work = 100;
    await shop.pass(120);
    const published = (await ofExport()).filter(({ type }) => type === "fire.published");
    assert.ok(published.at(-1)!.dueMs! >= T0 + 200_000);
  });

  it("changes no level for a look that failed, and delays no tick", async () => {
    const shop = start({ tasks: TASKS, levels: PRESSED });
    Object.assign(shop.worker, { core: 10, work: 0 });
    await shop.pass(60);
    const before = await shop.moves();
    assert.notDeepEqual(before, []);
    shop.shop.isBrokerAway = true;
    shop.worker.work = 100;
    await shop.pass(120);
    assert.deepEqual(await shop.moves(), before);
    assert.equal(Math.max(...await shop.latenesses("tick")), 0);
    shop.shop.isBrokerAway = false;
    await shop.pass(90);
    assert.equal((await shop.moves()).at(-1)!.to, "normal");
  });

  it("looks at many queues in turn, some at a time", async () => {
    const names = Array.from({ length: 120 }, (_, at) => `queue${at}`);
    const queues = Object.fromEntries(names.map((name) => [name, MARKS]));
    const shop = start({ tasks: [CRITICAL], levels: { ...NO_LEVELS, queues } });
    await shop.pass(20);
    const looked = new Set(shop.shop.lookedAt.flat());
    assert.ok(names.every((name) => looked.has(name)));
    assert.ok(Math.max(...shop.shop.lookedAt.map(({ length }) => length)) <= 10 * 4);
  });

  it("sees that nobody serves a queue, however many it looks at in turn", async () => {
    const names = Array.from({ length: 220 }, (_, at) => `queue${at}`);
    const queues = Object.fromEntries(names.map((name) => [name, MARKS]));
    const tasks = names.map((queue) =>
      aTaskOf(`${queue}.task`, "normal", {
        queue,
        trigger: { kind: "every", everyMs: 60_000, phaseMs: 0 },
      })
    );
    const shop = start({ tasks, levels: { ...NO_LEVELS, queues } });
    await shop.pass(240);
    const paused = new Set((await shop.moves()).map(({ key, to }) => `${key} ${to}`));
    assert.deepEqual(names.filter((name) => !paused.has(`queue:${name} paused`)), []);
  });

  const WAITS = { low: 60_000, high: 300_000, pause: 1_800_000 };
  const LONG = { ...MARKS, depth: { low: 200, high: 1_000, pause: 2_000 }, waitMs: WAITS };

  async function unserved() {
    const shop = start({ tasks: [NORMAL[0]!], levels: { ...NO_LEVELS, queues: { work: LONG } } });
    shop.worker.work = 0;
    await shop.pass(100);
    const before = await shop.moves();
    assert.deepEqual(before.map(({ to }) => to), ["paused"]);
    return { shop, before };
  }

  it("leaves a queue that nobody serves paused in the next term", async () => {
    const { shop, before } = await unserved();
    await shop.nextTerm();
    await shop.pass(90);
    assert.deepEqual(await shop.moves(), before);
    shop.worker.work = 20;
    await shop.pass(60);
    assert.equal((await shop.moves()).at(-1)!.to, "normal");
  });

  it("leaves a queue that is served slowly slowed in the next term", async () => {
    const depth = { low: 1e6, high: 1e7, pause: 1e8 };
    const waitMs = { low: 300_000, high: 600_000, pause: 1e9 };
    const busy = {
      ...CRITICAL,
      queue: "work",
      trigger: { kind: "every", everyMs: 100, phaseMs: 0 },
    };
    const shop = start({
      tasks: [busy as Partial<Task>, NORMAL[0]!],
      levels: { ...NO_LEVELS, queues: { work: { ...LONG, depth, waitMs } } },
    });
    shop.worker.work = 1;
    await shop.pass(150);
    const before = await shop.moves();
    assert.deepEqual(before.map(({ to }) => to), ["slowed"]);
    await shop.nextTerm();
    await shop.pass(60);
    assert.deepEqual(await shop.moves(), before);
  });

  it("leaves a queue that nobody serves paused where a question to the workers fails", async () => {
    const { shop, before } = await unserved();
    shop.shop.isSilent = true;
    await shop.pass(15);
    shop.shop.isSilent = false;
    await shop.pass(90);
    assert.deepEqual(await shop.moves(), before);
  });

  it("sees that nobody serves a queue, however seldom it looks", async () => {
    for (const everyMs of [15_000, 20_000, 120_000]) {
      const queues = { work: { ...LONG, waitMs: null } };
      const shop = start({ tasks: [NORMAL[0]!], levels: { ...NO_LEVELS, everyMs, queues } });
      shop.worker.work = 0;
      await shop.pass(600);
      assert.deepEqual((await shop.moves()).map(({ to }) => to), ["paused"], `${everyMs}`);
    }
  });

  it("lets go of a queue that is not watched any more", async () => {
    const shop = start({ tasks: TASKS, levels: PRESSED });
    await shop.pass(60);
    assert.equal((await shop.moves()).at(-1)!.to, "paused");
    shop.parts.declared.levels = NO_LEVELS;
    await shop.pass(10);
    assert.equal((await shop.moves()).at(-1)!.to, "normal");
  });
});

const OBJECTIVE: Objective = {
  name: "api",
  target: 0.999,
  source: { kind: "redis", key: "share" },
  everyMs: 30_000,
  timeoutMs: 5_000,
  staleMs: 95_000,
  holdMs: 120_000,
  minEvents: 2,
  rules: [
    { level: "paused", burn: 14.4, longMs: 300_000, shortMs: 60_000 },
    { level: "slowed", burn: 6, longMs: 300_000, shortMs: 60_000 },
  ],
};

const GIVING_WAY = aTaskOf("gives_way", "normal", {
  policies: { ...NO_POLICIES, slo: { objective: "api", mode: "enforce", slowTo: 4 } },
});

describe("watchLevels() of objectives", () => {
  const open: ReturnType<typeof throttledShop>[] = [];
  afterEach(async () => {
    for (const shop of open.splice(0)) await shop.stop();
  });
  const start = (
    share: ShopOptions["share"],
    own: Partial<Objective> = {},
    toldMs?: ShopOptions["toldMs"],
  ) => {
    const levels = { ...NO_LEVELS, objectives: [{ ...OBJECTIVE, ...own }] };
    const shop = throttledShop({
      tasks: [CRITICAL, GIVING_WAY],
      levels,
      ...(share === undefined ? {} : { share }),
      ...(toldMs === undefined ? {} : { toldMs }),
    });
    Object.assign(shop.worker, { core: 20, work: 20 });
    open.push(shop);
    return shop;
  };

  /** Five minutes that are fine, ten with 5 % errors, and fifteen that are fine again. */
  async function tenBadMinutes(
    shop: ReturnType<typeof throttledShop>,
    set: (share: number) => void,
  ): Promise<Moved[]> {
    await shop.pass(300);
    set(0.05);
    await shop.pass(600);
    set(0);
    await shop.pass(900);
    const moves = await shop.moves();
    console.log(
      `5 % errors from 300 s to 900 s: ${
        moves.map(({ atS, to }) => `${to} at ${atS} s`).join(", ")
      }`,
    );
    const [first] = moves;
    assert.ok(first!.atS > 300 && first!.atS <= 300 + 2 * 30 + 1, JSON.stringify(first));
    // Up, and down again, once.
    assert.deepEqual(moves.map(({ to }) => to), ["slowed", "paused", "slowed", "normal"]);
    assert.ok(moves[2]!.atS > 900 && moves[3]!.atS <= 900 + 60 + 2 * 120 + 30);
    assert.equal(Math.max(...await shop.latenesses("tick")), 0);
    return moves;
  }

  it("reacts to 5 % errors within two periods, and recovers without flapping", async () => {
    let share = 0;
    const shop = start(() => Promise.resolve(share));
    const moves = await tenBadMinutes(shop, (to) => share = to);
    const out = (await shop.rows()).filter(({ type, task, dueMs }) =>
      type === "fire.published" && task === "gives_way" && dueMs! > T0 + moves[0]!.atS * 1_000 &&
      dueMs! < T0 + 900_000
    );
    const share_ = out.length / (900 - moves[0]!.atS);
    assert.ok(share_ > 0.2 && share_ < 0.3, `${share_}`);
  });

  it("does so by the outcomes of the workers", async () => {
    const shop = start(undefined, { source: { kind: "workers", tasks: null }, minEvents: 20 });
    await tenBadMinutes(shop, (share) => shop.shop.failing = share);
  });

  it("takes no errors for good ones where nothing was counted yet, in the next term", async () => {
    const shop = start(undefined, { source: { kind: "workers", tasks: null }, minEvents: 20 });
    shop.shop.failing = 0.05;
    await shop.pass(400);
    const before = await shop.moves();
    assert.equal(before.at(-1)!.to, "paused");
    await shop.nextTerm();
    await shop.pass(120);
    assert.deepEqual(await shop.moves(), before);
  });

  it("is told nothing by a source that hangs for 30 s, and holds up no tick", async () => {
    const shop = start(() => shop.clock.sleep(30_000, new AbortController().signal).then(() => 1));
    await shop.pass(300);
    assert.deepEqual(await shop.moves(), []);
    assert.equal(Math.max(...await shop.latenesses("tick")), 0);
    assert.equal((await shop.latenesses("tick")).length, 300);
    assert.deepEqual(warnings(shop), [
      "a source does not tell how its objective stands: its level stays",
    ]);
  });

  it("stays where it is, up or down, while a source fails", async () => {
    let answer: number | null = 1;
    const shop = start(() =>
      answer === null ? Promise.reject(new SourceError("no such query")) : Promise.resolve(answer)
    );
    await shop.pass(120);
    assert.deepEqual((await shop.moves()).map(({ to }) => to), ["paused"]);
    answer = null;
    await shop.pass(1_200);
    assert.equal((await shop.moves()).length, 1);
    assert.equal(warnings(shop).filter((text) => text.startsWith("a source")).length, 1);
    answer = 0;
    await shop.pass(400);
    assert.equal((await shop.moves()).at(-1)!.to, "normal");
  });

  it("does not believe a source whose time is in the future", async () => {
    const shop = start(() => Promise.resolve(1), {}, () => Math.floor(shop.clock.wallMs()) * 1_000);
    await shop.pass(300);
    assert.deepEqual(await shop.moves(), []);
    assert.deepEqual(warnings(shop), [
      "a source does not tell how its objective stands: its level stays",
    ]);
  });

  it("does not let one source hold up another", async () => {
    const fast = { ...OBJECTIVE, name: "fast", everyMs: 5_000, staleMs: 20_000 };
    const slow: Objective = { ...OBJECTIVE, name: "slow", source: { kind: "redis", key: "slow" } };
    const shop = throttledShop({
      tasks: [CRITICAL],
      levels: { ...NO_LEVELS, objectives: [slow, fast] },
      share: (source) =>
        source.kind === "redis" && source.key === "slow"
          ? new Promise(() => {})
          : Promise.resolve(1),
    });
    open.push(shop);
    await shop.pass(20);
    assert.deepEqual((await shop.moves()).map(({ key }) => key), ["slo:fast"]);
  });
});

function warnings(shop: ReturnType<typeof throttledShop>): string[] {
  return shop.log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
}
