"""Steps from nodes: a name, exactly one verb, and where to go on.

``VERBS`` is the one list of what a step may do; ``resolve`` fills what was left unsaid.
"""

from __future__ import annotations

from collections.abc import Callable

from transforms.flows.definitions.step_order import ReadStep
from transforms.flows.definitions.steps.calls import ExportFields
from transforms.flows.definitions.steps.flows import End, Enroll, Leave
from transforms.flows.definitions.steps.kinds import Verb
from transforms.flows.definitions.steps.sends import CancelAll, Promote, Send
from transforms.flows.definitions.steps.updates import ChangeAudience, EmitEvent, Update
from transforms.flows.definitions.values import Named
from transforms.flows.diagnostics import quoted, suggest
from transforms.flows.reading import channels, waits
from transforms.flows.reading.branches import read_if, read_split
from transforms.flows.reading.calls import read_call, read_webhook
from transforms.flows.reading.campaigns import check_field, target_value
from transforms.flows.reading.code import read_code
from transforms.flows.reading.fields import Fields, fields
from transforms.flows.reading.inbound import match_message
from transforms.flows.reading.nodes import Mapping, Node, Scalar, Sequence, describe
from transforms.flows.reading.triggers import MAX_WAIT_DAYS
from transforms.flows.reading.values import Reading, Wants

MAX_STEPS = 500
SEND_BRANCHES = ("no_consent", "no_address", "expired", "capped")
UPDATES = ("update", "unset", "increment", "append", "tag", "untag")
BRANCHING = ("if", "wait_for", "match_message")

Reader = Callable[[Reading, Fields], Verb | None]


def steps(reading: Reading, node: Node, what: str = "steps") -> list[ReadStep]:
    """Read a map of steps."""
    if not isinstance(node, Mapping):
        said = f"{what} is {describe(node)}, not a map of names"
        reading.problem(node, "wrong-kind", said)
        return []
    if len(node.items) > MAX_STEPS:
        key = node.items[MAX_STEPS][0]
        reading.problem(key, "too-many-steps", f"the flow has more than {MAX_STEPS} steps")
    return [_step(reading, key, value) for key, value in node.items]


def _step(reading: Reading, key: Scalar, node: Node) -> ReadStep:
    reading.name(key, "a step")
    found = fields(reading, node, f'step "{key.text}"')
    if found is None:
        return ReadStep(key.text, None, None)
    present = [verb for verb in VERBS if verb in found]
    verbs = list(dict.fromkeys("update" if v in UPDATES else v for v in present))
    if len(verbs) != 1:
        _no_verb(reading, key, found, verbs)
        return ReadStep(key.text, None, _then(reading, found, ""))
    verb = VERBS[verbs[0]](reading, found)
    then = _then(reading, found, verbs[0])
    found.close()
    return ReadStep(key.text, verb, then)


def _no_verb(reading: Reading, key: Scalar, found: Fields, verbs: list[str]) -> None:
    if verbs:
        said = f"{found.what} has the verbs {quoted(verbs)}"
        reading.problem(key, "two-verbs", said, "make a step of each")
        return
    for name, _ in found.node.items:
        known = suggest(name.text, VERBS)
        if known.startswith("did"):
            said = f'{found.what} has the unknown verb "{name.text}"'
            reading.problem(name, "unknown-verb", said, known)
            return
    said = f"{found.what} has no verb"
    reading.problem(key, "unknown-verb", said, f"a step is one of {', '.join(VERBS)}")


def _then(reading: Reading, found: Fields, verb: str) -> str | None:
    if verb in BRANCHING:
        node = found.get("then")
        if node is not None:
            said = f"{found.what} has branches, and each names its own step"
            known = "else: names the step for all other cases" if verb != "wait_for" else ""
            reading.problem(found.node.key("then") or node, "unknown-key", said, known)
        return None if node is None else reading.step(node)
    if verb in ("split", "end"):
        return None
    return found.read("then", reading.step)


# --- verbs ------------------------------------------------------------------------------


def _send(reading: Reading, found: Fields) -> Verb | None:
    channel = found.need("send", reading.channel)
    template = found.need("template", reading.text)
    branches = [(reason, found.read(reason, reading.step)) for reason in SEND_BRANCHES]
    failover = found.read("failover", lambda node: reading.many(node, reading.channel))
    late = found.read("failover_after", lambda node: reading.delay(node, MAX_WAIT_DAYS))
    if late is not None and not failover:
        said = f'{found.what} has "failover_after", which needs failover: a list of channels'
        reading.problem(found.node.key("failover_after") or found.node, "missing-key", said)
    track, links = channels.tracking_of(reading, found, channel, failover or ())
    verb = Send(
        channel=channel or "",
        template=template or "",
        data=found.read("data", reading.named) or (),
        at=found.read("at", reading.moment),
        topic=found.read("topic", reading.topic),
        window=found.read("window", reading.window),
        validity=found.read("validity", lambda node: reading.delay(node, MAX_WAIT_DAYS)),
        failover=failover or (),
        failover_after=late,
        keep=found.flag("keep"),
        branches=tuple((reason, then) for reason, then in branches if then is not None),
        agents=channels.agents_of(reading, found, (channel or "", *(failover or ()))),
        track=track,
        links=links,
    )
    return verb if channel and template else None


