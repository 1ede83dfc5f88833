"""Random flows that are right: what the loader accepts, in every corner that it accepts.

``flows()`` fits ``SPACE`` and ``TEMPLATES``; draw from it wherever a property holds for all flows.
"""

from __future__ import annotations

from itertools import zip_longest

import msgspec
from hypothesis import strategies as st

from transforms.flows import expressions, model, times, windows
from transforms.flows.plan import keyword
from transforms.flows.templates import load_template

CHANNELS = ("email", "sms")
SPACE = model.Space(
    channels=(
        model.Channel("email", "email"),
        model.Channel("sms", "phone", parts="gsm", tracks=("clicks",)),
    ),
    agents=(model.Agent("desk", "email"), model.Agent("line", "sms")),
    numbers=(model.Number("4711", ("sms",), ("sms",)), model.Number("Shop, 2", ("sms",), ())),
    topics=(model.Topic("marketing"), model.Topic("news", opt_in=True)),
    audiences=(
        model.Audience("vip", expressions.parse("user.total >= 200")),
        model.Audience("testers"),
    ),
    groups=(model.Group("lane"),),
    campaigns=(model.Campaign("winter", (("size", "number"),), ("new", "done")),),
    connections=(model.Connection("bureau", "https://api.example.com"),),
    destinations=(model.Destination("crm", "topic", "leads"),),
)
TEMPLATES = {name: load_template(name, "Hello").value for name in ("welcome", "offer")}

_WORDS = st.sampled_from(
    ["Cart Updated", "A: b", "#1", "- x", "it's", 'say "hi"', "true", "null", "12", "{x}", "a, b"]
)
texts = _WORDS | st.text(min_size=1, max_size=20).filter(str.strip)
names = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
keys = st.sampled_from(["n", "first name", "no", "a: b", "Über"]) | names
zones = st.none() | st.sampled_from(["Europe/Berlin", "UTC"])

delays = st.sampled_from(["30m", "12h", "2d", "1w", "1mo", "2 days at 09:00"]).map(
    times.parse_delay
)
moments = st.sampled_from(
    ["09:00", "daily at 10:00", "mon-fri 09:00", "2026-12-24 09:00", "user.trial_end - 3d at 09:00"]
).map(times.parse_moment)
dates = st.sampled_from(
    ["user.birthday", "user.birthday - 3d at 09:00", "anniversary of user.birthday at 10:00"]
).map(times.parse_moment)
recurring = st.sampled_from(["mon 09:00", "daily at 10:00", "2026-12-24 09:00"]).map(
    times.parse_moment
)
window = st.sampled_from(["09:00-18:00", "mon-fri 09:00-18:00, sat 10:00-14:00"]).map(
    windows.parse_window
)
conditions = st.sampled_from(
    [
        "user.total >= 20",
        'user.plan == "free: all"',
        'user.city in ["Berlin", "Köln"]',
        'user.phone is set and not (user.plan == "it\'s" or user.age between 18 and 30)',
        'count(event "Order Completed" where event.total > 10 within last 90d) >= 2',
        '"#" == user.x',
        "visit.count >= 3 and visit.last more than 1d ago",
        'user.comment contains "a sentence that is long enough to need more than one line of text"',
    ]
).map(expressions.parse)
values = st.sampled_from(
    ["user.total", "entry.cart_id", '"warm"', "12", "true", "user.total * 0.1", '["a", "b"]']
).map(expressions.parse)
numbers = st.sampled_from(["user.total", "12", "user.total * 0.1"]).map(expressions.parse)
optional_condition = st.none() | conditions
named = st.dictionaries(keys, values, max_size=3).map(lambda found: tuple(found.items()))

_PLANS = st.sampled_from(['"free"', "12", "user.former_plan"]).map(expressions.parse)

limits = st.builds(
    model.Limit,
    st.integers(1, 9),
    st.sampled_from(["7d", "day", "month"]).map(times.parse_period),
)
reenter = st.just(model.Reenter(allowed=False)) | st.builds(
    model.Reenter,
    st.just(True),
    st.none() | delays,
    st.lists(limits, max_size=2).map(tuple),
)
again = st.none() | reenter
matches = st.builds(model.EventMatch, texts, optional_condition)

