"""Invariants of any history, checked on its outputs alone, without the core."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from tests.kit.automaton import unexpected_moves
from tests.kit.histories import Handled, History
from tests.kit.message_invariants import caps, consent, messages, quiet
from transforms.flows.engine.working import decode
from transforms.flows.protocol import control_records
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import AudienceChange, Command, Enter, Event, Inbound

BOUND = 256 * 1024
AGENTS = {"email": ("desk",), "sms": ("line", None), "log": (None,)}
GAP = 30 * 60_000
GOALS_ON_AUDIENCES = {"vip": "vip", "joined": "busy", "busy": "busy"}
HOURS = {"6h": 6, "24h": 24, "3d": 72}


def violations(history: History) -> Iterator[str]:
    """Yield the violations of a clean run."""
    outputs = history.outputs
    strange = any(given.broke == "imported" for given in history.handled)
    # What was due in two states at one instant is one output, written twice.
    ids = [o.id for o in ({out.encode(o): o for o in outputs}.values() if strange else outputs)]
    if len(set(ids)) < len(ids):
        yield f"ids repeat: {sorted(i for i in set(ids) if ids.count(i) > 1)[:3]}"
    if history.largest > BOUND:
        yield f"the state has {history.largest} bytes"
    if history.wake_at is not None and history.wake_at <= history.until:
        yield "what was due did not fire"
    yield from _sessions(history)
    yield from _flow_states(history)
    yield from _sequences(history)
    yield from _paused(history)
    yield from _killed(history)
    yield from _claims(history)
    yield from messages(outputs, history.imported)
    for life, last in periods(history):
        # An import applies the control records since the export, at their own times (R29).
        imports = [given.outputs for given in history.handled if given.broke == "imported"]
        late = {output.id for outputs in imports for output in outputs}
        times = [output.at for output in life.outputs if output.id not in late]
        if times != sorted(times):
            yield "outputs go back in time"
        yield from _suppressed(life)
        yield from _exclusive(life)
        yield from _launched(life)
        yield from _exits_of_visits(life)
        yield from _participants(life, last)
        yield from _first_conversions(life)
        yield from _audience_goals(life)
        yield from caps(life)
        yield from consent(life)
        yield from quiet(life)


def periods(history: History) -> Iterator[tuple[History, bool]]:
    """Yield the periods without erasures, and whether each is the last.

    Signals after an import are excluded: the imported user may have applied control records at
    other times, even before the command (R29).
    """
    if not any(given.broke for given in history.handled):
        yield history, True
        return
    handled: list[Handled] = []
    past, whole = 0, True
    for given in history.handled:
        handled.append(given)
        if given.broke:
            now = past + sum(len(one.outputs) for one in handled)
            if whole:
                own = tuple(handled), history.outputs[past:now]
                yield msgspec.structs.replace(history, handled=own[0], outputs=own[1]), False
            handled, past, whole = [], now, given.broke == "erased"
    if whole:
        rest = history.outputs[past:]
        yield msgspec.structs.replace(history, handled=tuple(handled), outputs=rest), True


def _first_conversions(life: History) -> Iterator[str]:
    """Yield conversions that are marked wrong, or that a session has twice.

    The first of a user, flow and goal is marked, and no other. An import restores what was reached
    at its export, so what comes with it is left out.
    """
    reached: set[tuple[str, str]] = set()
    by_session: set[tuple[str, str]] = set()
    last = life.handled[-1] if life.handled else None
    restored = len(last.outputs) if last is not None and last.broke == "imported" else 0
    for output in life.outputs[: len(life.outputs) - restored]:
        if isinstance(output, out.Conversion):
            goal = output.flow, output.goal
            if output.first_conversion == (goal in reached):
                yield f"{output.id} is marked {output.first_conversion} as the first of {goal}"
            reached.add(goal)
            if (output.session, output.goal) in by_session:
                yield f"session {output.session} reached {output.goal} twice"
            by_session.add((output.session, output.goal))


def _audience_goals(life: History) -> Iterator[str]:
    """Yield conversions by an audience that the user did not enter at that instant."""
    entered: set[tuple[str, int]] = set()
    for given in life.handled:
        if isinstance(given.signal, AudienceChange) and given.signal.entered:
            entered.add((given.signal.audience, given.at))
    for output in life.outputs:
        if isinstance(output, out.AudienceUpdate) and output.entered:
            entered.add((output.audience, output.at))
        elif isinstance(output, out.Conversion):
            audience = GOALS_ON_AUDIENCES.get(output.goal)
            if audience is not None and (audience, output.at) not in entered:
                yield f"{output.id} counts {output.goal}, but the user did not enter {audience}"


def _sequences(history: History) -> Iterator[str]:
    numbers = [o.sequence for o in history.outputs if isinstance(o, out.Transition)]
    if any(after <= before for before, after in pairwise(numbers)):
        yield "the sequence of transitions does not grow"


def _last_import(history: History) -> tuple[int, int]:
    """Return where the outputs of the last import begin and end; (0, 0) if there is none."""
    past, found = 0, (0, 0)
    for given in history.handled:
        after = past + len(given.outputs)
        found = (past, after) if given.broke == "imported" else found
        past = after
    return found


def _sessions(history: History) -> Iterator[str]:
    rows: dict[str, list[out.Transition]] = defaultdict(list)
    # An import of an earlier export replaces a session by its own past.
    since, over = _last_import(history)
    for place, output in enumerate(history.outputs):
        if not isinstance(output, out.Transition):
            continue
        rows[output.session].append(output)
        # An import fires first what was due, so a session may end before it is replaced.
        is_past = place < since or (place < over and output.what == "ended")
        if output.session in history.imported and is_past:
            del rows[output.session]
    for session, way in rows.items():
        known = session in history.imported
        whats = [row.what for row in way]
        if not known:
            yield from (f"session {session}: {said}" for said in unexpected_moves(way))
        if known:
            pass
        elif whats[0] != "entered" or whats.count("entered") != 1:
            yield f"session {session} does not begin with its entry"
        if whats.count("ended") > 1 or ("ended" in whats and whats[-1] != "ended"):
            yield f"session {session} continued after its end"
        # An imported session may have been halted before its export.
        halted = way[-1].what == "waiting" and (known or _is_halted(way))
        waits = way[-1].what == "waiting" and (way[-1].until is not None or halted)
        if "ended" not in whats and not waits:
            yield f"session {session} neither ended nor waits: {whats[-1]}"
        if "ended" not in whats and history.wake_at is None and not halted:
            yield f"session {session} waits forever"
        visits: dict[str, int] = defaultdict(int)
        here = ""
        for row in way:
            if row.what == "reached":
                visits[row.step] += 1
                here = row.step
                if row.visit != visits[row.step] and not known:
                    yield f"visit {row.visit} of {row.step} is the {visits[row.step]}th"
            elif row.what in ("waiting", "left") and row.step != here and not known:
                yield f"session {session} is {row.what} at {row.step}, but is at {here}"
        lefts = [(row.step, row.visit) for row in way if row.what == "left"]
        if len(set(lefts)) < len(lefts):
            yield f"session {session} left a step twice"


def _is_halted(way: list[out.Transition]) -> bool:
    """Return True if a session is paused or held at the end of its rows."""
    for row in reversed(way):
        if row.reason in ("paused", "held"):
            return True
        if row.what != "waiting" or row.reason == "resumed":
            return False
    return False


def _paused(history: History) -> Iterator[str]:
    """While a flow is paused, it has no entries, runs only on_exit steps, and sends nothing."""
    records = sorted(history.world.records, key=lambda r: (r.effective_at, r.sequence))
    ending = {r.flow for r in records if isinstance(r, control_records.SetSchedule) and r.end}
    ending |= {name[:-5] for name, text in history.world.files.items() if "\nschedule: " in text}
    for output in history.outputs:
        if isinstance(output, out.Transition | out.Message) and output.flow not in ending:
            since, over = None, False
            for record in records:
                if record.effective_at >= output.at or getattr(record, "flow", "") != output.flow:
                    continue
                match record:
                    case control_records.Pause() if not over and since is None:
                        since = record.effective_at
                    case control_records.Resume():
                        since = None
                    case (
                        control_records.Stop()
                        | control_records.Finish()
                        | control_records.Archive()
                    ):
                        since, over = None, True
                    case control_records.Start():
                        over = False
            moved = isinstance(output, out.Message) or output.what in ("entered", "reached")
            later = any(r.effective_at == output.at for r in records)
            if since is not None and moved and not later and "on_exit." not in output.step:
                yield f"{output.id} at {output.at}, although {output.flow} is paused since {since}"


def _killed(history: History) -> Iterator[str]:
    """While a kill switch is on, nothing that it covers is sent."""
    records = sorted(history.world.records, key=lambda r: (r.effective_at, r.sequence))
    kills = [record for record in records if isinstance(record, control_records.Kill)]
    for output in history.outputs if kills else ():
        leaves = isinstance(output, out.Call) and output.kind == "api"
        if leaves or isinstance(output, out.Message | out.Webhook | out.Export):
            channel = output.channel if isinstance(output, out.Message) else None
            on = {(k.flow, k.channel): not k.off for k in kills if k.effective_at <= output.at}
            for (flow, named), live in on.items():
                if live and flow in (None, output.flow) and named in (None, channel):
                    yield f"{output.id} left at {output.at}, although a kill switch was on"


def _suppressed(history: History) -> Iterator[str]:
    """While a command suppresses a flow, or all flows, the user does not enter."""
    orders = [
        (given.at, given.signal.flow, given.signal.data.get("off") is not True)
        for given in history.handled
        if isinstance(given.signal, Command) and given.signal.what == "suppress" and given.taken
        if not given.signal.bypass and not given.signal.backfill
    ]
    for output in history.outputs if orders else ():
        if isinstance(output, out.Transition) and output.what == "entered":
            out_of: dict[str | None, bool] = {}
            for at, flow, on in orders:
                if at < output.at:
                    out_of[flow] = on
                elif at == output.at:
                    out_of.pop(flow, None)
            if out_of.get(None) or out_of.get(output.flow):
                yield f"{output.flow} was entered at {output.at}, although it was suppressed"


def _claims(history: History) -> Iterator[str]:
    """An inbound message is claimed at most once, by one wait or one entry (R13)."""
    for given in history.handled:
        if not isinstance(given.signal, Inbound):
            continue
        mine = [o for o in given.outputs if getattr(o, "cause", "") == given.signal.id]
        entered = [o for o in mine if getattr(o, "reason", "") in ("inbound", "call", "incoming")]
        nobody = [o for o in mine if getattr(o, "reason", "") == "no_claim"]
        quiet = given.signal.bypass or given.signal.backfill or not given.taken
        if len(entered) + len(nobody) > (0 if quiet else 1):
            yield f"{given.signal.id} was claimed {len(entered)} times"


def _exclusive(history: History) -> Iterator[str]:
    """A user is in at most one flow of a group that allows one, if its versions do not change."""
    files = history.world.files
    group = {name[:-5] for name, text in files.items() if "\ngroup: lane\n" in text}
    if any(isinstance(r, control_records.Publish) and r.version > 1 for r in history.world.records):
        return
    live: dict[str, str] = {}
    for output in history.outputs if len(group) > 1 else ():
        match output:
            case (
                out.Transition(what="ended", session=session)
                | out.Transition(silent=True, session=session)
            ):
                live.pop(session, None)
            case out.Transition(what="entered", session=session, flow=flow) if flow in group:
                if set(live.values()) - {flow}:
                    yield f"{flow} was entered at {output.at}, although the user was in another"
                live[session] = flow


def _launched(history: History) -> Iterator[str]:
    """One launch enters a user into a flow once."""
    named: dict[str, tuple[str, str]] = {}
    for given in history.handled:
        signal = given.signal
        if isinstance(signal, Enter) and signal.launch is not None:
            named[signal.id] = signal.flow, signal.launch
    enrolled = re.findall(r"enroll: (\w+)", " ".join(_all_texts(history)))
    # Other sessions have the launch as their first cause, but not as their reason.
    reasons = {"people"} if history.world.records and enrolled else {"people", "enter"}
    entries = [
        named[row.cause]
        for row in history.outputs
        if isinstance(row, out.Transition) and row.what == "entered" and row.cause in named
        if row.flow == named[row.cause][0] and row.reason in reasons
    ]
    if len(set(entries)) < len(entries):
        yield f"a launch entered twice: {entries}"


def _all_texts(history: History) -> Iterator[str]:
    yield from history.world.files.values()
    yield from (r.text for r in history.world.records if isinstance(r, control_records.Publish))


def _exits_of_visits(history: History) -> Iterator[str]:
    """A user who is gone sent no event for 30 minutes; in a pause this takes effect at its end."""
    seen = [
        given.at
        for given in history.handled
        if isinstance(given.signal, Event) and given.taken
        if not (given.signal.bypass or given.signal.backfill)
    ]
    decided: set[str] = set()
    for row in history.outputs:
        if not isinstance(row, out.Transition) or row.reason not in ("decided", "gone"):
            continue
        if row.reason == "decided":
            decided.add(row.session)
        elif row.session not in decided and any(row.at - GAP < at < row.at for at in seen):
            yield f"session {row.session} decided that its user is gone at {row.at}"


def _flow_states(history: History) -> Iterator[str]:
    live: dict[str, str] = {}
    last = 0
    strange = any(given.broke == "imported" for given in history.handled)
    for output in history.outputs:
        match output:
            case out.Erased(sequence=sequence):
                last, live = sequence, {}
            case out.Transition(silent=True, session=session):
                live.pop(session, None)
            case out.Transition(what="entered" | "reached", session=session, step=step):
                live[session] = step
            case out.Transition(what="ended", session=session):
                live.pop(session, None)
            case out.FlowState(sequence=sequence, flows=flows):
                before, last = last, sequence
                if strange:
                    continue
                if sequence not in (before + 1 if before else output.at, output.at):
                    yield f"flow state {sequence} follows {before}"
                if {f["session"]: f["step"] for f in flows} != live:
                    yield f"flow state {sequence} differs from the transitions"


def _participants(history: History, is_last: bool) -> Iterator[str]:
    """Rows of a participant begin with its creation, and each has the complete participant."""
    last: dict[str, dict[str, object]] = {}
    for output in history.outputs:
        if isinstance(output, out.ParticipantUpdate):
            told = dict(output.fields)
            if output.status is not None:
                told["status"] = output.status
            before = last.get(output.campaign)
            if (output.what == "created") != (before is None):
                yield f"participant {output.id} is {output.what}, and was {before}"
            differ = {name for name in told | (before or {}) if _differs(name, told, before or {})}
            if differ != set(output.changed):
                yield f"participant {output.id} changed {differ}, not {output.changed}"
            last[output.campaign] = told
    kept = decode(history.state).participants if history.state is not None else {}
    if is_last and {name: found.data for name, found in kept.items()} != last:
        yield f"participants are {kept}, but the last rows say {last}"


def _differs(name: str, one: dict[str, object], other: dict[str, object]) -> bool:
    here, there = one.get(name), other.get(name)
    return type(here) is not type(there) or here != there
