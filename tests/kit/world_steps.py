"""Random steps of random flows, as text: every kind of step."""

from __future__ import annotations

import random
from typing import Any

from tests.kit.conditions import CONDITIONS
from tests.kit.examples import example_of, flow_text, others
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import StepKind

EVENTS = ("A", "B", "C", "D")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
QUIET = (None, "21:00-08:00", "22:00-06:00", "sat-sun 00:00-24:00, 23:00-07:00")
LAUNCHES = (
    "{audience: vip, when: member}",
    "{audience: vip, when: launch}",
    "{audience: busy, when: launch}",
    "{tag: hot, when: member}",
    "{tag: hot, when: launch}",
)
MOMENTS = ('"09:00"', "mon 08:30", "user.day at 10:00", "user.day + 1d", "user.day - 2d at 07:00")
MOMENTS += ("2026-03-29 at 09:00", "2026-12-31 at 18:00")
DURATIONS = ("10m", "1 hour", "5h", "1d", "2 days", "1 day at 09:00", "1mo")
STAYS = ("20s", "10m", "20m", "1h")
WINDOWS = ("mon-fri from 09:00", "22:00-02:00 Europe/Rome", "until 20:00")
SENDING = ("mon-fri 09:00-18:00", "20:00-10:00", "08:00-20:00")


WRITTEN = (
    "wait wait visit wait_until wait_in wait_for wait_for if match split send send send promote webhook"
    " export update audience emit loop enroll enroll leave cancel call call code code".split()
)
"""What ``_verb`` writes, weighted by how often it is chosen."""

OTHERS = {
    kind.leads[0]: kind
    for kind in others([*WRITTEN, "match_message", "add_to", "remove_from", "end"])
}
"""Steps that are generated from the example of their kind."""

LISTED = {"channel": "log", "audience": "vip", "number": "4711", "topic": "news"}
LISTED |= {"connection": "api", "destination": "dest"}
"""A name of each kind that worlds declare."""


def messages(rng: random.Random) -> list[str]:
    """Write steps that send repeatedly, so that caps and windows apply."""
    pause = rng.choice(("10m", "1h", "5h"))
    last = rng.choice(("over", "stop"))
    sends = [_send(rng, last, last), _send(rng, "pause", "pause"), _send(rng, "s1", "pause")]
    lines = [f"  s0: {sends[2]}", f"  s1: {sends[1]}", f"  pause: {{wait: {pause}, then: s2}}"]
    stop = ["  stop: {cancel: all, then: over}"] if last == "stop" else []
    return [*lines, f"  s2: {sends[0]}", *stop, "  over: {end: done}"]


def steps(rng: random.Random, flows: int) -> list[str]:
    """Write steps that lead forward; only after a wait may one lead back."""
    count = rng.choice((1, 2, 3, 4, 6))
    lines, senders = [], []
    for n in range(count):
        last = n == count - 1
        then = "" if last else f"s{n + 1}"
        later = [f"s{m}" for m in range(n + 1, count)] or ["over"]
        verb, extra = _verb(rng, n, flows, then or "over", later, senders)
        lines += [f"  s{n}: {verb}", *extra]
    lines.append("  over: {end: done}")
    return lines


