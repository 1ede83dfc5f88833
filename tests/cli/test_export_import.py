"""``towpath export`` and ``towpath import``: a flow moves to another folder as one file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towpath.cli.main import main
from towpath.portable import archive
from towpath.portable.archive import MAX_CHARACTERS, Archive
from towpath.scenario_files import ENDING, folder

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "tests" / "scenarios" / "steps"
FLOWS = [
    *sorted((ROOT / "flow_defs").glob("*.yaml")),
    *(
        STEPS / f"{name}.yaml"
        for name in ("send", "chain", "webhook", "wait_for", "update", "level", "credit", "patient")
    ),
    ROOT / "tests" / "scenarios" / "control" / "tour.yaml",
    ROOT / "tests" / "scenarios" / "caps" / "one.yaml",
    ROOT / "tests" / "scenarios" / "channels" / "reach.yaml",
    ROOT / "tests" / "scenarios" / "audiences" / "best.yaml",
    ROOT / "tests" / "scenarios" / "visits" / "chat.yaml",
    ROOT / "tests" / "scenarios" / "campaigns" / "invite.yaml",
]
SPACE = """\
# shared
space: shop
zone: Europe/Berlin
channels:
  email: {address: mail}
  sms: {address: phone}
topics: {news: {}, trial: {opt_in: true}}
caps:
- {limit: 1 per day, channel: sms}
- {limit: 2 per day, channel: email, topic: news}
- {limit: 9 per day}
quiet_hours: 22:00-08:00
events:
  Bought: {total: number}
  Looked: {page: text}
  Left: {}
traits: {mail: text, phone: text}
audiences:
  good: count(event "Bought") > 2
  list: static
"""
FLOW = """\
flow: hello     # a word to those who looked
enter:
  - event: Looked
steps:
  tell: {send: email, template: hi, topic: news}
"""
HEAD = "towpath: 1\nflows: [hello]\nfiles:\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write a folder with one flow that needs a part of its space."""
    place = tmp_path / "shop"
    (place / "messages").mkdir(parents=True)
    (place / "space.yaml").write_text(SPACE)
    (place / "hello.yaml").write_text(FLOW)
    (place / "messages" / "hi.liquid").write_text("---\nsubject: Hi\n---\nHello.\n")
    (place / "messages" / "other.liquid").write_text("Not needed.\n")
    return place


def contents(place: Path) -> dict[str, str]:
    """Read every file of a folder."""
    files = (path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_text() for path in files}


@pytest.mark.parametrize("flow", [f for f in FLOWS if f.stem != "space"], ids=lambda p: p.stem)
def test_export_and_import_keep_every_byte(flow: Path, tmp_path: Path) -> None:
    """Imported files have the same bytes; they check, their scenarios pass, and the export is equal
    (J3).
    """
    one, two, into = tmp_path / "one.towpath", tmp_path / "two.towpath", tmp_path / "into"

    assert main(["export", str(flow), "--out", str(one)]) == 0
    assert main(["import", str(one), "--into", str(into)]) == 0

    for name, text in contents(into).items():
        if name != "space.yaml":
            assert (flow.parent / name).read_text() == text
    assert f"{flow.stem}{ENDING}" in contents(into)
    folder.cache_clear()
    assert main(["check", str(into / flow.name)]) == 0
    assert main(["test", str(into)]) == 0
    flows = [str(into / f"{name}.yaml") for name in archive.read("", one.read_text()).value.flows]
    assert main(["export", *flows, "--out", str(two)]) == 0
    assert two.read_text() == one.read_text()


def test_only_the_group_of_the_flow_is_exported(shop: Path, tmp_path: Path) -> None:
    """Of the flow groups of a space, only the one that the flow names is exported."""
    out = tmp_path / "hello.towpath"
    (shop / "space.yaml").write_text(f"{SPACE}groups:\n  lane: {{at_once: 2}}\n  other: {{}}\n")
    (shop / "hello.yaml").write_text(FLOW.replace("enter:", "group: lane\nenter:"))

    assert main(["export", str(shop / "hello.yaml"), "--out", str(out)]) == 0

    found = archive.read("", out.read_text()).value
    assert found is not None
    assert "lane:" in found.files["space.yaml"]
    assert "other:" not in found.files["space.yaml"]


def test_only_what_the_flow_needs_is_exported(shop: Path, tmp_path: Path) -> None:
    """Of a space, settings are exported, and only the channels, topics, caps, events and traits
    needed.
    """
    out = tmp_path / "hello.towpath"

    assert main(["export", str(shop / "hello.yaml"), "--out", str(out)]) == 0

    found = archive.read("", out.read_text()).value
    assert found is not None
    assert list(found.files) == ["hello.yaml", "space.yaml", "messages/hi.liquid"]
    assert found.files["hello.yaml"] == FLOW
    assert found.files["space.yaml"] == (
        "space: shop\nzone: Europe/Berlin\nchannels:\n  email: {address: mail}\n"
        "topics: {news: {}}\ncaps:\n- {limit: 2 per day, channel: email, topic: news}\n"
        "- {limit: 9 per day}\nquiet_hours: 22:00-08:00\nevents:\n  Looked: {page: text}\n"
        "traits: {mail: text}\n"
    )


