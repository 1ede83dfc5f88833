"""Pictures of flows: complete, without overlaps, and safe for any name."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flows.strategies import SPACE, TEMPLATES, flows
from transforms.authoring.graph import END, Edge, Graph, Node, graph_of
from transforms.authoring.graph_layout import Link, place
from transforms.authoring.graph_mermaid import to_mermaid
from transforms.authoring.graph_svg import measure, to_svg, wrap
from transforms.flows.reading.flow import load_flow

SVG = "{http://www.w3.org/2000/svg}"
CART = """
flow: cart
about: Reminds people who leave a full cart.
enter:
  - event: Cart Updated
    where: event.value >= 20
exit:
  - event: Order Completed
goals:
  bought: {event: Order Completed, within: 3d}
on_exit:
  tell: {export: crm, fields: {id: user.crm_id}}
steps:
  settle: {wait: 1h}
  who:
    if:
      - {when: entry.value >= 100, then: text}
    else: remind
  text:   {send: sms, template: welcome, then: yet}
  remind: {send: email, template: offer}
  yet:
    wait_for:
      - {opened: remind, then: done}
      - {event: Cart Updated, then: settle}
    timeout: {after: 2d, then: test}
  test:
    split: {more: 90%, control: 10% holdout}
    then: {more: done}
  done:   {end: reminded}
