"""Both YAML parsers read a text as the same nodes and the same problems."""

from __future__ import annotations

import random

import pytest

from tests.packaging.repository import ROOT
from transforms.flows.diagnostics import Report, Source
from transforms.flows.reading import nodes

TEXTS = [
    path.read_text("utf-8")[:1500]
    for top in ("flow_defs", "tests/scenarios")
    for path in sorted((ROOT / top).rglob("*.yaml"))
]
INSERTED = [
    *":-{}[],'\"#|>&*!%@`?\t\n \\é\u2028\ufeff\x85\x00~",
    "\r\n",
    "- ",
    "? ",
    "--- ",
    "...\n",
]


def read(text: str) -> object:
    """Return the nodes of a text, and its problems."""
    report = Report(Source("f.yaml", text))
    root = nodes.compose(report)
    return report.done(root)


def damaged(rng: random.Random) -> str:
    """Return a text with a few characters deleted, replaced or inserted."""
    text = rng.choice(TEXTS)
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(INSERTED) + text[at + rng.choice((0, 0, 1, 5)) :]
    return text


def test_both_parsers_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text has the same nodes, places and problems with libyaml as without."""
    rng = random.Random(1)
    texts = [damaged(rng) for _ in range(1_000)]
    fast = [read(text) for text in texts]
    monkeypatch.setattr(nodes, "_FAST", None)

    for text, found in zip(texts, fast, strict=True):
        assert read(text) == found, text


def test_libyaml_is_used() -> None:
    """The parser of the environment is the fast one: the comparison compares two parsers."""
    assert nodes._FAST is not None
    source = Source("f.yaml", TEXTS[0])
    assert nodes._compose_fast(source) is not None
