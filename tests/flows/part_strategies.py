"""Hypothesis strategies for parts of flows: names, times, conditions, triggers, exits, the space."""

from __future__ import annotations

from hypothesis import strategies as st

from transforms.flows.clock import windows
from transforms.flows.clock.delays import Delay, longest, parse_delay, parse_period
from transforms.flows.clock.schedules import parse_when
from transforms.flows.clock.zones import DAY
from transforms.flows.definitions.flow import ExitAudience, ExitEvent, ExitWhen, Schedule
from transforms.flows.definitions.space import (
    Agent,
    Audience,
    Campaign,
    Channel,
    Connection,
    Destination,
    Group,
    Number,
    Space,
    Topic,
)
from transforms.flows.definitions.steps.calls import CallApi, CallWebhook, ExportFields
from transforms.flows.definitions.steps.flows import Enroll, Leave
from transforms.flows.definitions.steps.sends import CancelAll, Promote
from transforms.flows.definitions.steps.updates import ChangeAudience, EmitEvent, Update
from transforms.flows.definitions.steps.waits import Wait, WaitWindow
from transforms.flows.definitions.triggers.audiences import OnAudience, OnPeople, OnTag
from transforms.flows.definitions.triggers.events import OnCombination, OnEvent
from transforms.flows.definitions.triggers.flows import OnEnter, OnFlow
from transforms.flows.definitions.triggers.messages import (
    OnCall,
    OnCommunication,
    OnInbound,
    OnIncoming,
)
from transforms.flows.definitions.triggers.participants import OnParticipant
from transforms.flows.definitions.triggers.profile import OnDate, OnProfile, OnSchedule
from transforms.flows.definitions.values import EventMatch, Limit, Reenter, keyword
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.templates.message_template import load_template

CHANNELS = ("email", "sms")
SPACE = Space(
    channels=(
        Channel("email", "email"),
        Channel("sms", "phone", parts="gsm", tracks=("clicks",)),
    ),
    agents=(Agent("desk", "email"), Agent("line", "sms")),
    numbers=(Number("4711", ("sms",), ("sms",)), Number("Shop, 2", ("sms",), ())),
    topics=(Topic("marketing"), Topic("news", opt_in=True)),
    audiences=(
        Audience("vip", parse("user.total >= 200")),
        Audience("testers"),
    ),
    groups=(Group("lane"),),
    campaigns=(Campaign("winter", (("size", "number"),), ("new", "done")),),
    connections=(Connection("bureau", "https://api.example.com"),),
    destinations=(Destination("crm", "topic", "leads"),),
)
TEMPLATES = {name: load_template(name, "Hello").value for name in ("welcome", "offer")}

_WORDS = st.sampled_from(
    ["Cart Updated", "A: b", "#1", "- x", "it's", 'say "hi"', "true", "null", "12", "{x}", "a, b"]
)
texts = _WORDS | st.text(min_size=1, max_size=20).filter(str.strip)
names = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
keys = st.sampled_from(["n", "first name", "no", "a: b", "Über"]) | names
zones = st.none() | st.sampled_from(["Europe/Berlin", "UTC"])

delays = st.sampled_from(["30m", "12h", "2d", "1w", "1mo", "2 days at 09:00"]).map(parse_delay)
moments = st.sampled_from(
    ["09:00", "daily at 10:00", "mon-fri 09:00", "2026-12-24 09:00", "user.trial_end - 3d at 09:00"]
).map(parse_when)
dates = st.sampled_from(
    ["user.birthday", "user.birthday - 3d at 09:00", "anniversary of user.birthday at 10:00"]
).map(parse_when)
recurring = st.sampled_from(["mon 09:00", "daily at 10:00", "2026-12-24 09:00"]).map(parse_when)
window = st.sampled_from(["09:00-18:00", "mon,tue 09:00-18:00, sat from 10:00 Europe/Rome"]).map(
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
).map(parse)
values = st.sampled_from(
    ["user.total", "entry.cart_id", '"warm"', "12", "true", "user.total * 0.1", '["a", "b"]']
).map(parse)
numbers = st.sampled_from(["user.total", "12", "user.total * 0.1"]).map(parse)
optional_condition = st.none() | conditions
named = st.dictionaries(keys, values, max_size=3).map(lambda found: tuple(found.items()))

_PLANS = st.sampled_from(['"free"', "12", "user.former_plan"]).map(parse)

limits = st.builds(
    Limit,
    st.integers(1, 9),
    st.sampled_from(["7d", "day", "month"]).map(parse_period),
)
reenter = st.just(Reenter(allowed=False)) | st.builds(
    Reenter,
    st.just(True),
    st.none() | delays,
    st.lists(limits, max_size=2).map(tuple),
)
again = st.none() | reenter
matches = st.builds(EventMatch, texts, optional_condition)

