"""What is said before the first resource: credentials that are missing, a cluster that cannot be used."""

from __future__ import annotations

import base64
import contextlib
import http.server
import pathlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
import yaml

import preflight
import settings
from preflight import cloud, cluster, owners
from tests import certificates

NO_HOME = {"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
AWS_KEYS = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": "canary-secret"}


# AWS


def aws(tmp_path: pathlib.Path, credentials: str = "", config: str = "", **environment: str) -> list[str]:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(credentials)
    (tmp_path / ".aws" / "config").write_text(config)
    return [str(one) for one in cloud.aws({**NO_HOME, "HOME": str(tmp_path), **environment})]


def test_without_aws_credentials_the_ways_to_give_them_are_named() -> None:
    (found,) = cloud.aws(NO_HOME)
    assert "set AWS_PROFILE, or AWS_ACCESS_KEY_ID" in found.fix


@pytest.mark.parametrize(
    "environment",
    [
        AWS_KEYS,
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": __file__, "AWS_ROLE_ARN": "arn:aws:iam::1:role/ci"},
    ],
)
def test_credentials_from_the_environment_are_enough(environment: dict[str, str]) -> None:
    assert list(cloud.aws({**NO_HOME, **environment})) == []


@pytest.mark.parametrize("alone", AWS_KEYS)
def test_half_a_key_is_named(alone: str) -> None:
    (found,) = cloud.aws({**NO_HOME, alone: "canary"})
    other = next(key for key in AWS_KEYS if key != alone)
    assert found.problem == f"{alone} is set without {other}"


def test_a_web_identity_without_its_token_file_is_named() -> None:
    (found,) = cloud.aws({**NO_HOME, "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token", "AWS_ROLE_ARN": "arn"})
    assert "/nonexistent/token" in found.problem


@pytest.mark.parametrize(
    ("credentials", "config", "profile"),
    [
        ("[default]\naws_access_key_id = x\n", "", ""),
        ("", "[default]\nrole_arn = x\n", ""),
        ("", "[profile ops]\nsso_session = x\n", "ops"),
        ("[ops]\naws_access_key_id = x\n", "[profile ops]\nregion = x\n", "ops"),
        ("", "[profile ops]\ncredential_process = x\n", "ops"),
    ],
)
def test_a_profile_is_enough(tmp_path: pathlib.Path, credentials: str, config: str, profile: str) -> None:
    assert aws(tmp_path, credentials, config, **({"AWS_PROFILE": profile} if profile else {})) == []


def test_a_profile_that_is_not_there_is_named_with_those_that_are(tmp_path: pathlib.Path) -> None:
    (found,) = aws(tmp_path, "[default]\naws_access_key_id = x\n[dev]\n", AWS_PROFILE="ops")
    assert "AWS_PROFILE names ops, which is not there (there are: default, dev)" in found


def test_a_profile_without_credentials_is_named(tmp_path: pathlib.Path) -> None:
    (found,) = aws(tmp_path, "", "[profile ops]\nregion = eu-central-1\n", AWS_PROFILE="ops")
    assert "profile ops has no credentials" in found


def test_a_broken_profile_file_is_as_good_as_none(tmp_path: pathlib.Path) -> None:
    (found,) = aws(tmp_path, "aws_access_key_id = canary-secret\n")
    assert "canary" not in found


# IONOS


@pytest.mark.parametrize(
    ("environment", "has_token"),
    [({}, True), ({"IONOS_TOKEN": "x"}, False), ({"IONOS_USERNAME": "x", "IONOS_PASSWORD": "y"}, False)],
)
def test_any_way_to_log_in_to_ionos_is_enough(environment: dict[str, str], has_token: bool) -> None:
    assert list(cloud.ionos(environment, has_token)) == []


def test_without_a_token_for_ionos_both_ways_to_give_it_are_named() -> None:
    (found,) = cloud.ionos({}, False)
    assert "IONOS_TOKEN" in found.fix
    assert "pulumi config set --secret ionosToken" in found.fix


def test_half_a_login_to_ionos_is_named() -> None:
    (found,) = cloud.ionos({"IONOS_PASSWORD": "canary"}, False)
    assert "IONOS_PASSWORD is set alone" in found.problem


# An existing cluster


EXEC = {"apiVersion": "client.authentication.k8s.io/v1beta1"}

VERSION = b""
"""What the API server says of itself."""


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") in (None, "Bearer canary-token")
        # As the API server does, this one asks for a certificate, and takes whatever it gets as far as here.
        known = not self.path.startswith("/certified") or self.connection.getpeercert()
        self.send_response(200 if allowed and known and self.path in ("/version", "/certified/version") else 401)
        self.end_headers()
        self.wfile.write(VERSION)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, bytes]:
    """A file with a self-signed certificate for 127.0.0.1 and its key, and the certificate alone."""
    private, public = certificates.self_signed()
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(private + public)
    return file, public


