"""Secrets of a file are not shown with its problems."""

from __future__ import annotations

import pytest

from transforms.flows.diagnostics import show, to_json
from transforms.flows.reading.project import load_project
from transforms.flows.reading.space import load_space

CONNECTION = "space: shop\nconnections:\n  a:\n    url: https://a.example.com\n"


@pytest.mark.parametrize(
    "lines",
    [
        "auth: {bearer: topsecret, nope: 1}",
        "auth: {bearer: topsecret, basic: [}",
        "auth: topsecret",
        "auth: [topsecret]",
        "auth: {password: topsecret}",
        "auth: {header: X-Key, value: topsecret, nope: 1}",
        "headers: {X-Api-Key: topsecret, nope nope: 1}",
        "headers: {X Key: topsecret}",
        "headers: {Cookie: [topsecret]}",
        "headers:\n      Authorization: Digest a, topsecret\n\t",
        "headers:\n      Authorization: a topsecret: b",
        "headers:\n      X-Token: >\n        topsecret\n      nope nope: 1",
        "url: https://me:topsecret@b.example.com",
        "auth: {bearer: env:A}\n    auth: {bearer: topsecret}",
        "headers: https://b.example.com/?api_key=topsecret",
        "nope: {url: 'https://topsecret@b.example.com'}",
    ],
)
def test_no_problem_shows_a_secret(lines: str) -> None:
    """Neither the source line nor the message has the secret, whatever the problem is."""
    text = f"{CONNECTION}    {lines}\n"
    found = load_space("space.yaml", text).problems

    assert found
    for problem in found:
        assert "topsecret" not in show(problem, text)
        assert "topsecret" not in to_json(problem)


def test_references_and_other_values_are_shown() -> None:
    """References to secrets, and names of events and traits, are shown as they are."""
    text = (
        "flow: f\nenter: [{event: A}]\nsteps:\n"
        "  a: {webhook: https://a.example.com, data: {token: entry.token}, then: nope, "
        "headers: {Accept: text/plain}}\n"
    )
    (problem,) = load_project({"f.yaml": text}).problems

    assert problem.hidden == ()
    assert "data: {token: entry.token}" in show(problem, text)
