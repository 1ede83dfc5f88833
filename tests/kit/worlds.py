"""Random spaces and flows, as text: every kind of trigger and step."""

from __future__ import annotations

import random
import re
from functools import lru_cache

import msgspec

from tests.kit import campaigns
from tests.kit.conditions import CONDITIONS
from tests.kit.control_logs import (
    NOTE,
    other_space,
    record,
    schedule_lines,
    winners,
    without_invalid_migrations,
)
from tests.kit.world_steps import (
    DURATIONS,
    EVENTS,
    LAUNCHES,
    QUIET,
    STAYS,
    ZONES,
    messages,
    steps,
)
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.catalog.epochs import NEVER, Catalog
from transforms.flows.diagnostics import headline
from transforms.flows.protocol import control_records
from transforms.flows.reading.project import load_project

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
STARTS = (
    1774569600000,  # 2026-03-27, two days before Berlin's change to summer time
    1792713600000,  # 2026-10-23, and back
    1835136000000,  # 2028-02-26, before a leap day
    1772755200000,  # 2026-03-06, before New York's change
    1798416000000,  # 2026-12-28, before a new year
)
AUTHS = (
    "signed: env:KEY",
    "bearer: env:KEY",
    "basic: me, password: env:KEY",
    "header: X-Key, value: env:KEY",
)
DECLARED = (
    "traits: {plan: text, score: number, day: time, seen: time, list: list, name: text,",
    "  email: text, phone: text, timezone: text, keen: boolean}",
    "events:",
    *(f"  {event}: {{k: text, v: number}}" for event in EVENTS),
)
"""Types, which some spaces declare."""

STATES = tuple(text for text in CONDITIONS if not text.startswith(("communication.", "message.")))
"""What goals may be on: they read no messages of their session."""


class World(msgspec.Struct, frozen=True):
    """One space with its flows: the control log, the start, and its parts."""

    seed: int
    start: int
    records: tuple[control_records.ControlRecord, ...]
    caps: tuple[tuple[int, str, str | None, str | None], ...]
    quiet: str | None
    zone: str
    slack: int
    files: dict[str, str]

    def catalog(self, until: int = NEVER) -> Catalog:
        """Return the catalog of the log as far as it is known at an instant."""
        known = [r for r in self.records if r.effective_at <= until]
        return _catalog(self.seed, len(known)).complete(until)


@lru_cache(maxsize=4)
def world(seed: int) -> World:
    """Create the world of a seed."""
    rng = random.Random(f"world {seed}")
    slack = rng.choice((0, 0, 10_000))
    zone, quiet = rng.choice(ZONES), rng.choice(QUIET)
    caps = _caps(rng)
    count = rng.choice((1, 1, 2, 3))
    start = rng.choice(STARTS) + rng.randrange(DAY)
    files = {"space.yaml": _space(rng, zone, quiet, caps, slack), "messages/note.liquid": NOTE}
    for n in range(count):
        files[f"f{n}.yaml"] = _flow(rng, n, count, start)
    log = _log(rng, files, count, start)
    return World(seed, start, tuple(log), caps, quiet, zone, slack, files)


@lru_cache(maxsize=256)
def _catalog(seed: int, count: int) -> Catalog:
    records = sorted(world(seed).records, key=lambda r: (r.effective_at, r.sequence))
    return catalog_of(records[:count])


def _log(
    rng: random.Random, files: dict[str, str], count: int, start: int
) -> list[control_records.ControlRecord]:
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
        text = _flow(rng, int(flow[1:]), count, start)
        text = rng.choice((text, _changed(rng, files[f"{flow}.yaml"])))
        if rng.random() < 0.1:
            space = other_space(rng, project.space_text)
            log.append(control_records.SetSpace(sequence=len(log), effective_at=at, text=space))
        else:
            log.append(record(rng, at, len(log), flow, 2 + number, text))
    return without_invalid_migrations(log + list(winners(rng, log, files, start)))


def _changed(rng: random.Random, text: str) -> str:
    """Write a flow with other durations: sessions can be migrated to it."""
    text = re.sub(r"wait: \w+ in visit", lambda _: f"wait: {rng.choice(STAYS)} in visit", text)
    lengths = re.compile(
        r"^(?!.*call: /x)(.*(?:wait|timeout: {after)): (?!\w+ in visit)[^,}]+", re.MULTILINE
    )
    return lengths.sub(lambda m: f"{m[1]}: {rng.choice(DURATIONS)}", text)


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
    links = rng.choice(("", ", links: short"))
    lines += [f"  sms: {{price: {{'+49': 0.07, else: 0.05}}, link: 20{links}}}"]
    lines += [
        rng.choice(("  log: {address: user}", "  log: {address: user, kind: web}")),
        "  voice: {}",
    ]
    lines += ["agents:", "  desk: {channel: email, settings: {pool: main}}"]
    lines += ["  line: {channel: sms, sender: '+4930', menu: {'1': agreed}}"]
    lines += ["  bot: {channel: voice, scenario: confirm}"]
    lines += ["numbers:", '  "4711": {messages: sms, calls: sms}']
    lines += [f'  "{n}": {{messages: [sms, log], calls: log}}' for n in range(100, 103)]
    lines += ["topics:", "  news: {}", "  club: {opt_in: true}", "  bills: {urgent: true}"]
    lines += ["audiences:", "  vip: static", '  busy: count(event "B" within last 3d) >= 2']
    lines += ["  plain: not (user.plan is set)"]  # which has no members, too
    lines += ["groups:", "  lane: {}", "  road: {at_once: 2, limit: [3 per 2d]}"]
    lines += ["connections:", "  api:", "    url: https://api.example.com"]
    lines += [f"    auth: {{{rng.choice(AUTHS)}}}", "    headers: {X-From: world}"]
    lines += ["destinations:", "  exits: {table: exits}", "  dest: {http: /x, connection: api}"]
    lines += [
        "  lines: {file: out, format: csv}",
        "  lake: {store: 's3://lake/x'}",
        "  stream: {topic: x}",
    ]
    lines += DECLARED if rng.random() < 0.3 else []
    lines += ["caps:"] if caps else []
    for most, per, channel, topic in caps:
        more = f", channel: {channel}" if channel else ""
        more += f", topic: {topic}" if topic else ""
        lines.append(f"  - {{limit: {most} per {per}{more}}}")
    return "\n".join([*lines, *campaigns.SPACE]) + "\n"


