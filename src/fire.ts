/** What a fire is called. A fire has the same id on every leader, run and replay. */

/** `report@1767225600000`: the entry's name, an at sign, the due time in Unix milliseconds. */
export type FireId = `${string}@${number}`;

/** Names that an entry may have; they stand in ids, keys and command lines, so no spaces and no `@`. */
export const TASK_NAME = /^[A-Za-z0-9_.:-]+$/;

/** The name of what somebody asked for: the entry, a plus, and the request. No entry is called so. */
const WANTED_NAME = /^([A-Za-z0-9_.:-]+)\+([A-Za-z0-9_.:-]+)$/;

/** The name that fires of `task` carry which the request called `requestId` asked for. */
export function wantedName(task: string, requestId: string): string {
  return `${task}+${requestId}`;
}

/** Whether fires may carry this name: that of an entry, or one of {@link wantedName}. */
export function isFireName(name: string): boolean {
  return TASK_NAME.test(name) || WANTED_NAME.test(name);
}

/** Whether a name is that of what somebody asked for. */
export function isWantedName(name: string): boolean {
  return name.includes("+");
}

/** The entry that a name of fires is about, whoever asked for them. */
export function entryOf(name: string): string {
  const plus = name.indexOf("+");
  return plus < 0 ? name : name.slice(0, plus);
}

export function fireIdOf(task: string, dueMs: number): FireId {
  return `${task}@${dueMs}`;
}

/** The two parts of a fire id, or `null` when `text` is not one. */
export function parseFireId(text: string): { task: string; dueMs: number } | null {
  const at = text.lastIndexOf("@");
  const task = text.slice(0, at);
  const due = text.slice(at + 1);
  if (at < 1 || !isFireName(task) || !/^-?\d+$/.test(due)) return null;
  return { task, dueMs: Number(due) };
}

/**
 * The key of one publish of a fire: the fire id, and `#n` behind it for the n-th new attempt.
 * A copy that a rollback causes is the same attempt; publishing anew on purpose is a new one.
 */
export function openIdOf(task: string, dueMs: number, attempt: number): string {
  return attempt === 0 ? fireIdOf(task, dueMs) : `${fireIdOf(task, dueMs)}#${attempt}`;
}

/** The parts of {@link openIdOf}, or `null` when `text` is not one. */
export function parseOpenId(text: string): { task: string; dueMs: number; attempt: number } | null {
  const hash = text.lastIndexOf("#");
  const fire = parseFireId(hash < 0 ? text : text.slice(0, hash));
  const attempt = hash < 0 ? 0 : Number(text.slice(hash + 1));
  if (fire === null || !Number.isSafeInteger(attempt) || attempt < 0) return null;
  return { ...fire, attempt };
}

/**
 * A number from 0 (inclusive) to 1 (exclusive) that follows from a text alone: the only source of
 * spread. The same on every leader, run and replay; texts that differ in one letter are far apart.
 */
export function fraction(id: string): number {
  // FNV-1a takes the text in, the end of MurmurHash3 mixes it: alone, the first leaves names that
  // differ in their last digits close together.
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
