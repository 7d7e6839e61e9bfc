"""Helm releases by the stand-in for the kubernetes plugin, with a small chart and the real helm."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import engine as engines
import pytest

from lab import toolchain
from lab.plugins import kubernetes, values
from lab.plugins.kubernetes import cluster
from ops import clouds
from tests.plugin_client import Failed, Plugin, serving

RELEASE = "kubernetes:helm.sh/v3:Release"
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: small\nversion: 1.2.3\nappVersion: 9.9.9\n",
    "values.yaml": "text: none\nbroken: false\nhook: ''\n",
    "templates/config.yaml": """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data: {text: {{ .Values.text | quote }}}
""",
    "templates/pod.yaml": """{{ if .Values.broken }}apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}}
spec: {schedulerName: nobody, containers: [{name: c, image: i}]}
{{ end }}""",
    "templates/hook.yaml": """{{ if .Values.hook }}apiVersion: v1
kind: ConfigMap
metadata: {name: last, namespace: nowhere, annotations: {helm.sh/hook: {{ .Values.hook }}}}
{{ end }}""",
}


@pytest.fixture(scope="module")
def helm() -> str:
    return str(toolchain.ensure(["helm"])["helm"])


@pytest.fixture(scope="module")
def repository(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("charts")
    for name, text in CHART.items():
        path = folder / "small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run([helm, "package", "small"], cwd=folder, check=True, capture_output=True)
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        subprocess.run([helm, "repo", "index", ".", "--url", url], cwd=folder, check=True, capture_output=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield url
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def plugin(cluster_kubeconfig: str) -> Iterator[Plugin]:
    with serving(kubernetes.provider()) as port:
        yield Plugin(port, kubeconfig=pathlib.Path(cluster_kubeconfig).read_text())


@pytest.fixture
def namespace(api: cluster.Cluster) -> Iterator[str]:
    name = f"helm-{os.urandom(3).hex()}"
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


def release(repository: str, namespace: str, **more: Any) -> dict[str, Any]:
    inputs = {
        "name": "r",
        "namespace": namespace,
        "createNamespace": True,
        "chart": "small",
        "repositoryOpts": {"repo": repository},
        "values": {"text": "CANARY"},
    }
    return inputs | more


def test_a_release_is_installed_upgraded_found_and_uninstalled(
    plugin: Plugin, api: cluster.Cluster, repository: str, namespace: str
) -> None:
    inputs = release(repository, namespace)
    preview = plugin.create(RELEASE, "r", inputs, preview=True)
    assert preview.inputs["version"] == "1.2.3", "the newest version is what an update is compared with"
    assert preview.outputs["status"] is values.UNKNOWN
    made = plugin.create(RELEASE, "r", inputs)
    status = made.outputs["status"]
    assert made.id == f"{namespace}/r"
    assert (status["status"], status["revision"], status["version"], status["appVersion"]) == (
        "deployed",
        1,
        "1.2.3",
        "9.9.9",
    )
    assert made.outputs["resourceNames"] == {"ConfigMap/v1": [f"{namespace}/r"]}
    assert plugin.diff(made, inputs).changes == 1
    changed = release(repository, namespace, values={"text": "new"})
    assert list(plugin.diff(made, changed).detailedDiff) == ["values.text"]
    assert plugin.diff(made, release(repository, "elsewhere")).replaces == ["namespace"]
    upgraded = plugin.update(made, changed)
    assert upgraded.outputs["status"]["revision"] == 2
    assert api.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/r")["data"] == {"text": "new"}
    seen = plugin.read(upgraded)
    assert seen is not None
    assert plugin.diff(seen, changed).changes == 1
    plugin.delete(upgraded)
    assert api.find(f"/api/v1/namespaces/{namespace}/configmaps/r") is None
    assert plugin.read(upgraded) is None
    with pytest.raises(Failed, match="release: not found"):
        plugin.delete(upgraded)


def test_a_chart_or_repository_that_is_not_there_is_an_error_at_preview(plugin: Plugin, repository: str) -> None:
    with pytest.raises(AssertionError, match=r"looks like .* is not a valid chart repository or cannot be reached"):
        plugin.check(RELEASE, "r", release("http://127.0.0.1:1", "n"))
    with pytest.raises(AssertionError, match="not found"):
        plugin.check(RELEASE, "r", release(repository, "n", chart="nothing"))
    unknown = release("http://127.0.0.1:1", "n", values={"text": values.UNKNOWN})
    assert plugin.check(RELEASE, "r", unknown)["timeout"] == 300


def test_a_release_that_does_not_come_up_stays_in_state_and_is_mended_by_an_update(
    plugin: Plugin, repository: str, namespace: str
) -> None:
    inputs = release(repository, namespace, values={"broken": True}, timeout=2)
    with pytest.raises(Failed, match=r"was created, but failed to initialize completely") as failed:
        plugin.create(RELEASE, "r", inputs)
    init = failed.value.init
    assert init is not None
    assert init.outputs["status"]["status"] == "failed"
    with pytest.raises(Failed, match="cannot re-use a name that is still in use") as failed:
        plugin.create(RELEASE, "r", inputs)
    assert failed.value.init is None
    preview = plugin.create(RELEASE, "r", release(repository, namespace), preview=True)
    preview.id, preview.outputs = init.id, init.outputs
    mended = plugin.update(preview, release(repository, namespace))
    assert mended.outputs["status"]["status"] == "deployed"
    plugin.delete(mended)


def test_a_removal_that_a_hook_refuses_leaves_all_there_but_no_upgrade_until_it_is_marked_again(
    plugin: Plugin, api: cluster.Cluster, cluster_kubeconfig: str, repository: str, namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", str(toolchain.bin_dir(["kubectl"])), prepend=os.pathsep)
    made = plugin.create(RELEASE, "r", release(repository, namespace, values={"hook": "pre-delete"}))
    with pytest.raises(Failed, match="pre-delete"):
        plugin.delete(made)
    assert api.find(f"/api/v1/namespaces/{namespace}/configmaps/r"), "nothing of it is gone"
    seen = plugin.read(made)
    assert seen is not None
    assert seen.outputs["status"]["status"] == "uninstalling"
    assert plugin.diff(seen, made.inputs).changes == 1, "an up without a change is one without an upgrade"
    changed = release(repository, namespace, values={"text": "new"})
    with pytest.raises(Failed, match='"r" has no deployed releases'):
        plugin.update(seen, changed)
    records = clouds.Helm(pathlib.Path(cluster_kubeconfig).read_text())
    (name,) = records.records(namespace, "r")
    records.mark_deployed(namespace, [name])
    mended = plugin.update(seen, changed)
    assert mended.outputs["status"]["status"] == "deployed"
    plugin.delete(mended)
    assert plugin.read(mended) is None


def test_a_removal_whose_last_hook_is_refused_is_done_and_an_error(
    plugin: Plugin, repository: str, namespace: str
) -> None:
    made = plugin.create(RELEASE, "r", release(repository, namespace, values={"hook": "post-delete"}))
    with pytest.raises(Failed, match="uninstallation completed with 1 error"):
        plugin.delete(made)
    with pytest.raises(Failed, match='"r" has no deployed releases'):
        plugin.update(made, release(repository, namespace))
    with pytest.raises(Failed, match="release: not found"):
        plugin.delete(made)
    assert plugin.read(made) is None, "a refresh tells Pulumi"


def pending(helm: str, kubeconfig: str, namespace: str) -> bool:
    """Whether helm is at work on a release of this namespace, or was when it was killed."""
    listing = [helm, "--kubeconfig", kubeconfig, "list", "--all", "--namespace", namespace]
    return "pending-install" in subprocess.run(listing, capture_output=True, text=True, check=True).stdout


def test_an_interrupted_installation_ends_soon_and_is_known_as_failed(
    helm: str, cluster_kubeconfig: str, repository: str, namespace: str
) -> None:
    with serving(kubernetes.provider()) as port:
        plugin = Plugin(port, kubeconfig=cluster_kubeconfig)
        under_way = functools.partial(pending, helm, cluster_kubeconfig, namespace)
        cancelled: list[float] = []
        engines.then(under_way, lambda: (cancelled.append(time.monotonic()), plugin.cancel()), 60, "helm is at work")
        with pytest.raises(Failed) as failed:
            plugin.create(RELEASE, "r", release(repository, namespace, values={"broken": True}, timeout=120))
        assert time.monotonic() - cancelled[0] < 30
        assert failed.value.init is not None, "or the next run would not know of it"
        other = Plugin(port, kubeconfig=cluster_kubeconfig)
        gone = other.create(RELEASE, "r", release(repository, namespace), preview=True)
        gone.id = failed.value.init.id
        other.delete(gone)


def test_a_killed_engine_leaves_its_installation_pending_and_the_next_one_is_told(
    helm: str, cluster_kubeconfig: str, repository: str, namespace: str
) -> None:
    under_way = functools.partial(pending, helm, cluster_kubeconfig, namespace)
    with serving(kubernetes.provider()) as port:
        killed, next_run = Plugin(port, kubeconfig=cluster_kubeconfig), Plugin(port, kubeconfig=cluster_kubeconfig)
        inputs = release(repository, namespace, values={"broken": True}, timeout=120)
        creation = threading.Thread(target=_try, args=(killed, inputs))
        creation.start()
        engines.wait_for(under_way, 60, "helm is at work")
        killed.channel.close()
        creation.join(60)
        assert not creation.is_alive()
        with pytest.raises(Failed, match="cannot re-use a name that is still in use"):
            next_run.create(RELEASE, "r", release(repository, namespace))
        assert under_way(), "nothing ran on after its engine was gone"


def _try(plugin: Plugin, inputs: dict[str, Any]) -> None:
    with contextlib.suppress(Exception):
        plugin.create(RELEASE, "r", inputs)


def test_values_and_credentials_are_never_in_arguments_or_in_files_of_others(
    plugin: Plugin, repository: str, namespace: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    modes: set[int] = set()
    start = subprocess.Popen

    def record(argv: list[str], **options: Any) -> Any:
        seen.append(json.dumps([argv, sorted(options["env"].items())]))
        folder = pathlib.Path(options["env"]["HELM_CACHE_HOME"]).parent
        files = [path for path in folder.iterdir() if path.is_file()]
        modes.update(path.stat().st_mode & 0o077 for path in [folder, *files])
        return start(argv, **options)

    monkeypatch.setattr(subprocess, "Popen", record)
    made = plugin.create(RELEASE, "r", release(repository, namespace))
    plugin.delete(made)
    assert seen
    assert modes == {0}
    assert "CANARY" not in "".join(seen)
