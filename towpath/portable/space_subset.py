"""The part of a space that flows need, and the difference between two spaces.

A name counts as needed if it occurs as a word in the files of the flows, so the result may
contain more than is needed, never less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

import yaml

from transforms.flows.diagnostics import Report, Source
from transforms.flows.reading.nodes import Mapping, Node, Scalar, Sequence, compose

SECTIONS = (
    "channels",
    "agents",
    "topics",
    "numbers",
    "events",
    "traits",
    "audiences",
    "groups",
    "campaigns",
    "connections",
    "destinations",
)
SETTINGS = ("space", "zone", "slack", "order", "caps", "quiet_hours")


def needed(space: str, texts: Iterable[str], audiences: bool = False) -> str:
    """Return the part of a space that the texts name; unchanged if that is everything.

    ``audiences`` keeps every audience, with what it needs.
    """
    root = yaml.compose(space, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return space
    sections = {k.value: v for k, v in root.value if isinstance(v, yaml.MappingNode)}
    words = list(texts)
    if audiences and "audiences" in sections:
        words += [key.value for key, _ in sections["audiences"].value]
    kept = _closure(sections, "\n".join(words))
    dropped = False
    for section, names in kept.items():
        node = sections[section]
        entries = [(key, value) for key, value in node.value if key.value in names]
        dropped = dropped or len(entries) < len(node.value)
        node.value = entries
    if not dropped:
        return space
    root.value = [(k, _caps(v, kept) if k.value == "caps" else v) for k, v in root.value]
    root.value = [(key, value) for key, value in root.value if value.value != []]
    return str(yaml.serialize(root, Dumper=yaml.SafeDumper, allow_unicode=True, width=100))


def _closure(sections: dict[str, yaml.MappingNode], words: str) -> dict[str, set[str]]:
    """Return the names of each section that the words need, directly or indirectly."""
    kept: dict[str, set[str]] = {name: set() for name in SECTIONS if name in sections}
    grown = True
    while grown:
        grown = False
        for section, names in kept.items():
            for key, value in sections[section].value:
                if key.value not in names and _named(key.value, words):
                    names.add(key.value)
                    words += "\n" + yaml.serialize(value, Dumper=yaml.SafeDumper)
                    grown = True
    return kept


def _named(name: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words) is not None


def _caps(caps: yaml.Node, kept: dict[str, set[str]]) -> yaml.Node:
    """Drop the caps of channels and topics that are dropped."""
    if isinstance(caps, yaml.SequenceNode):
        caps.value = [cap for cap in caps.value if _holds(cap, kept)]
    return caps


def _holds(cap: yaml.MappingNode, kept: dict[str, set[str]]) -> bool:
    of = {key.value: value.value for key, value in cap.value}
    return all(
        of.get(key) is None or of[key] in kept.get(section, ())
        for key, section in (("channel", "channels"), ("topic", "topics"))
    )


def lacking(here: str, wanted: str) -> list[str]:
    """List the entries that the space here lacks, each as a line of YAML."""
    has = entries(here)
    return [
        f'{section} needs "{name}": {flow_text(value)}'
        for (section, name), value in entries(wanted).items()
        if (section, name) not in has
    ]


def conflicts(here: str, wanted: str) -> list[str]:
    """List the entries that the space here defines differently."""
    has = entries(here)
    return [
        f'{place[0]} has another "{place[1]}": {flow_text(has[place])}, not {flow_text(value)}'
        for place, value in entries(wanted).items()
        if place in has and plain(has[place]) != plain(value)
    ]


def other_settings(here: str, wanted: str) -> list[str]:
    """List the settings that differ: name, zone, slack, order, caps and quiet hours."""
    mine, theirs = root_of(here), root_of(wanted)
    pairs = [(key, mine.get(key), theirs.get(key)) for key in SETTINGS]
    return [key for key, one, other in pairs if _maybe(one) != _maybe(other)]


def root_of(text: str) -> Mapping:
    """Compose the text of a space."""
    root = compose(Report(Source("space.yaml", text)))
    return root if isinstance(root, Mapping) else Mapping(0, 0, ())


def entries(text: str) -> dict[tuple[str, str], Node]:
    """Return the entries of a space by section and name."""
    return dict(_walk(root_of(text)))


def _walk(root: Mapping) -> Iterator[tuple[tuple[str, str], Node]]:
    for section in SECTIONS:
        node = root.get(section)
        if isinstance(node, Mapping):
            for key, value in node.items:
                yield (section, key.text), value


def _maybe(node: Node | None) -> object:
    return None if node is None else plain(node)


def plain(node: Node) -> object:
    """Convert a node to texts, lists and dicts."""
    match node:
        case Scalar():
            return node.text
        case Mapping():
            return {key.text: plain(value) for key, value in node.items}
        case Sequence():
            return [plain(item) for item in node.items]
        case _:
            raise TypeError(node)


def flow_text(node: Node) -> str:
    """Format a node on one line of YAML."""
    match node:
        case Scalar():
            return node.text if node.text and not node.style else json.dumps(node.text)
        case Mapping():
            inside = ", ".join(f"{key.text}: {flow_text(value)}" for key, value in node.items)
            return f"{{{inside}}}"
        case Sequence():
            return f"[{', '.join(map(flow_text, node.items))}]"
        case _:
            raise TypeError(node)
