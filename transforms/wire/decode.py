"""Decode records into signals. A record that is not valid is a ``Bad`` value, never an exception.

Types bound what they can while msgspec decodes; the rest is checked here. An event time later than
the receipt is kept: the core marks it (R9).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from datetime import datetime
from typing import Any, Final, assert_never

import msgspec

from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import Signal
from transforms.wire import causes, envelope
from transforms.wire.envelope import KINDS, LISTS, MAPS, AnyEnvelope, Envelope, Head, Peek
from transforms.wire.mapped import to_event
from transforms.wire.mapping import Mapping
from transforms.wire.raw import Bad, Raw
from transforms.wire.values import (
    FIRST,
    LAST,
    MAX_BYTES,
    RefusedError,
    bounded,
    check_nested,
    has_control_character,
    plain,
    to_ms,
)

MAX_LINE: Final = 256 * 1024
MAX_WHOLE: Final = 512 * 1024
WHOLE: Final = ("handover", "forwarded")  # kinds with a state or another record in base64
EARLIEST_NUMBER: Final = 10**11
DIGITS: Final = ("number", "text")
"""Text columns that a table may hold as integers, besides ids."""
BEYOND: Final = str(2**63)[:-1]  # part of msgspec's message about a number beyond 64 bits
QUOTING: Final = ("Invalid value", "Invalid enum value")  # msgspec's messages that quote the value

_decode: Final = msgspec.json.Decoder(AnyEnvelope).decode
_peek: Final = msgspec.json.Decoder(Peek).decode
_head: Final = msgspec.json.Decoder(Head).decode
_row: Final = msgspec.json.Decoder(dict[str, Any]).decode
_AT_TIME: Final = re.compile(r"at `\$\.(timestamp|receivedAt|sentAt)`$")


def decode(raw: Raw, mapping: Mapping | None = None) -> Signal | Bad:
    """Decode a record from any source; ``mapping`` is for rows that are not envelopes."""
    if isinstance(raw.body, bytes):
        if mapping is None or is_envelope_line(raw.body):
            return decode_json(raw.body, raw.file, raw.line)
        return _decode_object(raw.body, mapping, raw.file, raw.line)
    return decode_row(raw.body, mapping, raw.file, raw.line)


def decode_json(line: bytes, file: str = "", number: int = 0) -> Signal | Bad:
    """Decode a JSON record of the envelope."""
    try:
        record = _record(line)
        return _signal(record, check_nested if len(line) <= MAX_BYTES else bounded)
    except RefusedError as refused:
        return Bad(file, number, refused.reason, refused.detail)
    except (ValueError, RecursionError) as error:
        return _bad(error, file, number, line)


def is_envelope_line(line: bytes) -> bool:
    """Return True for a line of JSON lines that is a record of the envelope, or that is not an object."""
    try:
        found = _head(line)
    except (ValueError, RecursionError):
        return True
    return found.type is not msgspec.UNSET and found.message_id is not msgspec.UNSET


def _decode_object(line: bytes, mapping: Mapping, file: str, number: int) -> Signal | Bad:
    """Decode an object of JSON lines that is not an envelope, by the mapping."""
    try:
        return to_event(_row(line), mapping)
    except RefusedError as refused:
        return Bad(file, number, refused.reason, refused.detail)
    except (ValueError, RecursionError, OverflowError) as error:
        return _bad(error, file, number, line)


def decode_used(line: bytes, names: Container[str], file: str = "") -> Signal | Bad | None:
    """Decode a JSON record of the envelope; None for an event whose name is not in ``names`` (R5).

    The name is compared before the values are checked: an event that no flow uses is never bad
    as long as it is JSON with a type and a name.
    """
    try:
        record = _record(line)
        if type(record) is envelope.Track and record.event not in names:
            return None
        return _signal(record, check_nested if len(line) <= MAX_BYTES else bounded)
    except RefusedError as refused:
        bad = Bad(file, 0, refused.reason, refused.detail)
    except (ValueError, RecursionError) as error:
        bad = _bad(error, file, 0, line)
    return None if _is_unused(line, names) else bad


def _is_unused(line: bytes, names: Container[str]) -> bool:
    """Return True if a record that could not be decoded is an event with a name not in ``names``."""
    try:
        peek = _peek(line)
    except (ValueError, RecursionError):
        return False
    return peek.type == "track" and peek.event not in names


def _record(line: bytes) -> AnyEnvelope:
    if len(line) > MAX_LINE and (len(line) > MAX_WHOLE or _peek(line).type not in WHOLE):
        raise RefusedError("too_large", f"a record of more than {MAX_LINE} bytes")
    return _decode(line)


def decode_row(
    row: dict[str, Any], mapping: Mapping | None, file: str, number: int
) -> Signal | Bad:
    """Decode a row of a table, by the envelope's columns if it has them, else by the mapping."""
    try:
        if _is_envelope(row):
            return _signal(msgspec.convert(_envelope(row), AnyEnvelope, strict=False), bounded)
        if mapping is None:
            raise RefusedError("missing", 'it has no columns "type" and "messageId"')
        return to_event(row, mapping)
    except RefusedError as refused:
        return Bad(file, number, refused.reason, refused.detail)
    except (ValueError, RecursionError, OverflowError) as error:
        return _bad(error, file, number, row)


