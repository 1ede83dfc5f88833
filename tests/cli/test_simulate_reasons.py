"""``towpath simulate`` says why no flow entered, plays folders, and never ends on a typo."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.replay.kit import Done, towpath

FILES = {
    "space.yaml": """\
space: shop
zone: Europe/Rome
channels: {log: {address: user}}
audiences: {vip: static}
campaigns: {winter: {statuses: [new]}}
""",
    "vip.yaml": """\
flow: vip
enter:
  - event: Purchase
    where: event.amount >= 100 and user.plan == "pro" and not (audience.vip)
  - {api: true, where: entry.level > 2}
steps:
  thank: {send: log, template: hi}
  wait: {wait: 1d}
""",
    "cart.yaml": """\
flow: cart
enter:
  - event: Cart Updated
    where: event.value > 10
    without: [{event: Purchase}]
    within: 2h
steps:
  remind: {send: log, template: hi}
""",
    "broken.yaml": "flow: broken\nenter: [{event: A}]\nsteps: {a: {sned: log}}\n",
    "messages/hi.liquid": "Hi.\n",
}
LINES = """\
flows: vip, cart
2026-03-01 09:00 profile {plan: "pro", timezone: "Europe/Rome"} tag ["a"] consent {log: true}
+1m event Purchase {amount: 250}
+1m communication thank opened {x: 1}
+1m audience vip entered
+1m enter vip {level: 3} key=k1 participant {a: 1}
+1m upload winter {size: 3}
+1m command stop vip
+1m control pause cart
+1m control start vip
+1m control publish vip.yaml migrate {wait: "thank"}
+1m control winner vip thank a
+1m control goals vip {bought: {event: "Purchase", within: "1d"}}
+1m control schedule vip {from: "2026-01-01"}
+1m control space space.yaml
+1m control kill vip channel=log
+1m answer thank failed "no"
+1m inbound sms 123 "hi" answers=thank
+1m identify anon:7 {name: "Kim"}
+1m event Purchase {amount: 1} user=anon:7 id=x @received +1h
+2d time
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write the flows of a folder."""
    for name, text in FILES.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "shop"


def simulate(flow: Path, lines: str, *more: object) -> Done:
    """Simulate lines in a file."""
    folder = flow if flow.is_dir() else flow.parent
    timeline = folder.parent / "timeline.txt"
    timeline.write_text(lines)
    return towpath("simulate", flow, "--timeline", timeline, *more)


def whys(done: Done) -> list[str]:
    return [line.removeprefix("  why: ") for line in done.err.splitlines() if "why: " in line]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("event Purchase {amount: 30}", [
            "vip: event.amount >= 100 is false: event.amount is 30",
            'vip: user.plan == "pro" is false: user.plan is missing',
        ]),
        ('event Purchase {amont: 300, amount: "3"}', [
            'vip: event.amount >= 100 is false: event.amount is "3"',
            'vip: user.plan == "pro" is false: user.plan is missing',
        ]),
        ("event Purchase {amont: 300}", [
            'vip: event.amount >= 100 is false: event.amount is missing (did you mean "amont"?)',
            'vip: user.plan == "pro" is false: user.plan is missing',
        ]),
        ("event purchase", ['no flow reads "purchase"; did you mean "Purchase"?']),
        ("event Login", ['no flow reads "Login"; flows start on "Purchase"']),
        ("enter vip {level: 1}", ["vip: entry.level > 2 is false: entry.level is 1"]),
        ("enter vipp {level: 1}", ['there is no flow "vipp"; did you mean "vip"?']),
        ("audience vi entered", ['there is no audience "vi"; did you mean "vip"?']),
        ("upload wintr {size: 1}", ['there is no campaign "wintr"; did you mean "winter"?']),
        ('profile {timezone: "Europe/Rom"}', [
            ('timezone "Europe/Rom" is not a time zone, so the flow\'s or the space\'s is used; '
            'did you mean "Europe/Rome"?')
        ]),
        ("profile {timezone: 3}", [
            ("timezone 3 is not a time zone, so the flow's or the space's is used; "
            "write for example Europe/Rome")
        ]),
        ("enter vip {level: 3}", []),
    ],
)  # fmt: skip
def test_why_no_flow_entered(line: str, expected: list[str], shop: Path) -> None:
    """A false condition is shown with the values it read, an unknown name with the one meant."""
    done = simulate(shop / "vip.yaml", f"2026-03-01 09:00 {line}\n")

    assert whys(done) == expected
    assert done.code == 0


def test_why_in_a_folder(shop: Path) -> None:
    """In a folder all flows are played; each that an event could have started says why not."""
    (shop / "broken.yaml").unlink()
    lines = """\
