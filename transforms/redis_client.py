"""Redis and Valkey: a client that retries a lost connection, and scripts sent in pipelines.

A call may arrive twice, so every script must be idempotent (R31).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - the client's own error of that name
    NoScriptError,
    ReadOnlyError,
    RedisError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)
from redis.retry import Retry

from transforms.wire.secrets import address_of

T = TypeVar("T")
Call = tuple[str, Sequence[str | bytes | int]]
"""The key and the arguments of a script's call."""

TRANSIENT = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    TryAgainError,
    NoScriptError,
)
"""Transient errors: the server is unreachable, starting, currently a replica, or has lost the script."""

TIMEOUT = 5.0
LONGEST_PAUSE = 2.0
FIRST_PAUSE = 0.02
ATTEMPTS = 8  # about six seconds of pauses; then the caller retries


def connect(url: str) -> redis.Redis:
    """Make a client for a ``redis://``, ``rediss://`` or ``unix://`` address; it connects lazily.

    ``env:NAME`` reads the address from that environment variable; ValueError if it is not set.
    """
    # The client does not retry: ``with_retries`` does, for a whole batch.
    return redis.Redis.from_url(
        address_of(url),
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 0),
    )


def key_of(space: str, *parts: str) -> str:
    """Build a key ``towpath:SPACE:…``; a colon in the space's name is escaped."""
    return ":".join(["towpath", quote(space, safe=""), *parts])


def with_retries(work: Callable[[], T], mend: Callable[[Exception], Any] = lambda _: None) -> T:
    """Retry work with growing pauses after transient errors.

    ``mend`` is called before each pause. Raises the last error after ``ATTEMPTS``.
    """
    return Retry(
        ExponentialBackoff(LONGEST_PAUSE, FIRST_PAUSE), ATTEMPTS, TRANSIENT
    ).call_with_retry(work, mend)


class Script:
    """A Lua script on one key, called by its hash in pipelines."""

    def __init__(self, client: redis.Redis, text: str) -> None:
        self._client = client
        self._text = text
        self._hash = client.register_script(text).sha

    def run(self, calls: Sequence[Call]) -> list[Any]:
        """Run the calls in order, in one round trip, and return their answers."""
        return with_retries(lambda: self._run(calls), self._mend)

    def _run(self, calls: Sequence[Call]) -> list[Any]:
        with self._client.pipeline(transaction=False) as pipeline:
            for key, arguments in calls:
                pipeline.evalsha(self._hash, 1, key, *arguments)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        errors = [answer for answer in answers if isinstance(answer, RedisError)]
        if errors:
            # Permanent errors first: a retry would not help.
            raise min(errors, key=lambda error: isinstance(error, TRANSIENT))
        return answers

    def _mend(self, error: Exception) -> None:
        match error:
            case NoScriptError():
                self._client.script_load(self._text)
            case ReadOnlyError():  # the address may resolve to another server now
                self._client.connection_pool.disconnect(inuse_connections=False)
            case _:
                pass