keywords = st.lists(texts, max_size=3, unique_by=keyword).map(
    lambda found: tuple(word.strip() for word in found)
)
places = st.sampled_from([("4711", None), ("Shop, 2", "sms"), (None, "sms")])
heard = st.none() | st.sampled_from(
    ["message.as_number > 3", 'message.text contains "a" and user.age > 1', "not message.call"]
).map(expressions.parse)

triggers = st.one_of(
    st.builds(
        lambda words, to, *more: model.OnInbound(words, *to, *more), keywords, places, heard, again
    ),
    st.builds(model.OnCall, st.just("4711"), st.none() | st.just("sms"), heard, again),
    st.builds(model.OnIncoming, st.just("sms"), heard, again),
    st.builds(model.OnEvent, matches, again),
    st.builds(
        model.OnCombination,
        st.sampled_from(["all", "any", "sequence", "without"]),
        st.lists(matches, min_size=2, max_size=3).map(tuple),
        delays,
        again,
    ),
    st.builds(
        model.OnProfile,
        names,
        st.none() | _PLANS,
        st.none() | _PLANS,
        st.none() | delays,
        optional_condition,
        again,
    ),
    st.builds(model.OnAudience, st.just("vip"), st.sampled_from(["entered", "left"]), again),
    st.builds(model.OnDate, dates, st.booleans(), optional_condition, again),
    st.builds(model.OnSchedule, recurring, st.just("vip"), again),
    st.builds(model.OnEnter, optional_condition, again),
    st.builds(model.OnFlow, names, optional_condition, again),
    st.builds(model.OnTag, texts, st.sampled_from(["added", "removed"]), again),
    st.builds(
        model.OnCommunication, st.sampled_from(["updated", "ended"]), optional_condition, again
    ),
)
launched = st.sampled_from(["member", "launch"])
predefined = st.one_of(
    st.builds(model.OnAudience, st.just("vip"), launched, again),
    st.builds(model.OnTag, texts, launched, again),
    st.builds(model.OnPeople, again),
)
_JOINED = st.none() | st.sampled_from(
    ["participant.size > 3", 'participant.status == "new"', "participant.size is not set"]
).map(expressions.parse)
joined = st.one_of(
    st.builds(model.OnParticipant, st.just("created"), st.none(), st.booleans(), _JOINED, again),
    st.builds(
        model.OnParticipant,
        st.just("updated"),
        st.none() | st.sampled_from(["size", "status"]),
        st.just(False),
        _JOINED,
        again,
    ),
)
exits = st.one_of(
    st.builds(model.ExitEvent, matches),
    st.builds(model.ExitWhen, conditions),
    st.builds(model.ExitAudience, st.just("vip")),
)
schedules = st.builds(
    model.Schedule,
    st.none() | st.just("2026-01-01T00:00"),
    st.none() | st.just("2026-12-31"),
    st.sampled_from(["drain", "stop"]),
)
"""Without ``indefinitely``, which what is entered at one moment must not say."""

_TARGETS = st.sampled_from(["user.stage", "session.n", "user.list"])
_UPDATES = st.dictionaries(_TARGETS, values, max_size=2).map(lambda found: tuple(found.items()))
_INCREMENTS = st.dictionaries(_TARGETS, numbers, max_size=2).map(lambda found: tuple(found.items()))
_TAGS = st.lists(texts, max_size=2).map(tuple)

_HEADERS = st.dictionaries(
    st.sampled_from(["X-A", "Content-Type", "Accept"]),
    st.sampled_from(["text/plain; charset=utf-8", "#1", "a: b"]),
    max_size=2,
).map(lambda found: tuple(found.items()))

