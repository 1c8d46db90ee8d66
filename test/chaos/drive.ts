/** Takes a scene through its plan: bursts of faults, kills one by one, calm; and heals it in the end. */

import { until } from "../support/until.ts";
import { commit } from "./faults.ts";
import type { Cycle } from "./plan.ts";
import { planOf } from "./plan.ts";
import { residentMiB } from "./replicas.ts";
import type { Leader, Scene } from "./scene.ts";
import { pause } from "./scene.ts";

/** After the last fault, until lateness counts as that of calm. */
const SETTLE_MS = 5_000;
const HEAL_MS = 10_000;
/** Handovers that are clean stops; the others are kills. */
const STOP_SHARE = 0.3;
/** How long a replica has run before it counts as standing by. */
const STARTED_MS = 4_000;
/** Due times so shortly before the end need not be decided yet. */
const BOUND_MS = 3_000;
const DRAIN_MAX_MS = 120_000;

/** @returns up to when each due time must have been decided. Unix milliseconds */
export async function drive(scene: Scene): Promise<number> {
  const { options, draws } = scene;
  const cycles = planOf(options.minutes * 60_000, draws);
  for (const [index, cycle] of cycles.entries()) {
    scene.tell(`cycle ${index + 1} of ${cycles.length}: ${cycle.burst.length} faults`);
    await burst(scene, cycle);
    await handOvers(scene, cycle, index);
    await calm(scene, cycle.calmMs);
  }
  scene.tell("healing");
  await allUp(scene);
  await pause(HEAL_MS);
  const endMs = Date.now() - BOUND_MS;
  await drained(scene);
  await sampleMemory(scene);
  for (const replica of scene.replicas.all) {
    const code = await scene.replicas.stop(replica);
    if (code !== 143) scene.tell(`${replica.name} ended with ${code} on SIGTERM`, "bad end");
  }
  await scene.crew.stop();
  return endMs;
}

async function burst(scene: Scene, { burst }: Cycle): Promise<void> {
  const startMs = performance.now();
  const running = burst.map(async (planned) => {
    await pause(Math.max(0, planned.afterMs - (performance.now() - startMs)));
    await commit(scene, planned);
  });
  await Promise.all(running);
  await allUp(scene);
}

/** Every replica runs and somebody publishes. */
async function allUp(scene: Scene): Promise<void> {
  for (const replica of scene.replicas.all) {
    replica.link.heal();
    if (replica.beat === null) scene.replicas.start(replica);
  }
  await until(async () => await scene.leader() !== null, 12 * scene.leaseMs);
}

async function handOvers(scene: Scene, { handoversMs }: Cycle, index: number): Promise<void> {
  const draw = scene.draws("handover", index);
  const untilMs = performance.now() + handoversMs;
  await pause(2 * scene.leaseMs);
  while (performance.now() < untilMs) {
    const isStop = draw.chance(STOP_SHARE);
    const betweenMs = draw.between(0, 1_000);
    await settled(scene);
    const leader = await scene.leader();
    if (leader !== null) await (isStop ? stopLeader : killLeader)(scene, leader);
    await pause(betweenMs);
  }
}

/** Who has just been started takes the processor from who takes over. */
async function settled(scene: Scene): Promise<void> {
  await until(
    () => scene.replicas.all.every(({ startedMs }) => Date.now() - startedMs > STARTED_MS),
  );
}

async function killLeader(scene: Scene, { replica, fence }: Leader): Promise<void> {
  const killedMs = Date.now();
  await scene.replicas.kill(replica);
  scene.replicas.start(replica);
  const gapMs = await nextPublish(scene, fence) - killedMs;
  scene.killGaps.push(gapMs);
  scene.tell(
    `kill -9 ${replica.name}, the leader; the next published ${gapMs} ms later`,
    "kill of the leader",
  );
}

async function stopLeader(scene: Scene, { replica, fence }: Leader): Promise<void> {
  const code = await scene.replicas.stop(replica);
  if (code !== 143) scene.tell(`${replica.name} ended with ${code} on SIGTERM`, "bad end");
  const publishedMs = await nextPublish(scene, fence);
  // Not before: its start would take the processor from who takes over.
  scene.replicas.start(replica);
  const ended = scene.ledger.ends.findLast((end) => end.fence === fence);
  const gapMs = ended === undefined ? Infinity : publishedMs - ended.atMs;
  scene.stopGaps.push(gapMs);
  scene.tell(`SIGTERM ${replica.name}, the leader; the next published ${gapMs} ms later`, "stop");
}

/**
 * When something was published under a fence above `fence`; infinite where that does not come. Where
 * nothing is due for a minute, the beginning of the term stands for it.
 */
async function nextPublish(scene: Scene, fence: number): Promise<number> {
  let foundMs = Infinity;
  await until(() => {
    const edges = scene.options.profile === "herd" ? scene.ledger.starts : scene.ledger.firsts;
    foundMs = edges.findLast((each) => each.fence > fence)?.atMs ?? Infinity;
    return foundMs < Infinity;
  }, 5 * scene.leaseMs).catch(() => {});
  return foundMs;
}

async function calm(scene: Scene, durationMs: number): Promise<void> {
  scene.tell(`calm for ${Math.round(durationMs / 1_000)} s`);
  await pause(Math.min(SETTLE_MS, durationMs / 2));
  const fromMs = Date.now();
  await pause(durationMs - Math.min(SETTLE_MS, durationMs / 2));
  scene.calm.push({ fromMs, toMs: Date.now() - 1_000 });
  await sampleMemory(scene);
}

async function sampleMemory(scene: Scene): Promise<void> {
  const leader = (await scene.leader())?.replica;
  if (leader === undefined || leader.beat === null) return;
  const resident = await residentMiB(leader.beat.pid);
  if (resident === null) return;
  const ageMs = Date.now() - leader.startedMs;
  scene.memory.push({ atMs: Date.now(), ageMs, residentMiB: resident });
}

/** Waits until the workers have taken everything that is old enough; what is left then is looked at. */
async function drained(scene: Scene): Promise<void> {
  const { admin } = scene.servers;
  const queues = [...new Set(scene.entries.map(({ queue }) => queue))];
  const startMs = Date.now();
  await until(async () => {
    const depths = await Promise.all(queues.map((queue) => admin.llen(queue)));
    const unacked = await admin.hlen("unacked");
    return depths.every((depth) => depth < 50) && unacked < 50;
  }, DRAIN_MAX_MS).catch(() => scene.tell("the workers did not get through with their queues"));
  scene.tell(`drained in ${Date.now() - startMs} ms`);
}
