"""A patch that makes the bundle-based runner faster and fixes a race that loses timers.

The runner makes a bundle for every timer that fires. For each bundle it inspects and pickles its
DoFn again and copies all timers of a key deeply, which takes most of its time. The arguments of a
class or function, the DoFns of a graph and an instant never change, so the first two are cached
and the last is shared; the results are the same.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

from apache_beam.internal import cloudpickle_pickler as pickler
from apache_beam.runners.direct import transform_evaluator
from apache_beam.runners.direct.executor import _ExecutorServiceParallelExecutor
from apache_beam.transforms import core, userstate
from apache_beam.transforms.trigger import InMemoryUnmergedState

NAME = "BundleBasedDirectRunner"

_Monitor = _ExecutorServiceParallelExecutor._MonitorTask
_asked = _Monitor._should_shutdown
_specs = userstate.get_dofn_specs
_arguments = core.get_function_args_defaults
_known_specs: dict[type, Any] = {}
_known_arguments: dict[Any, Any] = {}
_known_pickles: dict[int, tuple[Any, bytes]] = {}


def quicken() -> None:
    """Cache signatures and fix the race at the end, for this process."""
    _Monitor._should_shutdown = _should_shut_down
    userstate.get_dofn_specs = specs
    core.get_function_args_defaults = arguments
    transform_evaluator.pickler = _Pickler
    InMemoryUnmergedState.copy = _copy


def specs(dofn: Any) -> Any:
    """Return the state cells and timers of a DoFn, cached per class."""
    kind = type(dofn)
    if kind not in _known_specs:
        _known_specs[kind] = _specs(dofn)
    return _known_specs[kind]


def arguments(function: Any) -> Any:
    """Return the arguments of a function or method, cached."""
    key = (inspect.ismethod(function), getattr(function, "__func__", function))
    if key not in _known_arguments:
        _known_arguments[key] = _arguments(function)
    return _known_arguments[key]


class _Pickler:
    """The part of Beam's pickler that the evaluator uses; each bundle still gets its own DoFn."""

    @staticmethod
    def roundtrip(dofn: Any) -> Any:
        """Pickle a DoFn of the graph once, and unpickle it for each bundle."""
        known = _known_pickles.get(id(dofn))
        if known is None:  # the DoFn is kept, so that its id is not reused
            known = _known_pickles[id(dofn)] = (dofn, pickler._dumps(dofn))
        return pickler._loads(known[1])


def _copy(state: Any) -> Any:
    """Copy the state of a key only as deep as it changes: windows and instants are immutable."""
    made = InMemoryUnmergedState(defensive_copy=state.defensive_copy)
    for window, timers in state.timers.items():
        made.timers[window] = dict(timers)
    for tag, value in state.global_state.items():
        is_ids = isinstance(value, dict)  # of windows, each with a list of numbers
        held = {window: list(ids) for window, ids in value.items()} if is_ids else value
        made.global_state[tag] = held
    for window, tagged in state.state.items():
        for tag, values in tagged.items():
            made.state[window][tag] = copy.copy(values)
    return made


def _should_shut_down(monitor: Any) -> bool:
    """Return True if everything is done, without losing timers that became ready meanwhile.

    The runner's own check removes timers and drops them if a bundle ended just before; then it
    reports a stall.
    """
    executor = monitor._executor
    if monitor._is_executing() or not executor.all_updates._queue.empty():
        return False
    if monitor._fire_timers():
        return False
    return bool(_asked(monitor))
