"""The sandbox for code: its limits, its isolation, and the messages if it is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.timeouts import PATIENCE
from transforms.flows.diagnostics import headline
from transforms.flows.protocol.outputs import Call
from transforms.flows.reading.project import load_project
from transforms.hosting import sandbox

GOOD = 'def run(items):\n    return {"total": sum(item["n"] for item in items)}\n'

BAD = {
    "return 5": "its result is no map",
    "return {1: 2}": "its result has a key that is no text",
    "return {'a': {1}}": "its result holds a value that is no data: set",
    "return {'a': 2**63}": "its result holds a value that is no data: int",
    "return {'a': float('inf')}": "its result holds a value that is no data: float",
    "return {'a': 'x' * 40_000}": "its result is larger than 32 KB",
    "return {}['who@example.com']": "KeyError in line 2",
    "return {'a': nobody}": "NameError in line 2",
    "raise ValueError('who@example.com')": "ValueError in line 2",
    "return run()": "RecursionError in line 2",
    "return {'a': [0] * 10**9}": "it needed more than 8 MB",
    "return {'a': 2 ** 10**9}": "it needed more than 8 MB",
}

ATTACKS = (
    "open('/etc/passwd').read()",
    "__import__('os').environ",
    "().__class__.__base__.__subclasses__()",
    "eval('__import__(\"os\")')",
    "getattr((), '__class__')",
    "type(run).__globals__",
    "globals()['__builtins__']",
    "__file__.missing",
)


def call(inputs: dict, n: int = 1) -> Call:
    return Call(
        id=f"s-{n}", user="kim", at=7, flow="f", version=1, session="s", step="level",
        kind="code", target="1f", inputs=inputs,
    )  # fmt: skip


def test_an_answer_is_the_result_of_the_function() -> None:
    """The answer has its own id, derived from the call's, and the same instant (R30)."""
    found = sandbox.answer(call({"items": [{"n": 2}, {"n": 0.5}]}), GOOD)

    assert (found.ok, found.result, found.error) == (True, {"total": 2.5}, "")
    assert (found.id, found.call, found.user, found.time) == ("s-1-answer", "s-1", "kim", 7)


@pytest.mark.parametrize("body", BAD)
def test_errors_show_no_values(body: str) -> None:
    """A failure names the kind of error and its line, and no data of the user (R7)."""
    assert sandbox.run(f"def run():\n    {body}\n", {}) == ({}, BAD[body])


ENDLESS = (
    "while True: pass",
    "while True:\n        for _ in []:\n            pass",
    "for a in range(10**12): pass",
    "return {'n': sum(range(10**12))}",
    "x = [a for a in range(1000) for b in range(1000) for c in range(1000) if False]",
    "x = {a: b for a in range(2000) for b in range(2000)}",
    "f = lambda f, n: f(f, n - 1) + f(f, n - 1) if n else 1\n    f(f, 40)",
    "while True:\n        try:\n            while True: pass\n        except Exception: pass",
    "for a in range(2000):\n        if a < 0: pass\n        for b in range(2000):\n            if b: pass",
)


@pytest.mark.parametrize("body", ENDLESS)
def test_steps_are_limited(body: str) -> None:
    """Code that repeats too much is stopped after the same steps on every machine (R4, J13)."""
    assert sandbox.run(f"def run():\n    {body}\n", {}) == ({}, "it took more than 1,000,000 steps")


COUNTED = (
    "t = 0\n    for i in range(9):\n        for j in 1, i:\n            t += j\n    return {'t': t}",
    "'doc'\n    return {'a': [x + y for x in range(4) if x for y in 'aß'.split('a') and [1]]}",
    "def f(n): return n and n * f(n - 1)\n    return {'f': f(5), 'ü': {c: len(c) for c in ('é', 'ab')}}",
    "for x in [3, 1]:\n        if x > 2: break\n    else: x = 9\n    return {'x': x, 'l': (lambda a: a + 1)(x)}",
    "n = 0\n    while n < 5 and (\n        n != 4\n    ):\n        n += 1\n    return {'n': n, 's': sorted([3, 1], key=lambda v: -v)}",
    "for x in [1]:\n        try:\n            y = 1 // 0\n        except ZeroDivisionError: y = 2\n    return {'y': y}",
)


@pytest.mark.parametrize("body", COUNTED)
def test_counting_changes_no_result(body: str) -> None:
    """Code gives the same result as in Python without the counting."""
    source = f"def run():\n    {body}\n"
    names: dict = {}
    exec(source, names)

    assert sandbox.run(source, {}) == (names["run"](), "")


