"""Flow states in Redis or Valkey: one hash per user, for fast reads by web pages.

A write is absolute and applies only if its (epoch, sequence) is newer than the stored one, so writes
may be repeated, reordered and batched in any way: the newest state of each user stays (R31). The
epoch numbers the job's states: a job that starts without the states of the one before it has the
next epoch, and then replaces states with higher sequences, while the old job no longer does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
import redis

from transforms.flows.protocol.outputs import Data, Erased, FlowState
from transforms.redis_client import Call, Script, connect, key_of, with_retries
from transforms.sinks.checked import Refused, Wrote, fitting
from transforms.wire.rows import Record, canonical, name_of

BATCH = 500
DAY = 86_400_000
TOMBSTONE = 30 * DAY
"""How long the tombstone of an erased user keeps the sequence, in ms (R32)."""

HELD = """
local held = redis.call('HMGET', KEYS[1], 'epoch', 'sequence')
local epoch, sequence = tonumber(ARGV[1]), tonumber(ARGV[2])
local held_epoch, held_sequence = tonumber(held[1] or 0), tonumber(held[2] or -1)
"""
WRITE = f"""{HELD}
if held_epoch > epoch or (held_epoch == epoch and held_sequence >= sequence) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'sequence', ARGV[2], 'at', ARGV[3], 'id', ARGV[4],
           'flows', ARGV[5], 'promotions', ARGV[6])
if ARGV[7] == '0' then redis.call('PERSIST', KEYS[1])
else redis.call('PEXPIRE', KEYS[1], ARGV[7]) end
return 1
"""
ERASE = f"""{HELD}
if held_epoch > epoch or (held_epoch == epoch and held_sequence > sequence) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'sequence', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""


Row = FlowState | Erased


class State(msgspec.Struct, frozen=True, gc=False):
    """A user's flow state as stored; ``sequence`` grows with each change in an ``epoch``."""

    sequence: int
    at: int
    flows: tuple[Data, ...]
    promotions: dict[str, Data]
    epoch: int = 0

    def showing(self, t: int) -> dict[str, Data]:
        """Return what each slot shows at an instant: a promotion may have ended since the write."""
        return {
            slot: shown
            for slot, shown in self.promotions.items()
            if shown.get("until") is None or t < shown["until"]
        }


class FlowStates:
    """The flow states in a Redis, for writing and reading.

    ``ttl``: ms until a state without sessions and promotions expires, None for never. It must be
    longer than the time in which the transport may redeliver, since the state holds the sequence.
    ``epoch``: the number of the writer's states; see the module.
    """

    def __init__(self, client: redis.Redis, ttl: int | None = None, epoch: int = 0) -> None:
        self._client = client
        self._ttl = ttl
        self._epoch = epoch
        self._write = Script(client, WRITE)
        self._erase = Script(client, ERASE)

    def write(self, outputs: Iterable[tuple[str, Record]]) -> Wrote:
        """Write states and erasures, each with its space; other outputs are rejected.

        Raises RedisError if Redis stays unreachable. Some outputs may be written then; writing all
        of them again is harmless.
        """
        refused = Refused()
        written = count = 0
        remaining = _states(outputs, refused)
        while batch := list(islice(remaining, BATCH)):
            count += len(batch)
            written += self._write_newest(_newest(batch))
        return refused.wrote(written, count - written)

    def _write_newest(self, batch: Iterable[tuple[str, Row]]) -> int:
        writes: list[Call] = []
        erasures: list[Call] = []
        for space, row in batch:
            if isinstance(row, Erased):
                erasures.append(self._erasure(space, row.user, row.sequence))
            else:
                writes.append(self._call(space, row))
        written = sum(self._write.run(writes)) if writes else 0
        return written + (sum(self._erase.run(erasures)) if erasures else 0)

    def flush(self) -> None:
        """Do nothing: writes are not buffered."""

    def close(self) -> None:
        self._client.close()

    def erase(self, space: str, user: str, sequence: int) -> bool:
        """Delete a user's state; a tombstone keeps the sequence for 30 days (R32).

        Return False if there is a newer state: the user came back after the erasure.
        """
        (erased,) = self._erase.run([self._erasure(space, user, sequence)])
        return bool(erased)

    def _erasure(self, space: str, user: str, sequence: int) -> Call:
        return state_key(space, user), (self._epoch, sequence, TOMBSTONE)

    def get_state(self, space: str, user: str) -> State | None:
        """Read a user's state; None if the user is unknown or erased."""
        fields = ["sequence", "at", "flows", "promotions", "epoch"]
        held = with_retries(lambda: self._client.hmget(state_key(space, user), fields))
        sequence, at, flows, promotions, epoch = held
        if sequence is None or at is None or flows is None or promotions is None:
            return None
        return State(
            sequence=int(sequence),
            at=int(at),
            flows=msgspec.json.decode(flows, type=tuple[Data, ...]),
            promotions=msgspec.json.decode(promotions, type=dict[str, Data]),
            epoch=int(epoch or 0),
        )

    def _call(self, space: str, state: FlowState) -> Call:
        ends = 0 if self._ttl is None or state.flows or state.promotions else self._ttl
        flows, promotions = canonical(state.flows), canonical(state.promotions)
        return (
            state_key(space, state.user),
            (self._epoch, state.sequence, state.at, state.id, flows, promotions, ends),
        )


def open_states(url: str, ttl: int | None = None, epoch: int = 0) -> FlowStates:
    """Open the flow states at a Redis address; it connects lazily."""
    return FlowStates(connect(url), ttl, epoch)


def state_key(space: str, user: str) -> str:
    """Build the key of a user's state."""
    return key_of(space, "state", user)


def _states(outputs: Iterable[tuple[str, Record]], refused: Refused) -> Iterator[tuple[str, Row]]:
    for space, output in fitting(outputs, refused):
        if isinstance(output, Row):
            yield space, output
        else:
            refused.add(getattr(output, "id", ""), f"Redis does not store {name_of(output)}")


def _newest(batch: list[tuple[str, Row]]) -> Iterable[tuple[str, Row]]:
    """Keep the newest state of each user."""
    found: dict[tuple[str, str], Row] = {}
    for space, state in batch:
        held = found.get((space, state.user))
        if held is None or state.sequence > held.sequence:
            found[space, state.user] = state
    return [(space, state) for (space, _), state in found.items()]
