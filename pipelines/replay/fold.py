"""Run one bucket through the core, user by user.

Outputs are ordered by the hash of the user, the user, and the order of decisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.replay.assumptions import fold_assuming
from pipelines.replay.batches import Batch
from pipelines.replay.job import Job
from pipelines.replay.order import by_user, in_order
from pipelines.replay.progress import PROGRESS
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.context import Context
from transforms.flows.engine.identity.state_transfer import export_state
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Behind, fold, fold_outputs
from transforms.flows.engine.working import decode
from transforms.flows.protocol.outputs import AnyOutput, Erased
from transforms.flows.protocol.signals import Event, Signal, Time
from transforms.hosting.dead_letters import of_file_record
from transforms.hosting.sandbox import answer
from transforms.wire.raw import Bad

TICK: Final = 500


def fold_bucket(job: Job, catalog: Catalog, batch: Batch) -> Iterator[tuple[AnyOutput, ...]]:
    """Yield the outputs of each user of the bucket."""
    users = by_user(batch)
    batch.signals, batch.places = [], []
    for count, (user, placed) in enumerate(users, start=1):
        yield fold_user(job, catalog, user, in_order(placed, job.audit))
        placed.clear()
        if count % TICK == 0:
            PROGRESS.add("users", TICK)
    PROGRESS.add("users", len(users) % TICK)


def fold_user(job: Job, catalog: Catalog, user: str, found: list[Signal]) -> tuple[AnyOutput, ...]:
    """Run one user's signals through the core, and then ``Time(until)`` (R3)."""
    if job.rates is not None:
        outputs = fold_assuming(catalog, job.rates, user, found, job.until)
    elif job.export:
        outputs = with_export(job, catalog, user, found)
    else:
        ended = fold_outputs(catalog, (*found, Time(user=user, at=job.until)), answer)
        assert not isinstance(ended, Behind), "the log of a replay is complete"
        outputs = ended
    if not all(isinstance(signal, Event) for signal in found):  # events erase no user
        outputs = without_erased(outputs)
    return accounted(catalog, outputs)


def with_export(
    job: Job, catalog: Catalog, user: str, found: list[Signal]
) -> tuple[AnyOutput, ...]:
    """Return the outputs and, at the end, the export of the state."""
    ended = fold(catalog, None, (*found, Time(user=user, at=job.until)), answer)
    assert not isinstance(ended, Behind), "the log of a replay is complete"
    if ended.state is None:
        return ended.outputs
    return (*ended.outputs, export_of(catalog, user, ended.state, job.until))


def export_of(catalog: Catalog, user: str, state: bytes, at: int) -> AnyOutput:
    """Export a stored state at an instant; unlike a command, also that of a key that forwards."""
    ctx = Context(catalog, user, decode(state))
    ctx.begin("export", at, "export", "export", str(at))
    export_state(ctx)
    return ctx.outputs[-1]


def without_erased(outputs: tuple[AnyOutput, ...]) -> tuple[AnyOutput, ...]:
    """Drop the outputs before a user's erasure: a replay must not restore them (R32).

    Only the core knows which commands erase: a repeated or outdated one does not.
    """
    last = max((n for n, output in enumerate(outputs) if isinstance(output, Erased)), default=0)
    return outputs[last:]


def dead_letters(found: list[Bad], until: int) -> Iterator[AnyOutput]:
    """Yield a dead letter for each rejected record, in the order of their places."""
    for bad in sorted(found, key=lambda bad: (bad.file, bad.line, bad.reason, bad.detail)):
        yield of_file_record(bad, until)
