"""Channels are configuration: known kinds have defaults, and any other kind has an address."""

from __future__ import annotations

import pytest

from transforms.flows.definitions.channels import agent_of, tracking_of
from transforms.flows.definitions.space import KINDS, Channel
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.reading.space import load_space

TWELVE = "email sms mms push in_app voice whatsapp telegram viber messenger line web".split()


def channel(text: str, agents: str = "") -> Channel:
    """Return the one channel of a space."""
    found = load_space("space.yaml", f"channels: {{{text}}}\nagents: {{{agents}}}")
    assert found.value is not None
    assert not found.problems
    return found.value.channels[0]


def test_twelve_kinds_of_channels_are_known() -> None:
    """C15: twelve kinds of channels are known by their names."""
    assert list(KINDS) == TWELVE


@pytest.mark.parametrize("name", TWELVE)
def test_a_channel_of_a_known_kind_needs_no_settings(name: str) -> None:
    """C15: a space names a channel of a known kind, and its address trait is known."""
    assert channel(f"{name}: {{}}") == KINDS[name]
    assert KINDS[name].address


def test_settings_of_a_channel_override_its_kind() -> None:
    """A channel takes from its kind only what it does not set itself; other names may have no kind."""
    alerts = channel("alerts: {kind: sms, address: pager, price: 0.05, links: short}")
    log = channel("log: {address: user}")

    assert (alerts.address, alerts.parts, alerts.tracks) == ("pager", "gsm", ("clicks",))
    assert (alerts.price, alerts.links, alerts.link) == ((("", 0.05),), "short", 25)
    assert (log.address, log.parts, log.price) == ("user", "one", ())


def test_a_step_overrides_agent_and_tracking_of_the_channel() -> None:
    """C15, I31: settings of the step override the channel; unsupported tracking is omitted."""
    sms = channel("sms: {agent: desk, track: [clicks], links: short}", "desk: {channel: sms}")
    plain, bare = Send("sms", "t"), Send("sms", "t", track=(), links="whole")
    both = Send("email", "t", agents=(("sms", "line"),), track=("opens", "clicks"))

    assert (agent_of(plain, "sms", sms), agent_of(both, "sms", sms)) == ("desk", "line")
    assert tracking_of(plain, sms) == {"clicks": True, "links": "short"}
    assert tracking_of(both, sms) == {"clicks": True, "links": "short"}
    assert tracking_of(bare, sms) == {}
