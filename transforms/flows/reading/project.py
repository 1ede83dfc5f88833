"""A project: the files of one folder, given as texts, loaded and checked together.

``space.yaml`` is the space, ``messages/NAME.liquid`` a template, every other ``NAME.yaml`` a flow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from transforms.flows.clock.zones import find_zone
from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.keyword_conflicts import Claim, clashes
from transforms.flows.definitions.space import Space, Template
from transforms.flows.definitions.triggers.messages import OnInbound
from transforms.flows.definitions.used import templates_of
from transforms.flows.diagnostics import Problem, Report, Source, SourceCheck
from transforms.flows.reading import nodes
from transforms.flows.reading.flow import load_flow
from transforms.flows.reading.space import load_space_partly
from transforms.flows.reading.spans import place
from transforms.flows.templates.message_template import load_template

SPACE = "space.yaml"
_HEADS = re.compile(r"""^(?:\{\s*)?["']?(?:flow|enter|steps)["']?[ \t]*:""", re.MULTILINE)
_TEMPLATE = re.compile(r"(?:.*[/\\])?messages[/\\]([^/\\]+)\.liquid")
_YAML = re.compile(r"(?:.*[/\\])?([^/\\]+)\.ya?ml")


class Project(msgspec.Struct, frozen=True, gc=False):
    """The files of a folder; ``flows`` are those without errors, ``paths`` maps each to its file.

    The texts are kept, because control records hold them.
    """

    space: Space
    flows: tuple[Flow, ...]
    templates: Mapping[str, Template]
    problems: tuple[Problem, ...]
    files: Mapping[str, str]
    paths: Mapping[str, str]
    flow_files: tuple[str, ...]

    @property
    def errors(self) -> int:
        return sum(1 for problem in self.problems if problem.severity == "error")

    @property
    def space_text(self) -> str | None:
        """The text of the space's file, if there is one."""
        return next((t for path, t in self.files.items() if _base(path) == SPACE), None)

    def flow_text(self, flow: str) -> str:
        """Return the text of a flow's file."""
        return self.files[self.paths[flow]]

    def template_texts(self, flow: str) -> dict[str, str]:
        """Return the texts of the templates that a flow sends, by name."""
        wanted = next(f for f in self.flows if f.id == flow)
        names = sorted(used_templates(wanted) & set(self.templates))
        return {name: self.template_text(name) for name in names}

    def template_text(self, name: str) -> str:
        """Return the text of a template."""
        return self.files[self.paths[f"messages/{name}"]]

    def version_templates(self, file: str, texts: Mapping[str, str]) -> dict[str, str]:
        """Return the texts of the templates that a version of a flow in a subfolder sends.

        Those in ``messages`` beside it come first. ``texts`` are its file and theirs, by path.
        """
        beside = {name: texts[path] for name, path in templates_beside(file, texts).items()}
        loaded = {name: load_template(name, text).value for name, text in beside.items()}
        known = {**self.templates, **loaded}
        templates = {name: template for name, template in known.items() if template is not None}
        flow = load_flow(file, texts[file], self.space, templates).value
        offered = {name: self.template_text(name) for name in self.templates} | beside
        wanted = offered if flow is None else used_templates(flow)
        return {name: text for name, text in sorted(offered.items()) if name in wanted}


def is_flow(text: str) -> bool:
    """Return True if a YAML text has the key of a flow at its top; other files beside flows are not.

    ``enter`` and ``steps`` count as well, so that a flow without ``flow`` is reported.
    """
    return _HEADS.search(text) is not None


def load_project(files: Mapping[str, str], check_source: SourceCheck | None = None) -> Project:
    """Load the files of one folder: a path with its text each, in any order.

    ``check_source`` is the sandbox that is to run the code in them.
    """
    templates, problems = dict[str, Template](), list[Problem]()
    broken: dict[str, Template] = {}
    paths: dict[str, str] = {}
    for path, text in sorted(files.items()):
        if match := _TEMPLATE.fullmatch(path):
            loaded = load_template(match[1], text, path)
            problems += loaded.problems
            paths[f"messages/{match[1]}"] = path
            if loaded.value is not None:
                templates[match[1]] = loaded.value
            else:
                broken[match[1]] = Template(match[1], "", (), ())
    space = Space()
    for path, text in files.items():
        if _base(path) == SPACE:
            readable, read = load_space_partly(path, text)
            problems += read.problems
            space = readable or space
    flows = list[Flow]()
    flow_files = [p for p in sorted(files) if _YAML.fullmatch(p) and _base(p) != SPACE]
    stems = frozenset(match[1] for path in flow_files if (match := _YAML.fullmatch(path)))
    for path in flow_files:
        flow = load_flow(path, files[path], space, {**templates, **broken}, stems, check_source)
        problems += flow.problems
        if flow.value is not None and flow.value.id in paths:
            said = f'flow "{flow.value.id}" is in {paths[flow.value.id]} too'
            problems.append(Problem(path, 1, 1, 1, "duplicate-flow", said))
        elif flow.value is not None:
            flows.append(flow.value)
            paths[flow.value.id] = path
    problems += owned_twice(flows, space, paths, files)
    return Project(
        space, tuple(flows), templates, tuple(problems), dict(files), paths, tuple(flow_files)
    )


def _base(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]


def templates_beside(file: str, paths: Iterable[str]) -> dict[str, str]:
    """Return by name the paths of the templates in ``messages`` beside a file of a subfolder."""
    folder = f"{file.rpartition('/')[0]}/messages/"
    found = (path for path in paths if path.startswith(folder))
    return {path.removeprefix(folder).removesuffix(".liquid"): path for path in found}


def used_templates(flow: Flow) -> set[str]:
    """Return the names of the templates that a flow sends."""
    steps = (*flow.steps, *flow.on_exit)
    return {used.name for step in steps for used in templates_of(step.verb)}


def owned_twice(
    flows: Sequence[Flow], space: Space, paths: Mapping[str, str], files: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield problems at both places of everything that two flows claim; ``paths`` maps flows to files."""
    by_id = {flow.id: flow for flow in flows}
    for clash in clashes(flows, space):
        if _never_together(by_id[clash.one.flow], by_id[clash.other.flow], space):
            continue
        for one, other in ((clash.one, clash.other), (clash.other, clash.one)):
            path, there = paths[one.flow], paths[other.flow]
            line, _ = Source(there, files[there]).place(_span(there, files[there], other)[0])
            report = Report(Source(path, files[path]))
            said = f'flow "{other.flow}" has the {clash.what}, too'
            known = f"see {there}:{line}; only one flow can have it"
            report.add(_span(path, files[path], one), "owned-twice", said, known)
            yield from report.done(None).problems


def _never_together(one: Flow, other: Flow, space: Space) -> bool:
    """Return True if the schedule of one flow ends before the other's starts (R13)."""
    (start, end), (starts, ends) = (
        flow.schedule.instants(find_zone(flow.zone, space.zone)) for flow in (one, other)
    )
    first = end is not None and starts is not None and end <= starts
    return first or (ends is not None and start is not None and ends <= start)


def _span(path: str, text: str, claim: Claim) -> tuple[int, int]:
    """Return the place of what a trigger claims."""
    root = nodes.compose(Report(Source(path, text)))
    assert isinstance(root, nodes.Mapping)
    key = "inbound" if isinstance(claim.trigger, OnInbound) else "number"
    return place(root, "enter", claim.number, key)
