import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { plainListOf, positionOf, viewOf } from "../../src/follow/position.ts";
import type { OpenFire } from "../../src/open_fire.ts";
import type { QueuedMessage } from "../../src/sensors.ts";
import { anOpenFire, T0 } from "../support/build.ts";

const SEP = "\x06\x16";
const IDS = { taskId: "mine", tag: "mine.1" };

function aMessage(own: Partial<QueuedMessage> = {}): QueuedMessage {
  return {
    taskId: "other",
    deliveryTag: "other.1",
    publishedMs: null,
    expiresMs: null,
    isRedelivered: false,
    bytes: "",
    ...own,
  };
}

const ours = (publishedMs: number) => aMessage({ publishedMs });
const returned = aMessage({ isRedelivered: true, publishedMs: T0 - 60_000 });

interface Case {
  readonly open?: Partial<OpenFire>;
  /** Oldest first. */
  readonly seen?: readonly QueuedMessage[];
  readonly depth?: number;
  /** As `seen`, of the plain list. */
  readonly plain?: readonly QueuedMessage[];
  readonly plainDepth?: number;
  readonly sampledMs?: number;
  readonly isRejected?: boolean;
}

function kindOf({ open: own = {}, seen = [], depth, plain, ...rest }: Case): string {
  const open = anOpenFire(own);
  const { plainDepth, sampledMs = T0 + 5_000, isRejected = false } = rest;
  const views = [viewOf(open.list, { depth: depth ?? seen.length, oldest: seen })];
  if (plain !== undefined) {
    views.push(viewOf("maintenance", { depth: plainDepth ?? plain.length, oldest: plain }));
  }
  const byList = new Map(views.map((view) => [view.list, view]));
  return positionOf(open, IDS, { sampledMs, sep: SEP, byList }, isRejected).kind;
}

const CASES: readonly (readonly [name: string, expected: string, given: Case])[] = [
  ["its own tag is there", "queued", {
    seen: [aMessage({ taskId: "mine", deliveryTag: "mine.1" })],
  }],
  ["a retry has its id", "copy", { seen: [aMessage({ taskId: "mine", deliveryTag: "else" })] }],
  ["all was seen, without it", "left", { seen: [aMessage()] }],
  ["the list is gone", "left", {}],
  ["the sample is older than the message", "unknown", { sampledMs: T0 }],
  ["ours of later is at the old end", "left", { seen: [ours(T0 + 1_001)], depth: 500 }],
  ["clocks could explain it", "unknown", { seen: [ours(T0 + 1_000)], depth: 500 }],
  ["ours of before is at the old end", "behind", { seen: [ours(T0 - 1_001)], depth: 500 }],
  ["only other people's were seen", "unknown", { seen: [aMessage()], depth: 500 }],
  ["a returned message is no mark", "unknown", { seen: [returned], depth: 500 }],
  ["taken: one that nobody took is a mark", "left", {
    open: { state: "taken" },
    seen: [returned, aMessage()],
    depth: 500,
  }],
  ["taken: there may be more returned ones", "unknown", {
    open: { state: "taken" },
    seen: [returned],
    depth: 500,
  }],
  ["given back before: as taken", "unknown", {
    open: { redeliveries: 1 },
    seen: [returned],
    depth: 500,
  }],
  ["rejected: it may be at the new end", "unknown", {
    open: { state: "taken" },
    seen: [aMessage()],
    depth: 500,
    isRejected: true,
  }],
  ["rejected, and all was seen", "left", { seen: [aMessage()], isRejected: true }],
  ["in the plain list", "queued", {
    open: { list: `maintenance${SEP}9` },
    plain: [aMessage({ taskId: "mine", deliveryTag: "mine.1", isRedelivered: true })],
  }],
  ["the plain list hides returned ones", "unknown", {
    open: { list: `maintenance${SEP}9` },
    plain: [returned],
    plainDepth: 500,
  }],
  ["in neither list", "left", { open: { list: `maintenance${SEP}9` }, plain: [aMessage()] }],
];

describe("positionOf()", () => {
  for (const [name, expected, given] of CASES) {
    it(`says ${expected}: ${name}`, () => assert.equal(kindOf(given), expected));
  }

  it("knows nothing without a sample", () => {
    assert.equal(positionOf(anOpenFire(), IDS, null, false).kind, "unknown");
  });
});

describe("plainListOf()", () => {
  it("takes the priority step off, and nothing else", () => {
    assert.equal(plainListOf(`q${SEP}9`, SEP), "q");
    assert.equal(plainListOf("q", SEP), "q");
    assert.equal(plainListOf("a:b", ":"), "a:b");
    assert.equal(plainListOf("a:b:3", ":"), "a:b");
  });
});
