"""Flow states in Redis or Valkey: one hash a user, for a web page that wants it at once.

A write is absolute and counts only if its sequence is newer than the one held, so writes may
be repeated, shuffled and cut into any batches: the newest state of each user stays (R31).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
import redis

from transforms.flows.protocol.outputs import Data, Erased, FlowState
from transforms.redis_client import Call, Script, connect, key_of, patiently
from transforms.sinks.checked import Refused, Wrote, fitting
from transforms.wire.rows import Record, canonical, name_of

BATCH = 500
DAY = 86_400_000
MARK = 30 * DAY
"""How long the mark of an erased user keeps their sequence, in ms (R32)."""

WRITE = """
local held = redis.call('HGET', KEYS[1], 'sequence')
if held and tonumber(held) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'sequence', ARGV[1], 'at', ARGV[2], 'id', ARGV[3],
           'flows', ARGV[4], 'promotions', ARGV[5])
if ARGV[6] == '0' then redis.call('PERSIST', KEYS[1])
else redis.call('PEXPIRE', KEYS[1], ARGV[6]) end
return 1
"""
ERASE = """
local held = redis.call('HGET', KEYS[1], 'sequence')
if held and tonumber(held) > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'sequence', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


Told = FlowState | Erased


class State(msgspec.Struct, frozen=True, gc=False):
    """Where a user stands, as a reader sees it; ``sequence`` grows with each change."""

    sequence: int
    at: int
    flows: tuple[Data, ...]
    promotions: dict[str, Data]

    def showing(self, t: int) -> dict[str, Data]:
        """Give what each slot shows at an instant: a promotion may have ended since the write."""
        return {
            slot: shown
            for slot, shown in self.promotions.items()
            if shown.get("until") is None or t < shown["until"]
        }


class FlowStates:
    """The flow states of a Redis, to write and to read.

    ``ttl`` is for how many ms a state without sessions and promotions is kept, None for ever;
    it must be longer than the transport may repeat a message, since it guards the sequence.
    """

    def __init__(self, client: redis.Redis, ttl: int | None = None) -> None:
        self._client = client
        self._ttl = ttl
        self._write = Script(client, WRITE)
        self._erase = Script(client, ERASE)

    def write(self, outputs: Iterable[tuple[str, Record]]) -> Wrote:
        """Write states and erasures, each with its space; raises RedisError when Redis stays away.

        Any other output is refused. After an error a part may be written; writing all again is
        harmless.
        """
        refused = Refused()
        written = count = 0
        remaining = _states(outputs, refused)
        while batch := list(islice(remaining, BATCH)):
            count += len(batch)
            written += self._write_newest(_newest(batch))
        return refused.wrote(written, count - written)

    def _write_newest(self, batch: Iterable[tuple[str, Told]]) -> int:
        writes: list[Call] = []
        erasures: list[Call] = []
        for space, told in batch:
            if isinstance(told, Erased):
                erasures.append((state_key(space, told.user), (told.sequence, MARK)))
            else:
                writes.append(self._call(space, told))
        written = sum(self._write.run(writes)) if writes else 0
        return written + (sum(self._erase.run(erasures)) if erasures else 0)

    def flush(self) -> None:
        """Do nothing: what was written is there."""

    def close(self) -> None:
        self._client.close()

    def erase(self, space: str, user: str, sequence: int) -> bool:
        """Delete a user's state; a mark keeps the sequence for 30 days (R32).

        False if a newer state is there: the user came back after the erasure.
        """
        (erased,) = self._erase.run([(state_key(space, user), (sequence, MARK))])
        return bool(erased)

    def get_state(self, space: str, user: str) -> State | None:
        """Read where a user stands; None for one that is unknown or was erased."""
        fields = ["sequence", "at", "flows", "promotions"]
        held = patiently(lambda: self._client.hmget(state_key(space, user), fields))
        sequence, at, flows, promotions = held
        if sequence is None or at is None or flows is None or promotions is None:
            return None
        return State(
            sequence=int(sequence),
            at=int(at),
            flows=msgspec.json.decode(flows, type=tuple[Data, ...]),
            promotions=msgspec.json.decode(promotions, type=dict[str, Data]),
        )

    def _call(self, space: str, state: FlowState) -> Call:
        ends = 0 if self._ttl is None or state.flows or state.promotions else self._ttl
        flows, promotions = canonical(state.flows), canonical(state.promotions)
        return (
            state_key(space, state.user),
            (state.sequence, state.at, state.id, flows, promotions, ends),
        )


def open_states(url: str, ttl: int | None = None) -> FlowStates:
    """Open the flow states of a Redis by its address; it connects at the first use."""
    return FlowStates(connect(url), ttl)


def state_key(space: str, user: str) -> str:
    """Name the key of a user's state."""
    return key_of(space, "state", user)


def _states(outputs: Iterable[tuple[str, Record]], refused: Refused) -> Iterator[tuple[str, Told]]:
    for space, output in fitting(outputs, refused):
        if isinstance(output, Told):
            yield space, output
        else:
            refused.add(getattr(output, "id", ""), f"Redis keeps no {name_of(output)}")


def _newest(batch: list[tuple[str, Told]]) -> Iterable[tuple[str, Told]]:
    """Keep the newest state of each user: the others would be overwritten at once."""
    found: dict[tuple[str, str], Told] = {}
    for space, state in batch:
        held = found.get((space, state.user))
        if held is None or state.sequence > held.sequence:
            found[space, state.user] = state
    return [(space, state) for (space, _), state in found.items()]
