"""The page about a flow's file: its keys, triggers, exits, goals and steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from docs.generating import markdown
from docs.generating.schema import Schema, kind, needed
from transforms.authoring.json_schema import schema_of_value
from transforms.flows.definitions.exits import EXIT_KINDS, GOAL
from transforms.flows.definitions.flow import FLOW, SCHEDULE
from transforms.flows.definitions.forms import StepName
from transforms.flows.definitions.shapes import CaseKind, Field, Inline, Shape, StepKind, Variant
from transforms.flows.definitions.steps.kinds import STEP_KINDS
from transforms.flows.definitions.steps.waits import CASES, CaseStatus
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS
from transforms.flows.definitions.values import REENTER
from transforms.flows.protocol.signals import AWAITED_STATUSES

HEAD = ("key", "value", "meaning")
INTRO = """
A flow is one YAML file, `NAME.yaml`. Beside it are [space.yaml](space.md), which flows share,
and a folder `messages` with templates. There is one way to write each thing; `towpath fmt` writes
it. Aliases, anchors, tags and repeated keys are refused, and so are files over 256 KiB,
values nested deeper than 30, and flows of more than 500 steps.

Names of flows, steps, goals, audiences and channels are small letters, digits and `_`. A step's
name is its identity: numbers and running sessions refer to it.
"""
THEN = Field(
    "then",
    StepName(falls=True),
    "The step to go on with; without it the next in the file, and after the last the session ends.",
)


def page() -> str:
    """Write the page."""
    return markdown.page(
        "Flows",
        INTRO,
        table(FLOW),
        "## schedule",
        table(SCHEDULE),
        "## reenter",
        "`never` lets each user (and key) in once. Else:",
        table(REENTER),
        "## enter",
        "A list of triggers. Each may have its own `reenter`. What an entry was refused for is an "
        "output with a [reason](reasons.md#entries).",
        *variants(TRIGGER_KINDS),
        "## exit",
        *variants(EXIT_KINDS),
        "## goals",
        "A map of names. Each is counted once per session, outside the holdout and inside.",
        table(GOAL),
        markdown.block(GOAL.example, "yaml"),
        "## steps",
        f"Each has exactly one verb. `then`, where a step has it: {_small(THEN.text)} "
        "A step that another one branches to may not be fallen into. A loop needs a wait.",
        *variants(STEP_KINDS),
        "## Cases",
        "What `wait_for` waits for. Each has a `then`; without it the next step in the file.",
        markdown.table(("case", "happens when"), dict.fromkeys(map(_case, CASES))),
        "Statuses are " + ", ".join(f"`{status}`" for status in AWAITED_STATUSES) + ".",
    )


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def variants(kinds: Iterable[Variant]) -> Iterator[str]:
    """Describe each kind of a thing under the key that makes it one."""
    groups: dict[str, list[Variant]] = {}
    for variant in kinds:
        groups.setdefault(variant.leads[0], []).append(variant)
    for lead, several in groups.items():
        yield f"### {lead}"
        yield " ".join(variant.about for variant in several)
        yield table(*several)
        yield markdown.block("\n".join(variant.example for variant in several), "yaml")


def table(*shapes: Shape) -> str:
    """Set the keys of one thing as a table; those that must be there are bold."""
    found: dict[str, list[Field]] = {}
    for shape in shapes:
        for field in fields_of(shape):
            found.setdefault(field.key, []).append(field)
    rows = []
    for key, several in found.items():
        always = len(several) == len(shapes) and all(field.needed for field in several)
        kinds = dict.fromkeys(kind(schema_of_value(field.form)) for field in several)
        texts = dict.fromkeys(field.text for field in several)
        rows.append(
            (f"**`{key}`**" if always else f"`{key}`", ", or ".join(kinds), " ".join(texts))
        )
    return markdown.table(HEAD, rows)


def fields_of(shape: Shape) -> Iterator[Field]:
    """Yield the keys of a map, with those of structs whose keys are among them."""
    for field in shape.fields:
        if isinstance(field.form, Inline):
            yield from fields_of(field.form.shape)
        else:
            yield field
    if isinstance(shape, StepKind) and shape.goes_on == "then":
        yield THEN


def _case(case: CaseKind) -> tuple[str, str]:
    keys = [field.key for field in fields_of(case) if field.key != "then"]
    lead = "a status" if case.struct is CaseStatus else f"`{keys[0]}`"
    others = ", ".join(f"`{key}`" for key in keys[1:])
    return f"{lead} with {others}" if others else lead, case.about


def keys(schema: Schema, about: Mapping[str, str]) -> str:
    """Set the keys of a map with a JSON Schema as a table; those that must be there are bold."""
    rows = []
    for key, value in schema["properties"].items():
        name = f"**`{key}`**" if needed(schema, key) else f"`{key}`"
        rows.append((name, kind(value), about[key]))
    return markdown.table(HEAD, rows)
