"""JSON Schemas of flow and space files, for completion in editors: read off the model's structs.

They know shapes, not meaning: what a schema lets pass, `towpath check` may still refuse.
``SPELLINGS`` says where a file's key differs from the name of the struct's field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from transforms.flows import json_schema_apps, model
from transforms.flows.channels import KINDS
from transforms.flows.expressions import Expr
from transforms.flows.json_schema_parts import PARTS, Schema, closed, map_of, ref
from transforms.flows.load.read_channels import TRACKED
from transforms.flows.load.read_steps import SEND_BRANCHES
from transforms.flows.load.read_waits import AWAITED
from transforms.flows.times import Delay, Moment
from transforms.flows.windows import Window

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_CITED = re.compile(r"\s*\([A-Z]\d+(-[A-Z]?\d+)?(, [A-Z]\d+(-[A-Z]?\d+)?)*\)")
"""Rules that a docstring cites; whoever completes a file does not look them up."""

POSITIVE: Schema = {"type": "integer", "minimum": 1}

STEP_NAMES = {"then", "missing", "otherwise", "timeout_then", "step", "error"}
"""Fields that name a step."""

ONE_OR_MORE = {"keywords", "messages", "calls"}
"""Fields that take one text or a list of them."""

SPELLINGS: dict[type[model.Value], dict[str, str]] = {
    model.OnProfile: {"trait": "changed", "before": "from", "after": "to"},
    model.OnDate: {"moment": "date"},
    model.OnSchedule: {"moment": "at"},
    model.OnCommunication: {"when": "communication"},
    model.OnInbound: {"keywords": "inbound"},
    model.OnIncoming: {"channel": "incoming"},
    model.CaseInbound: {"keywords": "inbound"},
    model.Keywords: {"keywords": "inbound"},
    model.MatchMessage: {"cases": "match_message", "otherwise": "else"},
    model.OnParticipant: {"when": "participant", "always": "on_upload"},
    model.ExitAudience: {"audience": "left"},
    model.Wait: {"delay": "wait"},
    model.WaitUntil: {"moment": "wait_until"},
    model.WaitWindow: {"window": "wait_in"},
    model.If: {"cases": "if", "otherwise": "else"},
    model.Send: {"channel": "send", "agents": "agent"},
    model.Promote: {"slot": "promote", "promotion": "show", "lasts": "for", "while_": "while"},
    model.CallWebhook: {"url": "webhook"},
    model.CallApi: {"url": "call"},
    model.RunCode: {"source": "code", "inputs": "with"},
    model.ExportFields: {"destination": "export"},
    model.Update: {"set": "update"},
    model.EmitEvent: {"event": "emit", "properties": "with"},
    model.Enroll: {"flow": "enroll", "data": "with"},
    model.Leave: {"flows": "leave"},
    model.End: {"reason": "end"},
    model.Flow: {"id": "flow"},
    model.Group: {"limits": "limit"},
    model.Space: {"name": "space"},
}
"""The keys of a file by the fields of a struct; a field that is not named here is its own key."""

NEEDED: dict[type[model.Value], tuple[str, ...]] = {
    model.ExportFields: ("fields",),
    model.End: ("end",),
    model.OnInbound: ("inbound",),
    model.CaseInbound: ("inbound",),
    model.Keywords: ("inbound",),
}
"""Keys that a file must hold although the struct has a default."""

FLAGS = {model.OnEnter: "api", model.OnCall: "call", model.OnPeople: "people"}
"""Triggers that are told by a flag."""

_LEAVES: dict[Any, Schema] = {
    str: ref("text"),
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Expr: ref("expression"),
    Delay: ref("duration"),
    Moment: ref("moment"),
    Window: ref("window"),
    model.Reenter: ref("reenter"),
    model.Limit: ref("limit"),
    model.Schedule: ref("schedule"),
    model.Named: map_of(ref("expression")),
    tuple[str, ...]: {"type": "array", "items": ref("text")},
    tuple[tuple[str, str], ...]: map_of(ref("text")),
    tuple[model.Limit, ...]: {"type": "array", "items": ref("limit")},
    tuple[model.IfCase, ...]: {"type": "array", "minItems": 1, "items": ref("if_case")},
    tuple[model.Trigger, ...]: {"type": "array", "minItems": 1, "items": ref("trigger")},
    tuple[model.ExitRule, ...]: {"type": "array", "items": ref("exit")},
    tuple[model.Goal, ...]: map_of(ref("goal")),
    tuple[model.Step, ...]: map_of(ref("step")),
    tuple[model.Cap, ...]: {"type": "array", "items": ref("cap")},
    tuple[model.Channel, ...]: map_of(ref("channel")),
    tuple[model.Agent, ...]: map_of(ref("agent")),
    model.Prices: {"anyOf": [{"type": "number"}, map_of({"type": "number"})]},
    tuple[model.Topic, ...]: map_of(ref("topic")),
    tuple[model.Audience, ...]: map_of(ref("audience")),
    tuple[model.Number, ...]: map_of(ref("number")),
    tuple[model.Keywords, ...]: {"type": "array", "minItems": 1, "items": ref("keyword_case")},
    tuple[model.Group, ...]: map_of(ref("group")),
    tuple[model.Campaign, ...]: map_of(ref("campaign")),
    tuple[model.Connection, ...]: map_of(ref("connection")),
    tuple[model.Destination, ...]: map_of(ref("destination")),
    tuple[tuple[str, tuple[tuple[str, str], ...]], ...]: map_of(map_of(ref("type"))),
}


KIND: Schema = {"enum": list(KINDS)}
TRACK: Schema = {"type": "array", "items": {"enum": list(TRACKED)}}
AGENTS: Schema = {"anyOf": [ref("text"), {"type": "array", "items": ref("text")}]}


def flow_schema() -> Schema:
    """Give the JSON Schema of a flow's file."""
    flow = _object(model.Flow, changed={"holdout": ref("percent")})
    parts = {
        **PARTS,
        "schedule": _object(model.Schedule, changed=dict.fromkeys(("start", "end"), ref("date"))),
        "reenter": {
            **_described(model.Reenter),
            "anyOf": [
                {"const": "never"},
                closed({"after": ref("duration"), "limit": _LEAVES[tuple[model.Limit, ...]]}),
            ],
        },
        "match": _object(model.EventMatch),
        "trigger": {"anyOf": list(_triggers())},
        "exit": {"anyOf": [_object(rule) for rule in get_args(model.ExitRule)]},
        "goal": _object(model.Goal, left_out=("name",)),
        "if_case": _object(model.IfCase),
        "keyword_case": _object(model.Keywords),
        "case": {"anyOf": list(_cases())},
        "step": {"anyOf": list(_steps())},
    }
    return {"$schema": DIALECT, "title": "A flow", **flow, "$defs": parts}


