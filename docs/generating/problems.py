"""The page about problems: each code with a broken file and the exact message."""

from __future__ import annotations

import re
from pathlib import Path

from docs.generating import markdown

FOLDER = Path(__file__).parents[2] / "tests" / "flow_errors"
CODE = re.compile(r"\[([a-z-]+)\]$", re.MULTILINE)
PLACE = re.compile(r"^(\S+?):(\d+):\d+: ", re.MULTILINE)
AROUND = 2

INTRO = """
`towpath check` reports all problems at once: file, line and column, what is wrong, how to fix it,
and a code in brackets. Warnings do not change the exit code. This page shows the codes that
the project's tests cover, each with an excerpt of a broken file and the exact message. There are
a few more codes for rare mistakes. The files are in
[tests/flow_errors](../../tests/flow_errors/README.md).
"""


def page() -> str:
    """Return the page."""
    cases = [(path, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.rglob("*.out"))]
    parts: list[str] = []
    shown: set[str] = set()
    for path, output in sorted(cases, key=lambda case: (_first(case[1]), case[0])):
        code = _first(output)
        if len(CODE.findall(output)) > 1 and path.stem == "several":
            continue
        if code not in shown:
            parts.append(f"## {code}")
            shown.add(code)
        source = _source(path)
        language = "liquid" if source.suffix == ".liquid" else "text"
        parts.append(markdown.block(_excerpt(source, output), language))
        parts.append(markdown.block(output, "text"))
    for code in sorted(codes() - shown):
        parts += [f"## {code}", f"See {_beside(code, cases)}."]
        shown.add(code)
    links = " ".join(f"[{code}](#{code})" for code in sorted(shown))
    return markdown.page("Problems", INTRO, links, *parts)


def codes() -> set[str]:
    """Return every code on the page."""
    texts = (path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.out"))
    return {code for output in texts for code in CODE.findall(output)}


def _beside(code: str, cases: list[tuple[Path, str]]) -> str:
    """Link to the problem with which a code is shown."""
    first = next(
        _first(output)
        for path, output in cases
        if code in CODE.findall(output) and path.stem != "several"
    )
    return f"[{first}](#{first})"


def _first(output: str) -> str:
    found = CODE.search(output)
    assert found is not None
    return found[1]


def _source(path: Path) -> Path:
    return next(p for p in (path.with_suffix(".yaml"), path.with_suffix(".liquid")) if p.is_file())


def _excerpt(source: Path, output: str) -> str:
    """Return the lines around the first problem."""
    found = PLACE.search(output)
    at = int(found[2]) if found else 1
    lines = source.read_text(encoding="utf-8").split("\n")
    first = max(0, at - 1 - AROUND)
    return "\n".join(line.expandtabs(4) for line in lines[first : at + AROUND]).rstrip()
