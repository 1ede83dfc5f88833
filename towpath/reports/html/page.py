"""The page: one HTML file with its data, styles and scripts inside, which requests nothing.

Its content security policy forbids every request, and allows only the scripts whose hashes it has.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html import escape
from importlib import resources
from typing import Any

import msgspec

from towpath.reports.html.figure import Figure, Row, counted, day, written
from towpath.reports.html.flow_figures import figures_of
from towpath.reports.html.numbers import FlowNumbers, Numbers
from towpath.reports.html.overview import overview, refused, tiles

HERE = "towpath.reports.html"
SCRIPTS = ("vega", "vega-lite")
NUMERIC = ("count", "share", "points", "money", "time")


def page_of(numbers: Numbers) -> str:
    """Write the page."""
    libraries = [_library(name) for name in SCRIPTS]
    draw = _asset("page.js")
    hashes = " ".join(f"'sha256-{_hash(text)}'" for text in (*libraries, draw))
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {hashes} 'unsafe-eval'; base-uri 'none'; form-action 'none'"
    )
    title = f"Towpath report: {numbers.name}"
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="data:,">',
        f"<title>{escape(title)}</title>",
        f"<style>{_asset('page.css')}</style>",
        "</head>",
        "<body>",
        *_body(numbers, title),
        *(f"<script>{text}</script>" for text in (*libraries, draw)),
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _body(numbers: Numbers, title: str) -> Iterator[str]:
    yield f"<header><h1>{escape(title)}</h1>"
    yield f"<p>{escape(_about(numbers))}</p>"
    if len(numbers.flows) > 1:
        options = "".join(
            f'<option value="flow-{n}">{escape(_name(flow, numbers))}</option>'
            for n, flow in enumerate(numbers.flows)
        )
        yield (
            '<p class="filter"><label>Show <select id="filter">'
            f'<option value="">all flows</option>{options}</select></label></p>'
        )
    yield "</header><main>"
    yield '<noscript><p class="note">The charts need JavaScript; every table has their numbers.</p></noscript>'
    yield '<section id="overview"><h2>Overview</h2>'
    yield from _figures([*overview(numbers), *refused(numbers)])
    yield "</section>"
    for number, flow in enumerate(numbers.flows):
        yield f'<section id="flow-{number}" class="flow"><h2>{escape(_name(flow, numbers))}</h2>'
        tiled = "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
            for name, value in tiles(flow, numbers.audit)
        )
        yield f'<dl class="tiles">{tiled}</dl>'
        yield from _figures(figures_of(flow, numbers.audit))
        yield "</section>"
    yield "</main><footer><p>Times are UTC. Charts are drawn by Vega-Lite, in this file: it requests nothing.</p>"
    yield f"<details><summary>Licences of the charting library</summary><pre>{escape(_asset('library/LICENSES.txt'))}</pre></details></footer>"


def _name(flow: FlowNumbers, numbers: Numbers) -> str:
    spaces = {found.space for found in numbers.flows}
    return f"{flow.space}: {flow.report.flow}" if len(spaces) > 1 else flow.report.flow


def _about(numbers: Numbers) -> str:
    until = day(numbers.until)
    if numbers.streamed:
        return f"From the tables of a streaming job: {counted(numbers.users, 'user')}, rows until {until}."
    read = f"A replay of {counted(numbers.records, 'record')} of {counted(numbers.users, 'user')}, until {until}."
    if numbers.audit:
        return f"{read} The messages were sent when the events were recorded."
    return (
        f"{read} Nothing was sent: messages are those that would be sent, and conversions are what "
        "users do without them."
    )


def _figures(figures: list[Figure]) -> Iterator[str]:
    yield '<div class="figures">'
    for figure in figures:
        yield from _figure(figure)
    yield "</div>"


def _figure(figure: Figure) -> Iterator[str]:
    title = escape(figure.title)
    yield '<figure class="wide">' if figure.wide else "<figure>"
    yield f"<figcaption><h3>{title}</h3><p>{escape(figure.note)}</p></figcaption>"
    for chart in figure.charts:
        yield (
            f'<div class="chart" role="img" aria-label="Chart: {title}. The table has its numbers.">'
            f'<script type="application/json">{_json(chart)}</script></div>'
        )
    if figure.rows:
        table = "".join(_table(figure))
        if figure.charts:
            yield f"<details><summary>Table: {title}</summary>{table}</details>"
        else:
            yield table
    yield "</figure>"


def _table(figure: Figure) -> Iterator[str]:
    yield '<div class="scroll" tabindex="0"><table><thead><tr>'
    for column in figure.columns:
        yield f'<th scope="col"{_class(column.kind)}>{escape(column.name)}</th>'
    yield "</tr></thead><tbody>"
    for row in figure.rows:
        yield "<tr>"
        yield from _cells(figure, row)
        yield "</tr>"
    yield "</tbody></table></div>"


def _cells(figure: Figure, row: Row) -> Iterator[str]:
    for number, (column, value) in enumerate(zip(figure.columns, row, strict=True)):
        text = escape(written(value, column.kind))
        if number:
            yield f"<td{_class(column.kind)}>{text}</td>"
        else:
            yield f'<th scope="row">{text}</th>'


def _class(kind: str) -> str:
    return ' class="number"' if kind in NUMERIC else ""


def _json(value: Any) -> str:
    """Encode data for a script element: nothing in it can end the element."""
    text = msgspec.json.encode(value).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def _asset(name: str) -> str:
    return resources.files(HERE).joinpath(name).read_text("utf-8")


@cache
def _library(name: str) -> str:
    """Read a script of the charting library; raise ``ValueError`` if it was changed."""
    data = resources.files(HERE).joinpath(f"library/{name}.min.js.gz").read_bytes()
    text = gzip.decompress(data).decode()
    if msgspec.json.decode(_asset("library/hashes.json"))[name] != _hash(text):
        raise ValueError(f"{name}: not the script that the package was made with")
    return text


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()
