"""What a reader of Pub/Sub may acknowledge, and how far it may say that time has come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transforms.sources.pubsub.client import receipt
from transforms.sources.pubsub.leases import EARLIEST, Delivery, Hand, Settings

NOON = 1_700_000_000_000
SECOND = 1000
HOUR = 3_600_000
SLACK = 10 * SECOND
IDLE = 10 * SECOND
SETTINGS = Settings(subscription="s", slack_ms=SLACK, idle_ms=IDLE, longest_ms=HOUR)


def _hand(**other) -> Hand:
    return Hand(Settings(**{"subscription": "s", "slack_ms": SLACK, "idle_ms": IDLE, **other}), "r")


def _delivery(ack_id: str, timestamp: int) -> Delivery:
    return Delivery(ack_id, b"", {}, timestamp, ack_id, timestamp)


def _receive(hand: Hand, now: int, **timestamps: int) -> None:
    hand.receive([_delivery(*each) for each in timestamps.items()], now)


def _take(hand: Hand) -> list[str]:
    taken = []
    while delivery := hand.next():
        taken.append(delivery.ack_id)
    return taken


def _settle(hand: Hand) -> None:
    """Two rounds, and the broker is told of all that was handed on."""
    for _ in range(2):
        hand.acknowledged(hand.finalize(hand.cut()))


def test_before_the_first_answer_no_time_is_known():
    """A reader that has heard nothing says the earliest instant, however late it is."""
    hand = _hand()
    assert hand.watermark(NOON) == EARLIEST
    hand.unsure()
    assert hand.watermark(NOON + HOUR) == EARLIEST


def test_a_backlog_of_hours_is_worked_off_before_time_goes_on():
    """The watermark stays with the oldest record in hand, and never jumps while more come."""
    hand = _hand()
    for hour in range(5):
        published = NOON - (5 - hour) * HOUR
        _receive(hand, NOON, **{f"a{hour}": published, f"b{hour}": published + SECOND})
        assert hand.watermark(NOON) == published - SLACK
        _take(hand)
        assert hand.watermark(NOON) == published - SLACK, "handed on is not durable"
        _settle(hand)
        assert hand.watermark(NOON) == published - SLACK, "an empty hand says nothing of the broker"


def test_an_idle_topic_lets_time_go_on():
    """Once the broker has had nothing for a while, time follows its last word."""
    hand = _hand()
    for wait in range(0, IDLE, SECOND):
        _receive(hand, NOON + wait)
        assert hand.watermark(NOON + wait) == EARLIEST
    _receive(hand, NOON + IDLE)
    assert hand.watermark(NOON + IDLE) == NOON + IDLE - SLACK
    assert hand.watermark(NOON + HOUR) == NOON + IDLE - SLACK, "its word is old by now"


def test_a_silent_broker_is_no_idle_topic():
    """A broker that fails to answer moves nothing, and the wait for idleness begins again."""
    hand = _hand()
    _receive(hand, NOON)
    hand.unsure()
    _receive(hand, NOON + IDLE)
    assert hand.watermark(NOON + IDLE) == EARLIEST
    _receive(hand, NOON + 2 * IDLE)
    assert hand.watermark(NOON + 2 * IDLE) == NOON + 2 * IDLE - SLACK


def test_a_publisher_that_stalled_comes_late_and_harms_nothing():
    """Records with stale times keep them; the watermark has passed and does not go back."""
    hand = _hand()
    _receive(hand, NOON)
    _receive(hand, NOON + HOUR)
    reached = hand.watermark(NOON + HOUR)
    assert reached == NOON + HOUR - SLACK
    _receive(hand, NOON + HOUR, stale=NOON - HOUR, fresh=NOON + HOUR)
    assert hand.next() == _delivery("stale", NOON - HOUR)
    assert hand.watermark(NOON + HOUR) == reached
    _take(hand)
    _settle(hand)
    _receive(hand, NOON + HOUR + SECOND, next=NOON + HOUR + SECOND)
    assert hand.watermark(NOON + HOUR + SECOND) == NOON + HOUR + SECOND - SLACK


def test_a_time_in_the_future_takes_nothing_along():
    """A record from a clock that is ahead does not move the watermark beyond our own time."""
    hand = _hand()
    _receive(hand, NOON, ahead=NOON + HOUR)
    assert hand.watermark(NOON) == NOON - SLACK
    assert hand.watermark(NOON + SECOND) == NOON + SECOND - SLACK


def test_a_clock_set_back_moves_nothing_back():
    """When the machine's clock is set back, the watermark stays until time has caught up."""
    hand = _hand()
    _receive(hand, NOON)
    _receive(hand, NOON + IDLE)
    reached = hand.watermark(NOON + IDLE)
    _receive(hand, NOON - HOUR)
    assert hand.watermark(NOON - HOUR) == reached
    hand = _hand()
    _receive(hand, NOON)
    _receive(hand, NOON - HOUR)
    _receive(hand, NOON - HOUR + IDLE)
    assert hand.watermark(NOON - HOUR + IDLE) == NOON - HOUR + IDLE - SLACK