def _promote(reading: Reading, found: Fields) -> Verb | None:
    slot = found.need("promote", reading.text)
    promotion = found.need("show", reading.text)
    lasts = found.read("for", lambda node: reading.delay(node, MAX_WAIT_DAYS))
    while_ = found.read("while", reading.condition)
    if slot is None or promotion is None:
        return None
    return Promote(slot, promotion, lasts, while_)


def _export(reading: Reading, found: Fields) -> Verb | None:
    destination = found.need("export", reading.destination)
    chosen = found.need("fields", reading.named)
    return None if destination is None else ExportFields(destination, chosen or ())


def _update(reading: Reading, found: Fields) -> Verb | None:
    changes = _targets(reading, found.get("update"))
    increments = _targets(reading, found.get("increment"), "number")
    appended = _targets(reading, found.get("append"))
    unset = found.read("unset", reading.texts) or ()
    node = found.get("unset")
    for item in node.items if isinstance(node, Sequence) else ():
        _target(reading, item, item.text if isinstance(item, Scalar) else "")
    tag, untag = (found.read(key, reading.texts) or () for key in ("tag", "untag"))
    if all(_empty(found.get(key)) for key in UPDATES):
        reading.problem(found.lead, "empty-step", f"{found.what} updates nothing")
    return Update(changes, unset, increments, appended, tag, untag)


def _empty(node: Node | None) -> bool:
    return node is None or (isinstance(node, Mapping | Sequence) and not node.items)


def _targets(reading: Reading, node: Node | None, wants: Wants = "value") -> Named:
    for key, _ in node.items if isinstance(node, Mapping) else ():
        _target(reading, key, key.text)
    if node is None or not isinstance(node, Mapping) or wants != "value":
        return () if node is None else reading.named(node, wants)
    read = [(key.text, target_value(reading, key.text, value)) for key, value in node.items]
    return tuple((name, value) for name, value in read if value is not None)


def _target(reading: Reading, node: Node, name: str) -> None:
    root, _, rest = name.partition(".")
    if root not in ("user", "session", "participant") or not rest:
        said = f'"{name}" cannot be updated'
        known = f'did you mean "user.{name}"?' if "." not in name else ""
        known = known or "name user.<trait>, participant.<field> or session.<variable>"
        reading.problem(node, "invalid-target", said, known)
    elif root == "user":
        reading.check_trait(node, rest)
    elif root == "participant":
        check_field(reading, node, rest)


def _change_audience(key: str) -> Reader:
    def read(reading: Reading, found: Fields) -> Verb | None:
        name = found.need(key, reading.audience)
        node = found.get(key)
        if name in reading.known.computed and node is not None:
            said = f'audience "{name}" is computed; only a static one takes members'
            reading.problem(node, "computed-audience", said)
        return None if name is None else ChangeAudience(name, key == "add_to")

    return read


def _emit(reading: Reading, found: Fields) -> Verb | None:
    event = found.need("emit", reading.event)
    properties = found.read("with", reading.named)
    node, declared = found.get("with"), reading.known.events.get(event or "")
    for key, _ in node.items if isinstance(node, Mapping) else ():
        if declared is not None and key.text not in declared:
            said = f'"{key.text}" is no property of "{event}"'
            reading.problem(key, "unknown-property", said, suggest(key.text, declared))
    return None if event is None else EmitEvent(event, properties or ())


def _enroll(reading: Reading, found: Fields) -> Verb | None:
    flow = found.need("enroll", reading.flow)
    data = found.read("with", reading.named)
    return None if flow is None else Enroll(flow, data or ())


def _leave(reading: Reading, found: Fields) -> Verb | None:
    flows = found.need("leave", lambda node: reading.many(node, reading.flow))
    node = found.get("leave")
    if isinstance(node, Sequence) and not node.items:
        reading.problem(found.lead, "empty-step", f"{found.what} leaves no flow")
    return Leave(flows) if flows else None


def _cancel(reading: Reading, found: Fields) -> Verb | None:
    said = found.need("cancel", lambda node: reading.one_of(node, ("all",)))
    return None if said is None else CancelAll()


def _end(reading: Reading, found: Fields) -> Verb | None:
    reason = found.need("end", lambda node: reading.name(node, "a reason"))
    return None if reason is None else End(reason)


VERBS: dict[str, Reader] = {
    "wait": waits.wait,
    "wait_until": waits.wait_until,
    "wait_in": waits.wait_in,
    "wait_for": waits.wait_for,
    "if": read_if,
    "match_message": match_message,
    "split": read_split,
    "send": _send,
    "promote": _promote,
    "webhook": read_webhook,
    "call": read_call,
    "code": read_code,
    "export": _export,
    **dict.fromkeys(UPDATES, _update),
    "add_to": _change_audience("add_to"),
    "remove_from": _change_audience("remove_from"),
    "emit": _emit,
    "enroll": _enroll,
    "leave": _leave,
    "cancel": _cancel,
    "end": _end,
}
"""Every verb by its key."""
