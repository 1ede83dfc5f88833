"""Scenario files: stories of one user, each with the exact words that the core says.

A ``#`` line begins a story; lines at the margin are what happens, indented ones what the core
said, which ``rewritten`` replaces. Reading is line by line, every problem with its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from transforms.flows import control
from transforms.flows.load.problems import Loaded, Report, Source, suggest
from transforms.flows.load.read_waits import STATUSES
from transforms.flows.scenario_control import CONTROLS, FLOW, OFF, how
from transforms.flows.scenario_inbound import sent
from transforms.flows.scenario_values import Line, LineError
from transforms.flows.signals import (
    AudienceChange,
    CallResult,
    Command,
    CommunicationUpdate,
    Enter,
    Event,
    Inbound,
    ProfileChange,
    Signal,
    Time,
)
from transforms.flows.times import zone, zone_names

_HEADER = re.compile(r"([a-z]+):[ \t]*(.*?)[ \t]*")
_EVENT = re.compile(r'[^{@="]*?(?=\s*(?:\{|@|\w+=|$))')
_OPTION = re.compile(r"(id|key|member_of|user)=")
_WORD = re.compile(r"[^\s{]+")
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
"""Commands that concern the user as a whole, and no flow."""
HEADERS = ("flows", "user", "zone", "launch", "show")
DEFAULT_USER = "kim"


class Settings(msgspec.Struct, frozen=True, gc=False):
    """What the headers of a story or of its file say.

    ``flows`` None means the flow of the file's own name; ``launch`` is when they were started.
    """

    flows: tuple[str, ...] | None = None
    user: str = DEFAULT_USER
    zone: str = "UTC"
    launch: int = 0
    ids: bool = False

    @property
    def where(self) -> ZoneInfo:
        return zone(self.zone)


class Input(msgspec.Struct, frozen=True, gc=False):
    """One thing that happens, on a line (from 0): a signal, and the control record if it is one.

    ``communication`` is the send step whose newest message a status is about, or answered,
    ``call`` the call step whose newest call is answered.
    """

    line: int
    at: int
    signal: Signal
    record: control.ControlRecord | None = None
    file: str | None = None
    communication: str | None = None
    call: str | None = None


class Story(msgspec.Struct, frozen=True, gc=False):
    """One scenario: ``title`` is its first line, ``line`` where that stands, from 0."""

    title: str
    line: int
    settings: Settings
    inputs: tuple[Input, ...]


class Stories(msgspec.Struct, frozen=True, gc=False):
    """A scenario file."""

    path: str
    lines: tuple[str, ...]
    stories: tuple[Story, ...]


def rewritten(file: Stories, told: dict[int, list[str]]) -> str:
    """Write the file anew: ``told`` maps the line of an input to what the core says to it."""
    found: list[str] = []
    for number, line in enumerate(file.lines):
        if line[:1] in (" ", "\t") and line.strip():
            continue
        found.append(line.rstrip())
        found += [f"  {said}" for said in told.get(number, [])]
    return "\n".join(found).rstrip("\n") + "\n"


class _Reader:
    """The state of reading: the story that is open, and what the file's head says."""

    def __init__(self, path: str, text: str, user: str) -> None:
        self.report = Report(Source(path, text))
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.head = self.settings = Settings(user=user)
        self.title: str | None = None
        self.line = 0
        self.inputs: list[Input] = []
        self.stories: list[Story] = []
        self.versions: dict[str, int] = {}

    def close(self) -> None:
        """Take the open story as read."""
        if self.title is not None or self.inputs:
            title = self.title or "a timeline"
            story = Story(title, self.line, self.settings, tuple(self.inputs))
            self.stories.append(story)
        self.title, self.inputs, self.settings = None, [], self.head
        self.versions = {}

    def problem(self, number: int, column: int, code: str, message: str, known: str = "") -> None:
        start = self.starts[number] + column
        end = self.starts[number] + len(self.lines[number].rstrip())
        self.report.add((start, max(start + 1, end)), code, message, known)


def read_stories(path: str, text: str, user: str = DEFAULT_USER) -> Loaded[Stories]:
    """Read a scenario file; ``user`` is whom stories are about that do not say."""
    reader = _Reader(path, text, user)
    for number, line in enumerate(reader.lines):
        if not line.strip() or line[0] in " \t":
            continue
        if line[0] == "#":
            _heading(reader, number, line)
        elif (match := _HEADER.fullmatch(line)) and not reader.inputs:
            _header(reader, number, match)
        else:
            _input(reader, number, line)
    reader.close()
    return reader.report.done(Stories(path, tuple(reader.lines), tuple(reader.stories)))


