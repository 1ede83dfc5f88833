"""The results of a replay besides its rows: manifests, metrics, and the summary of the run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipelines.replay.batches import Tally
from pipelines.replay.job import Job
from pipelines.replay.recount import COUNTED, recount
from schemas import METRICS, OUTPUTS
from transforms.authoring.graph import exit_text
from transforms.authoring.summary import case_texts
from transforms.flows.catalog.compiled import CompiledStep, Plan
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.definitions.steps.waits import WaitFor
from transforms.sinks.part_files import Part, Written, finish, prune, write_whole

ACCOUNT = "replay.json"
MOST_NAMES = 10
RUNNING = {"state": "running"}


class Unfinished(Exception):
    """A replay into this folder did not finish: its files are incomplete."""


class Result(msgspec.Struct, frozen=True, gc=False):
    """The result of one bucket: its files by kind, and its tally."""

    bucket: int
    users: int
    parts: dict[str, Part]
    tally: Tally


class Choices(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a version of a flow chooses by, each with its name or its condition.

    ``exits`` are the exit rules, ``cases`` the cases of each wait, ``branches`` the conditions of
    each step that decides, by the step where they lead.
    """

    exits: list[str] = []
    cases: dict[str, list[str]] = {}
    branches: dict[str, dict[str, list[str]]] = {}


class Shape(msgspec.Struct, frozen=True, gc=False):
    """The flows of a run: the names of their steps and goals, in order.

    ``ahead`` lists, for each step of a flow, the send steps that may follow it. ``versions`` has
    the exit rules and cases of each version.
    """

    space: str
    steps: dict[str, list[str]]
    goals: dict[str, list[str]]
    ahead: dict[str, dict[str, list[str]]]
    versions: dict[str, dict[str, Choices]] = {}


class Account(msgspec.Struct, frozen=True, gc=False):
    """The summary of a run, stored as ``replay.json`` beside the tables.

    ``rates`` and ``effects`` were assumed.

    ``used`` counts the events that a flow uses, ``unread_events`` the most frequent names of the
    others, ``early`` the times in 1970; ``first_after`` is the earliest time after the end.
    ``kinds`` are the tables that were chosen, None for all.
    """

    until: int
    audit: bool
    events: tuple[str, ...]
    shape: Shape
    users: int
    read: int
    bad: int
    unread: int
    after: int
    rows: dict[str, int]
    rates: dict[str, dict[str, int]] | None = None
    used: int = 0
    early: int = 0
    first_after: int | None = None
    unread_events: dict[str, int] = {}
    effects: dict[str, dict[str, int]] = {}
    kinds: tuple[str, ...] | None = None

    def lacks(self, kinds: Iterable[str]) -> list[str]:
        """Return the kinds that this run did not write."""
        return lacking(self.kinds, kinds)


def lacking(chosen: Iterable[str] | None, kinds: Iterable[str]) -> list[str]:
    """Return the kinds that are not among the chosen ones; None stands for all."""
    return [] if chosen is None else sorted({*kinds}.difference(chosen))


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Result).decode


def begin_run(job: Job) -> None:
    """Mark the results as unfinished, before their first file is replaced."""
    write_whole(Path(job.out) / ACCOUNT, msgspec.json.encode(RUNNING) + b"\n")


def finish_run(job: Job, results: Iterable[Result], shape: Shape) -> Account:
    """Write manifests, metrics and, last, the summary; remove files of an earlier run."""
    found = sorted(results, key=lambda result: result.bucket)
    out = Path(job.out)
    parts: dict[str, list[Part]] = {kind: [] for kind in (*OUTPUTS, *METRICS)}
    for result in found:
        for kind, part in result.parts.items():
            parts[kind].append(part)
    for kind in OUTPUTS:
        _close(kind, parts[kind], out)
    if not lacking(job.kinds, COUNTED):
        parts |= {kind: [part] for kind, part in recount(out).items()}
    for kind in METRICS:
        _close(kind, parts[kind], out)
    account = _account(job, found, parts, shape)
    write_whole(out / ACCOUNT, msgspec.json.format(msgspec.json.encode(account)) + b"\n")
    return account


