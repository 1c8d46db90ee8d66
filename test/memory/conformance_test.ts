/** The journal and the lease in memory, held to the suites that Redis passes as well. */

import { describeJournal } from "../conformance/journal.ts";
import { describeLease } from "../conformance/lease.ts";
import { describeTrim } from "../conformance/trim.ts";
import { describeRequests } from "../conformance/requests.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memoryLease } from "../../src/memory/lease.ts";
import { memoryRequests } from "../../src/memory/requests.ts";
import { removeMessage } from "../../src/memory/store.ts";
import { memoryDump } from "../support/dump.ts";
import { T0 } from "../support/steps.ts";

const NOW_MS = T0 + 86_400_000;

function rigOf() {
  const journal = memoryJournal({ serverMs: () => NOW_MS });
  const { store } = journal;
  return {
    journal,
    lease: memoryLease(journal),
    dump: () => Promise.resolve(memoryDump(store)),
    pop(list: string) {
      const message = store.lists.get(list)?.at(-1) ?? null;
      if (message !== null) removeMessage(store, { list, bytes: message, reach: 1 });
      return Promise.resolve(message);
    },
    spoilList(list: string) {
      store.foreignLists.add(list);
      return Promise.resolve();
    },
    appendForeign() {
      const fields = ["hello", "world"];
      store.entries.push({ id: `${NOW_MS}-${store.entries.length}`, fields });
      return Promise.resolve();
    },
    expire() {
      store.lease = null;
      return Promise.resolve();
    },
    moveEnd(byMs: number) {
      store.lease!.endsMs += byMs;
      return Promise.resolve();
    },
    setEpoch(text: string) {
      store.epoch = text;
      return Promise.resolve();
    },
    flush() {
      store.fence = store.lease = store.epoch = null;
      for (const map of [store.cursors, store.open, store.lists]) map.clear();
      store.entries.length = 0;
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
}

describeJournal("memoryJournal()", () => Promise.resolve(rigOf()));
describeTrim("memoryJournal()", () => Promise.resolve(rigOf()));
describeLease("memoryLease()", () => Promise.resolve(rigOf()));
describeRequests("memoryRequests()", () => Promise.resolve(memoryRequests(() => NOW_MS)));
