"""``towpath check``: problems with their places, a summary, and exit codes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from towpath.cli.main import main

GOOD = "flow: good\nenter: [{event: A}]\nsteps: {a: {wait: 1h}}\n"
BAD = "flow: bad\nenter: [{event: A}]\nsteps: {a: {wiat: 1h}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_flows_without_problems(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Flows without problems are counted, and the exit code is 0."""
    (folder / "good.yaml").write_text(GOOD)

    assert main(["check", "."]) == 0
    assert capsys.readouterr() == ("", "1 flow, 0 problems\n")


def test_problems_are_shown_with_their_lines(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Problems go to stderr with the line and a marker, and the exit code is 1."""
    (folder / "good.yaml").write_text(GOOD)
    (folder / "bad.yaml").write_text(BAD)

    assert main(["check", "good.yaml"]) == 0
    capsys.readouterr()
    assert main(["check", "."]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        'bad.yaml:3:13: step "a" has the unknown verb "wiat"; did you mean "wait"? [unknown-verb]',
        "  steps: {a: {wiat: 1h}}",
        "              ^~~~",
        "2 flows, 1 problem",
    ]


def test_json_prints_one_object_per_problem(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--json`` prints one object per problem to stdout, for editors."""
    (folder / "bad.yaml").write_text(BAD)

    assert main(["check", "--json", "bad.yaml"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert msgspec.json.decode(line) == {
        "path": "bad.yaml",
        "line": 3,
        "column": 13,
        "length": 4,
        "code": "unknown-verb",
        "message": 'step "a" has the unknown verb "wiat"',
        "help": 'did you mean "wait"?',
        "severity": "error",
    }


def test_warnings_do_not_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning is shown and counted, and the exit code is 0."""
    (folder / "space.yaml").write_text("events: {Bought: {}}\n")
    (folder / "good.yaml").write_text(GOOD)

    assert main(["check", "."]) == 0
    err = capsys.readouterr().err
    assert err.startswith('good.yaml:2:17: warning: event "A" is not declared in space.yaml')
    assert err.endswith("1 flow, 0 problems, 1 warning\n")


def test_a_missing_path_is_a_usage_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that does not exist is a usage error: exit code 2, without a traceback."""
    assert main(["check", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_control_characters_are_escaped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters are escaped, in the message and in the source line."""
    (folder / "bad.yaml").write_text(GOOD.replace("1h", '1h, then: "w\\e]0;t\\a"'))

    assert main(["check", "bad.yaml"]) == 1
    err = capsys.readouterr().err
    assert all(c.isprintable() or c == "\n" for c in err)
    assert r"w\x1b]0;t\x07" in err


def test_a_file_that_is_not_text_fails_only_its_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flow is checked even if another file in its folder cannot be read; the folder is not."""
    (folder / "good.yaml").write_text(GOOD)
    (folder / "other.yaml").write_bytes(b"\xff\xfe")

    assert main(["check", "good.yaml"]) == 0
    assert "skipped other.yaml: not UTF-8 text (byte 0)" in capsys.readouterr().err
    assert main(["check", "."]) == 1
    assert main(["check", "other.yaml"]) == 1


def test_long_lines_and_messages_are_cut(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line of 100,000 characters is shown around the problem, with the marker under its place."""
    filler = "x" * 50_000
    (folder / "bad.yaml").write_text(GOOD.replace("wait: 1h", f"wait: 1h, then: {filler}, nope: 2"))

    assert main(["check", "bad.yaml"]) == 1
    err = capsys.readouterr().err
    assert max(map(len, err.splitlines())) < 1200
    at = err.splitlines()
    shown = next(n for n, line in enumerate(at) if '"nope"' in line)
    assert at[shown + 1][at[shown + 2].index("^") :].startswith("nope: 2")


def test_half_a_character_is_no_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An escape for half of a character is refused where it is, also as JSON."""
    (folder / "bad.yaml").write_text(GOOD + 'about: "x \\ud800"\n')

    assert main(["check", "bad.yaml"]) == 1
    assert "bad.yaml:4:8: half of a character" in capsys.readouterr().err
    assert main(["check", "--json", "bad.yaml"]) == 1
    assert "half of a character" in capsys.readouterr().out
