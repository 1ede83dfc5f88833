"""The control log in Redis: a stream whose entry ids are the records' sequences.

The instant until which it is complete is a string beside the stream. Scripts change both, so a
writer appends only on top of the records that it read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
import redis

from transforms.flows.protocol.control_records import ControlRecord, decode_line, encode_line
from transforms.redis_client import connect, key_of, with_retries
from transforms.sources.control_log.log import NOTHING, LogError, Read
from transforms.wire.secrets import address_of

RECORD = "record"
APPEND = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local after = #last > 0 and last[1][1] or ''
if after ~= ARGV[1] then
  -- The call may have arrived before: then the log ends with its records.
  local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
  local found = redis.call('XRANGE', KEYS[1], from, '+')
  if #found ~= (#ARGV - 1) / 3 then return 'conflict' end
  for n, entry in ipairs(found) do
    if entry[1] ~= ARGV[3 * n - 1] or entry[2][2] ~= ARGV[3 * n + 1] then return 'conflict' end
  end
  return 'written'
end
local complete = tonumber(redis.call('GET', KEYS[2]) or '-1')
for n = 2, #ARGV, 3 do
  if tonumber(ARGV[n + 1]) <= complete then return 'late' end
end
for n = 2, #ARGV, 3 do redis.call('XADD', KEYS[1], ARGV[n], 'record', ARGV[n + 2]) end
return 'written'
"""
"""Appends after the entry ARGV[1], which is the last: ids, effective times and bodies of records."""
COMPLETE = """
local held = redis.call('GET', KEYS[1]) or '-1'
if held ~= ARGV[1] and held ~= ARGV[2] then return 'conflict' end
redis.call('SET', KEYS[1], ARGV[2])
return 'written'
"""
"""Replaces the instant ARGV[1] by ARGV[2]."""


class RedisLog:
    """The control log of a space, for readers and for the writers' store."""

    def __init__(self, client: redis.Redis, space: str) -> None:
        self._client = client
        self.name = key_of(space, "control")
        self._until = key_of(space, "control", "complete_until")
        self._append = client.register_script(APPEND)
        self._complete = client.register_script(COMPLETE)

    def append(self, after: int | None, records: Sequence[ControlRecord]) -> str:
        """Append records if ``after`` is the last sequence, None if there is none.

        Return ``written``, ``conflict`` or ``late``; a repeated call changes nothing.
        """
        arguments: list[str | bytes | int] = ["" if after is None else _id(after)]
        for record in records:
            arguments += [_id(record.sequence), record.effective_at, encode_line(record)]
        return self._run(self._append, [self.name, self._until], arguments)

    def complete(self, before: int, until: int) -> str:
        """Replace the instant until which the log is complete; return ``written`` or ``conflict``."""
        return self._run(self._complete, [self._until], [before, until])

    def _run(self, script: Any, keys: list[str], arguments: Sequence[str | bytes | int]) -> str:
        try:
            answer = with_retries(lambda: script(keys=keys, args=arguments))
        except redis.RedisError as error:
            raise LogError(f"{self.name}: {error}") from None
        return cast(bytes, answer).decode()

    def read_since(self, sequence: int | None) -> Read:
        after = "-" if sequence is None or sequence < 0 else f"({_id(sequence)}"
        try:
            until = with_retries(lambda: self._client.get(self._until))
            entries = with_retries(lambda: self._client.xrange(self.name, after, "+"))
        except redis.RedisError as error:
            raise LogError(f"{self.name}: {error}") from None
        return Read(
            tuple(self._record(fields) for _, fields in cast(list[Any], entries)),
            NOTHING if until is None else int(until),
        )

    def _record(self, fields: dict[bytes, bytes]) -> ControlRecord:
        try:
            record: ControlRecord = decode_line(fields.get(RECORD.encode(), b""))
        except msgspec.DecodeError as error:
            raise LogError(f"{self.name}: not a control record; {error}") from None
        return record


def _id(sequence: int) -> str:
    return f"{sequence}-1"


def open_log(address: str) -> RedisLog:
    """Open the log at a Redis address, or ``env:NAME``; ``?space=NAME`` selects the space."""
    parts = urlsplit(address_of(address))
    query = dict(parse_qsl(parts.query))
    space = query.pop("space", "default")
    return RedisLog(connect(urlunsplit(parts._replace(query=urlencode(query)))), space)
