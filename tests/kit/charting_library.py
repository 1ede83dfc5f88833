"""Copies the charting library of ``towpath report`` from npm's folder into the package.

``python -m tests.kit.charting_library NODE_MODULES`` writes the scripts, compressed, the licences of
all that is in them, and the hashes by which the report checks them. npm has compared the packages
with the hashes of its lock file before.
"""

from __future__ import annotations

import gzip
import json
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).resolve().parents[2] / "towpath" / "reports" / "html" / "library"
SCRIPTS = ("vega", "vega-lite")
MAP = "//# sourceMappingURL="
TOOLS = ("commander", "iconv-lite", "rw", "vega-typings", "yargs")
"""Packages for types and command lines; the scripts have nothing of them."""


def main(modules: Path) -> None:
    """Write the scripts, their licences and their hashes."""
    hashes = {}
    for name in SCRIPTS:
        text = (modules / name / "build" / f"{name}.min.js").read_text("utf-8")
        script = text.partition(MAP)[0].strip().encode()
        (LIBRARY / f"{name}.min.js.gz").write_bytes(gzip.compress(script, 9, mtime=0))
        hashes[name] = b64encode(sha256(script).digest()).decode()
    (LIBRARY / "LICENSES.txt").write_text(_licences(modules), "utf-8")
    (LIBRARY / "hashes.json").write_text(json.dumps(hashes, indent=2) + "\n", "utf-8")


def _licences(modules: Path) -> str:
    """Give each licence once, after the packages that have it."""
    found: dict[str, list[str]] = {}
    for folder in sorted(_needed(modules)):
        about = _about(folder)
        text = "\n".join(map(str.rstrip, _licence(folder).strip().splitlines()))
        found.setdefault(text, []).append(f"{about['name']} {about['version']}")
    parts = [f"{', '.join(names)}\n\n{text}\n" for text, names in found.items()]
    return f"\n{'-' * 80}\n\n".join(parts)


def _licence(folder: Path) -> str:
    return next(
        p for p in sorted(folder.iterdir()) if p.name.lower().startswith("licen")
    ).read_text("utf-8")


def _needed(modules: Path) -> set[Path]:
    """List the folders of the packages that the scripts are made of."""
    found, queue = set[Path](), [modules / name for name in SCRIPTS]
    while queue:
        folder = queue.pop()
        if folder in found:
            continue
        found.add(folder)
        for name in _about(folder).get("dependencies", {}):
            if name not in TOOLS and not name.startswith("@types/"):
                own = folder / "node_modules" / name
                queue.append(own if own.is_dir() else modules / name)
    return found


def _about(folder: Path) -> Any:
    return json.loads((folder / "package.json").read_text("utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
