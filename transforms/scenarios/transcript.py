"""Writes outputs as text: one line for each output, complete, in the order of the decisions.

Sessions are numbered by flow in the order of their entry, so that no hashed id is shown:
``cart`` is the first one of the flow, ``cart#2`` the second. Flow states are counted
by user, as their sequence numbers begin at an instant.
"""

from __future__ import annotations

import json
import re
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from transforms.flows.clock.zones import at_local, local
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import CallResult

WORDS = (
    "entered", "reached", "waiting", "left", "ended", "message", "status", "webhook", "export",
    "converted", "state", "profile", "audience", "emitted", "participant", "refused", "dead",
    "cancel", "call", "answered", "handover", "forwarded", "erased", "exported", "next", "nothing",
)  # fmt: skip
"""What a line of a transcript can be, for the header ``show``."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def clock(t: int, zone: ZoneInfo) -> str:
    """Write an instant as a local time, as short as possible.

    The second of two equal local times has its offset.
    """
    wall = local(t, zone)
    text = wall.strftime("%Y-%m-%d %H:%M").rjust(16, "0")
    if t % 60_000:
        text += wall.strftime(":%S")
    if t % 1000:
        text += f".{t % 1000:03}"
    if at_local(wall.replace(tzinfo=None, fold=0), zone) == t:
        return text
    offset = wall.strftime("%z")
    return f"{text}{offset[:3]}:{offset[3:5]}"


def length(ms: int) -> str:
    """Write a length of time: ``1d2h``, ``30m``."""
    text = ""
    for unit, size in _UNITS:
        count, ms = divmod(ms, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def value(item: Any) -> str:
    """Write a value as in scenario files: ``{total: 30, plan: "pro"}``."""
    match item:
        case dict():
            inner = (f"{_key(str(key))}: {value(inner)}" for key, inner in item.items())
            return "{" + ", ".join(inner) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(value, item)) + "]"
        case _:
            return json.dumps(item, ensure_ascii=False)


def _key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def word_of(line: str) -> str:
    """Return the word of a line: its first, or the one after its time."""
    words = line.split(maxsplit=3)
    return words[2] if len(words) > 2 and words[0][:1].isdigit() else words[0]


def agree(expected: list[str], actual: list[str]) -> bool:
    """Return True if each expected line is the beginning of the actual one, word by word."""
    pairs = zip(expected, actual, strict=False)
    return len(expected) == len(actual) and all(_begins(said, line) for said, line in pairs)


def _begins(expected: str, actual: str) -> bool:
    said, line = " ".join(expected.split()), " ".join(actual.split())
    return line.startswith(said) and line[len(said) : len(said) + 1] in ("", " ", ",")


class Transcript:
    """Writes the outputs of one user, and numbers the sessions."""

    def __init__(self, zone: ZoneInfo, *, ids: bool = False) -> None:
        self._zone = zone
        self._ids = ids
        self._sessions: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._flow_states: dict[str, tuple[int, int]] = {}

    def clock(self, t: int) -> str:
        """Write an instant."""
        return clock(t, self._zone)

    def line(self, output: out.AnyOutput) -> str:
        """Write an output: time, kind, place and details."""
        kind, place, words = self._words(output)
        details = ", ".join(word for word in words if word)
        text = f"{self.clock(output.at)}  {kind:<9}  {place}"
        text += f" {details}" if details else ""
        return f"{text}  id={output.id}" if self._ids else text

    def answer(self, call: out.Call, result: CallResult) -> str:
        """Write the answer of a sandbox."""
        words = value(result.result) if result.ok else result.error
        return f"{self.clock(call.at)}  {'answered':<9}  {self._place(call)} {words}"

    def _session(self, flow: str, session: str) -> str:
        if session not in self._sessions:
            count = self._counts[flow] = self._counts.get(flow, 0) + 1
            self._sessions[session] = flow if count == 1 else f"{flow}#{count}"
        return self._sessions[session]

    def _number(self, output: out.FlowState | out.Erased) -> int:
        last, count = self._flow_states.get(output.user, (0, 0))
        if output.sequence > last:
            count += 1
            self._flow_states[output.user] = output.sequence, count
        return count

    def _place(self, output: out.FromSession) -> str:
        return f"{self._session(output.flow, output.session)}/{output.step}"

    def _until(self, word: str, t: int | None) -> str:
        return f"{word} {self.clock(t)}" if t is not None else ""

    def _words(self, output: out.AnyOutput) -> tuple[str, str, list[str]]:
        match output:
            case out.Transition():
                return self._transition(output)
            case out.Message():
                words = [f"{output.channel} to {output.address}", f"template {output.template}"]
                words += [f"topic {output.topic}" if output.topic else ""]
                words += [f"from {output.agent}" if output.agent else "", _tracked(output)]
                words += [self._until("expires", output.expires), _data(output.data)]
                return "message", self._place(output), words
            case out.Communication():
                words = [f"{output.status} by {output.channel}", output.reason or ""]
                words += [self._until("due", output.due), output.variant or "", *_costs(output)]
                words += [_data(output.data)]
                return "status", self._place(output), words
            case out.Webhook():
                words = [f"{output.method} {output.url}"]
                words += [f"connection {output.connection}" if output.connection else ""]
                words += [f"template {output.template}" if output.template else ""]
                words += [f"headers {value(output.headers)}" if output.headers else ""]
                return "webhook", self._place(output), [*words, _data(output.data)]
            case out.Export():
                words = [f"to {output.destination}", "on exit" if output.on_exit else ""]
                return "export", self._place(output), [*words, value(output.fields)]
            case out.Conversion():
                return self._conversion(output)
            case out.FlowState():
                return "state", f"{self._number(output)}:", [self._flow_state(output)]
            case out.ProfileUpdate() | out.AudienceUpdate() | out.Emitted():
                return self._update(output)
            case out.ParticipantUpdate():
                return "participant", output.campaign, [_participant(output)]
            case out.Rejection() | out.DeadLetter():
                kind = "refused" if isinstance(output, out.Rejection) else "dead"
                where = "/".join(part for part in (output.flow, output.step) if part)
                place = f"{where}: {output.reason}" if where else output.reason
                return kind, place, [f"({output.detail})" if output.detail else ""]
            case out.Cancel():
                return "cancel", output.communication, [output.reason]
            case out.Call():
                return "call", self._place(output), self._call(output)
            case out.HandoverOut():
                return "handover", f"to {output.to}", []
            case out.ForwardedOut():
                kind = signals.decode(output.signal).__struct_config__.tag
                return "forwarded", f"to {output.to}", [str(kind)]
            case out.Erased():
                return (
                    "erased",
                    f"{self._number(output)}:",
                    [self._until("mark until", output.until)],
                )
            case out.StateExport():
                return "exported", f"{len(output.data['state'].get('sessions', ()))} sessions", []
            case _:
                assert_never(output)

    def _transition(self, output: out.Transition) -> tuple[str, str, list[str]]:
        session, place = self._session(output.flow, output.session), self._place(output)
        lasted = f"after {length(output.at - output.since)}" if output.since is not None else ""
        reason, silent = output.reason or "", "silent" if output.silent else ""
        match output.what:
            case "entered":
                key = f"key {output.key}" if output.key else ""
                version = f"version {output.version}" if output.version > 1 else ""
                return "entered", session, [f"by {reason}", key, version, silent]
            case "reached":
                visit = f"visit {output.visit}" if output.visit > 1 else ""
                return "reached", place, [visit, "first time" if output.first_arrival else ""]
            case "waiting":
                return "waiting", place, [self._until("until", output.until), reason]
            case "left":
                return "left", place, [lasted, reason, output.variant or ""]
            case _:
                words = [f"at {output.step}", reason, output.variant or "", lasted, silent]
                return output.what, session, words

    def _call(self, output: out.Call) -> list[str]:
        if output.kind == "code":
            return ["code", _data(output.inputs)]
        words = [f"{output.method} {output.target}"]
        words += [f"connection {output.connection}" if output.connection else ""]
        words += [f"template {output.template}" if output.template else ""]
        words += [f"headers {value(output.headers)}" if output.headers else ""]
        words += [_data(output.inputs), f"store {value(output.store)}" if output.store else ""]
        return words

    def _conversion(self, output: out.Conversion) -> tuple[str, str, list[str]]:
        amount = "" if output.value is None else f"value {value(output.value)}"
        steps = f"by {' '.join(output.steps)}"
        variants = f"variants {' '.join(output.variants)}" if output.variants else ""
        lasted = f"after {length(output.at - output.entered)}"
        again = "" if output.first_conversion else "again"
        words = [f"goal {output.goal}", again, amount, lasted, steps, variants]
        words.append("silent" if output.silent else "")
        return "converted", self._place(output), words

    def _flow_state(self, output: out.FlowState) -> str:
        places = [f"{self._session(f['flow'], f['session'])}/{f['step']}" for f in output.flows]
        text = " ".join(places) or "nowhere"
        for slot, shown in output.promotions.items():
            until = self._until(" until", shown["until"])
            text += f"; {slot} shows {shown['shows']}{until}"
        return text

    def _update(
        self, output: out.ProfileUpdate | out.AudienceUpdate | out.Emitted
    ) -> tuple[str, str, list[str]]:
        place = f"{output.flow}/{output.step}" if output.flow else ""
        match output:
            case out.Emitted(name=name, properties=properties):
                return "emitted", place, [name, _data(properties)]
            case out.AudienceUpdate(audience=audience, entered=entered):
                what = f"{audience} {'entered' if entered else 'left'}"
                return "audience", what, [f"by {place}" if place else ""]
            case out.ProfileUpdate():
                parts = {
                    "set": output.set,
                    "unset": output.unset,
                    "tag": output.tag,
                    "untag": output.untag,
                    "consent": output.consent,
                }
                changes = [f"{name} {value(part)}" for name, part in parts.items() if part]
                return "profile", place or "by the user", changes
            case _:
                assert_never(output)


def _tracked(message: out.Message) -> str:
    words = [
        f"{what} links" if what == "short" else what for what in _tracking_words(message.tracking)
    ]
    return f"tracks {' '.join(words)}" if words else ""


def _tracking_words(tracking: dict[str, Any]) -> list[str]:
    """List what is tracked, and how links are written."""
    return [what if how is True else str(how) for what, how in tracking.items()]


def _costs(row: out.Communication) -> list[str]:
    """Write the number of parts if not one, their cost, and the reported cost."""
    parts = f"{row.parts} parts" if row.parts is not None and row.parts > 1 else ""
    cost = "" if row.cost is None else f"cost {row.cost:g}"
    reported = "" if row.reported_cost is None else f"reported cost {row.reported_cost:+g}"
    return [parts, cost, reported]


def _participant(output: out.ParticipantUpdate) -> str:
    """Write a participant, or the fields that changed."""
    whole = output.fields | ({"status": output.status} if output.status is not None else {})
    shown = whole if output.what == "created" else {n: whole.get(n) for n in output.changed}
    by = f" by {output.flow}/{output.step}" if output.step else ""
    return f"{output.what} {_data(shown)}".rstrip() + by


def _data(data: dict[str, Any]) -> str:
    return value(data) if data else ""
