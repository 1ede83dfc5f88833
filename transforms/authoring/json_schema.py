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

from transforms.authoring import json_schema_apps
from transforms.authoring.json_schema_parts import PARTS, Schema, closed, map_of, ref
from transforms.flows.clock.delays import Delay
from transforms.flows.clock.schedules import Moment
from transforms.flows.clock.windows import Window
from transforms.flows.definitions.channels import KINDS
from transforms.flows.definitions.flow import ExitAudience, ExitRule, Flow, Goal, Schedule
from transforms.flows.definitions.reentry import Limit, Reenter
from transforms.flows.definitions.space import (
    Agent,
    Audience,
    Auth,
    Campaign,
    Cap,
    Channel,
    Connection,
    Destination,
    Group,
    Number,
    Prices,
    Space,
    Topic,
)
from transforms.flows.definitions.steps import branches, calls, flows, sends, updates, waits
from transforms.flows.definitions.steps.branches import If, IfCase, Keywords, MatchMessage, Split
from transforms.flows.definitions.steps.calls import CallApi, CallWebhook, ExportFields, RunCode
from transforms.flows.definitions.steps.flows import End, Enroll, Leave
from transforms.flows.definitions.steps.kinds import Step, Verb
from transforms.flows.definitions.steps.sends import Promote, Send
from transforms.flows.definitions.steps.updates import EmitEvent, Update
from transforms.flows.definitions.steps.waits import (
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    CaseWhen,
    Wait,
    WaitFor,
    WaitUntil,
    WaitWindow,
)
from transforms.flows.definitions.triggers.audiences import OnPeople
from transforms.flows.definitions.triggers.events import OnCombination
from transforms.flows.definitions.triggers.flows import OnEnter
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.messages import (
    OnCall,
    OnCommunication,
    OnInbound,
    OnIncoming,
)
from transforms.flows.definitions.triggers.participants import OnParticipant
from transforms.flows.definitions.triggers.profile import OnDate, OnProfile, OnSchedule
from transforms.flows.definitions.values import EventMatch, Named, Value
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.reading.channels import TRACKED
from transforms.flows.reading.steps import SEND_BRANCHES
from transforms.flows.reading.waits import AWAITED

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_CITED = re.compile(r"\s*\([A-Z]\d+(-[A-Z]?\d+)?(, [A-Z]\d+(-[A-Z]?\d+)?)*\)")
"""Rules that a docstring cites; whoever completes a file does not look them up."""

POSITIVE: Schema = {"type": "integer", "minimum": 1}

STEP_NAMES = {"then", "missing", "otherwise", "timeout_then", "step", "error"}
"""Fields that name a step."""

ONE_OR_MORE = {"keywords", "messages", "calls"}
"""Fields that take one text or a list of them."""

SPELLINGS: dict[type[Value], dict[str, str]] = {
    OnProfile: {"trait": "changed", "before": "from", "after": "to"},
    OnDate: {"moment": "date"},
    OnSchedule: {"moment": "at"},
    OnCommunication: {"when": "communication"},
    OnInbound: {"keywords": "inbound"},
    OnIncoming: {"channel": "incoming"},
    CaseInbound: {"keywords": "inbound"},
    Keywords: {"keywords": "inbound"},
    MatchMessage: {"cases": "match_message", "otherwise": "else"},
    OnParticipant: {"when": "participant", "always": "on_upload"},
    ExitAudience: {"audience": "left"},
    Wait: {"delay": "wait"},
    WaitUntil: {"moment": "wait_until"},
    WaitWindow: {"window": "wait_in"},
    If: {"cases": "if", "otherwise": "else"},
    Send: {"channel": "send", "agents": "agent"},
    Promote: {"slot": "promote", "promotion": "show", "lasts": "for", "while_": "while"},
    CallWebhook: {"url": "webhook"},
    CallApi: {"url": "call"},
    RunCode: {"source": "code", "inputs": "with"},
    ExportFields: {"destination": "export"},
    Update: {"set": "update"},
    EmitEvent: {"event": "emit", "properties": "with"},
    Enroll: {"flow": "enroll", "data": "with"},
    Leave: {"flows": "leave"},
    End: {"reason": "end"},
    Flow: {"id": "flow"},
    Group: {"limits": "limit"},
    Space: {"name": "space"},
}
"""The keys of a file by the fields of a struct; a field that is not named here is its own key."""