def space_schema() -> Schema:
    """Give the JSON Schema of a space's file."""
    types = map_of(ref("type"))
    changed = {"slack": ref("duration"), "traits": types}
    space = _object(model.Space, changed=changed)
    parts = {
        **PARTS,
        "channel": _object(
            model.Channel, left_out=("name", "tracks"), changed={"kind": KIND, "track": TRACK}
        ),
        "agent": _object(model.Agent, left_out=("name",)),
        "topic": _object(model.Topic, left_out=("name",)),
        "cap": _object(model.Cap),
        "number": {**_object(model.Number, left_out=("name",)), "minProperties": 1},
        "group": _object(model.Group, left_out=("name",), changed={"at_once": POSITIVE}),
        "campaign": _object(model.Campaign, left_out=("name",), changed={"fields": types}),
        "audience": {**_described(model.Audience), **ref("expression")},
        "secret": json_schema_apps.SECRET,
        "auth": {**_described(model.Auth), **json_schema_apps.auth()},
        "connection": {**_described(model.Connection), **json_schema_apps.connection()},
        "destination": {**_described(model.Destination), **json_schema_apps.destination()},
    }
    return {"$schema": DIALECT, "title": "A space", **space, "$defs": parts}


SCHEMAS = {"flow": flow_schema, "space": space_schema}
"""Every kind of file with its schema."""


def _described(struct: type[model.Value]) -> Schema:
    doc = (struct.__doc__ or "").split("\n\n")[0]
    return {"description": " ".join(_CITED.sub("", doc).replace("``", "`").split())}


def _object(
    struct: type[model.Value],
    *,
    left_out: Iterable[str] = (),
    changed: Schema | None = None,
    also: Schema | None = None,
) -> Schema:
    """Give the schema of a struct's mapping; ``also`` are keys that the struct does not have."""
    hints = get_type_hints(struct)
    names = SPELLINGS.get(struct, {})
    properties: Schema = {}
    needed = list(NEEDED.get(struct, ()))
    for field in msgspec.structs.fields(struct):
        if field.name in left_out:
            continue
        if hints[field.name] is model.EventMatch:
            properties |= {"event": ref("text"), "where": ref("expression")}
            needed.append("event")
            continue
        key = names.get(field.name, field.name)
        found = (changed or {}).get(field.name)
        properties[key] = found or _of_type(field.name, hints[field.name])
        if field.required:
            needed.append(key)
    return {**_described(struct), **closed({**properties, **(also or {})}, needed)}


