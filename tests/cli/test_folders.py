"""Folders of flows may hold other YAML files: mappings, rates, earlier versions of flows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay import kit
from tests.replay.kit import towpath
from transforms.flows.reading.project import is_flow

SPACE = "space: shop\nchannels: {log: {address: user}}\n"
FLOW = """\
flow: hello
enter:
  - event: Signup
steps:
  hi: {send: log, template: hi}
"""
SCENARIO = """\
# a signup

2026-03-01 09:00 event Signup
+1h control publish v2/hello.yaml
"""
MAPPING = "user: who\nevent: what\ntime: {column: at, unit: ms}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write a flow beside a mapping, rates, and a folder with its second version."""
    for name, text in {
        "space.yaml": SPACE,
        "hello.yaml": FLOW,
        "hello.scenarios.txt": SCENARIO,
        "messages/hi.liquid": "Hi.\n",
        "orders.map.yaml": MAPPING,
        "rates.yml": "log: {delivered: 98%}\n",
        "v2/hello.yaml": FLOW.replace("hi:", "again:").replace("template: hi", "template: again"),
        "v2/messages/again.liquid": "Hi again.\n",
    }.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "shop"


def test_other_files_are_not_flows(shop: Path, tmp_path: Path) -> None:
    """check, test, export, fmt and replay take the flow of the folder, and nothing else."""
    table = kit.write_csv(tmp_path / "rows.csv", [("u", kit.START, "Signup", "")])
    words = ["--events", table, "--map", shop / "orders.map.yaml", "--until", kit.UNTIL]
    options = ["--out", tmp_path / "out", "--assume", shop / "rates.yml", "--shards", 1]
    checked = towpath("check", shop)
    tested = towpath("test", "--rewrite", shop)
    exported = towpath("export", shop, "--out", tmp_path / "hello.towpath")
    formatted = towpath("fmt", shop)
    replayed = towpath("replay", shop, *words, *options, "--strict")

    assert [done.code for done in (checked, tested, exported, formatted, replayed)] == [0] * 5, (
        checked.err, tested.err, exported.err, formatted.err, replayed.err
    )  # fmt: skip
    assert "1 flow, 0 problems" in checked.err
    left_out = ", ".join(str(shop / name) for name in ("orders.map.yaml", "rates.yml", "v2"))
    assert (
        f'not flows (no "flow:", or in a subfolder without space.yaml): {left_out}' in checked.err
    )
    assert "1 scenario in 1 file" in tested.err
    assert "1 flow, 6 files: hello" in exported.err
    assert towpath("test", shop).code == 0
    imported = towpath("import", tmp_path / "hello.towpath", "--into", tmp_path / "other")
    assert imported.code == 0, imported.err
    assert (tmp_path / "other" / "v2" / "messages" / "again.liquid").read_text() == "Hi again.\n"
    assert towpath("test", tmp_path / "other").code == 0


def test_a_named_file_is_always_a_flow(shop: Path) -> None:
    """A file that is named on the command line is checked as a flow, whatever is in it."""
    done = towpath("check", shop / "orders.map.yaml")

    assert done.code == 1
    assert f"{shop / 'orders.map.yaml'}:1:1" in done.err


def test_a_flow_without_its_name_is_reported(shop: Path) -> None:
    """A file with steps but without ``flow:`` is reported, not left out silently."""
    (shop / "other.yaml").write_text(FLOW.replace("flow: hello\n", ""))
    done = towpath("check", shop)

    assert done.code == 1
    assert f"{shop / 'other.yaml'}:1:1" in done.err


def test_a_folder_with_its_own_space_is_searched(shop: Path) -> None:
    """A subfolder with a space.yaml is a project of its own."""
    (shop / "v2" / "space.yaml").write_text(SPACE.replace("shop", "other"))

    assert "2 flows, 0 problems" in towpath("check", shop).err


def test_a_folder_without_flows(shop: Path) -> None:
    """A folder that has only other files is an error that says what a flow is."""
    for name in ("hello.yaml", "space.yaml", "v2/hello.yaml"):
        (shop / name).unlink()
    done = towpath("check", shop)

    assert done.code == 2
    assert f'{shop}: no flows (.yaml files with "flow:") in it' in done.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FLOW, True),
        ("# a comment\n\nflow : x\n", True),
        ('{"flow": "x", "enter": []}', True),
        ("steps: {}\n", True),
        (MAPPING, False),
        ("email: {flow: x}\n", False),
        ("email:\n  flow: x\n", False),
        ("", False),
        ("flows: [a]\n", False),
    ],
)
def test_what_is_a_flow(text: str, expected: bool) -> None:
    """A flow has the key ``flow``, ``enter`` or ``steps`` at its top."""
    assert is_flow(text) is expected
