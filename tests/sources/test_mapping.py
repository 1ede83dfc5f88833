"""A mapping is read; every problem in it is reported with its place."""

from __future__ import annotations

import pytest

from transforms.flows.diagnostics import headline
from transforms.wire.mapping import Mapping, Property, TimeColumn, column_names, load_mapping

WHOLE = """\
user: customer_id
event: {value: Purchase}
time: date
zone: Europe/Berlin
received: {column: got, unit: ms}
id: message_id
sequence: seq
properties:
  amount: {column: amount_usd, type: number}
  note: remark
"""


def test_a_complete_mapping_is_read() -> None:
    """Each key of the language is read into the value."""
    loaded = load_mapping(WHOLE, "m.yaml")

    assert loaded.problems == ()
    assert loaded.value == Mapping(
        user="customer_id",
        event_value="Purchase",
        time=TimeColumn("date"),
        zone="Europe/Berlin",
        received=TimeColumn("got", "ms"),
        id="message_id",
        sequence="seq",
        properties={"amount": Property("amount_usd", "number"), "note": Property("remark")},
    )


def test_the_columns_of_a_mapping() -> None:
    """A column used twice is listed once; a fixed event name is not a column."""
    loaded = load_mapping("user: a\nevent: b\ntime: c\nproperties: {x: a, y: d}\n", "m.yaml")

    assert loaded.value is not None
    assert column_names(loaded.value) == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["m.yaml:1:1: the file is empty [empty-file]"]),
        (
            "user: a\nevent: b\ntme: c\n",
            [
                'm.yaml:1:1: the mapping has no "time" [missing-key]',
                'm.yaml:3:1: unknown key "tme" in the mapping; did you mean "time"? [unknown-key]',
            ],
        ),
        (
            "user: a\nevent: {vale: Purchase}\ntime: {column: t, unit: sec}\nzone: Berlin\n",
            [
                (
                    'm.yaml:2:8: the event has no "value"; '
                    "write a column, or {value: Purchase} [missing-key]"
                ),
                'm.yaml:2:9: unknown key "vale" in the event; did you mean "value"? [unknown-key]',
                'm.yaml:3:25: unknown unit "sec"; there are "ms", "s" [unknown-unit]',
                'm.yaml:4:7: unknown zone "Berlin"; did you mean "Europe/Berlin"? [unknown-zone]',
            ],
        ),
        (
            (
                "user: [a]\nevent: b\ntime: {unit: s}\n"
                "properties: {x: {column: c, type: numbr}, y: {type: text}}\n"
            ),
            [
                "m.yaml:1:7: a name is expected here [not-a-text]",
                'm.yaml:3:7: there is no "column" [missing-key]',
                'm.yaml:4:35: unknown type "numbr"; did you mean "number"? [unknown-type]',
                'm.yaml:4:46: there is no "column" [missing-key]',
            ],
        ),
        (
            "user: a\nevent: b\ntime: c\nproperties: d\n",
            ["m.yaml:4:13: properties are keys and columns; write {name: column} [not-a-mapping]"],
        ),
        (
            "- user\n",
            [
                (
                    "m.yaml:1:1: a mapping file has keys and values; "
                    'it begins with "user", "event", "time" [not-a-mapping]'
                )
            ],
        ),
    ],
)
def test_all_problems_are_reported_at_once(text: str, problems: list[str]) -> None:
    """Each problem has path, line, column, code and, if possible, a suggestion."""
    loaded = load_mapping(text, "m.yaml")

    assert [headline(problem) for problem in loaded.problems] == problems
    assert loaded.value is None