NEEDED: dict[type[Value], tuple[str, ...]] = {
    ExportFields: ("fields",),
    End: ("end",),
    OnInbound: ("inbound",),
    CaseInbound: ("inbound",),
    Keywords: ("inbound",),
}
"""Keys that a file must hold although the struct has a default."""

FLAGS = {OnEnter: "api", OnCall: "call", OnPeople: "people"}
"""Triggers that are told by a flag."""

_LEAVES: dict[Any, Schema] = {
    str: ref("text"),
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Expr: ref("expression"),
    Delay: ref("duration"),
    Moment: ref("moment"),
    Window: ref("window"),
    Reenter: ref("reenter"),
    Limit: ref("limit"),
    Schedule: ref("schedule"),
    Named: map_of(ref("expression")),
    tuple[str, ...]: {"type": "array", "items": ref("text")},
    tuple[tuple[str, str], ...]: map_of(ref("text")),
    tuple[Limit, ...]: {"type": "array", "items": ref("limit")},
    tuple[IfCase, ...]: {"type": "array", "minItems": 1, "items": ref("if_case")},
    tuple[Trigger, ...]: {"type": "array", "minItems": 1, "items": ref("trigger")},
    tuple[ExitRule, ...]: {"type": "array", "items": ref("exit")},
    tuple[Goal, ...]: map_of(ref("goal")),
    tuple[Step, ...]: map_of(ref("step")),
    tuple[Cap, ...]: {"type": "array", "items": ref("cap")},
    tuple[Channel, ...]: map_of(ref("channel")),
    tuple[Agent, ...]: map_of(ref("agent")),
    Prices: {"anyOf": [{"type": "number"}, map_of({"type": "number"})]},
    tuple[Topic, ...]: map_of(ref("topic")),
    tuple[Audience, ...]: map_of(ref("audience")),
    tuple[Number, ...]: map_of(ref("number")),
    tuple[Keywords, ...]: {"type": "array", "minItems": 1, "items": ref("keyword_case")},
    tuple[Group, ...]: map_of(ref("group")),
    tuple[Campaign, ...]: map_of(ref("campaign")),
    tuple[Connection, ...]: map_of(ref("connection")),
    tuple[Destination, ...]: map_of(ref("destination")),
    tuple[tuple[str, tuple[tuple[str, str], ...]], ...]: map_of(map_of(ref("type"))),
}


KIND: Schema = {"enum": list(KINDS)}
TRACK: Schema = {"type": "array", "items": {"enum": list(TRACKED)}}
AGENTS: Schema = {"anyOf": [ref("text"), {"type": "array", "items": ref("text")}]}


def flow_schema() -> Schema:
    """Give the JSON Schema of a flow's file."""
    flow = _object(Flow, changed={"holdout": ref("percent")})
    parts = {
        **PARTS,
        "schedule": _object(Schedule, changed=dict.fromkeys(("start", "end"), ref("date"))),
        "reenter": {
            **_described(Reenter),
            "anyOf": [
                {"const": "never"},
                closed({"after": ref("duration"), "limit": _LEAVES[tuple[Limit, ...]]}),
            ],
        },
        "match": _object(EventMatch),
        "trigger": {"anyOf": list(_triggers())},
        "exit": {"anyOf": [_object(rule) for rule in get_args(ExitRule)]},
        "goal": _object(Goal, left_out=("name",)),
        "if_case": _object(IfCase),
        "keyword_case": _object(Keywords),
        "case": {"anyOf": list(_cases())},
        "step": {"anyOf": list(_steps())},
    }
    return {"$schema": DIALECT, "title": "A flow", **flow, "$defs": parts}


