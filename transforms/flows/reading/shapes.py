"""Maps read by the shapes of their structs: every key by the form of its value, then the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from transforms.flows.definitions.forms import Form, ReasonStep, entry_for
from transforms.flows.definitions.shapes import (
    Cases,
    Field,
    Inline,
    Nested,
    Record,
    Records,
    RecordsByName,
    Shape,
    Variant,
)
from transforms.flows.definitions.space import Declared, OneOf
from transforms.flows.definitions.values import OrNever, Reenter
from transforms.flows.diagnostics import quoted, suggest
from transforms.flows.protocol.signals import OWN_STATUSES
from transforms.flows.reading.forms.table import FORMS, Reader
from transforms.flows.reading.keys import Keys, keys_of
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.nodes import Node, Scalar, describe, text_of
from transforms.flows.reading.nodes import Sequence as List
from transforms.flows.reading.spans import report_flaw
from transforms.flows.reading.values import Reading

OTHER_CASES = ("event", "when", "enters", "leaves", "inbound", "call")
"""Cases of a wait that are no status of a message."""


def read_shape(keys: Keys, shape: Shape, key: Scalar | None = None) -> Any:
    """Read the keys of a shape from a map, which may have others; None if a needed one is missing.

    ``key`` is the key of the map, if it is the name of the struct.
    """
    before = keys.reading.report.errors
    values, complete = read_fields(keys, shape.fields)
    if not complete:
        return None
    made = shape.make(values if key is None else {"name": key.text, **values})
    if keys.reading.report.errors == before:
        for check in shape.checks:
            for flaw in check(made):
                report_flaw(keys.reading.report, keys.node, flaw, key)
    return made


def read_fields(keys: Keys, several: Iterable[Field]) -> tuple[dict[str, Any], bool]:
    """Read keys: values by the names of the struct's fields, and whether none that is needed lacks."""
    values: dict[str, Any] = {}
    complete = True
    for field in several:
        match field.form:
            case Inline(shape=shape):
                value = read_shape(keys, shape)
            case Nested(fields=inner):
                value = None
                values |= _nested(keys, field.key, inner)
            case ReasonStep():
                to = keys.read(field.key, keys.reading.step)
                pairs = values.get(field.attribute, ())
                value = pairs if to is None else (*pairs, (field.key, to))
            case form:
                value = _value(keys, field, form)
        complete = complete and not (field.needed and value is None)
        value = field.default if value is None else value
        if field.attribute and value is not None:
            values[field.attribute] = value
    return values, complete


def _value(keys: Keys, field: Field, form: Form) -> Any:
    read: Reader = entry_for(READERS, form)
    ask = keys.need if field.needed else keys.read
    return ask(field.key, lambda node: read(keys, node, form))


def _nested(keys: Keys, key: str, several: tuple[Field, ...]) -> dict[str, Any]:
    node = keys.get(key)
    inner = keys_of(keys.reading, node, key) if node is not None else None
    if inner is None:
        return {}
    values, _ = read_fields(inner, several)
    inner.close()
    return values


# --- variants ----------------------------------------------------------------------------------


def leads_in(keys: Keys, kinds: Iterable[Variant]) -> list[str]:
    """Return the keys in a map by which it is one of several variants: one, if all is well.

    A key that another variant in the map has among its own is none.
    """
    present = [kind for kind in kinds if any(lead in keys for lead in kind.leads)]
    leads = dict.fromkeys(kind.leads[0] for kind in present)
    for kind in present:
        for field in kind.fields:
            if field.key not in kind.leads:
                leads.pop(field.key, None)
    return list(leads)


def variant(keys: Keys, kinds: Iterable[Variant], lead: str) -> Variant:
    """Return the variant that a map with this leading key is."""
    same = [kind for kind in kinds if kind.leads[0] == lead]
    texts = {k.text: text_of(v) for k, v in keys.node.items}
    chosen = [kind for kind in same if kind.chosen is not None and kind.chosen(texts)]
    return (chosen or [kind for kind in same if kind.chosen is None])[0]


def variants(
    reading: Reading,
    node: Node,
    what: str,
    kinds: Sequence[Variant],
    refuse: Callable[[Keys, Sequence[Variant], list[str]], None],
    *,
    named: bool = False,
) -> tuple[Any, ...]:
    """Read a list of variants; ``refuse`` reports what has no leading key, or several.

    ``named``: problems of an item name it by its leading key.
    """

    def read(item: Node) -> Any:
        keys = keys_of(reading, item, what)
        if keys is None:
            return None
        leads = leads_in(keys, kinds) if len(kinds) > 1 else [kinds[0].leads[0]]
        if len(leads) != 1:
            refuse(keys, kinds, leads)
            return None
        keys.what = f'{what} with "{leads[0]}"' if named else what
        made = read_shape(keys, variant(keys, kinds, leads[0]))
        keys.close()
        return made

    return reading.many(node, read)


# --- forms that hold shapes --------------------------------------------------------------------