keywords = st.lists(texts, max_size=3, unique_by=keyword).map(
    lambda found: tuple(word.strip() for word in found)
)
places = st.sampled_from([("4711", None), ("Shop, 2", "sms"), (None, "sms")])
heard = st.none() | st.sampled_from(
    ["message.as_number > 3", 'message.text contains "a" and user.age > 1', "not message.call"]
).map(parse)

triggers = st.one_of(
    st.builds(
        lambda words, to, *more: OnInbound(words, *to, *more), keywords, places, heard, again
    ),
    st.builds(OnCall, st.just("4711"), st.none() | st.just("sms"), heard, again),
    st.builds(OnIncoming, st.just("sms"), heard, again),
    st.builds(OnEvent, matches, again),
    st.builds(
        OnCombination,
        st.sampled_from(["all", "any", "sequence", "without"]),
        st.lists(matches, min_size=2, max_size=3).map(tuple),
        delays,
        again,
    ),
    st.builds(
        OnProfile,
        names,
        st.none() | _PLANS,
        st.none() | _PLANS,
        st.none() | delays,
        optional_condition,
        again,
    ),
    st.builds(OnAudience, st.just("vip"), st.sampled_from(["entered", "left"]), again),
    st.builds(OnDate, dates, st.booleans(), optional_condition, again),
    st.builds(OnSchedule, recurring, st.just("vip"), again),
    st.builds(OnEnter, optional_condition, again),
    st.builds(OnFlow, names, optional_condition, again),
    st.builds(OnTag, texts, st.sampled_from(["added", "removed"]), again),
    st.builds(OnCommunication, st.sampled_from(["updated", "ended"]), optional_condition, again),
)
launched = st.sampled_from(["member", "launch"])
predefined = st.one_of(
    st.builds(OnAudience, st.just("vip"), launched, again),
    st.builds(OnTag, texts, launched, again),
    st.builds(OnPeople, again),
)
_JOINED = st.none() | st.sampled_from(
    ["participant.size > 3", 'participant.status == "new"', "participant.size is not set"]
).map(parse)
joined = st.one_of(
    st.builds(OnParticipant, st.just("created"), st.none(), st.booleans(), _JOINED, again),
    st.builds(
        OnParticipant,
        st.just("updated"),
        st.none() | st.sampled_from(["size", "status"]),
        st.just(False),
        _JOINED,
        again,
    ),
)
exits = st.one_of(
    st.builds(ExitEvent, matches),
    st.builds(ExitWhen, conditions),
    st.builds(ExitAudience, st.just("vip")),
)
schedules = st.builds(
    Schedule,
    st.none() | st.just("2026-01-01T00:00"),
    st.none() | st.just("2026-12-31"),
    st.sampled_from(["drain", "stop"]),
)
"""Without ``indefinitely``, which is invalid for flows that are entered at one instant."""

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
    Update,
    _UPDATES,
    st.lists(_TARGETS, max_size=2).map(tuple),
    _INCREMENTS,
    _UPDATES,
    _TAGS,
    _TAGS,
).filter(lambda verb: verb != Update())
effects = st.one_of(
    updates,
    st.builds(
        CallWebhook,
        st.just("https://example.com/hook"),
        st.sampled_from(["POST", "PUT"]),
        st.none(),
        _HEADERS,
        st.none() | st.sampled_from(sorted(TEMPLATES)),
        named,
    ),
    st.builds(ExportFields, st.just("crm"), named),
    st.builds(ChangeAudience, st.just("testers"), st.booleans()),
    st.builds(EmitEvent, texts, named),
    st.builds(Enroll, names, named),
    st.builds(CancelAll),
    st.builds(Leave, st.lists(names, min_size=1, max_size=3).map(tuple)),
)
plain = st.one_of(
    effects,
    st.builds(Wait, delays),
    st.builds(WaitWindow, window),
    st.builds(Promote, texts, texts, st.none() | delays, optional_condition),
)


CODES = (
    "def run(total, plan):\n    # a plan: free, or 'pro'\n\n    return {\"gold\": total}\n",
    'LIMIT = 3\n\n\ndef run(plan, total=None):\n    """Say yes."""\n    return {"a": [LIMIT]}\n',
)
_INPUTS = st.tuples(values, values).map(lambda v: (("total", v[0]), ("plan", v[1])))
_STORES = st.dictionaries(names, st.sampled_from(["a", "a.b[0].c-d"]), max_size=2).map(
    lambda found: tuple((k, v) for k, v in found.items() if k != "status")
)


def _month(delay: Delay) -> bool:
    return longest(delay) <= 30 * DAY


@st.composite
def _call(draw: st.DrawFn, to: st.SearchStrategy[str]) -> CallApi:
    after = draw(st.none() | delays.filter(_month))
    connection = draw(st.none() | st.just("bureau"))
    return CallApi(
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
