"""The metrics that a host reports about itself: one list for every runner.

There are only counters and distributions, because Dataflow reports no gauges. A metric with a label
has one series per value of it. Names do not change: dashboards and alerts use them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

NAMESPACE = "towpath"


class JobMetric(msgspec.Struct, frozen=True):
    """A metric of the job; ``by`` names the label whose values have series of their own."""

    name: str
    kind: Literal["counter", "distribution"]
    unit: str
    meaning: str
    by: str = ""

    def of(self, value: str = "") -> str:
        """Return the name of a series where a runner has no labels: ``dead_letters.failed``."""
        return f"{self.name}.{value}" if self.by else self.name


LATE_HANDLING = 300_000
"""A signal or timer that is handled this many ms after its time is late."""
LATE_LOG = 30_000
"""A control log that is not complete until this many ms before now is late."""
LARGE_STATE = 192 * 1024
"""Three quarters of the limit of a user's state, in bytes."""

SIGNALS = JobMetric("signals", "counter", "signals", "Messages that were accepted as signals.")
HEARTBEATS = JobMetric(
    "heartbeats", "counter", "messages", "Heartbeats, which only advance the watermark."
)
UNREAD = JobMetric("unread", "counter", "messages", "Events and messages that no flow reads.")
DEAD_LETTERS = JobMetric(
    "dead_letters", "counter", "dead letters", "Dead letters of all steps of the job.", "reason"
)
UNFIT_OUTPUTS = JobMetric(
    "unfit_outputs",
    "counter",
    "outputs",
    "Outputs that a sink rejected. Only the first hundred of each write become dead letters.",
    "sink",
)
HANDLING_LAG = JobMetric(
    "handling_lag",
    "distribution",
    "ms",
    "From the ingestion time of a signal until it is handled, of signals that are handled together "
    "the earliest one's. It includes the allowed lateness.",
)
HANDLED_LATE = JobMetric(
    "handled_late",
    "counter",
    "steps",
    "Steps that handled a signal more than five minutes after its ingestion time.",
)
ALARM_LATENESS = JobMetric(
    "alarm_lateness",
    "distribution",
    "ms",
    "From the time that a user's timer was set for until it is handled.",
)
ALARMS_LATE = JobMetric(
    "alarms_late", "counter", "timers", "Timers that were handled more than five minutes late."
)
ALARMS_REFUSED = JobMetric(
    "alarms_refused",
    "counter",
    "timers",
    "Timers that were refused: they fired before their time, because the runner is draining, or their "
    "space no longer has a control log.",
)
HANDLED_BEFORE_TURN = JobMetric(
    "handled_before_turn",
    "counter",
    "signals",
    "Signals that were handled before their turn, because too many signals of the user waited.",
)
STATE_SIZE = JobMetric(
    "state_size", "distribution", "bytes", "Size of a user's state when it is written."
)
STATES_LARGE = JobMetric(
    "states_large", "counter", "states", "States that were written with more than 192 KiB."
)
OUTPUTS = JobMetric("outputs", "counter", "outputs", "Outputs of all users.", "kind")
REFUSALS = JobMetric(
    "refusals", "counter", "outputs", "Entries, sends and records that were refused.", "reason"
)
CONTROL_SEQUENCE = JobMetric(
    "control_sequence",
    "distribution",
    "sequence",
    "Sequence of the newest record of the control log that a worker has read; the maximum is the "
    "newest of all workers.",
    "space",
)
CONTROL_LAG = JobMetric(
    "control_lag",
    "distribution",
    "ms",
    "How far the control log is complete behind the clock.",
    "space",
)
CONTROL_LATE = JobMetric(
    "control_late",
    "counter",
    "checks",
    "Checks, at most one a second in each worker process, by which the control log was not complete "
    "until 30 seconds before now.",
    "space",
)
CONTROL_TROUBLE = JobMetric(
    "control_trouble",
    "counter",
    "checks",
    "Checks, at most one a second in each worker process, by which the control log cannot be read, "
    "or has a record that cannot be followed.",
    "space",
)
SIGNALS_HELD = JobMetric(
    "signals_held",
    "counter",
    "signals",
    "Signals and timers that wait for a control log that is more than 30 seconds behind the clock. "
    "Each attempt counts.",
    "space",
)
WENT_ON_BEHIND = JobMetric(
    "went_on_behind",
    "counter",
    "steps",
    "Steps that went on with a control log that was not complete (`--loose`).",
    "space",
)
PUBLISHED = JobMetric(
    "published", "counter", "outputs", "Outputs for topics, with those that were rejected.", "kind"
)
PUBLISH_RETRIES = JobMetric(
    "publish_retries", "counter", "calls", "Calls to the broker that were repeated after an error."
)
STATES_WRITTEN = JobMetric(
    "states_written", "counter", "states", "Flow states written to Redis, with stale ones."
)
STALE_WRITES = JobMetric(
    "stale_writes", "counter", "states", "Flow states that came to Redis after a newer one."
)
ROWS_WRITTEN = JobMetric("rows_written", "counter", "rows", "Rows written to tables.", "kind")

METRICS: tuple[JobMetric, ...] = (
    SIGNALS,
    HEARTBEATS,
    UNREAD,
    DEAD_LETTERS,
    UNFIT_OUTPUTS,
    HANDLING_LAG,
    HANDLED_LATE,
    ALARM_LATENESS,
    ALARMS_LATE,
    ALARMS_REFUSED,
    HANDLED_BEFORE_TURN,
    STATE_SIZE,
    STATES_LARGE,
    OUTPUTS,
    REFUSALS,
    CONTROL_SEQUENCE,
    CONTROL_LAG,
    CONTROL_LATE,
    CONTROL_TROUBLE,
    SIGNALS_HELD,
    WENT_ON_BEHIND,
    PUBLISHED,
    PUBLISH_RETRIES,
    STATES_WRITTEN,
    STALE_WRITES,
    ROWS_WRITTEN,
)
