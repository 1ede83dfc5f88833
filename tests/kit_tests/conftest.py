"""Servers and worlds for the tests of the kit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.clock import ManualClock
from tests.kit.pubsub_server import PubSubServer
from tests.kit.pubsub_servers import SERVERS, World, running


@pytest.fixture(scope="module", params=SERVERS)
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with running(request.param) as address:
        yield address


@pytest.fixture
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Create worlds on the server under test, and close them at the end."""

    def make(where: str, **how) -> World:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", where)
        world = World(**how)
        request.addfinalizer(world.close)
        return world

    return make


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock) -> Iterator[PubSubServer]:
    """The kit's own server, on a clock that only the test moves."""
    with PubSubServer(clock=clock) as server:
        yield server
