"""Runs Flink's own client, which builds a job in its environment and hands it to a cluster."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from towpath.flink.environment import Environment
from towpath.flink.errors import FlinkError, reason_of

_ID = re.compile("JobID ([0-9a-f]{32})")


def run(environment: Environment, variables: Mapping[str, str], *words: str | Path) -> str:
    """Submit a job, detached, by the words that follow ``flink run``; return its id."""
    done = subprocess.run(
        [environment.program("flink"), "run", "-d", *words],
        env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = _ID.search(done.stdout)
    if done.returncode or found is None:
        raise FlinkError(reason_of(done.stderr + done.stdout), done.stdout + done.stderr)
    return found[1]
