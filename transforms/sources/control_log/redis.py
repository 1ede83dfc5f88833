"""The control log in Redis: a stream whose entry ids are the records' sequences.

There is one writer. Appending a record again with the same bytes changes nothing. A different
record with an existing sequence, or one before the last, is rejected: there is a second writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
import redis

from transforms.flows.protocol.control_records import ControlRecord, decode_line, encode_line
from transforms.redis_client import Script, connect, key_of, with_retries
from transforms.sources.control_log.log import NOTHING, LogError, Read
from transforms.wire.secrets import address_of

RECORD = "record"
APPEND = """
local id = ARGV[1] .. '-1'
local held = redis.call('XRANGE', KEYS[1], id, id)
if #held > 0 then
  if held[1][2][2] == ARGV[2] then return 0 end
  return -1
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #last > 0 and tonumber(string.match(last[1][1], '^%d+')) > tonumber(ARGV[1]) then return -1 end
redis.call('XADD', KEYS[1], id, 'record', ARGV[2])
return 1
"""
COMPLETE = """
local held = redis.call('GET', KEYS[1])
if held and tonumber(held) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""


class SecondWriterError(Exception):
    """A record contradicts one that is already in the log."""


class RedisLog:
    """The control log of a space, for the writer and for readers."""

    def __init__(self, client: redis.Redis, space: str) -> None:
        self._client = client
        self._records = key_of(space, "control")
        self._until = key_of(space, "control", "complete_until")
        self._append = Script(client, APPEND)
        self._complete = Script(client, COMPLETE)

    def append(self, records: Sequence[ControlRecord]) -> None:
        """Append records in the order of their sequences, from 0; repeats change nothing.

        Raises SecondWriterError for a record that contradicts the log; later ones may be written.
        """
        for record in records:
            if record.sequence < 0:
                raise ValueError(f"sequence {record.sequence} is less than 0")
        calls = [(self._records, (r.sequence, encode_line(r))) for r in records]
        for record, answer in zip(records, self._append.run(calls), strict=True):
            if answer < 0:
                detail = f"record {record.sequence} contradicts {self._records}"
                raise SecondWriterError(f"{detail}: is there a second writer?")

    def complete(self, until: int) -> None:
        """Declare the log complete until an instant; an earlier instant than before changes nothing."""
        self._complete.run([(self._until, (until,))])

    def read_since(self, sequence: int | None) -> Read:
        after = "-" if sequence is None or sequence < 0 else f"({sequence}-1"
        try:
            until = with_retries(lambda: self._client.get(self._until))
            entries = with_retries(lambda: self._client.xrange(self._records, after, "+"))
        except redis.RedisError as error:
            raise LogError(f"{self._records}: {error}") from None
        return Read(
            tuple(self._record(fields) for _, fields in cast(list[Any], entries)),
            NOTHING if until is None else int(until),
        )

    def _record(self, fields: dict[bytes, bytes]) -> ControlRecord:
        try:
            record: ControlRecord = decode_line(fields.get(RECORD.encode(), b""))
        except msgspec.DecodeError as error:
            raise LogError(f"{self._records}: not a control record; {error}") from None
        return record


def open_log(address: str) -> RedisLog:
    """Open the log at a Redis address, or ``env:NAME``; ``?space=NAME`` selects the space."""
    parts = urlsplit(address_of(address))
    query = dict(parse_qsl(parts.query))
    space = query.pop("space", "default")
    return RedisLog(connect(urlunsplit(parts._replace(query=urlencode(query)))), space)
