"""The entry point: runs a command and turns errors into exit codes.

0 success, 1 problems found, 2 wrong usage, 3 unexpected error (with a log file), 130
interrupted, 141 broken pipe.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import io
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from importlib import metadata
from importlib.util import find_spec
from typing import NoReturn, cast

from towpath.cli import common
from towpath.cli.command import Command

COMMANDS = {
    "new": ("towpath.cli.new", "create a flow from a template, or list the templates"),
    "check": (
        "towpath.cli.check",
        "check flows with their space and templates, and show every problem with its location",
    ),
    "test": ("towpath.cli.test", "run the scenarios next to the flows and compare the transcripts"),
    "simulate": (
        "towpath.cli.simulate",
        "play a timeline of one user and show what the flow does, and why",
    ),
    "graph": ("towpath.cli.graph", "draw a flow as a picture (SVG), as Mermaid text, or as JSON"),
    "replay": (
        "towpath.cli.replay",
        "run flows over recorded events and report entries, messages and goals",
    ),
    "fmt": ("towpath.cli.fmt", "format flows; keeps comments and the order of steps"),
    "export": (
        "towpath.cli.export_flow",
        "write flows with their templates, scenarios and part of the space as one file",
    ),
    "import": (
        "towpath.cli.import_flow",
        "unpack a file written by `towpath export` into a folder; overwrites only with --force",
    ),
    "schema": (
        "towpath.cli.schema",
        "print the JSON Schema of flow and space files, or the Avro schema of a record",
    ),
    "explain": (
        "towpath.cli.explain",
        "show from a replay's results what one user would have received, when and why",
    ),
    "query": (
        "towpath.cli.query",
        "answer a question in SQL from a replay's results, or list their views with examples",
    ),
    "report": (
        "towpath.cli.report",
        "write one HTML page with charts from a replay's results or a streaming job's tables",
    ),
    "diff": (
        "towpath.cli.diff",
        "compare two replays: who would enter, get different messages, reach the goals",
    ),
    "compact": (
        "towpath.cli.compact",
        "merge the small files of a streaming job's tables, while the job runs",
    ),
    "collect": (
        "towpath.cli.collect",
        "turn the lines of a job on Flink without a broker into tables",
    ),
    "launch": (
        "towpath.cli.launch",
        "write the records that enter the users of a list into a flow",
    ),
    "flows": (
        "towpath.cli.flows",
        "operate running flows: publish, start, pause, stop, and see who changed what",
    ),
    "relay": (
        "towpath.cli.relay",
        "carry records between Kafka and Pub/Sub, Redis or files, and send heartbeats",
    ),
    "flink": (
        "towpath.cli.flink",
        "operate the job on Flink: start a cluster, submit, watch, upgrade, rescale and stop",
    ),
    "generate": (
        "towpath.cli.generate",
        "write a synthetic event stream; the same seed gives the same stream",
    ),
    "validate-events": (
        "towpath.cli.validate_events",
        "check event files and show every record that would be refused",
    ),
    "rebuild": (
        "towpath.cli.rebuild",
        "write the flow states in Redis anew from the job's tables or topics",
    ),
}
"""Every command, in the order of the overview: its module, and what it does.

The texts stand here so that the overview imports no command.
"""

INTERRUPTED = 130
READER_GONE = 141
_FILE_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class _Parser(argparse.ArgumentParser):
    """Escapes what a usage error quotes from the command line."""

    def error(self, message: str) -> NoReturn:
        super().error(common.escaped(message))


def load(name: str) -> Command:
    """Import the module of one command; the others stay unloaded."""
    return cast(Command, importlib.import_module(COMMANDS[name][0]))


def parser_of(name: str) -> argparse.ArgumentParser:
    """Build the parser of one command."""
    command = load(name)
    parser = _Parser(
        prog=f"towpath {name}",
        description=COMMANDS[name][1],
        epilog=f"example:\n  {command.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    return parser


def overview() -> str:
    """Return the overview: one line per command, options and exit codes."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: towpath COMMAND ...",
            "",
            "Run customer flows over event streams.",
            "",
            "commands:",
            *lines,
            "",
            "options:",
            f"  {'--help':<{width}}  show this text; `towpath COMMAND --help` describes one command",
            f"  {'--version':<{width}}  show versions",
            "",
            "exit codes: 0 success, 1 problems found, 2 wrong usage, 3 unexpected error",
            "",
            "Start with: towpath check flow_defs",
        ]
    )


def versions() -> str:
    """Return the versions to state in a bug report, and whether the core is compiled."""
    core = "compiled" if _is_compiled() else "plain"
    parts = [f"towpath {_version('towpath')} ({core} core)", f"Python {platform.python_version()}"]
    parts.append(f"{platform.system()} {platform.machine()}")
    return ", ".join([*parts, f"Beam {_version('apache-beam')}"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return guarded(lambda: _dispatch(words))


def guarded(work: Callable[[], int]) -> int:
    """Run ``work``; turn what it raises into a message and an exit code."""
    try:
        code = work()
        sys.stdout.flush()
        return code
    except common.UserError as error:
        return _refuse(str(error), error.code)
    except BrokenPipeError:
        # Python flushes stdout again at exit: point it at something that is still open.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        name = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{name}{reason}", 2 if isinstance(error, _FILE_ERRORS) else 1)
    except UnicodeDecodeError as error:
        return _refuse(f"not UTF-8 text (byte {error.start})", 1)
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.end]
        return _refuse(f"half of a character ({half}), which is not text in UTF-8", 1)
    except KeyboardInterrupt:
        common.say("\ninterrupted")
        return INTERRUPTED
    except Exception as error:
        return _unexpected(error)


def _dispatch(words: list[str]) -> int:
    for word in words:
        if not word.isascii():
            word.encode()  # an argument that is not UTF-8 has halves of characters
    if not words or words[0] in ("-h", "--help", "help"):
        (print if words else common.say)(overview())
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        print(versions())
        return 0
    name, *rest = words
    if name not in COMMANDS:
        raise common.UserError(_unknown(name), code=2)
    return _run(name, rest)


def _run(name: str, rest: list[str]) -> int:
    parser = parser_of(name)
    words, beam = rest, list[str]()
    if getattr(load(name), "TAKES_REST", False) and "--" in rest:
        words, beam = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
    try:
        args = parser.parse_args(words, argparse.Namespace(rest=beam))
    except SystemExit as done:  # argparse has printed: 0 after --help, 2 after a wrong option
        return int(done.code or 0)
    return load(name).run(args)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"commands are: {', '.join(COMMANDS)}"
    return f'unknown command "{name}"; {hint}'


def _refuse(message: str, code: int) -> int:
    common.say(f"{common.paint('error:', 'red', sys.stderr)} {message}")
    return code


def _unexpected(error: Exception) -> int:
    lines = [versions(), f"command line: {sys.argv!r}", "", *traceback.format_exception(error)]
    with tempfile.NamedTemporaryFile(
        "w", prefix="towpath-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write("\n".join(lines))
    common.say(
        f"{common.paint('unexpected error:', 'red', sys.stderr)} {type(error).__name__}: {error}\n"
        f"  {versions()}\n"
        f"  The details are in {log.name}; please send them with your report."
    )
    return 3


def _is_compiled() -> bool:
    """Return True if the core that would be imported is compiled by mypyc."""
    found = find_spec("transforms.flows.engine.step")
    return found is not None and not (found.origin or "").endswith(".py")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    raise SystemExit(main())
