"""Settings of all tests: ``--rewrite`` updates golden files; with CI=true no test may be skipped."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest

IN_CI = os.environ.get("CI") == "true"

# No deadlines: test machines share their cores, and a slow example is not a failure.
UNHURRIED = hypothesis.settings(
    deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("default", UNHURRIED)
hypothesis.settings.register_profile("ci", UNHURRIED, derandomize=True)
hypothesis.settings.register_profile("long", UNHURRIED, max_examples=5_000)
hypothesis.settings.load_profile("ci" if IN_CI else "default")

# Clusters and brokers of tests end before the second compiler of Java repays what it takes: without it,
# tests that start them need a third less processor time.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")

SKIPPED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--rewrite``."""
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="rewrite golden files and transcripts; read the diff before you commit it",
    )


@pytest.fixture(scope="session")
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Return True if golden files are to be rewritten instead of compared."""
    return bool(request.config.getoption("--rewrite"))


def pytest_configure(config: pytest.Config) -> None:
    """Start the list of skips."""
    config.stash[SKIPPED] = []
    config.pluginmanager.register(_Skips(config), "towpath-skips")


def pytest_collection_finish() -> None:
    """Allow code steps in this process an hour, for busy machines."""
    if sandbox := sys.modules.get("transforms.hosting.sandbox"):
        sandbox.LIMITS["max_feed_duration_secs"] = 3_600.0


@pytest.fixture(autouse=True)
def no_followers() -> Iterator[None]:
    """Stop the threads that follow the control logs of a test: they would go on, and log troubles."""
    yield
    if catalogs := sys.modules.get("transforms.hosting.catalogs"):
        followed = catalogs._FOLLOWED
        while followed._followers:
            followed._followers.popitem()[1].stop()
        followed._known.clear()


class _Skips:
    """Collects every skip with its reason; with CI=true a skip fails the run."""

    def __init__(self, config: pytest.Config) -> None:
        self.skipped = config.stash[SKIPPED]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(f"{report.nodeid}: {_reason(report)}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(f"{report.nodeid}: {_reason(report)}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if IN_CI and self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if IN_CI and self.skipped:
            terminalreporter.section("skipped, which CI=true does not allow", red=True)
            for line in self.skipped:
                terminalreporter.line(line)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    place = report.longrepr
    return str(place[2]) if isinstance(place, (tuple, list)) else str(place)
