"""Steps with calls on a host without a sandbox, which answers by signals."""

from __future__ import annotations

from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import Done, step
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.reason_codes import REASONS
from transforms.flows.protocol.signals import CallResult, Event, Signal, Time
from transforms.hosting import sandbox

START = 1_772_352_000_000
MINUTE = 60_000
SPACE = """
channels: {log: {address: user}}
connections: {bureau: {url: "https://api.example.com", auth: {basic: me, password: env:PW}}}
"""
CODE = """
flow: code
enter: [{event: A}]
steps:
  double:
    code: |
      def run(n):
          return {"n": n * 2}
    with: {n: entry.n}
    error: lost
    then: mark
  mark: {update: {user.n: session.double.n}, then: over}
  lost: {update: {user.why: session.double.error}, then: over}
  over: {end: done}
"""
ASK = """
flow: ask
enter: [{event: A}]
steps:
  ask: {call: /x, connection: bureau, data: {n: entry.n}, store: {n: a.n}, timeout: {after: 1d}}
  mark: {update: {user.n: session.ask.n}}
"""
COUNT = """
flow: count
enter: [{event: A}]
simultaneous: true
steps:
""" + "".join(f"  s{n}:\n    code: |\n      def run():\n          return {{}}\n" for n in range(20))


def catalog(name: str, text: str) -> Catalog:
    return catalog_of(records_of({name: text}, SPACE, {}))


def event(n: object = 3) -> Event:
    return Event(id="a", user="kim", time=START, name="A", properties={"n": n})


def took(found: Catalog, state: bytes | None, signal: Signal) -> Done:
    done = step(found, state, signal)
    assert isinstance(done, Done)
    return done


def calls(done: Done) -> list[out.Call]:
    return [o for o in done.outputs if isinstance(o, out.Call)]


def reached(done: Done) -> list[str]:
    return [o.step for o in done.outputs if isinstance(o, out.Transition) and o.what == "reached"]


def test_a_host_may_answer_code_by_a_signal() -> None:
    """An answer as a signal at the same instant has the same effect as one given at once (C19)."""
    found = catalog("code", CODE)
    at_once = step(found, None, event(), sandbox.answer)
    asked = took(found, None, event())
    answer = sandbox.answer(
        calls(asked)[0],
        CODE.split("code: |\n")[1].split("    with", maxsplit=1)[0].replace("      ", ""),
    )
    later = took(found, asked.state, answer)

    assert isinstance(at_once, Done)
    assert reached(asked) + reached(later) == reached(at_once) == ["double", "mark", "over"]
    assert [o.set for o in later.outputs if isinstance(o, out.ProfileUpdate)] == [{"n": 6}]


def test_code_without_an_answer_fails_after_a_minute() -> None:
    """A call of code has a time-out, after which the session takes the branch for errors (P24)."""
    found = catalog("code", CODE)
    asked = took(found, None, event())
    over = took(found, asked.state, Time(user="kim", at=START + MINUTE))

    assert (calls(asked)[0].expires, asked.wake_at) == (START + MINUTE, START + MINUTE)
    assert reached(over) == ["lost", "over"]
    assert [o.set for o in over.outputs if isinstance(o, out.ProfileUpdate)] == [
        {"why": "no answer in time"}
    ]


def test_a_duplicate_answer_changes_nothing() -> None:
    """Neither the same answer nor another one to the same call moves a session again (R5)."""
    found = catalog("ask", ASK)
    asked = took(found, None, event())
    base = {"user": "kim", "time": START + 5, "call": calls(asked)[0].id, "ok": True}
    first = took(found, asked.state, CallResult(id="r", result={"n": 4}, **base))
    again = took(found, first.state, CallResult(id="r", result={"n": 5}, **base))
    other = took(found, again.state, CallResult(id="q", result={"n": 5}, **base))

    assert reached(first) == ["mark"]
    assert again.outputs == ()
    assert [type(o) for o in other.outputs] == [out.Rejection]
    assert other.outputs[0].reason == "unknown_call"


def test_an_answer_that_is_loaded_history_is_refused() -> None:
    """An answer that is loaded as history moves no session, and is a rejection (R10, R7)."""
    found = catalog("ask", ASK)
    asked = took(found, None, event())
    name = calls(asked)[0].id
    old = CallResult(id="r", user="kim", time=START + 5, call=name, ok=True, bypass=True)

    refused = took(found, asked.state, old)

    assert [o.reason for o in refused.outputs if isinstance(o, out.Rejection)] == ["loaded_order"]
    assert len(refused.outputs) == 1


def test_an_answer_to_another_call_is_refused() -> None:
    """An answer moves only the session whose call it names by its permanent id (R30)."""
    found = catalog("ask", ASK)
    asked = took(found, None, event())
    wrong = CallResult(id="r", user="kim", time=START, call=f"{calls(asked)[0].id}1", ok=True)
    done = took(found, asked.state, wrong)

    assert [o.reason for o in done.outputs if isinstance(o, out.Rejection)] == ["unknown_call"]
    assert reached(done) == []


def test_a_call_names_its_connection_and_has_no_secret() -> None:
    """The output has the connection's name, the data and what to store of the answer (J9, J14)."""
    call = calls(took(catalog("ask", ASK), None, event()))[0]

    assert (call.kind, call.target, call.method, call.connection) == ("api", "/x", "POST", "bureau")
    assert (call.inputs, call.store, call.expires) == (
        {"n": 3},
        {"n": "a.n"},
        START + 1440 * MINUTE,
    )
    assert b"PW" not in out.encode(call)


def test_a_chain_of_code_steps_is_limited() -> None:
    """A chain of code steps without a wait ends as a cascade that is too deep (R6)."""
    done = step(catalog("count", COUNT), None, event(), sandbox.answer)

    assert isinstance(done, Done)
    ends = [o.reason for o in done.outputs if isinstance(o, out.Transition) and o.what == "ended"]
    assert ends == ["cascade_too_deep"]
    assert len(calls(done)) == 17
    assert {"call_failed", "unknown_call"} <= REASONS.keys()
