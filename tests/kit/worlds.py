"""Random spaces and flows, as the text that people write: every kind of trigger and step."""

from __future__ import annotations

import random
import re
from functools import lru_cache

import msgspec

from tests.kit import campaigns
from tests.kit.logs import NOTE, followed, record, winners
from transforms.flows import control
from transforms.flows.catalog import NEVER, Catalog
from transforms.flows.load import headline, load_project
from transforms.flows.publish import catalog_of, records_of

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
STARTS = (
    1774569600000,  # 2026-03-27, two days before Berlin's change to summer time
    1792713600000,  # 2026-10-23, and back
    1835136000000,  # 2028-02-26, before a leap day
    1772755200000,  # 2026-03-06, before New York's change
    1798416000000,  # 2026-12-28, before a new year
)
EVENTS = ("A", "B", "C", "D")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
QUIET = (None, "21:00-08:00", "22:00-06:00", "sat-sun 00:00-24:00, 23:00-07:00")
CONDITIONS = (
    'user.plan == "pro"',
    'user.plan != "pro"',
    "user.score > 3",
    "user.plan is set",
    'not (user.plan == "free")',
    'count(event "A" within last 2d) >= 2',
    'sum(event.v of event "B" within last 5d) > 20',
    'last(event "C") more than 1d ago',
    "user.seen more than 2d ago",
    "user.seen within last 12h",
    "audience.vip",
    "audience.busy",
    "tag.hot",
    "user.day is today",
    'communication.status == "active"',
    "message.as_number >= 3",
    'message.text == "yes"',
    "visit.count >= 3",
    "visit.events > 2 and visit.last more than 1h ago",
)
LAUNCHES = (
    "{audience: vip, when: member}",
    "{audience: vip, when: launch}",
    "{audience: busy, when: launch}",
    "{tag: hot, when: member}",
    "{tag: hot, when: launch}",
)
MOMENTS = ('"09:00"', "mon 08:30", "user.day at 10:00", "user.day + 1d", "user.day - 2d at 07:00")
DURATIONS = ("10m", "1h", "5h", "1d", "2d", "1 day at 09:00", "1mo")
STAYS = ("20s", "10m", "20m", "1h")
WINDOWS = ("mon-fri 09:00-18:00", "22:00-02:00", "08:00-20:00")
SENDING = ("mon-fri 09:00-18:00", "20:00-10:00", "08:00-20:00")


class World(msgspec.Struct, frozen=True):
    """One space with its flows: the control log, the start, and what it is made of."""

    seed: int
    start: int
    records: tuple[control.ControlRecord, ...]
    caps: tuple[tuple[int, str, str | None, str | None], ...]
    quiet: str | None
    zone: str
    slack: int
    files: dict[str, str]

    def catalog(self, until: int = NEVER) -> Catalog:
        """Read the log as far as it is known at an instant."""
        known = [r for r in self.records if r.effective_at <= until]
        return _catalog(self.seed, len(known)).complete(until)


@lru_cache(maxsize=4)
def world(seed: int) -> World:
    """Make the world of a seed."""
    rng = random.Random(f"world {seed}")
    slack = rng.choice((0, 0, 10_000))
    zone, quiet = rng.choice(ZONES), rng.choice(QUIET)
    caps = _caps(rng)
    count = rng.choice((1, 1, 2, 3))
    files = {"space.yaml": _space(rng, zone, quiet, caps, slack), "messages/note.liquid": NOTE}
    for n in range(count):
        files[f"f{n}.yaml"] = _flow(rng, n, count)
    start = rng.choice(STARTS) + rng.randrange(DAY)
    log = _log(rng, files, count, start)
    return World(seed, start, tuple(log), caps, quiet, zone, slack, files)


@lru_cache(maxsize=256)
def _catalog(seed: int, count: int) -> Catalog:
    records = sorted(world(seed).records, key=lambda r: (r.effective_at, r.sequence))
    return catalog_of(records[:count])


