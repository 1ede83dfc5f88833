"""Readers of single values: each returns the value, or reports a problem and returns None."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from transforms.flows.clock import windows
from transforms.flows.clock.delays import Delay, TimeSyntaxError, longest, parse_delay, parse_period
from transforms.flows.clock.schedules import When, parse_when
from transforms.flows.clock.windows import Window
from transforms.flows.clock.zones import DAY, parse_instant, utc, zone_names
from transforms.flows.definitions.values import Limit, Named
from transforms.flows.diagnostics import Report, SourceCheck, suggest
from transforms.flows.expressions.checking import check
from transforms.flows.expressions.scope import Wants
from transforms.flows.expressions.syntax.ast import Expr, ExpressionError, ExprProblem
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.reading.names import OWN_TRAITS, Known
from transforms.flows.reading.nodes import ALIAS, Mapping, Node, Scalar, Sequence, describe
from transforms.flows.reading.spans import offsets

T = TypeVar("T")

NAME = re.compile(r"[a-z][a-z0-9_]*")
_LIMIT = re.compile(r"\s*(\d{1,6})\s+per\s+(\S.*?)\s*")
_PERCENT = re.compile(r"\s*(\d{1,3})\s*%\s*")
_WHOLE = re.compile(r"[-+]?\d{1,15}")


def _bare(text: str) -> str:
    """Return help for a text without the quotes of an expression."""
    return f"did you mean the text '\"{text}\"'?" if NAME.fullmatch(text) else ""


def _meant(suggestion: str | None) -> str:
    if suggestion is None:
        return ""
    shown = suggestion if suggestion.startswith('"') else f'"{suggestion}"'
    return f"did you mean {shown}?"


class Reading:
    """What all readers of one file share: its report, and the names that it may use."""

    def __init__(
        self, report: Report, known: Known, check_source: SourceCheck | None = None
    ) -> None:
        self.report = report
        self.known = known
        self.check_source = check_source

    def problem(
        self,
        node: Node | tuple[int, int],
        code: str,
        message: str,
        help: str = "",  # noqa: A002
    ) -> None:
        """Report a problem at a node."""
        span = node.span if isinstance(node, Node) else node
        self.report.add(span, code, message, help)

    def warn(self, node: Node, code: str, message: str, help: str = "") -> None:  # noqa: A002
        """Report what is allowed but probably a mistake."""
        self.report.add(node.span, code, message, help, "warning")

    # --- scalars ---------------------------------------------------------------

    def text(self, node: Node) -> str | None:
        """Read a text that is not empty."""
        if isinstance(node, Scalar) and node.text.strip():
            return node.text
        if isinstance(node, Scalar) and node.style == ALIAS:
            return None
        what = "nothing" if isinstance(node, Scalar) else describe(node)
        self.problem(node, "wrong-kind", f"{what} where a text is expected")
        return None

    def name(self, node: Node, what: str) -> str | None:
        """Read a name such as ``abandoned_cart``."""
        text = self.text(node)
        if text is None or NAME.fullmatch(text):
            return text
        meant = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
        hint = f'did you mean "{meant}"?' if NAME.fullmatch(meant) else ""
        message = f'"{text}" is not a name for {what}: small letters, digits and _'
        self.problem(node, "invalid-name", message, hint)
        return None

    def flag(self, node: Node) -> bool | None:
        """Read ``true`` or ``false``."""
        if isinstance(node, Scalar) and not node.style and node.text in ("true", "false"):
            return node.text == "true"
        message = f"{describe(node)} where true or false is expected"
        self.problem(node, "wrong-kind", message)
        return None

    def whole(self, node: Node, least: int | None = None, code: str = "wrong-kind") -> int | None:
        """Read a whole number, of at least ``least``."""
        if isinstance(node, Scalar) and not node.style and _WHOLE.fullmatch(node.text):
            number = int(node.text)
            if least is None or number >= least:
                return number
            self.problem(node, code, f"{number} where {least} or more is expected")
            return None
        self.problem(node, "wrong-kind", f"{describe(node)} where a whole number is expected")
        return None

    def percent(self, node: Node) -> int | None:
        """Read a whole percentage such as ``10%``."""
        text = self.text(node)
        if text is None:
            return None
        match = _PERCENT.fullmatch(text)
        if match and int(match[1]) <= 100:
            return int(match[1])
        hint = "write a whole number from 0% to 100%, for example 10%"
        self.problem(node, "invalid-percentage", f'"{text}" is not a percentage', hint)
        return None

    def one_of(self, node: Node, options: Iterable[str]) -> str | None:
        """Read one of the options."""
        text = self.text(node)
        if text is None or text in options:
            return text
        message = f'"{text}" is not possible here'
        self.problem(node, "unknown-option", message, suggest(text, options))
        return None

    def step(self, node: Node) -> str | None:
        """Read the name of a step to go on with."""
        name = self.text(node)
        if name is not None and name not in self.known.steps:
            meant = suggest(name, self.known.steps)
            self.problem(node, "unknown-step", f'there is no step "{name}"', meant)
        return name

    # --- names of the space ---------------------------------------------------------

    def listed(self, node: Node, kind: str) -> str | None:
        """Read a name that the space declares: of a channel, a topic, an audience and so on."""
        home = f"{kind}s"
        names: Iterable[str] = getattr(self.known, home)
        name = self.text(node)
        if name is not None and name not in names:
            meant = suggest(name, names) or f"add it to {home} in space.yaml"
            self.problem(node, f"unknown-{kind}", f'there is no {kind} "{name}"', meant)
        return name

    def flow(self, node: Node) -> str | None:
        """Read the name of another flow of the same folder, if these are known."""
        name = self.name(node, "a flow")
        known = self.known.flows
        if name is not None and known is not None and name not in known:
            self.problem(node, "unknown-flow", f'there is no flow "{name}"', suggest(name, known))
        return name

    def event(self, node: Node) -> str | None:
        """Read the name of an event.

        Where events are declared, one that is not is a warning, but an error if it is nearly
        the name of one that is.
        """
        name = self.text(node)
        if name is None or not self.known.events or name in self.known.events:
            return name
        meant = suggest(name, self.known.events)
        message = f'event "{name}" is not declared in space.yaml'
        if meant.startswith("did"):
            self.problem(node, "unknown-event", message, meant)
        else:
            self.warn(node, "unknown-event", message, meant)
        return name

    def trait(self, node: Node) -> str | None:
        """Read the name of a trait, without ``user.``."""
        name = self.text(node)
        if name is not None and name.startswith("user."):
            message = "a trait is named here without user."
            self.problem(node, "invalid-trait", message, f'write "{name.removeprefix("user.")}"')
        elif name is not None:
            self.check_trait(node, name)
        return name

    def check_trait(self, node: Node, name: str) -> None:
        """Report a trait that is not declared where others are."""
        traits = {**OWN_TRAITS, **self.known.traits}
        if self.known.traits and name.split(".", maxsplit=1)[0] not in traits:
            message = f'trait "{name}" is not declared in space.yaml'
            self.problem(node, "unknown-trait", message, suggest(name, self.known.traits))

    # --- times -------------------------------------------------------------------

    def _time(self, node: Node, code: str, read: Callable[[str], T]) -> T | None:
        text = self.text(node)
        if text is None:
            return None
        try:
            return read(text)
        except TimeSyntaxError as error:
            message, _, hint = str(error).partition("; ")
            self.problem(node, code, message, _meant(error.suggestion) or hint)
            return None

    def delay(self, node: Node, most: int | None = None) -> Delay | None:
        """Read a duration, of at most ``most`` days."""
        delay = self._time(node, "invalid-duration", parse_delay)
        if delay and most and (delay.ms or longest(delay) - 2 * DAY) > most * DAY:
            self.problem(node, "too-long", f"{delay.text} is longer than {most} days")
            return None
        return delay

    def window(self, node: Node) -> Window | None:
        """Read days and hours."""
        return self._time(node, "invalid-window", windows.parse_window)

    def moment(self, node: Node) -> When | None:
        """Read a moment, and check the path that it reads."""
        moment = self._time(node, "invalid-moment", parse_when)
        if moment and moment.path and isinstance(node, Scalar):
            at = max(0, node.text.find(moment.path))
            self._expression(node, moment.path, at, None, "date")
        return moment

    def limit(self, node: Node) -> Limit | None:
        """Read a limit such as ``2 per 7d``."""
        text = self.text(node)
        if text is None:
            return None
        match = _LIMIT.fullmatch(text)
        if match is None or not int(match[1]):
            hint = "write for example 2 per 7d or 1 per day"
            self.problem(node, "invalid-limit", f'"{text}" is not a limit', hint)
            return None
        per = self._time(node, "invalid-limit", lambda _: parse_period(match[2]))
        return None if per is None else Limit(int(match[1]), per)

    def zone(self, node: Node) -> str | None:
        """Read the name of a time zone."""
        text = self.text(node)
        if text is None or text in zone_names():
            return text
        hint = suggest(text, zone_names()) or "write for example Europe/Berlin"
        self.problem(node, "unknown-zone", f'"{text}" is not a time zone', hint)
        return None

    def instant(self, node: Node) -> str | None:
        """Read a local date or date and time, such as ``2026-12-31T18:00``; keep its text."""
        text = self.text(node)
        if text is None or parse_instant(text, utc()) is not None:
            return text
        hint = "write for example 2026-12-31 or 2026-12-31T18:00"
        self.problem(node, "invalid-date", f'"{text}" is not a date', hint)
        return None

    # --- expressions ---------------------------------------------------------------

    def value(self, node: Node, event: str | None = None, wants: Wants = "value") -> Expr | None:
        """Read an expression; ``event`` is the name of the event that it may read, if any."""
        text = self.text(node)
        if text is None or not isinstance(node, Scalar):
            return None
        return self._expression(node, text, 0, event, wants)

    def condition(self, node: Node, event: str | None = None) -> Expr | None:
        """Read an expression that is true or false."""
        return self.value(node, event, "condition")

    def _expression(
        self, node: Scalar, text: str, skip: int, event: str | None, wants: Wants
    ) -> Expr | None:
        places = offsets(self.report.source.text, node)[skip:]
        expr, problems = self._checked(text, event, wants)
        for problem in problems:
            last = len(places) - 1
            start = places[min(problem.offset, last)]
            end = places[min(problem.offset + max(1, problem.length), last)]
            hint = _bare(text) or _meant(problem.suggestion)
            span = (start, max(end, start + 1))
            self.report.add(span, problem.code, problem.message, hint, problem.severity)
        return expr

    def _checked(
        self, text: str, event: str | None, wants: Wants
    ) -> tuple[Expr | None, list[ExprProblem]]:
        try:
            expr = parse(text)
        except ExpressionError as error:
            return None, error.problems
        return expr, check(expr, self.known.scope(event), wants)

    def named(self, node: Node, wants: Wants = "value") -> Named:
        """Read a map of names with expressions."""
        return self.by_name(node, lambda value: self.value(value, None, wants))

    # --- lists and maps ------------------------------------------------------------------------

    def many(self, node: Node, read: Callable[[Node], T | None]) -> tuple[T, ...]:
        """Read each value of a list; what is wrong is reported and left out."""
        if not isinstance(node, Sequence):
            message = f"{describe(node)} where a list is expected"
            self.problem(node, "wrong-kind", message, "write [a, b] or lines that begin with - ")
            return ()
        read_ = [read(item) for item in node.items]
        return tuple(value for value in read_ if value is not None)

    def by_name(
        self, node: Node, read: Callable[[Node], T | None], wrong: str = ""
    ) -> tuple[tuple[str, T], ...]:
        """Read a map of names with values; what is wrong is reported and left out.

        ``wrong`` is the message for what is no map.
        """
        if not isinstance(node, Mapping):
            wrong = wrong or f"{describe(node)} where a map of names is expected"
            self.problem(node, "wrong-kind", wrong)
            return ()
        read_ = [(key.text, read(value)) for key, value in node.items]
        return tuple((name, value) for name, value in read_ if value is not None)

    def texts(self, node: Node) -> tuple[str, ...]:
        """Read a list of texts."""
        return self.many(node, self.text)
