"""Timers fire in the right order relative to the events behind them, however the topic delivers.

The watermarks and timestamps are those that the source computes; the job runs on them without
sleeping.
"""

from __future__ import annotations

from pipelines.stream import RunStream
from tests.kit.reminders import DAY, HOUR, LOGS, MINUTE, SLACK, SPACE, TEN, track
from tests.kit.streams import TRUSTED, At, Step, counted, message, run
from transforms.flows.protocol import outputs
from transforms.hosting.settings import Settings
from transforms.sources.pubsub.beam_source import Received
from transforms.sources.pubsub.client import receipt
from transforms.sources.pubsub.leases import Delivery, LeaseBook
from transforms.sources.pubsub.leases import Settings as Subscription

SECOND = 1000
NEVER_IDLE = 10**12


class Topic:
    """A subscription as one reader sees it, and the TestStream script that results."""

    def __init__(self, idle_ms: int = 10 * SECOND) -> None:
        asked = Subscription(
            subscription="s", timestamp_attribute="receipt", slack_ms=SLACK, idle_ms=idle_ms
        )
        self.book = LeaseBook(asked, "r")
        self.steps: list[Step] = []
        self.count = 0

    def publish(self, now: int, *records: tuple[bytes, int | None]) -> None:
        """Deliver records now, each with the ingestion time that a gateway wrote, or None."""
        given = [self._delivery(data, at, now) for data, at in records]
        self.book.receive(given, now)
        here: list = []
        while (delivery := self.book.next()) is not None:
            received = (
                delivery.data, delivery.attributes, delivery.published, delivery.message_id,
            )  # fmt: skip
            here.append((received, delivery.timestamp))
        self.steps += [self.book.watermark(now), here]
        for _ in range(2):
            self.book.acknowledged(self.book.finalize(self.book.cut()))

    def idle(self, start: int, end: int) -> None:
        """Deliver nothing for a while; the broker is polled every ten seconds."""
        for now in range(start, end + 1, 10 * SECOND):
            self.book.receive([], now)
            self.steps.append(self.book.watermark(now))

    def _delivery(self, data: bytes, at: int | None, now: int) -> Delivery:
        self.count += 1
        ident = f"m{self.count}"
        attributes = {"space": SPACE} | ({} if at is None else {"receipt": str(at)})
        if data == b"heartbeat":
            attributes["kind"] = "heartbeat"
        timestamp = receipt(attributes.get("receipt"), now)
        return Delivery(ident, data, attributes, now, ident, timestamp)

    def outputs(self, now: int) -> list[outputs.AnyOutput]:
        """Run the job over the script; timers later than now do not fire."""
        settings = Settings(clock=At(now), ahead=0)
        job = RunStream(LOGS, SPACE, settings, sources=[TRUSTED])
        found = run(self.steps, Received, lambda given: given | job)
        return [outputs.decode(encoded) for _, encoded in found.outputs]


def reminded_users(found: list[outputs.AnyOutput]) -> dict[str, int]:
    """Return which users got a reminder, and when it was decided."""
    return {o.user: o.at for o in found if isinstance(o, outputs.Message)}


def cart(user: str, at: int) -> bytes:
    return track(f"cart-{user}", user, "Cart", at)


def order(user: str, at: int) -> bytes:
    return track(f"order-{user}", user, "Order", at)


def test_a_backlog_of_hours_is_handled_before_later_waits() -> None:
    """A backlog is handled before the waits that end after it, in whatever batches it arrives (R1)."""
    topic, now = Topic(), TEN + 5 * HOUR
    topic.publish(now, (cart("kim", TEN), TEN), (cart("lee", TEN), TEN))
    topic.publish(now, (order("kim", TEN + 30 * MINUTE), TEN + 30 * MINUTE))
    topic.idle(now, now + MINUTE)

    assert reminded_users(topic.outputs(now + MINUTE)) == {"lee": TEN + HOUR}


def test_an_order_that_arrives_before_its_cart_ends_the_wait() -> None:
    """A cart and an order that are swapped by 3 s send no reminder to a buyer (R1)."""
    topic, end = Topic(), TEN + 2 * HOUR
    topic.publish(TEN + 2 * SECOND, (order("kim", TEN + SECOND), TEN + 2 * SECOND))
    topic.publish(TEN + 5 * SECOND, (cart("kim", TEN), TEN + 5 * SECOND))
    topic.publish(TEN + 5 * SECOND, (cart("lee", TEN), TEN + 5 * SECOND))
    topic.idle(TEN + 10 * SECOND, end)

    assert reminded_users(topic.outputs(end)) == {"lee": TEN + HOUR}


def test_a_stalled_publisher_holds_waits_back() -> None:
    """While a gateway stalls no wait ends; its heartbeat comes after the records that it held back."""
    topic, late = Topic(idle_ms=NEVER_IDLE), TEN + 3 * HOUR
    topic.publish(TEN, (cart("kim", TEN), TEN), (cart("lee", TEN), TEN))
    topic.idle(TEN + MINUTE, late)
    topic.publish(late, (order("kim", TEN + 30 * MINUTE), TEN + 30 * MINUTE))
    topic.publish(late, (b"heartbeat", late))
    topic.idle(late, late + MINUTE)

    found = topic.outputs(late + MINUTE)

    assert reminded_users(found) == {"lee": TEN + HOUR}
    assert not [o for o in found if isinstance(o, outputs.DeadLetter)]


