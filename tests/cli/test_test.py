"""``towpath test``: a bad scenario or flow fails alone, and scenarios may compare some words only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.replay.kit import Done, towpath

SPACE = "space: shop\nchannels: {log: {address: user}}\n"
FLOW = """\
flow: {name}
enter: [{{event: Signup}}]
steps:
  pause: {{wait: 1h}}
  hi: {{send: log, template: {template}}}
"""
GOOD = "# a signup\n\n2026-03-01 09:00 event Signup\n+2h time\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write three flows with a scenario each: one flow and one template have errors."""
    files = {
        "space.yaml": SPACE,
        "good.yaml": FLOW.format(name="good", template="hi"),
        "bad.yaml": FLOW.format(name="bad", template="hi").replace("send", "sned"),
        "torn.yaml": FLOW.format(name="torn", template="torn"),
        "messages/hi.liquid": "Hi.\n",
        "messages/torn.liquid": "{% if %}\n",
        **{f"{name}.scenarios.txt": GOOD for name in ("good", "bad", "torn")},
    }
    for name, text in files.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "shop"


def failed(done: Done) -> list[str]:
    """Return the titles of the scenarios that failed."""
    return [line.rsplit(": ", 1)[1] for line in done.err.splitlines() if "failed: " in line]


def test_a_bad_flow_fails_its_own_scenarios(shop: Path) -> None:
    """A flow, or a template, with errors fails the scenarios that play it, and no others."""
    towpath("test", "--rewrite", shop)
    text = (shop / "good.scenarios.txt").read_text()
    done = towpath("test", shop)

    assert "message    good/hi" in text
    assert (done.code, towpath("test", shop / "good.yaml").code) == (1, 0)
    assert failed(done) == ["a signup", "a signup"]
    assert 'bad.scenarios.txt:1:1: flow "bad" has problems; run towpath check' in done.err
    assert 'torn.scenarios.txt:1:1: flow "torn" has problems' in done.err
    assert "bad.yaml:5:" in done.err
    assert "good.scenarios.txt" not in done.err


def test_a_flow_without_scenarios_is_said(shop: Path) -> None:
    """A flow that has no scenario file is a usage error that names the file to write."""
    (shop / "good.scenarios.txt").unlink()
    done = towpath("test", shop / "good.yaml")

    assert done.code == 2
    assert f"good.yaml has no scenarios: write {shop}/good.scenarios.txt" in done.err


def test_a_bad_scenario_fails_alone(shop: Path) -> None:
    """A line that cannot be read, or played, fails its scenario; the others are compared."""
    path = shop / "good.scenarios.txt"
    towpath("test", "--rewrite", path)
    good = path.read_text()
    typo = good.replace("# a signup", "# a typo").replace("event", "evnt")
    early = "# no message yet\n\n2026-03-01 09:00 event Signup\n+1m communication hi opened\n"
    wrong = good.replace("# a signup", "# another time").replace(
        "2026-03-01 09:00  entered", "2026-03-01 08:00  entered"
    )
    whole = "\n".join([typo, early, good, wrong])
    path.write_text(whole)
    done = towpath("test", path)

    assert failed(done) == ["a typo", "no message yet", "another time"]
    assert "3 scenarios failed; 1 file with differences or problems" in done.err
    assert '"evnt" is not an input' in done.err
    assert '"hi" has sent nothing so far' in done.err
    assert done.out.count("+++") == 1
    towpath("test", "--rewrite", path)
    assert path.read_text() == "\n".join(
        [typo, early, good, good.replace("# a signup", "# another time")]
    )


def test_a_bad_header_of_the_file_fails_all(shop: Path) -> None:
    """A header of the file that cannot be read applies to every scenario, so all fail."""
    path = shop / "good.scenarios.txt"
    path.write_text(f"zone: Nowhere\n\n{GOOD}\n{GOOD.replace('a signup', 'a second')}")
    done = towpath("test", path)

    assert failed(done) == ["a signup", "a second"]


