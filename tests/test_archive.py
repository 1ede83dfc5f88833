"""The archive of a job's topics becomes a log for a replay."""

from __future__ import annotations

from pathlib import Path

from pipelines import archive
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Command, Event, Handover, Time
from transforms.wire.decode import decode_json
from transforms.wire.messages import to_envelope, to_event
from transforms.wire.raw import Bad

AT = 1_772_438_400_000


def test_the_archive_holds_what_the_job_sent_to_itself(tmp_path: Path) -> None:
    """Messages in the archive, JSON or Avro, become records with the job's ingestion times."""
    handed = out.HandoverOut(id="h", user="anon:a", to="kim", at=AT, state=b"\0")
    emitted = out.Emitted(id="e", user="kim", at=AT, name="Won", properties={"n": 1}, flow="f", step="s")  # fmt: skip
    tracked = to_envelope(Event(id="t", user="kim", time=AT, name="Seen", properties={}))
    command = to_envelope(Command(id="c", user="kim", time=AT, what="erase"))
    events = [to_event("shop", emitted, "avro"), to_event("other", emitted, "avro")]
    archived(tmp_path / "events" / "1.avro", [
        ({"space": "shop", "receipt": str(AT + 7)}, tracked, AT + 90),
        ({"space": "shop"}, command, AT + 91),
        ({"kind": "heartbeat"}, b"", AT + 92),
        *((each.attributes, each.data, AT + 60) for each in events),
    ])  # fmt: skip
    handover = to_event("shop", handed, "avro")
    archived(
        tmp_path / "handovers" / "1.avro",
        [(handover.attributes | {"receipt": str(AT)}, handover.data, AT + 5)],
    )
    folders = [str(tmp_path / "events"), f"{tmp_path / 'handovers'}=handover"]
    log = tmp_path / "log.jsonl"
    said = ["--space", "shop", "--timestamp_attribute", "receipt", "--out", str(log)]
    assert archive.run([*said, *folders]) == 0

    found = [decode_json(line) for line in log.read_bytes().splitlines()]
    told = [(s.id, s.received) for s in found if not isinstance(s, Bad | Time)]
    assert told == [("h", AT + 5), ("t", AT + 7), ("e", AT + 60)]
    assert [type(signal) for signal in found] == [Handover, Event, Event]
    assert found[2] == Event(id="e", user="kim", time=AT, received=AT + 60, name="Won", properties={"n": 1})  # fmt: skip


def archived(path: Path, messages: list[tuple[dict[str, str], bytes, int]]) -> None:
    """Write messages as Pub/Sub's subscriptions with ``write_metadata`` do."""
    found = [
        archive.Archived(str(n), at, attributes, data)
        for n, (attributes, data, at) in enumerate(messages)
    ]
    path.parent.mkdir(parents=True)
    path.write_bytes(archive.encoded(found))
