"""The flex template of the streaming job: its parameters, and the command line they stand for.

A template has one text for each parameter. Here a parameter that may be given several times has its
values separated by spaces, and a switch is ``true`` or ``false``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from pipelines.stream_options import StreamOptions
from transforms.hosting.allowed import KINDS

SWITCHES = ("true", "false")

ADDRESS = r"(?:env:[A-Za-z_][A-Za-z0-9_]*|[^ ]+)"
_KINDS = "|".join(KINDS)
_SUBSCRIPTION = rf"projects/[^/ ]+/subscriptions/[^/ =]+(?:=(?:{_KINDS})(?:,(?:{_KINDS}))*)?"

FORMS = {
    "subscription": rf"{_SUBSCRIPTION}(?: {_SUBSCRIPTION})*",
    "timestamp_attribute": r"[A-Za-z0-9_.-]+",
    "readers": r"[1-9][0-9]{0,8}",
    "idle": r"never|[0-9]{1,9}(?:\.[0-9]{1,3})?",
    "control": rf"{ADDRESS}(?: {ADDRESS})*",
    "space": r"[^ ]+",
    "topics": r"[a-z][a-z0-9.:-]*",
    "topic_prefix": r"[A-Za-z][A-Za-z0-9_.~+%-]*",
    "encoding": r"json|avro",
    "states": r"(?:rediss?|unix)://[^ ]+|env:[A-Za-z_][A-Za-z0-9_]*",
    "epoch": r"[0-9]{1,9}",
    "tables": r"(?:gs|gcs|s3|abfss?|hdfs|viewfs)://[^ ]+",
    "stable_input": r"auto|on|off",
    "file_rows": r"[1-9][0-9]{0,8}",
    "file_wait": r"[1-9][0-9]{0,8}",
    "lateness": r"[0-9]{1,9}",
}
"""The form of each parameter, as regular expressions that Java and Python read alike."""

REQUIRED = ("subscription", "control")


class Option(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An option of the job: ``many`` if it may be given several times, ``switch`` without a value."""

    name: str
    help: str
    many: bool
    switch: bool


class _Options:
    """Collects the options that ``StreamOptions`` adds to a parser."""

    def __init__(self) -> None:
        self.found: list[Option] = []

    def add_argument(self, name: str, **said: Any) -> None:
        """Add an option."""
        action = said.get("action")
        self.found.append(
            Option(
                name=name.removeprefix("--"),
                help=said.get("help", ""),
                many=action == "append",
                switch=action == "store_true",
            )
        )


def options() -> list[Option]:
    """List the options of the job."""
    collected = _Options()
    StreamOptions._add_argparse_args(collected)  # noqa: SLF001 - Beam's hook
    return collected.found


def command_line(words: Sequence[str]) -> list[str]:
    """Return the command line of the job for the words of the launcher, ``--name=value`` each."""
    ours = {option.name: option for option in options()}
    return [
        said
        for word in words
        for said in _said(word, ours.get(word.removeprefix("--").partition("=")[0]))
    ]


def _said(word: str, option: Option | None) -> Iterator[str]:
    name, equals, value = word.partition("=")
    if option is None or not equals:
        yield word
    elif option.switch and value in SWITCHES:
        yield from [name] * (value == "true")
    elif option.many:
        yield from (f"{name}={one}" for one in value.split())
    elif value:  # a parameter that is left empty is not given
        yield word


def metadata() -> str:
    """Return ``metadata.json`` of the template."""
    return (
        json.dumps(
            {
                "name": "Towpath",
                "description": "Runs customer flows over a Pub/Sub topic of events.",
                "streaming": True,
                "supportsAtLeastOnce": False,
                "supportsExactlyOnce": True,
                "defaultStreamingMode": "EXACTLY_ONCE",
                "parameters": [_parameter(option) for option in options()],
            },
            indent=2,
        )
        + "\n"
    )


def _parameter(option: Option) -> dict[str, Any]:
    text = option.help
    if option.many:
        text += "; several are separated by spaces"
    if option.switch:
        text += "; true or false"
    form = "|".join(SWITCHES) if option.switch else FORMS[option.name]
    return {
        "name": option.name,
        "label": option.name.replace("_", " ").capitalize(),
        "helpText": f"{text[:1].upper()}{text[1:]}.",
        "isOptional": option.name not in REQUIRED,
        "regexes": [f"^(?:{form})$"],
        "paramType": "TEXT",
    }
