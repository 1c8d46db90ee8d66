/** What workers say over pub/sub: heard by whoever listens at that moment, if at all. */

import type { Hint } from "../../src/sensors.ts";
import type { Draw } from "./draws.ts";
import type { Scheduler } from "./redis_words.ts";
import type { Saying } from "./workers.ts";

export interface Ether {
  /** Until then nothing is heard. Milliseconds of the world. */
  silentUntilMs: number;
  /** When a process last heard that a worker lives; `null` for never. Milliseconds of the world. */
  heardMs(process: Scheduler, worker: string): number | null;
  say(saying: Saying): void;
  /** @param process on whose time it is heard */
  listen(process: Scheduler, onHint: (hint: Hint) => void, signal: AbortSignal): void;
}

interface Listener {
  readonly process: Scheduler;
  readonly onHint: (hint: Hint) => void;
  readonly heardMs: Map<string, number>;
}

export function ether(draw: Draw): Ether {
  const listeners = new Set<Listener>();
  const air: Ether = {
    silentUntilMs: 0,
    heardMs(process, worker) {
      const heard = [...listeners].filter((each) => each.process === process)
        .map(({ heardMs }) => heardMs.get(worker) ?? -Infinity);
      return heard.length === 0 ? null : Math.max(...heard);
    },
    say(saying) {
      if (listeners.size === 0) return;
      const hint = hintOf(saying);
      for (const { process, onHint, heardMs } of listeners) {
        if (process.now() < air.silentUntilMs || draw.chance(0.02)) continue;
        process.at(
          process.now() + 0.2 + draw.unit() * (draw.chance(0.02) ? 3_000 : 2),
          () => {
            const isLife = saying.kind === "worker" ||
              (saying.kind === "event" && saying.type === "started");
            if (isLife) heardMs.set(saying.worker, process.now());
            onHint(hint);
          },
        );
      }
    },
    listen(process, onHint, signal) {
      const listener = { process, onHint, heardMs: new Map<string, number>() };
      process.at(process.now() + 1, () => {
        if (signal.aborted) return;
        listeners.add(listener);
        onHint({ kind: "line", isUp: true });
      });
      signal.addEventListener("abort", () => listeners.delete(listener));
    },
  };
  return air;
}

function hintOf(saying: Saying): Hint {
  switch (saying.kind) {
    case "result":
      return saying;
    case "worker":
      return { kind: "worker", worker: saying.worker, isOnline: true };
    case "event":
      return { ...saying, runtimeMs: null };
  }
}
