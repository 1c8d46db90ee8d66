/**
 * The part of `@std/testing/time` that the suite uses, over `@sinonjs/fake-timers`; see `bdd.ts`.
 * Only for tests of `clock.ts`: everything else is given another clock. `performance` stays real.
 */

import FakeTimers from "@sinonjs/fake-timers";

/** A wrong use of fake time. */
export class TimeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TimeError";
  }
}

let current: FakeTime | null = null;

/** Replaces `Date`, `setTimeout`, `setInterval` and their `clear…` until restored. One at a time. */
export class FakeTime implements Disposable {
  readonly start: number;
  readonly #clock: ReturnType<typeof FakeTimers.install>;

  /** @param start Unix milliseconds, a date or its text; the real time unless given */
  constructor(start?: number | string | Date | null) {
    current?.restore();
    this.start = start === undefined || start === null ? Date.now() : new Date(start).valueOf();
    if (Number.isNaN(this.start)) throw new TimeError("invalid start");
    this.#clock = FakeTimers.install({
      now: this.start,
      toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
    });
    current = this;
  }

  /** The fake time. Unix milliseconds. */
  get now(): number {
    return this.#clock.now;
  }

  /** Moves on to `value`, and runs what is due by then. */
  set now(value: number) {
    if (value < this.#clock.now) throw new RangeError("time cannot go backwards");
    this.#clock.tick(value - this.#clock.now);
  }

  /** Moves on by `ms`, and runs what is due by then. */
  tick(ms = 0): void {
    this.#clock.tick(ms);
  }

  /** The same, after all microtasks that are waiting. */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.#clock.tick(ms);
  }

  /** Moves on to the next timer; `false` where there is none. */
  next(): boolean {
    if (this.#clock.countTimers() === 0) return false;
    this.#clock.next();
    return true;
  }

  /** The same, after all microtasks that are waiting. */
  async nextAsync(): Promise<boolean> {
    await this.runMicrotasks();
    return this.next();
  }

  /** Moves on until no timer is left. */
  async runAllAsync(): Promise<void> {
    while (await this.nextAsync()) { /* The condition does the work. */ }
  }

  /** Runs the microtasks that are waiting, and those that they start. */
  runMicrotasks(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** @throws {TimeError} restored already */
  restore(): void {
    if (current !== this) throw new TimeError("time already restored");
    this.#clock.uninstall();
    current = null;
  }

  [Symbol.dispose](): void {
    if (current === this) this.restore();
  }
}
