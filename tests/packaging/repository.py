"""The files of the project, for tests of the project itself."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_BUILT = ("build", "dist", "__pycache__", "towpath.egg-info")
_OUR_HIDDEN = (".ci", ".gitignore")


@cache
def files() -> tuple[Path, ...]:
    """List every file that belongs to the project, relative to its root.

    With git: tracked and not yet tracked, without the ignored. Otherwise, in an unpacked archive,
    all.
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        found = (Path(name) for name in listed.stdout.split("\0") if name)
    else:
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
    return tuple(sorted(path for path in found if _ours(path) and (ROOT / path).is_file()))


def _ours(path: Path) -> bool:
    """Return True if a path is neither built nor in a tool's folder."""
    top = path.parts[0]
    hidden = top.startswith(".") and top not in _OUR_HIDDEN
    return not hidden and not any(part in _BUILT for part in path.parts)


def texts() -> list[tuple[Path, str]]:
    """Read every text file of the project."""
    found = []
    for path in files():
        raw = (ROOT / path).read_bytes()
        if b"\0" not in raw and path.suffix not in {".gz", ".parquet", ".msgpack", ".bin"}:
            found.append((path, raw.decode()))
    return found
