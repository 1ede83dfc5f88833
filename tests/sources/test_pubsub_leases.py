"""What a reader of Pub/Sub may acknowledge, and how far its watermark may advance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transforms.sources.pubsub.client import receipt
from transforms.sources.pubsub.leases import EARLIEST, Delivery, LeaseBook, Settings

NOON = 1_700_000_000_000
SECOND = 1000
HOUR = 3_600_000
SLACK = 10 * SECOND
IDLE = 10 * SECOND
SETTINGS = Settings(subscription="s", slack_ms=SLACK, idle_ms=IDLE, longest_ms=HOUR)


def _book(**other) -> LeaseBook:
    return LeaseBook(
        Settings(**{"subscription": "s", "slack_ms": SLACK, "idle_ms": IDLE, **other}), "r"
    )


def _delivery(ack_id: str, timestamp: int) -> Delivery:
    return Delivery(ack_id, b"", {}, timestamp, ack_id, timestamp)


def _receive(book: LeaseBook, now: int, **timestamps: int) -> None:
    book.receive([_delivery(*each) for each in timestamps.items()], now)


def _take(book: LeaseBook) -> list[str]:
    taken = []
    while delivery := book.next():
        taken.append(delivery.ack_id)
    return taken


def _settle(book: LeaseBook) -> None:
    """Finish two rounds, after which everything is acknowledged at the broker."""
    for _ in range(2):
        book.acknowledged(book.finalize(book.cut()))


def test_before_the_first_answer_the_watermark_is_at_the_start():
    """A reader without an answer has the earliest watermark, however late it is."""
    book = _book()
    assert book.watermark(NOON) == EARLIEST
    book.forget_idle()
    assert book.watermark(NOON + HOUR) == EARLIEST


def test_a_backlog_holds_the_watermark():
    """The watermark stays at the oldest record held, and never jumps while more arrive."""
    book = _book()
    for hour in range(5):
        published = NOON - (5 - hour) * HOUR
        _receive(book, NOON, **{f"a{hour}": published, f"b{hour}": published + SECOND})
        assert book.watermark(NOON) == published - SLACK
        _take(book)
        assert book.watermark(NOON) == published - SLACK, "handed on is not durable"
        _settle(book)
        assert book.watermark(NOON) == published - SLACK, "an empty book says nothing of the broker"


def test_an_idle_topic_advances_the_watermark():
    """After the broker has had no messages for a while, the watermark follows its last answer."""
    book = _book()
    for wait in range(0, IDLE, SECOND):
        _receive(book, NOON + wait)
        assert book.watermark(NOON + wait) == EARLIEST
    _receive(book, NOON + IDLE)
    assert book.watermark(NOON + IDLE) == NOON + IDLE - SLACK
    assert book.watermark(NOON + HOUR) == NOON + IDLE - SLACK, "its word is old by now"


def test_failed_polls_do_not_make_a_topic_idle():
    """A failed call advances nothing, and the wait for idleness begins again."""
    book = _book()
    _receive(book, NOON)
    book.forget_idle()
    _receive(book, NOON + IDLE)
    assert book.watermark(NOON + IDLE) == EARLIEST
    _receive(book, NOON + 2 * IDLE)
    assert book.watermark(NOON + 2 * IDLE) == NOON + 2 * IDLE - SLACK


def test_a_stalled_publisher_does_not_move_the_watermark_back():
    """Records with old times keep them; the watermark has passed and does not go back."""
    book = _book()
    _receive(book, NOON)
    _receive(book, NOON + HOUR)
    reached = book.watermark(NOON + HOUR)
    assert reached == NOON + HOUR - SLACK
    _receive(book, NOON + HOUR, stale=NOON - HOUR, fresh=NOON + HOUR)
    assert book.next() == _delivery("stale", NOON - HOUR)
    assert book.watermark(NOON + HOUR) == reached
    _take(book)
    _settle(book)
    _receive(book, NOON + HOUR + SECOND, next=NOON + HOUR + SECOND)
    assert book.watermark(NOON + HOUR + SECOND) == NOON + HOUR + SECOND - SLACK


def test_a_future_time_does_not_advance_the_watermark():
    """A record from a clock that is ahead does not advance the watermark beyond our own time."""
    book = _book()
    _receive(book, NOON, ahead=NOON + HOUR)
    assert book.watermark(NOON) == NOON - SLACK
    assert book.watermark(NOON + SECOND) == NOON + SECOND - SLACK


def test_a_clock_set_back_moves_nothing_back():
    """When the machine's clock is set back, the watermark stays until the clock has caught up."""
    book = _book()
    _receive(book, NOON)
    _receive(book, NOON + IDLE)
    reached = book.watermark(NOON + IDLE)
    _receive(book, NOON - HOUR)
    assert book.watermark(NOON - HOUR) == reached
    book = _book()
    _receive(book, NOON)
    _receive(book, NOON - HOUR)
    _receive(book, NOON - HOUR + IDLE)
    assert book.watermark(NOON - HOUR + IDLE) == NOON - HOUR + IDLE - SLACK


