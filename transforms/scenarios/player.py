"""Plays scenarios on the core: the control log of a story, and the transcript of each input."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from transforms.flows.catalog.control_log import InvalidLog, catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.diagnostics import Problem, suggest
from transforms.flows.engine.identity.handover import as_signal
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Answer, Behind, step
from transforms.flows.engine.working import decode
from transforms.flows.protocol import control_records
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import CallResult, Command, Event, Inbound, Signal, Time
from transforms.flows.reading.project import SPACE, Project, used_templates
from transforms.flows.state.dedupe import seen
from transforms.flows.state.ids import short
from transforms.flows.state.limits import LONGEST_WAIT
from transforms.scenarios.grammar import expected_lines, lines_of, with_transcripts
from transforms.scenarios.story import Input, ScenarioFile, Settings, Story
from transforms.scenarios.transcript import Transcript, agree, word_of


class Unplayable(ValueError):
    """A story that cannot be played; ``problem`` says why and where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One input played: its signals, the outputs, and the lines of the transcript.

    ``signals`` begin with that of the input; those between keys of a user follow (R8).
    """

    signals: tuple[Signal, ...]
    outputs: tuple[out.AnyOutput, ...]
    lines: list[str]


class Player:
    """Plays the inputs of one user, and of the other keys in a story.

    ``catalog`` may be replaced by that of a longer version of the same log.
    """

    def __init__(self, catalog: Catalog, settings: Settings, answer: Answer | None = None) -> None:
        self.catalog = catalog
        self._host = answer
        self._answers: dict[str, CallResult] = {}
        self._called: dict[str, str] = {}
        self.user = settings.user
        self.zone = settings.zone_info
        self._states: dict[str, bytes | None] = {}
        self._shows = settings.shows
        self._transcript = Transcript(settings.zone_info, ids=settings.ids)
        self._sent: dict[str, str] = {}
        self._wakes: dict[str, int | None] = {}
        self._exported: out.Data = {}

    def play(self, given: Input) -> Turn | None:
        """Play one input; return None if it is about a message that does not exist."""
        signal = self._resolved(given)
        if signal is None:
            return None
        left, taken = deque([signal]), list[Signal]()
        outputs, lines = list[out.AnyOutput](), list[str]()
        while left:
            taken.append(left.popleft())
            before = self._states.get(taken[-1].user)
            results = self._step(taken[-1], lines)
            outputs += results
            left += filter(None, map(as_signal, results))
            if not results and len(taken) == 1:
                lines.insert(0, self._nothing(before, signal) + self._at(signal.user))
        if self._shows:
            lines = [line for line in lines if word_of(line) in self._shows]
        return Turn(tuple(taken), tuple(outputs), lines)

    def state_of(self, user: str) -> bytes | None:
        """Return the state of a user."""
        return self._states.get(user)

    @property
    def sent(self) -> set[str]:
        """The names of the steps that have sent or called something so far."""
        return {*self._sent, *self._called}

    @property
    def state(self) -> bytes | None:
        """The state of the user of the story."""
        return self._states.get(self.user)

    def _step(self, signal: Signal, lines: list[str]) -> tuple[out.AnyOutput, ...]:
        user = signal.user
        before = self._states.get(user)
        done = step(self.catalog, before, signal, self._answer if self._host else None)
        assert not isinstance(done, Behind), "the log of a scenario is complete"
        self._states[user] = done.state
        outputs = accounted(self.catalog, done.outputs)
        for output in outputs:
            self._note(output)
            lines += [line + self._at(user) for line in self._lines(output)]
        if done.wake_at != self._wakes.get(user):
            wake = self._wakes[user] = done.wake_at
            when = "never" if wake is None else self._transcript.clock(wake)
            lines.append(f"next {when}{self._at(user)}")
        return outputs

    def _note(self, output: out.AnyOutput) -> None:
        """Remember the messages, calls and exports that later inputs may name."""
        match output:
            case out.Communication(step=step, flow=flow, communication=sent):
                self._sent[step] = self._sent[f"{flow}/{step}"] = sent
            case out.Call(step=step, flow=flow, id=call):
                self._called[step] = self._called[f"{flow}/{step}"] = call
            case out.StateExport(data=data):
                self._exported = msgspec.json.decode(msgspec.json.encode(data))
            case _:
                pass

    def _at(self, user: str) -> str:
        return "" if user == self.user else f"  user={user}"

    def _answer(self, call: out.Call, source: str) -> CallResult:
        assert self._host is not None
        result = self._answers[call.id] = self._host(call, source)
        return result

    def _lines(self, output: out.AnyOutput) -> list[str]:
        """Write an output; after a call, also the answer of the sandbox."""
        play_file = [self._transcript.line(output)]
        if isinstance(output, out.Call) and output.id in self._answers:
            play_file.append(self._transcript.answer(output, self._answers[output.id]))
        return play_file

    def _resolved(self, given: Input) -> Signal | None:
        signal = given.signal
        if isinstance(signal, Command) and signal.what == "import":
            return msgspec.structs.replace(signal, data=signal.data | {"state": self._exported})
        if given.call is not None and isinstance(signal, CallResult):
            call = self._called.get(given.call)
            return call and msgspec.structs.replace(signal, call=call)  # type: ignore[return-value]
        if given.communication is None:
            return given.signal
        sent = self._sent.get(given.communication)
        return sent and msgspec.structs.replace(given.signal, communication=sent)  # type: ignore[return-value]

    def _nothing(self, before: bytes | None, signal: Signal) -> str:
        """Write that a signal had no effect, and why."""
        if isinstance(signal, Time) or (isinstance(signal, Command) and signal.what == "wake"):
            return "nothing is due"
        if isinstance(signal, Event) and self.catalog.read_since(signal.name) > signal.time:
            return "nothing reads this event"
        if isinstance(signal, Inbound) and self.catalog.inbound_since > signal.time:
            return "nothing reads this message" if signal.communication is None else "nothing"
        if before is not None and seen(decode(before).seen_ids, short(signal.id)):
            return "nothing, seen before"
        return "nothing"


def control_log_of(
    file: ScenarioFile, story: Story, project: Project, texts: Mapping[str, str]
) -> tuple[control_records.ControlRecord, ...]:
    """Return the control log of a story: its flows published and started, then its own records.

    ``texts`` has the other files that the story may publish, by relative path. A flow that the
    story starts itself is only published. Raises Unplayable.
    """
    stem = file.path.rpartition("/")[2].removesuffix(".scenarios.txt")
    flows = story.settings.flows
    names = (stem,) if flows is None else flows
    started = {g.record.flow for g in story.inputs if isinstance(g.record, control_records.Start)}
    for name in names:
        if (missing := missing_flow(project, name)) is not None:
            raise unplayable(file, story.line, *missing)
    base = records_of(
        {name: project.flow_text(name) for name in names},
        project.space_text,
        {name: project.template_texts(name) for name in names},
        story.settings.launch,
    )
    records = [r for r in base if not (isinstance(r, control_records.Start) and r.flow in started)]
    published = set(names)
    for given in story.inputs:
        if given.record is None:
            continue
        flow = getattr(given.record, "flow", None)
        if flow is not None and flow not in published:
            for joining in _joining(file, given, project, flow):
                sequence = len(base) + len(records)
                records.append(msgspec.structs.replace(joining, sequence=sequence))
            published.add(flow)
        records.append(_record(file, given, project, texts, len(base) + len(records)))
    return tuple(records)


def missing_flow(project: Project, name: str) -> tuple[str, str] | None:
    """Return a message and help if a flow cannot be played: it has problems, or is not there."""
    known = {flow.id for flow in project.flows}
    path = next((p for p in project.flow_files if _stem(p) == name), None)
    if path is not None:
        wrong = {problem.path for problem in project.problems if problem.severity == "error"}
        if wrong.isdisjoint(files_of(project, name)):
            return None
        return f'flow "{name}" has problems', f"run towpath check {path}"
    return f'there is no flow "{name}" beside the scenarios', suggest(name, known)


def files_of(project: Project, name: str) -> set[str]:
    """Return the paths of what a flow consists of: its file, its templates and its space."""
    found = {path for path in project.flow_files if _stem(path) == name}
    found |= {path for path in project.files if path.rpartition("/")[2] == SPACE}
    flow = next((flow for flow in project.flows if flow.id == name), None)
    names = used_templates(flow) if flow is not None else set()
    return found | {
        project.paths[f"messages/{n}"] for n in names if f"messages/{n}" in project.paths
    }


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]


def _joining(
    file: ScenarioFile, given: Input, project: Project, flow: str
) -> list[control_records.ControlRecord]:
    """Publish and start a flow at the instant of the first record about it.

    A record that starts it, and one that publishes it from another folder, does so itself.
    """
    record = given.record
    missing = missing_flow(project, flow)
    if isinstance(record, control_records.Publish) and missing is not None:
        return []
    if missing is not None:
        raise unplayable(file, given.line, *missing)
    texts, templates = {flow: project.flow_text(flow)}, {flow: project.template_texts(flow)}
    own = [r for r in records_of(texts, None, templates) if getattr(r, "flow", None) == flow]
    if isinstance(record, control_records.Start):
        own = [r for r in own if not isinstance(r, control_records.Start)]
    return [msgspec.structs.replace(r, effective_at=given.at) for r in own]


def _record(
    file: ScenarioFile, given: Input, project: Project, texts: Mapping[str, str], sequence: int
) -> control_records.ControlRecord:
    record = given.record
    assert record is not None
    record = msgspec.structs.replace(record, sequence=sequence)
    if given.file is None:
        return record
    if given.file not in texts:
        message = f'there is no file "{given.file}" beside the scenarios'
        raise unplayable(file, given.line, message, suggest(given.file, texts))
    if isinstance(record, control_records.Publish):
        templates = project.version_templates(given.file, texts)
        return msgspec.structs.replace(record, text=texts[given.file], templates=templates)
    assert isinstance(record, control_records.SetSpace)
    return msgspec.structs.replace(record, text=texts[given.file])


def unplayable(file: ScenarioFile, line: int, message: str, known: str = "") -> Unplayable:
    """Return the error for a line (from 0) that cannot be played."""
    width = len(file.lines[line])
    problem = Problem(file.path, line + 1, 1, width, "scenario-log", message, known)
    return Unplayable(problem)


def nothing_sent(file: ScenarioFile, given: Input, sent: Iterable[str] = ()) -> Unplayable:
    """Return the error for a status or answer without a message or call before it.

    ``sent`` are the steps that have sent or called something.
    """
    name = given.communication or given.call or ""
    message = f'"{name}" has sent nothing so far'
    return unplayable(file, given.line, message, suggest(name, sent))


def invalid_log(file: ScenarioFile, line: int, error: InvalidLog) -> Unplayable:
    """Return the error for a control log that is refused."""
    message = "; ".join([str(error), *(p.message for p in error.problems)])
    return unplayable(file, line, message)


@lru_cache(maxsize=64)
def catalog_for(lines: tuple[bytes, ...]) -> Catalog:
    """Build the catalog of a log; the same log is built once."""
    return catalog_of([control_records.decode_line(line) for line in lines])


def play(
    file: ScenarioFile,
    story: Story,
    log: Iterable[control_records.ControlRecord],
    answer: Answer | None = None,
) -> list[Turn]:
    """Play a story on the core; ``answer`` is the sandbox for its code. Raises Unplayable."""
    player, turns = Player(_catalog(file, story, log), story.settings, answer), list[Turn]()
    for given in story.inputs:
        turn = player.play(given)
        if turn is None:
            raise nothing_sent(file, given, player.sent)
        turns.append(turn)
    return turns


def play_table(
    file: ScenarioFile,
    story: Story,
    log: Iterable[control_records.ControlRecord],
    answer: Answer | None = None,
) -> list[str]:
    """Play each row of a story's table on its own; return when it has what it compares.

    The time of the first such output within 400 days, or "never". Raises Unplayable.
    """
    assert story.table is not None
    catalog = _catalog(file, story, log)
    settings = msgspec.structs.replace(story.settings, shows=frozenset())
    found = []
    for row in story.table.rows:
        player = Player(catalog, settings, answer)
        for given in story.inputs:
            player.play(given)
        wake = Input(row.line, row.at, Time(user=row.signal.user, at=row.at + LONGEST_WAIT))
        turns = [player.play(given) for given in (row, wake)]
        if turns[0] is None:
            raise nothing_sent(file, row, player.sent)
        lines = (line for turn in turns if turn is not None for line in turn.lines)
        said = (line.split()[:2] for line in lines if word_of(line) == story.table.word)
        found.append(" ".join(next(said, ["never"])))
    return found


def _catalog(
    file: ScenarioFile, story: Story, log: Iterable[control_records.ControlRecord]
) -> Catalog:
    try:
        return catalog_for(tuple(control_records.encode_line(record) for record in log))
    except InvalidLog as error:
        raise invalid_log(file, story.line, error) from None


def play_file(
    file: ScenarioFile, project: Project, texts: Mapping[str, str], answer: Answer | None = None
) -> str:
    """Play all stories of a file; return its text with the transcripts. Raises Unplayable."""
    played = play_partly(file, project, texts, answer)
    for problem in played.problems:
        raise Unplayable(problem)
    return played.text


class Played(msgspec.Struct, frozen=True, gc=False):
    """A file with the transcripts of the stories that could be played, and the problems of others."""

    text: str
    problems: tuple[Problem, ...] = ()


def play_partly(
    file: ScenarioFile, project: Project, texts: Mapping[str, str], answer: Answer | None = None
) -> Played:
    """Play the stories of a file; one that is broken or cannot be played keeps its transcript."""
    transcripts: dict[int, list[str]] = {}
    rows: dict[int, str] = {}
    problems: list[Problem] = []
    kept: set[int] = set()
    for story in file.stories:
        if story.broken:
            kept.update(lines_of(file, story))
            continue
        try:
            log = control_log_of(file, story, project, texts)
            turns = play(file, story, log, answer)
            times = play_table(file, story, log, answer) if story.table is not None else []
        except Unplayable as error:
            problems.append(error.problem)
            kept.update(lines_of(file, story))
            continue
        for given, turn in zip(story.inputs, turns, strict=True):
            expected = expected_lines(file, given.line) if story.settings.shows else []
            agrees = bool(expected) and agree(expected, turn.lines)
            transcripts[given.line] = expected if agrees else turn.lines
        if story.table is not None:
            for row, when in zip(story.table.rows, times, strict=True):
                rows[row.line] = f"{file.lines[row.line].partition('->')[0]}-> {when}"
    return Played(with_transcripts(file, transcripts, rows, kept), tuple(problems))
