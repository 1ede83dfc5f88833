"""What the commands on Flink share: which cluster, which job, the options of the job, and words."""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from towpath.cli import common

if TYPE_CHECKING:
    from towpath.flink.target import Submission, Target

FOLDER, ENVIRONMENT = "build/flink-cluster", "build/flink"

OPTIONS = """\
What follows -- are the options of the job: `towpath flink submit -- --help` lists them."""


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Declare where a cluster on this machine is."""
    parser.add_argument(
        "--folder",
        default=FOLDER,
        metavar="FOLDER",
        help="folder of the cluster: its logs, checkpoints and savepoints, and what was submitted "
        f"(default: {FOLDER})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_env(parser: argparse.ArgumentParser) -> None:
    """Declare where the programs of Flink are."""
    parser.add_argument(
        "--env",
        default=None,
        metavar="FOLDER",
        help="the environment that `make flink-env` has made, with the code of the job (default: that "
        f"of the cluster, or {ENVIRONMENT})",
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Declare which cluster."""
    add_folder(parser)
    parser.add_argument(
        "--rest",
        dest="address",
        metavar="ADDRESS",
        help="the REST interface of a cluster elsewhere, such as http://flink.example:8081",
    )


def add_job(parser: argparse.ArgumentParser) -> None:
    """Declare which job."""
    parser.add_argument("--job", metavar="NAME", help="name of the job, if there are several")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Declare where savepoints go."""
    parser.add_argument(
        "--to", metavar="URI", help="folder for the savepoint (default: the one of the cluster)"
    )


def add_submission(parser: argparse.ArgumentParser) -> None:
    """Declare how a job is submitted."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{OPTIONS}\n\n{parser.epilog}"
    add_env(parser)
    parser.add_argument(
        "--parallelism",
        type=whole,
        metavar="N",
        help="instances of each function; each needs a slot",
    )
    parser.add_argument(
        "--set", action="append", default=[], type=setting, metavar="NAME=VALUE",
        help="a setting of Flink for the job; may be given several times",
    )  # fmt: skip


def target_of(args: argparse.Namespace) -> Target:
    """Open the cluster."""
    from towpath.flink.environment import Environment
    from towpath.flink.target import open_target

    given = getattr(args, "env", None)
    environment = Environment(Path(given)) if given else None
    return open_target(Path(args.folder), args.address, environment)


def name_of(words: Sequence[str]) -> str:
    """Return the name of the job in its options; raise UserError if they are wrong."""
    from pipelines.flink_options import parse

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return parse(words).kafka.name
    except SystemExit as end:
        if not end.code:
            raise
        problems = said.getvalue().rpartition(": error: ")[2].strip().splitlines()
        text = "\n  ".join(problems)
        raise common.UserError(f"the options of the job are wrong:\n  {text}") from None


def check_options(args: argparse.Namespace) -> None:
    """Check the options of the job, if there are any, or print them for ``--help``."""
    if args.rest:
        name_of(args.rest)


def submission_of(
    args: argparse.Namespace, target: Target, known: Submission | None, parallelism: int = 1
) -> Submission:
    """Return how to submit a job: what is not said is as it was before."""
    from towpath.flink.target import Submission

    words = tuple(args.rest) or (known.words if known else ())
    if not words:
        raise common.UserError(
            "how the job was submitted is not known here, so give its options: "
            "towpath flink submit -- --brokers HOST:PORT --events events …; for a job that runs, "
            "towpath flink upgrade -- …"
        )
    environment = args.env or (known.environment if known else None) or target.environment
    return Submission(
        words=words,
        parallelism=args.parallelism or (known.parallelism if known else parallelism),
        environment=str(Path(environment).absolute()),  # the next command may be typed elsewhere
        settings=tuple(args.set) or (known.settings if known else ()),
    )


def place(word: str | None) -> str | None:
    """Return a savepoint as an address; raise UserError for a folder that does not exist."""
    if word is None or "://" in word or word.startswith("file:"):
        return word
    path = Path(word)
    if not path.exists():
        raise common.UserError(f"--from: {word} does not exist")
    return path.absolute().as_uri()


def whole(word: str) -> int:
    """Parse a number of at least 1."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f'"{word}" is not a number of at least 1')
    return int(word)


def setting(word: str) -> str:
    """Parse a setting of Flink."""
    name, equals, _ = word.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("a setting is NAME=VALUE")  # its value may be secret
    return word


def now() -> int:
    """Return the time in ms UTC."""
    return time.time_ns() // 1_000_000


def span(ms: int) -> str:
    """Return a duration in words, with its two largest units."""
    if ms < 0:
        return f"-{span(-ms)}"
    if ms < 1_000:
        return f"{ms} ms"
    seconds, parts = ms // 1_000, list[str]()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def size(count: int) -> str:
    """Return a number of bytes in words."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1_000:
            return f"{value:.3g} {unit}" if unit != "bytes" else f"{count} {unit}"
        value /= 1_000
    return f"{value:.3g} TB"
