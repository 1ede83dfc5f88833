"""What engines of this kind are known to do wrong, by the numbers of a list of such things.

D1 to D14 are defects in their source, complaints 1 to 49 what users write about them. Each that is
about what a flow means has a story named after it; the others a test of a host, or a reason.
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
        "defects::D1: an alarm that is early, late or repeated leaves nobody standing",
    ],
    "D2": [
        "defects::D2: who has come back is let out of the session that is live",
    ],
    "D3": [
        "defects::D3: a wait until 09:00 that is reached at 09:10 goes on the next day",
    ],
    "D4": [
        "defects::D4: two events of one instant are one entry where one session is allowed",
    ],
    "D5": [
        "defects::D5: a message that cannot leave, or whose text is empty, holds nobody up",
        "tests/beam/test_failures.py::test_once_mended_a_user_goes_on",
    ],
    "D6": [
        "defects::D6: events that the wait is not for do not start its clock again",
    ],
    "D7": [
        "defects::D7: a wait for weekdays ends on the next of them, also where a zone is no zone",
    ],
    "D8": [
        "defects::D8: what is due is done once, however many ask for it",
        "tests/beam/test_faults.py::test_a_fault_changes_nothing",
    ],
    "D9": [
        "defects::D9: failures that are months apart do not add up to an end",
    ],
    "D10": [
        "defects::D10: of an answer and a time-out the first counts, however late the alarm",
    ],
    "D11": [
        "defects::D11: a pause puts nobody out; who was on the way goes on at the resume",
    ],
    "D12": [
        "defects::D12: a flow that is paused or stopped takes nobody, whether new or not",
    ],
    "D13": [
        "defects::D13: an alarm that is repeated enters nobody twice into the next flow",
        "tests/beam/test_faults.py::test_a_crash_loses_nothing",
    ],
    "D14": [
        "defects::D14: a session that an exit rule has ended stays so; no alarm completes it",
    ],
    "complaint 1": [
        "entering::complaint 1: a date enters a member once, and a new version not once more",
    ],
    "complaint 2": [
        "entering::complaint 2: a condition may count events since the entry, not earlier ones",
    ],
    "complaint 3": [
        "entering::complaint 3: an event that is delivered again, also late, is known by its id",
    ],
    "complaint 4": [
        "sending::complaint 4: messages right behind each other leave, and the last one, too",
    ],
    "complaint 5": [
        "changing::complaint 5: a flow that another one enters begins at once",
    ],
    "complaint 6": [
        "entering::complaint 6: joining a list is an entry, and who is not let in is told why",
    ],
    "complaint 7": "not about meaning: how a host shares its time among users; a late alarm is D1",
    "complaint 8": [
        "waiting::complaint 8: a forgotten cart is one flow: entry by the cart, a wait for its order",
    ],
    "complaint 9": [
        "entering::complaint 9: every event may enter anew, no audience has to be left before",
    ],
    "complaint 10": [
        "waiting::complaint 10: a condition over time has one alarm, at the instant of its change",
    ],
    "complaint 11": [
        "entering::complaint 11: who comes back has one wait, that of the new session",
    ],
    "complaint 12": [
        "changing::complaint 12: a new version, a pause and a resume let nobody in again",
    ],
    "complaint 13": [
        "changing::complaint 13: nobody gets past-due messages at a resume that skips",
    ],
    "complaint 14": [
        "sending::complaint 14: an event told often and an alarm that comes often send once",
    ],
    "complaint 15": [
        "waiting::complaint 15: who is through has no alarm any more",
    ],
    "complaint 16": [
        "entering::complaint 16: an audience that is uploaded again drops no session",
    ],
    "complaint 17": [
        "changing::complaint 17: with a migration a new step runs for those who are on the way",
    ],
    "complaint 18": [
        "waiting::complaint 18: of two branches one is taken: an answer, and no time-out any more",
    ],
    "complaint 19": [
        "sending::complaint 19: an address that bounces is written to once; the flow says what then",
    ],
    "complaint 20": [
        "changing::complaint 20: a flow that enters another one goes on itself",
    ],
    "complaint 21": [
        "waiting::complaint 21: nine is nine on the user's clock, also when the clocks change",
    ],
    "complaint 22": [
        "sending::complaint 22: a test is a step, and what follows asks for its branch's message",
    ],
    "complaint 23": [
        "waiting::complaint 23: an event that comes later ends the wait, one from before does not",
    ],
    "complaint 24": [
        "waiting::complaint 24: a wait sees at once what the step before wrote, and what others do",
    ],
    "complaint 25": [
        "entering::complaint 25: what is refused is told with its reason, nothing goes in silence",
        "tests/beam/test_failures.py::test_what_cannot_be_handled_is_a_dead_letter",
    ],
    "complaint 26": [
        "waiting::complaint 26: every session has an end, also one whose answer never comes",
    ],
    "complaint 27": [
        "changing::complaint 27: stopping new ones lets those on the way go on",
    ],
    "complaint 28": [
        "sending::complaint 28: who comes back is in the branch of the first time",
    ],
    "complaint 29": [
        "entering::complaint 29: a recurring schedule enters a member each time, without a limit",
    ],
    "complaint 30": [
        "sending::complaint 30: what a limit holds back says so in its row",
    ],
    "complaint 31": "not about meaning: a user is a key; two keys with one address are two users",
    "complaint 32": [
        "tests/cli/test_check.py::test_problems",
        "tests/flows/test_flow_errors.py::test_golden",
    ],
    "complaint 33": [
        "waiting::complaint 33: a date that is missing, or is none, takes its branch only",
    ],
    "complaint 34": [
        "waiting::complaint 34: each cart waits for its own order",
    ],
    "complaint 35": [
        "tests/test_scenarios.py::test_command_passes",
        "tests/cli/test_export_import.py::test_round_trip",
    ],
    "complaint 36": [
        "sending::complaint 36: a click is a trigger of another flow",
    ],
    "complaint 37": [
        "sending::complaint 37: a limit counts over all flows; the more important is served first",
    ],
    "complaint 38": [
        "sending::complaint 38: every step behind a message runs",
    ],
    "complaint 39": [
        "entering::complaint 39: each kind of trigger works from the first signal of a new user on",
    ],
    "complaint 40": [
        "sending::complaint 40: a wait names its message; another one that is opened is not it",
    ],
    "complaint 41": [
        "entering::complaint 41: a profile that is told twice is new once",
    ],
    "complaint 42": [
        "waiting::complaint 42: a wait for an event has both ways out: it came, or time is over",
    ],
    "complaint 43": [
        "waiting::complaint 43: a date that is past is now: the session goes on, and is not stuck",
    ],
    "complaint 44": [
        "waiting::complaint 44: waits of about a minute and of three months end when they should",
    ],
    "complaint 45": [
        "waiting::complaint 45: a second and a third wait are waited for, too",
    ],
    "complaint 46": [
        "waiting::complaint 46: a wait ends as its event arrives; nothing is polled in between",
        "tests/beam/test_watermarks.py::test_idle_topic",
    ],
    "complaint 47": [
        "changing::complaint 47: a log that is read again from its start moves nothing",
        "tests/beam/test_faults.py::test_a_crash_loses_nothing",
    ],
    "complaint 48": [
        "waiting::complaint 48: a step may be come back to again and again",
    ],
    "complaint 49": "not about meaning: the wish for flows at all",
}
"""What shows that each does not happen here: ``FILE::TITLE`` of a story, or a test of a host."""


def place(proof: str) -> str:
    """Give the whole path of a story that is named by the stem of its file."""
    stem, _, title = proof.partition("::")
    return proof if "/" in stem else f"{FOLDER}/{stem}.scenarios.txt::{title}"


def test_every_number_is_listed() -> None:
    """All fourteen defects and all forty-nine complaints are in the table, in order."""
    defects = [f"D{number}" for number in range(1, 15)]

    assert list(NAMED) == defects + [f"complaint {number}" for number in range(1, 50)]


@pytest.mark.parametrize("number", NAMED)
def test_it_does_not_happen_here(number: str) -> None:
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


def test_every_story_is_of_a_number() -> None:
    """Each story of the folder begins with a number that the table answers with a story."""
    told = {
        number
        for number, proofs in NAMED.items()
        if isinstance(proofs, list) and any("/" not in proof for proof in proofs)
    }
    found = [title for path in STORIES for title in titles(path)]

    assert {title.partition(": ")[0] for title in found} == told