updates = st.builds(
    model.Update,
    _UPDATES,
    st.lists(_TARGETS, max_size=2).map(tuple),
    _INCREMENTS,
    _UPDATES,
    _TAGS,
    _TAGS,
).filter(lambda verb: verb != model.Update())
effects = st.one_of(
    updates,
    st.builds(
        model.CallWebhook,
        st.just("https://example.com/hook"),
        st.sampled_from(["POST", "PUT"]),
        st.none(),
        _HEADERS,
        st.none() | st.sampled_from(sorted(TEMPLATES)),
        named,
    ),
    st.builds(model.ExportFields, st.just("crm"), named),
    st.builds(model.ChangeAudience, st.just("testers"), st.booleans()),
    st.builds(model.EmitEvent, texts, named),
    st.builds(model.Enroll, names, named),
    st.builds(model.CancelAll),
    st.builds(model.Leave, st.lists(names, min_size=1, max_size=3).map(tuple)),
)
plain = st.one_of(
    effects,
    st.builds(model.Wait, delays),
    st.builds(model.WaitWindow, window),
    st.builds(model.Promote, texts, texts, st.none() | delays, optional_condition),
)


CODES = (
    "def run(total, plan):\n    # a plan: free, or 'pro'\n\n    return {\"gold\": total}\n",
    'LIMIT = 3\n\n\ndef run(plan, total=None):\n    """Say yes."""\n    return {"a": [LIMIT]}\n',
)
_INPUTS = st.tuples(values, values).map(lambda v: (("total", v[0]), ("plan", v[1])))
_STORES = st.dictionaries(names, st.sampled_from(["a", "a.b[0].c-d"]), max_size=2).map(
    lambda found: tuple((k, v) for k, v in found.items() if k != "status")
)


@st.composite
def _call(draw: st.DrawFn, to: st.SearchStrategy[str]) -> model.CallApi:
    after = draw(st.none() | delays.filter(_month))
    connection = draw(st.none() | st.just("bureau"))
    return model.CallApi(
        url=draw(st.sampled_from(["/", "/x?y=#1"])) if connection else "https://example.com/hook",
        method=draw(st.sampled_from(["GET", "POST"])),
        connection=connection,
        headers=draw(_HEADERS),
        template=draw(st.none() | st.sampled_from(sorted(TEMPLATES))),
        data=draw(named),
        store=draw(_STORES),
        timeout=after,
        timeout_then=draw(st.none() | to) if after else None,
        error=draw(st.none() | to),
    )


@st.composite
def flows(draw: st.DrawFn) -> model.Flow:
    """Draw a flow of up to eight steps, each of which can be reached."""
    goals = draw(
        st.lists(
            st.builds(model.Goal, names, matches, delays.filter(_short), st.none() | numbers),
            max_size=2,
            unique_by=lambda goal: goal.name,
        )
    )
    steps = draw(_steps())
    taken = {step.name for step in steps}
    campaign = draw(st.none() | st.just("winter"))
    ways = triggers if campaign is None else triggers | joined
    exit_names = draw(st.lists(names.filter(lambda n: n not in taken), max_size=2, unique=True))
    enter = tuple(draw(st.lists(ways, min_size=1, max_size=3).filter(_any_entry)))
    enter += tuple(draw(st.lists(predefined, max_size=1)))
    return model.Flow(
        id=draw(names),
        enter=enter,
        steps=steps,
        about=draw(st.just("") | texts),
        priority=draw(st.integers(-5, 5)),
        zone=draw(zones),
        schedule=draw(
            schedules | st.just(model.Schedule(indefinitely=True)) if _lasts(enter) else schedules
        ),
        holdout=draw(st.integers(0, 100)),
        key=draw(st.none() | values),
        simultaneous=draw(st.booleans()),
        reenter=draw(reenter | st.just(model.Reenter())),
        exit=tuple(draw(st.lists(exits, max_size=2))),
        goals=tuple(goals),
        exit_on_goal=bool(goals) and draw(st.booleans()),
        on_exit=_chain(exit_names, [draw(effects) for _ in exit_names]),
        group=draw(st.none() | st.just("lane")),
        campaign=campaign,
    )


