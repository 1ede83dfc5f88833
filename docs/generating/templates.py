"""The page about templates: what they read, their filters and tags, their bounds."""

from __future__ import annotations

from docs.generating import markdown
from transforms.flows.templates.language import ENVIRONMENTS, MAX_ITEMS, MAX_LOOPS, MAX_OUTPUT
from transforms.flows.templates.message_template import MAX_CHARACTERS, ROOTS

INTRO = """
A template is `messages/NAME.liquid`, in [Liquid](https://shopify.github.io/liquid/). Lines
`key: text` between two lines `---` at the top are fields of their own (`subject` and the like),
each Liquid too; the rest is the field `body`. The field `type` says how values in the body are
escaped: `text` (not at all), `html`, or `json` (to stand within a JSON text). The other fields
are plain text.
"""

READS = {
    "user": "traits, as they are when the message leaves",
    "entry": "the event or record that the session began with, as far as the flow keeps it",
    "session": "variables of the session, and `session.started`, when the message is made",
    "participant": "fields and status of the participant, as they are when the message leaves",
    "data": "what the step gives with `data:`",
    "flow": "`flow.id` and `flow.version`",
    "communication": "nothing so far: always missing",
    "message": "what the user sent to the session last, when the message is made: `text`, "
    "`as_number`, `number`, `channel`, `call`, `communication`",
    "now": "the instant of the rendering, an ISO text",
}
INTERNAL = {"#", "content", "illegal", "output", "doc"}


def page() -> str:
    """Write the page."""
    text = ENVIRONMENTS["text"]
    bounds = (
        f"A template has at most {MAX_CHARACTERS // 1024} KiB and gives at most "
        f"{MAX_OUTPUT // 1024} KiB a field; its loops go round {MAX_LOOPS:,} times at most, over "
        f"lists of at most {MAX_ITEMS:,} items. There are no includes, no files and no clock."
    )
    return markdown.page(
        "Templates",
        INTRO,
        "## What a template reads",
        markdown.table(("name", "is"), ((f"`{root}`", READS[root]) for root in ROOTS)),
        "`towpath check` holds what a template reads against what there is.",
        "## Filters",
        " ".join(f"`{name}`" for name in sorted(text.filters)),
        "`safe` switches the escaping of a value off: only for texts that are your own.",
        "## Tags",
        " ".join(f"`{name}`" for name in sorted(set(text.tags) - INTERNAL)),
        "## Bounds",
        bounds,
    )
