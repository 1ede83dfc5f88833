"""Redis and Valkey: a client that waits out a lost connection, and scripts sent in pipelines.

Whatever is sent may arrive twice, so every script must be harmless when repeated (R31).
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
"""The key of a script's call, and its arguments."""

PASSING = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    TryAgainError,
    NoScriptError,
)
"""Errors that pass: a server that is gone, starting, a replica just now, or new and empty."""

TIMEOUT = 5.0
LONGEST_PAUSE = 2.0
FIRST_PAUSE = 0.02
ATTEMPTS = 8  # about six seconds of pauses; then the caller's own retry has its turn


def connect(url: str) -> redis.Redis:
    """Make a client of a ``redis://``, ``rediss://`` or ``unix://`` address; it connects later.

    ``env:NAME`` is the address in that environment variable; ValueError if it is not set.
    """
    # Pauses are made in one place, around a whole batch, so the client itself makes none.
    return redis.Redis.from_url(
        address_of(url),
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 0),
    )


def key_of(space: str, *parts: str) -> str:
    """Name a key: ``towpath:SPACE:…``; a colon within the space's name is escaped."""
    return ":".join(["towpath", quote(space, safe=""), *parts])


def patiently(work: Callable[[], T], mend: Callable[[Exception], Any] = lambda _: None) -> T:
    """Do the work again, after growing pauses, while what it raises may pass.

    ``mend`` is called before each pause. Raises the last error when patience ends.
    """
    return Retry(ExponentialBackoff(LONGEST_PAUSE, FIRST_PAUSE), ATTEMPTS, PASSING).call_with_retry(
        work, mend
    )


class Script:
    """A Lua script on one key, called in pipelines by its hash."""

    def __init__(self, client: redis.Redis, text: str) -> None:
        self._client = client
        self._text = text
        self._hash = client.register_script(text).sha

    def run(self, calls: Sequence[Call]) -> list[Any]:
        """Run the calls in order, in one round trip; give their answers."""
        return patiently(lambda: self._run(calls), self._mend)

    def _run(self, calls: Sequence[Call]) -> list[Any]:
        with self._client.pipeline(transaction=False) as pipeline:
            for key, arguments in calls:
                pipeline.evalsha(self._hash, 1, key, *arguments)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        errors = [answer for answer in answers if isinstance(answer, RedisError)]
        if errors:
            # One that stays is told before one that passes: a retry would not help it.
            raise min(errors, key=lambda error: isinstance(error, PASSING))
        return answers

    def _mend(self, error: Exception) -> None:
        match error:
            case NoScriptError():
                self._client.script_load(self._text)
            case ReadOnlyError():  # the address may lead to another server by now
                self._client.connection_pool.disconnect(inuse_connections=False)
            case _:
                pass