def _any_entry(found: list[model.Trigger]) -> bool:
    """Tell whether the entry may have any fields: those of what users send are known."""
    sent = (model.OnInbound, model.OnCall, model.OnIncoming)
    return not all(isinstance(trigger, sent) for trigger in found)


def _lasts(enter: tuple[model.Trigger, ...]) -> bool:
    """Tell whether a flow may run indefinitely: an event, at least, lets users in at any time."""
    return any(isinstance(trigger, model.OnEvent) for trigger in enter)


def _short(delay: model.Delay) -> bool:
    return times.longest(delay) < 100 * times.DAY


def _month(delay: model.Delay) -> bool:
    return times.longest(delay) <= 30 * times.DAY


def _chain(found: list[str], verbs: list[model.Verb]) -> tuple[model.Step, ...]:
    return tuple(
        model.Step(name, verb, then) for name, verb, then in zip_longest(found, verbs, found[1:])
    )


@st.composite
def _steps(draw: st.DrawFn) -> tuple[model.Step, ...]:
    found = draw(st.lists(names, min_size=1, max_size=8, unique=True))
    wanted = set(found[1:])
    steps: list[model.Step] = []
    for number, name in enumerate(found):
        step = draw(_step(name, found[number + 1 :], wanted, [s.name for s in steps if _sends(s)]))
        wanted -= {step.then, *_branches(step.verb)}
        steps.append(step)
    return tuple(steps)


def _sends(step: model.Step) -> bool:
    return isinstance(step.verb, model.Send)


def _branches(verb: model.Verb) -> set[str | None]:
    match verb:
        case model.If(cases, otherwise) | model.MatchMessage(cases, otherwise):
            return {*(case.then for case in cases), otherwise}
        case model.Split(branches):
            return {branch.then for branch in branches}
        case model.WaitFor(cases=cases, timeout_then=late):
            return {*(case.then for case in cases), late}
        case model.WaitUntil(missing=missing):
            return {missing}
        case model.WaitVisit(gone=gone):
            return {gone}
        case model.Send(branches=reasons):
            return {to for _, to in reasons}
        case model.CallApi(timeout_then=late, error=failed):
            return {late, failed}
        case model.RunCode(error=failed):
            return {failed}
        case _:
            return set()


@st.composite
def _step(
    draw: st.DrawFn, name: str, later: list[str], wanted: set[str], senders: list[str]
) -> model.Step:
    """Draw a step that leads to the next one, unless an earlier one does so."""
    if not later:
        return model.Step(name, draw(plain | st.builds(model.End, names)))
    free = later[0] not in wanted
    to = st.sampled_from(later)
    first = draw(to) if free else later[0]
    kinds = "plain until visit for if match split send call code".split()
    kinds += ["end"] if free else []
    match draw(st.sampled_from(kinds)):
        case "plain":
            return model.Step(name, draw(plain), first)
        case "until":
            past = draw(st.sampled_from(["go", "exit"]))
            return model.Step(
                name, model.WaitUntil(draw(moments), past, draw(st.none() | to)), first
            )
        case "visit":
            exact = draw(delays.filter(lambda delay: delay.ms))
            return model.Step(name, model.WaitVisit(exact, draw(st.none() | to)), first)
        case "for":
            return model.Step(name, draw(_wait_for(first, to, name, senders)))
        case "if":
            ways = draw(st.lists(st.builds(model.IfCase, conditions, to), min_size=1, max_size=3))
            return model.Step(name, model.If(tuple(ways), first))
        case "match":
            words = draw(st.lists(texts, min_size=1, max_size=3, unique_by=keyword))
            found = [model.Keywords((word.strip(),), draw(to)) for word in words]
            found += [model.Keywords((), draw(to))] if draw(st.booleans()) else []
            return model.Step(name, model.MatchMessage(tuple(found), first))
        case "split":
            return model.Step(name, draw(_split(first, to)))
        case "send":
            return model.Step(name, draw(_send(to)), first)
        case "call":
            return model.Step(name, draw(_call(to)), first)
        case "code":
            failed, source = draw(st.none() | to), draw(st.sampled_from(CODES))
            return model.Step(name, model.RunCode(source, draw(_INPUTS), failed), first)
        case _:
            return model.Step(name, model.End(draw(names)))


