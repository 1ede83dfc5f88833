"""A flow as the tree of texts that its file holds: every value in its one canonical spelling.

What equals its default is left out, and so is a ``then`` that names the next step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import assert_never

from transforms.authoring.format_yaml import Tree
from transforms.flows.clock.delays import Delay
from transforms.flows.clock.schedules import Moment
from transforms.flows.clock.windows import Window
from transforms.flows.definitions.flow import (
    ExitAudience,
    ExitEvent,
    ExitRule,
    ExitWhen,
    Flow,
    Goal,
)
from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.step_order import written
from transforms.flows.definitions.steps.branches import If, MatchMessage, Split, Winning
from transforms.flows.definitions.steps.calls import CallApi, CallWebhook, ExportFields, RunCode
from transforms.flows.definitions.steps.flows import End, Enroll, Leave
from transforms.flows.definitions.steps.kinds import Step, Verb
from transforms.flows.definitions.steps.sends import CancelAll, Promote, Send
from transforms.flows.definitions.steps.updates import ChangeAudience, EmitEvent, Update
from transforms.flows.definitions.steps.waits import (
    Case,
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    CaseWhen,
    Wait,
    WaitFor,
    WaitUntil,
    WaitVisit,
    WaitWindow,
)
from transforms.flows.definitions.triggers.audiences import OnAudience, OnPeople, OnTag
from transforms.flows.definitions.triggers.events import OnCombination, OnEvent
from transforms.flows.definitions.triggers.flows import OnEnter, OnFlow
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.messages import (
    OnCall,
    OnCommunication,
    OnInbound,
    OnIncoming,
)
from transforms.flows.definitions.triggers.participants import OnParticipant
from transforms.flows.definitions.triggers.profile import OnDate, OnProfile, OnSchedule
from transforms.flows.definitions.values import EventMatch, Named, keyword
from transforms.flows.expressions.syntax.ast import Expr

Fields = dict[str, Tree]


def tree_of(flow: Flow) -> Fields:
    """Give the tree of a flow: keys in the order in which they are read best."""
    schedule = flow.schedule
    return _kept(
        flow=flow.id,
        about=flow.about or None,
        campaign=flow.campaign,
        priority=str(flow.priority) if flow.priority else None,
        group=flow.group,
        zone=flow.zone,
        schedule=_kept(
            start=schedule.start,
            end=schedule.end,
            at_end=schedule.at_end if schedule.at_end != "drain" else None,
            indefinitely=_flag(schedule.indefinitely),
        )
        or None,
        holdout=f"{flow.holdout}%" if flow.holdout else None,
        enter=[_trigger(trigger) for trigger in flow.enter],
        key=_text(flow.key),
        simultaneous=_several(flow),
        reenter=_reenter(flow.reenter) if flow.reenter != Reenter() else None,
        exit=[_exit(rule) for rule in flow.exit] or None,
        goals={goal.name: _goal(goal) for goal in flow.goals} or None,
        exit_on_goal=_flag(flow.exit_on_goal),
        on_exit=_steps(flow.on_exit) or None,
        steps=_steps(flow.steps),
    )


def _kept(**fields: Tree | None) -> Fields:
    """Leave out what is None; a key that Python reserves is written with ``_`` after it."""
    return {key.rstrip("_"): value for key, value in fields.items() if value is not None}


def _text(value: Expr | Delay | Moment | Window | None) -> str | None:
    return None if value is None else value.text


def _flag(value: bool) -> str | None:
    return "true" if value else None


def _several(flow: Flow) -> str | None:
    """Write whether there may be several sessions at once, as is usual in campaigns (C22)."""
    usual = flow.campaign is not None
    return None if flow.simultaneous == usual else "false" if usual else "true"


def _named(named: Named) -> Tree | None:
    return {name: expr.text for name, expr in named} or None


def _list(names: Iterable[str]) -> Tree | None:
    return list(names) or None


# --- entry, exit, goals ----------------------------------------------------------


def _match(match: EventMatch) -> Fields:
    return _kept(event=match.event, where=_text(match.where))


def _reenter(reenter: Reenter | None) -> Tree | None:
    if reenter is None:
        return None
    if not reenter.allowed:
        return "never"
    limits = [f"{limit.most} per {limit.per.text}" for limit in reenter.limits]
    return _kept(after=_text(reenter.after), limit=_list(limits))


def _trigger(trigger: Trigger) -> Tree:
    return {**_kind_of_trigger(trigger), **_kept(reenter=_reenter(trigger.reenter))}


def _kind_of_trigger(trigger: Trigger) -> Fields:
    match trigger:
        case OnEvent():
            return _match(trigger.match)
        case OnCombination(how="without"):
            first, *others = trigger.parts
            rest = [_match(part) for part in others]
            return {**_match(first), "without": [*rest], "within": trigger.within.text}
        case OnCombination():
            parts = [_match(part) for part in trigger.parts]
            return {trigger.how: [*parts], "within": trigger.within.text}
        case OnProfile():
            return _kept(
                changed=trigger.trait,
                from_=_text(trigger.before),
                to=_text(trigger.after),
                held=_text(trigger.held),
                where=_text(trigger.where),
            )
        case OnAudience():
            when = trigger.when if trigger.when != "entered" else None
            return _kept(audience=trigger.audience, when=when)
        case OnDate():
            return _kept(
                date=trigger.moment.text,
                yearly=_flag(trigger.yearly),
                where=_text(trigger.where),
            )
        case OnSchedule():
            return {"at": trigger.moment.text, "audience": trigger.audience}
        case OnEnter():
            return _kept(api="true", where=_text(trigger.where))
        case OnTag():
            return _kept(tag=trigger.tag, when=trigger.when if trigger.when != "added" else None)
        case OnPeople():
            return {"people": "true"}
        case OnCommunication():
            return _kept(communication=trigger.when, where=_text(trigger.where))
        case OnParticipant():
            return _kept(
                participant=trigger.when,
                field=trigger.field,
                on_upload="always" if trigger.always else None,
                where=_text(trigger.where),
            )
        case OnFlow():
            return _kept(flow=trigger.flow, where=_text(trigger.where))
        case OnInbound() | OnCall():
            return _sent(trigger)
        case OnIncoming():
            return _kept(incoming=trigger.channel, where=_text(trigger.where))
        case _:
            assert_never(trigger)


def _sent(said: OnInbound | OnCall | CaseInbound | CaseCall) -> Fields:
    kind: Fields = {"call": "true"}
    if isinstance(said, OnInbound | CaseInbound):
        kind = {"inbound": _keywords(said.keywords)}
    return kind | _kept(number=said.number, channel=said.channel, where=_text(said.where))


def _keywords(words: tuple[str, ...]) -> Tree:
    """Write one keyword as it is; the word ``any`` stands in a list, since it means any word."""
    if not words:
        return "any"
    return words[0] if len(words) == 1 and keyword(words[0]) != "any" else [*words]


def _exit(rule: ExitRule) -> Tree:
    match rule:
        case ExitEvent():
            return _match(rule.match)
        case ExitWhen():
            return {"when": rule.when.text}
        case ExitAudience():
            return {"left": rule.audience}
        case _:
            assert_never(rule)


def _goal(goal: Goal) -> Tree:
    return {**_match(goal.match), **_kept(within=goal.within.text, value=_text(goal.value))}


# --- steps -----------------------------------------------------------------------


def _steps(steps: Sequence[Step]) -> Fields:
    branches = {target for step in steps for target in written(step.verb)}
    made: Fields = {}
    for step, after in zip_longest(steps, [step.name for step in steps[1:]]):
        fields = _verb(step.verb)
        falls = step.then == after and after not in branches
        if step.then is not None and not falls:
            fields["then"] = step.then
        made[step.name] = fields
    return made


def _verb(verb: Verb) -> Fields:
    match verb:
        case Wait():
            return {"wait": verb.delay.text}
        case WaitVisit():
            return _kept(wait=f"{verb.delay.text} in visit", gone=verb.gone)
        case WaitUntil():
            past = verb.past if verb.past != "go" else None
            return _kept(wait_until=verb.moment.text, past=past, missing=verb.missing)
        case WaitWindow():
            return {"wait_in": verb.window.text}
        case WaitFor():
            return _wait_for(verb)
        case If():
            cases = [_kept(when=case.when.text, then=case.then) for case in verb.cases]
            return _kept(if_=[*cases], else_=verb.otherwise)
        case MatchMessage():
            ways = [{"inbound": _keywords(c.keywords), **_kept(then=c.then)} for c in verb.cases]
            return _kept(match_message=[*ways], else_=verb.otherwise)
        case Split():
            return _split(verb)
        case Send():
            return _send(verb)
        case Promote():
            return _kept(
                promote=verb.slot,
                show=verb.promotion,
                for_=_text(verb.lasts),
                while_=_text(verb.while_),
            )
        case CallWebhook():
            return _kept(
                webhook=verb.url,
                method=verb.method if verb.method != "POST" else None,
                connection=verb.connection,
                headers=dict(verb.headers) or None,
                template=verb.template,
                data=_named(verb.data),
            )
        case CallApi():
            return _call(verb)
        case RunCode():
            return _kept(code=verb.source, with_=_named(verb.inputs), error=verb.error)
        case ExportFields():
            return {"export": verb.destination, "fields": _named(verb.fields) or {}}
        case Update():
            return _update(verb)
        case ChangeAudience():
            return {"add_to" if verb.add else "remove_from": verb.audience}
        case EmitEvent():
            return _kept(emit=verb.event, with_=_named(verb.properties))
        case Enroll():
            return _kept(enroll=verb.flow, with_=_named(verb.data))
        case CancelAll():
            return {"cancel": "all"}
        case Leave():
            return {"leave": [*verb.flows]}
        case End():
            return {"end": verb.reason}
        case _:
            assert_never(verb)


def _wait_for(verb: WaitFor) -> Fields:
    timeout = _kept(after=_text(verb.timeout), then=verb.timeout_then)
    return _kept(
        wait_for=[{**_case(case), **_kept(then=case.then)} for case in verb.cases],
        repeat="restart" if verb.restart else None,
        rank=_flag(verb.rank),
        timeout=timeout or None,
    )


def _case(case: Case) -> Fields:
    match case:
        case CaseEvent():
            return _match(case.match)
        case CaseStatus():
            return {case.status: case.step, **_kept(where=_text(case.where))}
        case CaseWhen():
            return {"when": case.when.text}
        case CaseInbound() | CaseCall():
            return _sent(case)
        case CaseAudience():
            return {"enters" if case.when == "entered" else "leaves": case.audience}
        case _:
            assert_never(case)


def _split(verb: Split) -> Fields:
    parts: Fields = {
        branch.name: f"{branch.percent}%{' holdout' * branch.holdout}{' rest' * branch.rest}"
        for branch in verb.branches
    }
    ways: Fields = {branch.name: branch.then for branch in verb.branches if branch.then}
    return _kept(
        split=parts,
        redraw=_flag(verb.redraw),
        winner=_winner(verb.winner) if verb.winner else None,
        then=ways or None,
    )


def _winner(winner: Winning) -> Fields:
    minimum, sure = str(winner.minimum), f"{winner.confidence}%"
    return {"metric": winner.metric, "minimum": minimum, "confidence": sure}


def _send(verb: Send) -> Fields:
    fields = _kept(
        send=verb.channel,
        agent=_one_or_list([name for _, name in verb.agents]),
        template=verb.template,
        data=_named(verb.data),
        topic=verb.topic,
        at=_text(verb.at),
        window=_text(verb.window),
        validity=_text(verb.validity),
        failover=_list(verb.failover),
        failover_after=_text(verb.failover_after),
        keep=_flag(verb.keep),
        track=None if verb.track is None else [*verb.track],
        links=verb.links,
    )
    return {**fields, **dict(verb.branches)}


def _one_or_list(names: list[str]) -> Tree | None:
    return names[0] if len(names) == 1 else _list(names)


def _call(verb: CallApi) -> Fields:
    timeout = _kept(after=_text(verb.timeout), then=verb.timeout_then)
    return _kept(
        call=verb.url,
        method=verb.method if verb.method != "POST" else None,
        connection=verb.connection,
        headers=dict(verb.headers) or None,
        template=verb.template,
        data=_named(verb.data),
        store=dict(verb.store) or None,
        timeout=timeout or None,
        error=verb.error,
    )


def _update(verb: Update) -> Fields:
    return _kept(
        update=_named(verb.set),
        unset=_list(verb.unset),
        increment=_named(verb.increment),
        append=_named(verb.append),
        tag=_list(verb.tag),
        untag=_list(verb.untag),
    )