def _of_type(name: str, hint: Any) -> Schema:
    if get_origin(hint) in (Union, UnionType) and hint not in _LEAVES:
        present = [part for part in get_args(hint) if part is not type(None)]
        if len(present) == 1:
            return _of_type(name, present[0])
    if name in STEP_NAMES:
        return ref("step_name")
    if name in ONE_OR_MORE:
        return ref("one_or_more")
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    return _LEAVES[hint]


def _triggers() -> Iterable[Schema]:
    parts = {"type": "array", "minItems": 1, "items": ref("match")}
    for how in ("all", "any", "sequence"):
        yield _combination({how: parts}, how)
    yield _combination(
        _object(model.EventMatch)["properties"] | {"without": parts}, "event", "without"
    )
    for kind in get_args(model.Trigger):
        if kind is not model.OnCombination:
            flag = FLAGS.get(kind)
            also = {flag: {"const": True}} if flag else None
            made = _object(kind, also=also, changed={"always": {"const": "always"}})
            needed = [flag, *made.get("required", ())]
            yield made | {"required": needed} if flag else made


def _combination(keys: Schema, *needed: str) -> Schema:
    rest = {"within": ref("duration"), "reenter": ref("reenter")}
    described = _described(model.OnCombination)
    return {**described, **closed({**keys, **rest}, (*needed, "within"))}


def _cases() -> Iterable[Schema]:
    yield _object(model.CaseEvent)
    yield _object(model.CaseWhen)
    yield _object(model.CaseInbound)
    yield {**_object(model.CaseCall, also={"call": {"const": True}}), "required": ["call"]}
    for key in ("enters", "leaves"):
        keys = {key: ref("text"), "then": ref("step_name")}
        yield {**_described(model.CaseAudience), **closed(keys, (key,))}
    statuses = dict.fromkeys(AWAITED, ref("step_name"))
    one = {
        "minProperties": 1,
        "maxProperties": 3,
        "not": {"maxProperties": 1, "required": ["then"]},
    }
    yield {
        **_described(model.CaseStatus),
        **closed({**statuses, "where": ref("expression"), "then": ref("step_name")}),
        **one,
    }


def _steps() -> Iterable[Schema]:
    for verb in get_args(model.Verb):
        match verb:
            case model.WaitFor:
                yield _wait_for()
            case model.Split:
                yield _split()
            case model.ChangeAudience:
                for key in ("add_to", "remove_from"):
                    keys = {key: ref("text"), "then": ref("step_name")}
                    yield {**_described(verb), **closed(keys, (key,))}
            case model.WaitVisit:
                keys = {"wait": ref("in_visit"), "gone": ref("step_name")}
                keys["then"] = ref("step_name")
                yield {**_described(verb), **closed(keys, ("wait",))}
            case model.CancelAll:
                keys = {"cancel": {"const": "all"}, "then": ref("step_name")}
                yield {**_described(verb), **closed(keys, ("cancel",))}
            case model.Send:
                reasons = dict.fromkeys((*SEND_BRANCHES, "then"), ref("step_name"))
                changed = {"agents": AGENTS, "track": TRACK}
                yield _object(verb, left_out=("branches",), changed=changed, also=reasons)
            case model.CallApi:
                keys = {"timeout": _timeout(), "then": ref("step_name")}
                yield _object(verb, left_out=("timeout", "timeout_then"), also=keys)
            case model.If | model.End | model.MatchMessage:
                yield _object(verb)
            case _:
                yield _plain_step(verb)


def _plain_step(verb: type[model.Value]) -> Schema:
    made = _object(verb, also={"then": ref("step_name")})
    if verb is model.Update:
        keys = [key for key in made["properties"] if key != "then"]
        made["anyOf"] = [{"required": [key]} for key in keys]
    return made


def _timeout() -> Schema:
    return closed({"after": ref("duration"), "then": ref("step_name")}, ("after",))


def _wait_for() -> Schema:
    keys: Schema = {
        "wait_for": {"type": "array", "minItems": 1, "items": ref("case")},
        "timeout": _timeout(),
        "rank": {"type": "boolean"},
        "repeat": {"const": "restart"},
    }
    return {**_described(model.WaitFor), **closed(keys, ("wait_for",))}


def _split() -> Schema:
    keys: Schema = {
        "split": {**map_of(ref("share")), "minProperties": 1},
        "redraw": {"type": "boolean"},
        "winner": closed(
            {
                "metric": ref("step_name"),
                "minimum": {"type": "integer", "minimum": 1},
                "confidence": ref("percent"),
            },
            ("metric",),
        ),
        "then": map_of(ref("step_name")),
    }
    return {**_described(model.Split), **closed(keys, ("split",))}
