"""Which files go with flows: their scenarios, templates, and what they need of the space."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from towpath import portable_space
from towpath.cli import common
from towpath.portable import Portable
from towpath.scenario_files import ENDING, MESSAGES, Folder, folder
from transforms.flows.load import Project, load_project
from transforms.flows.load.project import SPACE
from transforms.flows.scenario import Stories, read_stories
from transforms.flows.scenario_play import Unplayable, told


def pack(place: Path, flows: Iterable[str]) -> Portable:
    """Gather flows of one folder, and the flows that their scenarios play; ids stay."""
    beside = folder(place)
    project = beside.project
    stories = _stories(place, project)
    ids = _together(flows, stories, project)
    files = {f"{ident}.yaml": project.flow_text(ident) for ident in ids}
    for ident in ids:
        if ident in stories:
            files[f"{ident}{ENDING}"] = "\n".join(stories[ident].lines)
            files |= {name: beside.texts[name] for name in _played(stories[ident], beside)}
    messages = _messages(ids, project, files.values())
    files |= {SPACE: ""} if project.space_text is not None else {}
    packed = Portable(ids, {**files, **messages})
    chosen = {ident: read for ident, read in stories.items() if ident in ids}
    return packed if project.space_text is None else _with_space(packed, beside, chosen)


def _stories(place: Path, project: Project) -> dict[str, Stories]:
    """Read the scenarios beside the flows."""
    found = {}
    for flow in project.flows:
        path = place / f"{flow.id}{ENDING}"
        if path.is_file():
            read = read_stories(path.as_posix(), common.read_text(path))
            common.show_problems(read.problems, {path.as_posix(): common.read_text(path)})
            if read.value is None:
                raise common.UserError(f"{path} cannot be read", code=1)
            found[flow.id] = read.value
    return found


def _together(
    flows: Iterable[str], stories: dict[str, Stories], project: Project
) -> tuple[str, ...]:
    """Add the flows that scenarios of the flows play with them."""
    ids, left = dict[str, None](), list(flows)
    while left:
        ident = left.pop(0)
        ids[ident] = None
        if ident in stories:
            named = {f for story in stories[ident].stories for f in story.settings.flows or ()}
            left += sorted((named & set(project.paths)) - set(ids) - set(left))
    return tuple(ids)


def _played(stories: Stories, beside: Folder) -> list[str]:
    """Name the files that control records of the scenarios publish."""
    named = {given.file for story in stories.stories for given in story.inputs if given.file}
    return sorted(named & set(beside.texts))


def _messages(ids: Iterable[str], project: Project, texts: Iterable[str]) -> dict[str, str]:
    """Take the templates that the flows send, and those that other versions name."""
    names = {name for ident in ids for name in project.template_texts(ident)}
    words = set(re.findall(r"[\w-]+", "\n".join(texts)))
    names |= set(project.templates) & words
    return {
        f"{MESSAGES}/{name}.liquid": project.files[project.paths[f"messages/{name}"]]
        for name in sorted(names)
    }


def _with_space(packed: Portable, beside: Folder, stories: dict[str, Stories]) -> Portable:
    """Take the least of the space with which the flows have no errors and the stories stay.

    Every computed audience wakes users, so one that no flow names may show in a story.
    """
    whole = beside.project.space_text or ""
    texts = [text for path, text in packed.files.items() if path != SPACE]
    tales = _tales(stories, beside.project, beside.texts)
    for audiences in (False, True):
        files = {**packed.files, SPACE: portable_space.needed(whole, texts, audiences)}
        project = load_project(definitions(files))
        if not project.errors and _tales(stories, project, files) == tales:
            return Portable(packed.flows, files)
    return Portable(packed.flows, {**packed.files, SPACE: whole})


def _tales(stories: dict[str, Stories], project: Project, texts: dict[str, str]) -> list[str]:
    return [_tale(read, project, texts) for read in stories.values()]


def _tale(read: Stories, project: Project, texts: dict[str, str]) -> str:
    try:
        return told(read, project, texts)
    except Unplayable as error:
        return error.problem.message


def definitions(files: dict[str, str]) -> dict[str, str]:
    """Take the flows, the space and the templates, without scenarios and what those publish."""
    return {
        path: text
        for path, text in files.items()
        if path.startswith(f"{MESSAGES}/") or ("/" not in path and path.endswith(".yaml"))
    }
