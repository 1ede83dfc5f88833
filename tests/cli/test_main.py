"""The command line as a whole: help, exit codes, and unexpected errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from towpath.cli import common, main
from towpath.cli.main import COMMANDS
from transforms.flows.engine import step

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_summary_and_an_example(name):
    """Each command has one line of help and an example that calls it."""
    _, text = COMMANDS[name]

    assert text
    assert "\n" not in text
    assert f"towpath {name} " in main.load(name).EXAMPLE


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_options_are_usage_errors(name, capsys):
    """An unknown option ends with exit code 2 and the usage, never with a traceback."""
    assert main.main([name, "--no-such-option"]) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_page(name, capsys):
    """``towpath COMMAND --help`` shows the options and the example, with exit code 0."""
    assert main.main([name, "--help"]) == 0
    assert main.load(name).EXAMPLE in capsys.readouterr().out


LARGE = {"apache_beam", "duckdb", "pyarrow", "rich"}
"""Packages that take long to import."""


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        (["--help"], LARGE | {"liquid", "yaml", "pydantic_monty"}),
        (["--version"], LARGE | {"liquid", "yaml", "pydantic_monty"}),
        (["check", "flow_defs/win_back.yaml"], LARGE),
        (["test", "flow_defs/win_back.yaml"], LARGE),
        (["simulate", "flow_defs/win_back.yaml"], LARGE),
        (["fmt", "--check", "flow_defs/win_back.yaml"], LARGE),
    ],
)
def test_a_command_imports_only_what_it_uses(words, unused):
    """The overview imports no command, and commands about flows no package for data."""
    code = (
        "import sys; from towpath.cli.main import main; main(sys.argv[1:]); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=ROOT, input=""
    )

    assert run.returncode == 0, run.stderr
    assert unused & set(run.stdout.splitlines()[-1].split()) == set()


def test_the_overview_lists_every_command(capsys):
    """``towpath --help`` lists each command on one line and says where to begin."""
    assert main.main(["--help"]) == 0
    out = capsys.readouterr().out

    for name in COMMANDS:
        assert sum(line.startswith(f"  {name} ") for line in out.splitlines()) == 1
    assert out.rstrip().endswith("towpath check flow_defs")


def test_no_command_is_a_usage_error(capsys):
    """Without a command the overview goes to stderr, and the exit code is 2."""
    assert main.main([]) == 2
    found = capsys.readouterr()

    assert not found.out
    assert "commands:" in found.err


def test_a_misspelt_command_gets_a_suggestion(capsys):
    """An unknown command is a usage error that suggests a similar command."""
    assert main.main(["chekc"]) == 2
    assert 'did you mean "check"?' in capsys.readouterr().err


def test_the_version_lists_what_a_bug_report_needs(capsys):
    """``--version`` prints the versions that a bug report needs."""
    assert main.main(["--version"]) == 0
    out = capsys.readouterr().out
    kind = "plain" if step.__file__.endswith(".py") else "compiled"
    assert "Python 3." in out
    assert f"({kind} core)" in out


def fail(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize("code", [1, 2])
def test_user_errors_show_no_traceback(code, capsys):
    """A user error is one message with its exit code."""
    assert main.guarded(fail(common.UserError("no such flow", code))) == code
    assert capsys.readouterr().err == "error: no such flow\n"


def test_a_missing_file_is_a_usage_error(capsys):
    """A file that does not exist is named, without a traceback."""
    error = FileNotFoundError(2, "No such file or directory", "events.csv")

    assert main.guarded(fail(error)) == 2
    assert capsys.readouterr().err == "error: events.csv: no such file or directory\n"


def test_an_unexpected_error_writes_a_log(capsys, tmp_path, monkeypatch):
    """An unexpected error is exit code 3 with a short message; the traceback is in a log file."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert main.guarded(fail(ZeroDivisionError("division by zero"))) == 3
    said = capsys.readouterr().err
    (log,) = tmp_path.glob("towpath-*.log")

    assert "unexpected error: ZeroDivisionError: division by zero" in said
    assert "Traceback" not in said
    assert str(log) in said
    assert "Traceback" in log.read_text("utf-8")
    assert "Python 3." in log.read_text("utf-8")