def _heading(reader: _Reader, number: int, line: str) -> None:
    if reader.inputs:
        reader.close()
    if reader.title is None:
        reader.title, reader.line = line.lstrip("# ").rstrip(), number


def _header(reader: _Reader, number: int, match: re.Match[str]) -> None:
    name, text = match.groups()
    old = reader.settings
    column = match.start(2)
    match name:
        case "flows":
            named = tuple(part.strip() for part in text.split(",") if part.strip())
            new = msgspec.structs.replace(old, flows=named)
        case "user" if text:
            new = msgspec.structs.replace(old, user=text)
        case "zone" if text in zone_names():
            new = msgspec.structs.replace(old, zone=text)
        case "zone":
            known = suggest(text, zone_names())
            reader.problem(number, column, "unknown-zone", f'"{text}" is not a time zone', known)
            return
        case "launch":
            try:
                new = msgspec.structs.replace(old, launch=Line(text).time(None, old.where))
            except LineError as error:
                column += error.column
                reader.problem(number, column, error.code, str(error), error.known)
                return
        case "show" if text == "ids":
            new = msgspec.structs.replace(old, ids=True)
        case _:
            known = suggest(name, HEADERS)
            reader.problem(number, 0, "unknown-key", f'a scenario has no "{name}: {text}"', known)
            return
    reader.settings = new
    if reader.title is None:
        reader.head = new


def _input(reader: _Reader, number: int, text: str) -> None:
    line, where = Line(text), reader.settings.where
    previous = reader.inputs[-1].at if reader.inputs else None
    try:
        at = line.time(previous, where)
        start = line.at
        kind = line.name("what happens")
        if kind not in KINDS:
            known = suggest(kind, KINDS)
            reader.problem(number, start, "unknown-input", f'"{kind}" cannot happen', known)
            return
        default = f"{len(reader.inputs) + 1}"
        found = KINDS[kind](reader, line, at, default)
        if not line.over:
            raise line.stop("this is not expected here")
    except LineError as error:
        reader.problem(number, error.column, error.code, str(error), error.known)
        return
    reader.inputs.append(msgspec.structs.replace(found, line=number))


# --- what can happen ------------------------------------------------------------------------


def _options(reader: _Reader, line: Line, at: int, default: str) -> dict[str, Any]:
    """Read what may end every line: ``id=…``, ``@received +2h``, ``bypass``, ``backfill``."""
    found: dict[str, Any] = {"id": default, "user": reader.settings.user, "time": at}
    while not line.over:
        if flag := line.take(_FLAG):
            found[flag] = True
        elif line.passes("@received"):
            found["received"] = line.time(at, reader.settings.where)
        elif line.passes("id="):
            found["id"] = line.take(_WORD) or ""
        elif line.passes("user="):
            found["user"] = line.take(_WORD) or ""
        else:
            break
    return found


def _event(reader: _Reader, line: Line, at: int, default: str) -> Input:
    name = (line.take(_EVENT) or "").strip()
    words = name.split()
    # Flags are the last words of a line, so they are told from the event's name only here.
    flags = [words.pop() for word in reversed(words) if word in ("bypass", "backfill")]
    if not words:
        raise line.stop("an event needs a name")
    properties = line.mapping()
    options = _options(reader, line, at, default) | dict.fromkeys(flags, True)
    return Input(0, at, Event(name=" ".join(words), properties=properties, **options))


def _profile(reader: _Reader, line: Line, at: int, default: str) -> Input:
    found: dict[str, Any] = {}
    traits = line.mapping()
    while word := line.take(_ATTACHED):
        value = line.value()
        found[word] = value if isinstance(value, dict) else tuple(map(str, value))
    options = _options(reader, line, at, default)
    return Input(0, at, ProfileChange(set=traits, **found, **options))


def _identify(reader: _Reader, line: Line, at: int, default: str) -> Input:
    """Read ``identify KEY {traits}``: the key turns out to be the story's user, or ``user=``."""
    key = line.take(_WORD)
    if key is None:
        raise line.stop("the key that turns out to be the user is expected here")
    found = _profile(reader, line, at, default)
    signal = found.signal
    assert isinstance(signal, ProfileChange)
    here = msgspec.structs.replace(signal, user=key, becomes=signal.user)
    return msgspec.structs.replace(found, signal=here)


