"""What ``upgrade`` and ``rescale`` share: replace the job, and say how to go back if that fails."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from towpath.cli import common
from towpath.cli.flink import cluster

if TYPE_CHECKING:
    from towpath.flink.operations import NotReplaced
    from towpath.flink.target import Target

FAILED = """\
Nothing of the new job was visible, so no output is lost or there twice. The savepoint with the states of
all users is {savepoint}."""


def replace(args: argparse.Namespace, target: Target, *, code: bool) -> int:
    """Replace the running job; exit with 1 if the new one does not work."""
    from towpath.flink.operations import NotReplaced, Replacement, replace_job, slots_of
    from towpath.flink.target import one_of

    cluster.check_options(args)
    job = one_of(target.active(), args.job, target.rest)
    old = target.remembered().get(job.name)
    new = cluster.submission_of(args, target, old, slots_of(target.rest, job.id))
    name = cluster.name_of(new.words)
    if name != job.name:
        raise common.UserError(f"--name: the job is {job.name}, and its state belongs to this name")
    by = Replacement(name=name, new=new, old=old, code=code, folder=args.to)
    try:
        made, saved = replace_job(target, job.id, by, common.say)
    except NotReplaced as error:
        raise common.UserError(way_back(name, error), code=1) from None
    if args.json:
        common.print_json({"job": name, "id": made, "savepoint": saved, "replaced": job.id})
    else:
        common.show_text(f"{name} runs ({made}); the savepoint of the job before is {saved}")
        common.next_command("towpath flink status")
    return 0


def way_back(name: str, error: NotReplaced) -> str:
    """Say what is known after a job was not replaced, and what to do."""
    if error.unknown:
        return (
            f"{error}\nIt is not known whether the new job runs. Bring the JobManager back and look with "
            f"towpath flink status. If no job {name} runs, submit it: "
            f"towpath flink submit --job {name} --from {error.savepoint}"
        )
    if error.visible:
        return (
            f"{error}\nThe new job has written outputs before it failed. Go on from its checkpoint: "
            f"towpath flink submit --job {name} --from {error.savepoint}"
        )
    said = f"{error}\n{FAILED.format(savepoint=error.savepoint)}"
    if error.job is not None:
        return f"{said} The old job runs again ({error.job})."
    return (
        f"{said} No job runs now. Go back to the code and options of before, and submit them: "
        f"towpath flink submit --job {name} --from {error.savepoint}"
    )
