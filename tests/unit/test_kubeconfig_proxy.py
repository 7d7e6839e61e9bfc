"""Which proxy a server is asked through, as Go's httpproxy decides."""

from __future__ import annotations

import pytest

from kubeconfigs import proxy

PROXY = "http://u:p%40ss@proxy.example.org:3128"


@pytest.mark.parametrize(
    ("server", "excluded", "direct"),
    [
        ("https://c.example.org", "", False),
        ("https://c.example.org", "example.org", True),
        ("https://example.org", "example.org", True),
        ("https://xexample.org", "example.org", False),
        ("https://c.example.org", ".example.org", True),
        ("https://example.org", ".example.org", False),
        ("https://c.example.org", "*.example.org", True),
        ("https://example.org", "*.example.org", False),
        ("https://c.example.org", "*example.org", False),
        ("https://C.Example.org", "EXAMPLE.ORG", True),
        ("https://c.example.org", "a.org, example.org ,", True),
        ("https://c.example.org:6443", "example.org:6443", True),
        ("https://c.example.org:6443", "example.org:443", False),
        ("https://c.example.org", "example.org:443", True),
        ("https://c.example.org", "*", True),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3:6443", "10.1.2.3:6443", True),
        ("https://10.1.2.3:6443", "10.1.2.3:443", False),
        ("https://10.1.2.3", "10.0.0.0/255.0.0.0", False),
        ("https://10.1.2.3", "10.", False),
        ("https://10.1.2.3", "3", False),
        ("https://[fd00::1]:6443", "fd00::/16", True),
        ("https://[fd00::1]:6443", "fd00::1", True),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", True),
        ("https://[fd00::1]:6443", "[fd00::1]:443", False),
        ("https://[::ffff:10.1.2.3]", "10.0.0.0/8", True),
        ("https://[fd00::1]:6443", "10.0.0.0/8,::1/128", False),
        ("https://c.example.org", "0.0.0.0/0", False),
        ("https://c.example.org", "/8,:443,a/b,[x,10.0.0.0/99", False),
        ("https://127.0.0.1:6443", "", True),
        ("https://127.1.2.3", "", True),
        ("https://[::1]:6443", "", True),
        ("https://localhost:6443", "", True),
        ("https://c.localhost", "", False),
    ],
)
def test_no_proxy_is_read_as_go_does(server: str, excluded: str, direct: bool) -> None:
    found = proxy.for_server(proxy.parse(server), "", {"HTTPS_PROXY": PROXY, "NO_PROXY": excluded})
    assert (found is None) is direct


def test_a_kubeconfigs_proxy_holds_whatever_the_environment_says() -> None:
    found = proxy.for_server(proxy.parse("https://127.0.0.1"), PROXY, {"NO_PROXY": "*", "HTTPS_PROXY": "http://other"})
    assert found is not None
    assert found.shown == "http://proxy.example.org:3128"


@pytest.mark.parametrize(
    ("server", "environment", "shown"),
    [
        ("https://c", {"https_proxy": "http://low:1"}, "http://low:1"),
        ("https://c", {"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "http://up:1"),
        ("https://c", {"HTTP_PROXY": "http://x:1", "ALL_PROXY": "http://x:1"}, None),
        ("http://c", {"HTTP_PROXY": "http://x:1"}, "http://x:1"),
        ("https://c", {"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ("https://c", {"HTTPS_PROXY": "10.9.9.9:3128"}, "http://10.9.9.9:3128"),
        ("https://c", {"HTTPS_PROXY": "socks5://s"}, "socks5://s"),
        ("https://c", {"HTTPS_PROXY": "http://x:1", "no_proxy": "c"}, None),
        ("https://c", {"HTTPS_PROXY": "http://x:1", "no_proxy": "c", "NO_PROXY": "d"}, "http://x:1"),
        ("https://c", {"HTTPS_PROXY": "http://u:%zz@x:1"}, None),
    ],
)
def test_the_environments_proxy_is_found_as_go_does(
    server: str, environment: dict[str, str], shown: str | None
) -> None:
    found = proxy.for_server(proxy.parse(server), "", environment)
    assert (found and found.shown) == shown


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("http://p:1", None),
        ("http://u:p%40ss@p:1", "Basic dTpwQHNz"),
        ("http://u:p@ss@p:1", "Basic dTpwQHNz"),
        ("http://u@p:1", "Basic dTo="),
    ],
)
def test_user_and_password_become_a_header(url: str, header: str | None) -> None:
    found = proxy.parse(url)
    assert found.authorization == header
    assert (found.host, found.port) == ("p", 1)
    assert "ss" not in repr(found)
    assert found.shown == "http://p:1"


@pytest.mark.parametrize(
    "url",
    ["", "p:3128", "canary", "http://", "http://canary:x", "http://canary^:x@p", "http://u:%zzcanary@p", "http://a b",
     "http://[canary", "http://u:canary@:1", "http://p:99999", " http://p", "http://p\n", "//canary"],
)  # fmt: skip
def test_what_is_no_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^its? ") as caught:
        proxy.parse(url)
    assert "canary" not in str(caught.value)
