"""Options of the job about its source."""

from __future__ import annotations

import pytest

from pipelines.stream_options import StreamOptions, sinks_of, stream_options, topics_read
from transforms.flows.catalog.epochs import NEVER
from transforms.hosting.allowed import Source
from transforms.sources.pubsub.leases import Delivery, LeaseBook, Settings

HOUR = 3_600_000
TOPIC = ["--subscription", "projects/p/subscriptions/s"]
OTHER = "projects/p/subscriptions/other"


def parsed_options(*words: str) -> Settings:
    return topics_read(stream_options([*TOPIC, *words]).view_as(StreamOptions))[0].settings


def test_the_idle_time_of_the_source() -> None:
    """``--idle`` is how long a silent topic holds the watermark back; the default is ten seconds."""
    assert parsed_options() == Settings(subscription=TOPIC[1])
    assert parsed_options("--idle", "2.5").idle_ms == 2_500
    assert parsed_options("--idle", "0").idle_ms == 0
    assert parsed_options("--idle", "never").idle_ms == NEVER


def test_each_subscription_has_its_kinds() -> None:
    """A subscription may bring the kinds that are named with it; only the first one, the events
    topic, has the options of a gateway (R9).
    """
    words = [*TOPIC, "--subscription", f"{OTHER}=erase,command", "--idle", "never"]
    words += ["--timestamp_attribute", "receipt", "--readers", "3"]
    events, other = topics_read(stream_options(words).view_as(StreamOptions))

    assert (events.source.name, events.source.allow) == (TOPIC[1], frozenset())
    assert (events.settings.idle_ms, events.settings.readers) == (NEVER, 3)
    assert events.settings.timestamp_attribute == "receipt"
    assert other.source == Source(OTHER, frozenset(("erase", "command")))
    assert other.settings == Settings(subscription=OTHER)


@pytest.mark.parametrize(
    ("subscriptions", "topic"),
    [
        ([f"{TOPIC[1]}=handover"], "eu-events"),
        ([TOPIC[1], f"{OTHER}=handover"], "eu-handovers"),
        ([f"{TOPIC[1]}=handover", f"{OTHER}=handover"], "eu-handovers"),
    ],
)
def test_the_topic_of_handovers(subscriptions: list[str], topic: str) -> None:
    """What the job sends to itself has the topic ``handovers`` if another subscription brings it,
    else the events topic; emitted events stay on the events topic (R8).
    """
    words = ["--topics", "p", "--topic_prefix", "eu-"]
    for name in subscriptions:
        words += ["--subscription", name]
    topics = sinks_of(stream_options(words).view_as(StreamOptions)).topics

    assert topics["handover"] == topics["forwarded"] == f"projects/p/topics/{topic}"
    assert topics["emitted"] == "projects/p/topics/eu-events"


@pytest.mark.parametrize("word", ["-1", "soon", "nan", "inf", "1e300"])
def test_an_invalid_idle_time_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid idle time is refused with a message that says what is expected."""
    with pytest.raises(SystemExit, match="2"):
        parsed_options(f"--idle={word}")
    assert 'is neither a number of seconds nor "never"' in capsys.readouterr().err


@pytest.mark.parametrize(("word", "moves"), [("30", True), ("never", False)])
def test_the_watermark_of_an_idle_topic(word: str, moves: bool) -> None:
    """With an idle time the watermark of a silent topic advances; with ``never`` it does not."""
    book = LeaseBook(parsed_options("--idle", word), "r")
    book.receive([Delivery("a", b"", {}, HOUR, "m", HOUR)], HOUR)
    book.next()
    for _ in range(2):
        book.acknowledged(book.finalize(book.cut()))
    stood = book.watermark(HOUR)
    for seconds in range(10, 60, 10):
        book.receive([], HOUR + seconds * 1000)

    assert (book.watermark(HOUR + 60_000) > stood) is moves