def _record(keys: Keys, node: Node, form: Record) -> Any:
    inner = keys_of(keys.reading, node, form.what)
    if inner is None:
        return None
    made = read_shape(inner, form.shape)
    inner.close()
    return made


def _or_never(keys: Keys, node: Node, form: OrNever) -> Reenter | None:
    if isinstance(node, Scalar) and node.text == "never":
        return Reenter(allowed=False)
    if not isinstance(node, Map):
        message = f"reenter is {describe(node)}"
        hint = "write never, or for example {after: 1d, limit: [2 per 7d]}"
        keys.reading.problem(node, "wrong-kind", message, hint)
        return None
    made: Reenter | None = _record(keys, node, form)
    return made


def _records(keys: Keys, node: Node, form: Records) -> Sequence[Any] | None:
    one = Record(form.shape, form.what)
    return keys.reading.many(node, lambda item: _record(keys, item, one)) or None


def records_by_name(reading: Reading, node: Node, form: RecordsByName) -> tuple[Any, ...]:
    """Read a map of names with structs."""
    if not isinstance(node, Map):
        message = f"{describe(node)} where a map of names is expected"
        reading.problem(node, "wrong-kind", message)
        return ()
    made = [_named_record(reading, key, value, form) for key, value in node.items]
    return tuple(record for record in made if record is not None)


def _declared(keys: Keys, node: Node, form: Declared) -> tuple[Any, ...]:
    return keys.each(node, lambda key, value: _named_record(keys.reading, key, value, form))


def _named_record(reading: Reading, key: Scalar, node: Node, form: RecordsByName) -> Any:
    declared = form if isinstance(form, Declared) else None
    if declared is None or not declared.any_name:
        reading.name(key, form.what)
    keys = keys_of(reading, node, f'{form.what.split()[-1]} "{key.text}"', key.text)
    if keys is None:
        return None
    if declared is not None and declared.empty and not keys.node.items:
        message, hint = declared.empty
        reading.problem(key, "missing-key", f"{keys.what} {message}", hint)
    made = _one_of(keys, form.kinds, key)
    keys.close()
    return made


def _keys_of(several: Iterable[Field]) -> Iterator[str]:
    for field in several:
        if isinstance(field.form, Inline):
            yield from _keys_of(field.form.shape.fields)
        else:
            yield field.key


def _one_of(keys: Keys, kinds: tuple[Shape, ...], key: Scalar | None = None) -> Any:
    """Read a shape, or of several variants the one whose key a map has."""
    if len(kinds) == 1:
        return read_shape(keys, kinds[0], key)
    variants = [kind for kind in kinds if isinstance(kind, Variant)]
    leads = leads_in(keys, variants)
    if len(leads) == 1:
        return read_shape(keys, variant(keys, variants, leads[0]), key)
    for key_of_any in {key for kind in variants for key in _keys_of(kind.fields)}:
        if key_of_any in keys:
            keys.get(key_of_any)  # so that only the choice is a problem
    several = quoted(kind.leads[0] for kind in variants)
    message = f"{keys.what} {'has several' if leads else 'needs one'} of {several}"
    keys.reading.problem(keys.lead, "two-kinds" if leads else "missing-key", message)
    return None


def _variant_map(keys: Keys, node: Node, form: OneOf) -> Any:
    inner = keys_of(keys.reading, node, form.what)
    if inner is None:
        return None
    made = _one_of(inner, form.kinds)
    inner.close()
    return made


def _cases(keys: Keys, node: Node, form: Cases) -> tuple[Any, ...]:
    if isinstance(node, List) and not node.items:
        keys.reading.problem(keys.lead, "empty-step", f"{keys.what} {form.empty}")
    return variants(keys.reading, node, "a case", form.kinds, _no_case)


def _no_case(keys: Keys, kinds: Sequence[Variant], leads: list[str]) -> None:
    reading = keys.reading
    if leads:
        reading.problem(keys.lead, "two-kinds", f"a case is one of {quoted(leads)}, not several")
        return
    key = next((key for key, _ in keys.node.items if key.text != "then"), None)
    if key is None:
        reading.problem(keys.lead, "unknown-case", "a case needs something to wait for")
        return
    if key.text in OWN_STATUSES:
        message = f'nothing can wait for "{key.text}": it is decided when the message is sent'
        hint = "give the send step branches, such as no_address: or capped:"
        reading.problem(key, "unknown-status", message, hint)
        return
    hint = suggest(key.text, [kind.leads[0] for kind in kinds])
    others = f"{', '.join(OTHER_CASES[:-1])} or {OTHER_CASES[-1]}"
    message = f'"{key.text}" is neither a status of a message nor {others}'
    reading.problem(key, "unknown-status", message, hint)


READERS: Mapping[type[Form], Callable[[Keys, Node, Any], Any]] = {
    **FORMS,
    Record: _record,
    OrNever: _or_never,
    Records: _records,
    RecordsByName: lambda keys, node, form: records_by_name(keys.reading, node, form),
    Declared: _declared,
    OneOf: _variant_map,
    Cases: _cases,
}
"""How each form is read."""
