/** Values of an option that may be repeated, in the order in which they came. */
export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}