@pytest.fixture(scope="module")
def server(authority: tuple[pathlib.Path, bytes]) -> Iterator[str]:
    """The URL of something that answers as an API server does."""
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[0])
    context.load_verify_locations(authority[0])
    context.verify_mode = ssl.CERT_OPTIONAL
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def kubeconfig(server: str, authority: bytes | None = None, **keys: Any) -> dict[str, Any]:
    data = {"certificate-authority-data": base64.b64encode(authority).decode()} if authority else {}
    return {
        "current-context": "main",
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u"}},
            {"name": "lost", "context": {"cluster": "gone", "user": "u"}},
            {"name": "nobody", "context": {"cluster": "c", "user": "gone"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": server, **data, **keys.pop("cluster", {})}}],
        "users": [{"name": "u", "user": keys.pop("user", {"token": "canary-token"})}],
        **keys,
    }


def ask(content: Any, context: str | None = None) -> list[str]:
    """What is said about an existing cluster with this kubeconfig (a mapping, or text)."""
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    existing = settings.ExistingCluster(provider="existing", name="x", context=context)
    found = [str(one) for one in cluster.problems(existing, text)]
    assert "canary" not in str(found), "credentials must not get into a message"
    return found


def test_a_cluster_that_answers_is_fine(server: str, authority: tuple[pathlib.Path, bytes]) -> None:
    assert ask(kubeconfig(server, authority[1])) == []


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        (b'{"major": "1", "minor": "29"}', False), (b'{"major": "1", "minor": "29+"}', False),
        (b'{"major": "1", "minor": "30"}', True), (b'{"major": "2", "minor": "0"}', True),
        (b"", True), (b"[]", True), (b'{"major": "", "minor": ""}', True), (b'{"major": "1"}', True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("owners", [True, False])
def test_app_owners_need_a_kubernetes_that_has_what_bounds_them(
    server: str, authority: tuple[pathlib.Path, bytes], said: bytes, fine: bool, owners: bool, monkeypatch: Any
) -> None:
    monkeypatch.setitem(globals(), "VERSION", said)
    text = yaml.safe_dump(kubeconfig(server, authority[1]))
    existing = settings.ExistingCluster(provider="existing", name="x", context=None)
    found = [str(one) for one in cluster.problems(existing, text, has_owners=owners)]
    assert len(found) == (0 if fine or not owners else 1)
    assert all("Kubernetes 1.29" in one and "raise it to 1.30" in one for one in found)


def test_files_named_by_the_kubeconfig_are_found_beside_it(
    server: str, authority: tuple[pathlib.Path, bytes], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority[1])
    (tmp_path / "token").write_text("canary-token\n")
    content = kubeconfig(server, cluster={"certificate-authority": "ca.pem"}, user={"tokenFile": "token"})
    (tmp_path / "config").write_text(yaml.safe_dump(content))
    existing = settings.ExistingCluster(provider="existing", name="x", kubeconfigPath=str(tmp_path / "config"))
    assert list(cluster.problems(existing, None)) == []


def test_a_certificate_may_have_a_name_of_its_own(server: str, authority: tuple[pathlib.Path, bytes]) -> None:
    assert ask(kubeconfig(server, authority[1], cluster={"tls-server-name": "api.example.org"})) == []
    (found,) = ask(kubeconfig(server, authority[1], cluster={"tls-server-name": "other.example.org"}))
    assert "certificate does not verify" in found


def test_a_refused_token_is_said(server: str, authority: tuple[pathlib.Path, bytes]) -> None:
    (found,) = ask(kubeconfig(server, authority[1], user={"token": "canary-old"}))
    assert "does not take its token (401)" in found
    assert "new kubeconfig" in found


def test_any_answer_to_somebody_who_shows_nothing_counts_as_reachable(
    server: str, authority: tuple[pathlib.Path, bytes]
) -> None:
    content = kubeconfig(f"{server}/elsewhere", authority[1], user={"exec": {**EXEC, "command": "true"}})
    assert ask(content) == [], "nothing can be said about a 401 to nobody"


def encoded(file: pathlib.Path) -> dict[str, str]:
    """A file with certificate and key, as a kubeconfig's user."""
    data = base64.b64encode(file.read_bytes()).decode()
    return {"client-certificate-data": data, "client-key-data": data}


def test_a_client_certificate_is_shown_to_the_server(
    server: str, authority: tuple[pathlib.Path, bytes], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert ask(kubeconfig(f"{server}/certified", authority[1], user=encoded(authority[0]))) == []
    assert list((tmp_path / "temporary").iterdir()) == [], "no key is left behind"
    (tmp_path / "pair.pem").write_bytes(authority[0].read_bytes())
    named = {"client-certificate": "pair.pem", "client-key": "pair.pem"}
    (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig(f"{server}/certified", authority[1], user=named)))
    existing = settings.ExistingCluster(provider="existing", name="x", kubeconfigPath=str(tmp_path / "config"))
    assert list(cluster.problems(existing, None)) == []


def test_a_refused_client_certificate_is_said(server: str, authority: tuple[pathlib.Path, bytes]) -> None:
    (found,) = ask(kubeconfig(f"{server}/elsewhere", authority[1], user=encoded(authority[0])))
    assert "does not take its client certificate (401)" in found
    assert "new kubeconfig" in found


@pytest.mark.parametrize("data", ["eA==", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="])
def test_a_client_certificate_that_is_none_is_said(
    server: str, authority: tuple[pathlib.Path, bytes], data: str
) -> None:
    user = {"client-certificate-data": data, "client-key-data": data}
    (found,) = ask(kubeconfig(server, authority[1], user=user))
    assert "its client certificate and key cannot be read" in found


def test_a_wrong_authority_is_said(server: str) -> None:
    (found,) = ask(kubeconfig(server))
    assert "certificate does not verify" in found


def test_the_kubeconfig_may_ask_not_to_verify(server: str) -> None:
    assert ask(kubeconfig(server, cluster={"insecure-skip-tls-verify": True})) == []


def test_a_closed_port_is_said() -> None:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]  # held, but nobody listens
        (found,) = ask(kubeconfig(f"https://u:canary@127.0.0.1:{port}"))
    assert f"https://127.0.0.1:{port} cannot be reached: nothing listens there" in found


def test_an_unknown_host_is_said() -> None:
    (found,) = ask(kubeconfig("https://api.invalid"))
    assert "its name is not known here" in found or "no answer" in found


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "SECONDS", 0.2)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        (found,) = ask(kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}"))
    assert "no answer within 0.2 s" in found


def test_something_that_is_no_api_server_is_said(server: str) -> None:
    (found,) = ask(kubeconfig(server.replace("https:", "http:")))
    assert "cannot be reached" in found


@pytest.mark.parametrize(
    ("content", "context", "words"),
    [
        (kubeconfig("https://x"), "prod", "has no context prod (there are: main, lost, nobody)"),
        (kubeconfig("https://x"), "lost", "has no cluster gone (there are: c)"),
        (kubeconfig("https://x"), "nobody", "has no user gone (there are: u)"),
        (kubeconfig("https://x", **{"current-context": ""}), None, "has no current context (there are: main, lost"),
        (kubeconfig("https://x", contexts=None), "main", "(there are: none)"),
        (kubeconfig("nowhere"), None, "names no server that has a URL"),
        (kubeconfig("https://x", cluster={"certificate-authority": "/nonexistent"}), None, "/nonexistent"),
        (kubeconfig("https://x", b"canary"), None, "certificate authority cannot be read"),
        (kubeconfig("https://x", user={"client-certificate": "/gone", "client-key": __file__}), None, "names /gone"),
        (
            kubeconfig("https://x", user={"exec": {**EXEC, "command": "no-such-login"}}),
            None,
            "no-such-login, which is not",
        ),
        ("token: [canary", None, "no valid YAML (line 1)"),
        ("canary", None, "is no kubeconfig"),
        ("", None, "is no kubeconfig"),
    ],
)
def test_a_kubeconfig_that_cannot_work_is_refused_with_its_cause(content: Any, context: str | None, words: str) -> None:
    (found,) = ask(content, context)
    assert found.startswith("kubeconfig: the secret kubeconfig")
    assert words in found


def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    existing = settings.ExistingCluster(provider="existing", name="x", kubeconfigPath="/nonexistent/config")
    (found,) = cluster.problems(existing, None)
    assert found.problem == "/nonexistent/config is not there"


# All of it


def test_everything_that_is_missing_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("IONOS_TOKEN", "IONOS_USERNAME", "IONOS_PASSWORD", *AWS_KEYS, "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(key, raising=False)
    for key, value in NO_HOME.items():
        monkeypatch.setenv(key, value)
    raw = {"cluster": {"provider": "ionos", "kubernetesVersion": "1.34.3"}, "dns": {"domains": ["example.org"]}}
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    monkeypatch.setattr(owners, "recorded", lambda: {"gone": "somebody"})
    with pytest.raises(SystemExit) as ended:
        preflight.check(settings.parse(raw, "sbx"), settings.Secrets(None, None, None, None), pytest.fail)
    assert ended.value.code == 32, "after any other code the language host adds an error of its own"
    (text,) = said
    lines = text.splitlines()
    assert lines[0] == "3 things are in the way; nothing was changed"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["IONOS credentials", "AWS credentials", "appOwners"]


def test_only_what_the_stack_needs_is_asked_for() -> None:
    raw = {
        "cluster": {"provider": "ionos", "kubernetesVersion": "1.34.3"},
        "dns": {"provider": "ionos", "domains": ["example.org"]},
    }
    found = preflight.problems(settings.parse(raw, "sbx", ["ionosDnsToken"]), NO_HOME, None, has_ionos_token=True)
    assert list(found) == [], "nobody needs AWS for IONOS DNS"
