/** Questions about many things, some of them at a time. */

/** Ids in one command: it holds Redis up for well under a millisecond. */
export const PORTION = 200;

/** @param portion how many items the next question may have */
export async function inPortions<Item, Answer>(
  items: readonly Item[],
  portion: () => number,
  answer: (some: readonly Item[]) => Promise<Answer[]>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let start = 0; start < items.length;) {
    const some = items.slice(start, start + portion());
    answers.push(...await answer(some));
    start += some.length;
  }
  return answers;
}