def _verb(
    rng: random.Random, n: int, flows: int, then: str, later: list[str], senders: list[str]
) -> tuple[str, list[str]]:
    other = rng.choice(later)
    kind = rng.choice([*WRITTEN, *OTHERS])
    if kind in OTHERS:
        return _from_example(rng, OTHERS[kind], then, later), []
    match kind:
        case "wait":
            return f"{{wait: {rng.choice(DURATIONS)}, then: {then}}}", []
        case "visit":
            lasts = rng.choice(STAYS)
            gone = rng.choice(("", f", gone: {other}"))
            return f"{{wait: {lasts} in visit{gone}, then: {then}}}", []
        case "wait_until":
            missing = rng.choice(("", f", missing: {other}"))
            past = rng.choice(("", ", past: exit"))
            moment = rng.choice(MOMENTS)
            fixed = rng.choice(("", ", fixed: true")) if moment.startswith("user.") else ""
            return f"{{wait_until: {moment}{missing}{past}{fixed}, then: {then}}}", []
        case "wait_in":
            return f"{{wait_in: '{rng.choice(WINDOWS)}', then: {then}}}", []
        case "wait_for":
            return _wait_for(rng, then, later, senders), []
        case "if":
            return _if(rng, then, other, senders), []
        case "match":
            cases = f"{{inbound: [yes, word0], then: {other}}}"
            cases += rng.choice(
                ("", f", {{inbound: any, name: others, then: {rng.choice(later)}}}")
            )
            return f"{{match_message: [{cases}], else: {then}}}", []
        case "split":
            return _split(rng, then, other), []
        case "send":
            senders.append(f"s{n}")
            return _send(rng, then, other), []
        case "promote":
            more = rng.choice(("", ", for: 1d", f", while: '{rng.choice(CONDITIONS)}'"))
            return (
                f"{{promote: {rng.choice(('hero', 'side'))}, show: p{n}{more}, then: {then}}}",
                [],
            )
        case "webhook":
            where = rng.choice(('"https://api.example.com/x"', "/x, connection: api"))
            more = rng.choice(("", ", method: PUT", ", headers: {X-Kind: one}"))
            data = rng.choice(("data: {k: entry.k, v: user.score}", "template: note"))
            return f"{{webhook: {where}, {data}{more}, then: {then}}}", []
        case "call":
            more = rng.choice(("", f", error: {other}", f", timeout: {{after: 2h, then: {other}}}"))
            data = rng.choice(("data: {k: entry.k, v: user.score}", "template: note"))
            data += ", store: {n: a.n}"
            more += rng.choice(("", ", method: PATCH", ", headers: {X-Kind: one}"))
            return f"{{call: /x, connection: api, {data}{more}, then: {then}}}", []
        case "code":
            return _code(rng, n, then, other)
        case "export":
            place = rng.choice(("dest", "dest", "lines", "lake", "stream"))
            return f"{{export: {place}, fields: {{k: entry.k, plan: user.plan}}, then: {then}}}", []
        case "update":
            return _update(rng, then), []
        case "audience":
            return f"{{{rng.choice(('add_to', 'remove_from'))}: vip, then: {then}}}", []
        case "emit":
            return f"{{emit: {rng.choice(EVENTS)}, with: {{k: entry.k, v: '7'}}, then: {then}}}", []
        case "enroll":
            if not flows:
                return f"{{cancel: all, then: {then}}}", []
            return f"{{enroll: f{flows - 1}, with: {{k: entry.k}}, then: {then}}}", []
        case "cancel":
            return f"{{cancel: all, then: {then}}}", []
        case "leave":
            return f"{{leave: [f{rng.randrange(max(flows, 1))}], then: {then}}}", []
        case _:
            when = rng.choice(CONDITIONS)
            back = f"s{rng.randrange(n + 1)}"
            return (
                f"{{if: [{{when: '{when}', then: {then}}}], else: r{n}}}",
                [f"  r{n}: {{wait: {rng.choice(('6h', '1d'))}, then: {back}}}"],
            )


def _from_example(rng: random.Random, kind: StepKind, then: str, later: list[str]) -> str:
    """Write a step from the example of its kind, with names of this flow and its space."""

    def put(form: forms.Form, value: Any) -> Any:
        match form:
            case forms.StepName():
                return rng.choice(later)
            case forms.EventName():
                return rng.choice(EVENTS)
            case forms.Condition():
                return rng.choice(CONDITIONS)
            case forms.Delay():
                return rng.choice(DURATIONS)
            case forms.Window():
                return rng.choice(WINDOWS)
            case forms.Moment():
                return rng.choice(MOMENTS).strip('"')
            case forms.TemplateName():
                return "note"
            case forms.Named():
                return {"k": "entry.k"}
            case forms.Listed():
                return LISTED.get(form.kind, value)
            case _:
                return value

    step = example_of(kind, put, lambda: rng.random() < 0.7)
    return flow_text(step | ({"then": then} if kind.goes_on == "then" else {}))


def _if(rng: random.Random, then: str, other: str, senders: list[str]) -> str:
    sent = [f"communications.{name}.opened is set" for name in senders]
    cases = rng.sample((*CONDITIONS, *sent * 20), rng.choice((1, 1, 2)))
    names = ("", ", name: second")
    listed = ", ".join(
        f"{{when: '{when}'{name}, then: {other}}}" for when, name in zip(cases, names, strict=False)
    )
    return f"{{if: [{listed}], else: {then}}}"


def _split(rng: random.Random, then: str, other: str) -> str:
    """Write a split: with a holdout, or as a test with a winner, with a rest or without."""
    then, redraw = f"one: {then}, two: {other}", rng.choice(("", ", redraw: true"))
    decided = ", winner: {metric: opened, minimum: 10, confidence: 90%}"
    match rng.choice("holdout plain test rest".split()):
        case "holdout":
            shares, more = "one: 60%, two: 30%, off: 10% holdout", redraw
        case "plain":
            shares, more = "one: 70%, two: 30%", redraw
        case "test":
            shares, more = "one: 50%, two: 50%", decided
        case _:
            shares, more = "one: 20%, two: 20%, left: 60% rest", decided
            then += f", left: {other}"
    return f"{{split: {{{shares}}}, then: {{{then}}}{more}}}"