def test_flows_that_scenarios_play_are_exported_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If scenarios of a flow play another flow, that is exported too, with a note."""
    out = tmp_path / "one.towpath"

    assert main(["export", str(ROOT / "tests/scenarios/caps/one.yaml"), "--out", str(out)]) == 0

    assert "also exported two" in capsys.readouterr().err
    assert archive.read("", out.read_text()).value.flows == ("one", "two")


def test_scenarios_of_other_flows_do_not_matter(shop: Path, tmp_path: Path) -> None:
    """A flow is exported even if scenarios of other flows cannot be read; its own must be readable."""
    (shop / "bye.yaml").write_text(FLOW.replace("hello", "bye"))
    (shop / f"bye{ENDING}").write_text("# a story\n\nnonsense\n")

    assert main(["export", str(shop / "hello.yaml"), "--out", str(tmp_path / "x")]) == 0
    assert main(["export", str(shop / "bye.yaml"), "--out", str(tmp_path / "y")]) == 1
    assert not (tmp_path / "y").exists()


def test_a_flow_without_a_space(tmp_path: Path) -> None:
    """The export of a flow without a space contains one file."""
    text = "flow: lone\nenter:\n  - event: Started\nsteps:\n  pause: {wait: 1h}\n"
    (tmp_path / "lone.yaml").write_text(text)

    assert main(["export", str(tmp_path / "lone.yaml"), "--out", str(tmp_path / "x")]) == 0
    assert main(["import", str(tmp_path / "x"), "--into", str(tmp_path / "into")]) == 0
    assert contents(tmp_path / "into") == {"lone.yaml": text}


def test_export_to_standard_output(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``--out`` the export goes to stdout, and messages go to stderr."""
    assert main(["export", str(shop / "hello.yaml")]) == 0

    assert archive.read("", capsys.readouterr().out).problems == ()


def test_a_flow_with_errors_is_not_exported(shop: Path, tmp_path: Path) -> None:
    """Its problems are shown, the exit code is 1, and no file is written."""
    (shop / "hello.yaml").write_text(FLOW.replace("template: hi", "template: ho"))

    assert main(["export", str(shop), "--out", str(tmp_path / "x.towpath")]) == 1
    assert not (tmp_path / "x.towpath").exists()


