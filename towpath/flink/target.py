"""A cluster as the commands reach it, here or elsewhere, and what was submitted to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from towpath.flink import client
from towpath.flink import settings as config
from towpath.flink.environment import BUILT, Environment
from towpath.flink.errors import FlinkError
from towpath.flink.local_cluster import LocalCluster
from towpath.flink.rest import Job, Rest

JOB = "pipelines/flink.py"
"""The script of the job, in the packages of the environment."""


class Submission(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a job was submitted: its options, and the environment with the code."""

    words: tuple[str, ...]
    parallelism: int
    environment: str = str(BUILT)
    settings: tuple[str, ...] = ()


class Target:
    """A cluster; ``local`` is None if it is elsewhere.

    Options of a job may have passwords, so only the user can read the files that remember them.
    """

    def __init__(self, rest: Rest, folder: Path, local: LocalCluster | None) -> None:
        self.rest = rest
        self.local = local
        self._folder = folder

    @property
    def environment(self) -> Path:
        """The environment of a local cluster, whose code its TaskManagers have; else the usual one."""
        return BUILT if self.local is None else self.local.environment.folder

    def remembered(self) -> dict[str, Submission]:
        """Return what was submitted, by the name of the job."""
        decode = msgspec.json.Decoder(Submission).decode
        return {path.stem: decode(path.read_bytes()) for path in sorted(self._jobs.glob("*.json"))}

    def remember(self, name: str, submission: Submission | None) -> None:
        """Remember how a job was submitted; None forgets it."""
        self._jobs.mkdir(parents=True, exist_ok=True)
        path = self._jobs / f"{name}.json"
        if submission is None:
            path.unlink(missing_ok=True)
            return
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(submission))

    def savepoints(self) -> list[Path]:
        """Return the savepoints in the folder of a local cluster, the oldest first."""
        found = self._folder.glob("savepoints/savepoint-*")
        return sorted(found, key=lambda path: path.stat().st_mtime)

    def submit(self, submission: Submission, begin: str | None = None) -> str:
        """Submit a job, from a savepoint or checkpoint if one is given; return its id."""
        environment = Environment(Path(submission.environment))
        words = ["-p", str(submission.parallelism)]
        for setting in submission.settings:
            words += ["-D", setting]
        if begin is not None:
            words += ["-s", begin]
        job = environment.packages / JOB
        return client.run(
            environment, self._variables(environment), *words, "-py", job, *submission.words
        )

    def active(self) -> list[Job]:
        """Return the jobs that have not ended."""
        return [job for job in self.rest.jobs() if not job.ended]

    @property
    def _jobs(self) -> Path:
        return self._folder / "jobs"

    def _variables(self, environment: Environment) -> Mapping[str, str]:
        conf = self._folder / "conf"
        if self.local is None:
            place = urlsplit(self.rest.address)
            made = config.remote(place.hostname or "", place.port or 80)
            conf.mkdir(parents=True, exist_ok=True)
            (conf / "config.yaml").write_text(config.to_yaml(made))
            for file in (environment.home / "conf").glob("log4j*.properties"):
                shutil.copy(file, conf)
        return environment.variables(conf, self._folder)


def open_target(folder: Path, rest: str | None, environment: Environment | None) -> Target:
    """Open the cluster at an address, or the local one of a folder."""
    folder = folder.absolute()
    if rest is None:
        local = LocalCluster(folder, environment)
        return Target(local.rest, folder, local)
    place = urlsplit(rest)
    try:
        known = place.scheme in ("http", "https") and place.hostname and place.port
    except ValueError:
        known = None
    if not known:
        raise FlinkError(f"--rest: {rest} is not an address such as http://flink.example:8081")
    return Target(Rest(rest), folder / "remote" / f"{place.hostname}_{place.port}", None)


def one_of(jobs: list[Job], name: str | None, where: Rest) -> Job:
    """Return the only job, or the one with a name."""
    found = [job for job in jobs if name in (None, job.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted({job.name for job in jobs}))
    if not jobs:
        raise FlinkError(f"no job runs at {where.address}")
    if not found:
        raise FlinkError(f'no job "{name}" runs at {where.address}; there is {names}')
    raise FlinkError(f"several jobs run at {where.address}: {names}; choose one with --job")


Say = Callable[[str], None]
