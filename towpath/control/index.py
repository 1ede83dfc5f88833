"""The controller's index: known users, live sessions and tests, folded from the outputs.

It lives in one SQLite file. A batch of outputs, with the files that it came from, is one
transaction, so a crash loses and repeats nothing; Pub/Sub messages are acknowledged after it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import msgspec

from towpath.control import index_schema as sql
from transforms.flows.protocol.outputs import (
    AnyOutput,
    AudienceUpdate,
    Communication,
    Conversion,
    Erased,
    FromSession,
    Transition,
)

KINDS = ("transition", "audience_update", "communication", "conversion", "erased")
"""The kinds of outputs that the index reads."""

RESULTS = ("opened", "clicked", "replied")
"""Statuses of messages that may decide a split test."""

REMEMBERED = 31 * 86_400_000
"""How long an ended session is remembered, so that a late copy of a row does not revive it: as
long as a topic can keep messages."""

WAKES_OPEN = 3_600_000
"""How long a wake also reaches users whose rows arrive late."""


class InvalidIndex(Exception):
    """The file is not an index that this version can read."""


class Tally(msgspec.Struct, frozen=True, gc=False):
    """One branch of a split test: its users, and those of them with the result."""

    users: int
    results: int = 0


class Activity(msgspec.Struct, frozen=True, gc=False):
    """What the index knows of a flow: its last row, last step reached, and whether sessions live."""

    live: bool = False
    reached: int | None = None
    seen: int | None = None


class Wake(msgspec.Struct, frozen=True, gc=False):
    """Users to wake for what took effect at an instant.

    They are those in sessions of ``flow``, the known members of ``audience``, or all known users.
    """

    at: int
    flow: str = ""
    audience: str = ""


class Index:
    """An index file, opened by one thread; ``read_only`` for commands that only look."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        if read_only and not path.exists():
            raise InvalidIndex(f"{path}: there is no index; towpath flows serve makes one")
        try:
            self._db = _connect(path, read_only)
            self._check()
        except sqlite3.DatabaseError as error:
            raise InvalidIndex(f"{path}: it is not an index; {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        found = self.get("format")
        if found not in (None, sql.FORMAT):
            raise InvalidIndex(
                f"{self._path}: it has format {found}; this version reads {sql.FORMAT}"
            )

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: all of it is durable afterwards, or nothing."""
        self._db.execute("begin immediate")
        try:
            yield self._db
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    # --- what is written ---------------------------------------------------------------------

    def begin(self, space: str, since: int) -> None:
        """Note the space, and since when outputs are read; later calls keep the first instant.

        Raises InvalidIndex for the index of another space.
        """
        known = self.get("space")
        if known not in (None, space):
            raise InvalidIndex(
                f"{self._path}: it is the index of the space {known}, not of {space}"
            )
        with self.change() as db:
            for name, value in (("format", sql.FORMAT), ("space", space), ("since", str(since))):
                db.execute("insert or ignore into meta values (?, ?)", (name, value))

    def apply(
        self, outputs: Iterable[AnyOutput], now: int, files: Mapping[str, str] | None = None
    ) -> int:
        """Take outputs in, with the hashes of the files they came from; return how many they were.

        ``now`` is when they arrived. Outputs that were applied before change nothing.
        """
        count = 0
        with self.change() as db:
            for output in outputs:
                _apply(db, output, now)
                count += 1
            for path, digest in (files or {}).items():
                db.execute("insert or replace into files values (?, ?)", (path, digest))
        return count

    def forget(self, now: int) -> None:
        """Remove what is no longer needed to recognize late copies of rows."""
        with self.change() as db:
            db.execute("delete from sessions where ended <= ?", (now - REMEMBERED,))
            db.execute("delete from erased where until <= ?", (now - REMEMBERED,))

    def keep_files(self, paths: Iterable[str]) -> None:
        """Forget the files that no manifest lists any more."""
        kept = set(paths)
        stale = [(p,) for (p,) in self._db.execute("select path from files") if p not in kept]
        if stale:
            with self.change() as db:
                db.executemany("delete from files where path = ?", stale)

    # --- what is read ------------------------------------------------------------------------

    def get(self, name: str) -> str | None:
        """Return a named value."""
        found = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def files(self) -> dict[str, str]:
        """Return the hashes of the files that were read, by path."""
        return dict(self._db.execute("select path, hash from files"))

    def users(self) -> int:
        """Count the known users."""
        return int(self._db.execute("select count(*) from users").fetchone()[0])

    def sessions_of(self, flow: str) -> dict[tuple[int, str], int]:
        """Count the live sessions of a flow, by version and step."""
        found = self._db.execute(sql.COUNT_SESSIONS, (flow,))
        return {(version, step): count for version, step, count in found}

    def activity_of(self, flow: str) -> Activity:
        """Return what is known of a flow."""
        live = "select 1 from sessions where flow = ? and ended is null limit 1"
        reached = "select max(reached) from steps where flow = ?"
        seen = "select seen from flows where flow = ?"
        one = self._one
        return Activity(one(live, flow) is not None, one(reached, flow), one(seen, flow))

    def tallies_of(self, flow: str, version: int, step: str, metric: str) -> dict[str, Tally]:
        """Count the users of each branch of a split, and those of them with a result."""
        users = dict(self._db.execute(sql.COUNT_ARMS, (flow, version, step)))
        some = dict(self._db.execute(sql.COUNT_RESULTS, (flow, version, step, metric)))
        return {branch: Tally(count, some.get(branch, 0)) for branch, count in users.items()}

    def _one(self, query: str, *values: object) -> int | None:
        found = self._db.execute(query, values).fetchone()
        return None if found is None else found[0]

    # --- wakes -------------------------------------------------------------------------------

    def add_wakes(self, wakes: Sequence[Wake], until: int) -> None:
        """Add wakes, and note until which instant they are complete."""
        with self.change() as db:
            for wake in wakes:
                row = (wake.at, wake.flow, wake.audience)
                db.execute("insert or ignore into wakes (at, flow, audience) values (?, ?, ?)", row)
            db.execute("insert or replace into meta values ('woken', ?)", (str(until),))

    def wakes(self) -> list[tuple[Wake, int]]:
        """Return the open wakes with their positions: users in sessions first, all users last."""
        order = "order by flow = '', audience = '', at"
        found = self._db.execute(f"select at, flow, audience, cursor from wakes {order}")
        return [(Wake(at, flow, audience), cursor) for at, flow, audience, cursor in found]

    def to_wake(self, wake: Wake, cursor: int, limit: int) -> list[tuple[int, str]]:
        """Return the next users of a wake after a position, each with its position."""
        values: tuple[object, ...]
        if wake.flow:
            query, values = sql.WAKE_SESSIONS, (wake.flow, cursor, wake.at, limit)
        elif wake.audience:
            query, values = sql.WAKE_MEMBERS, (wake.audience, cursor, limit)
        else:
            query, values = sql.WAKE_USERS, (cursor, limit)
        return list(self._db.execute(query, values))

    def woke(self, wake: Wake, cursor: int, now: int) -> None:
        """Note the position of a wake; a complete one stays open for rows that arrive late."""
        row = (wake.at, wake.flow, wake.audience)
        with self.change() as db:
            where = "where (at, flow, audience) = (?, ?, ?)"
            db.execute(f"update wakes set cursor = ? {where}", (cursor, *row))
            if now >= wake.at + WAKES_OPEN and not self.to_wake(wake, cursor, 1):
                db.execute(f"delete from wakes {where}", row)


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    address = f"{path.absolute().as_uri()}?mode={mode}"
    db = sqlite3.connect(address, uri=True, isolation_level=None, timeout=10)
    if not read_only:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = full")
        db.execute("pragma secure_delete = on")
        db.executescript(sql.SCHEMA)
    return db


def _apply(db: sqlite3.Connection, output: AnyOutput, now: int) -> None:
    """Apply one output, unless its user was erased since."""
    if isinstance(output, Erased):
        _erase(db, output)
        return
    gone = db.execute("select at from erased where mark = ?", (_mark(output.user),)).fetchone()
    if gone is not None and output.at <= gone[0]:
        return
    db.execute(sql.ADD_USER, (output.user,))
    match output:
        case Transition():
            _move(db, output, now)
        case AudienceUpdate():
            row = (output.audience, output.user, output.entered, output.at)
            db.execute(sql.MOVE_MEMBER, row)
        case Communication() if output.status in RESULTS and output.variant:
            _result(db, output, output.variant, output.status)
        case Conversion() if not output.silent:
            for variant in output.variants:
                _result(db, output, variant, output.goal)
        case _:
            pass


def _move(db: sqlite3.Connection, row: Transition, now: int) -> None:
    ended = now if row.what == "ended" else None
    place = (row.session, row.user, row.flow, row.version, row.step)
    db.execute(sql.MOVE_SESSION, (*place, row.sequence, row.at, row.at, ended))
    db.execute(sql.SEE_FLOW, (row.flow, row.at))
    if row.what in ("entered", "reached"):
        db.execute(sql.REACH_STEP, (row.flow, row.version, row.step, row.at))
    step, _, branch = (row.variant or "").partition("=")
    if row.what == "left" and branch and step == row.step and not row.silent:
        db.execute(sql.JOIN_ARM, (row.flow, row.version, step, branch, row.user, row.at))


def _result(db: sqlite3.Connection, output: FromSession, variant: str, metric: str) -> None:
    step, _, branch = variant.partition("=")
    place = (output.flow, output.version, step, branch, metric, output.user, output.at)
    db.execute(sql.ADD_RESULT, place)


def _erase(db: sqlite3.Connection, output: Erased) -> None:
    db.execute(sql.MARK_ERASED, (_mark(output.user), output.at, output.until))
    for query in sql.ERASE:
        db.execute(query, (output.user, output.at))
    db.execute(sql.FORGET_USER, (output.user,))


def _mark(user: str) -> bytes:
    """Return a hash of a user's key: what is remembered of an erased user has no personal data."""
    return blake2b(user.encode(errors="surrogatepass"), digest_size=16).digest()
