"""Loading valid flows: the model has what is written, and omitted targets are filled in."""

from __future__ import annotations

from transforms.flows.definitions.flow import Flow, Schedule
from transforms.flows.definitions.space import Channel, Template, Topic
from transforms.flows.definitions.steps.branches import Branch, Split
from transforms.flows.definitions.steps.kinds import Verb
from transforms.flows.definitions.steps.updates import ChangeAudience, Update
from transforms.flows.definitions.triggers.events import OnEvent
from transforms.flows.definitions.values import EventMatch, Reenter
from transforms.flows.reading.flow import load_flow, load_goals
from transforms.flows.reading.project import load_project
from transforms.flows.reading.space import load_space

SPACE = load_space(
    "space.yaml",
    """
space: shop
zone: Europe/Berlin
slack: 10s
channels: {email: {address: email}, sms: {address: phone}, log: {address: user}}
topics: {marketing: {}, sms_offers: {opt_in: true}}
caps: [{limit: 3 per day, channel: email, topic: marketing}]
quiet_hours: 21:00-08:00
audiences:
  vip: sum(event.total of event "Order Completed" within last 180d) >= 200
  vip_list: static
connections: {bureau: {url: "https://api.example.com/v1", auth: {basic: me, password: env:PW}}}
destinations: {crm: {http: /leads, connection: bureau}, lake: {store: "gs://b/x", format: jsonl}}
""",
).value
assert SPACE is not None

TEMPLATES = {"hello": Template("hello", "1", (("body", "Hello"),), ())}


def flow(steps: str, head: str = "enter: [{event: A}]") -> Flow:
    """Load a flow of these steps that has no problems."""
    loaded = load_flow("t.yaml", f"flow: t\n{head}\nsteps:\n{steps}", SPACE, TEMPLATES)
    assert loaded.problems == ()
    assert loaded.value is not None
    return loaded.value


def verb(text: str, rest: str = "") -> Verb:
    """Load one step called ``a``; ``rest`` has further steps, and ``b`` is the last."""
    return flow(f"  a: {text}\n{rest}  b: {{end: over}}\n").steps[0].verb


def test_the_order_of_signals() -> None:
    """A space handles signals in order of event time, of arrival, or of arrival for some events."""

    def arrival(order: str) -> object:
        loaded = load_space("space.yaml", f"space: s\nslack: 10s\n{order}")
        return loaded.value.arrival if loaded.value else [p.message for p in loaded.problems]

    assert arrival("") is arrival("order: event_time") is False
    assert arrival("order: arrival") is True
    assert arrival("order: {Page Viewed: arrival, Order: event_time}") == ("Page Viewed",)
    assert arrival("order: arival") == ['"arival" is not possible here']
    assert arrival("order: {Page Viewed: later}") == ['"later" is not possible here']


def test_the_space() -> None:
    """A space file becomes a space, with names and settings in the order written."""
    assert (SPACE.name, SPACE.zone, SPACE.slack) == ("shop", "Europe/Berlin", 10_000)
    assert SPACE.channels[2] == Channel("log", "user")
    assert SPACE.topics == (Topic("marketing"), Topic("sms_offers", opt_in=True))
    assert SPACE.caps[0].limit.most == 3
    assert [(a.name, a.when is None) for a in SPACE.audiences] == [
        ("vip", False),
        ("vip_list", True),
    ]


def test_scalars_keep_their_text() -> None:
    """``09:00`` is not a number and ``no`` is not a boolean: YAML's implicit types are not used."""
    loaded = flow("  no: {end: done}\n", "enter: [{event: 1234}]\nabout: yes")

    assert loaded.about == "yes"
    assert loaded.enter == (OnEvent(EventMatch("1234")),)
    assert loaded.steps[0].name == "no"


def test_triggers() -> None:
    """Every kind of trigger is loaded, in the order listed."""
    head = """
enter:
  - {event: A, where: event.x > 1, reenter: never}
  - {all: [{event: A}, {event: B, where: event.y == 2}], within: 7d}
  - {sequence: [{event: A}, {event: B}], within: 1d}
  - {event: A, without: [{event: B}], within: 3d}
  - {changed: plan, from: '"free"', to: '"pro"', held: 2d}
  - {date: user.birthday - 3d at 09:00, yearly: true}
  - {at: mon 09:00, audience: vip}
  - {audience: vip, when: left}
  - {api: true}
"""
    read = flow("  a: {end: done}\n", head).enter

    assert [type(t).__name__ for t in read] == [
        "OnEvent", "OnCombination", "OnCombination", "OnCombination", "OnProfile",
        "OnDate", "OnSchedule", "OnAudience", "OnEnter",
    ]  # fmt: skip
    assert read[0].reenter == Reenter(allowed=False)
    assert [t.how for t in read[1:4]] == ["all", "sequence", "without"]
    assert [part.event for part in read[3].parts] == ["A", "B"]
    assert read[4].after.text == '"pro"'
    assert read[5].yearly
    assert read[7].when == "left"


