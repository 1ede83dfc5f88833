from __future__ import annotations

import pytest

from tests.flows.test_codec import RELEASED
from tests.kit.released_layout import released
from transforms.flows.engine.working import decode, encode


@pytest.mark.parametrize("name", ["v1-small", "v1-full"])
def test_states_are_written_as_they_were_released(name: str) -> None:
    """The kit writes a state of the first release byte for byte as that release did."""
    golden = (RELEASED / f"{name}.msgpack").read_bytes()

    assert encode(decode(golden)) != golden
    assert released(encode(decode(golden))) == golden
