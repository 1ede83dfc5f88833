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
        "{% for i in (1..99) %}{% capture x %}{% for j in (1..99) %}"
        + "{{ user.s }}" * 9
        + "{% endfor %}{% endcapture %}{% endfor %}",
        "{% for i in (1..5000) %}" + "{% if 1 == 2 %}{% endif %}" * 2000 + "{% endfor %}",
        "{% for i in (1..5000) %}{{ user.s" + " | upcase | downcase" * 150 + " }}{% endfor %}",
        "{% for i in (1..5000) %}{% if user.l == user.m %}{% endif %}{% endfor %}",
        "{% for i in (1..5000) %}{% if (1..5000) contains 2.5 %}{% endif %}{% endfor %}",
        "{% for i in (1..99) %}{% assign y = user.l | concat: user.l | uniq %}{% endfor %}",
        "{{ 1 | divided_by: 0 }}",
        "{% break %}",
    ],
)
def test_excessive_templates_are_stopped(bomb: str) -> None:
    """A template with endless loops or output is stopped at once."""
    numbers = list(range(1000))
    data = {"user": {"n": 10**9, "s": "a" * 1000, "l": numbers, "m": [*numbers]}}
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


@pytest.mark.parametrize(
    "reader",
    [
        "{{ R }}",
        "{{ R | first }}",
        "{{ 'a' | append: R }}",
        "{{ user.l | where: 'a', R }}",
        "{% assign x = R %}",
        "{% assign x = R | size %}",
        "{% echo R %}",
        "{% cycle R, 2 %}",
        "{% case R %}{% when 1 %}{% endcase %}",
        "{% case 1 %}{% when R %}{% endcase %}",
        "{% for i in R %}{% endfor %}",
        "{% for i in user.l limit: R %}{% endfor %}",
        "{% for i in user.l offset: R %}{% endfor %}",
        "{% for i in (1..2) %}{% if R contains 'x' %}{% endif %}{% endfor %}",
        "{% for i in user.none %}{% else %}{{ R }}{% endfor %}",
        "{% capture x %}{{ R }}{% endcapture %}",
        "{% ifchanged %}{{ R }}{% endifchanged %}",
        "{% unless R contains 'x' %}{% endunless %}",
        "{% if false %}{% elsif R contains 'x' %}{% endif %}",
        "{% if false %}{% else %}{{ R }}{% endif %}",
        "{% liquid\nif true and R contains 'x'\nendif %}",
        *(f"{{% if R {sign} 'x' %}}{{% endif %}}" for sign in ("==", "!=", "<>", "contains")),
        *(f"{{% if 'x' {sign} R %}}{{% endif %}}" for sign in ("==", "!=", "<>", "contains")),
        *(f"{{% if R {sign} R %}}{{% endif %}}" for sign in ("<", "<=", ">", ">=", "and", "or")),
    ],
)
def test_ranges_are_bounded_wherever_they_are_read(reader: str) -> None:
    """A range of more than 5,000 numbers fails in every operator, tag and filter."""
    found = template(reader.replace("R", "(1..1000000000000)"))

    with pytest.raises(TemplateError, match="a range has more than 5,000 numbers"):
        render(found, {"user": {"l": [1, 2, 3]}}, 0)


def test_ranges_work_as_before() -> None:
    """A range with few numbers can be compared, searched, printed and looped over."""
    text = "{% if (1..5) contains 3 %}yes{% endif %} {{ (1..user.n) }} {{ (1..3) | join: '-' }}"

    assert body(text, user={"n": 5000}) == "yes 1..5000 1-2-3"


def test_a_large_letter_renders() -> None:
    """A letter with a table of 500 rows, each with ten values and filters, is within the limits."""
    rows = [{f"v{i}": "text" * 5 for i in range(10)} for _ in range(500)]
    cells = "".join(f"<td>{{{{ row.v{i} | upcase | truncate: 8 }}}}</td>" for i in range(10))

    shown = body(f"{{% for row in data.rows %}}<tr>{cells}</tr>{{% endfor %}}", data={"rows": rows})

    assert shown.count("<td>TEXTT...</td>") == 5000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{" * 8192, "expected '}}', found end of file"),
        ("{%" * 8192, "expected '%}', found end of file"),
        ("{% raw %}" * 20_000, "tag raw is not closed"),
        ("{% doc %}" * 20_000, "tag doc is not closed"),
        (("{{" + " " * 500 + "}}") * 400, "a tag has more than 100 white spaces in a row"),
        (
            "{% comment %}" + ("{%a" + " " * 500 + "%}") * 400 + "{% endcomment %}",
            "a tag has more than 100 white spaces in a row",
        ),
        ("{{ 'a'" + " | append: 'a'" * 400 + " }}", "a tag has more than 4,096 characters"),
        ("{{ a" + "[a" * 60 + "]" * 60 + " }}", "a tag has more than 50 of"),
        ("{% if a" + " and a" * 60 + " %}{% endif %}", "a tag has more than 50 of"),
        ("{{a}}" * 6000, "the template has more than 5,000 tags"),
    ],
)
def test_a_text_is_checked_before_it_is_parsed(text: str, message: str) -> None:
    """A template that would take long to parse is refused at once, with the place."""
    begun = time.thread_time()
    problems = load_template("t", text).problems

    assert time.thread_time() - begun < 1
    assert [p.code for p in problems] == ["template-syntax"]
    assert problems[0].message.startswith(message)


def test_raw_text_and_programs_are_not_tags() -> None:
    """Braces in raw text and long programs in a liquid tag are read as before."""
    program = "\n".join(["assign x = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"] * 200)

    assert body("{% raw %}{{ {% {{{% endraw %}") == "{{ {% {{"
    assert body(f"{{% liquid\n{program}\necho x | size %}}") == "42"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\x85", "\u2028"])
def test_fields_of_the_front_matter_have_no_line_breaks(end: str) -> None:
    """A line break from the data cannot add a header: rendering fails."""
    found = template("---\nsubject: Hi {{ user.name }}\n---\nDear {{ user.name }}")
    data = {"user": {"name": f"Ann{end}Bcc: all@example.com"}}

    with pytest.raises(TemplateError, match='the field "subject" has a line break'):
        render(found, data, 0)
    assert render(template("Dear {{ user.name }}"), data, 0)["body"].startswith("Dear Ann")