def space_schema() -> Schema:
    """Give the JSON Schema of a space's file."""
    types = map_of(ref("type"))
    changed = {"slack": ref("duration"), "traits": types}
    space = _object(Space, changed=changed)
    parts = {
        **PARTS,
        "channel": _object(
            Channel, left_out=("name", "tracks"), changed={"kind": KIND, "track": TRACK}
        ),
        "agent": _object(Agent, left_out=("name",)),
        "topic": _object(Topic, left_out=("name",)),
        "cap": _object(Cap),
        "number": {**_object(Number, left_out=("name",)), "minProperties": 1},
        "group": _object(Group, left_out=("name",), changed={"at_once": POSITIVE}),
        "campaign": _object(Campaign, left_out=("name",), changed={"fields": types}),
        "audience": {**_described(Audience), **ref("expression")},
        "secret": json_schema_apps.SECRET,
        "auth": {**_described(Auth), **json_schema_apps.auth()},
        "connection": {**_described(Connection), **json_schema_apps.connection()},
        "destination": {**_described(Destination), **json_schema_apps.destination()},
    }
    return {"$schema": DIALECT, "title": "A space", **space, "$defs": parts}


SCHEMAS = {"flow": flow_schema, "space": space_schema}
"""Every kind of file with its schema."""


def _described(struct: type[Value]) -> Schema:
    doc = (struct.__doc__ or "").split("\n\n")[0]
    return {"description": " ".join(_CITED.sub("", doc).replace("``", "`").split())}


def _object(
    struct: type[Value],
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
        if hints[field.name] is EventMatch:
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
    yield _combination(_object(EventMatch)["properties"] | {"without": parts}, "event", "without")
    for kind in get_args(Trigger):
        if kind is not OnCombination:
            flag = FLAGS.get(kind)
            also = {flag: {"const": True}} if flag else None
            made = _object(kind, also=also, changed={"always": {"const": "always"}})
            needed = [flag, *made.get("required", ())]
            yield made | {"required": needed} if flag else made


def _combination(keys: Schema, *needed: str) -> Schema:
    rest = {"within": ref("duration"), "reenter": ref("reenter")}
    described = _described(OnCombination)
    return {**described, **closed({**keys, **rest}, (*needed, "within"))}


def _cases() -> Iterable[Schema]:
    yield _object(CaseEvent)
    yield _object(CaseWhen)
    yield _object(CaseInbound)
    yield {**_object(CaseCall, also={"call": {"const": True}}), "required": ["call"]}
    for key in ("enters", "leaves"):
        keys = {key: ref("text"), "then": ref("step_name")}
        yield {**_described(CaseAudience), **closed(keys, (key,))}
    statuses = dict.fromkeys(AWAITED, ref("step_name"))
    one = {
        "minProperties": 1,
        "maxProperties": 3,
        "not": {"maxProperties": 1, "required": ["then"]},
    }
    yield {
        **_described(CaseStatus),
        **closed({**statuses, "where": ref("expression"), "then": ref("step_name")}),
        **one,
    }


def _steps() -> Iterable[Schema]:
    for verb in get_args(Verb):
        match verb:
            case waits.WaitFor:
                yield _wait_for()
            case branches.Split:
                yield _split()
            case updates.ChangeAudience:
                for key in ("add_to", "remove_from"):
                    keys = {key: ref("text"), "then": ref("step_name")}
                    yield {**_described(verb), **closed(keys, (key,))}
            case waits.WaitVisit:
                keys = {"wait": ref("in_visit"), "gone": ref("step_name")}
                keys["then"] = ref("step_name")
                yield {**_described(verb), **closed(keys, ("wait",))}
            case sends.CancelAll:
                keys = {"cancel": {"const": "all"}, "then": ref("step_name")}
                yield {**_described(verb), **closed(keys, ("cancel",))}
            case sends.Send:
                reasons = dict.fromkeys((*SEND_BRANCHES, "then"), ref("step_name"))
                changed = {"agents": AGENTS, "track": TRACK}
                yield _object(verb, left_out=("branches",), changed=changed, also=reasons)
            case calls.CallApi:
                keys = {"timeout": _timeout(), "then": ref("step_name")}
                yield _object(verb, left_out=("timeout", "timeout_then"), also=keys)
            case branches.If | flows.End | branches.MatchMessage:
                yield _object(verb)
            case _:
                yield _plain_step(verb)


def _plain_step(verb: type[Value]) -> Schema:
    made = _object(verb, also={"then": ref("step_name")})
    if verb is Update:
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
    return {**_described(WaitFor), **closed(keys, ("wait_for",))}


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
    return {**_described(Split), **closed(keys, ("split",))}
