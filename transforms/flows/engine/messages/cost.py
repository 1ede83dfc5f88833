"""Adds the number of parts and the cost to the rows of sent messages (R25, I25, I26).

The core does not render messages. Every host passes the outputs through ``accounted`` before it
writes them. Outputs of a space without prices and parts are unchanged.
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
    """Add parts and cost to the rows of sent messages, by the settings of that instant.

    Both stay None if the text cannot be rendered.
    """
    return tuple(_completed(catalog, outputs)) if catalog.priced else outputs


def _completed(catalog: Catalog, outputs: Outputs) -> Iterable[AnyOutput]:
    left: dict[str, Message] = {}
    for output in outputs:
        if isinstance(output, Message):
            left[output.communication] = output
        if isinstance(output, Communication) and output.communication in left:
            yield _with_cost(catalog, output, left.pop(output.communication))
        else:
            yield output


def _with_cost(catalog: Catalog, row: Communication, message: Message) -> Communication:
    channel = catalog.at(message.at).channels[message.channel]
    parts = _parts(catalog, channel, message)
    if parts is None:
        return row
    cost = cost_of(channel, message.address, parts)
    return msgspec.structs.replace(row, parts=parts, cost=cost)


def _parts(catalog: Catalog, channel: Channel, message: Message) -> int | None:
    """Count the parts of a message as it is sent, with short links if the channel shortens them.

    Return None if the channel has neither parts nor a price.
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
