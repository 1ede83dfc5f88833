"""Mutants: for each row that scenarios prove, a change of its code that makes one of them fail.

python -m tests.kit.mutants [ROW ...]

A mutant is a file of ``tests/mutants``, or of a folder in it, named after its row. A scenario
fails by a difference in its transcript; a change that cannot be imported or ends in a traceback
proves nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import msgspec
import yaml

from docs.generating.features import Row, rows
from tests.kit.mutated import ROOT, Request, Response
from tests.kit.timeouts import PATIENCE

FOLDER = ROOT / "tests" / "mutants"
CORE = "core scenario"
SCENARIO = ".scenarios.txt::"
KILLED, ALIVE, BROKEN = "killed", "alive", "broken"


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of one file: the text ``find``, which occurs once in it, becomes ``put``.

    Without ``file`` it is the only file of the code that contains the text.
    """

    find: str
    put: str
    file: str = ""


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The edits of a row's code, and a sentence that says what they break.

    ``row`` may also be a rule (R32). ``proves`` are scenarios for a rule, or for a row that cites
    none yet.
    """

    row: str
    breaks: str
    edits: tuple[Edit, ...]
    proves: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True):
    """A mutant that ran: on how many scenarios, and with what result."""

    mutant: Mutant
    scenarios: int
    played: Response

    @property
    def verdict(self) -> str:
        """Return the verdict: killed, alive or broken."""
        if self.played.broken:
            return BROKEN
        return KILLED if self.played.differs else ALIVE


def mutants() -> list[Mutant]:
    """Read all mutants, in the order of the table of features."""
    order = {row.id: n for n, row in enumerate(rows())}
    found = [read(path) for path in sorted(FOLDER.rglob("*.yaml"))]
    return sorted(found, key=lambda mutant: order.get(mutant.row, len(order)))


def read(path: Path) -> Mutant:
    """Read one mutant."""
    return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Mutant)


def rows_without_mutant(found: Sequence[Mutant]) -> list[str]:
    """List the rows that scenarios prove but that have no mutant."""
    there = {mutant.row for mutant in found}
    return [row.id for row in rows() if row.kind == CORE and row.proof and row.id not in there]


def proofs(mutant: Mutant, known: Sequence[Row]) -> tuple[str, ...]:
    """Return the scenarios that must fail: those that prove the row, else those it names."""
    cited = [proof for row in known if row.id == mutant.row for proof in row.proof]
    return tuple(proof for proof in cited if SCENARIO in proof) or mutant.proves


def changed(mutant: Mutant) -> dict[str, str]:
    """Return the changed texts by path; ValueError unless a text to find occurs exactly once."""
    texts: dict[str, str] = {}
    for edit in mutant.edits:
        file = edit.file or _file_of(mutant, edit)
        text = texts.get(file) or (ROOT / file).read_text(encoding="utf-8")
        times = text.count(edit.find)
        if times != 1:
            said = f"{mutant.row}: this occurs {times} times in {file}:\n{edit.find}"
            raise ValueError(said)
        texts[file] = text.replace(edit.find, edit.put)
    return texts


@cache
def _sources() -> dict[str, str]:
    """Read the code that mutants change."""
    paths = sorted((ROOT / "transforms").rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def _file_of(mutant: Mutant, edit: Edit) -> str:
    """Return the only file that contains the text of an edit."""
    found = [file for file, text in _sources().items() if edit.find in text]
    if len(found) != 1:
        raise ValueError(f"{mutant.row}: this occurs in {len(found)} files {found}:\n{edit.find}")
    return found[0]


def run(mutant: Mutant, known: Sequence[Row]) -> Run:
    """Play the scenarios of a mutant's row on it."""
    wanted = proofs(mutant, known)
    try:
        played = play(Request(wanted, changed(mutant)))
    except (OSError, ValueError) as error:
        played = Response(broken=str(error))
    return Run(mutant, len(wanted), played)


def play(asked: Request) -> Response:
    """Play scenarios in a separate interpreter."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "tests.kit.mutated"]
    given = msgspec.json.encode(asked)
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=env, input=given, capture_output=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return Response(broken=f"not done after {PATIENCE:.0f} s")
    if done.returncode:
        return Response(broken=done.stderr.decode().strip().split("\n")[-1])
    return msgspec.json.decode(done.stdout, type=Response)


def run_all(found: Sequence[Mutant], jobs: int) -> Iterator[Run]:
    """Run mutants, several at a time; return the results in order."""
    known = rows()
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda mutant: run(mutant, known), found)


def untouched(found: Sequence[Mutant]) -> Response:
    """Play all scenarios of these mutants on the unchanged code: nothing may differ."""
    known = rows()
    return play(Request(tuple(dict.fromkeys(p for m in found for p in proofs(m, known)))))


def line(ran: Run) -> str:
    """Return one row of the table."""
    failed = f"{len(ran.played.differs)} of {ran.scenarios}"
    return f"{ran.mutant.row:4} {ran.verdict:7} {failed:8} {ran.mutant.breaks}"


def detail(ran: Run) -> Iterator[str]:
    """Return the differences of a mutant, or why it is broken."""
    if ran.played.broken:
        yield f"     {ran.played.broken}"
    for proof, diff in ran.played.differs.items():
        yield f"     {proof}"
        yield from (f"       {text}" for text in diff.split("\n")[2:])


def scenarios_without_effect(ran: Sequence[Run]) -> dict[str, list[str]]:
    """Return, by row, the scenarios that prove it but that none of its mutants makes fail."""
    known, found = rows(), dict[str, list[str]]()
    for row in dict.fromkeys(r.mutant.row for r in ran):
        mine = [r for r in ran if r.mutant.row == row]
        failed = {proof for r in mine for proof in r.played.differs}
        still = [proof for proof in proofs(mine[0].mutant, known) if proof not in failed]
        if still:
            found[row] = still
    return found


def main() -> int:
    """Run the mutants of some rows, or of all; exit 1 if one is not killed or one is missing."""
    parser = argparse.ArgumentParser(description="Change the code of rows; a scenario must fail.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="show what differs for these rows")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    every = mutants()
    found = [mutant for mutant in every if not args.rows or mutant.row in args.rows]
    plain = untouched(found)
    if plain.broken or plain.differs:
        said = plain.broken or "\n".join(plain.differs)
        print(f"without any mutant this differs: {said}", file=sys.stderr)
        return 1
    print(f"row  what    failed   what is broken, of {len(found)} mutants", flush=True)
    ran = []
    for one in run_all(found, args.jobs):
        ran.append(one)
        print(line(one), flush=True)
        if args.rows or one.verdict != KILLED:
            print("\n".join(detail(one)), flush=True)
    return _summary(
        ran, [row for row in rows_without_mutant(every) if not args.rows or row in args.rows]
    )


def _summary(ran: Sequence[Run], without: Sequence[str]) -> int:
    """Print what is wrong, and which scenarios are weak."""
    for row, still in scenarios_without_effect(ran).items():
        print(f"{row}: no mutant of it makes these fail: {'; '.join(still)}", file=sys.stderr)
    wrong = [one for one in ran if one.verdict != KILLED]
    for one in wrong:
        print(f"{one.mutant.row} is {one.verdict}: {one.mutant.breaks}", file=sys.stderr)
    for row in without:
        print(f"{row} has no mutant: write tests/mutants/{row}.yaml", file=sys.stderr)
    count = len({one.mutant.row for one in ran})
    print(f"{len(ran)} mutants of {count} rows, {len(wrong)} not killed", file=sys.stderr)
    return 1 if wrong or without else 0


if __name__ == "__main__":
    sys.exit(main())
