"""A chart in a registry, where the real Helm looks for it: at the address that the program gives for a mirror."""

from __future__ import annotations

import hashlib
import http.server
import json
import pathlib
import subprocess
import threading
from collections.abc import Iterator

import pytest

from components.addons import charts
from lab import toolchain
from lab.charts import repository

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.cncf.helm.config.v1+json"
LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@pytest.fixture
def registry() -> Iterator[str]:
    """Host and port of a registry that holds the lab's chart of Argo CD as `team/charts/argo-cd`, at the pin."""
    archive = repository.package("argo-cd", {})
    config = json.dumps({**repository.metadata("argo-cd"), "version": charts.ARGO_CD.version}).encode()
    blobs = {f"sha256:{hashlib.sha256(blob).hexdigest()}": blob for blob in (config, archive)}
    kinds = dict(zip(blobs, (CONFIG, LAYER), strict=True))
    parts = [{"mediaType": kinds[digest], "digest": digest, "size": len(blob)} for digest, blob in blobs.items()]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}).encode()
    own = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    base = "/v2/team/charts/argo-cd"
    pages = {f"{base}/blobs/{digest}": ("application/octet-stream", blob) for digest, blob in blobs.items()}
    pages |= {f"{base}/manifests/{name}": (MANIFEST, manifest) for name in (charts.ARGO_CD.version, own)}
    pages["/v2/"] = ("application/json", b"{}")
    pages[f"{base}/tags/list"] = ("application/json", json.dumps({"tags": [charts.ARGO_CD.version]}).encode())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = pages.get(self.path.partition("?")[0], ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(body)))
            if kind == MANIFEST:
                self.send_header("Docker-Content-Digest", own)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the tests' output is read."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"localhost:{server.server_port}"
        server.shutdown()


def pull(folder: pathlib.Path, *words: str) -> subprocess.CompletedProcess[str]:
    tools = toolchain.ensure(["helm"])
    homes = {f"HELM_{kind}_HOME": str(folder / kind) for kind in ("CACHE", "CONFIG", "DATA")}
    return subprocess.run(
        [str(tools["helm"]), "pull", *words, "--plain-http", "--destination", str(folder)],
        env={"HOME": str(folder), **homes}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_helm_finds_the_release_of_a_registry(registry: str, tmp_path: pathlib.Path) -> None:
    source = charts.release_source(charts.ARGO_CD, f"oci://{registry}/team/charts/")
    done = pull(tmp_path, source["chart"], "--version", source["version"])
    assert done.returncode == 0, done.stderr
    assert [file.name for file in tmp_path.glob("*.tgz")] == [f"argo-cd-{charts.ARGO_CD.version}.tgz"]


def test_a_registry_is_no_repository_to_helm(registry: str, tmp_path: pathlib.Path) -> None:
    done = pull(tmp_path, charts.ARGO_CD.name, "--repo", f"oci://{registry}/team/charts")
    assert done.returncode != 0
    assert "oci://" in done.stderr, "the release could name it like any other repository"
