/** The seven entries of the built-in schedule: their switches, intervals and `expires`, from variables. */

import type { Importance, TriggerSpec } from "../task.ts";
import type { Values, VariableName } from "./variables.ts";

/** A variable that is `true` or `false`. */
type SwitchName = {
  [K in VariableName]: Values[K] extends boolean ? K : never;
}[VariableName];

/** An entry of the built-in schedule. Its task, queue and trigger are not for `beat.yaml` to change. */
export interface BuiltIn {
  readonly name: string;
  readonly celeryTask: string;
  readonly queue: string;
  readonly trigger: TriggerSpec;
  /** Milliseconds; `null` for never. */
  readonly expiresMs: number | null;
  readonly importance: Importance;
  readonly switchedBy: SwitchName;
  /** The variables that decide when it is due. */
  readonly timedBy: readonly VariableName[];
}

/** The seven, in the order of the documentation, those that are off included. */
export function builtIns(values: Values): BuiltIn[] {
  return [
    ...maintenance(values),
    {
      ...same("paper_trading.scheduler_tick", "paper_trading"),
      ...everySeconds("PAPER_TRADING_LOOP_INTERVAL_SECONDS", values),
      expiresMs: wholeSeconds(2 * values.PAPER_TRADING_LOOP_INTERVAL_SECONDS),
      importance: "critical",
      switchedBy: "PAPER_TRADING_ENABLED",
    },
    {
      ...same("market_data.refresh_active_subscriptions", "market_data"),
      ...everySeconds("MARKET_DATA_REFRESH_ACTIVE_SUBSCRIPTIONS_INTERVAL_SECONDS", values),
      expiresMs: null,
      importance: "normal",
      switchedBy: "PAPER_TRADING_ENABLED",
    },
    {
      ...same("notifications.dispatch_pending", "notifications"),
      ...everySeconds("NOTIFICATIONS_LOOP_INTERVAL_SECONDS", values),
      expiresMs: wholeSeconds(values.NOTIFICATIONS_LOOP_INTERVAL_SECONDS),
      importance: "normal",
      switchedBy: "NOTIFICATIONS_ENABLED",
    },
    {
      ...same("trade_approval.expire_pending", "trade_approval"),
      ...everySeconds("TRADING_APPROVAL_EXPIRE_SCAN_INTERVAL_SECONDS", values),
      expiresMs: null,
      importance: "critical",
      switchedBy: "TRADING_APPROVAL_ENABLED",
    },
  ];
}

function maintenance(values: Values): BuiltIn[] {
  return [
    {
      ...same("maintenance.postgres_full_backup", "maintenance"),
      celeryTask: "maintenance.backup_postgres_full",
      // In UTC whatever CELERY_TIMEZONE says: the variables' names promise it.
      trigger: {
        kind: "crontab",
        minute: String(values.POSTGRES_BACKUP_MINUTE_UTC),
        hour: String(values.POSTGRES_BACKUP_HOUR_UTC),
        dayOfWeek: "*",
        dayOfMonth: "*",
        monthOfYear: "*",
        tz: "UTC",
      },
      timedBy: ["POSTGRES_BACKUP_HOUR_UTC", "POSTGRES_BACKUP_MINUTE_UTC"],
      expiresMs: null,
      importance: "deferrable",
      switchedBy: "POSTGRES_BACKUP_ENABLED",
    },
    {
      ...same("maintenance.user_email_csv_export", "maintenance"),
      celeryTask: "maintenance.export_user_emails_csv",
      ...everyMinutes("USER_EMAIL_CSV_EXPORT_INTERVAL_MINUTES", values),
      expiresMs: null,
      importance: "deferrable",
      switchedBy: "USER_EMAIL_CSV_EXPORT_ENABLED",
    },
    {
      ...same("maintenance.fail_stale_backtest_jobs", "maintenance"),
      ...everyMinutes("BACKTEST_STALE_JOB_CLEANUP_INTERVAL_MINUTES", values),
      expiresMs: null,
      importance: "normal",
      switchedBy: "BACKTEST_STALE_JOB_CLEANUP_ENABLED",
    },
  ];
}

function same(name: string, queue: string): Pick<BuiltIn, "name" | "celeryTask" | "queue"> {
  return { name, celeryTask: name, queue };
}

type Timing = Pick<BuiltIn, "trigger" | "timedBy">;

function everySeconds(
  name: Extract<VariableName, `${string}_SECONDS`> & NumberName,
  values: Values,
): Timing {
  return { trigger: every(values[name] * 1_000), timedBy: [name] };
}

function everyMinutes(
  name: Extract<VariableName, `${string}_MINUTES`> & NumberName,
  values: Values,
): Timing {
  return { trigger: every(values[name] * 60_000), timedBy: [name] };
}

type NumberName = {
  [K in VariableName]: Values[K] extends number ? K : never;
}[VariableName];

function every(everyMs: number): TriggerSpec {
  // 0.07 s are 70 ms, not 70.00000000000001.
  return { kind: "every", everyMs: Number(everyMs.toPrecision(15)), phaseMs: 0 };
}

/** Whole seconds, at least one, as the workers' own schedule has it. Milliseconds. */
function wholeSeconds(seconds: number): number {
  return Math.max(1, Math.trunc(seconds)) * 1_000;
}
