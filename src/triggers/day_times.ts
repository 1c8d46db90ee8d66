/** Which times of a day a schedule names, in seconds since local midnight. */

import { type Bits, countBelow, hasBit, nextBit, previousBit } from "./bits.ts";

/** Each combination of the three fields is one time. None of them is empty. */
export interface DayTimes {
  readonly hours: Bits;
  readonly minutes: Bits;
  readonly seconds: Bits;
}

export const DAY_S = 86_400;

/** How many times there are in a day. */
export function timesPerDay({ hours, minutes, seconds }: DayTimes): number {
  return hours.size * minutes.size * seconds.size;
}

/** The first time at or after `fromS` (0 to 86399), or -1. */
export function nextTime({ hours, minutes, seconds }: DayTimes, fromS: number): number {
  const fromHour = Math.floor(fromS / 3600);
  let hour = nextBit(hours, fromHour);
  if (hour === fromHour) {
    const fromMinute = Math.floor(fromS / 60) % 60;
    let minute = nextBit(minutes, fromMinute);
    if (minute === fromMinute) {
      const second = nextBit(seconds, fromS % 60);
      if (second >= 0) return hour * 3600 + minute * 60 + second;
      minute = nextBit(minutes, fromMinute + 1);
    }
    if (minute >= 0) return hour * 3600 + minute * 60 + nextBit(seconds, 0);
    hour = nextBit(hours, fromHour + 1);
  }
  return hour < 0 ? -1 : hour * 3600 + nextBit(minutes, 0) * 60 + nextBit(seconds, 0);
}

/** The last time at or before `toS` (0 to 86399), or -1. */
export function previousTime({ hours, minutes, seconds }: DayTimes, toS: number): number {
  const toHour = Math.floor(toS / 3600);
  let hour = previousBit(hours, toHour);
  if (hour === toHour) {
    const toMinute = Math.floor(toS / 60) % 60;
    let minute = previousBit(minutes, toMinute);
    if (minute === toMinute) {
      const second = previousBit(seconds, toS % 60);
      if (second >= 0) return hour * 3600 + minute * 60 + second;
      minute = previousBit(minutes, toMinute - 1);
    }
    if (minute >= 0) return hour * 3600 + minute * 60 + previousBit(seconds, 59);
    hour = previousBit(hours, toHour - 1);
  }
  return hour < 0 ? -1 : hour * 3600 + previousBit(minutes, 59) * 60 + previousBit(seconds, 59);
}

/** How many times are at or before `toS` (0 to 86399). */
export function countTimes({ hours, minutes, seconds }: DayTimes, toS: number): number {
  const hour = Math.floor(toS / 3600);
  const minute = Math.floor(toS / 60) % 60;
  let count = countBelow(hours, hour) * minutes.size * seconds.size;
  if (!hasBit(hours, hour)) return count;
  count += countBelow(minutes, minute) * seconds.size;
  return hasBit(minutes, minute) ? count + countBelow(seconds, toS % 60 + 1) : count;
}
