"""Random flows that are right: what the loader accepts, in every corner that it accepts.

``flows()`` fits ``SPACE`` and ``TEMPLATES``; draw from it wherever a property holds for all flows.
"""

from __future__ import annotations

from itertools import zip_longest

from hypothesis import strategies as st

from transforms.flows import expressions, model, times, windows
from transforms.flows.templates import load_template

CHANNELS = ("email", "sms")
SPACE = model.Space(
    channels=(model.Channel("email", "email"), model.Channel("sms", "phone")),
    topics=(model.Topic("marketing"), model.Topic("news", opt_in=True)),
    audiences=(
        model.Audience("vip", expressions.parse("user.total >= 200")),
        model.Audience("testers"),
    ),
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

triggers = st.one_of(
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
    exit_names = draw(st.lists(names.filter(lambda n: n not in taken), max_size=2, unique=True))
    return model.Flow(
        id=draw(names),
        enter=tuple(draw(st.lists(triggers, min_size=1, max_size=3))),
        steps=steps,
        about=draw(st.just("") | texts),
        priority=draw(st.integers(-5, 5)),
        zone=draw(zones),
        schedule=draw(schedules),
        holdout=draw(st.integers(0, 100)),
        key=draw(st.none() | values),
        simultaneous=draw(st.booleans()),
        reenter=draw(reenter | st.just(model.Reenter())),
        exit=tuple(draw(st.lists(exits, max_size=2))),
        goals=tuple(goals),
        exit_on_goal=bool(goals) and draw(st.booleans()),
        on_exit=_chain(exit_names, [draw(effects) for _ in exit_names]),
    )


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
        case model.If(cases, otherwise):
            return {*(case.then for case in cases), otherwise}
        case model.Split(branches):
            return {branch.then for branch in branches}
        case model.WaitFor(cases=cases, timeout_then=late):
            return {*(case.then for case in cases), late}
        case model.WaitUntil(missing=missing):
            return {missing}
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
    kinds = "plain until for if split send call code".split() + (["end"] if free else [])
    match draw(st.sampled_from(kinds)):
        case "plain":
            return model.Step(name, draw(plain), first)
        case "until":
            past = draw(st.sampled_from(["go", "exit"]))
            return model.Step(
                name, model.WaitUntil(draw(moments), past, draw(st.none() | to)), first
            )
        case "for":
            return model.Step(name, draw(_wait_for(first, to, name, senders)))
        case "if":
            ways = draw(st.lists(st.builds(model.IfCase, conditions, to), min_size=1, max_size=3))
            return model.Step(name, model.If(tuple(ways), first))
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
    if senders:
        status = st.sampled_from(["opened", "clicked"])
        kinds.append(st.builds(model.CaseStatus, status, st.sampled_from(senders), to))
    cases = draw(st.lists(st.one_of(kinds), max_size=2))
    restart = timeout is not None and draw(st.booleans())
    if restart:
        cases.append(model.CaseEvent(draw(matches)))
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
    best = st.builds(
        model.Winning, st.sampled_from(("opened", "clicked")), st.integers(1, 999), st.just(90)
    )
    return model.Split(tuple(branches), draw(st.booleans()), draw(st.none() | best))


@st.composite
def _send(draw: st.DrawFn, to: st.SearchStrategy[str]) -> model.Send:
    reasons = ("no_consent", "no_address", "expired", "capped")
    chosen = draw(st.sets(st.sampled_from(reasons), max_size=2))
    failover = tuple(draw(st.lists(st.sampled_from(CHANNELS), max_size=1)))
    return model.Send(
        channel=draw(st.sampled_from(CHANNELS)),
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
    )