def _log(
    rng: random.Random, files: dict[str, str], count: int, start: int
) -> list[control.ControlRecord]:
    project = load_project(files)
    wrong = [headline(p) for p in project.problems if p.severity == "error"]
    assert not wrong, "\n".join([*wrong, *files.values()])
    flows = {flow.id: project.flow_text(flow.id) for flow in project.flows}
    templates = {flow.id: project.template_texts(flow.id) for flow in project.flows}
    log = records_of(flows, project.space_text, templates)
    for _ in range(rng.choice((0, 0, 2, 4, 8))):
        at = start + rng.randrange(10 * DAY)
        flow = f"f{rng.randrange(count)}"
        number = 3 * len(log) + rng.randrange(3)
        text = rng.choice((_flow(rng, int(flow[1:]), count), _changed(rng, files[f"{flow}.yaml"])))
        log.append(record(rng, at, len(log), flow, 2 + number, text))
    return followed(log + list(winners(rng, log, files, start)))


def _changed(rng: random.Random, text: str) -> str:
    """Write a flow with other lengths of time: sessions can be taken along to it."""
    text = re.sub(r"wait: \w+ in visit", lambda _: f"wait: {rng.choice(STAYS)} in visit", text)
    return re.sub(
        r"(wait|timeout: {after): (?!\w+ in visit)[^,}]+",
        lambda m: f"{m[1]}: {rng.choice(DURATIONS)}",
        text,
    )


def _caps(rng: random.Random) -> tuple[tuple[int, str, str | None, str | None], ...]:
    some = (
        (2, "day", "email", None),
        (1, "3d", None, "news"),
        (3, "week", None, None),
        (1, "6h", "sms", None),
        (2, "24h", None, None),
    )
    return tuple(rng.sample(some, rng.choice((0, 1, 2))))


def _space(
    rng: random.Random,
    zone: str,
    quiet: str | None,
    caps: tuple[tuple[int, str, str | None, str | None], ...],
    slack: int,
) -> str:
    lines = ["space: world", f"zone: {zone}"]
    lines += [f"slack: {slack // 1000}s"] if slack else []
    lines += [f"quiet_hours: {quiet}"] if quiet else []
    lines += ["channels:", "  email: {track: [opens], agent: desk}"]
    lines += ["  sms: {price: {'+49': 0.07, else: 0.05}, link: 20}", "  log: {address: user}"]
    lines += ["agents:", "  desk: {channel: email}", "  line: {channel: sms, menu: {'1': agreed}}"]
    lines += ["numbers:", '  "4711": {messages: sms, calls: sms}']
    lines += [f'  "{n}": {{messages: [sms, log], calls: log}}' for n in range(100, 103)]
    lines += ["topics:", "  news: {}", "  club: {opt_in: true}"]
    lines += ["audiences:", "  vip: static", '  busy: count(event "B" within last 3d) >= 2']
    lines += ["groups:", "  lane: {}", "  road: {at_once: 2, limit: [3 per 2d]}"]
    lines += ["connections:", "  api: {url: https://api.example.com, auth: {signed: env:KEY}}"]
    lines += ["destinations:", "  exits: {table: exits}", "  dest: {http: /x, connection: api}"]
    lines += ["caps:"] if caps else []
    for most, per, channel, topic in caps:
        more = f", channel: {channel}" if channel else ""
        more += f", topic: {topic}" if topic else ""
        lines.append(f"  - {{limit: {most} per {per}{more}}}")
    return "\n".join([*lines, *campaigns.SPACE]) + "\n"


