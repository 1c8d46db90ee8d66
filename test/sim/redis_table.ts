/** All commands on data, by name, and how the effects of the past are done again. */

import {
  HASH_COMMANDS,
  LIST_COMMANDS,
  SET_COMMANDS,
  SORTED_SET_COMMANDS,
} from "./redis_collections.ts";
import type { CommandRule, CommandTable } from "./redis_command.ts";
import { KEY_COMMANDS } from "./redis_keys.ts";
import { STREAM_COMMANDS } from "./redis_streams.ts";
import type { Core, Keyspace } from "./redis_values.ts";
import type { LogEntry } from "./redis_words.ts";

const SERVER_COMMANDS: CommandTable = {
  PUBLISH: {
    ...{ arity: 3, isForLoading: true },
    run: (core, [, channel, text]) => core.publish(channel!, text!),
  },
  INFO: { arity: -1, isForLoading: true, run: (core) => core.info() },
  ECHO: { arity: 2, run: (_core, [, text]) => text! },
};

const RULES = new Map<string, CommandRule>(Object.entries({
  ...KEY_COMMANDS,
  ...HASH_COMMANDS,
  ...LIST_COMMANDS,
  ...SET_COMMANDS,
  ...SORTED_SET_COMMANDS,
  ...STREAM_COMMANDS,
  ...SERVER_COMMANDS,
}));

/** @param name in any case */
export function ruleOf(name: string): CommandRule | undefined {
  return RULES.get(name) ?? RULES.get(name.toUpperCase());
}

/** Does the effects of `entries` to `keys`, as a start from the append-only file does. */
export function replay(keys: Keyspace, entries: Iterable<LogEntry>): Keyspace {
  const core: Core = {
    ...{ keys, nowMs: 0, isReplica: false, isReplaying: true, writes: [] },
    publish: () => 0,
    readMs: () => 0,
    info: () => "",
  };
  for (const { writes } of entries) {
    for (const write of writes) ruleOf(write[0]!)!.run(core, write);
    core.writes = [];
  }
  return core.keys;
}
