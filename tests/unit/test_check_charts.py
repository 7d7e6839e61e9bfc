"""The check of the real charts, tried on chart repositories of these tests."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import pathlib
import socket
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import yaml

from components.addons import charts
from lab import kube, toolchain
from tests.charts import __main__ as command
from tests.charts import cases, dryrun, keys
from tests.charts import helm as fetching

pytestmark = pytest.mark.may_skip("`make unit` builds no helm; `make test` does")

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Values.fullnameOverride | default .Release.Name }}}
data: {replicas: {{ required "replicas are missing" .Values.replicas | quote }}}
"""
DEFAULTS = {"replicas": 1, "image": {"tag": ""}, "nodeSelector": {"kubernetes.io/os": "linux"}, "extraArgs": {}}
VALUES = {"replicas": 2, "nodeSelector": {"pool": "a"}, "extraArgs": {"x": {"y": 1}}, "fullnameOverride": "app"}


class Accepting(dryrun.Server):
    """In place of an API server: these tests are about how a chart is fetched and read. tests/lab has the real one."""

    def __init__(self) -> None:
        super().__init__(kube.KubeClient(pathlib.Path("/nowhere")))

    def install(self, definitions: Iterable[dryrun.Object]) -> list[str]:
        assert list(definitions) == []
        return []

    def problems(self, found: dryrun.Object, namespace: str) -> list[str]:
        return ["it is refused"] if found["data"].get("replicas") == "13" else []


ACCEPTING = Accepting()


