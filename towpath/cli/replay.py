"""``towpath replay``: run flows over recorded events, and tell what they would have done."""

from __future__ import annotations

import argparse
import logging
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pipelines.replay.job import Job
from pipelines.replay.progress import PROGRESS
from pipelines.replay.results import Account
from towpath.cli import common
from towpath.cli.progress import Telling
from towpath.replay.request import job_of
from towpath.replay.shards import replay_in_shards
from towpath.replay.size import Size, size_of
from towpath.reports.funnel import Report, report_of
from towpath.reports.funnel_text import to_text
from towpath.reports.pictures import draw
from towpath.reports.tables import Tables

HELP = "run flows over recorded events: who enters, what is decided, who comes back"
EXAMPLE = (
    "towpath replay flow_defs/win_back.yaml --events towpath/sample_data/cdnow_purchases.csv.gz "
    "--map towpath/sample_data/cdnow.map.yaml --until 1998-07-01 --out build/win_back"
)
TAKES_REST = True
"""What stands after ``--`` is for Beam."""

SHOWN = 5
GLOB = re.compile(r"[*?\[]")
INTERRUPT = re.compile(r"^KeyboardInterrupt\b", re.MULTILINE)
RAISED = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception)\b.*", re.MULTILINE)
FILE_TROUBLE = ("OSError", "PermissionError", "FileNotFoundError", "NotADirectoryError")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("flows", nargs="*", metavar="FLOW", help="flows, or folders of flows")
    add("--events", nargs="+", required=True, metavar="FILE",
        help="CSV, JSON lines (both also gzipped), Avro or Parquet")  # fmt: skip
    add("--map", metavar="FILE", help="which columns of a table make up an event")
    add("--until", required=True, metavar="TIME", help="end of the replay, as 1998-07-01 (UTC)")
    add(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for the results; an earlier replay's are replaced",
    )
    add("--space", metavar="FILE", help="the space's file, if not the one beside the flows")
    add("--control", metavar="LOG", help="control log (JSON lines) that starts and stops the flows")
    add(
        "--audit",
        action="store_true",
        help="take the events in the order of the files, as a live run did",
    )
    add("--assume", metavar="RATES", help="file of rates of messages delivered, opened, clicked")
    add(
        "--shards",
        type=_shards,
        metavar="N",
        help="divide the users by N on disk: for more events than fit into memory",
    )
    add("--json", action="store_true", help="the numbers as JSON")
    parser.epilog = f"{parser.epilog}\n\nafter -- : options of Beam, as -- --runner=FlinkRunner"


def run(args: argparse.Namespace) -> int:
    """Replay; 1 if there were records that could not be used."""
    words = list(getattr(args, "rest", ()))
    if args.shards and words:
        raise common.UserError("--shards runs without Beam; leave out what stands after --")
    job = job_of(args)
    size = size_of(job.events)
    common.say(_need(size, args.shards))
    account = _in_shards(job, args.shards) if args.shards else _on_beam(job, words, size)
    report = report_of(account, Path(job.out))
    draw(report, Path(job.out))
    if args.json:
        common.print_json(report)
    else:
        print(to_text(report, partial(common.paint, stream=sys.stdout)), end="")
    _conclude(job, account, report)
    return 1 if account.bad else 0


def _need(size: Size, shards: int | None) -> str:
    if shards:
        return f"about {_records(size.events)}, in {shards} shards on disk"
    said = f"about {_records(size.events)}; needs about {_gb(size.memory)} of memory, {_gb(size.free)} are free"
    if not size.fits:
        said += f"\nthat is too much: add --shards {size.shards}, which takes it in parts"
    return said


def _gb(size: int) -> str:
    return f"{size / 2**30:.1f} GB"


def _in_shards(job: Job, shards: int) -> Account:
    telling = Telling()
    try:
        return replay_in_shards(job, shards, telling.share)
    finally:
        telling.end()


