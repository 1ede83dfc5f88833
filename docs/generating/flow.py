"""The page about a flow's file: its keys, triggers, exits, goals and steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from docs.generating import markdown
from docs.generating.schema import Schema, kind, needed
from transforms.authoring.json_schema import schema_of_value
from transforms.flows.definitions.flow import EXIT_KINDS, FLOW, GOAL_KINDS, SCHEDULE
from transforms.flows.definitions.forms import StepName
from transforms.flows.definitions.shapes import CaseKind, Field, Inline, Shape, StepKind, Variant
from transforms.flows.definitions.steps.kinds import STEP_KINDS
from transforms.flows.definitions.steps.waits import CASES, CaseStatus
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS
from transforms.flows.definitions.values import REENTER
from transforms.flows.protocol.signals import AWAITED_STATUSES

HEAD = ("key", "value", "meaning")
INTRO = """
A flow is one YAML file, `NAME.yaml`. Next to it are [space.yaml](space.md), which is shared by all
flows of the folder, and a folder `messages` with templates. `towpath fmt` formats flows.
YAML aliases, anchors, tags and repeated keys are refused, and so are files over 256 KiB, more
than 30 levels of nesting, and more than 500 steps.

Names of flows, steps, goals, audiences and channels consist of lower-case letters, digits and `_`.
The name of a step is its identity: metrics and live sessions refer to it.
"""
THEN = Field(
    "then",
    StepName(falls=True),
    "The next step. By default the next one in the file; after the last step the session ends.",
)


def page() -> str:
    """Return the page."""
    return markdown.page(
        "Flows",
        INTRO,
        table(FLOW),
        "## schedule",
        table(SCHEDULE),
        "## reenter",
        "`never` lets each user (and key) enter once. Otherwise:",
        table(REENTER),
        "## enter",
        "A list of triggers. Each may have its own `reenter`. A refused entry is an output with a "
        "[reason](reasons.md#entries).",
        *variants(TRIGGER_KINDS),
        "## exit",
        *variants(EXIT_KINDS),
        "## goals",
        "A map from name to goal. A goal counts once per session, including sessions in the holdout. "
        "The first conversion of a user is marked: reports count sessions and users. A goal on "
        "a condition or an audience counts when it becomes true after the entry, also if a step of the "
        "session makes it true.",
        *variants(GOAL_KINDS),
        "## steps",
        f"Each step has exactly one of the keys below that names its kind. `then`, if a step has it: "
        f"{_small(THEN.text)} "
        "A step that is the target of a branch is never reached just because it is the next one in "
        "the file. A loop must contain a wait.",
        *variants(STEP_KINDS),
        "## Cases",
        "What `wait_for` waits for. Each has a `then`, by default the next step in the file.",
        markdown.table(("case", "happens when"), dict.fromkeys(map(_case, CASES))),
        "Statuses are " + ", ".join(f"`{status}`" for status in AWAITED_STATUSES) + ".",
    )


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def variants(kinds: Iterable[Variant]) -> Iterator[str]:
    """Describe each kind under the key that identifies it."""
    groups: dict[str, list[Variant]] = {}
    for variant in kinds:
        groups.setdefault(variant.leads[0], []).append(variant)
    for lead, several in groups.items():
        yield f"### {lead}"
        yield " ".join(variant.about for variant in several)
        yield table(*several)
        yield markdown.block("\n".join(variant.example for variant in several), "yaml")


def table(*shapes: Shape) -> str:
    """Return a table of keys; required keys are bold."""
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
    """Yield the keys of a map, including those of inlined structs."""
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
    """Return a table of the keys of a JSON Schema; required keys are bold."""
    rows = []
    for key, value in schema["properties"].items():
        name = f"**`{key}`**" if needed(schema, key) else f"`{key}`"
        rows.append((name, kind(value), about[key]))
    return markdown.table(HEAD, rows)
