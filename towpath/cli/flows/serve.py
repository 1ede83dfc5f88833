"""``towpath flows serve``: run the controller of a space."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from towpath.cli import common
from towpath.cli.flows.log import CONTROL, INDEX
from towpath.cli.flows.log import address_of as log_address

EXAMPLE = (
    "towpath flows serve --control gs://bucket/control.jsonl "
    "--outputs projects/P/subscriptions/controller --index controller.db "
    "--publish projects/P/topics/commands"
)

ABOUT = """\
The controller says every second until when the control log is complete, so that workers go on. It
stops flows 90 days after their launch or their last step, finishes flows whose last session has
ended, chooses the winners of split tests, and wakes users whom a record concerns. One controller
serves a log; a second one is refused."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    add = parser.add_argument
    add("--control", metavar="ADDRESS",
        help="the control log: a file, gs://BUCKET/NAME, redis://HOST:PORT/0?space=NAME, or "
        f"env:VARIABLE (default: ${CONTROL})")  # fmt: skip
    add("--outputs", required=True, action="append", metavar="ADDRESS",
        help="where to read outputs: the folder of the job's tables, gs:// or s3://, or a "
        "subscription projects/P/subscriptions/S of a topic; may be given several times")  # fmt: skip
    add("--index", metavar="FILE",
        help="the index of users and sessions, made if it does not exist (default: "
        f"${INDEX})")  # fmt: skip
    add("--publish", metavar="TOPIC|FILE",
        help="where to publish wakes: projects/P/topics/T, or a file of JSON lines; without it "
        "nobody is woken")  # fmt: skip
    add("--timestamp-attribute", default="", metavar="NAME",
        help="attribute of messages to set to the time of publication, if the job reads one")  # fmt: skip
    add("--every", type=_seconds, default=3.0, metavar="SECONDS",
        help="pause between two rounds (default: 3)")  # fmt: skip
    add("--wakes", type=_whole, default=500, metavar="NUMBER",
        help="number of users to wake per second at most (default: 500)")  # fmt: skip
    add("--once", action="store_true", help="run one round and end, for example for a test")


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; exit with 1 if another controller serves the log."""
    from towpath.control import serve_process
    from towpath.control.index import Index, InvalidIndex
    from towpath.control.index_inputs import input_of
    from towpath.control.serve import Controller
    from towpath.control.serve_heart import Heart, Refused, beat_of, claim
    from towpath.control.serve_signals import signals_to
    from towpath.control.store import store_of
    from transforms.hosting.settings import system_clock
    from transforms.sources.control_log.log import LogError
    from transforms.wire.secrets import address_of

    log, clock = serve_process.Lines(), system_clock
    path = args.index or os.environ.get(INDEX)
    if not path:
        raise common.UserError(f"name the index with --index or the variable {INDEX}")
    try:
        address = address_of(log_address(args))
        store, of_heart = store_of(address), store_of(address)
        index = Index(Path(path))
        signals = signals_to(args.publish, args.timestamp_attribute) if args.publish else None
        beat = beat_of(address)
        heart = Heart(of_heart, claim(of_heart, clock, time.sleep, beat), clock, beat)
    except (ValueError, ImportError, InvalidIndex, LogError, Refused) as error:
        raise common.UserError(str(error), code=1) from None
    controller = Controller(
        store,
        index,
        lambda space: [input_of(each, space) for each in args.outputs],
        signals,
        log,
        args.wakes,
    )
    try:
        with index:
            if args.once:
                return serve_process.run_once(controller, heart, log)
            stopped = serve_process.ended_by_system()
            return serve_process.run(controller, heart, stopped, args.every, log)
    except (InvalidIndex, ImportError) as error:
        raise common.UserError(str(error), code=1) from None


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0.1 <= seconds <= 60:
        raise argparse.ArgumentTypeError(f'"{word}" is not a number of seconds from 0.1 to 60')
    return seconds


def _whole(word: str) -> int:
    if not (word.isdecimal() and 1 <= int(word) <= 1_000_000):
        raise argparse.ArgumentTypeError(f'"{word}" is not a number from 1 to 1000000')
    return int(word)