def test_import_overwrites_only_with_force(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that differs is named and nothing is written; ``--force`` overwrites it."""
    out, into = tmp_path / "hello.towpath", tmp_path / "into"
    assert main(["export", str(shop), "--out", str(out)]) == 0
    assert main(["import", str(out), "--into", str(into)]) == 0
    assert main(["import", str(out), "--into", str(into)]) == 0
    (into / "hello.yaml").write_text(FLOW.replace("Looked", "Left"))
    (into / "messages" / "hi.liquid").unlink()
    before = contents(into)
    capsys.readouterr()

    assert main(["import", str(out), "--into", str(into)]) == 1
    assert "hello.yaml would be overwritten" in capsys.readouterr().err
    assert contents(into) == before
    assert main(["import", str(out), "--into", str(into), "--force", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)["written"]
    assert [Path(path).name for path in written] == ["hello.yaml", "hi.liquid"]
    assert (into / "hello.yaml").read_text() == FLOW

    out.write_text("mine\n")
    assert main(["export", str(shop), "--out", str(out)]) == 1
    assert out.read_text() == "mine\n"
    assert main(["export", str(shop), "--out", str(out), "--force"]) == 0


def test_import_never_changes_entries_of_a_space(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Entries of a space that differ are reported by line, and nothing is written, even with
    ``--force``.
    """
    out, into = tmp_path / "hello.towpath", tmp_path / "into"
    assert main(["export", str(shop), "--out", str(out)]) == 0
    into.mkdir()
    (into / "space.yaml").write_text("zone: UTC\nchannels: {email: {address: user}}\n")
    capsys.readouterr()

    assert main(["import", str(out), "--into", str(into), "--force"]) == 1
    said = capsys.readouterr().err
    assert 'channels has another "email": {address: user}, not {address: mail}' in said
    assert list(contents(into)) == ["space.yaml"]


SPACES = [
    "zone: UTC\n",
    "zone: UTC",
    "zone: UTC\nchannels: {log: {address: user}}     # ours\n",
    "zone: UTC\nchannels:\n    log: {address: user}     # ours\n\n# topics\ntopics: {}\n",
    "zone: UTC\ntopics:\n  old:\n    opt_in: true\n\naudiences:\n  a: static",
    "zone: UTC\nevents:\n  Looked: {page: text}\n  Seen: {\n    page: text\n  }\ntraits: {}\n",
    "zone: UTC\naudiences:\n  a: >-\n    user.mail is set\n\ntraits: {mail: text, b: text}\n",
]


@pytest.mark.parametrize("text", SPACES)
def test_import_adds_missing_entries_to_a_space(
    text: str, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Entries are added at the end of their sections; all existing lines stay, in order."""
    out, into = tmp_path / "hello.towpath", tmp_path / "into"
    assert main(["export", str(shop / "hello.yaml"), "--out", str(out)]) == 0
    into.mkdir()
    (into / "space.yaml").write_text(text)
    capsys.readouterr()

    assert main(["import", str(out), "--into", str(into)]) == 0

    assert "note: zone in" in capsys.readouterr().err
    now = (into / "space.yaml").read_text()
    rest = iter(now)
    assert all(sign in rest for sign in text.replace("{}", "").rstrip())
    assert main(["check", str(into)]) == 0
    assert main(["import", str(out), "--into", str(into)]) == 0
    assert (into / "space.yaml").read_text() == now


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1:1: the file is empty [empty-file]"),
        ("flow: hello\n", ":1:1: this is not a file written by `towpath export` [not-portable]"),
        (
            HEAD.replace("1", "2") + "  hello.yaml: x\n",
            ":1:10: unknown version; this Towpath reads version 1",
        ),
        (HEAD + "  hello.yaml: {a: b}\n", ":4:15: hello.yaml is not a text; write it after |"),
        (HEAD + "  helo.yaml: x\n", ':2:9: there is no file for the flow "hello"; add hello.yaml'),
        (HEAD + "  hello.yaml: x\n  ../hello.yaml: x\n", ':5:3: "../hello.yaml" is not allowed'),
        (
            HEAD + "  hello.yaml: x\n  /etc/hello.yaml: x\n",
            ':5:3: "/etc/hello.yaml" is not allowed',
        ),
        (HEAD + "  hello.yaml: x\n  a/../hello.yaml: x\n", '"a/../hello.yaml" is not allowed'),
        (HEAD + "  hello.yaml: x\n  .git/hooks.yaml: x\n", '".git/hooks.yaml" is not allowed'),
        (HEAD + "  hello.yaml: x\n  messages/run.sh: x\n", '"messages/run.sh" is not allowed'),
        (HEAD + "  hello.yaml: x\n  hello.yaml: y\n", 'key "hello.yaml" is repeated'),
        (HEAD + "  hello.yaml: &a x\n  b.yaml: *a\n", "each value is written where it is used"),
        (HEAD + "  hello.yaml: x\nmore: x\n", ':5:1: unknown key "more" [unknown-key]'),
        ("towpath: 1\nflows: []\nfiles: {a.yaml: x}\n", ':2:8: "flows" is missing'),
        ("towpath: 1\nflows: [a]\n", ':1:1: "files" is missing'),
        (HEAD + "  hello.yaml: |\n    flow: helo\n", "hello.yaml:1:1: "),
    ],
)
def test_import_problems_have_places(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid file is reported with a place, the exit code is 1, and nothing is written."""
    (tmp_path / "x.towpath").write_text(text)

    assert main(["import", str(tmp_path / "x.towpath"), "--into", str(tmp_path / "into")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "into").exists()


def test_import_does_not_follow_links_out_of_the_folder(shop: Path, tmp_path: Path) -> None:
    """A folder that is a link to another place is not written to."""
    out, into = tmp_path / "hello.towpath", tmp_path / "into"
    assert main(["export", str(shop), "--out", str(out)]) == 0
    (tmp_path / "elsewhere").mkdir()
    into.mkdir()
    (into / "messages").symlink_to(tmp_path / "elsewhere")

    assert main(["import", str(out), "--into", str(into)]) == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (into / "hello.yaml").exists()


def test_a_large_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file larger than any export is refused without reading it."""
    large = tmp_path / "x.towpath"
    large.write_text(HEAD + "  hello.yaml: |\n" + "    # line\n" * (MAX_CHARACTERS // 10))
    assert main(["import", str(large), "--into", str(tmp_path / "into")]) == 1
    assert "the file is larger than 4096 KiB" in capsys.readouterr().err

    large.write_bytes(b" " * (4 * MAX_CHARACTERS + 1))
    assert main(["import", str(large), "--into", str(tmp_path / "into")]) == 1
    assert "larger than 16 MiB" in capsys.readouterr().err


LINES = st.text(st.sampled_from(" \t\nab:|#-'\"{}%\\é漢\x85\u2028"), max_size=30)


@given(st.lists(LINES | st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_any_text_survives_export_and_import(texts: list[str]) -> None:
    """Any text in a file is read back as it was written."""
    files = {"a.yaml": "flow: a\n"} | {f"t{i}.scenarios.txt": t for i, t in enumerate(texts)}
    packed = Archive(("a",), files)

    assert archive.read("x", archive.write(packed)).value == packed
