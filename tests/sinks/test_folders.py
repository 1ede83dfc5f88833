"""Outputs in folders: contents and names of files, and when they become visible."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from transforms.flows.protocol.outputs import Conversion, HandoverOut, ProfileUpdate
from transforms.sinks import files, open_sink, parquet
from transforms.sinks.folders import Folder, Format
from transforms.sinks.part_files import MANIFEST, listed, prune
from transforms.wire.rows import from_row

MINUTE = 60_000
FORMATS: dict[str, Format] = {"parquet": parquet, "files": files}
KIND = "profile_update"


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def output(number: int, at: int) -> ProfileUpdate:
    return ProfileUpdate(id=f"p{number}", user="kim", at=at, set={"n": number})


def put(form: str, out: Path, *outputs: object, window: int = 600) -> None:
    sink = open_sink(f"{form}:{out}", window=window)
    sink.write([("shop", one) for one in outputs])
    sink.close()


def test_a_window_is_one_file(form: str, tmp_path: Path) -> None:
    """Rows of one window are in one file, named by its start; the next begins at its end."""
    at = (0, 10 * MINUTE - 1, 10 * MINUTE, 25 * MINUTE)
    put(form, tmp_path, *(output(n, at=t) for n, t in enumerate(at)))

    assert {
        path.name.rpartition("-")[0]: len(FORMATS[form].read(path))
        for path in listed(KIND, tmp_path / "shop")
    } == {"part-0": 2, f"part-{10 * MINUTE}": 1, f"part-{20 * MINUTE}": 1}


def test_a_late_row_replaces_the_file_of_its_window(form: str, tmp_path: Path) -> None:
    """The file with the late row replaces the other one in the manifest; no other file changes."""
    put(form, tmp_path, output(1, at=0), output(2, at=15 * MINUTE))
    before = set(listed(KIND, tmp_path / "shop"))
    put(form, tmp_path, output(3, at=5 * MINUTE))
    after = set(listed(KIND, tmp_path / "shop"))

    (old,), (new,) = before - after, after - before
    assert [row["id"] for row in FORMATS[form].read(new)] == ["p1", "p3"]
    assert old.exists(), "one who has read the manifest before may still want it"
    assert prune(KIND, tmp_path / "shop") == (old,)


def test_nothing_is_visible_before_the_manifest(form: str, tmp_path: Path) -> None:
    """A crash between the files and the manifest shows nothing; writing again shows everything."""
    put(form, tmp_path, output(1, at=0))
    manifest = tmp_path / "shop" / KIND / MANIFEST
    text = manifest.read_bytes()
    put(form, tmp_path, output(2, at=0), output(3, at=60 * MINUTE))
    after = {path: path.read_bytes() for path in listed(KIND, tmp_path / "shop")}
    manifest.write_bytes(text)

    assert len(listed(KIND, tmp_path / "shop")) == 1
    put(form, tmp_path, output(2, at=0), output(3, at=60 * MINUTE))
    assert {path: path.read_bytes() for path in listed(KIND, tmp_path / "shop")} == after


def test_a_failed_flush_can_be_retried(form: str, tmp_path: Path) -> None:
    """Outputs that could not be written are kept, and the next flush writes them."""
    sink = Folder(FORMATS[form], tmp_path / "out")
    sink.write([("shop", output(1, at=0))])
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OSError, match="out"):
        sink.flush()
    (tmp_path / "out").unlink()
    sink.close()

    assert len(listed(KIND, tmp_path / "out" / "shop")) == 1


def test_two_writers_at_once_lose_nothing(form: str, tmp_path: Path) -> None:
    """Workers on one machine that write to the same window keep the rows of both."""
    given = [[output(n, at=n) for n in range(start, 60, 4)] for start in range(4)]
    workers = [threading.Thread(target=put, args=(form, tmp_path, *part)) for part in given]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    (path,) = listed(KIND, tmp_path / "shop")
    assert [row["id"] for row in FORMATS[form].read(path)] == [f"p{n}" for n in range(60)]


def test_values_that_a_format_normalizes_are_one_row(form: str, tmp_path: Path) -> None:
    """3 and 3.0 are one number in a column of numbers, and bytes are read back: no row is doubled."""
    goal = Conversion(
        id="c", user="kim", at=1, flow="f", version=1, session="s", step="x", goal="g", value=3,
        entered=0, cause="e", steps=("x",), variants=(), silent=False,
    )  # fmt: skip
    state = HandoverOut(id="h", user="kim", at=1, to="lee", state=b"\x00\xff")
    put(form, tmp_path, goal, state)
    put(form, tmp_path, goal, state)

    for kind, given in (("conversion", goal), ("handover", state)):
        (path,) = listed(kind, tmp_path / "shop")
        assert [from_row(kind, row) for row in FORMATS[form].read(path)] == [given]


def test_a_value_of_the_wrong_type_is_refused_at_once(form: str, tmp_path: Path) -> None:
    """A free map that is a list is refused: it could be written but not read."""
    sink = open_sink(f"{form}:{tmp_path}")
    wrote = sink.write([("shop", ProfileUpdate(id="p", user="kim", at=1, set=[1]))])
    sink.close()

    assert [(bad.id, bad.detail) for bad in wrote.bad] == [
        ("p", "Expected `object`, got `array` - at `$.set`")
    ]
    assert list(tmp_path.iterdir()) == []


def test_any_name_of_a_space_is_a_subfolder(form: str, tmp_path: Path) -> None:
    """A space whose name has a slash is not written to another folder."""
    sink = open_sink(f"{form}:{tmp_path / 'out'}")
    sink.write([("../a/b", output(1, at=0))])
    sink.close()

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["..%2Fa%2Fb"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
