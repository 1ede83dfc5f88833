"""Parses the words that the command lines of the streaming jobs, on every runner, have in common."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from urllib.parse import urlsplit

from transforms.flows.catalog.epochs import NEVER
from transforms.hosting.allowed import EVERYTHING, KINDS, Source
from transforms.sources.control_log.log import LOGS
from transforms.wire.secrets import PREFIX

REDIS = ("redis", "rediss", "unix")

TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""The name of a topic of Kafka."""

HANDOVER, HANDOVERS = "handover", "handovers"
"""The kind of the records that the job sends to itself, and the topic of their own."""


def at_least(least: int, most: int = 999_999_999) -> Callable[[str], int]:
    """Make a parser of integers with a minimum; it raises ArgumentTypeError."""

    def read(word: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", word) or int(word) < least:
            raise argparse.ArgumentTypeError(f'"{word}" is not an integer of at least {least}')
        if int(word) > most:
            raise argparse.ArgumentTypeError(f'"{word}" is more than {most}')
        return int(word)

    return read


def idle(word: str) -> int:
    """Parse ``--idle`` to ms. Raises ArgumentTypeError."""
    if word == "never":
        return NEVER
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= NEVER / 1000:
        raise argparse.ArgumentTypeError(f'"{word}" is neither a number of seconds nor "never"')
    return round(seconds * 1000)


def subscription(word: str) -> str:
    """Parse the name of a subscription of Pub/Sub. Raises ArgumentTypeError."""
    if not re.fullmatch("projects/[^/]+/subscriptions/[^/]+", word):
        raise argparse.ArgumentTypeError(f'"{word}" is not projects/P/subscriptions/S')
    return word


def kafka_topic(word: str) -> str:
    """Parse a name that may be that of a topic of Kafka. Raises ArgumentTypeError."""
    if not TOPIC.fullmatch(word):
        raise argparse.ArgumentTypeError(
            f'"{word}" must have 1 to 249 characters of A-Z, a-z, 0-9, ".", "_" and "-"'
        )
    return word


def kafka_property(word: str) -> tuple[str, str]:
    """Parse ``NAME=VALUE``. Raises ArgumentTypeError, which does not show the value: it may be secret."""
    name, equals, value = word.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("a property is NAME=VALUE")
    return name, value


def check_kinds(said: str) -> None:
    """Raise ArgumentTypeError unless a source must be allowed each of the kinds between commas."""
    for kind in said.split(","):
        if kind not in KINDS:
            close = get_close_matches(kind, KINDS, 1)
            hint = f'did you mean "{close[0]}"?' if close else f"it is one of {', '.join(KINDS)}"
            raise argparse.ArgumentTypeError(f'"{kind}" is not a kind that needs "=": {hint}')


def sources_of(given: Sequence[str]) -> list[Source]:
    """Parse names of sources, each with the kinds that it may bring: ``NAME[=KIND,KIND]``."""
    parts = [word.partition("=") for word in given]
    return [Source(name, frozenset(said.split(",")) & EVERYTHING) for name, _, said in parts]


def control_word(word: str, schemes: Iterable[str] = LOGS) -> str:
    """Parse one ``--control``. Raises ArgumentTypeError if its scheme is not one of ``schemes``."""
    name, address = named(word)
    if not address or name == "":
        raise argparse.ArgumentTypeError(f'"{word}" is not [SPACE=]ADDRESS')
    check_scheme(address, schemes, "read a control log from")
    return word


def control_of(given: Sequence[str], space: str) -> dict[str, str]:
    """Parse ``[SPACE=]ADDRESS`` words. Raises ArgumentTypeError for two logs of one space."""
    found: dict[str, str] = {}
    for word in given:
        said, address = named(word)
        name = space if said is None else said
        if name in found:
            raise argparse.ArgumentTypeError(f"space {name} has two control logs")
        found[name] = address
    return found


def named(word: str) -> tuple[str | None, str]:
    """Split ``[SPACE=]ADDRESS``; the space is None if it is not given."""
    name, equals, address = word.partition("=")
    if not equals or "/" in name or "?" in name:  # the = belongs to the address
        return None, word
    return name, address


def check_scheme(address: str, schemes: Iterable[str], what: str) -> None:
    """Raise ArgumentTypeError, which never shows a password, unless an address has one of the schemes."""
    if address.startswith(PREFIX):
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", address.removeprefix(PREFIX)):
            raise argparse.ArgumentTypeError("env: must be followed by the name of a variable")
        return
    try:
        parts = urlsplit(address)
        _ = parts.port if parts.scheme in REDIS else None
    except ValueError:  # its text may contain a part of a password
        raise argparse.ArgumentTypeError(
            "the address is not a valid URL: check host and port"
        ) from None
    if parts.scheme not in schemes:
        known = ", ".join(f"{name}://" for name in schemes if name)
        said = f'cannot {what} "{parts.scheme}://"; supported: {known}'
        raise argparse.ArgumentTypeError(said)


def redis_address(word: str) -> str:
    """Parse the address of a Redis. Raises ArgumentTypeError, which never shows a password."""
    check_scheme(word, REDIS, "connect to Redis at")
    return word