"""


def cart():
    return graph_of(load_flow("cart.yaml", CART, SPACE, TEMPLATES).value)


def boxes(svg):
    root = ElementTree.fromstring(svg)
    found = root.iter(f"{SVG}rect")
    wanted = [rect for rect in found if rect.get("class") in ("box", "ground")]
    return [tuple(float(rect.get(k)) for k in ("x", "y", "width", "height")) for rect in wanted]


def overlap(one, other):
    x, y, w, h = one
    x2, y2, w2, h2 = other
    return x < x2 + w2 and x2 < x + w and y < y2 + h2 and y2 < y + h


def test_the_graph_has_every_branch():
    """Each branch is an edge with its condition; branches that end the flow lead to one end box."""
    edges = {(e.source, e.target): e.label for e in cart().edges}

    assert edges == {
        ("@enter0", "settle"): "",
        ("settle", "who"): "",
        ("who", "text"): "entry.value >= 100",
        ("who", "remind"): "else",
        ("text", "yet"): "",
        ("remind", "yet"): "",
        ("yet", "done"): "remind opened",
        ("yet", "settle"): "Cart Updated",
        ("yet", "test"): "after 2d",
        ("test", "done"): "more 90%",
        ("test", END): "control 10%, holdout",
    }


def test_goals_exits_and_on_exit_steps_are_beside_the_steps():
    """What can happen at any time has a box outside the order of the steps."""
    asides = [node.id for node in cart().nodes if node.aside]

    assert asides == ["@goal.bought", "@exit0", "@on_exit.tell"]


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(flows())
def test_every_box_and_label_is_drawn_and_none_overlaps(flow):
    """In the picture of any flow all boxes and labels are drawn, and none overlaps another."""
    graph = graph_of(flow)
    found = boxes(to_svg(graph))

    loops = {edge.source for edge in graph.edges if edge.source == edge.target}
    labels = sum(bool(edge.label) and edge.source != edge.target for edge in graph.edges)

    assert len(found) == len(graph.nodes) + labels + len(loops)
    assert not [pair for pair in combinations(found, 2) if overlap(*pair)]


@settings(deadline=None, max_examples=60)
@given(flows())
def test_text_stays_within_the_picture(flow):
    """Every box and every text is within the picture."""
    root = ElementTree.fromstring(to_svg(graph_of(flow)))
    width, height = float(root.get("width")), float(root.get("height"))
    group = next(g for g in root.iter(f"{SVG}g") if (g.get("transform") or "").startswith("tr"))
    right, down = map(float, re.findall(r"[\d.]+", group.get("transform")))

    for x, y, w, h in boxes(ElementTree.tostring(root, encoding="unicode")):
        assert x + right >= 0
        assert y + down >= 0
        assert x + right + w <= width
        assert y + down + h <= height
    for text in group.iter(f"{SVG}text"):
        size = {"title": 14, "caption": 10.5, "label": 11}.get(text.get("class"), 11.5)
        room = measure(text.text or "", size)
        start = right + float(text.get("x")) - (room / 2 if size == 11 else 0)

        assert start >= 0
        assert start + room <= width


def test_text_stays_within_its_box():
    """Every line of text ends within its box, however long the names are."""
    long = "a_rather_long_name_" * 5
    node = Node("a", "send", "Send email", long, (long, "WWWWWWWW MMMMMMMM " * 8))
    root = ElementTree.fromstring(to_svg(Graph("g", "g", "", "", (node,), ())))
    ((x, y, w, h),) = boxes(ElementTree.tostring(root, encoding="unicode"))
    sizes = {"title": 14 * 1.1, "detail": 11.5}
    lines = [text for text in root.iter(f"{SVG}text") if text.get("class") in sizes]

    assert len(lines) > 3
    for text in lines:
        end = float(text.get("x")) + measure(text.text, sizes[text.get("class")])

        assert end <= x + w
        assert y < float(text.get("y")) < y + h


NASTY = '<script>alert("1")</script> & ]] --> "end" #quot;'


@pytest.mark.parametrize("draw", [to_svg, to_mermaid])
def test_markup_in_names_is_escaped(draw):
    """Markup in a name is shown as text, and creates no element."""
    nodes = (Node("a", "send", NASTY, NASTY, (NASTY,)), Node("b", "end", "End", "\x00\x0b"))
    drawn = draw(Graph("g", NASTY, NASTY, "", nodes, (Edge("a", "b", NASTY),)))

    assert "<script" not in drawn
    if draw is to_svg:
        assert ElementTree.fromstring(drawn).find(f".//{SVG}script") is None
    else:
        assert drawn.count('"') == 2 * 3
        assert "]] " not in drawn


@pytest.mark.parametrize("draw", [to_svg, to_mermaid])
def test_the_same_flow_gives_the_same_picture(draw):
    """Pictures can be committed: they change only when the flow changes."""
    assert draw(cart()) == draw(cart())


def test_a_picture_loads_nothing():
    """No script, font or address is loaded; viewers in dark mode get dark colours."""
    svg = to_svg(cart())

    assert not re.search(r"href|url\((?!#)|@import|@font-face|<script", svg)
    assert "prefers-color-scheme:dark" in svg


def test_mermaid_has_a_line_for_each_box_and_edge():
    """The Mermaid text is a flowchart with all boxes and edges of the graph."""
    graph = cart()
    text = to_mermaid(graph)

    assert text.startswith("flowchart TD\n")
    assert len(re.findall(r"^  n\d+[^ -]*\W", text, re.MULTILINE)) >= len(graph.nodes)
    assert text.count(" -->") == len(graph.edges)


NAMES = st.sampled_from("abcdefgh")
LINKS = st.lists(st.builds(Link, NAMES, NAMES, st.none() | st.just((60.0, 20.0))), max_size=16)


@settings(deadline=None, max_examples=200)
@given(LINKS)
def test_edges_never_cross_a_box(links):
    """Every edge passes between the boxes and ends at those that it connects."""
    sizes = {name: (100.0 + 20 * number, 50.0) for number, name in enumerate("abcdefgh")}
    layout = place(sizes, links)

    for link, route in zip(links, layout.routes, strict=True):
        for name, (x, y) in layout.centres.items():
            w, h = sizes[name]
            inner = (x - w / 2 + 1, y - h / 2 + 1, w - 2, h - 2)
            for point in route.points:
                assert not overlap((*point, 0.1, 0.1), inner)
        if link.source != link.target:
            for name, end in ((link.source, route.points[0]), (link.target, route.points[-1])):
                x, y = layout.centres[name]

                assert abs(end[0] - x) <= sizes[name][0] / 2
                assert abs(abs(end[1] - y) - sizes[name][1] / 2) < 0.01


@given(st.text(), st.integers(40, 200))
def test_wrapped_lines_fit_their_width(text, room):
    """Wrapped text fits its width with any letters, and long text ends with an ellipsis."""
    lines = wrap(text, 10, room, 3)

    assert len(lines) <= 3
    assert all(measure(line, 10) <= room for line in lines)
