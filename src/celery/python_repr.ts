/** Arguments as Celery's clients print them for logs and events: Python's notation, cut short. */

export function pythonRepr(value: unknown): string {
  return JSON.stringify(value).slice(0, 1024);
}