@given(st.lists(st.tuples(st.integers(0, SLACK), st.sampled_from("gsen")), max_size=60))
def test_no_record_within_the_slack_is_ever_late(steps):
    """Whatever is received within the slack of its time is not behind the watermark."""
    hand, now, last = _hand(), NOON, EARLIEST
    for number, (late, act) in enumerate(steps):
        now += SECOND * (number % 4)
        match act:
            case "g":
                assert hand.watermark(now) <= now - late
                _receive(hand, now, **{str(number): now - late})
            case "s":
                _take(hand)
                hand.acknowledged(hand.finalize(hand.cut()))
            case "e":
                _receive(hand, now)
            case _:
                hand.unsure()
        assert last <= (last := hand.watermark(now))


def test_acknowledging_is_late_by_one_round():
    """A round acknowledges what the one before it put aside, and nothing of its own."""
    hand = _hand()
    _receive(hand, NOON, a=NOON, b=NOON, c=NOON)
    assert [hand.next().ack_id, hand.next().ack_id] == ["a", "b"]
    assert hand.finalize(hand.cut()) == ()
    assert _take(hand) == ["c"]
    assert hand.finalize(hand.cut()) == ("a", "b")
    hand.acknowledged(["a", "b"])
    assert hand.finalize(hand.cut()) == ("c",)


def test_bundles_finalized_together_are_one_round():
    """A runner that finalizes several bundles at once acknowledges none of them by another."""
    hand, marks = _hand(), []
    for name in "abc":
        _receive(hand, NOON, **{name: NOON})
        _take(hand)
        marks.append(hand.cut())
    assert [hand.finalize(mark) for mark in marks] == [(), (), ()]
    assert hand.finalize(hand.cut()) == ("a", "b", "c")


def test_what_the_broker_did_not_hear_is_told_again():
    """Ids whose acknowledgement failed stay aside and are due again in the next round."""
    hand = _hand()
    _receive(hand, NOON, a=NOON)
    _take(hand)
    hand.finalize(hand.cut())
    assert hand.finalize(hand.cut()) == ("a",)
    assert hand.finalize(hand.cut()) == ("a",)
    hand.acknowledged(["a"])
    assert hand.finalize(hand.cut()) == ()


def test_a_reader_goes_on_from_another_ones_mark():
    """What a restored mark covers is acknowledged a round later, by the reader that took over."""
    before, after = _hand(), Hand(SETTINGS, "other")
    _receive(before, NOON, a=NOON)
    _take(before)
    mark = before.cut()
    after.adopt(mark)
    assert after.leases(NOON) == ("a",)
    assert after.finalize(after.cut()) == ("a",)


def test_leases_are_extended_but_not_for_ever():
    """All in hand is extended; a record that nobody finalizes is let go and holds no time."""
    hand = _hand(longest_ms=HOUR)
    _receive(hand, NOON, a=NOON)
    _take(hand)
    _receive(hand, NOON + SECOND, b=NOON + SECOND)
    assert hand.leases(NOON + HOUR - 1) == ("a", "b")
    assert hand.leases(NOON + HOUR) == ("b",)
    assert hand.watermark(NOON + HOUR) == NOON + SECOND - SLACK
    assert hand.give_back() == ("b",)
    assert hand.leases(NOON + HOUR) == ()


def test_a_lease_is_extended_at_once_and_then_in_time():
    """A new lease is due at once, and again when a third of its extension has passed."""
    hand = _hand(ack_seconds=60)
    _receive(hand, NOON, a=NOON)
    assert hand.leases(NOON) == ("a",)
    assert hand.leases(NOON) == ("a",), "an extension that failed is still due"
    hand.extended(["a"], NOON)
    assert hand.leases(NOON + 20 * SECOND - 1) == ()
    assert hand.leases(NOON + 20 * SECOND) == ("a",)


def test_the_hand_is_bounded():
    """There is room for so many records unacknowledged, and so many not yet handed on."""
    hand = _hand(window=4, ahead=3)
    assert hand.room == 3
    _receive(hand, NOON, a=NOON, b=NOON)
    assert hand.room == 1
    _take(hand)
    assert hand.room == 2
    _settle(hand)
    assert hand.room == 3


def test_a_receipt_is_read_and_never_later_than_the_broker():
    """A gateway's receipt counts in ms or ISO; missing, wrong or later it is the publish time."""
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
