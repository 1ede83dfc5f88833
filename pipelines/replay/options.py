"""The runner of a replay: Beam's in-process one unless the options after ``--`` name another."""

from __future__ import annotations

from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners import create_runner

IN_PROCESS = "FnApiRunner"


def options_of(words: Sequence[str]) -> PipelineOptions:
    """Make Beam's options; ValueError for a runner that is not there.

    The in-process runner is named outright: what Beam calls DirectRunner would first try to
    download another one.
    """
    options = PipelineOptions(list(words))
    standard = options.view_as(StandardOptions)
    if standard.runner in (None, "DirectRunner"):
        standard.runner = IN_PROCESS
    create_runner(standard.runner)
    return options


def is_local(options: PipelineOptions) -> bool:
    """Tell whether everything runs in this process."""
    return options.view_as(StandardOptions).runner == IN_PROCESS
