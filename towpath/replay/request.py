"""Turn the options of ``towpath replay`` into a job: read and check every file before the run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from pipelines.replay.identities import find_moves
from pipelines.replay.job import Job
from pipelines.replay.results import shape_of
from towpath.cli import common
from towpath.cli.projects import Selected, load_projects, refuse_duplicate_ids
from towpath.replay.control_log import InvalidLines, check, read_log, with_flows
from towpath.replay.folder import checked_folder
from towpath.replay.rates import Assumptions, load_rates
from transforms.flows.catalog.control_log import (
    InvalidLog,
    catalog_of,
    records_of,
    refuse_shared_keywords,
)
from transforms.flows.clock.zones import parse_instant, utc
from transforms.flows.diagnostics import Problem, shortened
from transforms.flows.protocol.control_records import ControlRecord, SetSpace
from transforms.flows.reading.project import SPACE, Project, load_project
from transforms.hosting import sandbox
from transforms.sources.files import file_problems, reads_mapping
from transforms.wire.mapping import Mapping, load_mapping

T = TypeVar("T")


def job_of(args: argparse.Namespace) -> Job:
    """Build the job; print all problems and raise UserError if there are any."""
    until = parse_instant(args.until, utc())
    if until is None:
        raise common.UserError(
            f'--until: "{args.until}" is not a date or time; write for example 1998-07-01'
        )
    out = checked_folder(Path(args.out))
    mapping = mapping_of(args.map)
    _check_events(args.events, mapping)
    refuse_unused_mapping(args.map, args.events)
    records = _records(args)
    assumed = _assumptions(args.assume, records)
    if args.audit and assumed.effects:
        raise common.UserError(
            f"{args.assume}: in an audit replay messages may have been sent; remove effect"
        )
    if args.export_states is not None and args.assume is not None:
        raise common.UserError("--export-states writes what happened; remove --assume")
    kinds = args.kinds
    if kinds is not None and args.export_states is not None:
        kinds = tuple(sorted({*kinds, "state_export"}))
    return Job(
        records=tuple(records),
        events=tuple(args.events),
        until=until,
        out=str(out),
        mapping=mapping,
        audit=args.audit,
        rates=assumed.rates,
        moves={} if args.audit else find_moves(args.events, mapping),
        effects=assumed.effects,
        kinds=kinds,
        export=args.export_states is not None,
    )


def mapping_of(path: str | None) -> Mapping | None:
    """Read a mapping, if one is given; raise UserError if it has problems."""
    if path is None:
        return None
    text = common.read_text(Path(path))
    found = load_mapping(text, path)
    return _checked(found.value, found.problems, {path: text}, path)


def refuse_unused_mapping(path: str | None, events: Sequence[str]) -> None:
    """Raise UserError if a mapping is given and no file needs one."""
    if path is not None and not any(reads_mapping(Path(name)) for name in events):
        raise common.UserError(
            f'--map {path} is not used: the records of {", ".join(events)} have "type" and "messageId"'
        )


def _assumptions(path: str | None, records: Sequence[ControlRecord]) -> Assumptions:
    if path is None:
        return Assumptions(None, {})
    text = common.read_text(Path(path))
    catalog = catalog_of(records)
    channels = {channel for epoch in catalog.epochs for channel in epoch.channels}
    found = load_rates(text, path, channels, shape_of(catalog).goals)
    return _checked(found.value, found.problems, {path: text}, path)


def _checked(value: T | None, problems: Iterable[Problem], files: dict[str, str], name: str) -> T:
    errors = [problem for problem in problems if problem.severity == "error"]
    common.show_problems(errors, files)
    if value is None or errors:
        raise common.UserError(f"{name} has problems", code=1)
    return value


def _check_events(paths: Sequence[str], mapping: Mapping | None) -> None:
    """Raise UserError if an event file is missing or unreadable."""
    for path in paths:
        if not Path(path).is_file():
            raise common.UserError(f"{path}: no such file")
    found = [bad for path in paths for bad in file_problems(Path(path), mapping)]
    for bad in found:
        common.say(f"{bad.file}:{max(1, bad.line)}:1: {shortened(bad.detail)} [{bad.reason}]")
    if found:
        raise common.UserError("the events cannot be read", code=1)


def _records(args: argparse.Namespace) -> list[ControlRecord]:
    if args.space is not None and not args.flows:
        raise common.UserError("--space is not used: no flows are named")
    own = _own_records(args.flows, args.space)
    if args.control is None:
        if not own:
            raise common.UserError("name at least one flow, or a control log that publishes flows")
        return _runnable(own)
    try:
        log = read_log(common.read_text(Path(args.control)), args.control)
        if args.space is not None and any(isinstance(record, SetSpace) for _, record in log):
            raise common.UserError(f"--space is not used: {args.control} sets the space")
        records = with_flows(log, own)
        check(log, records, args.control)
    except InvalidLines as wrong:
        for line in wrong.lines:
            common.say(line)
        raise common.UserError(f"{args.control} is not a valid control log", code=1) from None
    return _runnable(records)


def _runnable(records: list[ControlRecord]) -> list[ControlRecord]:
    try:
        found = catalog_of(records)
        refuse_shared_keywords(found)
        sandbox.require(found)
    except (InvalidLog, sandbox.MissingSandbox) as error:
        raise common.UserError(f"cannot run the flows: {error}", code=1) from None
    return records


def _own_records(flows: Sequence[str], space: str | None) -> list[ControlRecord]:
    """Return records that publish and start the given flows, in their space or the given one."""
    texts: dict[str, str] = {}
    templates: dict[str, dict[str, str]] = {}
    spaces: dict[str | None, None] = {}
    failed = False
    chosen = [_in_space(selected, space) for selected in load_projects(flows)]
    for selected in chosen:
        project = selected.project
        errors = [p for p in _problems(project, selected.paths) if p.severity == "error"]
        common.show_problems(errors, project.files)
        failed = failed or bool(errors)
        spaces[project.space_text] = None
        for flow in project.flows:
            if project.paths[flow.id] in selected.paths:
                texts[flow.id] = project.flow_text(flow.id)
                templates[flow.id] = project.template_texts(flow.id)
    if failed:
        raise common.UserError("the flows have problems", code=1)
    if len(spaces) > 1:
        raise common.UserError("the flows belong to different spaces; choose one with --space")
    refuse_duplicate_ids(chosen)
    return records_of(texts, next(iter(spaces), None), templates)


def _in_space(selected: Selected, space: str | None) -> Selected:
    if space is None:
        return selected
    return Selected(_with_space(selected.project, space), selected.paths)


def _with_space(project: Project, space: str) -> Project:
    """Reload a project with another space."""
    files = {path: text for path, text in project.files.items() if Path(path).name != SPACE}
    path = (Path(space).parent / SPACE).as_posix()
    return load_project(files | {path: common.read_text(Path(space))}, sandbox.check_source)


def _problems(project: Project, chosen: Sequence[str]) -> list[Problem]:
    others = set(project.flow_files) - set(chosen)
    return [problem for problem in project.problems if problem.path not in others]
