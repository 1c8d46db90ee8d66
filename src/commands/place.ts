/** Where was looked: an answer that there is nothing may come of the wrong place. */

import type { Config } from "../settings.ts";
import { describeEndpoint } from "../settings.ts";

export interface Place {
  readonly namespace: string;
  readonly broker: string;
}

export function placeOf({ settings: { namespace, broker } }: Pick<Config, "settings">): Place {
  return { namespace, broker: broker === null ? "none" : describeEndpoint(broker) };
}

/** Who starts a Beat beside one of another namespace has each task published twice. */
export const NEVER_LED =
  "no Beat has ever led in this namespace of this broker: see that both are " +
  "those of your Beat (`beat validate` prints them) before you start one with `beat run`";
