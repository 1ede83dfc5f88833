"""The charts of a page as Vega-Lite specifications: data, marks and axes; colours are CSS variables.

Names of flows, steps and goals are data only, never part of an expression or of a field's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Spec = dict[str, Any]
Values = list[dict[str, Any]]

HUES = 6
ROOM = 1.45
"""How much longer the axis of bars is than the longest, so that its label fits."""
FEW = 12
"""Up to so many points on a line are drawn as dots."""


def bars(values: Values, name: str, value: str, title: str, colour: str = "") -> Spec:
    """Draw one bar per row, in the order of the rows, with ``label`` at its end."""
    longest = max(row[value] for row in values)
    x = {
        "field": value,
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [0, longest * ROOM or 1], "nice": False},
        "axis": {"format": ",d", "tickCount": 5, "grid": False},
    }
    bar: Spec = {"mark": {"type": "bar", "tooltip": True}, "encoding": {"tooltip": _TIP}}
    if colour:
        bar["encoding"]["color"] = hues(values, colour)
    text = {
        "mark": {"type": "text", "align": "left", "dx": 5},
        "encoding": {"text": {"field": "label"}},
    }
    return _spec(values, {"x": x, "y": _names(values, name)}, layer=[bar, text], step=26)


def stacked_bars(values: Values, name: str, value: str, title: str, part: str) -> Spec:
    """Draw one bar per name, stacked by an ordered part: later parts are darker."""
    parts = list(dict.fromkeys(row[part] for row in values))
    shades = [0.25 + 0.75 * n / max(1, len(parts) - 1) for n in range(len(parts))]
    encoding = {
        "x": _amount(value, title),
        "y": _names(values, name),
        "opacity": {
            "field": part,
            "type": "ordinal",
            "title": None,
            "sort": None,
            "scale": {"type": "ordinal", "domain": parts, "range": shades},
            "legend": {"symbolFillColor": "var(--c1)", "symbolStrokeWidth": 0},
        },
        "order": {"field": "part_order", "type": "quantitative"},
        "tooltip": _TIP,
    }
    numbered = [{**row, "part_order": parts.index(row[part])} for row in values]
    return _spec(numbered, encoding, mark={"type": "bar"}, step=26)


def lines(values: Values, series: str, title: str, hue: int = 0) -> Spec:
    """Draw a line per series over the weeks; ``hue`` is the number of the first colour."""
    weeks = len({row["week"] for row in values})
    encoding = {
        "x": _time("week"),
        "y": _amount("count", title),
        "color": hues(values, series, hue),
        "tooltip": _TIP,
    }
    point = {"opacity": 1 if weeks <= FEW else 0, "size": 40, "filled": True}
    mark = {"type": "line", "strokeWidth": 2, "point": point}
    return _spec(values, encoding, mark=mark, height=200)


def weekly_bars(values: Values, series: str, title: str) -> Spec:
    """Draw a bar per week, stacked by series."""
    encoding = {
        "x": {**_time("week"), "bin": "binned"},
        "x2": {"field": "end"},
        "y": _amount("count", title),
        "color": hues(values, series),
        "tooltip": _TIP,
    }
    mark = {"type": "bar", "binSpacing": 1}
    return _spec(values, encoding, mark=mark, height=200, transform=[_ENDS])


def histogram(values: Values, series: str, axis: str, title: str) -> Spec:
    """Draw a bar from ``start`` to ``end`` per row, stacked by series."""
    encoding = {
        "x": {"field": "start", "type": "quantitative", "title": axis, "bin": "binned",
              "axis": {"grid": False, "format": ",d"}},
        "x2": {"field": "end"},
        "y": _amount("count", title),
        "color": hues(values, series),
        "tooltip": _TIP,
    }  # fmt: skip
    return _spec(values, encoding, mark={"type": "bar", "binSpacing": 1}, height=200)


def grid(values: Values, name: str, share: str) -> Spec:
    """Draw a rectangle per week and name; a higher share is darker."""
    most = max(row[share] for row in values) or 1
    encoding = {
        "x": _time("week"),
        "x2": {"field": "end"},
        "y": _names(values, name),
        "opacity": {
            "field": share,
            "type": "quantitative",
            "title": None,
            "scale": {"domain": [0, most], "range": [0.06, 1]},
            "legend": {"format": ".0%", "symbolFillColor": "var(--c1)", "symbolStrokeWidth": 0,
                       "symbolType": "square", "tickCount": 4},
        },
        "tooltip": _TIP,
    }  # fmt: skip
    mark = {"type": "rect", "stroke": "var(--page)", "strokeWidth": 0.5}
    return _spec(values, encoding, mark=mark, step=30, transform=[_ENDS])


def intervals(values: Values, name: str, series: str) -> Spec:
    """Draw a rate with its interval per name; several series are side by side."""
    encoding: Spec = {
        "y": _names(values, name),
        "color": hues(values, series),
        "tooltip": _TIP,
    }
    several = len({row[series] for row in values}) > 1
    if several:
        encoding["yOffset"] = {"field": series, "type": "nominal"}
    share = {"type": "quantitative", "title": "share of users who converted",
             "scale": {"zero": False, "nice": True, "padding": 12}, "axis": {"format": ".0%"}}  # fmt: skip
    rule = {
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {"x": {"field": "low", **share}, "x2": {"field": "high"}},
    }
    point = {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
        "encoding": {"x": {"field": "rate", **share}},
    }
    return _spec(values, encoding, layer=[rule, point], step=16 if several else 34)


def hues(values: Values, series: str, first: int = 0) -> Spec:
    """Give each value of a field a colour of its own, in the order of the rows."""
    found = list(dict.fromkeys(row[series] for row in values))
    return {
        "field": series,
        "type": "nominal",
        "title": None,
        "scale": {
            "domain": found,
            "range": [f"var(--c{(first + n) % HUES + 1})" for n in range(len(found))],
        },
        "legend": {"symbolStrokeWidth": 0, "symbolType": "square"} if len(found) > 1 else None,
    }


_TIP = {"field": "tip"}
_ENDS = {"calculate": "datum.week + 604800000", "as": "end"}


def _names(values: Values, field: str) -> Spec:
    axis = {"labelLimit": 170, "domain": False, "ticks": False, "labelPadding": 6, "grid": False}
    found = list(dict.fromkeys(row[field] for row in values))
    return {"field": field, "type": "nominal", "title": None, "sort": None,
            "scale": {"domain": found}, "axis": axis}  # fmt: skip


def _amount(field: str, title: str) -> Spec:
    axis = {"format": ",d", "tickCount": 5, "tickMinStep": 1}
    return {"field": field, "type": "quantitative", "title": title, "axis": axis}


def _time(field: str) -> Spec:
    axis = {"grid": False, "labelOverlap": True, "tickCount": 8}
    return {"field": field, "type": "temporal", "title": None, "scale": {"type": "utc"},
            "axis": axis}  # fmt: skip


def _spec(
    values: Sequence[dict[str, Any]], encoding: Spec, *, step: int = 0, height: int = 0, **more: Any
) -> Spec:
    return {
        "width": "container",
        "height": {"step": step} if step else height,
        "data": {"values": list(values)},
        "encoding": encoding,
        **more,
    }
