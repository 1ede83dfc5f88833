"""Checks of a flow as a whole: what is refused, and what is accepted.

The messages are in ``tests/flow_errors``; these are the edge cases.
"""

from __future__ import annotations

import pytest

from tests.flows.test_load import SPACE, TEMPLATES
from transforms.flows.definitions.space import Space, Template
from transforms.flows.reading.flow import load_flow
from transforms.flows.reading.space import load_space

SEND = "{send: log, template: hello"


def codes(steps: str, head: str = "enter: [{event: A}]", space: Space = SPACE) -> list[str]:
    """Load a flow of these steps; return the codes of its problems in order of their places."""
    text = f"flow: t\n{head}\nsteps:\n{steps}"
    return [problem.code for problem in load_flow("t.yaml", text, space, TEMPLATES).problems]


def loops(*lines: str) -> bool:
    """Return True if the steps are refused because they loop without a wait."""
    steps = "".join(f"  {line}\n" for line in lines)
    found = codes(steps)
    assert set(found) <= {"loop-without-wait"}
    return found != []


SPLIT = "s: {split: {x: 50%, y: 50%}, then: {x: a, y: z}}"
END = "z: {end: over}"


@pytest.mark.parametrize(
    "wait",
    [
        "{wait: 1s}",
        "{wait_until: mon-fri 09:00}",
        "{wait_until: user.ends, past: exit}",
        "{wait_for: [{event: B, then: s}], timeout: {after: 1d, then: s}}",
        "{wait_for: [{enters: vip, then: s}]}",
        "{wait_for: [{when: user.x is set, then: s}], rank: true, timeout: {after: 1d, then: s}}",
    ],
)
def test_loops_that_pause(wait: str) -> None:
    """A loop with a step that always waits is accepted (R6)."""
    assert not loops(f"a: {wait}", SPLIT, END)


@pytest.mark.parametrize(
    "wait",
    [
        f"{SEND}, then: s}}",
        "{wait_until: 2026-01-01, then: s}",
        "{wait_until: user.ends, then: s}",
        "{wait_in: mon-fri 09:00-18:00, then: s}",
        "{wait_for: [{when: user.x is set, then: s}], timeout: {after: 1d, then: z}}",
    ],
)
def test_loops_that_may_not_wait_are_refused(wait: str) -> None:
    """An open window, a past date or a condition that is true does not make a loop wait (R6)."""
    assert loops(f"a: {wait}", SPLIT, END)


def test_a_loop_is_reported_once_at_its_first_step() -> None:
    """Each loop is reported once, by its shortest path back."""
    steps = "".join(
        f"  {line}\n"
        for line in (
            "a: {split: {x: 50%, y: 50%}, then: {x: b, y: c}}",
            f"b: {SEND}, then: c}}",
            f"c: {SEND}, then: d}}",
            "d: {split: {x: 50%, y: 50%}, then: {x: a, y: z}}",
            END,
        )
    )
    found = load_flow(
        "t.yaml", f"flow: t\nenter: [{{event: A}}]\nsteps:\n{steps}", SPACE, TEMPLATES
    )

    assert [(p.code, p.line) for p in found.problems] == [("loop-without-wait", 4)]
    assert '"a" -> "c" -> "d" -> "a"' in found.problems[0].message


def test_falling_through_a_wait_for() -> None:
    """A case or a time-out without a target may not continue into the target of a branch."""
    steps = (
        "  a: {split: {x: 50%, y: 50%}, then: {x: b, y: c}}\n"
        "  b: {wait_for: [{event: B, then: d}], timeout: {after: 1d}}\n"
        "  c: {wait: 1d}\n"
        "  d: {end: over}\n"
    )

    assert codes(steps) == ["falls-into-branch", "falls-into-branch"]
    assert (
        codes(
            steps.replace("{after: 1d}", "{after: 1d, then: d}").replace(
                "{wait: 1d}", "{wait: 1d, then: d}"
            )
        )
        == []
    )


def test_errors_in_a_step_do_not_cause_further_errors() -> None:
    """If a step cannot be read, steps that only it may lead to are not reported as unreachable."""
    assert codes(
        "  a: {split: {x: 50%, y: fifty}, then: {x: c, y: b}}\n  b: {end: b}\n  c: {end: c}\n"
    ) == ["invalid-percentage"]


