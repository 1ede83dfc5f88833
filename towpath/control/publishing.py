"""Publishing: the records of new versions, and of the space if it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from towpath.control.preview import Preview, preview, words_of
from towpath.control.proposals import Change, Proposal
from towpath.control.situation import Refused, Situation
from transforms.flows.protocol.control_records import ControlRecord, Publish, SetSpace
from transforms.flows.reading.project import Project


def space_in(records: Sequence[ControlRecord], at: int) -> str | None:
    """Return the text of the space as of an instant, None if the log has none."""
    found = [r for r in records if isinstance(r, SetSpace) and r.effective_at <= at]
    found.sort(key=lambda record: (record.effective_at, record.sequence))
    return found[-1].text if found else None


def publish(
    situation: Situation,
    project: Project,
    flows: Sequence[str],
    *,
    space: bool,
    migrate: bool,
    successors: Mapping[str, str],
) -> tuple[Proposal, tuple[Preview, ...]]:
    """Propose to publish flows of a project, those whose text or templates differ.

    ``space``: publish the text of the space first, if it differs. Raises Refused.
    """
    records = list[ControlRecord]()
    held = space_in(situation.records, situation.at)
    if space and project.space_text is not None and project.space_text != held:
        records.append(SetSpace(**situation.head(), text=project.space_text))
    before = dict[str, Publish | None]()
    for name in flows:
        last = last_version(situation.records, name)
        text, templates = project.flow_text(name), project.template_texts(name)
        if last is not None and last.effective_at > situation.at:
            when = situation.show(last.effective_at)
            raise Refused(f"version {last.version} of {name} is published already, from {when}")
        if last is None or (last.text, last.templates) != (text, templates):
            before[name] = last
            head = situation.head(len(records))
            version = 1 if last is None else last.version + 1
            records.append(
                Publish(
                    **head, flow=name, version=version, text=text, templates=templates,
                    migrate=migrate and last is not None,
                    successors=dict(successors) if last is not None else {},
                )
            )  # fmt: skip
    if not records:
        raise Refused("nothing to publish: the log has these flows and this space already")
    after = situation.with_records(records)
    previews = tuple(
        preview(record, before[record.flow], after, situation.sessions_of(record.flow))
        for record in records
        if isinstance(record, Publish)
    )
    changes = [_space_change(held)] if isinstance(records[0], SetSpace) else []
    changes += [_change(situation, shown, migrate=migrate) for shown in previews]
    drafts = [p.flow for p in previews if after.at(situation.at).by_id[p.flow].status == "draft"]
    hint = f"towpath flows start {' '.join(drafts)}" if drafts else "towpath flows list"
    return Proposal(tuple(records), tuple(changes), hint), previews


def last_version(records: Sequence[ControlRecord], flow: str) -> Publish | None:
    """Return the record of the highest version of a flow."""
    found = [r for r in records if isinstance(r, Publish) and r.flow == flow]
    return max(found, key=lambda record: record.version, default=None)


def _space_change(held: str | None) -> Change:
    what = "first settings and audiences" if held is None else "other settings or audiences"
    return Change("space", None, (f"{what} of the space",), concerns=False)


def _change(situation: Situation, shown: Preview, *, migrate: bool) -> Change:
    words = list(words_of(shown))
    if shown.before is not None and not migrate:
        words.append("running sessions keep their version")
    return Change(
        "publish", shown.flow, tuple(words),
        None if shown.before is None else f"version {shown.before}", f"version {shown.version}",
        situation.sessions_of(shown.flow), shown.ends, concerns=migrate and shown.before is not None,
    )  # fmt: skip
