"""``towpath schema``: what it prints can be used as it is."""

from __future__ import annotations

import json

import fastavro
import jsonschema
import pytest

import schemas
from towpath.cli.main import main


@pytest.mark.parametrize("kind", [[], ["flow"], ["space"]])
def test_a_json_schema_is_printed(kind, capsys):
    """The schema of a flow, which is the default, or of a space is right JSON Schema."""
    assert main(["schema", *kind]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("name", schemas.NAMES)
def test_the_schema_of_each_record_is_printed(name, capsys):
    """Each record's Avro schema is printed so that a reader of Avro takes it."""
    assert main(["schema", "--record", name]) == 0
    printed = json.loads(capsys.readouterr().out)

    assert fastavro.parse_schema(printed)["name"].endswith(name)


def test_an_unknown_record_is_wrong_use(capsys):
    """A record that does not exist is refused with the names of those that do."""
    assert main(["schema", "--record", "nothing"]) == 2
    assert "transition" in capsys.readouterr().err
