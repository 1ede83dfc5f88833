"""The file of ``--assume``: what a replay cannot know.

``email: {delivered: 98%, opened: 25%, clicked: 3%}`` is the share of a channel's messages that
reach each status. ``effect: {win_back: {bought: 2%}}`` is the share of a flow's users with a message
who reach a goal because of it, of those who would not reach it otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map

import msgspec

from pipelines.replay.assumptions import DELAYS
from pipelines.replay.job import Rates
from transforms.flows.diagnostics import Loaded, Report, Source, suggest
from transforms.flows.reading.nodes import Mapping, Node, Scalar, compose

SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?%")
WHOLE = 10_000
EFFECT = "effect"


class Assumptions(msgspec.Struct, frozen=True):
    """Rates by channel and effects by flow and goal, both in hundredths of a percent.

    ``rates`` is None if the file has effects only.
    """

    rates: Rates | None
    effects: Rates


def load_rates(
    text: str,
    path: str,
    channels: Iterable[str] | None = None,
    goals: Map[str, Iterable[str]] | None = None,
) -> Loaded[Assumptions]:
    """Read the assumptions, and every problem.

    ``channels`` are the known channels, ``goals`` the known goals by flow; without them any name is
    accepted.
    """
    report = Report(Source(path, text))
    root = compose(report)
    if root is None:
        return report.done(None)
    if not isinstance(root, Mapping):
        message = "the file is not a mapping from channel to rates"
        report.add(root.span, "not-a-mapping", message, "write email: {delivered: 98%}")
        return report.done(None)
    known = None if channels is None else set(channels)
    channel_items = [(key, node) for key, node in root.items if key.text != EFFECT]
    for key, _ in channel_items:
        if known is not None and key.text not in known:
            message = f'no flow sends on channel "{key.text}"'
            report.add(key.span, "unknown-channel", message, suggest(key.text, known))
    rates = {key.text: _channel(report, key, node) for key, node in channel_items}
    effects: Rates = {}
    for key, node in root.items:
        if key.text == EFFECT:
            effects = _effects(report, key, node, goals)
    return report.done(Assumptions(rates if rates or not effects else None, effects))


def _effects(
    report: Report, key: Scalar, node: Node, goals: Map[str, Iterable[str]] | None
) -> Rates:
    """Read the effects: a share for each goal of each flow."""
    found: Rates = {}
    for flow, inner in _items(report, key, node, goals, "flow"):
        known = None if goals is None else dict.fromkeys(goals.get(flow.text, ()))
        found[flow.text] = {
            goal.text: share
            for goal, value in _items(report, flow, inner, known, "goal")
            if (share := _share(report, value)) is not None
        }
    return found


def _items(
    report: Report, key: Scalar, node: Node, known: Map[str, object] | None, what: str
) -> Iterator[tuple[Scalar, Node]]:
    if not isinstance(node, Mapping):
        message = f'"{key.text}" is not a mapping from {what} to its effect'
        report.add(node.span, "not-a-mapping", message, "write effect: {win_back: {bought: 2%}}")
        return
    for name, value in node.items:
        if known is not None and name.text not in known:
            message = f'there is no {what} "{name.text}"'
            report.add(name.span, f"unknown-{what}", message, suggest(name.text, known))
            continue
        yield name, value


def _channel(report: Report, key: Scalar, node: Node) -> dict[str, int]:
    if not isinstance(node, Mapping):
        message = f'the rates of "{key.text}" are not a mapping from status to share'
        report.add(node.span, "not-a-mapping", message, "write {delivered: 98%, opened: 25%}")
        return {}
    found = {status.text: rate for status, rate in _rates(report, node)}
    ordered = {status: found[status] for status in DELAYS if status in found}
    shares = list(ordered.values())
    if shares != sorted(shares, reverse=True):
        message = f'the rates of "{key.text}" increase from {" to ".join(ordered)}'
        report.add(
            key.span,
            "impossible-rates",
            message,
            "a clicked message was opened, an opened one delivered",
        )
    return ordered


def _rates(report: Report, node: Mapping) -> Iterator[tuple[Scalar, int]]:
    for status, value in node.items:
        if status.text not in DELAYS:
            message = f'there is no rate for status "{status.text}"'
            report.add(status.span, "unknown-status", message, suggest(status.text, DELAYS))
            continue
        share = _share(report, value)
        if share is not None:
            yield status, share


def _share(report: Report, value: Node) -> int | None:
    match = SHARE.fullmatch(value.text) if isinstance(value, Scalar) else None
    share = round(float(match[1]) * 100) if match else WHOLE + 1
    if share > WHOLE:
        report.add(value.span, "not-a-share", "this is not a share", "write for example 25%")
        return None
    return share
