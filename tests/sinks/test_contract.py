"""The contract of all sinks, on the real servers of the kit."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.sinks.places import Place, place, servers
from transforms.flows.protocol.outputs import AnyOutput
from transforms.metrics import FlowMetric
from transforms.sinks import SINKS, open_sink
from transforms.sinks.checked import BadRow, Wrote

NAMES = [name for name in SINKS if name != "rediss"]  # the sink of "redis", over TLS

Outputs = list[tuple[str, AnyOutput]]


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    with servers() as found:
        yield found


@pytest.fixture(params=NAMES)
def where(
    request: pytest.FixtureRequest, tmp_path: Path, addresses: dict[str, str]
) -> Iterator[Place]:
    with place(request.param, tmp_path, addresses) as found:
        yield found


@pytest.fixture
def outputs(where: Place) -> Outputs:
    return [("shop", where.output(number, f"u{number % 3}")) for number in range(1, 25)]


def write_batches(where: Place, *batches: Outputs) -> list[Wrote]:
    """Write batches, then close."""
    sink = open_sink(where.address)
    wrote = [sink.write(iter(batch)) for batch in batches]
    sink.close()
    return wrote


def test_what_is_written_is_read(where: Place, outputs: Outputs) -> None:
    """After a flush readers see the whole batch, and the result has its number."""
    sink = open_sink(where.address)
    wrote = sink.write(iter(outputs))
    sink.flush()

    assert where.seen() == where.expected(outputs)
    assert wrote.written + wrote.stale == len(outputs)
    assert (wrote.bad_rows, wrote.bad) == (0, ())
    sink.close()


def test_closing_flushes(where: Place, outputs: Outputs) -> None:
    """Closing a sink without a flush writes everything that it accepted."""
    write_batches(where, outputs)

    assert where.seen() == where.expected(outputs)


def test_a_repeated_batch_changes_nothing(where: Place, outputs: Outputs) -> None:
    """Readers see no difference after the same batch again, later or in another order (R31)."""
    write_batches(where, outputs)
    before = where.raw()
    again = outputs * 2
    random.Random(3).shuffle(again)
    write_batches(where, again, outputs)

    assert where.raw() == before


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_batches_converge(
    where: Place, outputs: Outputs, seed: int, tmp_path: Path, addresses: dict[str, str]
) -> None:
    """Batches divided, shuffled and repeated in any way, by several sinks, give the same result
    (R31).
    """
    chance = random.Random(seed)
    given = outputs + chance.sample(outputs, 8)
    chance.shuffle(given)
    cuts = [0, *sorted(chance.sample(range(1, len(given)), 3)), len(given)]
    parts = [given[start:end] for start, end in pairwise(cuts)]
    write_batches(where, *parts[:2])
    write_batches(where, *parts[2:])
    found = where.raw()

    assert where.seen() == where.expected(outputs)
    name = where.address.partition(":")[0]
    with place(name, tmp_path / "other", addresses) as other:
        write_batches(other, outputs)
        assert other.raw() == found


def test_an_older_batch_overwrites_nothing(where: Place, outputs: Outputs) -> None:
    """An older batch that another worker writes late does not replace newer outputs."""
    write_batches(where, outputs[:12])
    write_batches(where, outputs)
    before = where.raw()
    write_batches(where, outputs[:12])

    assert where.raw() == before
    assert where.seen() == where.expected(outputs)


def test_batch_sizes_do_not_matter(where: Place, outputs: Outputs) -> None:
    """One batch, or one output at a time from the last to the first: the outputs are the same."""
    for pair in reversed(outputs):
        write_batches(where, [pair])

    assert where.seen() == where.expected(outputs)


def test_invalid_records_are_reported_and_the_rest_written(where: Place, outputs: Outputs) -> None:
    """An invalid record is reported by id, without values, and not written; all others are."""
    first, second, *_ = outputs
    wrong = [
        ("shop", replace(where.output(91, "u"), at="noon")),
        ("shop", replace(where.output(92, "u"), user=None)),
        ("shop", replace(where.output(93, "u"), user="half \ud83d")),
    ]
    (wrote,) = write_batches(where, [wrong[0], first, *wrong[1:], second])

    assert wrote.bad == (
        BadRow("s91" if first[1].id == "s1" else "p91", "at is not of type time"),
        BadRow("s92" if first[1].id == "s1" else "p92", "user is missing"),
        BadRow("s93" if first[1].id == "s1" else "p93", "it cannot be encoded"),
    )
    assert wrote.bad_rows == 3
    assert where.seen() == where.expected([first, second])


def test_many_invalid_records_are_counted_not_kept(where: Place) -> None:
    """However many are invalid, the report stays short and the number is right."""
    bad = replace(where.output(1, "u"), at=None)
    (wrote,) = write_batches(where, [("shop", bad)] * 500)

    assert (wrote.written, wrote.bad_rows, len(wrote.bad)) == (0, 500, 100)
    assert where.seen() == {}


def test_an_empty_batch_changes_nothing(where: Place, outputs: Outputs) -> None:
    """An empty batch, or a sink opened and closed, changes nothing."""
    write_batches(where)
    assert write_batches(where, []) == [Wrote()]
    assert where.seen() == {}
    write_batches(where, outputs)
    before = where.raw()
    write_batches(where, [])

    assert where.raw() == before


def test_spaces_are_separate(where: Place) -> None:
    """The same output in two spaces is two outputs."""
    output = where.output(1, "u")
    both = [("shop", output), ("bank", output)]
    write_batches(where, both)

    assert where.seen() == where.expected(both)
    assert len(where.seen()) == 2


@pytest.mark.parametrize("name", ["pubsub", "redis"])
def test_a_kind_that_a_sink_does_not_accept_is_reported(
    name: str, tmp_path: Path, addresses: dict[str, str]
) -> None:
    """A record without a topic or hash is refused by name, not dropped."""
    metric = FlowMetric("day", 0, "f", 1, "entries", "", 1.0)
    with place(name, tmp_path, addresses) as where:
        (wrote,) = write_batches(where, [("shop", metric), ("shop", where.output(1, "u"))])

    said = {
        "pubsub": "there is no topic for flow_metric",
        "redis": "Redis does not store flow_metric",
    }
    assert (wrote.written, wrote.bad) == (1, (BadRow("", said[name]),))


def test_every_sink_is_tested_by_this_contract(tmp_path: Path, addresses: dict[str, str]) -> None:
    """Each scheme of an address has a target here."""
    for name in NAMES:
        with place(name, tmp_path, addresses) as where:
            assert where.address.startswith(f"{name}:")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("parket:out", 'unknown sink "parket"; did you mean "parquet"?'),
        ("out", 'unknown sink "out"; there are "files", "parquet", "pubsub", "redis"'),
        ("files:", '"files:" lacks the place to write to'),
    ],
)
def test_an_unknown_address_is_refused(address: str, said: str) -> None:
    """An unknown scheme is refused with a list of the known ones."""
    with pytest.raises(ValueError, match="^" + said.replace("?", r"\?")):
        open_sink(address)


@pytest.mark.parametrize(
    ("module", "address", "extra"),
    [("redis", "redis://x", "redis"), ("google.cloud.pubsub_v1", "pubsub:x", "pubsub")],
)
def test_a_missing_package_is_reported_with_its_extra(
    module: str, address: str, extra: str
) -> None:
    """If a client is missing, only its own sink fails, and says what to install."""
    code = f"""
import sys
sys.modules[{module!r}] = None
from transforms.sinks import open_sink
open_sink("files:out").close()
try:
    open_sink({address!r})
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stderr == ""
    assert done.stdout.endswith(f"; pip install 'towpath[{extra}]'\n")
