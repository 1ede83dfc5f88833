"""``towpath explain`` names the exit rule, the case and the branch that a session took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.replay import kit
from tests.replay.kit import DAY, START, Done, towpath, track

FLOW = """\
flow: chooser
enter: [{event: Signup}]
exit:
  - {event: Quit, name: unsubscribed}
  - {event: Closed, where: event.by == "user"}
steps:
  who:
    if:
      - {when: entry.plan == "pro", then: answer, name: paying}
      - {when: entry.plan == "team", then: answer}
      - {when: entry.plan == "free", then: short}
    else: over
  answer:
    wait_for:
      - {event: Purchase, where: event.amount >= 100, name: large, then: over}
      - {event: Purchase, then: over}
    timeout: {after: 5d, then: over}
  short: {wait: 1d, then: over}
  over: {end: done}
"""
ONE_RULE = FLOW.replace("  - {event: Quit, name: unsubscribed}\n", "")


def explained(
    tmp_path: Path, plan: str, then: dict[str, object] | None = None, flow: str = FLOW
) -> tuple[Done, list[dict]]:
    """Replay a signup and another event, and explain the user."""
    (tmp_path / "chooser.yaml").write_text(flow)
    records = [track(1, "u", "Signup", START, properties={"plan": plan})]
    if then is not None:
        records.append(track(2, "u", str(then["event"]), START + DAY // 2, properties=then))
    events = kit.write_lines(tmp_path / "events.jsonl", records)
    out = tmp_path / "out"
    done = kit.replay(out, events, more=["--shards", 1], flow=str(tmp_path / "chooser.yaml"))
    assert done.code == 0, done.err
    told = towpath("explain", "u", "--out", out, "--json").out
    return towpath("explain", "u", "--out", out), json.loads(told)["entries"]


@pytest.mark.parametrize(
    ("plan", "then", "lines"),
    [
        ("pro", {"event": "Quit"}, ["who: chooses paying or entry.plan", "ended at answer: exit_rule: unsubscribed"]),
        ("team", {"event": "Closed", "by": "user"}, [
            'who: chooses paying or entry.plan == "team"',
            'ended at answer: exit_rule: Closed where event.by == "user"',
        ]),
        ("pro", {"event": "Purchase", "amount": 120}, ["answer: continues, large"]),
        ("pro", {"event": "Purchase", "amount": 12}, ["answer: continues, case_2: Purchase"]),
        ("pro", None, ["answer: continues, timeout"]),
        ("none", None, ["who: chooses else"]),
        ("free", None, ['who: chooses entry.plan == "free"']),
    ],
)  # fmt: skip
def test_what_was_chosen(
    plan: str, then: dict[str, object] | None, lines: list[str], tmp_path: Path
) -> None:
    """Each choice is shown by its name, or by its condition."""
    text, _ = explained(tmp_path, plan, then)

    for line in lines:
        assert line in text.out


def test_the_only_exit_rule(tmp_path: Path) -> None:
    """A flow with one exit rule, without a name, is explained by the rule's condition."""
    text, entries = explained(tmp_path, "pro", {"event": "Closed", "by": "user"}, ONE_RULE)

    assert 'ended at answer: exit_rule: Closed where event.by == "user"' in text.out
    assert entries[-1]["choice"] == 'Closed where event.by == "user"'


def test_names_in_pictures(tmp_path: Path) -> None:
    """A picture shows the names of cases and exit rules."""
    (tmp_path / "chooser.yaml").write_text(FLOW)
    graph = json.loads(towpath("graph", tmp_path / "chooser.yaml", "--format", "json").out)

    labels = [edge["label"] for edge in graph["edges"]]
    assert {"paying", "large", "Purchase"} <= set(labels)
    assert {"title": "unsubscribed", "details": ["Quit"]}.items() <= next(
        node for node in graph["nodes"] if node["id"] == "@exit0"
    ).items()