def _flow(rng: random.Random, number: int, count: int, start: int) -> str:
    lines = [f"flow: f{number}", f"about: the flow number {number}"]
    if rng.random() < 0.4:
        lines.append(f"priority: {rng.randrange(5)}")
    if rng.random() < 0.3:
        lines.append(f"zone: {rng.choice(ZONES)}")
    if rng.random() < 0.2:
        lines.append("holdout: 30%")
    lines += schedule_lines(rng, start)
    lines += [f"group: {rng.choice(('lane', 'lane', 'road'))}"] if rng.random() < 0.4 else []
    lines.append("enter:")
    drawn = [_again(rng, _trigger(rng, number, count)) for _ in range(rng.choice((1, 2, 3)))]
    # A flow has at most one trigger whose members enter.
    people = [trigger for trigger in drawn if "people: true" in trigger]
    found = [trigger for trigger in drawn if trigger not in people[1:] or trigger == people[0]]
    # For user messages alone, entry.k would be an error: their fields are known.
    found += ["event: A"] if all(re.search("inbound|call|incoming", t) for t in found) else []
    if "people: true" not in " ".join(found) and rng.random() < 0.3:
        found.append(rng.choice(LAUNCHES))
    lines += [f"  - {trigger}" for trigger in dict.fromkeys(found)]
    lines += [f"  - flow: f{n}" for n in range(count) if n != number and rng.random() < 0.5]
    lines += rng.choice(([], [], ["key: entry.k"], ["simultaneous: true"]))
    again = ("never", "{after: 1h}", "{limit: [2 per day]}", "{after: 10m, limit: [3 per 2d]}")
    lines += [f"reenter: {rng.choice(again)}"] if rng.random() < 0.4 else []
    lines += ["exit:", f"  - {_exit(rng)}"] if rng.random() < 0.5 else []
    if rng.random() < 0.5:
        lines += ["goals:", "  won: {event: D, within: 2d, value: event.v}", *_more_goals(lines)]
        lines += ["exit_on_goal: true"] if rng.random() < 0.5 else []
    chatty = rng.random() < 0.25
    # Enrolments lead into the last flow alone: cascades that fan out take seconds per signal.
    others = count if number < count - 1 else 0
    lines += ["steps:", *(messages(rng) if chatty else steps(rng, others))]
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
            (
                f"{{sequence: [{{event: {event}}}, {{event: {other}, "
                "where: event.v is not set or event.v <= entry.v}], within: 12h}"
            ),
            (
                f"{{event: {event}, without: [{{event: {other}, "
                "where: event.v is not set or event.v >= entry.v}], within: 3h}"
            ),
            "changed: plan",
            "{changed: plan, to: '\"pro\"'}",
            "{changed: plan, from: '\"free\"', where: user.score is set}",
            "{changed: score, held: 1d}",
            "audience: vip",
            "audience: busy",
            "{audience: busy, when: left}",
            "{date: user.day at 09:00, yearly: true}",
            "{date: user.day - 1d}",
            "{date: user.day, where: user.plan is set}",
            "{at: mon-fri 09:00, audience: vip}",
            "api: true",
            "{api: true, where: entry.k is set}",
            "tag: hot",
            "{tag: hot, when: removed}",
            # A flow that answers its own messages never ends: some entries a day are enough.
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
            f"{{call: true, number: {100 + number}, channel: log, where: user.plan is set}}",
            f"incoming: {rng.choice(('sms', 'log'))}",
            "{incoming: sms, where: message.text is set}",
        )
    )


def _again(rng: random.Random, trigger: str) -> str:
    """Let a trigger itself set how often it enters."""
    if "reenter" in trigger or rng.random() < 0.9:
        return trigger
    again = rng.choice(("never", "{after: 1h}", "{limit: [2 per day]}"))
    return f"{{{trigger.removeprefix('{').removesuffix('}')}, reenter: {again}}}"


def _more_goals(lines: list[str]) -> list[str]:
    """Draw goals on conditions and audiences, from a generator of their own."""
    rng = random.Random("\n".join(lines))
    return rng.choice(
        (
            [],
            ['  pro: {when: user.plan == "pro", within: 2d, value: user.score}'],
            ["  joined: {enters: busy, within: 3d}"],
            ["  vip: {enters: vip, within: 1d, value: user.score}"],
            [f"  state: {{when: {rng.choice(STATES)!r}, within: {rng.choice(('6h', '3d'))}}}"],
            [
                f"  state: {{when: {rng.choice(STATES)!r}, within: 9d}}",
                "  vip: {enters: vip, within: 2d}",
            ],
        )
    )


def _exit(rng: random.Random) -> str:
    return rng.choice(
        (
            f"event: {rng.choice(EVENTS)}",
            "{event: A, where: event.k == entry.k, name: same_k}",
            f"{{when: {rng.choice(CONDITIONS)!r}, name: changed}}",
            "{left: vip, name: no_vip}",
            "left: busy",
        )
    )
