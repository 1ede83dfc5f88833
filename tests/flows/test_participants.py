"""Participants: limits, control records, and the profile view of a user."""

from __future__ import annotations

from typing import Any

import pytest

from transforms.authoring.format import canonical
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.profile.profile_view import ProfileView, profile_view_of
from transforms.flows.engine.step import Done, step
from transforms.flows.engine.working import decode
from transforms.flows.protocol import control_records
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import (
    CommunicationUpdate,
    Enter,
    Event,
    ProfileChange,
    Signal,
)
from transforms.flows.reading.flow import load_flow
from transforms.flows.reading.project import load_project
from transforms.flows.reading.space import load_space

SPACE = """\
space: test
channels:
  log: {address: user}
campaigns:
  winter:
    fields: {name: text, size: number}
    statuses: [new, done]
"""
FLOW = """\
flow: hello
campaign: winter
enter:
  - {participant: created, where: participant.size > 1}
steps:
  tell: {send: log, template: note}
  pause: {wait: 1d}
"""
NOTE = "Hello {{ participant.name }}"
START = 1_770_000_000_000


def catalog(*flows: str, space: str = SPACE) -> Catalog:
    """Return a catalog of flows that were published and started."""
    named = {text.split("\n")[0].removeprefix("flow: "): text for text in flows}
    return catalog_of(records_of(named, space, {name: {"note": NOTE} for name in named}))


def upload(n: int, campaign: str = "winter", **fields: Any) -> Enter:
    """Return one row of an upload."""
    row = {"operation": "upload", "participant": fields}
    return Enter(id=f"u{n}", user="ann", time=START + n, flow=campaign, **row)


def run(log: Catalog, *signals: Signal) -> tuple[bytes | None, list[out.AnyOutput]]:
    """Handle signals one by one; return the state and all outputs."""
    state, outputs = None, []
    for signal in signals:
        done = step(log, state, signal)
        assert isinstance(done, Done)
        state = done.state
        outputs += done.outputs
    return state, outputs


def reasons(outputs: list[out.AnyOutput]) -> list[str]:
    """Return the rejections with their reasons."""
    return [o.reason for o in outputs if isinstance(o, out.Rejection)]


def test_a_user_has_at_most_100_participants() -> None:
    """Section 9: one more campaign is refused with a reason, and existing participants stay."""
    campaigns = "".join(f"  c{n}: {{}}\n" for n in range(101))
    log = catalog(space=f"space: test\ncampaigns:\n{campaigns}")
    state, outputs = run(log, *(upload(n, f"c{n}", k=n) for n in range(101)), upload(200, "c0"))

    assert reasons(outputs) == ["too_many_participants"]
    assert state is not None
    assert len(decode(state).participants) == 100


def test_a_participant_has_at_most_32_kb() -> None:
    """Section 9: a row that exceeds the limit is refused as a whole, and the participant stays."""
    log = catalog(FLOW)
    state, outputs = run(log, upload(1, name="Ann"), upload(2, name="x" * 33_000, size=3))

    assert reasons(outputs) == ["value_too_large"]
    assert state is not None
    assert decode(state).participants["winter"].data == {"status": "new", "name": "Ann"}


def test_participants_share_the_limit_of_sessions() -> None:
    """Section 9: the data of all participants counts toward the limit of a state."""
    campaigns = "".join(f"  c{n}: {{}}\n" for n in range(9))
    log = catalog(space=f"space: test\ncampaigns:\n{campaigns}")
    state, outputs = run(log, *(upload(n, f"c{n}", k="x" * 30_000) for n in range(9)))

    assert set(reasons(outputs)) == {"value_too_large"}
    assert state is not None
    assert len(state) < 256 * 1024


def test_an_unknown_operation_is_refused() -> None:
    """R7: only ``upload`` is an operation; signals that the core raises cannot come from outside."""
    raised = Enter(id="e", user="ann", time=START, flow="winter", operation="created")
    state, outputs = run(catalog(FLOW), raised)

    assert reasons(outputs) == ["unsupported"]
    assert state is not None
    assert decode(state).participants == {}


def test_flows_that_change_each_other_are_stopped() -> None:
    """R6: a cascade of changes ends with a dead letter, and everything else continues."""
    both = [
        f"flow: {name}\ncampaign: winter\nenter:\n  - participant: updated\nsteps:\n"
        "  more: {increment: {participant.size: 1}}\n"
        for name in ("ping", "pong")
    ]
    state, outputs = run(catalog(*both), upload(1, size=1), upload(2, size=2), upload(3, name="A"))

    dead = [o.reason for o in outputs if isinstance(o, out.DeadLetter)]
    assert set(dead) == {"cascade_too_deep"}
    assert state is not None
    assert decode(state).participants["winter"].data["name"] == "A"


