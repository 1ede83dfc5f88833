"""The arguments of Google's resources in Terraform, from packages that have them for Python.

``make terraform-schema`` writes those of the resources in use to ``tests/infra/provider.json``, so
that tests need no provider. The packages are those of CDK for Terraform, made from the providers.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.kit.terraform import blocks_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra/gcp"
WRITTEN = ROOT / "tests/infra/provider.json"
PACKAGES = {
    "google": ("cdktf_cdktf_provider_google-", "@cdktf/provider-google", ""),
    "google-beta": ("cdktf_cdktf_provider_google_beta-", "@cdktf/provider-google-beta", "Google"),
}

Types = dict[str, Any]


def types_of(wheel: Path) -> Types:
    """Read the types of a package: the JSON within an archive within the wheel."""
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (one for one in packed.namelist() if one.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(packed.read(name))) as inner:
            file = inner.extractfile("package/.jsii")
            assert file is not None
            types: Types = json.load(file)["types"]
            return types


def schema_of(types: Types, fqn: str) -> dict[str, Any]:
    """Return arguments (True: required) and blocks of a resource or block."""
    arguments, blocks = {}, {}
    for one in types[fqn].get("properties", ()):
        inner = next((name for name in _names(one["type"]) if name in types and name != fqn), None)
        required = not one.get("optional", False)
        if inner is not None and types[inner].get("datatype"):
            blocks[_snake(one)] = schema_of(types, inner) | {"required": required}
        else:
            arguments[_snake(one)] = required
    return {"arguments": arguments, "blocks": blocks}


def _names(kind: Any) -> Iterator[str]:
    """List the names of types within a type."""
    if isinstance(kind, dict):
        if "fqn" in kind:
            yield kind["fqn"]
        for inner in kind.values():
            yield from _names(inner)
    elif isinstance(kind, list):
        for inner in kind:
            yield from _names(inner)


def _snake(one: dict[str, Any]) -> str:
    """Return the name of a property in Terraform, which its documentation links to."""
    docs = one.get("docs", {})
    linked = re.search(r"#(\w+) ", f"{docs.get('summary', '')} {docs.get('remarks', '')}")
    return linked[1] if linked else snake(one["name"])


def snake(name: str) -> str:
    """Return a name in camel case as Terraform writes it."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def resource_of(types: Types, package: str, start: str, kind: str, data: bool) -> dict[str, Any]:
    """Return the schema of a resource, with the attributes that others may refer to."""
    name = "".join(part.capitalize() for part in kind.removeprefix("google_").split("_"))
    name = f"DataGoogle{name}" if data else f"{start}{name}"
    fqn = f"{package}.{name[0].lower()}{name[1:]}.{name}"
    if f"{fqn}Config" not in types:  # a block of the resource has its name
        fqn += "A"
    names = {snake(one["name"]) for one in types[fqn]["properties"]}
    attributes = sorted(name for name in names if not name.endswith("_input"))
    return schema_of(types, f"{fqn}Config") | {"attributes": attributes}


def main(folder: Path) -> None:
    """Write the schemas of the resources in use, from the packages in a folder."""
    used = {
        (block.body.get("provider", "google"), block.labels[0], block.kind == "data")
        for block in blocks_of(FOLDER)
        if block.kind in ("resource", "data")
    }
    found: dict[str, Any] = {}
    for provider, (wheel, package, start) in PACKAGES.items():
        types = types_of(next(folder.glob(f"{wheel}*.whl")))
        for kind, data in sorted((kind, data) for of, kind, data in used if of == provider):
            found[f"data.{kind}" if data else kind] = resource_of(types, package, start, kind, data)
    WRITTEN.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
