"""How schemas may change: a field may be added with a default, and nothing else.

So every reader, old or new, reads what every writer wrote. Released schemas stay below
``schemas/released/VERSION``; ``python -m schemas.evolution`` holds today's against them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

import schemas
from schemas import Schema

_MISSING = object()


def versions() -> tuple[int, ...]:
    """List the released versions, the oldest first."""
    folder = resources.files("schemas") / "released"
    if not folder.is_dir():
        return ()
    return tuple(sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()))


@cache
def released(version: int) -> dict[str, Schema]:
    """Load the schemas of a released version by name."""
    from fastavro.schema import parse_schema

    folder = resources.files("schemas") / "released" / str(version)
    found = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".avsc"):
            parsed = parse_schema(json.loads(file.read_text("utf-8")))
            found[file.name.removesuffix(".avsc")] = cast(Schema, parsed)
    return found


def problems(name: str, old: Schema, new: Schema | None) -> Iterator[str]:
    """Say what in a schema breaks a reader or writer of the old one; nothing if all is well."""
    if new is None:
        yield f"{name}: the schema is gone; keep it, others may still write it"
        return
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    added = [field for field in after if field not in before]
    for field, was in before.items():
        if field in after:
            yield from _field_problems(f"{name}.{field}", was, after[field])
        else:
            yield f"{name}.{field}: removed{_renamed(was, added, after)}"
    for field in added:
        if "default" not in after[field]:
            yield f"{name}.{field}: added without a default; old records do not have it"
    if old.get("time") != new.get("time"):
        yield f'{name}: its time was "{old["time"]}"; tables are partitioned by it'


def _field_problems(place: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    if was["type"] != now["type"]:
        old, new = json.dumps(was["type"]), json.dumps(now["type"])
        yield f"{place}: its type was {old} and is {new}; add a field of another name instead"
    if was.get("json", False) != now.get("json", False):
        yield f"{place}: free maps in JSON must stay such, and texts texts"
    if was.get("default", _MISSING) != now.get("default", _MISSING):
        yield f"{place}: its default changed; old records without it would mean something else"


def _renamed(was: dict[str, Any], added: list[str], after: dict[str, dict[str, Any]]) -> str:
    same = [field for field in added if after[field]["type"] == was["type"]]
    if same:
        return f'; if "{same[0]}" is its new name: keep the old one, readers know it by that'
    return "; keep it, readers of old records need it"


def check() -> list[str]:
    """Hold today's schemas against every released version; list each problem once."""
    found: dict[str, None] = {}
    for version in versions():
        for name, old in released(version).items():
            new = schemas.parsed(name) if name in schemas.NAMES else None
            found |= dict.fromkeys(problems(name, old, new))
    return list(found)


def unreleased() -> list[str]:
    """Name the schemas that are not as in the newest release, documentation aside."""
    newest = released(versions()[-1]) if versions() else {}
    return [
        name
        for name in schemas.NAMES
        if name not in newest or _meaning(newest[name]) != _meaning(schemas.parsed(name))
    ]


def _meaning(schema: Schema) -> Any:
    fields = [{k: v for k, v in f.items() if k != "doc"} for f in schema["fields"]]
    return schema.get("time"), schema.get("order"), fields


def release() -> Path:
    """Store today's schemas as the next version, in a checkout; give its folder."""
    source = Path(__file__).parent
    folder = source / "released" / str(max(versions(), default=0) + 1)
    folder.mkdir(parents=True)
    for name in schemas.NAMES:
        text = (source / f"{name}.avsc").read_text("utf-8")
        (folder / f"{name}.avsc").write_text(text, encoding="utf-8")
    return folder


def main() -> int:
    """Check, and with ``--release`` store a new version; 1 if there are problems."""
    parser = argparse.ArgumentParser(description="Hold the schemas against the released ones.")
    parser.add_argument("--release", action="store_true", help="store them as the next version")
    wants = parser.parse_args()
    found = check()
    for problem in found:
        print(problem)
    if found:
        print(f"{len(found)} problems", file=sys.stderr)
        return 1
    new = unreleased()
    if wants.release and new:
        print(release())
    else:
        print(f"0 problems; changed since the last release: {', '.join(new) or 'none'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