def has_no_id(raw: Raw, mapping: Mapping | None) -> bool:
    """Return True for a row without an id: its event gets the row's hash, to be ``numbered``."""
    if mapping is None or mapping.id is not None:
        return False
    body = raw.body
    return not (is_envelope_line(body) if isinstance(body, bytes) else _is_envelope(body))


def _is_envelope(row: dict[str, Any]) -> bool:
    return "type" in row and "messageId" in row


def _envelope(row: dict[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in row.items() if value is not None and value != ""}
    return {key: _cell(key, value) for key, value in given.items()}


def _cell(key: str, value: Any) -> Any:
    if key in MAPS or key in LISTS:
        return msgspec.json.decode(value) if isinstance(value, str | bytes) else plain(value)
    named = key.endswith("Id") or key in DIGITS
    if named and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _bad(error: Exception, file: str, number: int, record: bytes | dict[str, Any]) -> Bad:
    if isinstance(error, RecursionError):
        return Bad(file, number, "too_deep", "values nested too deeply")
    if not isinstance(error, msgspec.ValidationError):
        return Bad(file, number, "not_json", _not_json(record))
    said = str(error)
    if (at := _AT_TIME.search(said)) and "missing required" not in said:
        return Bad(file, number, "invalid", causes.not_time(at[1], _field(record, at[1])))
    if isinstance(record, bytes) and said.startswith("Expected `object`") and " at " not in said:
        return Bad(file, number, "invalid", causes.not_object(record))
    if "missing required field `type`" in said and _lacks_id(record):
        detail = 'it has no "type" and "messageId"; other records need a mapping (--map)'
        return Bad(file, number, "missing", detail)
    if "out of range" in said or BEYOND in said:
        return Bad(file, number, "out_of_range", said)
    if said.startswith(QUOTING):
        said = _allowed(said)
    return Bad(file, number, "missing" if "missing required" in said else "invalid", said)


def _not_json(record: bytes | dict[str, Any]) -> str:
    return causes.not_json(record) if isinstance(record, bytes) else causes.NOT_JSON


def _field(record: bytes | dict[str, Any], name: str) -> Any:
    try:
        return (_row(record) if isinstance(record, bytes) else record).get(name)
    except (ValueError, RecursionError):
        return ""


def _lacks_id(record: bytes | dict[str, Any]) -> bool:
    try:
        return isinstance(record, bytes) and _head(record).message_id is msgspec.UNSET
    except (ValueError, RecursionError):
        return False


def _allowed(said: str) -> str:
    if "$.type" in said:
        return f'"type" must be one of {", ".join(KINDS)}'
    return f"value not allowed - {said.rpartition(' - ')[2]}"


def _signal(record: AnyEnvelope, check: Callable[[dict[str, Any]], None]) -> Signal:
    for name in (record.message_id, record.user_id, record.anonymous_id):
        if name is not None and has_control_character(name):
            raise RefusedError(
                "invalid", "messageId, userId or anonymousId has a control character"
            )
    match record:
        case envelope.Track():
            check(record.properties)
            return _event(record)
        case envelope.Identify():
            check(record.traits)
            return _profile_change(record)
        case envelope.Audience():
            return signals.AudienceChange(
                audience=record.audience, entered=record.entered, **_common(record)
            )
        case envelope.Communication():
            check(record.data)
            return signals.CommunicationUpdate(
                communication=record.communication,
                status=record.status,
                data=record.data,
                attempt=record.attempt,
                **_common(record),
            )
        case envelope.Inbound():
            return signals.Inbound(
                channel=record.channel,
                number=record.number,
                text=record.text,
                call=record.call,
                communication=record.communication,
                **_common(record),
            )
        case envelope.Enter():
            for values in (record.data, record.profile, record.participant):
                check(values)
            return _enter(record)
        case envelope.CallResult():
            check(record.result)
            return signals.CallResult(
                call=record.call,
                ok=record.ok,
                result=record.result,
                error=record.error,
                **_common(record),
            )
        case envelope.Handover():
            return signals.Handover(source=record.source, state=record.state, **_common(record))
        case envelope.Forwarded():
            return signals.Forwarded(
                source=record.source,
                handover=record.handover,
                hops=record.hops,
                signal=record.signal,
                **_common(record),
            )
        case envelope.Alias():
            return _alias(record)
        case envelope.Command():
            # A state may be large; the core bounds it.
            (check_nested if record.what == "import" else check)(record.data)
            return signals.Command(
                what=record.what, flow=record.flow, data=record.data, **_common(record)
            )
        case _:
            assert_never(record)


def _event(record: envelope.Track) -> signals.Event:
    # Not by _common: nearly every record is an event, and a call would add half a microsecond.
    received = record.received_at
    return signals.Event(
        id=record.message_id,
        user=record.user_id or _user(record),
        time=_instant(record.timestamp, "timestamp"),
        received=None if received is None else _instant(received, "receivedAt"),
        sequence=record.sequence,
        bypass=record.bypass,
        backfill=record.backfill,
        name=record.event,
        properties=record.properties,
    )


def _profile_change(record: envelope.Identify) -> signals.ProfileChange:
    removed = [name for name, value in record.traits.items() if value is None]
    common = _common(record)
    if record.user_id is not None and record.anonymous_id is not None:
        # With both ids it is for the anonymous key, which hands its state over to the user's (R8).
        common |= {"user": f"anon:{record.anonymous_id}", "becomes": record.user_id}
    return signals.ProfileChange(
        set={name: value for name, value in record.traits.items() if value is not None},
        unset=tuple(dict.fromkeys([*record.unset, *removed])),
        tag=record.tag,
        untag=record.untag,
        consent=record.consent,
        **common,
    )


def _alias(record: envelope.Alias) -> signals.ProfileChange:
    if record.user_id is None:
        raise RefusedError("missing", "an alias needs a userId")
    if record.previous_id is None and record.anonymous_id is None:
        raise RefusedError("missing", "neither previousId nor anonymousId")
    before = record.previous_id or f"anon:{record.anonymous_id}"
    return signals.ProfileChange(becomes=record.user_id, **(_common(record) | {"user": before}))


def _enter(record: envelope.Enter) -> signals.Enter:
    return signals.Enter(
        flow=record.flow,
        key=record.key,
        data=record.data,
        profile=record.profile,
        participant=record.participant,
        launch=record.launch,
        member_of=record.member_of,
        operation=record.operation,
        **_common(record),
    )


def _common(record: Envelope) -> dict[str, Any]:
    received = record.received_at
    return {
        "id": record.message_id,
        "user": record.user_id or _user(record),
        "time": _instant(record.timestamp, "timestamp"),
        "received": None if received is None else _instant(received, "receivedAt"),
        "sequence": record.sequence,
        "bypass": record.bypass,
        "backfill": record.backfill,
    }


def _user(record: Envelope) -> str:
    if record.anonymous_id is None:
        raise RefusedError("missing", "neither userId nor anonymousId")
    return f"anon:{record.anonymous_id}"


def _instant(moment: datetime | int, field: str) -> int:
    if isinstance(moment, int):
        if 0 <= moment < EARLIEST_NUMBER:
            detail = f"{field} is not a number of milliseconds since 1970"
            if causes.size_of(moment) == "seconds":
                detail += ": it looks like seconds; multiply it by 1000"
            raise RefusedError("out_of_range", detail)
        t = moment
    else:
        t = to_ms(moment)
    if FIRST <= t <= LAST:
        return t
    raise RefusedError("out_of_range", f"{field} is outside of the years 1970 to 2200")