def test_goals_of_a_control_record_read_participants() -> None:
    """R24: goals that a record sets for a flow of a campaign are checked against its fields."""
    records = records_of({"hello": FLOW}, SPACE, {"hello": {"note": NOTE}})
    goal = "bought: {event: Bought, where: event.size == participant.size, within: 9d}"
    records.append(control_records.SetGoals(sequence=9, effective_at=1, flow="hello", text=goal))
    bought = Event(id="b", user="ann", time=START + 9, name="Bought", properties={"size": 3})
    _, outputs = run(catalog_of(records), upload(1, size=3), bought)

    assert [o.goal for o in outputs if isinstance(o, out.Conversion)] == ["bought"]


def test_a_removed_campaign_accepts_no_uploads() -> None:
    """A version keeps its campaign and reads participants; the space decides about uploads."""
    records = records_of({"hello": FLOW}, SPACE, {"hello": {"note": NOTE}})
    fewer = SPACE.split("campaigns:", maxsplit=1)[0]
    records.append(control_records.SetSpace(sequence=9, effective_at=START + 5, text=fewer))
    state, outputs = run(catalog_of(records), upload(1, size=3), upload(9, size=4))

    assert reasons(outputs) == ["unknown_campaign"]
    assert state is not None
    assert decode(state).participants["winter"].data["size"] == 3


def test_flows_of_a_campaign_allow_several_sessions() -> None:
    """C22: a flow of a campaign allows several sessions at once, unless it is set otherwise."""
    space = load_space("space.yaml", SPACE).value
    assert space is not None
    usual, off = FLOW, FLOW.replace("steps:", "simultaneous: false\nsteps:")
    on = FLOW.replace("steps:", "simultaneous: true\nsteps:")
    templates = load_project({"messages/note.liquid": NOTE}).templates
    read = [load_flow("hello.yaml", text, space, templates).value for text in (usual, off, on)]

    assert [flow.simultaneous for flow in read if flow] == [True, False, True]
    written = ["simultaneous: false" in canonical(flow) for flow in read if flow]
    assert written == [False, True, False]
    assert read[0] == read[2]


@pytest.mark.parametrize(
    ("campaign", "said"),
    [
        ("campaign: winter\n", 'reads "participant.nam", which step "tell" does not have'),
        ("", 'reads "participant.nam", which step "tell" does not have'),
    ],
)
def test_templates_are_checked_against_the_campaign(campaign: str, said: str) -> None:
    """A template that reads a field no participant of the flow has is an error."""
    flow = f"flow: hello\n{campaign}enter: [{{event: A}}]\nsteps:\n"
    flow += "  tell: {send: log, template: note}\n"
    note = "Hello {{ participant.nam }}"
    files = {"space.yaml": SPACE, "hello.yaml": flow, "messages/note.liquid": note}
    problems = load_project(files).problems

    assert [p.code for p in problems] == ["unknown-template-data"]
    assert said in problems[0].message


def test_the_profile_view_is_complete() -> None:
    """C24: profile, participants, sessions, messages with statuses and reported data, by name."""
    log = catalog(FLOW)
    profile = ProfileChange(
        id="p", user="ann", time=START, set={"city": "Köln"}, tag=("vip",), consent={"log": True}
    )
    state, outputs = run(log, profile, upload(1, name="Ann", size=3))
    sent = next(o.communication for o in outputs if isinstance(o, out.Message))
    told = CommunicationUpdate(
        id="s", user="ann", time=START + 5, communication=sent, status="replied", data={"a": 1}
    )
    done = step(log, state, told)
    assert isinstance(done, Done)

    found = profile_view_of(log, "ann", done.state)

    assert (found.user, found.clock, found.customer) == ("ann", START + 5, {"city": "Köln"})
    assert (found.tags, found.consent) == (("vip",), {"log": True})
    (participant,) = found.participants
    assert (participant.campaign, participant.status) == ("winter", "new")
    assert participant.fields == {"name": "Ann", "size": 3}
    (session,) = found.sessions
    assert (session.flow, session.step, session.campaign) == ("hello", "pause", "winter")
    assert session.until == START + 1 + 86_400_000
    (message,) = found.communications
    assert (message.step, message.status, message.results) == ("tell", "replied", {"a": 1})
    assert message.times == {"sent_at": START + 1, "replied": START + 5}


def test_the_profile_view_of_an_unknown_user_is_empty() -> None:
    """C24: the view of an unknown user is empty."""
    assert profile_view_of(catalog(FLOW), "ben", None) == ProfileView(user="ben")
