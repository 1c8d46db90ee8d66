/** What several verbs say of a queue in the same words. */

export function waitText(depth: number): string {
  return depth === 1 ? "1 waits" : `${depth} wait`;
}

/** @param type what its key holds, as Redis names it */
export function noListText(queue: string, type: string): string {
  return `nothing can be published to ${queue}: its key holds a ${type}, not a list`;
}
