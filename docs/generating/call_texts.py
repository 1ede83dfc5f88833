"""What the keys of steps that ask and wait for an answer mean, for ``flow_texts``."""

from __future__ import annotations

STEPS: dict[str, tuple[str, dict[str, str], str]] = {
    "call": (
        (
            "Sends a request and waits for its answer, which is `session.STEP`: `status`, and what "
            "`store` names. A failure (also a status that is none of success) leaves its words in "
            "`session.STEP.error`."
        ),
        {
            "call": "An https address, or with a connection a path.",
            "method": "GET, POST (usual), PUT, PATCH or DELETE.",
            "connection": "The name of a connection that has the address and the secrets.",
            "headers": "Headers by name.",
            "template": "A template for the body.",
            "data": "Values for the body, as expressions.",
            "store": "What to take of the answer: names, with paths in its JSON.",
            "timeout": "`after` a duration, `then` a step. Without it an hour, and then `error`.",
            "error": "The step to go on with if it failed; without it the session ends with the "
            "reason `call_failed`.",
        },
        (
            "credit:\n  call: https://example.com/scores\n  data: {value: entry.value}\n"
            "  store: {score: customer.score}\n  timeout: {after: 10m, then: over}\n"
            "  error: over\n"
            "rate: {update: {user.score: session.credit.score}, then: over}\nover: {end: done}"
        ),
    ),
    "code": (
        (
            "Runs a function in a sandbox; what it returns is `session.STEP`. It needs the extra "
            "`towpath[code]`."
        ),
        {
            "code": "Python: a function `run` that takes the inputs by their names and returns a "
            "map. It may have other functions and constants beside it; it has no imports, no "
            "clock and no chance.",
            "with": "The inputs, as expressions; one that is missing is `None`.",
            "error": "The step to go on with if it failed, took longer than half a second, needed "
            "more than 8 MB, or returned more than 32 KB; without it the session ends with the "
            "reason `call_failed`. What was wrong is `session.STEP.error`.",
        },
        (
            'level:\n  code: |\n    def run(value, plan):\n        if plan == "pro":\n'
            '            value = value * 2\n        return {"gold": value >= 100}\n'
            "  with: {value: entry.value, plan: user.plan}\n"
            "which:\n  if:\n    - {when: session.level.gold, then: best}\n  else: over\n"
            "best: {send: log, template: note, then: over}\nover: {end: done}"
        ),
    ),
}
