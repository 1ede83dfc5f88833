"""SQL views over the tables of a replay: one per kind, also for empty ones, and some derived ones.

No column is a keyword that needs quotes. Times are timestamps without a zone, in UTC.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec

import schemas
from pipelines.replay.database import in_memory, parquet, quoted
from transforms import metrics
from transforms.sinks.part_files import UNFINISHED, listed
from transforms.wire.rows import Field, fields

DATABASE = "results.duckdb"
RENAMED = {"at": "happened_at", "user": "user_id", "to": "to_user_id", "silent": "in_holdout"}
TYPES = {
    "string": "varchar",
    "json": "varchar",
    "long": "bigint",
    "double": "double",
    "boolean": "boolean",
    "bytes": "blob",
    "time": "timestamp",
    "strings": "varchar[]",
}
SESSIONS = """
    select arg_max(user_id, sequence) as user_id, flow, arg_max(version, sequence) as version,
           session, arg_max("key", sequence) as "key", arg_max(in_holdout, sequence) as in_holdout,
           min(happened_at) as entered_at,
           max(happened_at) filter (what = 'ended') as ended_at,
           arg_max(coalesce(reason, 'completed'), sequence) filter (what = 'ended') as end_reason,
           arg_max(step, sequence) as step,
           max(happened_at) filter (what = 'reached') as since
    from transition group by flow, session"""
ABOUT_SESSIONS = (
    "One row per session: where it is now (step, since), or when and why it ended (ended_at is null "
    "while it is active)."
)
EXAMPLES = (
    (
        "Where does everybody wait now?",
        (
            "select flow, step, count(*) as waiting from sessions where ended_at is null "
            "group by all order by all"
        ),
    ),
    (
        "How many messages are there per month?",
        (
            "select strftime(happened_at, '%Y-%m') as month, flow, count(*) as messages from message "
            "group by all order by all"
        ),
    ),
    (
        "How many sessions and users reached the goals, with the flow and in the holdout?",
        (
            "select flow, goal, in_holdout, count(*) as sessions, count(distinct user_id) as users "
            "from conversion group by all order by all"
        ),
    ),
    (
        "Why was a message not sent?",
        (
            "select flow, step, reason, count(*) as messages from communication "
            "where reason is not null group by all order by all"
        ),
    ),
    (
        "How many sessions start per day?",
        (
            "select start, flow, value from flow_metric_day where metric = 'entries' "
            "order by all limit 5"
        ),
    ),
    (
        "What happened to one user, in order?",
        (
            "select happened_at, flow, step, what, reason from transition "
            "where user_id = (select min(user_id) from transition) order by sequence limit 5"
        ),
    ),
)
"""Questions, and the queries that answer them."""


class View(msgspec.Struct, frozen=True, gc=False):
    """A view: its name, what a row is, its columns, and its query."""

    view: str
    about: str
    columns: tuple[str, ...]
    query: str


def views_of(out: Path, distinct: bool = False) -> list[View]:
    """Return the views over the results in a folder, in the order in which they can be created.

    ``distinct`` drops duplicate rows, which a streaming job that lost its state may write.
    """
    found = [_table(kind, out, distinct) for kind in schemas.OUTPUTS]
    columns = ("user_id", "flow", "version", "session", "key", "in_holdout", "entered_at",
               "ended_at", "end_reason", "step", "since")  # fmt: skip
    found.append(View("sessions", ABOUT_SESSIONS, columns, SESSIONS))
    for kind in schemas.METRICS:
        found += _windows(kind, out)
    return found


def create_views(database: duckdb.DuckDBPyConnection, out: Path, distinct: bool = False) -> None:
    """Create all views in a database, with a comment each."""
    for view in views_of(out, distinct):
        database.execute(f"create view {view.view} as {view.query}")
        database.execute(f"comment on view {view.view} is {quoted(view.about)}")


def open_views(out: Path, distinct: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a database in memory with all views over the results in a folder."""
    database = in_memory()
    create_views(database, out, distinct)
    return database


def write_database(out: Path) -> None:
    """Write ``results.duckdb``: the views, with absolute paths to the tables."""
    partly = out / f"{UNFINISHED}{os.getpid()}"
    partly.unlink(missing_ok=True)
    with duckdb.connect(str(partly)) as database:
        create_views(database, out.absolute())
    partly.replace(out / DATABASE)


def _table(kind: str, out: Path, distinct: bool) -> View:
    names = [field.name for field in fields(kind)]
    columns = tuple(RENAMED.get(name, name) for name in names)
    query = _query(kind, fields(kind), out, distinct=distinct)
    return View(kind, schemas.load(kind)["doc"], columns, query)


def _windows(kind: str, out: Path) -> Iterator[View]:
    """Yield a view per window: rows of different windows count the same things again."""
    kept = tuple(field for field in fields(kind) if field.name != "window")
    whole = "flow" if kind == "flow_metric" else "step"
    for window in metrics.WINDOWS:
        about = f"A metric of a {whole} in one {window}; start is its first instant, UTC."
        query = _query(kind, kept, out, f"\"window\" = '{window}'")
        yield View(f"{kind}_{window}", about, tuple(field.name for field in kept), query)


def _query(
    kind: str, kept: tuple[Field, ...], out: Path, where: str = "", distinct: bool = False
) -> str:
    paths = listed(kind, out)
    if not paths:
        empty = ", ".join(f'null::{TYPES[f.kind]} as "{_named(f)}"' for f in kept)
        return f"select {empty} where false"
    columns = ", ".join(f'{_value(f)} as "{_named(f)}"' for f in kept)
    select = "select distinct" if distinct else "select"
    return f"{select} {columns} from {parquet(paths)}" + (f" where {where}" if where else "")


def _named(field: Field) -> str:
    return RENAMED.get(field.name, field.name)


def _value(field: Field) -> str:
    return f"\"{field.name}\" at time zone 'UTC'" if field.kind == "time" else f'"{field.name}"'