def test_an_interrupt_exits_with_130(capsys):
    """Ctrl-C exits with 130 and one word."""
    assert main.guarded(fail(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_closed_pipe_is_not_an_error():
    """``towpath … | head`` ends quietly: no traceback, no log, exit code 141."""
    command = [sys.executable, "-m", "towpath.cli.main", "schema"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        process.stdout.close()
        said = process.stderr.read()

    assert process.returncode == 141
    assert said == b""


def test_a_command_imports_only_what_it_needs():
    """Running one command imports neither the others nor Beam."""
    code = (
        "import sys; from towpath.cli.main import main; main(['schema']); "
        "print(sorted(m for m in sys.modules if m.startswith('towpath.cli.') or m == 'apache_beam'),"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert (
        done.stderr.strip()
        == "['towpath.cli.command', 'towpath.cli.common', 'towpath.cli.main', 'towpath.cli.schema']"
    )


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_color_can_be_switched_off(variable, value, monkeypatch):
    """A terminal gets color, unless NO_COLOR is set or TERM is dumb (no-color.org)."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    master, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stream:
        assert common.paint("x", "red", stream) == "\x1b[31mx\x1b[0m"
        monkeypatch.setenv(variable, value)
        assert common.paint("x", "red", stream) == "x"
    os.close(master)


def test_characters_that_a_terminal_lacks_are_escaped():
    """If the output encoding is ASCII, other characters are escaped and nothing fails."""
    command = [sys.executable, "-m", "towpath.cli.main", "chéck"]
    env = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)

    assert done.returncode == 2
    assert r"ch\xe9ck" in done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "no space left on device"),
        (OSError(30, "Read-only file system", "out"), "out: read-only file system"),
        (PermissionError(13, "Permission denied", "out"), "out: permission denied"),
        (
            UnicodeEncodeError("utf-8", "a\udcffb", 1, 2, "surrogates"),
            r"half of a character (\udcff)",
        ),
        (UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "invalid"), "not UTF-8 text (byte 1)"),
    ],
)
def test_errors_of_the_machine_are_user_errors(error, said, capsys):
    """A full disk, a read-only folder and text that is not UTF-8 are no unexpected errors."""
    assert main.guarded(fail(error)) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["check", "\udcff"], ["explain", "\udcff", "--out", "x"], ["\udcff"]]
)
def test_arguments_that_are_not_utf8(words, capsys):
    """An argument that is not UTF-8 is refused before anything is read."""
    assert main.main(words) == 1
    assert r"half of a character (\udcff)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["check", "\x1b[2Jx"], ["graph", "x", "--\x1b]0;t\x07"], ["\x9b2J"]]
)
def test_control_characters_of_arguments_are_escaped(words, capsys):
    """What a message quotes from the command line cannot control the terminal."""
    main.main(words)
    err = capsys.readouterr().err

    assert all(c.isprintable() or c == "\n" for c in err)
    assert r"\x1b" in err or r"\x9b" in err


def test_colours_stay_and_other_codes_are_escaped():
    """Escaping keeps line ends, tabs and, if asked for, colours, and nothing else."""
    text = "\x1b[31mred\x1b[0m\n\tx\x1b[2J\r\u202e"

    assert common.escaped(text, coloured=True) == "\x1b[31mred\x1b[0m\n\tx\\x1b[2J\\r\\u202e"
    assert common.escaped(text) == "\\x1b[31mred\\x1b[0m\n\tx\\x1b[2J\\r\\u202e"


@pytest.mark.parametrize(
    "words", [["check"], ["fmt"], ["test"], ["export"], ["graph"], ["simulate"]]
)
def test_a_file_without_an_end_is_not_read(words, tmp_path, capsys, monkeypatch):
    """A flow that is a device without an end, or very large, is refused after 64 MiB."""
    monkeypatch.setattr(common, "MAX_TEXT", 1000)
    for name in ("flow.yaml", "flow.scenarios.txt"):
        (tmp_path / name).symlink_to("/dev/zero")
    path = tmp_path / ("flow.scenarios.txt" if words == ["test"] else "flow.yaml")

    assert main.main([*words, str(path)]) == 1
    assert "larger than 0 MiB" in capsys.readouterr().err
