"""What the module of a command provides."""

from __future__ import annotations

import argparse
from typing import Protocol


class Command(Protocol):
    """A module of the command line."""

    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""

    def run(self, args: argparse.Namespace) -> int:
        """Run the command and return its exit code."""
