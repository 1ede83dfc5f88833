"""The structure of the core: its layers."""

from __future__ import annotations

from importlinter.cli import lint_imports

from tests.packaging.repository import ROOT


def test_layers() -> None:
    """Each layer imports only from those below it, as the contracts in pyproject.toml say."""
    config = str(ROOT / "pyproject.toml")

    assert lint_imports(config_filename=config, no_cache=True, show_timings=False) == 0
