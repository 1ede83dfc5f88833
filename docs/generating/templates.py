"""The page about templates: variables, filters, tags and limits."""

from __future__ import annotations

from docs.generating import markdown
from transforms.flows.templates.language import ENVIRONMENTS
from transforms.flows.templates.limits import (
    MAX_ITEMS,
    MAX_LOOPS,
    MAX_OUTPUT,
    MAX_TAG_CHARACTERS,
    MAX_TAGS,
    MAX_WORK,
)
from transforms.flows.templates.message_template import MAX_CHARACTERS, ROOTS

INTRO = """
A template is a file `messages/NAME.liquid` in the template language
[Liquid](https://shopify.github.io/liquid/). Lines `key: text` between two lines `---` at the top
are separate fields, such as `subject`, and also Liquid; the rest is the field `body`. The field
`type` sets how values in the body are escaped: `text` (not at all), `html`, or `json` (for use
inside a JSON string). The other fields are plain text.
"""

READS = {
    "user": "traits, at the time of sending",
    "entry": "the event or record that started the session, as far as the flow keeps it",
    "session": "session variables and `session.started`, at the time when the message is created",
    "participant": "fields and status of the participant, at the time of sending",
    "data": "the values of the step's `data:`",
    "flow": "`flow.id` and `flow.version`",
    "communication": "nothing so far: always missing",
    "message": "the user's latest message to the session, when the message is created: `text`, "
    "`as_number`, `number`, `channel`, `call`, `communication`",
    "now": "the time of rendering, as ISO text",
}
INTERNAL = {"#", "content", "illegal", "output", "doc"}


def page() -> str:
    """Return the page."""
    text = ENVIRONMENTS["text"]
    bounds = (
        f"A template may have {MAX_CHARACTERS // 1024} KiB and {MAX_TAGS:,} tags, a tag "
        f"{MAX_TAG_CHARACTERS:,} characters; `towpath check` refuses a larger one. A field may "
        f"have {MAX_OUTPUT // 1024} KiB when it is rendered. Loops may run {MAX_LOOPS:,} "
        f"iterations in all; a list for a filter and a range, as in `(1..9)`, may have "
        f"{MAX_ITEMS:,} items. The work of rendering is counted, and a template that takes too "
        f"much, about {MAX_WORK // 10:,} tags and values in loops, fails. A template cannot "
        "include templates, read files or read a clock."
    )
    breaks = (
        "A field of the front matter, such as `subject`, must not have a line break when it is "
        "rendered, because it could add a header to the message: rendering fails. If a trait may "
        "have line breaks, write `{{ user.name | squish }}`."
    )
    return markdown.page(
        "Templates",
        INTRO,
        "## Variables",
        markdown.table(("name", "meaning"), ((f"`{root}`", READS[root]) for root in ROOTS)),
        "`towpath check` reports variables that do not exist.",
        "## Filters",
        " ".join(f"`{name}`" for name in sorted(text.filters)),
        "`safe` turns off the escaping of a value: use it only for texts that you control.",
        "## Tags",
        " ".join(f"`{name}`" for name in sorted(set(text.tags) - INTERNAL)),
        "## Limits",
        bounds,
        breaks,
    )