def test_without_a_heartbeat_a_silent_gateway_holds_waits_back() -> None:
    """A gateway that is silent and sends no heartbeat holds back all waits, for any length of time."""
    topic = Topic(idle_ms=NEVER_IDLE)
    topic.publish(TEN, (cart("kim", TEN), TEN))
    topic.idle(TEN + MINUTE, TEN + 3 * HOUR)

    assert max(step for step in topic.steps if isinstance(step, int)) <= TEN


def test_an_early_event_time_does_not_undo_a_timeout() -> None:
    """An order with an early event time but a late ingestion time is too late for the wait."""
    topic, late = Topic(), TEN + 2 * HOUR
    topic.publish(TEN, (cart("kim", TEN), None))
    topic.publish(late, (order("kim", TEN + 30 * MINUTE), None))
    topic.idle(late, late + MINUTE)

    assert reminded_users(topic.outputs(late + MINUTE)) == {"kim": TEN + HOUR}


def test_an_event_of_last_week_ends_no_wait_early() -> None:
    """An event of last week ends no wait early, of its own user or of another."""
    topic, later = Topic(), TEN + 5 * MINUTE
    topic.publish(TEN, (cart("kim", TEN), None))
    topic.publish(later, (cart("lee", TEN - 6 * DAY), TEN - 6 * DAY), (order("kim", later), None))
    topic.idle(later, later + MINUTE)

    assert reminded_users(topic.outputs(later + MINUTE)) == {"lee": TEN - 6 * DAY + HOUR}


def test_future_timestamps_end_no_wait_early() -> None:
    """Future event and ingestion times become the publish time: no wait ends early (R9)."""
    topic, now, far = Topic(), TEN + 5 * MINUTE, TEN + 300 * DAY
    topic.publish(TEN, (cart("kim", TEN), None))
    topic.publish(
        now, (order("lee", far), far), (track("f", "max", "Cart", far, receivedAt=far), far)
    )
    topic.idle(now, now + MINUTE)

    found = topic.outputs(now + MINUTE)

    assert reminded_users(found) == {}
    assert {o.at for o in found if isinstance(o, outputs.Transition) and o.user == "max"} == {now}
    assert {o.reason for o in found if isinstance(o, outputs.Rejection)} == {"future_time"}


def test_waits_end_on_an_idle_topic() -> None:
    """On an idle topic time advances: the wait ends when it should, to the millisecond."""
    topic, end = Topic(), TEN + HOUR + 30 * SECOND
    topic.publish(TEN, (cart("kim", TEN), None))
    topic.idle(TEN + SECOND, end)

    assert reminded_users(topic.outputs(end)) == {"kim": TEN + HOUR}


def test_early_timers_are_refused() -> None:
    """A runner that drains advances the watermark to the end of time; this ends no wait."""
    topic = Topic()
    topic.publish(TEN, (cart("kim", TEN), None))

    found = topic.outputs(TEN + MINUTE)

    assert [o.what for o in found if isinstance(o, outputs.Transition)] == [
        "entered", "reached", "waiting",
    ]  # fmt: skip


def test_refused_timers_are_counted() -> None:
    """A counter of the job counts the timers that fired early, and not those that were due."""
    carts = [message(cart(user, TEN), TEN, user, space=SPACE) for user in ("kim", "lee")]

    def refused(now: int) -> int:
        asked = RunStream(LOGS, SPACE, Settings(until=TEN + DAY, clock=At(now), ahead=0))
        found = counted(carts, Received, lambda given: given | asked)
        return found.get("towpath.alarms_refused", 0)

    assert refused(TEN + MINUTE) == 2
    assert refused(TEN + HOUR + SLACK) == 0


def test_wake_does_not_fire_beyond_the_watermark() -> None:
    """A wake for a later instant fires nothing before its time (R1)."""
    topic, now = Topic(), TEN + 5 * MINUTE
    wake = track("w", "kim", "", TEN + DAY).replace(b'"track"', b'"command"')
    topic.publish(TEN, (cart("kim", TEN), None))
    topic.publish(now, (wake.replace(b'"event":""', b'"what":"wake"'), None))

    found = topic.outputs(now)

    assert reminded_users(found) == {}
    assert not [o for o in found if isinstance(o, outputs.DeadLetter)]


def test_late_input_changes_nothing_past() -> None:
    """A record behind the watermark is handled, but a wait that has ended stays ended."""
    early, late = TEN + 30 * MINUTE, TEN + 2 * HOUR
    topic = Topic()
    topic.publish(TEN, (cart("kim", TEN), TEN))
    topic.idle(TEN + SECOND, late)
    topic.publish(late, (order("kim", early), early))

    found = topic.outputs(late)

    assert reminded_users(found) == {"kim": TEN + HOUR}
    assert [o.goal for o in found if isinstance(o, outputs.Conversion)] == ["ordered"]
