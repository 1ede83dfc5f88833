"""A synthetic event stream: a pure function of seed, users and days.

It has profiles in several zones, consent given and withdrawn, visits, carts, orders, opens and
clicks, with the flaws of real streams: duplicates, late arrivals, clocks that run ahead,
malformed lines. Each user has a random generator of their own, so adding users does not change
the existing ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random
from typing import Any

Record = dict[str, Any]

START = 1_706_745_600_000
"""2024-02-01 in UTC: sixty days include a leap day and both DST changes (US and Europe)."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NAMES = ("Ada", "Bruno", "Chloé", "Dmitri", "Emre", "Fatima", "Łukasz", "Ngozi", "Søren", "陽子")
ZONES = (
    "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Kolkata", "Asia/Tokyo",
    "Australia/Lord_Howe", "Pacific/Chatham", "Africa/Cairo", "UTC",
)  # fmt: skip
NO_ZONES = ("Mars/Olympus_Mons", "CEST+2", "")
PLANS = ("free", "basic", "pro")
PAGES = ("home", "search", "product", "pricing", "help")
CHANNELS = ("email", "sms", "push")


def lines(seed: int, users: int, days: int, bad: int = 0) -> Iterator[str]:
    """Yield the stream as JSON lines in order of arrival, including ``bad`` malformed lines."""
    whole = [json.dumps(record, ensure_ascii=False) for record in records(seed, users, days)]
    chance = Random(f"{seed}/bad")
    broken = sorted(chance.randrange(len(whole) + 1) for _ in range(bad))
    for place, line in enumerate(whole):
        while broken and broken[0] == place:
            broken.pop(0)
            yield _broken(chance, line)
        yield line
    for _ in broken:
        yield _broken(chance, '{"type": "track"}')


def records(seed: int, users: int, days: int) -> list[Record]:
    """Return the valid records in order of arrival, including duplicates."""
    made = [
        record
        for number in range(1, users + 1)
        for record in _User(seed, f"u{number:05}", START, START + days * DAY).records()
    ]
    return sorted(made, key=lambda record: (record["receivedAt"], record["messageId"]))


