"""Collect the files of flows: scenarios, templates, and the part of the space that they need."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from towpath.cli import common
from towpath.portable import space_subset
from towpath.portable.archive import Archive
from towpath.scenario_files import ENDING, MESSAGES, Folder, folder
from transforms.flows.protocol.control_records import Publish
from transforms.flows.reading.project import SPACE, Project, load_project, templates_beside
from transforms.hosting import sandbox
from transforms.scenarios.grammar import read_stories
from transforms.scenarios.player import Unplayable, play_file
from transforms.scenarios.story import ScenarioFile


def pack(place: Path, flows: Iterable[str]) -> Archive:
    """Collect flows of one folder, and the flows that their scenarios use."""
    folder_files = folder(place)
    project = folder_files.project
    found = _with_scenarios(place, flows, project)
    ids, stories = tuple(found), {ident: read for ident, read in found.items() if read is not None}
    files = {f"{ident}.yaml": project.flow_text(ident) for ident in ids}
    for ident, read in stories.items():
        files[f"{ident}{ENDING}"] = "\n".join(read.lines)
        files |= _played(read, folder_files)
    messages = _messages(ids, project, files.values())
    if project.space_text is None:
        return Archive(ids, {**files, **messages})
    return _with_space(Archive(ids, {**files, SPACE: "", **messages}), folder_files, stories)


def _with_scenarios(
    place: Path, flows: Iterable[str], project: Project
) -> dict[str, ScenarioFile | None]:
    """Read the scenarios of the flows, and add the other flows that they use."""
    found, left = dict[str, ScenarioFile | None](), list(flows)
    while left:
        ident = left.pop(0)
        read = found[ident] = _stories(place / f"{ident}{ENDING}")
        named = {f for story in (read.stories if read else ()) for f in story.settings.flows or ()}
        left += sorted((named & set(project.paths)) - set(found) - set(left))
    return found


def _stories(path: Path) -> ScenarioFile | None:
    """Read the scenarios of a flow, if there are any."""
    if not path.is_file():
        return None
    text = common.read_text(path)
    read = read_stories(path.as_posix(), text)
    common.show_problems(read.problems, {path.as_posix(): text})
    if read.value is None:
        raise common.UserError(f"{path} cannot be read", code=1)
    return read.value


def _played(stories: ScenarioFile, folder_files: Folder) -> dict[str, str]:
    """Return the files that control records in the scenarios publish, with their templates."""
    texts = folder_files.texts
    found = dict[str, str]()
    for given in (given for story in stories.stories for given in story.inputs):
        if given.file is None or given.file not in texts:
            continue
        found[given.file] = texts[given.file]
        if isinstance(given.record, Publish):
            used = folder_files.project.version_templates(given.file, texts)
            beside = templates_beside(given.file, texts)
            found |= {path: texts[path] for name, path in beside.items() if name in used}
    return dict(sorted(found.items()))


def _messages(ids: Iterable[str], project: Project, texts: Iterable[str]) -> dict[str, str]:
    """Return the templates that the flows use, including those of other versions."""
    names = {name for ident in ids for name in project.template_texts(ident)}
    words = set(re.findall(r"[\w-]+", "\n".join(texts)))
    names |= set(project.templates) & words
    return {f"{MESSAGES}/{name}.liquid": project.template_text(name) for name in sorted(names)}


def _with_space(packed: Archive, folder_files: Folder, stories: dict[str, ScenarioFile]) -> Archive:
    """Add the smallest part of the space that keeps flows valid and transcripts unchanged.

    Every computed audience sets timers, so leaving out one that no flow names can change a
    transcript.
    """
    whole = folder_files.project.space_text or ""
    texts = [text for path, text in packed.files.items() if path != SPACE]
    transcripts = _transcripts(stories, folder_files.project, folder_files.texts)
    for audiences in (False, True):
        files = {**packed.files, SPACE: space_subset.needed(whole, texts, audiences)}
        project = load_project(definitions(files))
        if not project.errors and _transcripts(stories, project, files) == transcripts:
            return Archive(packed.flows, files)
    return Archive(packed.flows, {**packed.files, SPACE: whole})


def _transcripts(
    stories: dict[str, ScenarioFile], project: Project, texts: dict[str, str]
) -> list[str]:
    return [_transcript(read, project, texts) for read in stories.values()]


def _transcript(read: ScenarioFile, project: Project, texts: dict[str, str]) -> str:
    try:
        return play_file(read, project, texts, sandbox.answer)
    except Unplayable as error:
        return error.problem.message


def definitions(files: dict[str, str]) -> dict[str, str]:
    """Return the flows, the space and the templates, without scenarios and their files."""
    return {
        path: text
        for path, text in files.items()
        if path.startswith(f"{MESSAGES}/") or ("/" not in path and path.endswith(".yaml"))
    }