@given(st.lists(st.tuples(st.integers(0, SLACK), st.sampled_from("gsen")), max_size=60))
def test_no_record_within_the_slack_is_late(steps):
    """A record that arrives within the slack of its time is not behind the watermark."""
    book, now, last = _book(), NOON, EARLIEST
    for number, (late, act) in enumerate(steps):
        now += SECOND * (number % 4)
        match act:
            case "g":
                assert book.watermark(now) <= now - late
                _receive(book, now, **{str(number): now - late})
            case "s":
                _take(book)
                book.acknowledged(book.finalize(book.cut()))
            case "e":
                _receive(book, now)
            case _:
                book.forget_idle()
        assert last <= (last := book.watermark(now))


def test_acknowledgements_are_one_round_late():
    """A round acknowledges what the previous one put aside, and nothing of its own."""
    book = _book()
    _receive(book, NOON, a=NOON, b=NOON, c=NOON)
    assert [book.next().ack_id, book.next().ack_id] == ["a", "b"]
    assert book.finalize(book.cut()) == ()
    assert _take(book) == ["c"]
    assert book.finalize(book.cut()) == ("a", "b")
    book.acknowledged(["a", "b"])
    assert book.finalize(book.cut()) == ("c",)


def test_bundles_finalized_together_are_one_round():
    """If a runner finalizes several bundles at once, none of them acknowledges another."""
    book, marks = _book(), []
    for name in "abc":
        _receive(book, NOON, **{name: NOON})
        _take(book)
        marks.append(book.cut())
    assert [book.finalize(mark) for mark in marks] == [(), (), ()]
    assert book.finalize(book.cut()) == ("a", "b", "c")


def test_failed_acknowledgements_are_repeated():
    """Ids whose acknowledgement failed are kept and sent again in the next round."""
    book = _book()
    _receive(book, NOON, a=NOON)
    _take(book)
    book.finalize(book.cut())
    assert book.finalize(book.cut()) == ("a",)
    assert book.finalize(book.cut()) == ("a",)
    book.acknowledged(["a"])
    assert book.finalize(book.cut()) == ()


def test_a_reader_resumes_from_another_ones_checkpoint():
    """What a restored checkpoint covers is acknowledged a round later, by the new reader."""
    before, after = _book(), LeaseBook(SETTINGS, "other")
    _receive(before, NOON, a=NOON)
    _take(before)
    mark = before.cut()
    after.adopt(mark)
    assert after.leases(NOON) == ("a",)
    assert after.finalize(after.cut()) == ("a",)


def test_leases_are_extended_for_a_limited_time():
    """All leases are extended, but a record that is never finalized is released after a time."""
    book = _book(longest_ms=HOUR)
    _receive(book, NOON, a=NOON)
    _take(book)
    _receive(book, NOON + SECOND, b=NOON + SECOND)
    assert book.leases(NOON + HOUR - 1) == ("a", "b")
    assert book.leases(NOON + HOUR) == ("b",)
    assert book.watermark(NOON + HOUR) == NOON + SECOND - SLACK
    assert book.give_back() == ("b",)
    assert book.leases(NOON + HOUR) == ()


def test_a_lease_is_extended_at_once_and_then_in_time():
    """A new lease is extended at once, and again when a third of its extension has passed."""
    book = _book(ack_seconds=60)
    _receive(book, NOON, a=NOON)
    assert book.leases(NOON) == ("a",)
    assert book.leases(NOON) == ("a",), "an extension that failed is still due"
    book.extended(["a"], NOON)
    assert book.leases(NOON + 20 * SECOND - 1) == ()
    assert book.leases(NOON + 20 * SECOND) == ("a",)


def test_held_records_are_limited():
    """The numbers of unacknowledged records and of fetched ones are limited."""
    book = _book(window=4, ahead=3)
    assert book.room == 3
    _receive(book, NOON, a=NOON, b=NOON)
    assert book.room == 1
    _take(book)
    assert book.room == 2
    _settle(book)
    assert book.room == 3


def test_an_ingestion_time_is_never_later_than_the_publish_time():
    """A gateway's ingestion time is ms or ISO; if missing, invalid or later it is the publish time."""
    assert receipt(str(NOON - 5), NOON) == NOON - 5
    assert receipt("2023-11-14T22:13:19Z", NOON) == NOON - SECOND
    assert receipt("2023-11-14T23:13:19+01:00", NOON) == NOON - SECOND
    for text in (
        None,
        "",
        "soon",
        "-1",
        str(NOON // 1000),
        str(NOON + 1),
        "9" * 400,
        "2199-01-01T00:00:00Z",
    ):
        assert receipt(text, NOON) == NOON


def test_a_record_that_is_left_is_not_acknowledged():
    """A record that is left to the broker is in no later mark, and does not hold the watermark."""
    book = _book()
    _receive(book, NOON, a=NOON - HOUR, b=NOON)
    _take(book)
    book.leave(["a"])

    assert book.cut().ack_ids == ("b",)
    assert book.watermark(NOON) == NOON - SLACK


def test_a_reader_fetches_no_more_bytes_than_it_may():
    """With enough bytes that are not emitted yet there is no room, until they are."""
    book = _book(ahead_bytes=10)
    book.receive([Delivery("a", b"x" * 10, {}, NOON, "a", NOON)], NOON)
    assert book.room == 0

    _take(book)
    assert book.room > 0
