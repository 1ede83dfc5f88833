"""The loop of the job over the states and timers of Flink, without Flink."""

from __future__ import annotations

from tests.kit.one_user import KEY, event
from tests.kit.reminders import AT_ONCE, TEN
from transforms.flink.elements import LETTER
from transforms.flink.user_state import to_name, unpack
from transforms.flink.user_steps import RETRY, UserSteps
from transforms.flows.protocol import outputs, signals
from transforms.hosting.catalogs import Catalogs, FixedLogs
from transforms.hosting.counts import Counts, StepCounts
from transforms.hosting.run import Stepper
from transforms.hosting.settings import Settings
from transforms.wire import bodies

NAME = to_name(KEY)
CART = signals.encode(event("Cart", TEN))


class Flink:
    """The state and the timers of one user."""

    def __init__(self) -> None:
        self.kept: bytes | None = None
        self.reads = 0
        self.due: set[int] = set()
        self.again: list[int] = []

    def value(self) -> bytes | None:
        self.reads += 1
        return self.kept

    def update(self, kept: bytes) -> None:
        self.kept = kept

    def clear(self) -> None:
        self.kept = None

    def register_event_time_timer(self, at: int) -> None:
        self.due.add(at)

    def delete_event_time_timer(self, at: int) -> None:
        self.due.remove(at)

    def register_processing_time_timer(self, at: int) -> None:
        self.again.append(at)


class World:
    """A function of Flink and what it counts; ``now`` is the clock."""

    def __init__(self) -> None:
        self.flink, self.now, self.numbers = Flink(), TEN, dict[str, int]()
        self.counts = Counts(self.numbers.__setitem__, self.numbers.__setitem__)
        self.catalogs: Catalogs = AT_ONCE
        self.start()

    def start(self) -> None:
        """Start the function, which then has no copies of states."""
        settings = Settings(clock=self.clock)
        counted = StepCounts(self.catalogs, settings, self.counts)
        stepper = Stepper(self.catalogs, settings, encode=bodies.encode)
        self.steps = UserSteps(self.flink, stepper, counted, self.clock)

    def clock(self) -> int:
        return self.now

    def take(self, encoded: bytes, name: str = NAME) -> list[outputs.AnyOutput]:
        made = self.steps.take((name, encoded), self.flink)
        assert all(key == name.removeprefix(LETTER) for key, _, _ in made)
        found = [output for _, several, _ in made for output in several]
        assert [one for _, _, several in made for one in several] == list(map(bodies.encode, found))
        return found

    def counted(self) -> dict[str, int]:
        self.counts.flush()
        return self.numbers


def test_a_state_is_kept_with_the_time_of_its_timer() -> None:
    """A user has one timer, whose time is beside the state; the next signal does not read it again."""
    world = World()
    world.take(CART)
    first = world.flink.kept
    assert world.flink.due == {unpack(first)[0]}
    world.take(signals.encode(event("Order", TEN + 1)))

    assert world.flink.kept != first
    assert world.flink.due == {unpack(world.flink.kept)[0]} - {None}
    assert world.flink.reads == 1


def test_a_signal_that_fails_leaves_the_state() -> None:
    """A state that cannot be read stays, with its timer, and the signal becomes a counted dead letter."""
    world = World()
    world.take(CART)
    kept, due = world.flink.kept, set(world.flink.due)
    assert kept is not None
    world.flink.kept = broken = kept[:8] + b"\x7f"
    world.start()
    (letter,) = world.take(CART)

    assert isinstance(letter, outputs.DeadLetter)
    assert (world.flink.kept, world.flink.due) == (broken, due)
    assert world.counted()["dead_letters.unreadable_state"] == 1


def test_an_alarm_that_is_too_early_is_set_again_later() -> None:
    """A drain fires every timer: the state stays, and a timer of the clock sets the alarm again."""
    world = World()
    world.take(CART)
    ((due,), state) = world.flink.due, unpack(world.flink.kept)[1]
    world.flink.due.clear()

    assert list(world.steps.wake(NAME, due, world.flink)) == []
    assert (unpack(world.flink.kept), world.flink.due) == ((~due, state), set())
    assert world.flink.again == [TEN + RETRY]
    world.steps.set_again(NAME, world.flink)
    assert (unpack(world.flink.kept), world.flink.due) == ((due, state), {due})
    world.steps.set_again(NAME, world.flink)
    world.now = due
    assert world.steps.wake(NAME, due, world.flink)
    assert world.counted()["alarms_refused"] == 1


def test_users_of_a_space_without_a_log_wait() -> None:
    """A space that an upgrade has left out keeps its users and their alarms until it has a log again."""
    world = World()
    world.take(CART)
    ((due,), state) = world.flink.due, unpack(world.flink.kept)[1]
    world.flink.due.clear()
    world.now, world.catalogs = due, FixedLogs({})
    world.start()

    assert list(world.steps.wake(NAME, due, world.flink)) == []
    assert unpack(world.flink.kept) == (~due, state)
    world.catalogs = AT_ONCE
    world.start()
    world.steps.set_again(NAME, world.flink)
    assert world.steps.wake(NAME, due, world.flink)


def test_a_dead_letter_passes_without_a_step() -> None:
    """A dead letter of a message takes the way of signals, and changes no state."""
    world = World()
    letter = outputs.DeadLetter(id="d", user="kim", at=TEN, reason="not_json", cause="m", detail="")

    assert world.take(outputs.encode(letter), LETTER + NAME) == [letter]
    assert world.flink.kept is None


def test_outputs_are_counted_by_kind() -> None:
    """Outputs are counted by their kinds, and the largest state by its size."""
    world = World()
    made_here = world.take(CART)
    kinds = [one.__struct_config__.tag for one in made_here]
    found = world.counted()

    assert kinds
    assert {kind: found[f"outputs.{kind}"] for kind in kinds} == {k: kinds.count(k) for k in kinds}
    assert found["state_size"] == len(unpack(world.flink.kept)[1] or b"")