def _audience(reader: _Reader, line: Line, at: int, default: str) -> Input:
    name, how = line.name("an audience"), line.name("entered or left")
    if how not in ("entered", "left"):
        raise line.stop('an audience is "entered" or "left"', at=line.at - len(how))
    options = _options(reader, line, at, default)
    return Input(0, at, AudienceChange(audience=name, entered=how == "entered", **options))


def _communication(reader: _Reader, line: Line, at: int, default: str) -> Input:
    exact = line.text[line.at : line.at + 1] == '"'
    step = str(line.value()) if exact else line.take(_WORD)
    if step is None:
        raise line.stop("the name of a send step, or a message's id in quotes, is expected here")
    start = line.at
    status = line.name("a status")
    if status not in STATUSES:
        known = suggest(status, STATUSES)
        raise line.stop(f'"{status}" is not a status', "unknown-status", start, known)
    data = line.mapping()
    options = _options(reader, line, at, default)
    name = step if exact else ""
    signal = CommunicationUpdate(communication=name, status=status, data=data, **options)
    return Input(0, at, signal, communication=None if exact else step)


def _inbound(reader: _Reader, line: Line, at: int, default: str) -> Input:
    found, step = sent(line)
    return Input(0, at, Inbound(**found, **_options(reader, line, at, default)), communication=step)


def _answer(reader: _Reader, line: Line, at: int, default: str) -> Input:
    step = line.take(_WORD)
    if step is None:
        raise line.stop("the name of a call step is expected here")
    failed = line.take(_FAILED)
    error = str(line.value()) if failed and line.text[line.at : line.at + 1] == '"' else ""
    result = line.mapping()
    options = _options(reader, line, at, default)
    signal = CallResult(call="", ok=not failed, result=result, error=error, **options)
    return Input(0, at, signal, call=step)


def _enter(reader: _Reader, line: Line, at: int, default: str) -> Input:
    flow, found = line.name("a flow"), dict[str, Any]()
    found["data"] = line.mapping()
    while not line.over:
        if word := line.take(_UPSERT):
            found[word] = line.mapping()
        elif line.passes("key="):
            found["key"] = line.take(_WORD) or ""
        elif line.passes("member_of="):
            found["member_of"] = line.take(_WORD)
        elif line.passes("launch="):
            found["launch"] = line.take(_WORD)
        else:
            break
    return Input(0, at, Enter(flow=flow, **found, **_options(reader, line, at, default)))


def _upload(reader: _Reader, line: Line, at: int, default: str) -> Input:
    campaign, found = line.name("a campaign"), dict[str, Any]()
    fields = line.mapping()
    while word := line.take(_UPSERT):
        found[word] = line.mapping()
    options = _options(reader, line, at, default)
    row = {"flow": campaign, "operation": "upload", "participant": fields}
    return Input(0, at, Enter(**(found | row), **options))


def _time(reader: _Reader, line: Line, at: int, default: str) -> Input:
    user = line.take(_WORD) if line.passes("user=") else None
    return Input(0, at, Time(user=user or reader.settings.user, at=at))


def _command(reader: _Reader, line: Line, at: int, default: str) -> Input:
    what = line.take(_COMMAND)
    if what is None:
        raise line.stop(f"a command is one of {', '.join(COMMANDS)}, of one flow or of all")
    off = line.take(OFF)
    flow = None if off or what in WHOLE else line.take(FLOW)
    data: dict[str, Any] = {"off": True} if off or line.take(OFF) else {}
    data |= {"replace": True} if what == "import" and line.take(_REPLACE) else {}
    if line.passes("resume="):
        data["resume"] = how(line)
    if line.passes("key="):
        data["key"] = line.take(_WORD) or ""
    options = _options(reader, line, at, default)
    found = {"is": "command", "what": what, "flow": flow, "data": data, **options}
    return Input(0, at, msgspec.convert(found, Command))


def _control(reader: _Reader, line: Line, at: int, default: str) -> Input:
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


def _from_file(reader: _Reader, line: Line, what: str, file: str, at: int) -> control.ControlRecord:
    if what == "space":
        return control.SetSpace(sequence=0, effective_at=at, text="")
    flow = file.rpartition("/")[2].removesuffix(".yaml")
    version = reader.versions[flow] = reader.versions.get(flow, 1) + 1
    migrate = bool(line.take(_MIGRATE))
    successors = {old: str(new) for old, new in line.mapping().items()}
    return control.Publish(
        sequence=0,
        effective_at=at,
        flow=flow,
        version=version,
        text="",
        migrate=migrate,
        successors=successors,
    )


Kind = Callable[[_Reader, Line, int, str], Input]

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
"""Everything that can happen in a scenario."""
