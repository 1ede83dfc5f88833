"""Mutants: each proved row has one that fits the code and is killed; `make mutants` runs all."""

from __future__ import annotations

import os

import pytest

from docs.generating.features import rows
from tests.kit import mutants
from tests.kit.mutants import ALIVE, BROKEN, KILLED, Edit, Mutant
from tests.kit.mutated import PACKAGES, _Finder
from tests.test_rules import RULES

SAMPLE = 8
FILES = sorted(mutants.FOLDER.rglob("*.yaml"))
MUTANTS = mutants.mutants()
ROWS = {row.id: row for row in rows()}
WAIT = "tests/scenarios/steps/wait.scenarios.txt::wait: a duration is exact"


def spread() -> list[Mutant]:
    """Choose a few mutants, each of another file, from all over the code."""
    by_file = {next(iter(mutants.changed(mutant))): mutant for mutant in reversed(MUTANTS)}
    first = [by_file[file] for file in sorted(by_file)]
    return [first[n * len(first) // SAMPLE] for n in range(SAMPLE)]


def made(
    find: str, put: str, file: str = "transforms/flows/engine/steps/moves.py", proof: str = WAIT
):
    """Return a mutant for a row that does not exist."""
    return Mutant("none", "a try", (Edit(find, put, file),), (proof,))


def test_every_proved_row_has_a_mutant() -> None:
    """Each row that a core scenario proves has a change of its code."""
    assert mutants.rows_without_mutant(MUTANTS) == [], "see CONTRIBUTING.md, adding a mutant"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_mutant_fits(path) -> None:
    """A mutant names a row and scenarios, its edits fit the files, and the results can be parsed."""
    mutant = mutants.read(path)
    assert mutant.row == path.stem.partition("-")[0]
    assert mutant.row in RULES or ROWS[mutant.row].kind == mutants.CORE
    assert mutants.proofs(mutant, rows())

    for file, text in mutants.changed(mutant).items():
        assert text != (mutants.ROOT / file).read_text()
        if file.endswith(".py"):
            compile(text, file, "exec")


def test_without_a_mutant_nothing_differs() -> None:
    """The scenarios of mutants exist, and pass on the unchanged code."""
    assert mutants.untouched(MUTANTS) == mutants.Response()


@pytest.mark.parametrize("mutant", spread(), ids=lambda mutant: mutant.row)
def test_a_mutant_is_killed(mutant: Mutant) -> None:
    """A scenario that proves a row fails when the row's code is removed or inverted."""
    ran = mutants.run(mutant, rows())

    assert ran.verdict == KILLED, "\n".join(mutants.detail(ran))


def test_a_change_without_effect_stays_alive() -> None:
    """A mutant that no scenario notices is reported as alive."""
    ran = mutants.run(
        made("MOST_TOGETHER: Final = 10_000", "MOST_TOGETHER: Final = 20_000"), rows()
    )

    assert (ran.verdict, ran.played.differs) == (ALIVE, {})


BAD = {
    "does not parse": made("MOST_STEPS: Final = 1_000", "MOST_STEPS = ="),
    "cannot be imported": made("MOST_STEPS: Final = 1_000", "MOST_STEPS = nowhere"),
    "ends in a traceback": made(
        "session.due = after(verb.delay,",
        "session.due = nowhere(verb.delay,",
        file="transforms/flows/engine/steps/waits.py",
    ),
    "occurs several times": made("session.plan", "session"),
    "does not occur": made("an old name", "another"),
    "is in no file": made("a", "b", file="transforms/flows/no.py"),
    "breaks the flow": made("{wait: 30m}", "{wait: soon}", file="tests/scenarios/steps/wait.yaml"),
    "has no scenario": made(
        "MOST_STEPS: Final = 1_000", "MOST_STEPS: Final = 999", proof=WAIT + " or so"
    ),
}


@pytest.mark.parametrize("mutant", BAD.values(), ids=BAD.keys())
def test_a_mutant_that_cannot_run_is_broken(mutant: Mutant) -> None:
    """An error is not a difference: such a mutant is reported as broken, with the reason."""
    ran = mutants.run(mutant, rows())

    assert (ran.verdict, ran.played.differs) == (BROKEN, {})
    assert ran.played.broken


def test_a_missing_message_is_a_difference() -> None:
    """A scenario about a message that the mutant does not send fails by its transcript."""
    title = "send: a final status stays, a later one is only a row"
    proof = f"tests/scenarios/steps/send.scenarios.txt::{title}"
    sends = "transforms/flows/engine/steps/sends.py"
    mutant = made("plan_send(ctx, session)\n", "None\n", file=sends, proof=proof)
    ran = mutants.run(mutant, ())

    assert ran.verdict == KILLED
    assert "+  no such message was made" in ran.played.differs[proof]


def test_modules_are_loaded_from_source() -> None:
    """A compiled module next to its source is never loaded: its neighbours would ignore edits."""
    finder = _Finder({})
    folder = mutants.ROOT / "transforms" / "flows" / "engine"
    names = [f"transforms.flows.engine.{path.stem}" for path in folder.glob("[a-z]*.py")]

    origins = {name: finder.find_spec(name, None).origin for name in names}

    assert origins == {n: os.fspath(mutants.ROOT.joinpath(*n.split("."))) + ".py" for n in names}
    assert finder.find_spec("msgspec", None) is None
    assert "msgspec" not in PACKAGES


def test_the_summary_lists_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 if a mutant is alive or a row has none; scenarios that no mutant affects are listed."""
    alive = mutants.Run(made("a", "b"), 1, mutants.Response())

    assert mutants._summary([alive], ["Z9"]) == 1
    said = capsys.readouterr().err
    assert f"none: no mutant of it makes these fail: {WAIT}" in said
    assert "none is alive: a try" in said
    assert "Z9 has no mutant: write tests/mutants/Z9.yaml" in said
    assert (
        mutants._summary([mutants.Run(made("a", "b"), 1, mutants.Response({WAIT: "-"}))], []) == 0
    )
