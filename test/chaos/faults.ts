/** What each fault of the Beats and of their links does. All draws come first, whatever is there to hit. */

import type { Draw } from "../sim/draws.ts";
import { until } from "../support/until.ts";
import type { Link, Way } from "./link.ts";
import type { FaultKind, Planned } from "./plan.ts";
import type { Replica } from "./replicas.ts";
import type { Scene } from "./scene.ts";
import { holding, pause } from "./scene.ts";
import { SERVER_FAULTS } from "./server_faults.ts";

/** Resolves when it is over and mended. */
export type Fault = (scene: Scene, draw: Draw) => Promise<void>;

/** Of the faults that can hit any replica, those that hit the leader. */
const LEADER_SHARE = 0.8;
const RESTART_MAX_MS = 2_000;
/** How long a request is held that is to come in another term. Leases. */
const LATE_LEASES = 4;
/** How long a fault waits for a leader that it can hit. Leases. */
const LEADER_LEASES = 3;

const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  "kill": kill,
  "freeze half": freeze(0.5),
  "freeze past": freeze(1.5),
  "freeze long": freeze(5),
  "freeze all": freezeAll,
  "cut": cut,
  "late request": deliverLate,
  "swallow": swallow,
  "slow link": slow,
  ...SERVER_FAULTS,
};

export async function commit(scene: Scene, { kind, number }: Planned): Promise<void> {
  try {
    await FAULTS[kind](scene, scene.draws(kind, number));
  } catch (error) {
    throw new Error(`expected fault "${kind}" ${number} to be done`, { cause: error });
  }
}

async function kill(scene: Scene, draw: Draw): Promise<void> {
  const isForLeader = draw.chance(LEADER_SHARE);
  const other = draw.below(2);
  const downMs = draw.between(0, RESTART_MAX_MS);
  const replica = await take(scene, { isForLeader, other, what: itself });
  if (replica === null) return scene.tell("kill: nobody to hit");
  const isLeader = replica === await present(scene);
  const counted = isLeader ? "kill of the leader" : "kill of a standby";
  const role = isLeader ? "the leader" : "a standby";
  scene.tell(`kill -9 ${replica.name} (${replica.beat?.pid}), ${role}`, counted);
  await scene.replicas.kill(replica);
  await pause(downMs);
  scene.replicas.start(replica);
  scene.taken.delete(replica);
}

function freeze(leases: number): Fault {
  return async (scene) => {
    const replica = await take(scene, { isForLeader: true, other: null, what: itself });
    if (replica === null) return scene.tell(`freeze ${leases}: nobody to hit`);
    scene.tell(`SIGSTOP ${replica.name}, the leader, for ${leases} leases`, `freeze ${leases}`);
    replica.beat?.signal("SIGSTOP");
    await pause(leases * scene.leaseMs);
    replica.beat?.signal("SIGCONT");
    scene.tell(`SIGCONT ${replica.name}`);
    scene.taken.delete(replica);
  };
}

async function freezeAll(scene: Scene, draw: Draw): Promise<void> {
  const durationMs = Math.round(scene.leaseMs * (1 + 2 * draw.unit()));
  const free = scene.replicas.all.filter((each) => each.beat !== null && !scene.taken.has(each));
  scene.tell(
    `SIGSTOP ${free.map(({ name }) => name).join(", ")} for ${durationMs} ms`,
    "freeze all",
  );
  await Promise.all(free.map((each) =>
    holding(scene, "freeze all", each, async ({ beat }) => {
      beat?.signal("SIGSTOP");
      await pause(durationMs);
      beat?.signal("SIGCONT");
    })
  ));
}

async function cut(scene: Scene, draw: Draw): Promise<void> {
  const ways = draw.pick<readonly Way[]>([["request"], ["reply"], ["request", "reply"], []]);
  const durationMs = Math.round(scene.leaseMs * (0.05 + 2 * draw.unit() ** 2));
  const how = draw.pick(["deliver", "cut"] as const);
  await onLink(scene, draw, "cut", async (link, name) => {
    const what = ways.length === 0 ? "closed and refused" : `held: ${ways.join(" and ")}`;
    scene.tell(`link of ${name} ${what}, ${durationMs} ms, then ${how}`, "link cut");
    if (ways.length === 0) link.refuse(true);
    else link.hold(ways);
    await pause(durationMs);
    if (ways.length > 0) link.release(how);
    link.heal();
  });
}