def test_some_words_only(shop: Path) -> None:
    """With ``show:`` only lines of these words are compared, and each only as far as it is written."""
    path = shop / "good.scenarios.txt"
    text = """\
show: message ended

# written before the run

2026-03-01 09:00 event Signup
+2h time
  2026-03-01 10:00 message good/hi
  2026-03-01 10:00 ended good at hi, completed
"""
    path.write_text(text)

    assert towpath("test", path).code == 0
    assert towpath("test", "--rewrite", path).code == 0
    assert path.read_text() == text

    path.write_text(text.replace("10:00 message", "11:00 message"))
    done = towpath("test", path)
    assert (done.code, failed(done)) == (1, ["written before the run"])
    towpath("test", "--rewrite", path)
    assert "2026-03-01 10:00  message    good/hi log to kim, template hi\n" in path.read_text()
    assert "status" not in path.read_text()


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("  2026-03-01 10:00 message good/hi\n", 1),
        ("  2026-03-01 10:00 message good/h\n  2026-03-01 10:00 ended good\n", 1),
        ("  2026-03-01 10:00 message good/hi log to\n  2026-03-01 10:00 ended good\n", 0),
    ],
)
def test_every_line_of_the_words_is_expected(lines: str, code: int, shop: Path) -> None:
    """A line that is missing, or a part of a word, is a difference."""
    path = shop / "good.scenarios.txt"
    path.write_text(f"show: message ended\n\n{GOOD}{lines}")

    assert towpath("test", path).code == code


def test_a_word_that_is_not_there(shop: Path) -> None:
    """An unknown word of ``show:`` is reported with a suggestion."""
    path = shop / "good.scenarios.txt"
    path.write_text(f"# x\nshow: mesage\n\n{GOOD.removeprefix('# a signup')}")
    done = towpath("test", path)

    assert (
        'good.scenarios.txt:2:7: a transcript has no "mesage"; did you mean "message"?' in done.err
    )


def test_failed_scenarios_as_json(shop: Path) -> None:
    """With --json each file lists the scenarios that failed."""
    found = [json.loads(line) for line in towpath("test", "--json", shop).out.splitlines()]

    assert {Path(item["path"]).name: len(item["failed"]) for item in found} == {
        "bad.scenarios.txt": 1,
        "good.scenarios.txt": 1,
        "torn.scenarios.txt": 1,
    }


def test_tables(shop: Path) -> None:
    """A row of a table compares the time of the first output of a kind, for a user of its own."""
    path = shop / "good.scenarios.txt"
    text = """\
# when the session ends

2026-03-01 08:00 profile {plan: "pro"}
table: event Signup -> ended
2026-03-01 08:30 -> 2026-03-01 09:00
+1h   -> 2026-03-01 10:30

# nobody gets a second message

table: event Other -> message
2026-03-01 09:00 -> never
"""
    path.write_text(text)
    towpath("test", "--rewrite", path)
    written = path.read_text()

    assert "2026-03-01 08:30 -> 2026-03-01 09:30\n" in written
    assert "+1h   -> 2026-03-01 10:30\n" in written
    assert "2026-03-01 09:00 -> never\n" in written
    assert towpath("test", path).code == 0

    path.write_text(written.replace("-> never", "-> 2026-03-01 10:00"))
    done = towpath("test", path)
    assert (done.code, failed(done)) == (1, ["nobody gets a second message"])


def test_bad_tables(shop: Path) -> None:
    """Every problem of a table is reported at its place, once, and none in its rows for its head."""
    path = shop / "good.scenarios.txt"
    rows = "2026-03-01 09:00 -> never\n2026-03-01 09:0 -> never\n"
    heads = ("event Signup -> mesage", "event {a: -> message", "control stop good -> message", "x")
    path.write_text("\n".join(f"# {n}\n\ntable: {head}\n{rows}" for n, head in enumerate(heads)))
    done = towpath("test", path)
    found = [line.partition(".txt:")[2] for line in done.err.splitlines() if ".txt:" in line]

    row = '"->" is expected here, and what time the table expects, or never [scenario-syntax]'
    assert [line for line in found if "[" in line] == [
        '3:24: a table cannot compare "mesage"; did you mean "message"? [unknown-word]',
        f"5:12: {row}",
        "9:14: an event needs a name [scenario-syntax]",
        f"11:12: {row}",
        "15:8: a table repeats a signal of a user, not a control record [unknown-input]",
        f"17:12: {row}",
        (
            "21:1: a table says an input and what is expected: table: event Order -> message "
            "[scenario-syntax]"
        ),
        f"23:12: {row}",
    ]
