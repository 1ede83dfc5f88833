"""The sandbox for code steps: ``answer`` is the function that hosts pass to the core (C19, J13).

A separate process runs the code with limits on steps, memory, depth and size, and without clock,
randomness, files or network. It keeps nothing between calls, so equal calls have equal answers on
every machine, however busy it is. Only code whose single operations take half a minute depends on
the machine.
"""

from __future__ import annotations

import atexit
import os
import threading
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from transforms.flows.catalog.epochs import Catalog
from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.steps.calls import RunCode
from transforms.flows.diagnostics import SourceError
from transforms.flows.protocol.outputs import Call
from transforms.flows.protocol.signals import CallResult
from transforms.flows.state.limits import LARGEST
from transforms.hosting.step_limit import OVER, PRELUDE, STEPS, counted

if TYPE_CHECKING:
    from pydantic_monty import Monty, MontyError

SECONDS = 30.0
"""The last resort, for single operations that take very long; steps are counted."""

MEGABYTES = 8
DEEPEST_CALL = 100
LARGEST_RESULT = 32 * 1024
DEEPEST_RESULT = 20

INSTALL = "install it with: pip install 'towpath[code]'"

LIMITS = {
    "max_feed_duration_secs": SECONDS,
    "max_memory": MEGABYTES * 1024 * 1024,
    "max_recursion_depth": DEEPEST_CALL,
    "max_suspensions": 1,
}
POLICY = {
    "datetime": datetime(1970, 1, 1, tzinfo=UTC),
    "sleep": "zero",
    "random_start": {"seed": 0},
}
"""Fixed values for clock, sleep and randomness, which the loader refuses anyway."""

_encode = msgspec.msgpack.Encoder().encode


class MissingSandbox(RuntimeError):
    """A flow has code, and the sandbox is not installed."""


class ForkedSandbox(RuntimeError):
    """The process was forked from one with a sandbox, where a call would wait forever."""


class Unfit(ValueError):
    """A result that a state cannot hold."""


@cache
def installed() -> bool:
    """Return True if code can run here."""
    try:
        import pydantic_monty  # noqa: F401
    except ImportError:
        return False
    return True


def has_code(flow: Flow) -> bool:
    """Return True if a flow has a code step."""
    return any(isinstance(step.verb, RunCode) for step in flow.steps)


def require(catalog: Catalog) -> None:
    """Raise MissingSandbox if a version of a flow has code that this process cannot run."""
    for plan in () if installed() else catalog.plans.values():
        if has_code(plan.flow):
            raise MissingSandbox(f"flow {plan.id} runs code, which needs a sandbox; {INSTALL}")


def check_source(source: str) -> SourceError | None:
    """Return the error that keeps this process from running a source; None if it can run it."""
    if not installed():
        return SourceError(1, 0, "code needs a sandbox, which is not installed", INSTALL)
    from pydantic_monty import MontyError, MontyRuntimeError, MontySyntaxError

    try:
        _feed(source, {})
    except (MontySyntaxError, MontyRuntimeError) as error:
        frame = error.traceback()[-1] if error.traceback() else None
        line, column = (frame.line, frame.column - 1) if frame else (1, 0)
        return SourceError(line, column, f"the sandbox cannot run this: {_first_line(error)}")
    except MontyError as error:
        return SourceError(1, 0, f"the sandbox cannot run this: {_first_line(error)}")
    return None


def answer(call: Call, source: str) -> CallResult:
    """Run a call's code on its inputs. Raises MissingSandbox."""
    result, error = run(source, call.inputs)
    return CallResult(
        id=f"{call.id}-answer",
        user=call.user,
        time=call.at,
        call=call.id,
        ok=not error,
        result=result,
        error=error,
    )


def run(source: str, inputs: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Run a source's function; return its result, or an empty one and an error."""
    if not installed():
        raise MissingSandbox(f"code needs a sandbox; {INSTALL}")
    from pydantic_monty import MontyError

    try:
        found = _feed(f"{counted(source)}\nrun(**inputs)", {"inputs": inputs})
        return _plain_map(found), ""
    except MontyError as error:
        return {}, _said(error, source.count("\n") + 1)
    except Unfit as error:
        return {}, str(error)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return {}, "its inputs, or its result, are no data"


def _feed(text: str, inputs: dict[str, Any]) -> Any:
    """Run a text in a worker of this process's pool; after a crash, once more in a new worker."""
    from pydantic_monty import MontyCrashedError

    try:
        return _fed(text, inputs)
    except MontyCrashedError:
        return _fed(text, inputs)


def _fed(text: str, inputs: dict[str, Any]) -> Any:
    limits: Any = LIMITS
    policy: Any = POLICY
    with _pool().checkout(limits=limits, os_policy=policy) as session:
        return session.feed_run(text, inputs=inputs, print_callback=_discard)


def _discard(stream: str, text: str) -> None:
    """Discard what the code prints."""


def _said(error: MontyError, lines: int) -> str:
    """Describe an error without values, which may be personal data."""
    from pydantic_monty import MontyRuntimeError

    if not isinstance(error, MontyRuntimeError):
        return "the sandbox gave it up"
    kind = type(error.exception()).__name__
    if kind == "TimeoutError" and str(error.exception()) == OVER:
        return f"it took more than {STEPS:,} steps"
    if kind == "TimeoutError":
        return f"it took longer than {SECONDS} s"
    if kind == "MemoryError":
        return f"it needed more than {MEGABYTES} MB"
    before = PRELUDE.count("\n")
    inside = [line for f in error.traceback() if 0 < (line := f.line - before) <= lines]
    return f"{kind} in line {inside[-1]}" if inside else kind


def _first_line(error: MontyError) -> str:
    return str(error).split("\n", 1)[0][:200]


def _plain_map(value: object) -> dict[str, Any]:
    """Convert a result to JSON types."""
    if not isinstance(value, dict):
        raise Unfit("its result is no map")
    found: dict[str, Any] = _plain(value, 0)
    if len(_encode(found)) > LARGEST_RESULT:
        raise Unfit(f"its result is larger than {LARGEST_RESULT // 1024} KB")
    return found


def _plain(value: object, depth: int) -> Any:
    if depth > DEEPEST_RESULT:
        raise Unfit("its result is nested too deep")
    match value:
        case None | bool():
            return value
        case str():
            return value
        case int() if -LARGEST <= value <= LARGEST:
            return value
        case float() if value - value == 0:
            return value
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise Unfit("its result has a key that is no text")
            return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner, depth + 1) for inner in value]
        case _:
            raise Unfit(f"its result holds a value that is no data: {type(value).__name__}")


_LOCK = threading.Lock()
_POOLS: dict[int, Monty] = {}
"""The pool by process id: a forked process finds its parent's pool and must not use it."""


def _pool() -> Monty:
    found = _POOLS.get(os.getpid())
    if found is not None:
        return found
    with _LOCK:
        if os.getpid() not in _POOLS:
            if _POOLS:
                raise ForkedSandbox(
                    "code cannot run in a forked process: start it by spawn instead"
                )
            from pydantic_monty import Monty

            pool = Monty(min_processes=1)
            pool.__enter__()
            _POOLS[os.getpid()] = pool
            atexit.register(_close, os.getpid())
        return _POOLS[os.getpid()]


def _close(process: int) -> None:
    if process == os.getpid():
        _POOLS[process].__exit__(None, None, None)
