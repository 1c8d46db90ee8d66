/** EVAL and its kin: runs ports of known scripts as one step, under the checks of a real server. */

import { createHash } from "node:crypto";
import { integer } from "./redis_command.ts";
import type { Conditions } from "./redis_refusals.ts";
import { DISK_FULL, OUT_OF_MEMORY, READ_ONLY } from "./redis_refusals.ts";
import { ruleOf } from "./redis_table.ts";
import type { Core } from "./redis_values.ts";
import type { Command, Reply } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";

/** `redis.call`. @throws {ReplyError} which ends the script; what it wrote before stays */
export type Call = (...command: string[]) => Reply;

/** A script in this language. It keeps nothing from one call to the next. */
export type ScriptPort = (call: Call, keys: readonly string[], argv: readonly string[]) => Reply;

/** By the SHA-1 of the script's text. */
export type ScriptPorts = ReadonlyMap<string, ScriptPort>;

export interface Scripting {
  run(core: Core, name: string, command: Command, conditions: Conditions): Reply;
  /** SCRIPT FLUSH, LOAD and EXISTS. */
  manage(command: Command): Reply;
  forget(): void;
}

export function shaOf(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

export function scripting(ports: ScriptPorts): Scripting {
  const loaded = new Set<string>();
  const shas = new Map<string, string>();
  const known = (text: string) => {
    let sha = shas.get(text);
    if (sha === undefined) shas.set(text, sha = shaOf(text));
    return sha;
  };
  const load = (text: string) => {
    const sha = known(text);
    if (!ports.has(sha)) throw new Error(`expected a script with a port, got ${text}`);
    loaded.add(sha);
    return sha;
  };
  return {
    run(core, name, command, conditions) {
      const count = integer(command[2]);
      if (count > command.length - 3) {
        return new ReplyError("ERR Number of keys can't be greater than number of args");
      }
      if (count < 0) return new ReplyError("ERR Number of keys can't be negative");
      const sha = name === "EVAL" ? load(command[1]!) : command[1]!.toLowerCase();
      if (!loaded.has(sha)) {
        return new ReplyError("NOSCRIPT No matching script. Please use EVAL.");
      }
      const call = callOf(core, conditions, sha);
      return ports.get(sha)!(call, command.slice(3, 3 + count), command.slice(3 + count));
    },
    manage([, verb, ...rest]) {
      switch (verb!.toUpperCase()) {
        case "FLUSH":
          loaded.clear();
          return "OK";
        case "LOAD":
          return load(rest[0]!);
        case "EXISTS":
          return rest.map((sha) => loaded.has(sha) ? 1 : 0);
        default:
          throw new Error(`expected a known verb of SCRIPT, got ${verb}`);
      }
    },
    forget: () => loaded.clear(),
  };
}

/** Measured: memory is looked at until the first command that may write, be it one that frees. */
function callOf(core: Core, conditions: Conditions, sha: string): Call {
  let hasWritten = false;
  const shown = (text: string) => `${text} script: ${sha}, on @user_script:1.`;
  const refuse = (text: string) => new ReplyError(shown(text));
  return (...command) => {
    const rule = ruleOf(command[0]!);
    if (rule === undefined) throw refuse("ERR Unknown Redis command called from script");
    const { arity, isWrite = false, needsMemory = false } = rule;
    if (arity < 0 ? command.length < -arity : command.length !== arity) {
      throw refuse("ERR Wrong number of args calling Redis command from script");
    }
    if (isWrite && core.isReplica) throw refuse(READ_ONLY);
    if (isWrite && conditions.isDiskFull) throw refuse(DISK_FULL);
    const isOut = conditions.isOutOfMemory && !core.isReplica;
    if (needsMemory && !hasWritten && isOut) throw refuse(OUT_OF_MEMORY);
    hasWritten ||= isWrite;
    try {
      return rule.run(core, command);
    } catch (error) {
      // An error costs as much as many commands: each is made once.
      if (error instanceof ReplyError) error.message = shown(error.message);
      throw error;
    }
  };
}
