"""What messages come to, in parts and money: the rows of messages that leave, completed.

The core decides and does not render; every host lets what was decided pass through here before
it writes it, and a space that neither prices nor counts parts passes as it is (R25, I25, I26).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from transforms.flows.catalog.epochs import Catalog
from transforms.flows.definitions.space import Channel
from transforms.flows.protocol.outputs import AnyOutput, Communication, Message
from transforms.flows.templates.message_template import TemplateError, render
from transforms.flows.templates.sms_segments import cost_of, sms_parts, with_short_links

Outputs = tuple[AnyOutput, ...]


def accounted(catalog: Catalog, outputs: Outputs) -> Outputs:
    """Give the rows of messages that leave their parts and cost, by the settings of that instant.

    Both stay unknown where the text cannot be rendered.
    """
    return tuple(_completed(catalog, outputs)) if catalog.priced else outputs


def _completed(catalog: Catalog, outputs: Outputs) -> Iterable[AnyOutput]:
    left: dict[str, Message] = {}
    for output in outputs:
        if isinstance(output, Message):
            left[output.communication] = output
        if isinstance(output, Communication) and output.communication in left:
            yield _worth(catalog, output, left.pop(output.communication))
        else:
            yield output


def _worth(catalog: Catalog, row: Communication, message: Message) -> Communication:
    channel = catalog.at(message.at).channels[message.channel]
    parts = _parts(catalog, channel, message)
    if parts is None:
        return row
    cost = cost_of(channel, message.address, parts)
    return msgspec.structs.replace(row, parts=parts, cost=cost)


def _parts(catalog: Catalog, channel: Channel, message: Message) -> int | None:
    """Count the parts of a message as the user would get it, its links shortened if they are to.

    None where the channel neither counts nor prices them.
    """
    if channel.parts == "one":
        return 1 if channel.price else None
    plan = catalog.plans[catalog.numbers[message.flow], message.version]
    template = plan.templates.get(message.template)
    if template is None:
        return None
    try:
        text = render(template, message.data, message.at).get("body", "").strip()
    except TemplateError:
        return None
    if message.tracking.get("links") == "short":
        text = with_short_links(text, channel.link)
    return sms_parts(text)