@pytest.mark.parametrize("attack", ATTACKS)
def test_code_cannot_reach_the_outside(attack: str) -> None:
    """Files, other modules, the interpreter's internals: what the loader refuses fails here, too."""
    result, error = sandbox.run(f"def run():\n    x = {attack}\n    return {{'x': str(x)}}\n", {})

    assert (result, bool(error)) == ({}, True)


def test_code_has_no_clock_and_no_random_numbers() -> None:
    """Two runs in two processes give the same, even for time and random numbers (R4)."""
    text = (
        "import sys; from transforms.hosting import sandbox\n"
        'code = \'import time, random, datetime\\ndef run():\\n    return {"a": [time.time(),'
        ' random.random(), str(datetime.datetime.now()), hash("a"), list({"a", "b", "c"})]}\'\n'
        "print(sandbox.run(code, {}))\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=True,
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip

    assert len(seen) == 1
    assert "1970-01-01" in seen.pop()


def test_code_keeps_no_state() -> None:
    """What one call has changed, the next one does not see."""
    text = "SEEN = []\ndef run(n):\n    SEEN.append(n)\n    return {'seen': SEEN}\n"

    assert [sandbox.run(text, {"n": n})[0] for n in (1, 2)] == [{"seen": [1]}, {"seen": [2]}]


def test_a_forked_process_is_an_error() -> None:
    """If code cannot run because the process was forked, that is an error and not an endless wait."""
    text = (
        "import os; from transforms.hosting import sandbox\n"
        "code = 'def run(n):\\n    return {\"n\": n}'\n"
        "print(sandbox.run(code, {'n': 1}), flush=True)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try:\n        sandbox.run(code, {'n': 2})\n"
        "    except sandbox.ForkedSandbox as wrong:\n        print(wrong, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(sandbox.run(code, {'n': 3}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=PATIENCE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip

    assert done.stdout.split("\n") == [
        "({'n': 1}, '')",
        "code cannot run in a forked process: start it by spawn instead",
        "({'n': 3}, '')",
        "",
    ]


def test_printed_text_is_discarded(capfd: pytest.CaptureFixture[str]) -> None:
    """Code does not write into the host's output."""
    sandbox.run("def run():\n    print('secret')\n    return {}\n", {})

    assert capfd.readouterr() == ("", "")


FLOW = """\
flow: level
enter:
  - event: A
steps:
  level:
    code: |
      def run(n):
          n @= 2
          return {"n": n}
    with: {n: entry.n}
  over: {end: done}
"""


def test_unsupported_python_is_reported_with_its_line() -> None:
    """Python that the sandbox does not support is reported with its line when the flow is checked."""
    found = [headline(p) for p in load_project({"level.yaml": FLOW}, sandbox.check_source).problems]

    assert found == [
        (
            "level.yaml:8:11: the sandbox cannot run this: matrix multiplication augmented assignment "
            "(@=) is not yet supported [code-sandbox]"
        )
    ]


def test_a_worker_without_the_extra_stops_at_the_start() -> None:
    """Without the sandbox a log that publishes code is refused as a whole, not user by user."""
    text = (
        "import sys; sys.modules['pydantic_monty'] = None\n"
        "from transforms.hosting import catalogs, sandbox\n"
        "from transforms.flows.protocol import control_records as control\n"
        "from transforms.flows.catalog import control_log as publish\n"
        "log = publish.records_of({'level': sys.argv[1]}, None, {})\n"
        "try:\n    catalogs.read_once(tuple(map(control.encode_line, log)))\n"
        "except sandbox.MissingSandbox as wrong:\n    print(wrong)"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, FLOW], capture_output=True, text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip

    assert done.stderr == ""
    assert done.stdout == (
        "flow level runs code, which needs a sandbox; install it with: pip install 'towpath[code]'\n"
    )


def test_without_the_extra_the_loader_says_what_to_install(tmp_path: Path) -> None:
    """If the sandbox is not installed, a flow with code is refused with its place and a hint."""
    path = tmp_path / "level.yaml"
    path.write_text(FLOW)
    text = (
        "import sys; sys.modules['pydantic_monty'] = None\n"
        "from towpath.cli.main import main; sys.exit(main(['check', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, str(path)], capture_output=True, text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip

    assert done.returncode == 1
    said = "level.yaml:7:7: code needs a sandbox, which is not installed; install it with: pip"
    assert f"{said} install 'towpath[code]' [code-sandbox]" in done.stderr + done.stdout
