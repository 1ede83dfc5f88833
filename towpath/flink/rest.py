"""A client of Flink's REST interface: what a cluster runs, savepoints, and the end of jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import msgspec

from towpath.flink.errors import FlinkError, Unreachable, reason_of

TIMEOUT = 60.0
PAUSE = 0.2
SERVICE_UNAVAILABLE = 503
"""What a JobManager says that has just started."""
NOWHERE = "(unassigned)"
"""What Flink gives as the TaskManager of a subtask that waits for a slot."""
ENDED = frozenset({"FINISHED", "CANCELED", "FAILED"})


class Job(msgspec.Struct, frozen=True, gc=False):
    """A job in the list of a cluster; ``start`` is in ms."""

    id: str
    name: str
    state: str
    start: int

    @property
    def ended(self) -> bool:
        """True if it will never run again."""
        return self.state in ENDED


class Rest:
    """The JobManager at an address such as ``http://127.0.0.1:8081``."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def get(self, path: str) -> Any:
        """Read a path."""
        return self.ask(path, "GET")

    def ask(self, path: str, method: str, body: object = None) -> Any:
        """Send a request; raise FlinkError with the words of the cluster if it is refused."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.address}{path}", data, headers, method=method)
        try:
            with urlopen(request, timeout=TIMEOUT) as answer:
                return msgspec.json.decode(answer.read() or b"{}")
        except HTTPError as error:
            kind = Unreachable if error.code == SERVICE_UNAVAILABLE else FlinkError
            raise kind(_refusal(error)) from None
        except (URLError, OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or error
            raise Unreachable(f"no JobManager answers at {self.address} ({why})") from None
        except ValueError:
            raise Unreachable(f"{self.address} is not the address of a JobManager") from None

    def jobs(self) -> list[Job]:
        """List the jobs that the cluster remembers, the newest first."""
        found = self.get("/jobs/overview")["jobs"]
        jobs = [Job(one["jid"], one["name"], one["state"], one["start-time"]) for one in found]
        return sorted(jobs, key=lambda job: -job.start)

    def state(self, job: str) -> str:
        """Return the state of a job."""
        return str(self.get(f"/jobs/{job}")["state"])

    def slots(self) -> tuple[int, int]:
        """Return how many slots are free, and how many there are."""
        found = self.get("/overview")
        return int(found["slots-available"]), int(found["slots-total"])

    def managers(self) -> dict[str, int]:
        """Return the last heartbeat of each TaskManager whose slots are known, in ms, by its id.

        It is 0 before the first one. One that has ended may be known for some seconds.
        """
        found = self.get("/taskmanagers")["taskmanagers"]
        # The field is an instant, whatever its name says.
        return {
            str(one["id"]): int(one["timeSinceLastHeartbeat"])
            for one in found
            if one["slotsNumber"]
        }

    def places(self, job: str) -> set[str]:
        """Return the ids of the TaskManagers on which a job runs."""
        vertices = [one["id"] for one in self.get(f"/jobs/{job}")["vertices"]]
        found = [self.get(f"/jobs/{job}/vertices/{one}/taskmanagers") for one in vertices]
        places = {str(one["taskmanager-id"]) for each in found for one in each["taskmanagers"]}
        return places - {NOWHERE}

    def checkpoints(self, job: str) -> dict[str, Any]:
        """Return what the cluster says about the checkpoints of a job."""
        return cast(dict[str, Any], self.get(f"/jobs/{job}/checkpoints"))

    def completed(self, job: str) -> int:
        """Return how many checkpoints of a job are complete."""
        return int(self.checkpoints(job)["counts"]["completed"])

    def error(self, job: str) -> str:
        """Return the newest error of a job, as a stack trace; empty if there is none."""
        entries = self.get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        return "".join(str(entry["stacktrace"]) for entry in entries[:1])

    def metrics(self, path: str, *names: str) -> dict[str, str]:
        """Return metrics of Flink by name; those that are not known yet are left out."""
        found = self.get(f"{path}/metrics?get={','.join(names)}")
        return {one["id"]: one["value"] for one in found if "value" in one}

    def cancel(self, job: str) -> None:
        """Cancel a job and wait for its end."""
        self.ask(f"/jobs/{job}?mode=cancel", "PATCH")
        self._until(lambda: self.state(job) in ENDED)

    def savepoint(self, job: str, folder: str | None = None) -> str:
        """Make a savepoint of a job that keeps running; return where it is."""
        return self._saved(job, "savepoints", {"cancel-job": False}, folder)

    def stop(self, job: str, folder: str | None = None) -> str:
        """Stop a job with a savepoint; return where it is.

        It is never drained: that would move time to its end, and all waits of all users would end.
        """
        location = self._saved(job, "stop", {"drain": False}, folder)
        self._until(lambda: self.state(job) in ENDED)
        return location

    def _saved(self, job: str, what: str, body: dict[str, Any], folder: str | None) -> str:
        key = "target-directory" if what == "savepoints" else "targetDirectory"
        asked = self.ask(f"/jobs/{job}/{what}", "POST", body | ({key: folder} if folder else {}))
        path = f"/jobs/{job}/savepoints/{asked['request-id']}"
        self._until(lambda: self.get(path)["status"]["id"] == "COMPLETED")
        done = self.get(path)["operation"]
        if "location" not in done:
            raise FlinkError(reason_of(done["failure-cause"]["stack-trace"]))
        return str(done["location"])

    def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            time.sleep(PAUSE)


def _refusal(error: HTTPError) -> str:
    try:
        said = msgspec.json.decode(error.read(), type=dict[str, Any]).get("errors", [])
    except msgspec.DecodeError:
        said = []
    return reason_of(str(said[-1])) if said else f"{error.url}: {error.code} {error.reason}"