@st.composite
def _wait_for(
    draw: st.DrawFn, first: str, to: st.SearchStrategy[str], itself: str, senders: list[str]
) -> model.WaitFor:
    timeout = draw(st.none() | delays)
    kinds = [
        st.builds(model.CaseEvent, matches, to | st.just(itself)),
        st.builds(model.CaseWhen, conditions, to),
        st.builds(model.CaseAudience, st.just("vip"), st.sampled_from(["entered", "left"]), to),
    ]
    kinds += [
        st.builds(
            lambda words, place, *more: model.CaseInbound(words, *place, *more),
            keywords,
            places,
            heard,
            to,
        ),
        st.builds(model.CaseCall, st.none() | st.just("4711"), st.just("sms"), heard, to),
    ]
    if senders:
        status = st.sampled_from(["opened", "clicked"])
        asked = optional_condition | st.just(expressions.parse("communication.duration > 3"))
        kinds.append(st.builds(model.CaseStatus, status, st.sampled_from(senders), to, asked))
    cases = draw(st.lists(st.one_of(kinds), max_size=2))
    restart = timeout is not None and draw(st.booleans())
    if restart:
        heard_again = [model.CaseInbound(("go on",), "4711"), model.CaseCall(channel="sms")]
        cases.append(draw(st.builds(model.CaseEvent, matches) | st.sampled_from(heard_again)))
    if timeout is None or not cases:
        cases.append(model.CaseEvent(draw(matches), first))
    rank = timeout is not None and draw(st.booleans())
    return model.WaitFor(tuple(cases), timeout, first if timeout else None, rank, restart)


@st.composite
def _split(draw: st.DrawFn, first: str, to: st.SearchStrategy[str]) -> model.Split:
    labels = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    shares = [100 // len(labels)] * len(labels)
    shares[0] += 100 - sum(shares)
    held = draw(st.booleans()) and len(labels) > 1
    ways = [first, *(draw(to) for _ in labels[1:])]
    branches = [model.Branch(n, s, False, w) for n, s, w in zip(labels, shares, ways, strict=True)]
    if held:
        branches[-1] = model.Branch(labels[-1], shares[-1], True, draw(st.none() | to))
    won = st.builds(
        model.Winning, st.sampled_from(("opened", "clicked")), st.integers(1, 999), st.just(90)
    )
    best = draw(st.none() | won)
    if best is not None and draw(st.booleans()):
        branches[0] = msgspec.structs.replace(branches[0], rest=True, holdout=False)
    return model.Split(tuple(branches), draw(st.booleans()), best)


@st.composite
def _send(draw: st.DrawFn, to: st.SearchStrategy[str]) -> model.Send:
    reasons = ("no_consent", "no_address", "expired", "capped")
    chosen = draw(st.sets(st.sampled_from(reasons), max_size=2))
    failover = tuple(draw(st.lists(st.sampled_from(CHANNELS), max_size=1)))
    channel = draw(st.sampled_from(CHANNELS))
    known = {"email": ("email", "desk"), "sms": ("sms", "line")}
    fitting = [known[name] for name in dict.fromkeys((channel, *failover))]
    return model.Send(
        channel=channel,
        template=draw(st.sampled_from(sorted(TEMPLATES))),
        data=draw(named),
        at=draw(st.none() | moments),
        topic=draw(st.none() | st.sampled_from(["marketing", "news"])),
        window=draw(st.none() | window),
        validity=draw(st.none() | delays),
        failover=failover,
        failover_after=draw(st.none() | delays) if failover else None,
        keep=draw(st.booleans()),
        branches=tuple((reason, draw(to)) for reason in reasons if reason in chosen),
        agents=tuple(draw(st.lists(st.sampled_from(fitting), unique=True))),
        track=draw(st.sampled_from([None, (), ("clicks",)])),
        links=draw(st.sampled_from([None, "short", "whole"])),
    )