2026-03-01 09:00 event Cart Updated {value: 3}
+1m event Cart Updated {value: 30}
+1m event Purchase {amount: 1}
"""
    done = simulate(shop, lines)

    assert whys(done) == [
        "cart: event.value > 10 is false: event.value is 3",
        'cart: the combination of "Cart Updated", "Purchase" is not complete',
        'cart: the combination of "Cart Updated", "Purchase" is not complete',
        "vip: event.amount >= 100 is false: event.amount is 1",
        'vip: user.plan == "pro" is false: user.plan is missing',
    ]


def test_a_value_that_a_flow_sees(shop: Path) -> None:
    """Values are those after the input: the trait that a profile line set before, the audience."""
    lines = """\
2026-03-01 09:00 profile {plan: "pro"}
+1m audience vip entered
+1m event Purchase {amount: 250}
"""
    assert whys(simulate(shop / "vip.yaml", lines)) == [
        "vip: not audience.vip is false: audience.vip is true"
    ]


def test_times_are_in_the_zone_of_the_space(shop: Path) -> None:
    """Times are in the space's zone unless a header names another; a scenario file is in UTC."""
    lines = "2026-03-01 09:00 enter vip {level: 3}\n"
    rome = simulate(shop / "vip.yaml", lines)
    utc = simulate(shop / "vip.yaml", "zone: UTC\n" + lines)
    scenario = shop / "vip.scenarios.txt"
    scenario.write_text(lines)
    played = towpath("simulate", shop / "vip.yaml", "--timeline", scenario, "--json")
    json_rome = simulate(shop / "vip.yaml", lines, "--json")

    assert "times are in Europe/Rome" in rome.err
    assert "until 2026-03-02 09:00" in rome.out
    assert "until 2026-03-02 09:00" in utc.out
    assert '"at":1772352000000' in json_rome.out
    assert '"at":1772355600000' in played.out


def test_headers_name_flows(shop: Path) -> None:
    """``flows:`` chooses flows of the folder; unknown and broken ones are reported, the rest played."""
    lines = (
        "flows: vip, crt, broken\nflows: cart\n2026-03-01 09:00 event Cart Updated {value: 30}\n"
    )
    done = simulate(shop / "vip.yaml", lines)

    assert done.code == 1
    assert (
        'timeline.txt:1:1: there is no flow "crt" beside the scenarios; did you mean "cart"?'
        in done.err
    )
    assert 'timeline.txt:1:1: flow "broken" has problems' in done.err
    assert whys(done) == ['cart: the combination of "Cart Updated", "Purchase" is not complete']


def test_control_lines_about_other_flows(shop: Path) -> None:
    """A control line about another flow of the folder adds it from then on; a typo is one problem."""
    lines = """\
2026-03-01 09:00 control pause cart
+1m event Cart Updated {value: 30}
+1m control pause crt
+1m control resume cart
+1m event Cart Updated {value: 40}
+3h time
"""
    done = simulate(shop / "vip.yaml", lines)

    assert done.code == 1
    assert (
        'timeline.txt:3:1: there is no flow "crt" beside the scenarios; did you mean "cart"?'
        in done.err
    )
    assert "message    cart/remind" in done.out


@pytest.mark.parametrize(
    "line",
    [
        "9026-03-01 09:00 event Purchase",
        "2026-03-01 09:00 event Purchase {amount: 99999999999999999999}",
        "2026-03-01 09:00 event Purchase {amount: 1e999}",
        '2026-03-01 09:00 event Purchase {amount: "\\ud800"}',
        '2026-03-01 09:00 profile consent ["a"]',
        '2026-03-01 09:00 profile consent {email: "yes"}',
        "2026-03-01 09:00 profile tag {a: 1}",
    ],
)
def test_values_that_no_record_may_have(line: str, shop: Path) -> None:
    """A value that could not come from outside is one problem of its line."""
    done = simulate(shop / "vip.yaml", f"{line}\n2026-03-01 09:00 event Purchase\n")

    assert done.code == 1
    assert "timeline.txt:1:" in done.err
    assert len(whys(done)) == 2


@pytest.mark.parametrize("seed", range(6))
def test_typos_never_end_the_simulation(seed: int, shop: Path) -> None:
    """Whatever is mistyped, every other line is played, and no line ends with an internal error."""
    rng = random.Random(seed)
    lines = []
    for _ in range(12):
        for line in LINES.splitlines():
            letters = list(line)
            for _ in range(rng.choice([0, 1, 1, 2, 3])):
                place = rng.randrange(len(letters))
                letters[place] = rng.choice(
                    ["", " ", '"', "{", "}", "[", "a", "9", ":", letters[place] * 2]
                )
            lines.append("".join(letters))
        lines.append(rng.choice(["", "# another"]))
    done = simulate(shop / "vip.yaml", "\n".join(lines) + "\n")

    assert done.code in (0, 1), done.err
    assert "Traceback" not in done.err
