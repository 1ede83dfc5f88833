"""Properties over random histories: how the same signals are delivered changes no byte."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.replay.order import in_order
from tests.kit.worlds import DAY, EVENTS, HOUR, ZONES, world
from transforms.flows.clock.zones import find_zone
from transforms.flows.engine.step import Done, fold, step
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import AudienceChange, Event, ProfileChange, Signal, Time
from transforms.hosting.sandbox import answer
from transforms.scenarios.transcript import clock, length, value
from transforms.scenarios.values import Line

USER = "kim"
AFTER = 10 * DAY

kinds = st.one_of(
    st.builds(
        lambda name, k, v: ("event", name, {"k": k, "v": v}),
        st.sampled_from(EVENTS),
        st.sampled_from("xyz"),
        st.sampled_from((1, 9.5, 20, "many", None)),
    ),
    st.builds(
        lambda name, item: ("profile", name, item),
        st.sampled_from(("plan", "score", "email", "timezone", "day")),
        st.sampled_from(("pro", "free", 5, "a@example.com", *ZONES, "2026-03-29", None)),
    ),
    st.builds(lambda entered: ("audience", "vip", entered), st.booleans()),
)
gaps = st.one_of(st.just(0), st.integers(1, HOUR), st.integers(1, 2 * DAY))
histories = st.lists(st.tuples(gaps, kinds), min_size=1, max_size=25)
worlds = st.integers(0, 24)


def signals_of(seed: int, history: list) -> list[Signal]:
    """Return the signals of a history: each with its own event time and id."""
    now, found = world(seed).start, list[Signal]()
    for n, (gap, (kind, name, item)) in enumerate(history):
        now += gap
        base = {"id": f"i{n:03}", "user": USER, "time": now}
        if kind == "event":
            found.append(Event(name=name, properties=item, **base))
        elif kind == "profile":
            found.append(ProfileChange(set={name: item}, **base))
        else:
            found.append(AudienceChange(audience=name, entered=item, **base))
    return found


def replayed(seed: int, signals: list[Signal]) -> list[bytes]:
    """Sort like a back-test, fold, and advance the time to the end."""
    ordered = in_order([(place << 1, one) for place, one in enumerate(signals)], audit=False)
    until = max(signal.time for signal in signals) + AFTER
    done = fold(world(seed).catalog(), None, [*ordered, Time(user=USER, at=until)], answer)
    assert isinstance(done, Done)
    return [out.encode(output) for output in done.outputs]


@given(worlds, histories, st.randoms(use_true_random=False))
def test_order_and_duplicates_change_nothing(seed: int, history: list, rng) -> None:
    """The same events in any order, some of them twice, give the same outputs (R3, R5)."""
    signals = signals_of(seed, history)
    again = signals + [signal for signal in signals if rng.random() < 0.3]
    rng.shuffle(again)

    assert replayed(seed, again) == replayed(seed, signals)


@given(worlds, histories, st.lists(st.integers(1, 6), min_size=1))
def test_pieces_change_nothing(seed: int, history: list, sizes: list[int]) -> None:
    """In one call or in several of any size: outputs and state are the same (R3)."""
    signals = signals_of(seed, history)
    catalog = world(seed).catalog()
    whole = fold(catalog, None, signals, answer)
    assert isinstance(whole, Done)
    state, outputs, wake_at, left, n = None, (), None, list(signals), 0
    while left:
        size = sizes[n % len(sizes)]
        done = fold(catalog, state, left[:size], answer)
        assert isinstance(done, Done)
        state, outputs, wake_at = done.state, outputs + done.outputs, done.wake_at
        left, n = left[size:], n + 1

    assert (state, outputs, wake_at) == (whole.state, whole.outputs, whole.wake_at)


@given(worlds, histories, st.lists(st.tuples(st.integers(0, 24), st.integers(0, 3 * DAY))))
def test_extra_timers_change_nothing(
    seed: int, history: list, alarms: list[tuple[int, int]]
) -> None:
    """Any number of extra, late and early timers change nothing (R1)."""
    signals = signals_of(seed, history)
    until = signals[-1].time + AFTER
    catalog = world(seed).catalog()
    state, outputs = None, []
    for n, signal in enumerate([*signals, Time(user=USER, at=until)]):
        limit = until if isinstance(signal, Time) else signal.time
        extra = [Time(user=USER, at=max(0, limit - back)) for at, back in alarms if at == n]
        for given_ in [*extra, signal]:
            done = step(catalog, state, given_, answer)
            assert isinstance(done, Done)
            state = done.state
            outputs += [out.encode(output) for output in done.outputs]
            assert done.wake_at is None or not isinstance(given_, Time) or done.wake_at > given_.at

    assert outputs == replayed(seed, signals)


@given(worlds, histories)
def test_a_host_need_not_call_at_every_timer(seed: int, history: list) -> None:
    """A host that calls at every wake-up gets the same as a host that calls only at the end (R1)."""
    signals = signals_of(seed, history)
    until = signals[-1].time + AFTER
    catalog = world(seed).catalog()
    state, outputs, wake = None, [], None
    for signal in [*signals, Time(user=USER, at=until)]:
        limit = until if isinstance(signal, Time) else signal.time
        while wake is not None and wake <= limit:
            done = step(catalog, state, Time(user=USER, at=wake), answer)
            assert isinstance(done, Done)
            assert done.wake_at is None or done.wake_at > wake, "a timer must advance"
            state, wake = done.state, done.wake_at
            outputs += [out.encode(output) for output in done.outputs]
        done = step(catalog, state, signal, answer)
        assert isinstance(done, Done)
        state, wake = done.state, done.wake_at
        outputs += [out.encode(output) for output in done.outputs]

    assert outputs == replayed(seed, signals)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
@settings(max_examples=200)
def test_values_are_read_as_written(item) -> None:
    """What a transcript writes is read by a scenario."""
    line = Line(value(item) + " id=1")

    assert line.value() == item
    assert line.text[line.at :] == "id=1"


@given(st.integers(0, 4_000_000_000_000), st.sampled_from(ZONES))
def test_instants_are_read_as_written(t: int, name: str) -> None:
    """An instant is read from the local time it was written in, even if that occurs twice."""
    where = find_zone(name)

    assert Line(clock(t, where)).time(None, where) == t
    assert Line(f"+{length(t)}").time(0, where) == t
