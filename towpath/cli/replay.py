"""``towpath replay``: run flows over recorded events and report what they would have done."""

from __future__ import annotations

import argparse
import logging
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from pipelines.replay.job import Job, catalog
from pipelines.replay.progress import PROGRESS
from pipelines.replay.results import Account, lacking
from schemas import METRICS, OUTPUTS
from towpath.cli import common
from towpath.cli.progress import ReplayProgress
from towpath.replay.doubts import doubts_of
from towpath.replay.folder import held_folder
from towpath.replay.processes import ProcessDiedError
from towpath.replay.request import job_of
from towpath.replay.shards import replay_in_shards
from towpath.replay.size import Size, size_of
from towpath.replay.state_imports import write_imports
from towpath.reports.bad_records import Groups
from towpath.reports.funnel import KINDS, Report, report_of
from towpath.reports.funnel_picture import funnel
from towpath.reports.funnel_text import to_text
from towpath.reports.history import KINDS as EXPLAINED
from towpath.reports.tables import Tables
from towpath.reports.views import write_database
from towpath.reports.weekly_picture import weekly
from transforms.flows.diagnostics import printable, shortened, suggest

EXAMPLE = (
    "towpath replay flow_defs/win_back.yaml --events towpath/sample_data/cdnow_purchases.csv.gz "
    "--map towpath/sample_data/cdnow.map.yaml --until 1998-07-01 --out build/win_back"
)
TAKES_REST = True
"""Arguments after ``--`` are passed to Beam."""

PICTURES = ("funnel.svg", "weekly.svg")
SHOWN = 5
FEWEST = 16
"""The number of shards of a replay that fits into memory."""

REJECTED = """
    with placed as (
        select cause, reason, detail, regexp_replace(cause, ':\\d+$', '') as file,
               coalesce(try_cast(regexp_extract(cause, ':(\\d+)$', 1) as bigint), 0) as line
        from dead_letter where "user" = '')
    select reason, detail, count(*), arg_min(cause, (file, line), 3)
    from placed group by reason, detail order by min((file, line))"""
INSTALL = "run pip install 'towpath[local]'"
INTERRUPT = re.compile(r"^KeyboardInterrupt\b", re.MULTILINE)
RAISED = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception)\b.*", re.MULTILINE)
FILE_ERRORS = ("OSError", "PermissionError", "FileNotFoundError", "NotADirectoryError")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("flows", nargs="*", metavar="FLOW", help="flow files, or folders of flows")
    add("--events", nargs="+", required=True, metavar="FILE",
        help="event files: CSV or JSON lines (may be gzipped), Avro or Parquet")  # fmt: skip
    add("--map", metavar="FILE", help="mapping from table columns to events")
    add(
        "--until",
        required=True,
        metavar="TIME",
        help="end of the replay (UTC), for example 1998-07-01",
    )
    add(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for the results; replaces those of an earlier replay",
    )
    add("--space", metavar="FILE", help="space file (default: space.yaml next to the flows)")
    add("--control", metavar="LOG", help="control log (JSON lines) that starts and stops flows")
    add(
        "--audit",
        action="store_true",
        help="audit replay: keep the order of the files, to repeat a live run",
    )
    add(
        "--assume",
        metavar="RATES",
        help="file with assumed rates of delivered, opened and clicked messages, and assumed effects on goals",
    )
    add(
        "--shards",
        type=_shards,
        metavar="N",
        help="split the users into N parts on disk (default: as many as the free memory needs)",
    )
    add(
        "--processes",
        type=_processes,
        metavar="N",
        help="number of processes (default: one a core, fewer for few events)",
    )
    add(
        "--kinds",
        type=_kinds,
        metavar="KINDS",
        help="write only these tables, for example message,transition; the report needs "
        f"{', '.join(sorted(KINDS))} (default: all)",
    )
    add(
        "--export-states",
        metavar="FILE",
        help="also write the state of each user at the end, as commands that import it into a job",
    )
    add(
        "--strict",
        action="store_true",
        help="exit with 1 if no flow used any event, nothing lies before --until, or times are in 1970",
    )
    add("--json", action="store_true", help="print the report as JSON")
    parser.epilog = f"{parser.epilog}\n\noptions after -- are passed to Beam, such as -- --direct_num_workers=2 --direct_running_mode=multi_processing"


def run(args: argparse.Namespace) -> int:
    """Run the replay; exit with 1 if records were rejected, or with ``--strict`` if it is doubtful."""
    words = list(getattr(args, "rest", ()))
    if words and (args.shards or args.processes):
        raise common.UserError(
            "--shards and --processes do not use Beam; remove the options after --"
        )
    if words and find_spec("apache_beam") is None:
        raise common.UserError(
            f"the options after -- are for Beam, which is not installed; {INSTALL}"
        )
    lacks = lacking(args.kinds, KINDS)
    if lacks and args.json:
        raise common.UserError(
            f"--json prints the report, which needs {', '.join(lacks)} in --kinds"
        )
    job = job_of(args)
    size = size_of(job.events)
    with held_folder(Path(job.out)):
        if words:
            account = _on_beam(job, words, size)
        else:
            account = _on_this_machine(job, size, args.processes, args.shards)
        if args.export_states is not None:
            count = write_imports(Path(job.out), Path(args.export_states), job.until)
            common.say(f"{count:,} states in {args.export_states}")
        report = None if lacks else report_of(account, Path(job.out))
        _draw(report, Path(job.out))
        write_database(Path(job.out))
    if report is None:
        common.say(f"no report, pictures and metrics: they need {', '.join(lacks)} in --kinds")
    elif args.json:
        common.print_json(report)
    else:
        text = to_text(report, partial(common.paint, stream=sys.stdout))
        common.show_text(text.removesuffix("\n"))
    _summarize(job, account)
    doubts = doubts_of(account, catalog(job).events_read_since, job.mapping is not None)
    for doubt in doubts:
        first, *rest = doubt.split("\n")
        common.say(common.paint(f"warning: {first}", "yellow", sys.stderr))
        for line in rest:
            common.say(f"  {line}")
    return 1 if account.bad or (doubts and args.strict) else 0


