"""The file of ``--assume``: for each channel, the share of messages that reach each status.

``email: {delivered: 98%, opened: 25%, clicked: 3%}``
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pipelines.replay.assumptions import DELAYS
from pipelines.replay.job import Rates
from transforms.flows.diagnostics import Loaded, Report, Source, suggest
from transforms.flows.reading.nodes import Mapping, Node, Scalar, compose

SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?%")
WHOLE = 10_000


def load_rates(text: str, path: str, channels: Iterable[str] | None = None) -> Loaded[Rates]:
    """Read the rates, in hundredths of a percent, and every problem.

    ``channels`` are the known channels; without them any name is accepted.
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
    for key, _ in root.items:
        if known is not None and key.text not in known:
            message = f'no flow sends on channel "{key.text}"'
            report.add(key.span, "unknown-channel", message, suggest(key.text, known))
    return report.done({key.text: _channel(report, key, node) for key, node in root.items})


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
        match = SHARE.fullmatch(value.text) if isinstance(value, Scalar) else None
        share = round(float(match[1]) * 100) if match else WHOLE + 1
        if share > WHOLE:
            report.add(value.span, "not-a-share", "this is not a share", "write for example 25%")
            continue
        yield status, share
