"""A folder with flows and a log in which one of them runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.flows.kit import CONTROL, REMIND, SPACE, THANK, Out, flows
from towpath.cli.flows import log


@pytest.fixture(autouse=True)
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the flows, and work beside them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOWPATH_CONTROL", CONTROL)
    monkeypatch.setenv("TOWPATH_BY", "kim")
    monkeypatch.delenv("TOWPATH_INDEX", raising=False)
    Path("messages").mkdir()
    Path("messages/note.liquid").write_text("Your cart waits.\n")
    Path("space.yaml").write_text(SPACE)
    Path("remind.yaml").write_text(REMIND)
    Path("thank.yaml").write_text(THANK)


@pytest.fixture
def running() -> None:
    """Publish and start a flow, at an instant long ago."""
    assert flows("publish", "remind.yaml", "--at", "2026-01-01") == 0
    assert flows("start", "remind", "--at", "2026-01-01T10:00") == 0


@pytest.fixture
def quiet(running: None, capsys: Out) -> Out:
    """Forget what was printed for the running flow."""
    capsys.readouterr()
    return capsys


class Sessions:
    """An index with sessions of one flow."""

    def __init__(self, counts: Mapping[tuple[int, str], int]) -> None:
        self._counts = counts

    def sessions_of(self, flow: str) -> Mapping[tuple[int, str], int]:
        return self._counts if flow == "remind" else {}


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[tuple[int, str], int]], None]:
    """Return a function that sets the index of sessions."""

    def give(counts: Mapping[tuple[int, str], int]) -> None:
        @contextmanager
        def opened(_: object):
            yield Sessions(counts)

        monkeypatch.setattr(log, "sessions", opened)

    return give
