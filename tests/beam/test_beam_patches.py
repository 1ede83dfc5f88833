"""The patch that sizes Beam's state cache faster: it applies only to the Beam version it is made
for.
"""

from __future__ import annotations

import apache_beam as beam
import pytest
from apache_beam.runners.worker import statecache

from transforms.beam import state_cache


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statecache, "get_deep_size", statecache.get_deep_size)


def test_the_installed_version_is_patched() -> None:
    """The installed version of Beam is one that the patch supports."""
    assert beam.__version__.startswith(state_cache.VERSIONS)
    assert state_cache.patch()
    assert statecache.get_deep_size is state_cache.size_of


def test_other_versions_are_not_patched() -> None:
    """On a Beam version that the patch does not list, nothing is replaced."""
    before = statecache.get_deep_size
    assert not state_cache.patch("2.78.0")
    assert statecache.get_deep_size is before


def test_the_patched_cache_evicts_over_its_size() -> None:
    """A patched cache evicts its oldest entries when the states exceed its size."""
    state_cache.patch()
    cache = statecache.StateCache(10_000)
    for n in range(20):
        cache.put((f"k{n}",), [b"x" * 1000])

    assert cache.peek(("k0",)) is None
    assert cache.peek(("k19",)) is not None
    held = sum(cache.peek((f"k{n}",)) is not None for n in range(20))
    assert 7 <= held <= 9


def test_sizes_are_within_a_tenth_of_those_of_beam() -> None:
    """The computed size of states and lists of states is within a tenth of what Beam computes."""
    for value in (b"x" * 300, [b"x" * 300, b"y" * 700], ("a", [b"z" * 5000])):
        assert state_cache.size_of(value) == pytest.approx(statecache.get_deep_size(value), rel=0.1)
