"""``towpath schema``: what it prints is a valid schema."""

from __future__ import annotations

import json

import fastavro
import jsonschema
import pytest

import schemas
from towpath.cli.main import main


@pytest.mark.parametrize("kind", [[], ["flow"], ["space"]])
def test_a_json_schema_is_printed(kind, capsys):
    """The schema of a flow (the default) or of a space is valid JSON Schema."""
    assert main(["schema", *kind]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("name", schemas.NAMES)
def test_the_schema_of_each_record_is_printed(name, capsys):
    """The Avro schema of each record is printed in a form that an Avro reader accepts."""
    assert main(["schema", "--record", name]) == 0
    printed = json.loads(capsys.readouterr().out)

    assert fastavro.parse_schema(printed)["name"].endswith(name)


def test_an_unknown_record_is_a_usage_error(capsys):
    """An unknown record name is refused with a list of the known ones."""
    assert main(["schema", "--record", "nothing"]) == 2
    assert "transition" in capsys.readouterr().err
