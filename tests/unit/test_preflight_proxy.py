"""An existing cluster behind a proxy: asked as kubectl would ask it, and the proxy's password is shown to nobody."""

from __future__ import annotations

import base64
import contextlib
import http.server
import pathlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pulumi
import pytest
import yaml

import settings
from preflight import cluster
from tests import certificates, proxies


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.shown.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


class Server(http.server.ThreadingHTTPServer):
    """Answers as an API server does; `shown`: the credentials of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.shown: list[str | None] = []


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def proxy() -> Iterator[proxies.Proxy]:
    with proxies.running() as proxy:
        yield proxy


@pytest.fixture
def plain() -> Iterator[Server]:
    with running(Server()) as server:
        yield server


KEY, CERTIFICATE = certificates.self_signed()


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Iterator[Server]:
    (tmp_path / "server.pem").write_bytes(KEY + CERTIFICATE)
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield server


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    return said


def ask(address: str, environment: dict[str, str] | None = None, has_owners: bool = False, **keys: str) -> list[str]:
    section = {"server": address, **{key.replace("_", "-"): value for key, value in keys.items()}}
    if address.startswith("https:"):
        section["certificate-authority-data"] = base64.b64encode("# für c\n".encode() + CERTIFICATE).decode()
    config = {
        "current-context": "m",
        "contexts": [{"name": "m", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": section}],
        "users": [{"name": "u", "user": {"token": "canary-token"}}],
    }
    existing = settings.ExistingCluster(provider="existing", name="x", context=None)
    text = yaml.safe_dump(config)
    found = [str(one) for one in cluster.problems(existing, text, has_owners=has_owners, environment=environment or {})]
    for secret in ("canary", proxies.PASSWORD, "p%40ss", "wrong-pw"):
        assert secret not in str(found), "credentials must not get into a message"
    return found


def test_a_proxy_gets_its_user_and_password(proxy: proxies.Proxy, server: Server) -> None:
    assert ask(f"https://127.0.0.1:{server.server_port}", proxy_url=proxy.url()) == []
    assert proxy.asked == [f"127.0.0.1:{server.server_port}"]
    assert server.shown == ["Bearer canary-token"]


def test_the_environments_proxy_gets_its_user_and_password(proxy: proxies.Proxy) -> None:
    (found,) = ask("https://api.invalid:6443", {"HTTPS_PROXY": proxy.url()})
    assert "through the proxy http://127.0.0.1:" in found
    assert "the proxy does not connect (502)" in found, "it was let in, and knows no such host either"
    assert (proxy.asked, proxy.refused) == (["api.invalid:6443"], 0)


def test_a_server_that_no_proxy_names_is_asked_directly(proxy: proxies.Proxy, server: Server) -> None:
    environment = {"HTTPS_PROXY": proxy.url(), "NO_PROXY": "127.0.0.0/8"}
    assert ask(f"https://127.0.0.1:{server.server_port}", environment) == []
    assert proxy.asked == []


def test_a_server_without_tls_is_asked_through_a_proxy_and_shown_nothing(proxy: proxies.Proxy, plain: Server) -> None:
    assert ask(f"http://127.0.0.1:{plain.server_port}", proxy_url=proxy.url()) == []
    assert (proxy.refused, plain.shown) == (0, [None])
    assert ask(f"http://127.0.0.1:{plain.server_port}") == []
    assert plain.shown == [None, None], "everybody on the way could read a token"


@pytest.mark.parametrize(
    ("password", "words"),
    [(None, "the proxy wants a user and a password (407)"), ("wrong-pw", "does not take its user and password (407)")],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_said(proxy: proxies.Proxy, password: str | None, words: str, scheme: str) -> None:
    (found,) = ask(f"{scheme}://api.invalid:6443", proxy_url=proxy.url(password))
    assert words in found
    assert "special characters as %XX" in found


def test_a_proxy_where_nothing_listens_is_named() -> None:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))  # held, but nobody listens
        near = f"127.0.0.1:{free.getsockname()[1]}"
        (found,) = ask("https://api.example.org", proxy_url=f"http://u:canary@{near}")
    assert f"cannot be reached through the proxy http://{near}: nothing listens there" in found


@pytest.mark.parametrize("kind", ["socks5", "https"])
def test_a_proxy_that_is_not_spoken_here_is_a_warning(kind: str, warned: list[str]) -> None:
    assert ask("https://api.invalid", proxy_url=f"{kind}://u:canary@proxy.invalid:1080") == []
    (said,) = warned
    assert (
        f"https://api.invalid was not asked whether it answers: it is behind the proxy {kind}://proxy.invalid" in said
    )
    assert "canary" not in said


def test_what_owners_could_not_use_is_a_warning(proxy: proxies.Proxy, server: Server, warned: list[str]) -> None:
    address = f"https://127.0.0.1:{server.server_port}"
    assert ask(address, has_owners=True) == []
    assert "app owners cannot use kubeconfigs made from the secret kubeconfig" in warned[0]
    assert ask(address, has_owners=True, proxy_url=proxy.url()) == []
    assert "without its user and password" in warned[2]
    assert len(warned) == 3
    assert proxies.PASSWORD not in str(warned)
    assert ask(address) == []
    assert len(warned) == 3, "nobody without owners has to know"


@pytest.mark.parametrize(
    "address", ["https://a..b", "https://" + "x" * 70, "https://[::1", "https://h:99999", "https://a b"]
)
def test_an_address_that_cannot_be_one_ends_in_a_message(address: str) -> None:
    (found,) = ask(address)
    assert "its name is not known here" in found or "names no server that has a URL" in found
