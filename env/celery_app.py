"""A Celery app for the schedule that Beat ships with: an example to start from, and what the tests run.

    export CELERY_BROKER_URL=redis://127.0.0.1:6379/0
    cd env && python3 -m celery -A celery_app worker --loglevel=INFO

Celery 5.2 and the Python package ``redis`` are all it takes. Beat needs nothing of this file: it
publishes by task name, and any worker that has registered the name and consumes the queue runs it.
"""

import json
import os
import time

from celery import Celery, Task
from kombu import Queue

# The queues of the IO worker. A worker consumes these unless -Q names others.
IO_QUEUES = ["maintenance", "market_data", "paper_trading", "notifications", "trade_approval"]

BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")


def is_on(variable: str, default: str) -> bool:
    return os.environ.get(variable, default) == "1"


class RecordedTask(Task):
    """Notes each run in the file that BEAT_TEST_RECORD names: one JSON line, on disk before the work."""

    abstract = True

    def __call__(self, *args, **kwargs):
        path = os.environ.get("BEAT_TEST_RECORD")
        if path:
            append_line(path, self.run_record())
        return super().__call__(*args, **kwargs)

    def run_record(self) -> dict:
        # Headers that Celery does not know are attributes of the request. A retry has lost them.
        request = self.request
        return {
            "id": request.id,
            "name": self.name,
            "fire_id": request.get("x-beat-fire-id"),
            "due": request.get("x-beat-due"),
            "entry": request.get("periodic_task_name"),
            "received": time.time(),
            "pid": os.getpid(),
            "retries": request.retries,
            "redelivered": bool((request.delivery_info or {}).get("redelivered")),
        }


def append_line(path: str, record: dict) -> None:
    line = (json.dumps(record) + "\n").encode()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line)
        os.fsync(file)
    finally:
        os.close(file)


app = Celery(
    "celery_app",
    broker=BROKER_URL,
    backend=os.environ.get("CELERY_RESULT_BACKEND", BROKER_URL),
    task_cls=RecordedTask,
)

app.conf.update(
    timezone=os.environ.get("CELERY_TIMEZONE", "UTC"),
    enable_utc=True,
    # JSON only: a worker that accepts pickle runs whatever a stranger puts into Redis.
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    # A message stays in Redis until its run has ended, so a killed worker loses no run; in return
    # a run can come twice, and every task must bear that.
    task_acks_late=is_on("BEAT_TEST_ACKS_LATE", "1"),
    # One message ahead of the running one: a long task holds back no others.
    worker_prefetch_multiplier=1,
    # Stores STARTED, so that a running task can be told from a waiting one.
    task_track_started=is_on("CELERY_TASK_TRACK_STARTED", "1"),
    # A run that takes longer than this is delivered again. Seconds.
    broker_transport_options={
        "visibility_timeout": float(os.environ.get("CELERY_VISIBILITY_TIMEOUT", "3600")),
    },
    task_queues=[Queue(name) for name in IO_QUEUES],
    task_create_missing_queues=True,
)


# The schedule's seven tasks. The work is yours; these only say that they ran.


@app.task(name="maintenance.backup_postgres_full")
def backup_postgres_full():
    return "backed up"


@app.task(name="maintenance.export_user_emails_csv")
def export_user_emails_csv():
    return "exported"


@app.task(name="maintenance.fail_stale_backtest_jobs")
def fail_stale_backtest_jobs():
    return "cleaned up"


@app.task(name="paper_trading.scheduler_tick")
def scheduler_tick():
    return "ticked"


@app.task(name="market_data.refresh_active_subscriptions")
def refresh_active_subscriptions():
    return "refreshed"


@app.task(name="notifications.dispatch_pending")
def dispatch_pending():
    return "dispatched"


@app.task(name="trade_approval.expire_pending")
def expire_pending():
    return "expired"


# Tasks that do what their names say, for trying things out and for the tests.


@app.task(name="check.echo", bind=True)
def echo(self, *args, **kwargs):
    """Returns what arrived: its arguments, and the headers that are not Celery's."""
    request = self.request
    return {
        "args": args,
        "kwargs": kwargs,
        "headers": {key: value for key, value in vars(request).items() if key.startswith("x-")},
        "timelimit": request.timelimit,
        "expires": request.expires,
        "priority": (request.delivery_info or {}).get("priority"),
    }


@app.task(name="check.slow")
def slow(seconds):
    time.sleep(seconds)
    return seconds


@app.task(name="check.fail")
def fail(text="failed on purpose"):
    raise RuntimeError(text)


@app.task(name="check.retry", bind=True, max_retries=2)
def retry(self, delay_seconds=1):
    """Fails twice and succeeds the third time, under one task id."""
    if self.request.retries < 2:
        raise self.retry(exc=RuntimeError("not yet"), countdown=delay_seconds)
    return self.request.retries


@app.task(name="check.ignored", ignore_result=True)
def ignored():
    """Stores no result: nobody can tell from Redis how it went."""
