"""The bundle-based runner, quicker: it inspects every DoFn anew for each bundle, we remember.

That runner makes a bundle of every alarm that fires; looking at signatures takes most of its
time. What a class or a function takes as arguments never changes, so the results are the same.
"""

from __future__ import annotations

import inspect
from typing import Any

from apache_beam.transforms import core, userstate

NAME = "BundleBasedDirectRunner"

_specs = userstate.get_dofn_specs
_arguments = core.get_function_args_defaults
_known_specs: dict[type, Any] = {}
_known_arguments: dict[Any, Any] = {}


def quicken() -> None:
    """Remember signatures from now on, in this process."""
    userstate.get_dofn_specs = specs
    core.get_function_args_defaults = arguments


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
