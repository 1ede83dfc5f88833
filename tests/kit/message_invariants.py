"""Invariants of the messages of any history: caps, consent, quiet hours, status rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

from tests.kit.histories import Handled, History
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import ProfileChange

BOUND = 256 * 1024
AGENTS = {"email": ("desk",), "sms": ("line", None), "log": (None,)}
GAP = 30 * 60_000
HOURS = {"6h": 6, "24h": 24, "3d": 72}


def messages(
    outputs: tuple[out.AnyOutput, ...], imported: frozenset[str] = frozenset()
) -> Iterator[str]:
    rows: dict[str, list[out.Communication]] = defaultdict(list)
    for output in outputs:
        if isinstance(output, out.Communication):
            rows[output.communication].append(output)
    attempts = Counter(o.communication for o in outputs if isinstance(o, out.Message))
    called_off = {o.communication for o in outputs if isinstance(o, out.Cancel)}
    silent: set[str] = set()
    withheld: dict[str, bool] = {}
    for output in outputs:
        if isinstance(output, out.Transition) and output.silent:
            silent.add(output.session)
        if isinstance(output, (out.Communication, out.Message)):
            withheld.setdefault(output.communication, output.session in silent)
        if isinstance(output, out.Message):
            statuses = [row.status for row in rows[output.communication]]
            if statuses.count("active") != attempts[output.communication]:
                yield f"message {output.id} has rows {statuses}"
            if withheld[output.communication]:
                yield f"message {output.id} of a silent session"
            if output.agent not in AGENTS[output.channel]:
                yield f"message {output.id} by {output.channel} from {output.agent}"
            if output.expires is not None and output.at >= output.expires:
                yield f"message {output.id} was sent after its validity"
    for name, mine in rows.items():
        statuses = [row.status for row in mine]
        decisions = (
            ("active", "skipped") if name in called_off else ("active", "skipped", "canceled")
        )
        # An import of an earlier export may decide again what was not sent.
        ends = [s for s in statuses if s in decisions and (s == "active" or name not in imported)]
        if len(ends) > 1 and not any(row.reason == "failover" for row in mine):
            yield f"communication {name} was decided twice: {statuses}"


def caps(history: History) -> Iterator[str]:
    sent = [o for o in history.outputs if isinstance(o, out.Message) and not _urgent(history, o)]
    for most, per, channel, topic in history.world.caps:
        mine = [m for m in sent if channel in (None, m.channel) and topic in (None, m.topic)]
        for n, message in enumerate(mine):
            zones = _zones_at(history, message)
            counts = [_within(mine[: n + 1], message.at, per, zone) for zone in zones]
            if min(counts) > most:
                yield f"message {message.id} is the {min(counts)}th, {most} per {per} are allowed"


def _within(sent: list[out.Message], t: int, per: str, zone: ZoneInfo) -> int:
    if per in HOURS:
        return sum(1 for m in sent if m.at > t - HOURS[per] * 3_600_000)
    day = _local(t, zone).date()
    first = day if per == "day" else day - timedelta(days=day.weekday())
    return sum(1 for m in sent if _local(m.at, zone).date() >= first)


def consent(history: History) -> Iterator[str]:
    """After a withdrawal no message of its channel or topic is sent until the next consent."""
    changes: list[tuple[int, dict[str, bool]]] = []
    for given in history.handled:
        if isinstance(given.signal, ProfileChange) and _counts(given):
            changes.append((given.at, given.signal.consent))
        told = (o for o in given.outputs if isinstance(o, out.ProfileUpdate) and o.consent)
        changes.extend((output.at, output.consent) for output in told)
    for message in history.outputs:
        if not isinstance(message, out.Message):
            continue
        now: dict[str, bool] = {}
        unsure: set[str] = set()
        for at, consent in changes:
            if at < message.at:
                now |= consent
            elif at == message.at:
                unsure |= consent.keys()
        for name in (message.channel, f"{message.channel}:{message.topic}"):
            if now.get(name) is False and name not in unsure:
                yield f"message {message.id} without consent to {name}"
        exact = now.get(f"{message.channel}:{message.topic}")
        if message.topic and exact is None and not unsure and now.get(message.topic) is False:
            yield f"message {message.id} without consent to {message.topic}"
        if message.topic == "club" and not unsure and not (exact or now.get("club")):
            yield f"message {message.id} without the choice of club"


def _counts(given: Handled) -> bool:
    """Return True if a profile change was applied."""
    reasons = {getattr(o, "reason", "") for o in given.outputs}
    return not reasons & {"too_old", "erased", "value_too_large"}


def quiet(history: History) -> Iterator[str]:
    for message in history.outputs:
        if isinstance(message, out.Message) and history.world.quiet is not None:
            if _urgent(history, message):
                continue
            zones = _zones_at(history, message)
            if all(_is_quiet(history.world.quiet, _local(message.at, zone)) for zone in zones):
                yield f"message {message.id} in quiet hours"


def _urgent(history: History, message: out.Message) -> bool:
    """Return True if a message passes quiet hours and caps, by its topic or its step."""
    catalog = history.world.catalog()
    flow = catalog.plans[catalog.numbers[message.flow], message.version].flow
    steps = {step.name: step.verb for step in (*flow.steps, *flow.on_exit)}
    verb = steps.get(message.step)
    return message.topic == "bills" or (isinstance(verb, Send) and verb.urgent)


def _is_quiet(quiet: str, wall: datetime) -> bool:
    minute = wall.hour * 60 + wall.minute
    for part in quiet.split(", "):
        days, _, hours = part.rpartition(" ")
        first, last = (int(h[:2]) * 60 + int(h[3:]) for h in hours.split("-"))
        if days and wall.weekday() < 5:
            continue
        if first < last and first <= minute < last:
            return True
        if first >= last and (minute >= first or minute < last):
            return True
    return False


def _zones_at(history: History, message: out.Message) -> list[ZoneInfo]:
    """Return the user's zone, or both zones if it changed at that very instant."""
    fallback = _fallback(history, message)
    found, now = [fallback], fallback
    for given in history.handled:
        signal = given.signal
        if not isinstance(signal, ProfileChange) or "timezone" not in signal.set:
            continue
        if not _counts(given):
            continue
        named = signal.set["timezone"]
        now = _zone(named) if named not in (None, "Nowhere") else fallback
        if given.at < message.at:
            found = [now]
        elif given.at == message.at:
            found.append(now)
    return found


def _fallback(history: History, message: out.Message) -> ZoneInfo:
    texts = [history.world.files[f"{message.flow}.yaml"]]
    texts += [
        r.text
        for r in history.world.records
        if getattr(r, "version", 0) == message.version and getattr(r, "flow", "") == message.flow
    ]
    for line in texts[-1].splitlines():
        if line.startswith("zone: "):
            return _zone(line.removeprefix("zone: "))
    return _zone(history.world.zone)


_ZONES: dict[str, ZoneInfo] = {}


def _zone(name: str) -> ZoneInfo:
    if name not in _ZONES:
        file = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
        with file.open("rb") as data:
            _ZONES[name] = ZoneInfo.from_file(data, key=name)
    return _ZONES[name]


def _local(t: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(t / 1000, UTC).astimezone(zone)
