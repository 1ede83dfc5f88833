"""The part of a space that flows need, and what a space lacks that other flows need.

What flows name is found by the words of their files, so it may be more than they need, not less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import yaml

from transforms.flows.load.nodes import Mapping, Node, Scalar, Sequence, compose
from transforms.flows.load.problems import Report, Source

SECTIONS = ("channels", "topics", "events", "traits", "audiences")
SETTINGS = ("space", "zone", "slack", "caps", "quiet_hours")


def needed(space: str, texts: Iterable[str], audiences: bool = False) -> str:
    """Take of a space's text what the texts name; as it stands if that is all of it.

    ``audiences`` takes every audience, with what it needs.
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
    """Find the names of each section that the words need, and those that these need in turn."""
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
    """Leave out the caps of channels and topics that are left out."""
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
    """List what the space here lacks, or has otherwise: a line of YAML each, by its section."""
    found = []
    has, wants = _entries(here), _entries(wanted)
    for place, value in wants.items():
        section, name = place
        if place not in has:
            found.append(f'{section} needs "{name}": {_flow(value)}')
        elif _plain(has[place]) != _plain(value):
            found.append(f'{section} has another "{name}": {_flow(has[place])}, not {_flow(value)}')
    return found


def other_settings(here: str, wanted: str) -> list[str]:
    """List settings that change what flows do: zone, name, slack, caps and quiet hours."""
    mine, theirs = _root(here), _root(wanted)
    pairs = [(key, mine.get(key), theirs.get(key)) for key in SETTINGS]
    return [key for key, one, other in pairs if _maybe(one) != _maybe(other)]


def _root(text: str) -> Mapping:
    root = compose(Report(Source("space.yaml", text)))
    return root if isinstance(root, Mapping) else Mapping(0, 0, ())


def _entries(text: str) -> dict[tuple[str, str], Node]:
    return dict(_walk(_root(text)))


def _walk(root: Mapping) -> Iterator[tuple[tuple[str, str], Node]]:
    for section in SECTIONS:
        node = root.get(section)
        if isinstance(node, Mapping):
            for key, value in node.items:
                yield (section, key.text), value


def _maybe(node: Node | None) -> object:
    return None if node is None else _plain(node)


def _plain(node: Node) -> object:
    """Take a node as texts, lists and maps."""
    match node:
        case Scalar():
            return node.text
        case Mapping():
            return {key.text: _plain(value) for key, value in node.items}
        case Sequence():
            return [_plain(item) for item in node.items]
        case _:
            raise TypeError(node)


def _flow(node: Node) -> str:
    """Write a node on one line, as one would in a space's file."""
    match node:
        case Scalar():
            return node.text
        case Mapping():
            inside = ", ".join(f"{key.text}: {_flow(value)}" for key, value in node.items)
            return f"{{{inside}}}"
        case Sequence():
            return f"[{', '.join(map(_flow, node.items))}]"
        case _:
            raise TypeError(node)
