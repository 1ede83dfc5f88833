"""The command line as a whole: help, exit codes, and what happens when something goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from towpath.cli import common, main
from towpath.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name):
    """Each command has one line of help and an example that calls it."""
    command = main.load(name)

    assert command.HELP
    assert "\n" not in command.HELP
    assert f"towpath {name} " in command.EXAMPLE


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_options_are_usage_errors(name, capsys):
    """An option that does not exist ends with exit code 2 and the usage, never a traceback."""
    assert main.main([name, "--no-such-option"]) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_page(name, capsys):
    """``towpath COMMAND --help`` shows the options and the example, and is no error."""
    assert main.main([name, "--help"]) == 0
    assert main.load(name).EXAMPLE in capsys.readouterr().out


def test_the_overview_lists_every_command(capsys):
    """``towpath --help`` lists each command on one line and says where to begin."""
    assert main.main(["--help"]) == 0
    out = capsys.readouterr().out

    for name in COMMANDS:
        assert sum(line.startswith(f"  {name} ") for line in out.splitlines()) == 1
    assert out.rstrip().endswith("towpath check flow_defs")


def test_no_command_is_wrong_use(capsys):
    """Without a command the overview goes to stderr: there is no data, and the exit code is 2."""
    assert main.main([]) == 2
    found = capsys.readouterr()

    assert not found.out
    assert "commands:" in found.err


def test_a_slip_in_the_command_gets_a_suggestion(capsys):
    """An unknown command is wrong use, and the one that was probably meant is named."""
    assert main.main(["chekc"]) == 2
    assert 'did you mean "check"?' in capsys.readouterr().err


def test_the_version_names_what_matters(capsys):
    """``--version`` prints the versions that a report of an error needs."""
    assert main.main(["--version"]) == 0
    assert "Python 3." in capsys.readouterr().out


def fail(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize("code", [1, 2])
def test_what_users_can_put_right_shows_no_traceback(code, capsys):
    """A user's error is one message and its exit code."""
    assert main.guarded(fail(common.UserError("no such flow", code))) == code
    assert capsys.readouterr().err == "error: no such flow\n"


def test_a_missing_file_is_wrong_use(capsys):
    """A file that is not there is named, without a traceback."""
    error = FileNotFoundError(2, "No such file or directory", "events.csv")

    assert main.guarded(fail(error)) == 2
    assert capsys.readouterr().err == "error: events.csv: no such file or directory\n"


def test_the_unexpected_leaves_a_log(capsys, tmp_path, monkeypatch):
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


def test_an_interrupt_is_130(capsys):
    """Ctrl-C ends with 130 and one word."""
    assert main.guarded(fail(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_reader_that_goes_away_is_no_error():
    """``towpath … | head`` ends quietly: no traceback, no log, exit code 141."""
    command = [sys.executable, "-m", "towpath.cli.main", "schema"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        process.stdout.close()
        said = process.stderr.read()

    assert process.returncode == 141
    assert said == b""


def test_a_command_imports_only_itself():
    """Asking for one command does not load the others, nor Beam."""
    code = (
        "import sys; from towpath.cli.main import main; main(['schema']); "
        "print(sorted(m for m in sys.modules if m.startswith('towpath.cli.') or m == 'apache_beam'),"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.stderr.strip() == "['towpath.cli.common', 'towpath.cli.main', 'towpath.cli.schema']"


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_switched_off(variable, value, monkeypatch):
    """A terminal gets colour, unless NO_COLOR or a dumb TERM says no (no-color.org)."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    master, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stream:
        assert common.paint("x", "red", stream) == "\x1b[31mx\x1b[0m"
        monkeypatch.setenv(variable, value)
        assert common.paint("x", "red", stream) == "x"
    os.close(master)


def test_letters_that_a_terminal_lacks_are_escaped():
    """Where the output takes ASCII only, other letters are escaped and nothing fails."""
    command = [sys.executable, "-m", "towpath.cli.main", "chéck"]
    env = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)

    assert done.returncode == 2
    assert r"ch\xe9ck" in done.stderr