class _User:
    """Everything that one user does, in any order; sorted by arrival at the end."""

    def __init__(self, seed: int, user: str, start: int, end: int) -> None:
        self.user = user
        self.end = end
        self.seed = seed
        self.chance = Random(f"{seed}/{user}")
        self.joined = start + self.chance.randrange(max(1, (end - start) * 2 // 3))
        self.made: list[tuple[int, Record]] = []

    def records(self) -> list[Record]:
        self._join()
        self._change_profile()
        self._change_consent()
        day = self.joined
        keen = self.chance.choice((0.05, 0.2, 0.5))
        while day < self.end:
            if self.chance.random() < keen:
                self._visit(day + self.chance.randrange(10 * MINUTE, 14 * HOUR))
            day += DAY
        return [copy for received, record in self.made for copy in self._copies(received, record)]

    def _join(self) -> None:
        consent = {channel: self.chance.random() < 0.7 for channel in CHANNELS}
        self._identify(self.joined, self._traits(), consent)
        source = self.chance.choice(("search", "friend", "advert"))
        self._track(self.joined + SECOND, "Signed Up", {"source": source})

    def _traits(self) -> Record:
        name = self.chance.choice(NAMES)
        traits: Record = {"name": name, "plan": self.chance.choice(PLANS)}
        if self.chance.random() < 0.9:
            traits["email"] = f"{self.user}@example.com"
        if self.chance.random() < 0.6:
            traits["phone"] = f"+1555{self.chance.randrange(10_000_000):07}"
        if self.chance.random() < 0.8:
            traits["timezone"] = self._zone()
        if self.chance.random() < 0.7:
            traits["birthday"] = self._birthday()
        return traits

    def _zone(self) -> str:
        return self.chance.choice(ZONES if self.chance.random() < 0.9 else NO_ZONES)

    def _birthday(self) -> str:
        """Draw a birthday: one in twenty on a leap day, one in twenty not a valid date."""
        kind = self.chance.random()
        if kind < 0.05:
            return f"{self.chance.randrange(1948, 2005, 4)}-02-29"
        if kind < 0.1:
            return self.chance.choice(("1990-13-01", "1991-02-29", "unknown"))
        year, month = self.chance.randrange(1940, 2006), self.chance.randrange(1, 13)
        return f"{year}-{month:02}-{self.chance.randrange(1, 29):02}"

    def _change_profile(self) -> None:
        if self.chance.random() < 0.3:
            self._identify(self._later(), {"plan": self.chance.choice(PLANS)})
        if self.chance.random() < 0.15:
            self._identify(self._later(), {"timezone": self._zone()})
        if self.chance.random() < 0.1:
            self._identify(self._later(), {"phone": None})

    def _change_consent(self) -> None:
        at = self._later()
        if self.chance.random() < 0.25:
            channel = self.chance.choice(CHANNELS)
            self._identify(at, {}, {channel: False})
            if self.chance.random() < 0.4:
                self._identify(at + self.chance.randrange(HOUR, 10 * DAY), {}, {channel: True})

    def _visit(self, at: int) -> None:
        if self.chance.random() < 0.4:
            self._email(at - self.chance.randrange(MINUTE, 10 * MINUTE))
        self._track(at, "App Opened", {"platform": self.chance.choice(("ios", "android", "web"))})
        for _ in range(self.chance.randrange(1, 5)):
            at += self.chance.randrange(5 * SECOND, 5 * MINUTE)
            self._track(at, "Page Viewed", {"page": self.chance.choice(PAGES)})
        if self.chance.random() < 0.35:
            self._shop(at)

    def _email(self, at: int) -> None:
        subject = self.chance.choice(("News of the week", "Your cart is waiting", "Hello"))
        self._track(at, "Email Opened", {"subject": subject})
        if self.chance.random() < 0.5:
            self._track(
                at + self.chance.randrange(SECOND, MINUTE), "Email Clicked", {"link": "shop"}
            )

    def _shop(self, at: int) -> None:
        cart, cents = f"{self.user}-c{len(self.made)}", 0
        for _ in range(self.chance.randrange(1, 4)):
            at += self.chance.randrange(20 * SECOND, 10 * MINUTE)
            cents += self.chance.randrange(500, 12_000)
            self._track(at, "Cart Updated", {"cart_id": cart, "value": cents / 100})
        if self.chance.random() < 0.5:
            at += self.chance.choice((5 * MINUTE, 3 * HOUR, 2 * DAY))
            self._track(at, "Order Completed", {"cart_id": cart, "total": cents / 100})

    def _later(self) -> int:
        return self.joined + self.chance.randrange(HOUR, max(2 * HOUR, self.end - self.joined))

    def _track(self, at: int, event: str, properties: Record) -> None:
        self._add(at, {"type": "track"}, {"event": event, "properties": properties})

    def _identify(self, at: int, traits: Record, consent: dict[str, bool] | None = None) -> None:
        fields: Record = {"traits": traits}
        if consent:
            fields["consent"] = consent
        self._add(at, {"type": "identify"}, fields)

    def _add(self, at: int, kind: Record, what: Record) -> None:
        """Add a record, unless it is after the end of the stream."""
        received = self._ingestion_time(at)
        if at >= self.end or received >= self.end:
            return
        name = f"{self.seed}/{self.user}/{len(self.made)}"
        ids: Record = {
            "messageId": blake2b(name.encode(), digest_size=8).hexdigest(),
            "userId": self.user,
            "timestamp": _iso(at),
            "receivedAt": _iso(received),
        }
        self.made.append((received, kind | ids | what))

    def _ingestion_time(self, at: int) -> int:
        """Draw the ingestion time: soon, sometimes up to two days late, rarely before the event."""
        kind = self.chance.random()
        if kind < 0.03:
            return at + self.chance.randrange(10 * MINUTE, 2 * DAY)
        if kind < 0.035:
            return at - self.chance.randrange(SECOND, HOUR)
        return at + self.chance.randrange(50, 3 * SECOND)

    def _copies(self, received: int, record: Record) -> list[Record]:
        """Duplicate a few: unchanged (a broker's redelivery), or retried and received later."""
        kind = self.chance.random()
        if kind < 0.015:
            return [record, record]
        if kind < 0.02:
            again = received + self.chance.randrange(SECOND, MINUTE)
            return [record, record | {"receivedAt": _iso(again)}]
        return [record]


def _iso(at: int) -> str:
    seconds, rest = divmod(at, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def _broken(chance: Random, line: str) -> str:
    """Return a malformed line."""
    return chance.choice(
        (
            line[: chance.randrange(1, len(line))],
            '{"type": "track", "event": "Page Viewed", "timestamp": "2024-02-30T00:00:00Z"}',
            '{"type": "track", "userId": "u00001", "timestamp": "yesterday", "event": "App Opened"}',
            '{"type": "dance", "userId": "u00001", "timestamp": "2024-02-10T00:00:00Z"}',
            '{"type": "track", "userId": "u00001", "timestamp": "2024-02-10T00:00:00Z"}',
            "[1, 2, 3]",
            "not JSON",
        )
    )