def _on_this_machine(job: Job, size: Size, processes: int | None, shards: int | None) -> Account:
    processes = processes or size.processes
    shards = shards or size.shards(processes)
    parts = f", {shards} shards on disk" if shards > FEWEST else ""
    said = "1 process" if processes == 1 else f"{processes} processes"
    common.say(f"about {_records(_rounded(size.events))}, in {said}{parts}")
    try:
        with ReplayProgress(records=size.events) as progress:
            return replay_in_shards(job, shards, processes, progress.update)
    except ProcessDiedError as error:
        raise common.UserError(
            f"a process of the replay ended before its work was done ({error}); if memory ran out, "
            f"add --shards {4 * shards} or --processes 1",
            code=1,
        ) from None


def _gb(size: int) -> str:
    return f"{size / 2**30:.1f} GB"


def _on_beam(job: Job, words: list[str], size: Size) -> Account:
    try:
        logging.disable(logging.WARNING)  # Beam warns about optional Google libraries

        from pipelines.replay.beam_replay import is_local, options_of, replay
    except ImportError as error:
        raise common.UserError(f"Beam cannot be imported ({error}); {INSTALL}") from None
    finally:
        logging.disable(logging.NOTSET)
    try:
        options = options_of(words)
    except ValueError as error:
        raise common.UserError(f"invalid Beam options after --: {error}") from None
    local = is_local(options)
    if local:
        need = f"needs about {_gb(size.memory)} of memory, {_gb(size.free)} available"
        common.say(f"about {_records(_rounded(size.events))} on Beam in this process; {need}")
    try:
        with ReplayProgress(records=size.events) as progress, _quiet(local):
            PROGRESS.start(progress.update)
            return replay(job, options)
    except Exception as error:
        if INTERRUPT.search(str(error)) or isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        reason = _reason(error)
        if local and not reason.startswith(FILE_ERRORS):
            raise
        raise common.UserError(f"the runner failed: {reason}", code=1) from None
    finally:
        PROGRESS.start(None)


@contextmanager
def _quiet(local: bool) -> Iterator[None]:
    """Keep a Beam that runs in this process from logging the errors that it raises."""
    logger = logging.getLogger("apache_beam")
    before = logger.level
    if local:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _reason(error: Exception) -> str:
    """Find the reason of a failure: runners wrap a worker's exception in many lines of text."""
    raised = RAISED.findall(str(error))
    text = " ".join(str(error).split()) or type(error).__name__
    return str(raised[-1] if raised else text)


def _summarize(job: Job, account: Account) -> None:
    """Report rejected records, the results folder and the next command."""
    out = Path(job.out)
    if account.bad:
        _report_rejected(account.bad, out)
    files = ["one folder of Parquet files per kind", "results.duckdb"]
    files += [name for name in PICTURES if (out / name).exists()]
    common.say(f"\nResults in {out}: {', '.join(files)}")
    common.say(f"Query them with SQL: towpath query {shlex.quote(str(out))}")
    user = None if account.lacks(EXPLAINED) else _example_user(out)
    if user is not None:
        common.next_command(f"towpath explain {shlex.quote(user)} --out {shlex.quote(str(out))}")


def _draw(report: Report | None, out: Path) -> None:
    """Draw the pictures of the report; without one, remove those of an earlier replay."""
    if report is None:
        for name in PICTURES:
            (out / name).unlink(missing_ok=True)
        return
    for name, text in zip(
        PICTURES, (funnel(report), weekly(report.weeks, report.run)), strict=True
    ):
        (out / name).write_text(text, encoding="utf-8")


def _report_rejected(count: int, out: Path) -> None:
    groups = Groups()
    with Tables(out, ["dead_letter"]) as tables:
        for reason, detail, number, places in tables.rows(REJECTED):
            groups.add_all(reason, f":1: {detail} [{reason}]", number, places)
    for group in islice(groups, SHOWN):
        for line in group.lines():
            common.say(printable(shortened(line)))
    others = sum(group.count for group in islice(groups, SHOWN, None)) + groups.others
    more = f", {others:,} of them for other reasons" if others else ""
    common.say(
        common.paint(f"{_records(count)} rejected{more}; see {out}/dead_letter", "red", sys.stderr)
    )


def _rounded(estimate: int) -> int:
    """Round an estimate to two digits."""
    return int(float(f"{estimate:.1e}"))


def _records(count: int) -> str:
    return f"{count:,} record" if count == 1 else f"{count:,} records"


def _example_user(out: Path) -> str | None:
    with Tables(out, ["message"]) as tables:
        rows = tables.rows("""select min("user") from message""")
    return rows[0][0] if rows else None


def _kinds(text: str) -> tuple[str, ...]:
    """Read the names of tables; that of rejected records is always among them."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    for name in found:
        if name in METRICS:
            raise argparse.ArgumentTypeError(f"{name} is counted from {', '.join(sorted(KINDS))}")
        if name not in OUTPUTS:
            raise argparse.ArgumentTypeError(f'no kind "{name}"; {suggest(name, OUTPUTS)}')
    if not found:
        raise argparse.ArgumentTypeError("name at least one kind")
    return tuple(sorted({*found, "dead_letter"}))


def _shards(text: str) -> int:
    return _number(text, 4096)


def _processes(text: str) -> int:
    return _number(text, 256)


def _number(text: str, most: int) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