def test_steps_on_exit() -> None:
    """Steps on exit have names and targets of their own (R23)."""
    head = "enter: [{event: A}]\non_exit:\n  x: {export: crm, fields: {id: user.id}, then: y}\n  y: {tag: [gone]}"

    assert codes("  a: {wait: 1d}\n", head) == []
    assert codes("  y: {wait: 1d}\n", head) == ["duplicate-step"]
    assert codes("  a: {wait: 1d}\n", head.replace("then: y", "then: a")) == ["unknown-step"]


@pytest.mark.parametrize(
    ("window", "wrong"),
    [
        ("21:00-08:00", True),
        ("23:00-24:00", True),
        ("mon 00:00-08:00", True),
        ("21:00-08:01", False),
        ("mon-fri 09:00-18:00", False),
        ("mon", False),
    ],
)
def test_windows_in_quiet_hours(window: str, wrong: bool) -> None:
    """A window is impossible only if quiet hours cover all of it (R2, R14)."""
    found = codes(f"  a: {SEND}, window: {window}}}\n")

    assert found == (["impossible-window"] if wrong else [])


def test_windows_and_quiet_hours_in_different_zones_are_not_compared() -> None:
    """A window in a zone of its own may lie within the quiet hours of some users only."""
    assert codes(f"  a: {SEND}, window: 22:00-06:00 Europe/Rome}}\n") == []


def test_a_flow_has_at_most_500_steps() -> None:
    """A flow has at most 500 steps."""
    steps = [f"  s{n}: {{wait: 1d}}\n" for n in range(501)]

    assert codes("".join(steps[:500])) == []
    assert codes("".join(steps)) == ["too-many-steps"]


def test_undeclared_names_are_not_checked() -> None:
    """What a space does not declare may have any name and type."""
    text = (
        "  a: {update: {user.x: session.y}}\n  b: {update: {session.y: entry.z}, unset: [user.q]}\n"
    )

    assert codes(text, "enter: [{event: A, where: event.z > 1}]") == []


DECLARED = load_space(
    "space.yaml",
    "events: {Bought: {total: number}, Seen: {}}\ntraits: {plan: text}\n"
    "channels: {log: {address: user}}",
).value
assert DECLARED is not None


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("enter: [{event: Bought, where: event.total > 1}]", []),
        ("enter: [{event: Bought, where: event.sum > 1}]", ["unknown-property"]),
        ("enter: [{event: Brought}]", ["unknown-event"]),
        ("enter: [{event: Something}]", ["unknown-event"]),
        ("enter: [{event: Bought}]\nkey: entry.sum", ["unknown-field"]),
        ("enter: [{event: Bought}, {api: true}]\nkey: entry.sum", []),
        ("enter: [{any: [{event: Bought}, {event: Seen}], within: 1d}]\nkey: entry.total", []),
        ("enter: [{event: Bought, where: user.plan == 1}]", ["wrong-type"]),
        ("enter: [{event: Bought, where: entry.total > 1}]", ["not-at-hand"]),
        ("enter: [{event: Bought, where: event.total}]", ["not-a-condition"]),
        ("enter: [{event: Bought}]\nexit: [{when: user.timezone is set}]", []),
        ("enter: [{changed: plan}]", []),
        ("enter: [{changed: plans}]", ["unknown-trait"]),
        ("enter: [{date: user.plan - 3d}]", []),
        ("enter: [{date: user.plant - 3d}]", ["unknown-trait"]),
    ],
)
def test_declared_names_are_checked(head: str, found: list[str]) -> None:
    """If a space declares events and traits, names and types are checked."""
    assert codes("  a: {wait: 1d}\n", head, DECLARED) == found


def test_template_data_is_checked() -> None:
    """What a template reads must be in the step's data, the entry, the session or the traits."""
    read = (("data", "a"), ("entry", "total", "x"), ("session", "n"), ("user", "plan"), ("now",))
    templates = {"hello": Template("hello", "1", (("body", ""),), read)}

    def found(step: str, more: str = "") -> list[str]:
        text = f"flow: t\nenter: [{{event: Bought}}]\nsteps:\n  a: {step}\n{more}"
        loaded = load_flow("t.yaml", text, DECLARED, templates)
        return [p.message.split('"')[3] for p in loaded.problems]

    assert found(f"{SEND}, data: {{a: 1}}}}", "  b: {update: {session.n: 1}}\n") == []
    assert found(f"{SEND}, data: {{b: 1}}}}") == ["data.a", "session.n"]
