"""Steps that compute or reach other systems: requests, code, exports."""

from __future__ import annotations

from collections.abc import Iterator

from transforms.flows.clock.delays import Delay
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, StepKind
from transforms.flows.definitions.values import Named, Value, timeout

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MAX_TIMEOUT_DAYS = 30


class Request(Value, frozen=True, gc=False):
    """A request to a named connection or an https address (J9, B2)."""

    url: str
    method: str = "POST"
    connection: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    template: str | None = None
    data: Named = ()


class CallWebhook(Request, frozen=True, gc=False, tag="webhook"):
    """Send a request."""


class CallApi(Request, frozen=True, gc=False, tag="call"):
    """Send a request and wait for its answer, with a branch for a failure and for no answer (P24).

    ``store`` maps names to paths in the JSON of the answer: ``session.<step>.<name>``.
    """

    store: tuple[tuple[str, str], ...] = ()
    timeout: Delay | None = None
    timeout_then: str | None = None
    error: str | None = None


class RunCode(Value, frozen=True, gc=False, tag="code"):
    """Run a Python function, whose result is ``session.<step>`` (C19, J13)."""

    source: str
    inputs: Named = ()
    error: str | None = None


class ExportFields(Value, frozen=True, gc=False, tag="export"):
    """Export a record of chosen fields to a named destination (L4, L10)."""

    destination: str
    fields: Named = ()


Calls = CallWebhook | CallApi | RunCode | ExportFields


def _lines(verb: Request) -> Iterator[str]:
    yield f"{verb.method} {verb.url}"
    if verb.connection:
        yield verb.connection


def _error(text: str) -> Field:
    return Field("error", forms.StepName(label="error"), text)


# fmt: off
def _request(key: str) -> tuple[Field, ...]:
    """Return the keys of a request."""
    return (
        Field(key, forms.Address(), "An https address, or with a connection a path.", "url",
            needed=True),
        Field("method", forms.Choice(METHODS), "The HTTP method; `POST` is usual."),
        Field("connection", forms.Listed("connection"),
            "The name of a connection that has the address and the secrets."),
        Field("headers", forms.Headers(), "Headers by name."),
        Field("template", forms.TemplateName(), "A template for the body."),
        Field("data", forms.Named(), "Values for the body, as expressions."),
    )


KINDS = (
    StepKind(
        struct=CallWebhook, box="effect", caption="Webhook", details=_lines,
        fields=_request("webhook"),
        about="Makes a request for the delivery worker: an output with everything that it needs. "
        "Nothing sends it yet.",
        example='tell: {webhook: "https://example.com/hook", data: {user: user.id, value: '
        "entry.value}}",
    ),
    StepKind(
        struct=CallApi, box="wait", caption="Call", waits=True, answers=True,
        at_once=lambda call, then: (call.error,), details=_lines,
        fields=(
            *_request("call"),
            Field("store", forms.Stored(),
                "What to take of the answer: names, with paths in its JSON."),
            timeout("`after` a duration, `then` a step. Without it an hour, and then `error`.",
                MAX_TIMEOUT_DAYS, falls=False),
            _error(
                "The step to go on with if it failed; without it the session ends with the "
                "reason `call_failed`."),
        ),
        about="Makes a request for the delivery worker and waits for its answer, which is "
        "`session.STEP`: `status`, and what `store` names. A failure (also a status other than 200 "
        "to 299) leaves its text in `session.STEP.error`. Nothing sends requests yet, so without an "
        "answer from outside the wait times out.",
        example="credit:\n  call: https://example.com/scores\n  data: {value: entry.value}\n"
        "  store: {score: customer.score}\n  timeout: {after: 10m, then: over}\n  error: over\n"
        "rate: {update: {user.score: session.credit.score}, then: over}\nover: {end: done}",
    ),
    StepKind(
        struct=RunCode, box="effect", caption="Code", waits=True, answers=True,
        at_once=lambda code, then: (code.error, then),
        fields=(
            Field("code", forms.Code(inputs="with"),
                "Python: a function `run` that takes the inputs by their names and returns a map. "
                "It may have other functions and constants beside it; it has no imports, no clock "
                "and no random numbers.", "source", needed=True),
            Field("with", forms.Named(),
                "The inputs, as expressions; one that is missing is `None`.", "inputs", shown="{}"),
            _error(
                "The step to go on with if it failed, took more than 1,000,000 steps, needed "
                "more than 8 MB, or returned more than 32 KB; without it the session ends with "
                "the reason `call_failed`. What was wrong is `session.STEP.error`."),
        ),
        about="Runs a function in a sandbox; what it returns is `session.STEP`. It needs the "
        "extra `towpath[code]`.",
        example='level:\n  code: |\n    def run(value, plan):\n        if plan == "pro":\n'
        '            value = value * 2\n        return {"gold": value >= 100}\n'
        "  with: {value: entry.value, plan: user.plan}\nwhich:\n  if:\n"
        "    - {when: session.level.gold, then: best}\n  else: over\n"
        "best: {send: log, template: note, then: over}\nover: {end: done}",
    ),
    StepKind(
        struct=ExportFields, box="effect", caption="Export to {destination}",
        fields=(
            Field("export", forms.Listed("destination"), "A destination of the space.",
                "destination", needed=True),
            Field("fields", forms.Named(), "The record's fields, as expressions.", needed=True,
                shown="{}"),
        ),
        about="Writes a record for a destination.",
        example="leads: {export: crm, fields: {value: entry.value}}",
    ),
)
"""How these steps are written, in the order of the reference."""
# fmt: on
