"""What the commands that read the results of a replay share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipelines.replay.results import ACCOUNT, Account, Unfinished, account
from towpath.cli import common


def finished_account(out: Path, kinds: Iterable[str] = ()) -> Account:
    """Read the summary of a finished replay; raise ``UserError`` if there is none, or kinds lack."""
    found = _account(out)
    if lacks := found.lacks(kinds):
        raise common.UserError(
            f"{out} has no {', '.join(lacks)}: this replay wrote only some kinds; "
            "run it again without --kinds"
        )
    return found


def _account(out: Path) -> Account:
    try:
        return account(out)
    except FileNotFoundError:
        raise common.UserError(f"{out}: not the results folder of a replay") from None
    except Unfinished:
        raise common.UserError(f"{out}: this replay did not finish; run it again", code=1) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise common.UserError(
            f"{out / ACCOUNT} is damaged; run the replay again", code=1
        ) from None


def damaged(out: Path, error: Exception) -> common.UserError:
    """Return the error for tables that cannot be read."""
    reason = str(error).split("\n", 1)[0]
    return common.UserError(
        f"{out}: the results are damaged ({reason}); run the replay again", code=1
    )
