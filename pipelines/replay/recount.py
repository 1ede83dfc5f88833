"""Metrics of steps and flows, counted from the tables by SQL (R25).

A test checks that they equal those of ``transforms.metrics``, which counts row by row. SQL is here
because a hundred million rows must not pass through Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.replay.database import in_memory, parquet
from pipelines.replay.tables import GROUP, part_of, writer
from transforms import metrics
from transforms.sinks.part_files import Part, listed
from transforms.wire.arrow import arrow_schema

FILE = "part-0.parquet"
LARGEST = 10.0**30
EXACT = pa.decimal128(38)
AT_ONCE = 100_000

# By table: queries for instant, flow, version, step (null: the flow as a whole), metric, reason and
# amount.
PARTS: dict[str, tuple[str, ...]] = {
    "transition": (
        "select instant, flow, version, null, apart || 'entries', '', n from transition where what = 'entered'",
        "select instant, flow, version, step, apart || 'arrivals', '', n from transition where what = 'reached'",
        """select instant, flow, version, step, apart || 'first_arrivals', '', firsts
           from transition where what = 'reached'""",
        "select instant, flow, version, step, apart || 'left', '', n from transition where what = 'left'",
        """select instant, flow, version, step, apart || 'time_in_step', '', spent
           from transition where what = 'left' and spent is not null""",
        """select instant, flow, version, null, apart || 'exits',
                  coalesce(nullif(reason, ''), 'completed'), n
           from transition where what = 'ended'""",
    ),
    "communication": (
        """select instant, flow, version, step, 'suppressed', reason, 1 from communication
           where status in ('skipped', 'expired', 'canceled') and reason is not null""",
        """select instant, flow, version, step, status, '', 1 from communication
           where not (status in ('skipped', 'expired', 'canceled') and reason is not null)
             and status not in ('planned', 'active')""",
        """select instant, flow, version, unnest([step, null]), 'parts', '', parts
           from communication where parts is not null""",
        """select instant, flow, version, unnest([step, null]), 'cost', '', money(cost)
           from communication where cost is not null""",
        """select instant, flow, version, unnest([step, null]), 'reported_cost', '',
                  money(reported_cost) from communication where reported_cost is not null""",
    ),
    "message": (
        """select instant, flow, version, unnest([step, null]), 'messages', '', n
           from (select instant // 60000 * 60000 as instant, flow, version, step,
                        count(*) as n from message group by all)""",
    ),
    "call": (
        "select instant, flow, version, step, 'calls', kind, 1 from call",
        """select instant, flow, version, unnest([step, null]), 'messages', '', 1 from call
           where kind = 'api'""",
    ),
    "conversion": (
        "select instant, flow, version, null, apart || 'goals', goal, 1 from conversion",
        """select instant, flow, version, null, apart || 'first_goals', goal, 1 from conversion
           where first_conversion""",
        "select instant, flow, version, null, apart || 'revenue', goal, worth from conversion",
        """select instant, flow, version, unnest(places), apart || 'conversions', goal, 1
           from conversion""",
        """select instant, flow, version, unnest(places), apart || 'first_conversions', goal, 1
           from conversion where first_conversion""",
        """select instant, flow, version, unnest(places), apart || 'revenue', goal, worth
           from conversion""",
    ),
    "rejection": (
        "select instant, coalesce(flow, ''), null, null, 'refusals', reason, 1 from rejection",
    ),
}
COUNTED = tuple(PARTS)
"""The tables that metrics are counted from."""
AMOUNTS = {"communication": ("cost", "reported_cost"), "conversion": ("value",)}
"""The columns of amounts, by table."""
APART = "case when silent then 'holdout_' else '' end as apart"
WORTH = f", {APART}, list_distinct(steps) as places, money(coalesce(value, 0)) as worth"
# Instants are integers of ms, never negative: date_trunc of a zoned timestamp takes five times as
# long. Most rows are transitions: they are read once and first counted by minute.
MOVES = """
    select epoch_ms("at") // 60000 * 60000 as instant, flow, version, step, what,
           case when what = 'ended' then reason end as reason,
           {apart}, count(*) as n,
           count(*) filter (first_arrival) as firsts,
           sum(epoch_ms("at") - epoch_ms(since)) as spent
    from {source} group by all"""
MINUTES = """
    create temp table minutes as
    select instant // 60000 * 60000 as minute, flow, version, step, metric, reason,
           sum(amount) as total
    from ({moments}) group by all"""
SUMS = """
    select {window} as win, minute // {size} * {size} as start, flow, version, step, metric,
           reason, sum(total) as total
    from minutes group by all"""
ROWS = """
    select win as window, start, flow, {version} as version, {step} metric, reason,
           case when metric in ({money}) then total::double / {unit} else total::double end as value
    from totals where {which} and total <> 0
    order by {order}"""


def recount(out: Path) -> dict[str, Part]:
    """Write ``step_metric`` and ``flow_metric`` from the tables below ``out``; return the files."""
    with in_memory() as database:
        database.execute("set preserve_insertion_order = false")
        _define_money(database, out)
        parts = list(_parts(database, out))
        if not parts:
            return {}
        database.execute(MINUTES.format(moments=" union all ".join(parts)))
        named = [(f"'{window}'", size) for window, size in metrics.WINDOWS.items()]
        windows = [SUMS.format(window=window, size=size) for window, size in named]
        database.execute(f"create temp table totals as {' union all '.join(windows)}")
        return {kind: _write(database, kind, out) for kind in ("step_metric", "flow_metric")}


def _define_money(database: duckdb.DuckDBPyConnection, out: Path) -> None:
    """Define ``money`` in SQL, by a table of all amounts: each goes through Python once.

    A Python function in DuckDB would need numpy. The names of the table's columns are in no other
    table: in the macro, they would hide columns of the query.
    """
    selects = [
        f"select {column} from {parquet(paths)}"
        for kind, names in AMOUNTS.items()
        if (paths := listed(kind, out))
        for column in names
    ]
    database.execute("create temp table amounts(known double, exact hugeint)")
    found = database.cursor().execute(" union ".join(["select 0::double", *selects]))
    while rows := found.fetchmany(AT_ONCE):
        values = [value for (value,) in rows if value is not None]
        exact = [Decimal(metrics.money(max(-LARGEST, min(LARGEST, value)))) for value in values]
        columns = {"known": pa.array(values, pa.float64()), "exact": pa.array(exact, EXACT)}
        database.register("given", pa.table(columns))
        database.execute("insert into amounts select known, exact::hugeint from given")
    database.execute("create temp macro money(x) as (select exact from amounts where known = x)")


def _parts(database: duckdb.DuckDBPyConnection, out: Path) -> Iterator[str]:
    """Open the existing tables; yield the queries over each."""
    for kind, selects in PARTS.items():
        paths = listed(kind, out)
        if not paths:
            continue
        source = parquet(paths)
        if kind == "transition":
            moves = MOVES.format(source=source, apart=APART)
            database.execute(f"create temp table transition as {moves}")
        else:
            made, more = ("table", WORTH) if kind == "conversion" else ("view", "")
            database.execute(
                f'create temp {made} {kind} as select *, epoch_ms("at") as instant{more} '
                f"from {source}"
            )
        for select in selects:
            columns = "(instant, flow, version, step, metric, reason, amount)"
            yield f"select * from ({select}) as moment{columns}"


def _write(database: duckdb.DuckDBPyConnection, kind: str, out: Path) -> Part:
    step = kind == "step_metric"
    query = ROWS.format(
        version="coalesce(version, 0)" if step else "version",
        step="step," if step else "",
        which="step is not null" if step else "step is null",
        money=", ".join(f"'{name}'" for name in sorted(metrics.MONEY)),
        unit=metrics.UNIT,
        order=f"start, win, flow, version nulls first, {'step, ' if step else ''}metric, reason",
    )
    schema: pa.Schema = arrow_schema(kind)
    path = out / kind / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    partly = path.with_name(f".{path.name}")
    table = database.sql(query).to_arrow_table().cast(schema, safe=False)
    with writer(partly, kind) as file:
        file.write_table(table, row_group_size=GROUP)
    partly.replace(path)
    return part_of(path, FILE, len(table))