def _close(kind: str, parts: list[Part], out: Path) -> None:
    if parts or (out / kind).is_dir():
        finish(kind, out, [Written(tuple(parts))])
        prune(kind, out)


def shape_of(catalog: Catalog) -> Shape:
    """Describe every flow: the steps of its newest version, then those of earlier versions only."""
    steps: dict[str, dict[str, None]] = {flow: {} for flow in catalog.ids}
    goals: dict[str, dict[str, None]] = {flow: {} for flow in catalog.ids}
    ahead: dict[str, dict[str, list[str]]] = {flow: {} for flow in catalog.ids}
    versions: dict[str, dict[str, Choices]] = {flow: {} for flow in catalog.ids}
    for _, plan in sorted(catalog.plans.items(), reverse=True):
        flow = plan.flow
        names = [step.name for step in (*flow.steps, *flow.on_exit)]
        steps[flow.id] |= dict.fromkeys(n for n in names if n not in steps[flow.id])
        goals[flow.id] |= dict.fromkeys(g.name for g in flow.goals)
        ahead[flow.id] = _ahead(plan) | ahead[flow.id]
        versions[flow.id][str(plan.version)] = _choices(plan)
    for number, aims in (
        (n, aims) for epoch in catalog.epochs for n, aims in epoch.goal_sets.items()
    ):
        goals[catalog.ids[number]] |= dict.fromkeys(t.goal.name for t in aims.goals)
    return Shape(
        catalog.epochs[-1].space.name,
        {flow: list(found) for flow, found in steps.items()},
        {flow: list(found) for flow, found in goals.items()},
        ahead,
        versions,
    )


def _choices(plan: Plan) -> Choices:
    """Describe the exit rules, cases and branches of a version."""
    cases: dict[str, list[str]] = {}
    branches: dict[str, dict[str, list[str]]] = {}
    for node in plan.steps.values():
        texts = case_texts(node.verb)
        if not texts:
            continue
        if isinstance(node.verb, WaitFor):
            cases[node.name] = texts
            continue
        found = branches[node.name] = {}
        ways = [*zip(texts, node.targets, strict=True), ("else", node.ports["else"])]
        for text, target in ways:
            if target in plan.steps:
                found.setdefault(plan.steps[target].name, []).append(text)
    return Choices([exit_text(rule) for rule in plan.flow.exit], cases, branches)


def _ahead(plan: Plan) -> dict[str, list[str]]:
    """List the send steps that may follow each step, in the order of the file."""
    found = {}
    for node in plan.steps.values():
        seen, queue = set[int](), [*_next(node)]
        while queue:
            number = queue.pop()
            if number not in seen and number in plan.steps:
                seen.add(number)
                queue += _next(plan.steps[number])
        later = [n for n in plan.steps.values() if n.number in seen]
        found[node.name] = [n.name for n in later if isinstance(n.verb, Send)]
    return found


def _next(node: CompiledStep) -> tuple[int, ...]:
    return (node.then, *node.targets, *node.ports.values())


def _account(
    job: Job, results: list[Result], parts: dict[str, list[Part]], shape: Shape
) -> Account:
    tally = Tally()
    for result in results:
        tally.add(result.tally)
    return Account(
        until=job.until,
        audit=job.audit,
        events=job.events,
        shape=shape,
        users=sum(result.users for result in results),
        read=tally.read,
        bad=tally.bad,
        unread=tally.unread,
        after=tally.after,
        rows={kind: sum(p.rows for p in found) for kind, found in parts.items() if found},
        rates=job.rates,
        used=tally.used,
        early=tally.early,
        first_after=tally.first,
        unread_events=tally.most_frequent(MOST_NAMES),
        effects=job.effects,
        kinds=job.kinds,
    )


def account(out: Path) -> Account:
    """Read the summary of a run.

    Raises FileNotFoundError if there is none, Unfinished if the run did not end, and
    msgspec.MsgspecError if it is damaged.
    """
    data = (out / ACCOUNT).read_bytes()
    if msgspec.json.decode(data) == RUNNING:
        raise Unfinished
    return msgspec.json.decode(data, type=Account)