def _on_beam(job: Job, words: list[str], size: Size) -> Account:
    try:
        logging.disable(logging.WARNING)  # Beam warns of Google's libraries, which nobody asked for
        from pipelines.replay.beam_replay import is_local, options_of, replay
    except ImportError as error:
        raise common.UserError(
            f"Beam is not installed ({error}); pip install 'towpath[local]', or add --shards 16"
        ) from None
    finally:
        logging.disable(logging.NOTSET)
    try:
        options = options_of(words)
    except ValueError as error:
        raise common.UserError(f"Beam refuses the options after --: {error}") from None
    telling = Telling(whole=size.events)
    PROGRESS.start(telling.count)
    try:
        with _quiet(is_local(options)):
            return replay(job, options)
    except Exception as error:
        if INTERRUPT.search(str(error)) or isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        reason = _reason(error)
        if is_local(options) and not reason.startswith(FILE_TROUBLE):
            raise
        raise common.UserError(f"the runner failed: {reason}", code=1) from None
    finally:
        PROGRESS.start(None)
        telling.end()


@contextmanager
def _quiet(local: bool) -> Iterator[None]:
    """Keep Beam from logging what it raises as well, where it runs in this process."""
    logger = logging.getLogger("apache_beam")
    before = logger.level
    if local:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _reason(error: Exception) -> str:
    """Say why a runner failed: it passes on an exception of a worker as a text of many lines."""
    raised = RAISED.findall(str(error))
    said = " ".join(str(error).split()) or type(error).__name__
    return str(raised[-1] if raised else said)


def _conclude(job: Job, account: Account, report: Report) -> None:
    """Say what could not be used, where the results lie, and how to go on."""
    out = Path(job.out)
    if account.bad:
        _say_bad(account.bad, out)
    common.say(f"\nResults are in {out}: a folder of Parquet files a kind, funnel.svg, weekly.svg.")
    kind = next((kind for kind in ("message", "transition") if account.rows.get(kind)), None)
    if kind is not None:
        common.say(f"Ask them with SQL: {_sql(out, kind)}")
    user = _someone(out)
    if user is not None:
        common.next_command(f"towpath explain {shlex.quote(user)} --out {shlex.quote(str(out))}")


def _sql(out: Path, kind: str) -> str:
    """Write a command that counts the rows of a kind, and runs as it stands."""
    program = Path(sys.executable)
    here = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    files = GLOB.sub(r"[\g<0>]", str(out)).replace("'", "''") + f"/{kind}/*/*.parquet"
    question = f"select flow, step, count(*) from '{files}' group by all order by all"
    code = f"import duckdb; print(duckdb.sql({question!r}))"
    return f"{shlex.quote(str(here))} -c {_shell(code)}"


def _shell(code: str) -> str:
    """Quote for a shell, in double quotes where that is easier to read."""
    if any(letter in code for letter in "$`\\!"):
        return shlex.quote(code)
    escaped = code.replace('"', '\\"')
    return f'"{escaped}"'


def _say_bad(count: int, out: Path) -> None:
    query = """select cause, reason, detail from dead_letter where "user" = '' limit ?"""
    with Tables(out, ["dead_letter"]) as tables:
        for cause, reason, detail in tables.rows(query, SHOWN):
            common.say(f"{cause}:1: {detail} [{reason}]")
    more = f"; the first {SHOWN} are above" if count > SHOWN else ""
    common.say(
        common.paint(
            f"{_records(count)} could not be used{more}, see {out}/dead_letter", "red", sys.stderr
        )
    )


def _records(count: int) -> str:
    return f"{count:,} record" if count == 1 else f"{count:,} records"


def _someone(out: Path) -> str | None:
    with Tables(out, ["message"]) as tables:
        rows = tables.rows("""select min("user") from message""")
    return rows[0][0] if rows else None


def _shards(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 4096:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 4096")
