"""Reads the inputs of a scenario: each kind of line becomes a signal or a control record."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from transforms.flows.diagnostics import suggest
from transforms.flows.protocol import control_records
from transforms.flows.protocol.signals import (
    STATUSES,
    AudienceChange,
    CallResult,
    Command,
    CommunicationUpdate,
    Enter,
    Event,
    Inbound,
    ProfileChange,
    Time,
)
from transforms.scenarios.story import Input, Reader
from transforms.scenarios.values import Line

_WORD = re.compile(r"[^\s{]+")
_NUMBER = re.compile(r"\d{1,4}")
_CALL = re.compile(r"call(?!\S)")
_OFF = re.compile(r"off(?!\S)")
_FLOW = re.compile(r"[a-z][a-z0-9_]*(?![=\w])")
_EVENT = re.compile(r'[^{@="]*?(?=\s*(?:\{|@|\w+=|$))')
_FILE = re.compile(r"[\w./-]+\.yaml")
_FLAG = re.compile(r"(bypass|backfill)(?!\S)")
_FAILED = re.compile(r"failed(?!\S)")
_MIGRATE = re.compile(r"migrate(?!\S)")
_COMMAND = re.compile(r"(stop|hold|resume|suppress|erase|export|import)(?!\S)")
_REPLACE = re.compile(r"replace(?!\S)")
_ATTACHED = re.compile(r"(consent|unset|untag|tag)(?=\s*[\[{])")
_UPSERT = re.compile(r"(profile|participant)(?=\s*{)")

COMMANDS = ("stop", "hold", "resume", "suppress", "erase", "export", "import")
WHOLE = ("erase", "export", "import")
"""Commands about the whole user, not about a flow."""


def _inbound_fields(line: Line) -> tuple[dict[str, Any], str | None]:
    """Read a channel, a number, a text or ``call``, and the message that it answers.

    Returns the fields of the signal, and the send step whose newest message is answered, unless
    the id of the message is given in quotes.
    """
    channel, number = line.name("a channel"), line.take(_WORD)
    if number is None:
        raise line.stop("the number or name of the receiver is expected here")
    call = line.take(_CALL) is not None
    text, step = "", None
    if line.text[line.at : line.at + 1] == '"':
        text = str(line.value())
    elif not call:
        raise line.stop('the text of the user is expected here, in quotes, or "call"')
    fields: dict[str, Any] = {"channel": channel, "number": number, "text": text, "call": call}
    if line.passes("answers="):
        if line.text[line.at : line.at + 1] == '"':
            fields["communication"] = str(line.value())
        else:
            step = line.take(_WORD)
            if step is None:
                raise line.stop("the name of a send step, or a message's id in quotes, is expected")
    return fields, step


def resume_mode(line: Line) -> str:
    """Read the mode of a resume."""
    mode = line.take(_WORD)
    if mode not in ("fire", "shift", "skip"):
        raise line.stop('a resume is "fire", "shift" or "skip"', at=line.at - len(mode or ""))
    return mode


def _priority(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    number = line.take(re.compile(r"-?\d{1,6}"))
    if number is None:
        raise line.stop("a whole number is expected here")
    return control_records.SetPriority(sequence=0, effective_at=at, flow=flow, priority=int(number))


def _stop(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    if not line.passes("reason="):
        return control_records.Stop(sequence=0, effective_at=at, flow=flow)
    start, reason = line.at, line.name("a reason")
    try:
        fields = {"is": "stop", "sequence": 0, "effective_at": at, "flow": flow, "reason": reason}
        return msgspec.convert(fields, control_records.Stop)
    except msgspec.ValidationError:
        raise line.stop(f'a flow is not stopped for "{reason}"', at=start) from None


def _pause(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    if not line.passes("resume="):
        return control_records.Pause(sequence=0, effective_at=at, flow=flow)
    fields = {
        "is": "pause",
        "sequence": 0,
        "effective_at": at,
        "flow": flow,
        "resume": resume_mode(line),
    }
    return msgspec.convert(fields, control_records.Pause)


def _kill(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    off = bool(line.take(_OFF))
    named = None if off else line.take(_FLOW)
    channel = line.name("a channel") if line.passes("channel=") else None
    off = off or bool(line.take(_OFF))
    return control_records.Kill(sequence=0, effective_at=at, flow=named, channel=channel, off=off)


def _goals(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    text = msgspec.json.encode(line.mapping()).decode()
    return control_records.SetGoals(sequence=0, effective_at=at, flow=flow, text=text)


def _winner(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    step, branch = line.name("a split"), line.name("a branch")
    return control_records.Winner(sequence=0, effective_at=at, flow=flow, step=step, branch=branch)


def _schedule(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    values = line.mapping()
    try:
        fields = {"is": "schedule", "sequence": 0, "effective_at": at, "flow": flow}
        return msgspec.convert(values | fields, control_records.SetSchedule)
    except msgspec.ValidationError as error:
        raise line.stop(f"this is not a schedule: {error}") from None


CONTROLS: dict[str, Callable[[Line, str, int], control_records.ControlRecord]] = {
    "start": lambda _, flow, at: control_records.Start(sequence=0, effective_at=at, flow=flow),
    "stop": _stop,
    "pause": _pause,
    "resume": lambda _, flow, at: control_records.Resume(sequence=0, effective_at=at, flow=flow),
    "drain": lambda _, flow, at: control_records.Drain(sequence=0, effective_at=at, flow=flow),
    "finish": lambda _, flow, at: control_records.Finish(sequence=0, effective_at=at, flow=flow),
    "archive": lambda _, flow, at: control_records.Archive(sequence=0, effective_at=at, flow=flow),
    "priority": _priority,
    "schedule": _schedule,
    "goals": _goals,
    "winner": _winner,
    "kill": _kill,
}
CONTROLS |= dict.fromkeys(("publish", "space"), CONTROLS["start"])


def _options(reader: Reader, line: Line, at: int, default: str) -> dict[str, Any]:
    """Read the options at the end of a line: ``id=…``, ``@received +2h``, ``bypass``, ``backfill``."""
    options: dict[str, Any] = {"id": default, "user": reader.settings.user, "time": at}
    while not line.over:
        if flag := line.take(_FLAG):
            options[flag] = True
        elif line.passes("@received"):
            options["received"] = line.time(at, reader.settings.zone_info)
        elif line.passes("id="):
            options["id"] = line.take(_WORD) or ""
        elif line.passes("user="):
            options["user"] = line.take(_WORD) or ""
        else:
            break
    return options


def _event(reader: Reader, line: Line, at: int, default: str) -> Input:
    name = (line.take(_EVENT) or "").strip()
    words = name.split()
    # Flags are the last words of a line; only here can they be separated from the event name.
    flags = [words.pop() for word in reversed(words) if word in ("bypass", "backfill")]
    if not words:
        raise line.stop("an event needs a name")
    properties = line.mapping()
    options = _options(reader, line, at, default) | dict.fromkeys(flags, True)
    return Input(0, at, Event(name=" ".join(words), properties=properties, **options))


def _profile(reader: Reader, line: Line, at: int, default: str) -> Input:
    fields: dict[str, Any] = {}
    traits = line.mapping()
    while word := line.take(_ATTACHED):
        start, value = line.at, line.value()
        if word == "consent":
            if not isinstance(value, dict) or not all(isinstance(v, bool) for v in value.values()):
                raise line.stop("consent is a map: {email: true}", at=start)
            fields[word] = value
        elif isinstance(value, list):
            fields[word] = tuple(map(str, value))
        else:
            raise line.stop(f'{word} is a list: ["a", "b"]', at=start)
    options = _options(reader, line, at, default)
    return Input(0, at, ProfileChange(set=traits, **fields, **options))


def _identify(reader: Reader, line: Line, at: int, default: str) -> Input:
    """Read ``identify KEY {traits}``: the key belongs to the user of the story, or to ``user=``."""
    key = line.take(_WORD)
    if key is None:
        raise line.stop("a key of the user is expected here")
    given = _profile(reader, line, at, default)
    signal = given.signal
    assert isinstance(signal, ProfileChange)
    here = msgspec.structs.replace(signal, user=key, becomes=signal.user)
    return msgspec.structs.replace(given, signal=here)


def _audience(reader: Reader, line: Line, at: int, default: str) -> Input:
    name, resume_mode = line.name("an audience"), line.name("entered or left")
    if resume_mode not in ("entered", "left"):
        raise line.stop('an audience is "entered" or "left"', at=line.at - len(resume_mode))
    options = _options(reader, line, at, default)
    return Input(0, at, AudienceChange(audience=name, entered=resume_mode == "entered", **options))


def _communication(reader: Reader, line: Line, at: int, default: str) -> Input:
    exact = line.text[line.at : line.at + 1] == '"'
    step = str(line.value()) if exact else line.take(_WORD)
    if step is None:
        raise line.stop("the name of a send step, or a message's id in quotes, is expected here")
    start = line.at
    status = line.name("a status")
    if status not in STATUSES:
        known = suggest(status, STATUSES)
        raise line.stop(f'"{status}" is not a status', "unknown-status", start, known)
    attempt = line.take(_NUMBER) if line.passes("attempt=") else None
    data = line.mapping()
    options = _options(reader, line, at, default)
    name = step if exact else ""
    signal = CommunicationUpdate(
        communication=name, status=status, data=data, attempt=int(attempt or 0), **options
    )
    return Input(0, at, signal, communication=None if exact else step)


def _inbound(reader: Reader, line: Line, at: int, default: str) -> Input:
    fields, step = _inbound_fields(line)
    return Input(
        0, at, Inbound(**fields, **_options(reader, line, at, default)), communication=step
    )


def _answer(reader: Reader, line: Line, at: int, default: str) -> Input:
    step = line.take(_WORD)
    if step is None:
        raise line.stop("the name of a call step is expected here")
    failed = line.take(_FAILED)
    error = str(line.value()) if failed and line.text[line.at : line.at + 1] == '"' else ""
    result = line.mapping()
    options = _options(reader, line, at, default)
    signal = CallResult(call="", ok=not failed, result=result, error=error, **options)
    return Input(0, at, signal, call=step)


def _enter(reader: Reader, line: Line, at: int, default: str) -> Input:
    flow, fields = line.name("a flow"), dict[str, Any]()
    fields["data"] = line.mapping()
    while not line.over:
        if word := line.take(_UPSERT):
            fields[word] = line.mapping()
        elif line.passes("key="):
            fields["key"] = line.take(_WORD) or ""
        elif line.passes("member_of="):
            fields["member_of"] = line.take(_WORD)
        elif line.passes("launch="):
            fields["launch"] = line.take(_WORD)
        else:
            break
    return Input(0, at, Enter(flow=flow, **fields, **_options(reader, line, at, default)))


def _upload(reader: Reader, line: Line, at: int, default: str) -> Input:
    campaign, upserts = line.name("a campaign"), dict[str, Any]()
    fields = line.mapping()
    while word := line.take(_UPSERT):
        upserts[word] = line.mapping()
    options = _options(reader, line, at, default)
    row = {"flow": campaign, "operation": "upload", "participant": fields}
    return Input(0, at, Enter(**(upserts | row), **options))


def _time(reader: Reader, line: Line, at: int, default: str) -> Input:
    user = line.take(_WORD) if line.passes("user=") else None
    return Input(0, at, Time(user=user or reader.settings.user, at=at))


def _command(reader: Reader, line: Line, at: int, default: str) -> Input:
    what = line.take(_COMMAND)
    if what is None:
        raise line.stop(f"a command is one of {', '.join(COMMANDS)}, of one flow or of all")
    off = line.take(_OFF)
    flow = None if off or what in WHOLE else line.take(_FLOW)
    data: dict[str, Any] = {"off": True} if off or line.take(_OFF) else {}
    data |= {"replace": True} if what == "import" and line.take(_REPLACE) else {}
    if line.passes("resume="):
        data["resume"] = resume_mode(line)
    if line.passes("key="):
        data["key"] = line.take(_WORD) or ""
    options = _options(reader, line, at, default)
    fields = {"is": "command", "what": what, "flow": flow, "data": data, **options}
    return Input(0, at, msgspec.convert(fields, Command))


def _control(reader: Reader, line: Line, at: int, default: str) -> Input:
    start = line.at
    what = line.name("a control record")
    if what not in CONTROLS:
        known = suggest(what, CONTROLS)
        raise line.stop(f'there is no control record "{what}"', "unknown-input", start, known)
    if what in ("publish", "space"):
        file = line.take(_FILE)
        if file is None:
            raise line.stop("the name of a .yaml file is expected here")
        record, flow = _from_file(reader, line, what, file, at), None
    else:
        file, flow = None, "" if what == "kill" else line.name("a flow")
        record = CONTROLS[what](line, flow, at)
    wake = Command(what="wake", id=default, user=reader.settings.user, time=at)
    return Input(0, at, wake, record, file)


def _from_file(
    reader: Reader, line: Line, what: str, file: str, at: int
) -> control_records.ControlRecord:
    if what == "space":
        return control_records.SetSpace(sequence=0, effective_at=at, text="")
    flow = file.rpartition("/")[2].removesuffix(".yaml")
    version = reader.versions[flow] = reader.versions.get(flow, 1) + 1
    migrate = bool(line.take(_MIGRATE))
    successors = {old: str(new) for old, new in line.mapping().items()}
    return control_records.Publish(
        sequence=0,
        effective_at=at,
        flow=flow,
        version=version,
        text="",
        migrate=migrate,
        successors=successors,
    )


Kind = Callable[[Reader, Line, int, str], Input]

KINDS: dict[str, Kind] = {
    "event": _event,
    "profile": _profile,
    "identify": _identify,
    "enter": _enter,
    "upload": _upload,
    "audience": _audience,
    "communication": _communication,
    "inbound": _inbound,
    "answer": _answer,
    "time": _time,
    "command": _command,
    "control": _control,
}
"""The reader for each kind of input."""
