"""States are rebuilt from the event log: a replay exports them, and a new job imports them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import msgspec
import pytest

from pipelines.replay.fold import fold_user
from pipelines.replay.job import Job
from pipelines.stream import RunStream
from tests.kit.keyed_users import keyed_user
from tests.kit.pubsub_servers import ordered_world
from tests.kit.random_users import Key, Published, RandomUsers
from tests.kit.streams import TRUSTED, At, Step, message, run
from tests.kit.worlds import world
from tests.packaging.repository import ROOT
from towpath.replay.shards import replay_in_shards
from towpath.replay.state_imports import import_of, write_imports
from transforms.flows.engine.step import Done, fold
from transforms.flows.engine.working import decode, encode
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import ProfileChange, Time
from transforms.hosting.sandbox import answer
from transforms.hosting.settings import Settings
from transforms.sources.pubsub.beam_source import Received
from transforms.wire.decode import decode_json
from transforms.wire.messages import to_envelope
from transforms.wire.raw import Bad

PIECE = 20


@pytest.mark.parametrize("seed", range(30))
def test_the_export_of_a_replay_is_the_live_state(seed: int) -> None:
    """Each key of a user, also one that forwards to another or is erased, gets its state back.

    Only numbers differ that an import uses no second time (R30), and it remembers its own id.
    """
    user = keyed_user(world(seed), seed)
    catalog, kinds = user.keys.catalog, set[str]()
    for key in sorted(user.keys.states):
        given = [s for s in user.keys.given if s.user == key and not isinstance(s, Time)]
        first = given[: 2 * len(given) // 3]
        at = max((s.received or s.time for s in first), default=0) + 1
        live = fold(catalog, None, [*first, Time(user=key, at=at)], answer)
        assert isinstance(live, Done)
        job = Job(records=(), events=(), until=at, out="", audit=True, export=True)
        told = fold_user(job, catalog, key, first)
        exported = [o for o in told if isinstance(o, out.StateExport) and o.at == at]
        assert len(exported) == (live.state is not None)
        for one in exported:
            there = imported(catalog, one)
            assert there == with_numbers_of(live.state or b"", there)
            identity = decode(there).identity
            kinds.add("forwards" if identity is not None and identity.to else "user")
    assert kinds >= {"user"}
    assert seed or "forwards" in kinds


def imported(catalog: object, exported: out.StateExport) -> bytes:
    """Import an export as a record of the log, as a new user; return the state."""
    signal = decode_json(import_of(exported))
    assert not isinstance(signal, Bad)
    done = fold(catalog, None, [signal], answer)  # type: ignore[arg-type]
    assert isinstance(done, Done)
    assert [o for o in done.outputs if isinstance(o, out.Rejection)] == []
    assert done.state is not None
    return done.state


def with_numbers_of(state: bytes, other: bytes) -> bytes:
    """Give a state the numbers, the ids and the clock of another one."""
    mine, theirs = decode(state), decode(other)
    mine.sequence, mine.transitions = theirs.sequence, theirs.transitions
    mine.seen_ids, mine.seen_floor = theirs.seen_ids, theirs.seen_floor
    mine.clock = theirs.clock
    return encode(mine)


@pytest.fixture(scope="module")
def people() -> RandomUsers:
    return RandomUsers(48)


def test_a_job_continues_with_the_states_of_a_replay(people: RandomUsers, tmp_path: Path) -> None:
    """A new job gets the states up to an instant and the records after it, and decides what the
    job decides that never stopped.
    """
    spaces = sorted(s for s in people.logs.spaces if not people.logs.of(s).slack)
    records = [r for r in people.records if r.key[0] in spaces]
    at = records[len(records) // 2].receipt
    before = [record for record in records if record.receipt < at]
    after = [record for record in records if record.receipt >= at]

    whole = streamed(people, records)
    states = [line for space in spaces for line in exported(people, space, before, at, tmp_path)]
    moved = streamed(people, after, states, at)

    assert len(states) > len({record.key for record in before}) / 2
    expected = {key: told for key, found in whole.items() if (told := since(found, at))}
    actual = {key: told for key, found in moved.items() if (told := since(found, at))}
    assert actual == expected
    assert sum(map(len, expected.values())) > 100


def exported(
    people: RandomUsers, space: str, before: list[Published], at: int, folder: Path
) -> list[tuple[str, bytes]]:
    """Replay the log of a space up to an instant; return its imports."""
    log, file, out_ = folder / f"{space}.jsonl", folder / f"{space}-states.jsonl", folder / space
    found = (record.signal for record in before if record.key[0] == space)
    log.write_bytes(b"".join(to_envelope(signal) + b"\n" for signal in found))
    out_.mkdir()
    job = Job(
        records=tuple(world(int(space[1:])).records), events=(str(log),), until=at, out=str(out_),
        audit=True, export=True,
    )  # fmt: skip
    replay_in_shards(job, 16, 1, lambda *_: None)
    write_imports(out_, file, at)
    return [(space, line) for line in file.read_bytes().splitlines()]


def streamed(
    people: RandomUsers,
    records: list[Published],
    states: list[tuple[str, bytes]] | None = None,
    at: int = 0,
) -> dict[Key, list[bytes]]:
    """Run the job over imports, which carry the instant of the export, and then records."""
    steps: list[Step] = []
    if states:
        ids = (msgspec.json.decode(line)["messageId"] for _, line in states)
        given = zip(ids, states, strict=True)
        steps.append([message(line, at, ident, space=space) for ident, (space, line) in given])
    for n in range(0, len(records), PIECE):
        some = records[n : n + PIECE]
        steps.append([message(r.data, r.receipt, name(r), space=r.key[0]) for r in some])
        steps.append(some[-1].receipt)
    settings = Settings(until=people.end, clock=At())
    flows = RunStream(people.logs, "default", settings, sources=(TRUSTED,))
    return run([*steps, people.end], Received, lambda given: given | "Flows" >> flows).by_key()


def name(record: Published) -> str:
    assert not isinstance(record.signal, Time)
    return record.signal.id


def since(found: list[bytes], at: int) -> list[out.AnyOutput]:
    """Return the outputs after an instant, without the numbers that an import does not use again."""
    kept: list[out.AnyOutput] = []
    for encoded in found:
        output = out.decode(encoded)
        if output.at <= at:
            continue
        if isinstance(output, out.FlowState):
            output = msgspec.structs.replace(output, id="", sequence=0)
        elif isinstance(output, out.Transition):
            output = msgspec.structs.replace(output, sequence=0)
        kept.append(output)
    return kept


def test_a_state_is_refused_after_an_event_of_its_user() -> None:
    """An event that arrives before the import makes a new user: the import is refused, visibly."""
    user = keyed_user(world(0), 0)
    catalog = user.keys.catalog
    key = max(user.keys.states)
    given = [s for s in user.keys.given if s.user == key and not isinstance(s, Time)]
    at = max((s.received or s.time for s in given), default=0) + 1
    job = Job(records=(), events=(), until=at, out="", audit=True, export=True)
    told = fold_user(job, catalog, key, given)
    (exported,) = (o for o in told if isinstance(o, out.StateExport) and o.at == at)
    signal = decode_json(import_of(exported))
    assert not isinstance(signal, Bad | Time)
    early = ProfileChange(id="early", user=key, time=at, received=at, set={"seen": True})

    done = fold(catalog, None, [early, signal], answer)
    assert isinstance(done, Done)
    refused = [o for o in done.outputs if isinstance(o, out.Rejection)]
    assert [(o.reason, o.cause) for o in refused] == [("user_exists", signal.id)]
    assert done.state != imported(catalog, exported)


def test_the_states_are_published_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of the how-to page publishes each import with its id, space and instant."""
    page = ROOT / "docs" / "how-to" / "rebuild-state.md"
    (text,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    (tmp_path / "build").mkdir()
    export = out.StateExport(id="e", user="kim", at=1_709_251_200_000, data={"format": 1})
    (tmp_path / "build" / "states.jsonl").write_bytes(import_of(export) + b"\n")
    monkeypatch.chdir(tmp_path)
    with ordered_world(monkeypatch) as world:
        exec(textwrap.dedent(text).replace("projects/P/topics/states", world.topic), {})
        (got,) = (each.message for each in world.pull_all(1))

    assert got.data == import_of(export)
    assert dict(got.attributes) == {
        "id": "import-e", "space": "signups", "receipt": str(export.at),
    }  # fmt: skip
