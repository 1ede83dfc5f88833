"""Lines of a job without a broker become tables: each row once, whenever the collection stops."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines.collect import Collected, collect
from tests.replay.kit import towpath
from transforms.flows.protocol.outputs import AnyOutput, ProfileUpdate, Transition
from transforms.sinks.part_files import listed
from transforms.wire.output_lines import FOLDER, of_line, to_line

DAY = 86_400_000


def moved(user: str, at: int) -> Transition:
    return Transition(
        id=f"{user}-{at}", at=at, user=user, flow="welcome", version=1, session="s", step="hello",
        what="entered", key="", visit=1, cause="e",
    )  # fmt: skip


def write_lines(out: Path, name: str, rows: list[AnyOutput]) -> Path:
    path = out / FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(to_line("shop", row) + b"\n" for row in rows))
    return path


def users(out: Path) -> list[str]:
    files = [str(path) for path in listed("transition", out / "shop")]
    query = f"select user from read_parquet({files}) order by all"
    return [str(user) for (user,) in duckdb.sql(query.replace("user", '"user"')).fetchall()]


def test_a_line_gives_its_output_back() -> None:
    """A line has its space and the complete output."""
    row = ProfileUpdate(id="p", at=1, user="u", set={"b": [1], "a": "x\n"}, flow=None)

    assert of_line(to_line("shop", row)) == ("shop", row)
    assert b"\n" not in to_line("shop", row)


def test_rows_are_added_to_their_tables(tmp_path: Path) -> None:
    """Rows go to the table of their kind and the folder of their day; what Flink has not committed
    stays where it is.
    """
    write_lines(tmp_path, "part-a-0-0", [moved("ann", DAY), moved("bob", 3 * DAY)])
    unfinished = write_lines(tmp_path, ".part-a-0-1.inprogress", [moved("cid", DAY)])

    assert collect(tmp_path) == [Collected("shop", "transition", 2)]
    assert users(tmp_path) == ["ann", "bob"]
    assert [path.parent.name for path in listed("transition", tmp_path / "shop")] == [
        "day=1970-01-02",
        "day=1970-01-04",
    ]
    assert unfinished.exists()
    assert collect(tmp_path) == []


def test_a_collection_that_is_killed_is_repeated(tmp_path: Path) -> None:
    """If a collection ends before it has removed the lines, the next one adds no row twice."""
    path = write_lines(tmp_path, "part-a-0-0", [moved("ann", DAY)])
    lines = path.read_bytes()
    collect(tmp_path)
    path.write_bytes(lines)
    write_lines(tmp_path, "part-a-0-1", [moved("bob", DAY)])

    collect(tmp_path)

    assert users(tmp_path) == ["ann", "bob"]


def test_the_command_counts_metrics(tmp_path: Path) -> None:
    """``towpath collect --metrics`` prints the tables, with metrics of all rows so far."""
    write_lines(tmp_path, "part-a-0-0", [moved("ann", DAY)])
    towpath("collect", tmp_path, "--metrics")
    write_lines(tmp_path, "part-a-0-1", [moved("bob", DAY)])

    done = towpath("collect", tmp_path, "--metrics")

    assert "shop/transition: 1 rows" in done.out
    (path,) = listed("flow_metric", tmp_path / "shop")
    found = duckdb.sql(f"select \"window\", value from read_parquet('{path}')").fetchall()
    assert sorted(found) == [("day", 2.0), ("hour", 2.0), ("minute", 2.0)]


def test_a_folder_without_lines_is_refused(tmp_path: Path) -> None:
    """A folder that no job on Flink has written is wrong usage."""
    assert towpath("collect", tmp_path)[0] == 2
