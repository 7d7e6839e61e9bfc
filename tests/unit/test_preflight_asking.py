"""How an existing cluster is asked for lists of objects; the lab's tests ask a real API server."""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import pathlib
import ssl
import stat
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import settings
from preflight import asking
from tests import certificates

ANSWERS: dict[str, tuple[int, bytes]] = {
    "/there": (200, json.dumps({"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}).encode()),
    "/forbidden": (403, b"{}"),
    "/unauthorized": (401, b"{}"),
    "/broken": (500, b"oops"),
    "/odd": (200, b"[]"),
}

PAIR = certificates.self_signed()
"""Key and certificate: credentials are shown over TLS only."""
AUTHORITY = base64.b64encode(PAIR[1]).decode()


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code, body = ANSWERS.get(self.path, (404, b"404 page not found"))
        if self.headers["Authorization"] != "Bearer canary-token":
            code, body = 401, b"{}"
        assert "PartialObjectMetadataList" in self.headers["Accept"], "what is in the objects is nobody's business"
        packed = gzip.compress(body)
        self.send_response(code)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        self.wfile.write(packed)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(b"".join(PAIR))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    httpd.socket = tls.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def lister(server: str, folder: pathlib.Path, user: dict[str, Any]) -> asking.List:
    content = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": server, "certificate-authority-data": AUTHORITY}}],
        "users": [{"name": "x", "user": user}],
    }
    (folder / "config").write_text(yaml.safe_dump(content))
    existing = settings.ExistingCluster(provider="existing", name="x", kubeconfigPath=str(folder / "config"))
    return asking.lister(existing, None)


def test_lists_are_read_side_by_side_and_one_that_fails_says_why(server: str, tmp_path: pathlib.Path) -> None:
    found = asking.lists([*ANSWERS, "/unknown"], lister(server, tmp_path, {"token": "canary-token"}))
    assert found["/there"] == [{"name": "a"}, {"name": "b"}]
    assert found["/unknown"] == [], "a kind that the cluster does not know has no objects"
    failed = {path: str(answer) for path, answer in found.items() if isinstance(answer, asking.Unasked)}
    assert failed == {
        "/forbidden": "without the right to list them",
        "/unauthorized": "nobody is signed in",
        "/broken": "the API server answers 500",
        "/odd": "TypeError while asking for them",
    }


def login(folder: pathlib.Path, script: str, **more: Any) -> dict[str, Any]:
    """A user with a login command beside the kubeconfig."""
    file = folder / "login"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", **more}}


def test_a_login_command_is_run_for_its_token(server: str, tmp_path: pathlib.Path) -> None:
    script = 'echo "$KUBERNETES_EXEC_INFO" > info; echo "{\\"status\\": {\\"token\\": \\"$1-$PART\\"}}"'
    user = login(tmp_path, f"cd {tmp_path}; {script}", args=["canary"], env=[{"name": "PART", "value": "token"}],
                 provideClusterInfo=True)  # fmt: skip
    assert len(lister(server, tmp_path, user)("/there")) == 2
    information = json.loads((tmp_path / "info").read_text())
    assert information["kind"] == "ExecCredential"
    assert information["spec"] == {
        "interactive": False,
        "cluster": {"server": server, "certificate-authority-data": AUTHORITY},
    }


@pytest.mark.parametrize("script", ["exit 1", "echo canary", "echo '{}'", "echo '[]'"])
def test_a_login_command_that_gives_nothing_is_named(server: str, tmp_path: pathlib.Path, script: str) -> None:
    with pytest.raises(asking.Unasked, match=r"its login command \S+/login gives no credentials") as error:
        lister(server, tmp_path, login(tmp_path, script))
    assert "canary" not in str(error.value)


def test_a_login_command_that_is_not_there_is_named(server: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(asking.Unasked, match="its login command no-such-login is not there"):
        lister(server, tmp_path, {"exec": {"command": "no-such-login"}})