def _flow(rng: random.Random, number: int, count: int) -> str:
    lines = [f"flow: f{number}"]
    if rng.random() < 0.4:
        lines.append(f"priority: {rng.randrange(5)}")
    if rng.random() < 0.3:
        lines.append(f"zone: {rng.choice(ZONES)}")
    if rng.random() < 0.2:
        lines.append("holdout: 30%")
    lines += [f"group: {rng.choice(('lane', 'lane', 'road'))}"] if rng.random() < 0.4 else []
    lines.append("enter:")
    found = [_trigger(rng, number, count) for _ in range(rng.choice((1, 2, 3)))]
    # With what users send alone, entry.k would be an error: its fields are known.
    found += ["event: A"] if all(re.search("inbound|call|incoming", t) for t in found) else []
    if "people: true" not in found and rng.random() < 0.3:
        found.append(rng.choice(LAUNCHES))
    lines += [f"  - {trigger}" for trigger in dict.fromkeys(found)]
    lines += [f"  - flow: f{n}" for n in range(count) if n != number and rng.random() < 0.5]
    lines += rng.choice(([], [], ["key: entry.k"], ["simultaneous: true"]))
    again = ("never", "{after: 1h}", "{limit: [2 per day]}", "{after: 10m, limit: [3 per 2d]}")
    lines += [f"reenter: {rng.choice(again)}"] if rng.random() < 0.4 else []
    lines += ["exit:", f"  - {_exit(rng)}"] if rng.random() < 0.5 else []
    if rng.random() < 0.5:
        lines += ["goals:", "  won: {event: D, within: 2d, value: event.v}"]
        lines += ["exit_on_goal: true"] if rng.random() < 0.5 else []
    chatty = rng.random() < 0.25
    # Enrolments lead into the last flow alone: cascades that fan out take seconds a signal.
    others = count if number < count - 1 else 0
    lines += ["steps:", *(_messages(rng) if chatty else _steps(rng, others))]
    if rng.random() < 0.3:
        lines += ["on_exit:", "  bye: {export: exits, fields: {plan: user.plan}, then: mark}"]
        lines += ["  mark: {tag: [left]}"]
    text = "\n".join(lines) + "\n"
    if rng.random() < 0.35:
        text = campaigns.of_campaign(rng, text, number == count - 1)
    return text


def _trigger(rng: random.Random, number: int, count: int) -> str:
    event, other = rng.sample(EVENTS, 2)
    return rng.choice(
        (
            f"event: {event}",
            f"event: {event}",
            f"{{event: {event}, where: event.v > 5}}",
            f"{{event: {event}, reenter: {{after: 2h}}}}",
            f"{{all: [{{event: {event}}}, {{event: {other}}}], within: 1d}}",
            f"{{any: [{{event: {event}}}, {{event: {other}, where: event.v > 3}}], within: 1h}}",
            f"{{sequence: [{{event: {event}}}, {{event: {other}}}], within: 12h}}",
            f"{{event: {event}, without: [{{event: {other}}}], within: 3h}}",
            "changed: plan",
            "{changed: plan, to: '\"pro\"'}",
            "{changed: score, held: 1d}",
            "audience: vip",
            "audience: busy",
            "{audience: busy, when: left}",
            "{date: user.day at 09:00, yearly: true}",
            "{date: user.day - 1d}",
            "{at: mon-fri 09:00, audience: vip}",
            "api: true",
            "tag: hot",
            "{tag: hot, when: removed}",
            # A flow that answers its own messages goes round for ever: some entries a day will do.
            "{communication: ended, reenter: {limit: [4 per day]}}",
            "people: true",
            "{communication: updated, where: 'communication.status == \"opened\"'}",
            "{communication: updated, where: 'communication.channel == \"sms\"', reenter: never}",
            f"flow: f{rng.randrange(count)}",
            f"{{flow: f{rng.randrange(count)}, where: entry.k is set}}",
            f"{{inbound: [word{number}, start{number}], number: 4711}}",
            f"{{inbound: word{number}, channel: sms, where: user.plan is set}}",
            f"{{inbound: [yes, no], number: {100 + number}}}",
            "{inbound: any, number: 4711}",
            "{inbound: any, channel: sms, where: message.as_number is set}",
            f"{{call: true, number: {100 + number}}}",
            f"incoming: {rng.choice(('sms', 'log'))}",
        )
    )


def _exit(rng: random.Random) -> str:
    return rng.choice(
        (
            f"event: {rng.choice(EVENTS)}",
            "{event: A, where: event.k == entry.k}",
            f"when: {rng.choice(CONDITIONS)}",
            "left: vip",
            "left: busy",
        )
    )


def _messages(rng: random.Random) -> list[str]:
    """Write steps that send and send again, so that caps and windows have work."""
    pause = rng.choice(("10m", "1h", "5h"))
    last = rng.choice(("over", "stop"))
    sends = [_send(rng, last, last), _send(rng, "pause", "pause"), _send(rng, "s1", "pause")]
    lines = [f"  s0: {sends[2]}", f"  s1: {sends[1]}", f"  pause: {{wait: {pause}, then: s2}}"]
    stop = ["  stop: {cancel: all, then: over}"] if last == "stop" else []
    return [*lines, f"  s2: {sends[0]}", *stop, "  over: {end: done}"]


