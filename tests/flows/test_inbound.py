"""Inbound messages: how keywords and numbers compare, what is stored, and who owns a number."""

from __future__ import annotations

import pytest

from towpath.portable.space_merging import merged
from towpath.replay.control_log import InvalidLines, check, read_log, with_flows
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.definitions.values import keyword
from transforms.flows.diagnostics import headline
from transforms.flows.engine.limits import MESSAGE_BOUND
from transforms.flows.engine.messages.inbound import number_in
from transforms.flows.engine.step import Behind, Done, is_unused, step
from transforms.flows.engine.working import decode
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.control_records import encode_line
from transforms.flows.protocol.signals import Inbound
from transforms.flows.reading.project import load_project
from transforms.flows.reading.space import load_space

START = 1_770_000_000_000
SPACE = """\
space: test
channels: {sms: {address: phone}, voice: {address: phone}}
numbers:
  "4711": {messages: sms}
  "+4930": {messages: sms, calls: voice}
"""
ASKS = """\
flow: asks
enter:
  - inbound: any
    number: 4711
steps:
  words:
    match_message:
      - {inbound: any, then: heard}
    else: over
  heard: {update: {session.said: message.text}}
  pause: {wait: 1h, then: over}
  over:  {end: done}
"""
STOPS = "flow: NAME\nenter:\n  - {inbound: STOP, number: 4711}\nsteps: {over: {end: done}}\n"


def catalog() -> Catalog:
    """Return a catalog of one flow that accepts any message."""
    return catalog_of(records_of({"asks": ASKS}, SPACE, {}))


def message(text: str, **more: object) -> Inbound:
    """Return a message to the number."""
    found = {"id": "m1", "user": "ann", "time": START, "channel": "sms", "number": "4711"}
    return Inbound(text=text, **(found | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", 42),
        (" -7 ", -7),
        ("42.5", 42.5),
        ("42,5", 42.5),
        ("9,99", 9.99),
        ("1,000", None),
        ("1.000", 1.0),
        ("42 EU", None),
        ("", None),
        ("1e3", None),
        ("٤٢", None),
        ("9" * 16, None),
    ],
)
def test_a_reply_that_is_a_number_is_stored_as_one(text: str, number: float | None) -> None:
    """I10: a reply that is only a number can be stored as a number."""
    assert number_in(text) == number


def test_keywords_ignore_case() -> None:
    """R13: keywords are trimmed and compared without case, also beyond ASCII."""
    assert keyword(" Straße\n") == keyword("STRASSE")
    assert keyword("stop it") != keyword("stop  it")


def test_a_long_text_is_refused_and_not_stored() -> None:
    """R7: a text over the limit of a session is refused with a reason; the session continues."""
    done = step(catalog(), None, message("x" * (MESSAGE_BOUND + 1)))

    assert isinstance(done, Done)
    refused = [o.reason for o in done.outputs if isinstance(o, out.Rejection)]
    assert refused == ["value_too_large"]
    reached = [o.step for o in done.outputs if getattr(o, "what", "") == "reached"]
    assert reached == ["words", "heard", "pause"]
    assert done.state is not None
    assert decode(done.state).sessions[0].variables == {}


def test_a_message_that_no_flow_reads_is_unused() -> None:
    """R5: if no flow reads messages they are unused, except one that answers, which is a status."""
    deaf = catalog_of(records_of({}, SPACE, {}))

    assert is_unused(deaf, message("hello"))
    assert not is_unused(deaf, message("hello", communication="c1"))
    assert not is_unused(catalog(), message("hello"))
    assert step(deaf, None, message("hello")) == Done(None, (), None)
    assert step(catalog().complete(START - 1), None, message("hello")) == Behind(START)


def test_two_flows_cannot_own_a_keyword() -> None:
    """I8: a folder in which two flows have the same keyword on a number has a problem at both
    places.
    """
    other = STOPS.replace("STOP, number: 4711", "[go, stop], channel: sms")
    files = {"a.yaml": STOPS.replace("NAME", "a"), "b.yaml": other.replace("NAME", "b")}

    said = 'has the keyword "stop" on 4711, too; see {}; only one flow can have it [owned-twice]'
    assert [headline(p) for p in load_project({**files, "space.yaml": SPACE}).problems] == [
        f'a.yaml:3:15: flow "b" {said.format("b.yaml:3")}',
        f'b.yaml:3:6: flow "a" {said.format("a.yaml:3")}',
    ]


@pytest.mark.parametrize(("start", "problems"), [("2026-06-01", 0), ("2026-05-31", 2)])
def test_flows_that_never_run_together_may_share_a_keyword(start: str, problems: int) -> None:
    """R13: flows may own the same keyword if the schedule of one ends before the other starts."""
    spring = STOPS.replace("NAME", "a").replace("enter:", "schedule: {end: 2026-06-01}\nenter:")
    summer = STOPS.replace("NAME", "b").replace("enter:", f"schedule: {{start: {start}}}\nenter:")
    found = load_project({"a.yaml": spring, "b.yaml": summer, "space.yaml": SPACE}).problems

    assert [problem.code for problem in found] == ["owned-twice"] * problems


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{inbound: STOP, number: 4711}", '{inbound: STOP, number: "+4930"}'),
        ("{inbound: STOP, number: 4711}", "{inbound: any, number: 4711}"),
        ("{inbound: STOP, number: 4711}", "{inbound: STOPP, channel: sms}"),
        ("{inbound: STOP, number: 4711}", "{inbound: STOP, channel: voice}"),
        ('{call: true, number: "+4930"}', "incoming: voice"),
        ('{call: true, number: "+4930"}', '{inbound: any, number: "+4930"}'),
    ],
)
def test_flows_may_share_a_number(one: str, other: str) -> None:
    """I7: flows may share a number with different keywords or with any-keyword matches."""
    files = {
        f"{name}.yaml": f"flow: {name}\nenter:\n  - {trigger}\nsteps: {{over: {{end: done}}}}\n"
        for name, trigger in (("a", one), ("b", other))
    }

    assert load_project({**files, "space.yaml": SPACE}).problems == ()


def test_a_control_log_with_a_keyword_owned_twice_is_refused() -> None:
    """I8: the record after which two flows would own the same keyword is named."""
    records = records_of({n: STOPS.replace("NAME", n) for n in "ab"}, SPACE, {})
    text = "".join(encode_line(record).decode() + "\n" for record in records)
    log = read_log(text, "log.jsonl")

    with pytest.raises(InvalidLines) as wrong:
        check(log, with_flows(log, ()), "log.jsonl")
    assert wrong.value.lines == [
        'log.jsonl:5:1: a and b would both run with the keyword "stop" on 4711 [control]'
    ]
    check(log[:-1], with_flows(log[:-1], ()), "log.jsonl")


def test_an_import_adds_missing_numbers() -> None:
    """J3: an import adds a number that the space lacks, with its digits in quotes."""
    here = "space: test\nchannels: {sms: {address: phone}, voice: {address: phone}}\n"
    text = merged(here, SPACE)

    assert text is not None
    assert load_space("space.yaml", text).value == load_space("space.yaml", SPACE).value
