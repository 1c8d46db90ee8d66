/** What Beat's keys are called. Queues are the broker's; only they carry Celery's global prefix. */

export interface Keys {
  /** Stream: every row. */
  readonly journal: string;
  /** Hash: task to the text of its cursor. */
  readonly cursors: string;
  /** Hash: open fires to their texts. */
  readonly open: string;
  /** String: who leads; it expires. */
  readonly lease: string;
  /** String: the counter that only grows; it never expires. */
  readonly fence: string;
  /** String: which history this is. */
  readonly epoch: string;
  /** Stream: what people ask for. */
  readonly requests: string;
  /** The key of a broker's list. */
  list(name: string): string;
}

/**
 * @param namespace the first part of each of Beat's keys (`BEAT_NAMESPACE`)
 * @param globalKeyPrefix Celery's `global_keyprefix`; empty for none
 */
export function keysOf(namespace: string, globalKeyPrefix: string): Keys {
  return {
    journal: `${namespace}:journal`,
    cursors: `${namespace}:cursors`,
    open: `${namespace}:open`,
    lease: `${namespace}:lease`,
    fence: `${namespace}:fence`,
    epoch: `${namespace}:epoch`,
    requests: `${namespace}:requests`,
    list: (name) => globalKeyPrefix + name,
  };
}
