"""Addresses that requests may have: public hosts, plainly written, and paths without steps back.

The sender checks each address again when it connects, because a public name may resolve to a
private address. The ranges stand here, not in the standard library's version of the day, so
that a flow that is accepted today is accepted tomorrow.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import unquote

_PARTS = re.compile(r"https://(?P<place>[^/?#]*)(?P<path>[^?#]*)")
_PLACE = re.compile(r"(?:[^@]*@)?(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_LOCAL = frozenset(
    "corp home home.arpa internal intranet invalid lan local localdomain localhost onion private".split()
)
_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_IPV6 = IPv6Network("2000::/3")
_NOT_IPV6 = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_ROUNDS = 5

PORTS = ("443", "8443")
PUBLIC = "requests go to public hosts only"
PLAIN = "write the name of the host in small Latin letters, without user and password"
BACK = "write the path without . and .."


def refusal_of_address(url: str) -> tuple[str, str] | None:
    """Return why an https address is refused, and a hint; None for a public, plain address."""
    parts = _PARTS.match(url)
    place = _PLACE.fullmatch(parts["place"]) if parts is not None else None
    if parts is None or place is None or "\\" in url or not url.isprintable():
        return "the address is not plain", PLAIN
    port = place["port"]
    if port not in (None, *PORTS):
        return f"requests do not go to port {port}", "leave the port out, or write :8443"
    return _refusal_of_host(place["host"]) or refusal_of_path(parts["path"])


def refusal_of_path(path: str) -> tuple[str, str] | None:
    """Return why a path is refused: a segment ``.`` or ``..``, also a percent-encoded one."""
    decoded = path.partition("?")[0].partition("#")[0]
    for _ in range(_ROUNDS):
        segments = (part.partition(";")[0] for part in re.split(r"[/\\]", decoded))
        if any(segment in (".", "..") for segment in segments):
            return f'"{path}" leads out of its folder', BACK
        decoded, before = unquote(decoded), decoded
        if decoded == before:
            return None
    return f'"{path}" is percent-encoded more than {_ROUNDS} times', BACK


def _refusal_of_host(host: str) -> tuple[str, str] | None:
    if host.startswith("["):
        return _refusal_of_ipv6(host[1:-1])
    labels = host.removesuffix(".").lower().split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return f'"{host}" is not a plain name of a host', PLAIN
    if _NUMBER.fullmatch(labels[-1]):
        return _refusal_of_ipv4(host)
    if len(labels) == 1 or labels[-1] in _LOCAL or ".".join(labels[-2:]) in _LOCAL:
        return f'"{host}" is a name inside a network', PUBLIC
    return None


def _refusal_of_ipv4(host: str) -> tuple[str, str] | None:
    try:
        address = IPv4Address(host)
    except AddressValueError:
        hint = "write four numbers from 0 to 255 without leading zeros, or a name"
        return f'"{host}" is an odd spelling of an IP address', hint
    if any(address in network for network in _IPV4):
        return f'"{host}" is not a public IP address', PUBLIC
    return None


def _refusal_of_ipv6(host: str) -> tuple[str, str] | None:
    try:
        address = IPv6Address(host)
    except AddressValueError:
        return f'"[{host}]" is not an IP address', "write for example [2606:4700::1111]"
    if address.scope_id or address not in _IPV6 or any(address in network for network in _NOT_IPV6):
        return f'"[{host}]" is not a public IP address', PUBLIC
    return None
