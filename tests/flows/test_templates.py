"""Templates: what they read, how they render, and limits against endless output."""

from __future__ import annotations

import time

import pytest

from transforms.flows.definitions.space import Template
from transforms.flows.templates.message_template import TemplateError, load_template, render

NOON = 1_767_268_800_000
"""2026-01-01 12:00 UTC."""


def template(text: str) -> Template:
    """Load a template that has no problems."""
    loaded = load_template("t", text)
    assert loaded.problems == ()
    assert loaded.value is not None
    return loaded.value


def body(text: str, at: int = NOON, **data: object) -> str:
    """Render a template without front matter."""
    return render(template(text), data, at)["body"]


def test_front_matter_gives_fields() -> None:
    """Front matter gives fields, each of them Liquid; the rest is the body."""
    found = template("---\nsubject: Hi {{ user.name }}\n\nfrom: shop\n---\nDear {{ user.name }},\n")

    assert render(found, {"user": {"name": "Ann"}}, 0) == {
        "subject": "Hi Ann", "from": "shop", "body": "Dear Ann,\n",
    }  # fmt: skip


def test_reads_lists_every_path() -> None:
    """Every path that is read from outside is listed, in fields, loops and filters."""
    found = template(
        "---\nsubject: '{{ entry.total }}'\n---\n"
        "{% for item in data.items %}{{ item.name }}{{ forloop.index }}{% endfor %}"
        "{% assign x = user.name | default: session.nick %}{{ x }}{{ entry.lines[0].price }}"
        '{% if user["plan"] == flow.id %}{{ now }}{% endif %}'
    )

    assert found.reads == (
        ("data", "items"), ("entry", "lines"), ("entry", "total"), ("flow", "id"), ("now",),
        ("session", "nick"), ("user", "name"), ("user", "plan"),
    )  # fmt: skip


def test_the_version_is_a_hash_of_the_text() -> None:
    """The version is a hash of the text."""
    assert template("a").version == template("a").version
    assert template("a").version != template("b").version


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("text", '<b> "x" & y'),
        ("html", "&lt;b&gt; &#34;x&#34; &amp; y"),
        ("json", '<b> \\"x\\" & y'),
    ],
)
def test_escaping_by_type(kind: str, shown: str) -> None:
    """The body is escaped by its type; other fields are plain text."""
    found = template(f"---\nsubject: '{{{{ user.n }}}}'\ntype: {kind}\n---\n{{{{ user.n }}}}")
    data = {"user": {"n": '<b> "x" & y'}}

    assert render(found, data, 0) == {"subject": "'<b> \"x\" & y'", "type": kind, "body": shown}


def test_json_filter() -> None:
    """In JSON, the json filter writes a whole value."""
    found = template('---\ntype: json\n---\n{"items": {{ data.items | json }}}')

    assert render(found, {"data": {"items": [1, "a\n"]}}, 0)["body"] == '{"items": [1,"a\\n"]}'


def test_now_is_an_argument() -> None:
    """All dates in a template use the instant for which it is rendered, in the user's zone (R16)."""
    text = '{{ now | date: "%H:%M" }} {{ "now" | date: "%-d.%-m.%Y" }} {{ "today" | date: "%A" }}'

    assert body(text) == "12:00 1.1.2026 Thursday"
    assert body(text, user={"timezone": "Asia/Tokyo"}) == "21:00 1.1.2026 Thursday"
    assert body(text, user={"timezone": "Mars"}, flow={"zone": "Asia/Tokyo"})[:5] == "21:00"
    assert body("{{ now }}") == "2026-01-01T12:00:00+00:00"


def test_dates_may_be_milliseconds_or_iso_text() -> None:
    """Dates are ms since 1970 or ISO text; any other value is left unchanged."""
    text = '{{ entry.at | date: "%d.%m.%y %k" }}'

    assert body(text, entry={"at": NOON}) == "01.01.26 %k"
    assert body(text, entry={"at": "2026-03-01"}) == "01.03.26 %k"
    assert body(text, entry={"at": "2026-03-01T23:30:00-05:00"}) == "02.03.26 %k"
    assert body(text, entry={"at": "soon"}) == "soon"
    assert body(text, entry={}) == ""


def test_missing_values_are_empty() -> None:
    """A missing value renders as an empty text."""
    assert body("<{{ user.name }}{{ entry.a.b.c }}>") == "<>"


def test_templates_cannot_reach_attributes() -> None:
    """A template reaches no attribute of the values that it is given."""
    assert body("<{{ user.name.__class__ }}{{ user.keys }}>", user={"name": "x"}) == "<>"


@pytest.mark.parametrize(
    "bomb",
    [
        "{% for i in (1..100000) %}{% for j in (1..100000) %}x{% endfor %}{% endfor %}",
        "{% for i in (1..400) %}{% for j in (1..400) %}{% endfor %}{% endfor %}",
        "{% for i in (1..1000000000) reversed limit: 1 %}{% endfor %}",
        "{% for i in (1..user.n) offset: 999999999 limit: -999999998 %}{% endfor %}",
        "{% assign x = 'aaaaaaaaaa' %}{% for i in (1..99) %}{% assign x = x | append: x %}{% endfor %}",
        "{% assign x = 9 %}{% for i in (1..99) %}{% assign x = x | times: x %}{% endfor %}{{ x }}",
        "{{ user.s | replace: 'a', user.s | replace: 'a', user.s | replace: 'a', user.s }}",
        "{{ (1..1000000000) | join: ',' }}",
        "{{ user.l | join: user.s }}",
        "{% for i in (1..5000) %}{{ user.s }}{% endfor %}",
        "{% capture x %}{% for i in (1..5000) %}{{ user.s }}{% endfor %}{% endcapture %}",
        "{{ 1 | divided_by: 0 }}",
        "{% break %}",
    ],
)
def test_excessive_templates_are_stopped(bomb: str) -> None:
    """A template with endless loops or output is stopped at once."""
    data = {"user": {"n": 10**9, "s": "a" * 1000, "l": list(range(1000))}}
    found = template(bomb)
    begun = time.thread_time()
    with pytest.raises(TemplateError):
        render(found, data, 0)

    assert time.thread_time() - begun < 5


@pytest.mark.parametrize("tag", ["include 'x'", "render 'x'", "tablerow a in user.b", "layout 'x'"])
def test_unsupported_tags_are_refused(tag: str) -> None:
    """Tags that load other templates, and other unsupported tags, are refused."""
    assert [p.code for p in load_template("t", f"{{% {tag} %}}").problems] == ["template-syntax"]


def test_a_template_is_limited_in_size() -> None:
    """A template that is too large is refused."""
    assert load_template("t", "x" * 300_000).problems[0].code == "too-large"
