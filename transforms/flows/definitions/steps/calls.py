"""Steps that compute or reach other systems: requests, code, exports."""

from __future__ import annotations

from transforms.flows.clock.delays import Delay
from transforms.flows.definitions.values import Named, Value


class CallWebhook(Value, frozen=True, gc=False, tag="webhook"):
    """Send a request to a named connection or an https address (J9, B2)."""

    url: str
    method: str = "POST"
    connection: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    template: str | None = None
    data: Named = ()


class CallApi(Value, frozen=True, gc=False, tag="call"):
    """Send a request and wait for its answer, with ways for a failure and for none in time (P24).

    ``store`` maps names to paths in the JSON of the answer: ``session.<step>.<name>``.
    """

    url: str
    method: str = "POST"
    connection: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    template: str | None = None
    data: Named = ()
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
