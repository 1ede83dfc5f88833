"""Known defects of similar engines, by number, with the tests that show we do not have them.

D1 to D14 are defects in their source, complaints 1 to 49 are from their users. Each number about
the meaning of a flow has a story named after it; the others have a test of a host, or a reason.
"""

from __future__ import annotations

import pytest

from tests.docs.test_features import missing, titles
from tests.packaging.repository import ROOT

FOLDER = "tests/scenarios/known_pitfalls"
STORIES = sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / FOLDER).glob("*.scenarios.txt")
)
NOT = "not about meaning: "

NAMED: dict[str, str | list[str]] = {
    "D1": [
        "defects::D1: a timer that is early, late or repeated leaves no session stuck",
    ],
    "D2": [
        "defects::D2: a user who returns to the site leaves the live session",
    ],
    "D3": [
        "defects::D3: a wait until 09:00 that is reached at 09:10 ends the next day",
    ],
    "D4": [
        "defects::D4: two events of one instant are one entry if one session is allowed",
    ],
    "D5": [
        "defects::D5: a message that cannot be sent, or whose text is empty, does not stop the session",
        "tests/beam/test_failures.py::test_a_user_continues_once_the_state_is_repaired",
    ],
    "D6": [
        "defects::D6: events that the wait is not for do not restart its time-out",
    ],
    "D7": [
        "defects::D7: a wait for weekdays ends on the next of them, even with an invalid zone",
    ],
    "D8": [
        "defects::D8: what is due fires once, however many timers fire",
        "tests/beam/test_faults.py::test_a_fault_changes_nothing",
    ],
    "D9": [
        "defects::D9: failures that are months apart do not add up to an end",
    ],
    "D10": [
        "defects::D10: of an answer and a time-out the first counts, however late the timer",
    ],
    "D11": [
        "defects::D11: a pause ends no session; running sessions continue at the resume",
    ],
    "D12": [
        "defects::D12: a flow that is paused or stopped enters no user, new or known",
    ],
    "D13": [
        "defects::D13: a repeated timer does not enter a user twice into the next flow",
        "tests/beam/test_faults.py::test_a_crash_loses_nothing",
    ],
    "D14": [
        "defects::D14: a session that an exit rule has ended stays ended; no timer completes it",
    ],
    "complaint 1": [
        "entering::complaint 1: a date enters a member once, and not again after a new version",
    ],
    "complaint 2": [
        "entering::complaint 2: a condition may count events since the entry, without earlier ones",
    ],
    "complaint 3": [
        "entering::complaint 3: an event that is delivered again, even late, is recognized by its id",
    ],
    "complaint 4": [
        "sending::complaint 4: consecutive messages are all sent, including the last one",
    ],
    "complaint 5": [
        "changing::complaint 5: a flow that another one enters begins at once",
    ],
    "complaint 6": [
        "entering::complaint 6: joining a list is an entry, and a refusal has a reason",
    ],
    "complaint 7": "not about meaning: how a host shares its time among users; a late timer is D1",
    "complaint 8": [
        "waiting::complaint 8: an abandoned cart is one flow: entry by the cart, a wait for its order",
    ],
    "complaint 9": [
        "entering::complaint 9: every event may enter again, without leaving an audience first",
    ],
    "complaint 10": [
        "waiting::complaint 10: a condition over time has one timer, at the instant of its change",
    ],
    "complaint 11": [
        "entering::complaint 11: a user who enters again has one wait, that of the new session",
    ],
    "complaint 12": [
        "changing::complaint 12: a new version, a pause and a resume enter no user again",
    ],
    "complaint 13": [
        "changing::complaint 13: after a resume with skip no past-due message is sent",
    ],
    "complaint 14": [
        "sending::complaint 14: a duplicate event and a repeated timer send once",
    ],
    "complaint 15": [
        "waiting::complaint 15: an ended session has no timer any more",
    ],
    "complaint 16": [
        "entering::complaint 16: uploading an audience again ends no session",
    ],
    "complaint 17": [
        "changing::complaint 17: with a migration a new step runs for sessions that have not passed it",
    ],
    "complaint 18": [
        "waiting::complaint 18: one of two branches is taken: after an answer there is no time-out any more",
    ],
    "complaint 19": [
        "sending::complaint 19: an address that bounces gets one message; the flow decides what follows",
    ],
    "complaint 20": [
        "changing::complaint 20: a flow that enters another one continues itself",
    ],
    "complaint 21": [
        "waiting::complaint 21: nine is nine in the user's zone, even when the clocks change",
    ],
    "complaint 22": [
        "sending::complaint 22: a test is a step, and a later step chooses the message by its branch",
    ],
    "complaint 23": [
        "waiting::complaint 23: an event that comes later ends the wait, an earlier one does not",
    ],
    "complaint 24": [
        "waiting::complaint 24: a wait sees at once what the previous step and others wrote",
    ],
    "complaint 25": [
        "entering::complaint 25: a refusal has its reason, nothing is dropped silently",
        "tests/beam/test_failures.py::test_what_cannot_be_handled_is_a_dead_letter",
    ],
    "complaint 26": [
        "waiting::complaint 26: every session ends, even if an answer never comes",
    ],
    "complaint 27": [
        "changing::complaint 27: after a drain running sessions continue",
    ],
    "complaint 28": [
        "sending::complaint 28: a user who enters again is in the same branch",
    ],
    "complaint 29": [
        "entering::complaint 29: a recurring schedule enters a member each time, without a limit",
    ],
    "complaint 30": [
        "sending::complaint 30: what a limit refuses has the reason in its row",
    ],
    "complaint 31": "not about meaning: a user is a key; two keys with one address are two users",
    "complaint 32": [
        "tests/cli/test_check.py::test_problems_are_shown_with_their_lines",
        "tests/flows/test_flow_errors.py::test_golden",
    ],
    "complaint 33": [
        "waiting::complaint 33: a missing or invalid date takes only its branch",
    ],
    "complaint 34": [
        "waiting::complaint 34: each cart waits for its own order",
    ],
    "complaint 35": [
        "tests/test_scenarios.py::test_command_passes",
        "tests/cli/test_export_import.py::test_export_and_import_keep_every_byte",
    ],
    "complaint 36": [
        "sending::complaint 36: a click is a trigger of another flow",
    ],
    "complaint 37": [
        "sending::complaint 37: a limit counts over all flows; the higher priority is sent first",
    ],
    "complaint 38": [
        "sending::complaint 38: every step after a message runs",
    ],
    "complaint 39": [
        "entering::complaint 39: each kind of trigger works from the first signal of a new user on",
    ],
    "complaint 40": [
        "sending::complaint 40: a wait names its message; opening another one does not end it",
    ],
    "complaint 41": [
        "entering::complaint 41: a repeated profile change is new only once",
    ],
    "complaint 42": [
        "waiting::complaint 42: a wait for an event has two branches: the event came, or the time is over",
    ],
    "complaint 43": [
        "waiting::complaint 43: a past date is now: the session continues, and is not stuck",
    ],
    "complaint 44": [
        "waiting::complaint 44: waits of about a minute and of three months end on time",
    ],
    "complaint 45": [
        "waiting::complaint 45: a second and a third wait last their whole time, too",
    ],
    "complaint 46": [
        "waiting::complaint 46: a wait ends when its event arrives; nothing is polled in between",
        "tests/beam/test_watermarks.py::test_waits_end_on_an_idle_topic",
    ],
    "complaint 47": [
        "changing::complaint 47: reading a log again from its start changes nothing",
        "tests/beam/test_faults.py::test_a_crash_loses_nothing",
    ],
    "complaint 48": [
        "waiting::complaint 48: a session may return to a step again and again",
    ],
    "complaint 49": "not about meaning: the wish for flows at all",
}
"""The proofs of each number: ``FILE::TITLE`` of a story, or a test of a host."""


