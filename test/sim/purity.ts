/** Makes time and chance of the machine throw while a simulated world runs. */

/** Thrown by whatever asks the machine for time or chance. */
export class ImpureError extends Error {
  override readonly name = "ImpureError";
}

interface Source {
  readonly owner: object;
  readonly name: string;
}

const FORBIDDEN: readonly Source[] = [
  { owner: Date, name: "now" },
  { owner: Math, name: "random" },
  { owner: crypto, name: "randomUUID" },
  { owner: crypto, name: "getRandomValues" },
  { owner: performance, name: "now" },
  { owner: globalThis, name: "setTimeout" },
  { owner: globalThis, name: "setInterval" },
  ...["instant", "zonedDateTimeISO", "plainDateTimeISO", "plainDateISO", "plainTimeISO"]
    .map((name) => ({ owner: Temporal.Now, name })),
];

/**
 * Runs `work`, which must be done when it returns, in a world without the machine's time and chance.
 * @throws {ImpureError} from within, where something asks for them
 */
export function inPureWorld<T>(work: () => T): T {
  const before = FORBIDDEN.map(({ owner, name }) => Object.getOwnPropertyDescriptor(owner, name));
  const MachineDate = globalThis.Date;
  try {
    for (const { owner, name } of FORBIDDEN) {
      Object.defineProperty(owner, name, {
        configurable: true,
        value: () => {
          throw new ImpureError(`expected simulated time and chance, got a call of ${name}()`);
        },
      });
    }
    globalThis.Date = dateWithoutNow(MachineDate);
    return work();
  } finally {
    globalThis.Date = MachineDate;
    for (const [index, { owner, name }] of FORBIDDEN.entries()) {
      const descriptor = before[index];
      if (descriptor === undefined) delete (owner as Record<string, unknown>)[name];
      else Object.defineProperty(owner, name, descriptor);
    }
  }
}

/** `new Date()` is the machine's time; `new Date(ms)` is not. */
function dateWithoutNow(MachineDate: DateConstructor): DateConstructor {
  return new Proxy(MachineDate, {
    construct(target, args, newTarget) {
      if (args.length === 0) throw new ImpureError("expected simulated time, got new Date()");
      return Reflect.construct(target, args, newTarget);
    },
    apply() {
      throw new ImpureError("expected simulated time, got Date()");
    },
  });
}