/** What a leader sent arrives when another leads: the fence must refuse it. */
async function deliverLate(scene: Scene, draw: Draw): Promise<void> {
  const furtherMs = draw.between(0, 1_500);
  await onLink(scene, draw, "late request", async (link, name) => {
    const fence = (await scene.leader())?.fence ?? 0;
    scene.tell(
      `link of ${name} held: request, until the next term and ${furtherMs} ms`,
      "link cut",
    );
    link.hold(["request"]);
    const isNext = () => (scene.ledger.starts.at(-1)?.fence ?? 0) > fence;
    await until(isNext, LATE_LEASES * scene.leaseMs).catch(() => {});
    await pause(furtherMs);
    scene.tell(`link of ${name} delivers what it held`);
    link.heal();
  });
}

async function swallow(scene: Scene, draw: Draw): Promise<void> {
  const count = draw.between(1, 4);
  const mark = draw.chance(0.75) ? "beat:cursors" : "beat:lease";
  await onLink(scene, draw, "swallow", async (link, name) => {
    scene.tell(`link of ${name} swallows ${count} replies about ${mark}`);
    const before = link.swallowed;
    link.swallow(count, mark);
    await until(() => link.swallowed >= before + count, 4 * scene.leaseMs).catch(() => {});
    link.heal();
  });
}

async function slow(scene: Scene, draw: Draw): Promise<void> {
  const delayMs = Math.round(scene.leaseMs * (0.01 + 0.3 * draw.unit()));
  const durationMs = Math.round(scene.leaseMs * (0.5 + 2 * draw.unit()));
  await onLink(scene, draw, "slow link", async (link, name) => {
    scene.tell(`link of ${name} slow by ${delayMs} ms for ${durationMs} ms`, "slow link");
    link.delay(delayMs);
    await pause(durationMs);
    link.heal();
  });
}

async function onLink(
  scene: Scene,
  draw: Draw,
  what: string,
  work: (link: Link, name: string) => Promise<void>,
): Promise<void> {
  const isForLeader = draw.chance(LEADER_SHARE);
  const other = draw.below(2);
  const replica = await take(scene, { isForLeader, other, what: ({ link }) => link });
  if (replica === null) return scene.tell(`${what}: all links are bad already`);
  const isLeader = replica === await present(scene);
  await work(replica.link, isLeader ? `${replica.name}, the leader` : replica.name);
  scene.taken.delete(replica.link);
}

async function present(scene: Scene): Promise<Replica | null> {
  return (await scene.leader())?.replica ?? null;
}

interface Wanted {
  readonly isForLeader: boolean;
  /** Which of the others, where it is not for the leader or no leader can be had; `null` for none. */
  readonly other: number | null;
  /** What of a replica the fault takes into its hands. */
  readonly what: (replica: Replica) => Replica | Link;
}

const itself = (replica: Replica) => replica;

/** Waits for a leader that no other fault has in its hands; takes what is wanted of it. */
async function take(
  scene: Scene,
  { isForLeader, other, what }: Wanted,
): Promise<Replica | null> {
  const isFree = (each: Replica) => each.beat !== null && !scene.taken.has(what(each));
  const mark = (replica: Replica) => {
    scene.taken.add(what(replica));
    return replica;
  };
  const endMs = performance.now() + LEADER_LEASES * scene.leaseMs;
  while (isForLeader && performance.now() < endMs) {
    const leader = await present(scene);
    if (leader !== null && isFree(leader)) return mark(leader);
    await pause(50);
  }
  if (other === null) return null;
  const leader = await present(scene);
  const others = scene.replicas.all.filter((each) => each !== leader && isFree(each));
  const replica = others[other % Math.max(1, others.length)];
  return replica === undefined ? null : mark(replica);
}