def _code(rng: random.Random, n: int, then: str, other: str) -> tuple[str, list[str]]:
    """Write a function that sometimes fails, and a step that uses its result."""
    body = rng.choice(
        (
            "return {'n': (v or 0) * 2, 'k': k}",
            "return {'n': 10 / len(k or '')}",
            "return {'big': ['x' * 99] * 999} if v else {'n': 1}",
            "return v",
        )
    )
    error = rng.choice(("", f"\n    error: {other}"))
    inputs = "{k: entry.k, v: user.score}"
    lines = [f"      def run(k, v):\n        {body}\n    with: {inputs}{error}\n    then: u{n}"]
    return "\n    code: |", [
        *lines,
        f"  u{n}: {{update: {{session.mark: session.s{n}.n}}, then: {then}}}",
    ]


def _wait_for(rng: random.Random, then: str, later: list[str], senders: list[str]) -> str:
    cases = []
    for _ in range(rng.choice((1, 2, 3))):
        target = rng.choice(later)
        cases.append(
            rng.choice(
                (
                    f"{{event: {rng.choice(EVENTS)}, then: {target}}}",
                    f"{{event: B, where: event.k == entry.k, then: {target}}}",
                    f"{{when: '{rng.choice(CONDITIONS)}', then: {target}}}",
                    f"{{enters: vip, then: {target}}}",
                    f"{{leaves: busy, then: {target}}}",
                    f"{{inbound: [Yes, word0], number: 4711, then: {target}}}",
                    f"{{inbound: no, channel: log, then: {target}}}",
                    f"{{inbound: any, channel: sms, then: {target}}}",
                    f"{{inbound: any, where: message.as_number > 3, then: {target}}}",
                    f"{{call: true, then: {target}}}",
                    f"{{call: true, number: 4711, then: {target}}}",
                    f"{{call: true, channel: log, where: user.plan is set, then: {target}}}",
                    f"{{event: A, where: event.time is set, then: {target}}}",
                )
            )
        )
    if senders:
        status = rng.choice(("opened", "delivered", "failed", "replied"))
        asked = rng.choice(("", "", ", where: communication.choice is set"))
        cases.append(f"{{{status}: {rng.choice(senders)}{asked}, then: {rng.choice(later)}}}")
    cases = [case.replace(", then:", f", name: way{n}, then:") if n % 2 else case
             for n, case in enumerate(cases)]  # fmt: skip
    more = rng.choice(("", "", ", rank: true"))
    if not more and rng.random() < 0.3:
        again = f"{{event: {rng.choice(EVENTS)}}}"
        cases.append(rng.choice((again, "{inbound: any, number: 4711}", "{call: true}")))
        more = ", repeat: restart"
    timeout = f", timeout: {{after: {rng.choice(DURATIONS)}, then: {then}}}"
    return f"{{wait_for: [{', '.join(cases)}]{timeout}{more}}}"


def _send(rng: random.Random, then: str, other: str) -> str:
    channel = rng.choice(("email", "sms", "log"))
    links = rng.choice(("links: short", "links: whole"))
    agents = {"email": ["agent: desk", "track: []"], "sms": ["agent: line", links]}
    data = rng.choice(("", "", ", data: {n: user.score}"))
    parts = [f"send: {channel}", f"template: note{data}"]
    parts += rng.choice(([], [], agents.get(channel, [])))
    parts += rng.choice(([], ["topic: news"], ["topic: club"], ["topic: bills"]))
    parts += rng.choice(([], [], [], ["urgent: true"]))
    parts += rng.choice(([], [], ['at: "18:00"'], ["at: user.day at 12:00"]))
    parts += rng.choice(([], [], [f"window: '{rng.choice(SENDING)}'"]))
    parts += rng.choice(([], [], ["validity: 6h"]))
    late = ["failover: [sms, log]", "failover_after: 2h"]
    parts += rng.choice(([], [], ["failover: [log]"], ["failover: [sms, log]"], late))
    parts += rng.choice(([], [], ["keep: true"]))
    parts += rng.choice(([], [], ["hold: true"]))
    why = rng.choice(("capped", "no_consent", "no_address", "expired"))
    parts += rng.choice(([], [f"{why}: {other}"]))
    return "{" + ", ".join([*parts, f"then: {then}"]) + "}"


def _update(rng: random.Random, then: str) -> str:
    change = rng.choice(
        (
            "update: {user.plan: '\"pro\"'}",
            "update: {session.mark: entry.k}",
            "update: {user.score: message.as_number, user.list: message.text}",
            "increment: {user.score: '1'}",
            "append: {user.list: entry.k}",
            "unset: [user.plan]",
            "tag: [hot]",
            "untag: [hot]",
        )
    )
    return f"{{{change}, then: {then}}}"
