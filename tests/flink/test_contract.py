from __future__ import annotations

import subprocess

import msgspec
import pytest

from tests.kit import flink_cluster
from tests.kit.host_contract import CASES, traces
from tests.kit.turns import MemoryHost

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


def test_the_keyed_function_keeps_the_contract_of_hosts() -> None:
    """What the function on Flink keeps of each user is what the loop of a host keeps: after a failure, an
    erasure, an alarm that is early or after the end, and while the control log is behind (R31, R32). An
    alarm that is too early by the clock is set again.
    """
    flink_cluster.make_environment()
    done = subprocess.run(
        [flink_cluster.python(), "-m", "tests.kit.flink_host"], capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    found = msgspec.json.decode(done.stdout)
    wanted = msgspec.json.decode(traces(lambda logs, own: MemoryHost(logs, settings=own)))

    assert sorted(found) == sorted(case.__name__ for case in CASES)
    assert found == wanted
