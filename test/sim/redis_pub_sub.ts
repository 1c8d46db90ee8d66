/** Who hears what: subscriptions of a server's sessions. What is said to nobody is gone. */

import { globOf } from "./redis_keys.ts";
import type { Reply, Session } from "./redis_words.ts";

export interface PubSub {
  /** @returns how many heard it */
  publish(channel: string, text: string): number;
  /** The reply is the count of subscriptions, as the client hands it out. */
  change(session: Session, verb: string, names: readonly string[]): Reply;
  isSubscribed(session: Session): boolean;
}

export function pubSub(sessions: ReadonlySet<Session>): PubSub {
  return {
    publish(channel, text) {
      let heard = 0;
      for (const { channels, patterns, onPush } of sessions) {
        if (channels.has(channel)) {
          onPush(["message", channel, text]);
          heard++;
        }
        for (const [pattern, matches] of patterns) {
          if (!matches.test(channel)) continue;
          onPush(["pmessage", pattern, channel, text]);
          heard++;
        }
      }
      return heard;
    },
    change({ channels, patterns }, verb, names) {
      switch (verb) {
        case "SUBSCRIBE":
          for (const name of names) channels.add(name);
          break;
        case "PSUBSCRIBE":
          for (const name of names) patterns.set(name, globOf(name));
          break;
        case "UNSUBSCRIBE":
          for (const name of names.length > 0 ? names : [...channels]) channels.delete(name);
          break;
        default:
          for (const name of names.length > 0 ? names : [...patterns.keys()]) patterns.delete(name);
      }
      return channels.size + patterns.size;
    },
    isSubscribed: ({ channels, patterns }) => channels.size + patterns.size > 0,
  };
}
