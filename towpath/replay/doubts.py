"""What makes a replay doubtful: nothing was used, nothing lies before its end, or times are wrong.

Such a replay ends without an error, and its report is empty or nonsense.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.replay.results import MOST_NAMES, Account
from transforms.flows.clock.zones import iso
from transforms.flows.diagnostics import nearest, printable, quoted

SHOWN = 12
LONGEST = 60


def doubts_of(account: Account, known: Iterable[str], mapped: bool = False) -> list[str]:
    """Describe every doubt, each as one text; ``known`` are the events that the flows use."""
    return [*_nothing_used(account, sorted(known)), *_after(account), *_early(account, mapped)]


def _nothing_used(account: Account, known: list[str]) -> Iterator[str]:
    if not account.read:
        yield "the files have no records"
        return
    others = account.read - account.bad - account.unread
    if account.used or not account.unread_events or (others and not known):
        return
    lines = ["no flow uses any event of the files"]
    if not known:
        lines.append("the flows use no events by name")
    else:
        lines.append(f"the flows use {quoted(known, SHOWN)}")
    names = account.unread_events
    more = f", the {MOST_NAMES} most frequent" if len(names) >= MOST_NAMES else ""
    lines.append(f"the files have{more}:")
    width = max(len(f"{count:,}") for count in names.values())
    for name, count in names.items():
        close = nearest(name, known)
        guess = f'; did you mean "{close}"?' if close else ""
        shown = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
        lines.append(f'  {count:>{width},}  "{shown}"{guess}')
    yield printable_lines(lines)


def _after(account: Account) -> Iterator[str]:
    used = account.read - account.bad - account.unread
    if account.after and account.after == used and account.first_after is not None:
        until, first = iso(account.until), iso(account.first_after)
        yield f"nothing lies before --until {until}: the first record is of {first}"


def _early(account: Account, mapped: bool) -> Iterator[str]:
    times = account.read - account.bad
    if account.early * 2 > times:
        where = (
            "in the mapping, write time: {column: NAME, unit: s} for seconds, unit: ms for milliseconds"
            if mapped
            else "a number must be milliseconds since 1970, not seconds"
        )
        text = f"{account.early:,} of {times:,} times are in 1970, so they are probably wrong"
        yield f"{text}\n{where}"


def printable_lines(lines: Iterable[str]) -> str:
    """Join lines, and escape control characters in each."""
    return "\n".join(printable(line) for line in lines)
