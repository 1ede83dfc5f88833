"""The page about a flow's file: its keys, triggers, exits, goals and steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from docs.generating import flow_texts as texts
from docs.generating import markdown
from docs.generating.schema import Schema, kind, needed
from docs.generating.trigger_texts import TRIGGERS
from transforms.authoring.json_schema import flow_schema
from transforms.flows.reading.waits import AWAITED

HEAD = ("key", "value", "meaning")
INTRO = """
A flow is one YAML file, `NAME.yaml`. Beside it stand [space.yaml](space.md), which flows share,
and a folder `messages` with templates. There is one way to write each thing; `towpath fmt` writes
it. Aliases, anchors, tags and keys that stand twice are refused, and so are files over 256 KiB,
values nested deeper than 30, and flows of more than 500 steps.

Names of flows, steps, goals, audiences and channels are small letters, digits and `_`. A step's
name is its identity: numbers and running sessions refer to it.
"""


def page() -> str:
    """Write the page."""
    schema = flow_schema()
    parts = schema["$defs"]
    return markdown.page(
        "Flows",
        INTRO,
        keys(schema, texts.FLOW),
        "## schedule",
        keys(parts["schedule"], texts.SCHEDULE),
        "## reenter",
        "`never` lets each user (and key) in once. Else:",
        keys(parts["reenter"]["anyOf"][1], texts.REENTER),
        "## enter",
        "A list of triggers. Each may have its own `reenter`. What an entry was refused for is an "
        "output with a [reason](reasons.md#entries).",
        *variants(parts["trigger"]["anyOf"], TRIGGERS, {"reenter": texts.REENTER_OF_TRIGGER}),
        "## exit",
        *variants(parts["exit"]["anyOf"], texts.EXITS, {}),
        "## goals",
        "A map of names. Each is counted once per session, outside the holdout and inside.",
        keys(parts["goal"], texts.GOAL),
        markdown.block(texts.GOAL_EXAMPLE, "yaml"),
        "## steps",
        f"Each has exactly one verb. `then`, where a step has it: {_small(texts.THEN)} "
        "A step that another one branches to may not be fallen into. A loop needs a wait.",
        *variants(parts["step"]["anyOf"], texts.STEPS, {"then": texts.THEN}),
        "## Cases",
        "What `wait_for` waits for. Each has a `then`; without it the next step in the file.",
        markdown.table(("case", "happens when"), texts.CASES.values()),
        "Statuses are " + ", ".join(f"`{status}`" for status in AWAITED) + ".",
    )


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def keys(schema: Schema, about: Mapping[str, str]) -> str:
    """Set the keys of a map as a table; those that must be there are bold."""
    rows = []
    for key, value in schema["properties"].items():
        name = f"**`{key}`**" if needed(schema, key) else f"`{key}`"
        rows.append((name, kind(value), about[key]))
    return markdown.table(HEAD, rows)


def variants(
    schemas: list[Schema],
    known: Mapping[str, tuple[str, Mapping[str, str], str]],
    common: Mapping[str, str],
) -> Iterator[str]:
    """Describe each kind of a thing under the key that makes it one."""
    for name, (about, own, example) in known.items():
        yield f"### {name}"
        yield about
        yield keys(merged(name, schemas), {**common, **own})
        yield markdown.block(example, "yaml")


def merged(name: str, schemas: list[Schema]) -> Schema:
    """Put together the schemas of a kind of thing: the same key makes them."""
    found = [s for s in schemas if name in s["properties"] and named(s) == name]
    properties = {key: value for schema in found for key, value in schema["properties"].items()}
    required = [key for key in properties if all(needed(schema, key) for schema in found)]
    return {"properties": properties, "required": required}


def named(schema: Schema) -> str:
    """Name the kind of thing: by the key of its own that stands first among those known."""
    known = {**texts.STEPS, **TRIGGERS, **texts.EXITS}
    own = [key for key in schema["properties"] if key in known]
    return "at" if {"at", "audience"} <= set(own) else own[0]
