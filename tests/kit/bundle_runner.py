"""The bundle-based runner, quicker, and without a race that loses alarms.

It makes a bundle of every alarm that fires; for each bundle it inspects and pickles its DoFn
anew and copies all alarms of a key in depth, which takes most of its time. What a class or a
function takes as arguments, a DoFn of a graph and an instant never change, so we remember the
first two and share the last; the results are the same.
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
    """Remember signatures, and mend a race at the end, from now on in this process."""
    _Monitor._should_shutdown = _should_shut_down
    userstate.get_dofn_specs = specs
    core.get_function_args_defaults = arguments
    transform_evaluator.pickler = _Pickler
    InMemoryUnmergedState.copy = _copy


def specs(dofn: Any) -> Any:
    """Find the state cells and timers of a DoFn, once for its class."""
    kind = type(dofn)
    if kind not in _known_specs:
        _known_specs[kind] = _specs(dofn)
    return _known_specs[kind]


def arguments(function: Any) -> Any:
    """Find the arguments of a function or method, once."""
    key = (inspect.ismethod(function), getattr(function, "__func__", function))
    if key not in _known_arguments:
        _known_arguments[key] = _arguments(function)
    return _known_arguments[key]


class _Pickler:
    """What the evaluator needs of Beam's pickler; each bundle still gets a DoFn of its own."""

    @staticmethod
    def roundtrip(dofn: Any) -> Any:
        """Pickle a DoFn of the graph once, and read it back for each bundle."""
        known = _known_pickles.get(id(dofn))
        if known is None:  # the DoFn is kept, so that its number is not given to another
            known = _known_pickles[id(dofn)] = (dofn, pickler._dumps(dofn))
        return pickler._loads(known[1])


def _copy(state: Any) -> Any:
    """Copy the state of a key as deep as it changes: windows and instants are values."""
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
    """Tell whether all is done, without losing what became ready while we looked.

    The runner's own check takes alarms out and drops them if a bundle ended a moment before; it
    then reports a stall.
    """
    executor = monitor._executor
    if monitor._is_executing() or not executor.all_updates._queue.empty():
        return False
    if monitor._fire_timers():
        return False
    return bool(_asked(monitor))
