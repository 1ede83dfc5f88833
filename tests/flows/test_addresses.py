"""Addresses of requests: public hosts in plain spelling, and paths that stay in their folder."""

from __future__ import annotations

import pytest

from transforms.flows.reading.forms.addresses import refusal_of_address, refusal_of_path


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "localhost.", "a.localhost", "db", "printer.local", "nas.lan",
        "wiki.corp", "router.home.arpa", "metadata.google.internal", "localhost.localdomain",
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255",
        "192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.88.99.1", "198.18.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0.0.0x1", "0177.0.0.1",
        "017700000001", "127.0.0.01", "127.0.0.1.", "1.2.3.4.5", "8.8.8.256",
        "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "ⓛocalhost", "loca%6chost", "%31%32%37.0.0.1",
        "[::]", "[::1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2002:a9fe:a9fe::]", "[2001::1]",
        "[2001:db8::1]", "[3fff::1]", "[fe80::1]", "[fec0::1]", "[fc00::1]", "[fd12:3456::1]",
        "[ff02::1]", "[100::1]", "[2606:4700::1111%25eth0]", "[127.0.0.1]", "[]", "[::1", "::1",
        "", ".", "a..example.com", "-a.example.com", "a b.example.com", "example.com:",
        "example.com:0", "example.com:65536", "example.com:80", "example.com:6379", "example.com:443:443", "a@b@example.com",
        "example.com\\@127.0.0.1", "example.com\\.127.0.0.1", "example.com\x00", "ex\u200bample.com",
        "bücher.example",
    ],
)  # fmt: skip
def test_hosts_that_are_refused(host: str) -> None:
    """Loopback, private, link-local and other special hosts are refused, however they are spelled."""
    assert refusal_of_address(f"https://{host}/hook") is not None
    assert refusal_of_address(f"https://me:pw@{host}") is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com", "https://API.Example.com:8443/v1/x?y=../z#..", "https://8.8.8.8/",
        "https://[2606:4700::1111]:443/", "https://xn--bcher-kva.example/", "https://a.example.com.",
        "https://172.15.0.1", "https://172.32.0.1", "https://100.128.0.1", "https://1.localhost.io",
        "https://shop.example/..a/a../...", "https://shop.example?next=/../x",
    ],
)  # fmt: skip
def test_addresses_that_are_taken(url: str) -> None:
    """Public hosts are taken; only the path may not step back, not the query."""
    assert refusal_of_address(url) is None


@pytest.mark.parametrize(
    "path",
    [
        "/..", "/.", "/../", "/a/../b", "/a/..", "/./a", "/%2e%2e/a", "/.%2E/a", "/%2e", "/a%2f..%2fb",
        "/..%2f", "/..\\a", "/a%5c..%5cb", "/..;x=1/a", "/%252e%252e/a", "/%25252e%25252e/a",
        "/a/..?x", "/%252525252525252e",
    ],
)  # fmt: skip
def test_paths_that_are_refused(path: str) -> None:
    """A path with a segment ``.`` or ``..`` is refused, plain or percent-encoded any number of times."""
    assert refusal_of_path(path) is not None
    assert refusal_of_address(f"https://api.example.com{path}") is not None