@pytest.fixture(scope="module")
def helm() -> str:
    found = toolchain.find("helm")
    if not found:
        pytest.skip("helm is not built yet: `python -m lab.toolchain` builds it")
    return str(found)


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Iterator[str]:
    """URL of a chart repository with chart `app` 1.0.0."""
    files = {
        "Chart.yaml": yaml.safe_dump({"apiVersion": "v2", "name": "app", "version": "1.0.0"}),
        "values.yaml": yaml.safe_dump(DEFAULTS),
        "templates/map.yaml": TEMPLATE,
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"app/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    (tmp_path / "app-1.0.0.tgz").write_bytes(packed.getvalue())
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    entries = {
        "app": [{"apiVersion": "v2", "name": "app", "version": "1.0.0", "urls": ["app-1.0.0.tgz"], "digest": digest}]
    }
    (tmp_path / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}))
    handler = functools.partial(Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def case(repository: str, values: dict[str, Any], version: str = "1.0.0") -> cases.Case:
    return cases.Case("sbx", "app", version, repository, "app", "app", "1.34.3", values)


def test_a_chart_that_knows_every_key_passes(helm: str, repository: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.check(helm, [case(repository, VALUES)], None, ACCEPTING) == command.FINE
    assert "ok       app 1.0.0 (sbx)" in capsys.readouterr().out


def test_a_renamed_key_is_named_with_the_environments_that_set_it(
    helm: str, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {**VALUES, "image": {"version": "1"}}
    assert command.check(helm, [case(repository, VALUES), case(repository, values)], None, ACCEPTING) == command.WRONG
    assert "the chart does not know image.version (sbx)" in capsys.readouterr().out, "Helm itself would ignore it"


def test_a_chart_that_does_not_render_is_told_in_helms_words(
    helm: str, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.check(helm, [case(repository, {"replicas": None})], None, ACCEPTING) == command.WRONG
    assert "replicas are missing" in capsys.readouterr().out


def test_a_version_that_is_not_there_is_a_finding(
    helm: str, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.check(helm, [case(repository, VALUES, "9.9.9")], None, ACCEPTING) == command.WRONG
    assert "app 9.9.9: not in http://" in capsys.readouterr().out


def test_what_an_api_server_refuses_is_a_finding_with_its_environments(
    helm: str, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = case(repository, {**VALUES, "replicas": 13})
    assert command.check(helm, [case(repository, VALUES), wrong], None, ACCEPTING) == command.WRONG
    assert "it is refused (sbx)" in capsys.readouterr().out


def test_what_cannot_be_fetched_never_passes(helm: str, repository: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        other = case(nobody, VALUES)
        assert command.check(helm, [case(repository, VALUES), other], None, ACCEPTING) == command.UNKNOWN
        said = capsys.readouterr()
        assert f"UNKNOWN  app 1.0.0: {nobody} does not answer" in said.out
        assert "1 of 2 charts could not be fetched" in said.err
        assert command.check(helm, [other], repository, ACCEPTING) == command.FINE, "a mirror replaces every repository"
        wrong = case(repository, {"nope": 1})
        assert command.check(helm, [wrong, other], None, ACCEPTING) == command.WRONG, "a finding counts for more"


Respond = Callable[[http.server.BaseHTTPRequestHandler], None]


def status(code: int) -> Respond:
    return lambda request: request.send_error(code)


def text(content: str) -> Respond:
    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(content.encode())

    return respond


def hang(request: http.server.BaseHTTPRequestHandler) -> None:
    request.connection.recv(1)  # until the other side has had enough


def break_off(request: http.server.BaseHTTPRequestHandler) -> None:
    request.close_connection = True


def index(version: str, chart: str = "app") -> str:
    entry = {"apiVersion": "v2", "name": chart, "version": version, "urls": ["missing.tgz"]}
    return yaml.safe_dump({"apiVersion": "v1", "entries": {chart: [entry]}})


@pytest.mark.parametrize(
    ("respond", "expected"),
    [
        (status(404), command.WRONG),
        (status(410), command.WRONG),
        (status(403), command.WRONG),
        (text("<html>moved</html>"), command.WRONG),
        (text(index("2.0.0")), command.WRONG),
        (text(index("1.0.0", chart="another")), command.WRONG),
        (status(500), command.UNKNOWN),
        (status(503), command.UNKNOWN),
        (status(429), command.UNKNOWN),
        (hang, command.UNKNOWN),
        (break_off, command.UNKNOWN),
    ],
    ids=[
        "404",
        "410",
        "403",
        "a page",
        "not the version",
        "not the chart",
        "500",
        "503",
        "429",
        "silence",
        "broken off",
    ],
)
def test_a_repository_that_answers_without_the_pin_is_a_fault_and_one_that_does_not_answer_is_unknown(
    respond: Respond, expected: int, helm: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 3 if respond is hang else 60)

    class Handler(Quiet):
        def do_GET(self) -> None:
            respond(self)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        found = command.check(helm, [case(url, VALUES)], None, ACCEPTING)
        server.shutdown()
    assert found == expected, capsys.readouterr().out


def test_an_archive_that_is_gone_is_a_fault_too(helm: str, repository: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "app-1.0.0.tgz").unlink()
    assert command.check(helm, [case(repository, VALUES)], None, ACCEPTING) == command.WRONG


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('Get "https://charts.example.org/index.yaml": dial tcp: lookup charts.example.org: no such host', True),
        ("lookup charts.example.org on 127.0.0.53:53: server misbehaving", True),
        ("dial tcp 192.0.2.1:443: i/o timeout", True),
        ("context deadline exceeded (Client.Timeout exceeded while awaiting headers)", True),
        ("failed to do request: response status code 503: Service Unavailable", True),
        ("failed to perform: response status code 404: name unknown", False),
        ("registry.example.org/charts/app:1.0.0: not found", False),
        ("tls: failed to verify certificate: x509: certificate has expired", False),
        ('chart "app" version "1.0.0" not found in https://charts.example.org:500 repository', False),
    ],
)
def test_helms_words_tell_silence_from_an_answer(message: str, expected: bool) -> None:
    assert fetching.unanswered(message) is expected


def test_a_stale_repository_of_the_users_own_helm_is_no_hindrance(
    helm: str, repository: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "helm").mkdir()
    stale = {"apiVersion": "", "repositories": [{"name": "gone", "url": "http://127.0.0.1:1"}]}
    (tmp_path / "helm" / "repositories.yaml").write_text(yaml.safe_dump(stale))
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path / "helm"))
    assert command.check(helm, [case(repository, VALUES)], None, ACCEPTING) == command.FINE


def test_every_pinned_chart_is_installed_by_some_environment_and_so_checked() -> None:
    found = cases.everything()
    assert {(each.chart, each.version) for each in found} == {(pin.name, pin.version) for pin in charts.ALL}
    assert {each.repository for each in found} == {pin.repository for pin in charts.ALL}
    webhooks = [each for each in found if each.values.get("provider", {}).get("name") == "webhook"]
    assert [each.environment for each in webhooks] == ["ionos-dns"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"ports": {"mine": {"port": 1, "http": {"tls": {}}}}}, []),
        ({"ports": {"mine": {"prot": 1}}}, ["ports.mine.prot"]),
        ({"service": {"spec": {"type": "x", "any": 1}, "anotations": {}}}, ["service.anotations"]),
        ({"global": {"any": 1}, "globl": {}}, ["globl"]),
        ({"described": 1}, []),
    ],
)
def test_names_of_ones_own_are_free_and_what_is_below_them_is_not(values: dict[str, Any], expected: list[str]) -> None:
    defaults = {"ports": {"web": {"port": 80}, "websecure": {"http": {"tls": {"enabled": True}}}}}
    defaults |= {"service": {"annotations": {}, "spec": {"type": "LoadBalancer"}}}
    chart = keys.Chart("traefik", defaults, {"properties": {"described": {}}})
    assert keys.unknown(chart, values) == expected