def _steps(rng: random.Random, flows: int) -> list[str]:
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
    kind = rng.choice(
        "wait wait visit wait_until wait_in wait_for wait_for if match split send send send promote webhook"
        " export update audience emit loop enroll enroll leave cancel call call code code".split()
    )
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
            return f"{{wait_until: {rng.choice(MOMENTS)}{missing}{past}, then: {then}}}", []
        case "wait_in":
            return f"{{wait_in: '{rng.choice(WINDOWS)}', then: {then}}}", []
        case "wait_for":
            return _wait_for(rng, then, later, senders), []
        case "if":
            when = rng.choice(CONDITIONS)
            return f"{{if: [{{when: '{when}', then: {other}}}], else: {then}}}", []
        case "match":
            cases = f"{{inbound: [yes, word0], then: {other}}}"
            cases += rng.choice(("", f", {{inbound: any, then: {rng.choice(later)}}}"))
            return f"{{match_message: [{cases}], else: {then}}}", []
        case "split":
            redraw = rng.choice(("", ", redraw: true"))
            holdout = rng.choice((True, False))
            shares = "one: 60%, two: 30%, off: 10% holdout" if holdout else "one: 70%, two: 30%"
            return f"{{split: {{{shares}}}, then: {{one: {then}, two: {other}}}{redraw}}}", []
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
            url = "https://api.example.com/x"
            return f'{{webhook: "{url}", data: {{k: entry.k, v: user.score}}, then: {then}}}', []
        case "call":
            more = rng.choice(("", f", error: {other}", f", timeout: {{after: 2h, then: {other}}}"))
            data = "data: {k: entry.k, v: user.score}, store: {n: a.n}"
            return f"{{call: /x, connection: api, {data}{more}, then: {then}}}", []
        case "code":
            return _code(rng, n, then, other)
        case "export":
            return f"{{export: dest, fields: {{k: entry.k, plan: user.plan}}, then: {then}}}", []
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


def _code(rng: random.Random, n: int, then: str, other: str) -> tuple[str, list[str]]:
    """Write a function that now and then fails, and a step that uses what it returns."""
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
                )
            )
        )
    if senders:
        status = rng.choice(("opened", "delivered", "failed", "replied"))
        asked = rng.choice(("", "", ", where: communication.choice is set"))
        cases.append(f"{{{status}: {rng.choice(senders)}{asked}, then: {rng.choice(later)}}}")
    more = rng.choice(("", "", ", rank: true"))
    if not more and rng.random() < 0.3:
        again = f"{{event: {rng.choice(EVENTS)}}}"
        cases.append(rng.choice((again, "{inbound: any, number: 4711}", "{call: true}")))
        more = ", repeat: restart"
    timeout = f", timeout: {{after: {rng.choice(DURATIONS)}, then: {then}}}"
    return f"{{wait_for: [{', '.join(cases)}]{timeout}{more}}}"


def _send(rng: random.Random, then: str, other: str) -> str:
    channel = rng.choice(("email", "sms", "log"))
    agents = {"email": ["agent: desk", "track: []"], "sms": ["agent: line", "links: short"]}
    parts = [f"send: {channel}", "template: note"]
    parts += rng.choice(([], [], agents.get(channel, [])))
    parts += rng.choice(([], ["topic: news"], ["topic: club"]))
    parts += rng.choice(([], [], ['at: "18:00"'], ["at: user.day at 12:00"]))
    parts += rng.choice(([], [], [f"window: '{rng.choice(SENDING)}'"]))
    parts += rng.choice(([], [], ["validity: 6h"]))
    late = ["failover: [sms, log]", "failover_after: 2h"]
    parts += rng.choice(([], [], ["failover: [log]"], ["failover: [sms, log]"], late))
    parts += rng.choice(([], [], ["keep: true"]))
    parts += rng.choice(([], [f"capped: {other}"], [f"no_consent: {other}"]))
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