def place(proof: str) -> str:
    """Return the whole path of a story that is named by the stem of its file."""
    stem, _, title = proof.partition("::")
    return proof if "/" in stem else f"{FOLDER}/{stem}.scenarios.txt::{title}"


def test_every_number_is_listed() -> None:
    """All fourteen defects and all forty-nine complaints are in the table, in order."""
    defects = [f"D{number}" for number in range(1, 15)]

    assert list(NAMED) == defects + [f"complaint {number}" for number in range(1, 50)]


@pytest.mark.parametrize("number", NAMED)
def test_the_defect_does_not_occur_here(number: str) -> None:
    """A number has proofs that exist, the story with its own name first, or one reason."""
    proofs = NAMED[number]
    if isinstance(proofs, str):
        assert proofs.removeprefix(NOT) not in (proofs, "")
        return

    assert proofs
    assert [wrong for wrong in map(missing, map(place, proofs)) if wrong] == []
    assert all(
        "/" in proof or proof.partition("::")[2].startswith(f"{number}: ") for proof in proofs
    )


def test_every_story_belongs_to_a_number() -> None:
    """Each story of the folder begins with a number whose row in the table cites it."""
    told = {
        number
        for number, proofs in NAMED.items()
        if isinstance(proofs, list) and any("/" not in proof for proof in proofs)
    }
    found = [title for path in STORIES for title in titles(path)]

    assert {title.partition(": ")[0] for title in found} == told
