/** All that takes part: two servers, three Beats behind links, two workers; and what is noted of it. */

import type { Draws } from "../sim/draws.ts";
import { drawsOf } from "../sim/draws.ts";
import { until } from "../support/until.ts";
import type { Crew } from "./crew.ts";
import { startCrew } from "./crew.ts";
import type { Ledger } from "./ledger.ts";
import { newLedger } from "./ledger.ts";
import type { Link } from "./link.ts";
import { openLink } from "./link.ts";
import type { ChaosEntry, Profile } from "./load.ts";
import { configOf, entriesOf } from "./load.ts";
import type { Replica, Replicas } from "./replicas.ts";
import { openReplicas } from "./replicas.ts";
import type { Servers } from "./servers.ts";
import { startServers } from "./servers.ts";
import type { Group } from "./tap.ts";
import { openWireLog } from "./wire_log.ts";

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly profile: Profile;
  /** Lease of the Beats. Seconds. */
  readonly leaseS: number;
  /** Takes a line that tells the run. */
  readonly say: (line: string) => void;
}

/** Who leads, by the key of the lease. */
export interface Leader {
  readonly replica: Replica;
  readonly fence: number;
}

/** A stretch of time. Unix milliseconds. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Resident memory of a leader that has run for a while. */
export interface MemorySample {
  readonly atMs: number;
  readonly ageMs: number;
  readonly residentMiB: number;
}

export interface Scene {
  readonly options: ChaosOptions;
  readonly leaseMs: number;
  readonly draws: Draws;
  readonly dir: string;
  readonly entries: readonly ChaosEntry[];
  readonly ledger: Ledger;
  readonly servers: Servers;
  readonly replicas: Replicas;
  readonly crew: Crew;
  /** What a fault has in its hands: replicas and links. */
  readonly taken: Set<Replica | Link>;
  /** How often each thing was done. */
  readonly counts: Map<string, number>;
  readonly calm: Span[];
  /** From a kill of the leader to the next publish, nothing else being wrong. Milliseconds. */
  readonly killGaps: number[];
  /** From the end of a term that was stopped to the next publish. Milliseconds. */
  readonly stopGaps: number[];
  readonly memory: MemorySample[];
  /** Notes and prints what is done, with its time. */
  tell(what: string, counted?: string): void;
  /** `null` while nobody leads, or nobody can be asked. */
  leader(): Promise<Leader | null>;
  /** One fault of the servers at a time. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Ends all that was started. Keeps the folder. */
  close(): Promise<void>;
}

const START_MS = 60_000;

export async function openScene(options: ChaosOptions): Promise<Scene> {
  const dir = await Deno.makeTempDir({ prefix: "beat-chaos-" });
  const draws = drawsOf(options.seed);
  const entries = entriesOf(options.profile, draws);
  await Deno.mkdir(`${dir}/env`);
  await Deno.writeTextFile(`${dir}/env/beat.yaml`, configOf(entries));
  const ledger = newLedger();
  const closing: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const each of closing.splice(0).reverse()) await each();
  };
  try {
    const links: Link[] = [];
    const wire = openWireLog(`${dir}/wire.log`);
    closing.push(() => Promise.resolve(wire.close()));
    const take = (group: Group) => {
      wire.note(group);
      ledger.take(group);
    };
    const servers = await startServers(dir, { ledger, take }, () => links);
    closing.push(() => servers.close());
    for (let index = 0; index < 4; index++) links.push(openLink(servers.master.port));
    closing.push(() => Promise.all(links.map((link) => link.close())));
    const replicas = openReplicas({ cwd: dir, leaseS: options.leaseS, links });
    closing.push(() => replicas.close());
    for (const replica of replicas.all) replicas.start(replica);
    const crew = await startCrew(links[3]!.url, dir);
    closing.push(() => crew.stop());
    await until(() => entries.every(({ name }) => ledger.known.has(name)), START_MS);
    await servers.replicated();
    return sceneOf({ options, dir, draws, entries, ledger, servers, replicas, crew, close });
  } catch (error) {
    await close();
    throw error;
  }
}

type Parts = Pick<
  Scene,
  "options" | "dir" | "draws" | "entries" | "ledger" | "servers" | "replicas" | "crew" | "close"
>;

function sceneOf(parts: Parts): Scene {
  const { options, servers, replicas } = parts;
  const startMs = Date.now();
  const counts = new Map<string, number>();
  let underWay: Promise<unknown> = Promise.resolve();
  return {
    ...parts,
    leaseMs: options.leaseS * 1_000,
    taken: new Set(),
    counts,
    ...{ calm: [], killGaps: [], stopGaps: [], memory: [] },
    tell(what, counted) {
      if (counted !== undefined) counts.set(counted, (counts.get(counted) ?? 0) + 1);
      const now = new Date();
      const afterS = ((now.getTime() - startMs) / 1_000).toFixed(3);
      const line = `${now.toISOString()} +${afterS.padStart(8)} s  ${what}`;
      options.say(line);
      Deno.writeTextFileSync(`${parts.dir}/story.log`, `${line}\n`, { append: true });
    },
    async leader() {
      const held = await servers.admin.get("beat:lease").catch(() => null);
      const [, pid, fence] = /^.*?:(\d+):\S+ (\d+)$/.exec(held ?? "") ?? [];
      const replica = pid === undefined ? null : replicas.holderOf(Number(pid));
      return replica === null ? null : { replica, fence: Number(fence) };
    },
    alone(work) {
      const mine = underWay.then(work);
      underWay = mine.catch(() => {});
      return mine;
    },
  };
}

export const pause = (durationMs: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, durationMs));

/** Runs `work` on a replica that is up and in nobody's hands; else says that there is none. */
export async function holding(
  scene: Scene,
  what: string,
  replica: Replica | null,
  work: (replica: Replica) => Promise<void>,
): Promise<void> {
  if (replica === null || replica.beat === null || scene.taken.has(replica)) {
    return scene.tell(`${what}: nobody to hit`);
  }
  scene.taken.add(replica);
  await work(replica);
  scene.taken.delete(replica);
}