def test_head() -> None:
    """Everything above the steps is loaded."""
    head = """
priority: 5
zone: Asia/Tokyo
schedule: {start: 2026-01-01T00:00, end: 2026-12-31, at_end: stop}
holdout: 10%
enter: [{event: A}]
key: entry.id
simultaneous: true
reenter: {after: 1d, limit: [2 per 7d, 1 per day]}
exit: [{event: B, where: event.id == entry.id}, {when: user.plan == "pro"}, {left: vip}]
goals: {bought: {event: B, within: 3d, value: event.total}}
exit_on_goal: true
on_exit:
  tell: {export: crm, fields: {id: user.id}}
"""
    read = flow("  a: {end: done}\n", head)

    assert (read.priority, read.zone, read.holdout) == (5, "Asia/Tokyo", 10)
    assert read.schedule == Schedule("2026-01-01T00:00", "2026-12-31", "stop")
    assert read.simultaneous
    assert read.exit_on_goal
    assert [limit.most for limit in read.reenter.limits] == [2, 1]
    assert [type(rule).__name__ for rule in read.exit] == ["ExitEvent", "ExitWhen", "ExitAudience"]
    assert read.goals[0].value.text == "event.total"
    assert read.on_exit[0].verb.destination == "crm"


def test_waits() -> None:
    """The four waits are loaded with all their keys."""
    assert verb("{wait: 2 days at 09:00}").delay.days == 2
    until = verb("{wait_until: user.ends - 3d at 09:00, past: exit, missing: b, then: b}")
    assert (until.past, until.missing) == ("exit", "b")
    assert verb("{wait_in: 'mon-fri 09:00-18:00, sat 10:00-14:00'}").window.spans[1].days == (5,)
    text = """
    wait_for:
      - {event: A, where: event.id == entry.id, then: b}
      - {when: user.plan == "pro", then: b}
      - {enters: vip, then: b}
      - {leaves: vip, then: b}
      - {opened: m, then: b}
    timeout: {after: 2d, then: m}
    rank: true
"""
    wait = verb(text, "  m: {send: log, template: hello, then: b}\n")
    assert wait.rank
    assert [type(case).__name__ for case in wait.cases] == [
        "CaseEvent", "CaseWhen", "CaseAudience", "CaseAudience", "CaseStatus",
    ]  # fmt: skip
    assert (wait.timeout.text, wait.timeout_then) == ("2d", "m")


def test_send() -> None:
    """A send has its channel, template, data, time, send policy and branches (R14)."""
    text = """
    send: email
    template: hello
    data: {n: entry.items, one: 1, so: true}
    topic: marketing
    at: 09:00
    window: mon-fri 09:00-18:00
    validity: 2d
    failover: [sms]
    keep: true
    no_consent: b
    capped: b
    then: c
"""
    read = verb(text, "  c: {wait: 1d, then: b}\n")

    assert [(name, value.text) for name, value in read.data] == [
        ("n", "entry.items"), ("one", "1"), ("so", "true"),
    ]  # fmt: skip
    assert (read.channel, read.topic, read.failover) == ("email", "marketing", ("sms",))
    assert read.keep
    assert read.branches == (("no_consent", "b"), ("capped", "b"))


def test_effects() -> None:
    """Promotion, webhook, export, update, audience and event are loaded."""
    banner = verb("{promote: banner, show: ten_off, for: 7d, while: user.x is set}")
    assert (banner.slot, banner.promotion, banner.lasts.text) == ("banner", "ten_off", "7d")
    hook = verb('{webhook: "https://shop.example/h", method: PUT, headers: {X-A: b}}')
    assert (hook.method, hook.headers) == ("PUT", (("X-A", "b"),))
    update = verb(
        "{update: {user.stage: '\"warm\"', session.n: 1}, unset: [user.a], "
        "increment: {user.n: 1}, append: {user.list: entry.x}, tag: [a], untag: [b]}"
    )
    assert [(name, value.text) for name, value in update.set] == [
        ("user.stage", '"warm"'), ("session.n", "1"),
    ]  # fmt: skip
    assert (update.unset, update.tag, update.untag) == (("user.a",), ("a",), ("b",))
    assert verb("{tag: [late]}") == Update(tag=("late",))
    assert verb("{remove_from: vip_list}") == ChangeAudience("vip_list", add=False)
    assert verb("{emit: Reminder Sent, with: {n: entry.items}}").event == "Reminder Sent"


