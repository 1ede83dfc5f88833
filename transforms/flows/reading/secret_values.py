"""Secrets in a file: which names and addresses hold one, and hiding them in problems (J9)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transforms.flows.diagnostics import Report
from transforms.flows.reading.nodes import Node, Scalar, Sequence, entries

SECRET_NAME = re.compile(
    r"authori[sz]|authenticat|token|secret|passw|api[-_ ]?key|cookie|signature|credential",
    re.IGNORECASE,
)
SECRET_IN_ADDRESS = re.compile(
    r"https?://[^/?#]*@"
    r"|[?&]((?:\w+[_-])?(?:api|access|auth)?[_-]?(?:key|token|secret)|passw\w*|pwd|auth|sig|signature)=",
    re.IGNORECASE,
)
REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
HEADER = re.compile(r"[A-Za-z0-9-]+")

_USER = re.compile(r"(?<=://)[^/?#\s\"']*@")
_PARAMETER = re.compile(
    SECRET_IN_ADDRESS.pattern.partition("|")[2] + r"([^&#\s\"']*)", re.IGNORECASE
)
_NO_SECRETS = ("basic", "header")
_KEY = r"[\"']?(?:[\w-]*(?:" + SECRET_NAME.pattern + r")[\w-]*|bearer|signed|basic)[\"']?"
_LINE = re.compile(r"(?<![\w-])" + _KEY + r"\s*:\s*(?!env:)(\S.*)", re.IGNORECASE)


def hide_secrets(report: Report, root: Node | None) -> None:
    """Hide the secrets of a file from the source lines that its problems show.

    In a file that cannot be read, lines are hidden that look as if they had a secret.
    """
    text = report.source.text
    if root is None or "duplicate-key" in report.codes:  # of a repeated key only one is read
        for match in _LINE.finditer(text):
            report.hide(*match.span(match.lastindex or 0))
    for node in () if root is None else _secret_values(root, ""):
        report.hide(*node.span)
    for span in _in_address(text):
        report.hide(*span)


def hidden_in_address(url: str) -> str:
    """Return an address without its user, password and secret parameters, to show it."""
    for start, end in _in_address(url):
        url = url[:start] + "*" * (end - start) + url[end:]
    return url


def _in_address(text: str) -> Iterator[tuple[int, int]]:
    for match in _USER.finditer(text):
        yield match.start(), match.end() - 1
    for match in _PARAMETER.finditer(text):
        yield match.span(2)


def _secret_values(node: Node, within: str) -> Iterator[Node]:
    """Yield the values of ``auth`` and of secret headers that are no references."""
    for key, value in entries(node):
        if not _is_secret(key.text, within) or (key.text == "auth" and entries(value)):
            yield from _secret_values(value, key.text)
        elif not (isinstance(value, Scalar) and REFERENCE.fullmatch(value.text)):
            yield value
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _secret_values(item, within)


def _is_secret(key: str, within: str) -> bool:
    if within == "headers":
        return SECRET_NAME.search(key) is not None or not HEADER.fullmatch(key)
    return key == "auth" or (within == "auth" and key not in _NO_SECRETS)