def test_next_step() -> None:
    """A step without ``then`` leads to the next in the file, the last one ends the flow (C21)."""
    read = flow("  a: {wait: 1d}\n  b: {wait: 1d, then: c}\n  c: {wait: 2d}\n  d: {wait: 3d}\n")

    assert [step.then for step in read.steps] == ["b", "c", "d", None]


def test_branches_without_a_target() -> None:
    """A branch without a target leads to the next step of the file."""
    steps = """
  a:
    if:
      - {when: user.x is set, then: d}
      - {when: user.y is set}
  b:
    wait_for: [{event: A, then: d}, {event: B}]
    timeout: {after: 1d}
  c: {wait: 1d, then: d}
  d: {end: over}
"""
    first, second = (step.verb for step in flow(steps).steps[:2])

    assert [case.then for case in first.cases] == ["d", "b"]
    assert first.otherwise == "b"
    assert [case.then for case in second.cases] == ["d", "c"]
    assert second.timeout_then == "c"


def test_restart() -> None:
    """With ``repeat: restart`` an event without ``then`` restarts the time-out."""
    wait = verb(
        "{wait_for: [{event: A}, {enters: vip, then: b}], repeat: restart, "
        "timeout: {after: 1d, then: b}}"
    )

    assert wait.restart
    assert [case.then for case in wait.cases] == [None, "b"]


def test_split() -> None:
    """A holdout that is not listed ends at the split; other branches name their steps (I11)."""
    read = verb(
        "{split: {x: 60%, y: 30%, no: 10% holdout}, then: {x: b, y: c}, redraw: true}",
        "  c: {wait: 1d, then: b}\n",
    )

    assert read == Split(
        (
            Branch("x", 600, then="b"),
            Branch("y", 300, then="c"),
            Branch("no", 100, holdout=True),
        ),
        redraw=True,
    )


def test_goals_load_by_themselves() -> None:
    """A goals section loads by itself, with or without its heading (R24)."""
    text = "bought: {event: B, within: 3d}"
    alone = load_goals("goals.yaml", text, SPACE)

    assert alone.problems == ()
    assert alone.value[0].name == "bought"
    assert load_goals("goals.yaml", f"goals:\n  {text}", SPACE) == alone


def test_project() -> None:
    """A project is loaded from texts, and keeps them for the control log."""
    files = {
        "x/space.yaml": "space: s\nchannels: {log: {address: user}}",
        "x/one.yaml": "flow: one\nenter: [{event: A}]\nsteps: {a: {send: log, template: hello}}",
        "x/two.yaml": "flow: two\nenter: [{event: A}]\nsteps: {a: {end: over}}",
        "x/messages/hello.liquid": "Hello {{ user.name }}",
        "x/messages/bye.liquid": "Bye",
    }
    project = load_project(files)

    assert project.problems == ()
    assert [read.id for read in project.flows] == ["one", "two"]
    assert project.template_texts("one") == {"hello": "Hello {{ user.name }}"}
    assert project.flow_text("two") == files["x/two.yaml"]
    assert project.space_text == files["x/space.yaml"]
    assert project.templates["hello"].reads == (("user", "name"),)


def test_one_flow_in_two_files_is_refused() -> None:
    """Two files with the same flow are refused."""
    text = "flow: one\nenter: [{event: A}]\nsteps: {a: {end: over}}"
    found = load_project({"one.yaml": text, "one.yml": text}).problems

    assert [(p.path, p.code) for p in found] == [("one.yml", "duplicate-flow")]


def test_an_error_in_the_space_is_reported_once() -> None:
    """Flows are checked against the readable part of a space with errors."""
    files = {
        "space.yaml": "channels: {log: {adress: user}}",
        "one.yaml": "flow: one\nenter: [{event: A}]\nsteps: {a: {send: log, template: hello}}",
        "messages/hello.liquid": "{{ nobody }}",
    }

    assert {p.path for p in load_project(files).problems} == {"space.yaml", "messages/hello.liquid"}
