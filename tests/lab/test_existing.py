"""On a cluster that is there already, everything after the cluster is the same."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import engine as engines
import pytest
import reach
import yaml

from lab import kube
from tests import proxies

pytestmark = pytest.mark.timeout(600)
NODE = "existing-node"


@pytest.fixture
def cluster(engine: engines.Engine, control_plane: None) -> Iterator[kube.KubeClient]:
    """The lab's control plane with one node, as somebody else would have set it up."""
    client = engine.cluster
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": NODE, "lab.gitops-platform/node": "true"}
    room = {"cpu": "8", "memory": "16Gi", "pods": "110"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels},
            "status": {"capacity": room, "allocatable": room}}  # fmt: skip
    client.create("/api/v1/nodes", node)
    yield client
    client.delete(f"/api/v1/nodes/{NODE}")


def test_an_existing_cluster_is_filled_and_left_as_it_was(engine: engines.Engine, cluster: kube.KubeClient) -> None:
    before = names(cluster, "/api/v1/namespaces")
    kubeconfig = yaml.safe_load(engine.lab.kubeconfig.read_text())
    kubeconfig["contexts"].append({"name": "factory", "context": kubeconfig["contexts"][0]["context"]})
    kubeconfig["contexts"][0]["context"] = {"cluster": "nowhere", "user": "nobody"}
    with proxies.running() as proxy:
        kubeconfig["clusters"][0]["cluster"]["proxy-url"] = proxy.url()
        filled_and_left(engine, cluster, kubeconfig)
        assert proxy.asked, "everything goes through the proxy of the kubeconfig"
        assert proxy.refused == 0, "the proxy always gets its user and password"
    assert names(cluster, "/api/v1/namespaces") == before


def filled_and_left(engine: engines.Engine, cluster: kube.KubeClient, kubeconfig: dict[str, Any]) -> None:
    """Up to destroy, with a kubeconfig in whose proxy-url stands a password."""

    def change(config: dict[str, Any]) -> None:
        config["gitops-platform:cluster"] = {"provider": "existing", "name": "factory-1", "context": "factory"}
        config["gitops-platform:dns"] = {"provider": "ionos", "domains": ["existing.example.org"]}
        config["gitops-platform:addons"] = {
            "ingress": {"controller": "traefik"},
            "certManager": {"server": "staging", "issuer": {"waitReady": False}},
        }
        config["gitops-platform:appOwners"] = [
            {"organization": "dome", "namespaces": ["marketplace"], "permanentToken": True}
        ]

    with engine.changed_config(change):
        secret(engine, "ionosDnsToken", engine.lab.secret("ionos-dns-token"))
        secret(engine, "kubeconfig", "\ufeff" + json.dumps(kubeconfig, indent="\t"))
        try:
            # What the killed run made must be known as the program's own: here nothing is taken over.
            engine.killed("up", "helm.sh/v3:Release.*creating")
            engine.up()
            assert not engine.ionos_objects(), "no cluster is made"
            outputs = engine.outputs()
            assert outputs["cluster"]["provider"] == "existing"
            assert set(outputs["addons"]) == {"sealed-secrets", "traefik", "external-dns", "cert-manager"}
            engine.up("--expect-no-changes")
            no_proxy_password_is_told(engine)
            plain_traefik_leaves_class_nginx_alone(cluster)
        finally:
            destroyed = engine.pulumi("destroy --yes --skip-preview")
        assert destroyed.code == 0, destroyed.text


def no_proxy_password_is_told(engine: engines.Engine) -> None:
    """Neither to an app owner, nor to whoever sees a preview, the outputs or the state."""
    outputs = engine.outputs(secrets=True)
    assert encoded(outputs["kubeconfig"]), "the program's own kubeconfig has it"
    (owners,) = outputs["appOwnerKubeconfigs"].values()
    assert yaml.safe_load(owners)["clusters"][0]["cluster"]["proxy-url"].startswith("http://127.0.0.1:")
    told = [owners, json.dumps(engine.outputs())]
    for command in ("preview --diff", "preview --json", "stack export", "stack output --json"):
        run = engine.pulumi(command)
        assert run.code == 0, run.text
        told.append(run.text)
    assert "without its user and password" in told[2], "the platform team hears of it"
    assert not encoded("".join(told))


def encoded(text: str) -> bool:
    """Whether the proxy's password is in a text, as it is or as it stands in a URL."""
    return proxies.PASSWORD in text or proxies.PASSWORD.replace("@", "%40") in text


def plain_traefik_leaves_class_nginx_alone(cluster: kube.KubeClient) -> None:
    """The same rule under two classes, in plain HTTP, since everything else is redirected."""
    (pod,) = cluster.list("/api/v1/namespaces/traefik/pods")
    where, ingresses = (pod["status"]["podIP"], 8000), "/apis/networking.k8s.io/v1/namespaces/argocd/ingresses"
    backend = {"service": {"name": "argocd-server", "port": {"name": "http"}}}
    for name in ("traefik", "nginx"):
        metadata = {"name": name, "annotations": {"traefik.ingress.kubernetes.io/router.entrypoints": "web"}}
        rule = {"host": name, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        cluster.create(ingresses, {"metadata": metadata, "spec": {"ingressClassName": name, "rules": [rule]}})
    try:
        engines.wait_for(lambda: reach.at(where, "traefik", "/healthz") == 200, 30, "its own class is served")
        assert reach.at(where, "nginx", "/healthz") in (301, 308), "nobody serves it"
    finally:
        for name in ("traefik", "nginx"):
            cluster.delete(f"{ingresses}/{name}")


def test_objects_of_others_are_not_taken_over(
    engine: engines.Engine, cluster: kube.KubeClient, tmp_path: pathlib.Path
) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd", "labels": {"owner": "others"}}}
    cluster.create("/api/v1/namespaces", body)
    section = {"provider": "existing", "name": "factory-1", "kubeconfigPath": str(signing_in(engine, tmp_path))}
    try:
        with engine.changed_config(lambda config: config.update({"gitops-platform:cluster": section})):
            run = engine.pulumi("up --yes --skip-preview")
            assert run.code != 0
            assert "already exists" in run.text
            engine.pulumi("destroy --yes --skip-preview")
        kept = cluster.get("/api/v1/namespaces/argocd")
        assert kept["metadata"]["labels"]["owner"] == "others"
        assert "deletionTimestamp" not in kept["metadata"]
    finally:
        cluster.delete("/api/v1/namespaces/argocd")


def signing_in(engine: engines.Engine, folder: pathlib.Path) -> pathlib.Path:
    """The lab's kubeconfig, but with a command that lies beside it, as kubectl takes it."""
    kubeconfig = yaml.safe_load(engine.lab.kubeconfig.read_text())
    version = "client.authentication.k8s.io/v1"
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": kubeconfig["users"][0]["user"]}
    script = folder / "bin" / "sign-in"
    script.parent.mkdir()
    script.touch(0o700)
    script.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    plugin = {"apiVersion": version, "command": "./bin/sign-in", "interactiveMode": "Never"}
    kubeconfig["users"][0]["user"] = {"exec": plugin}
    (folder / "config").write_text(yaml.safe_dump(kubeconfig))
    return folder / "config"


def secret(engine: engines.Engine, key: str, value: str) -> None:
    """Set one in the stack's file, encrypted."""
    run = engine.run("pulumi", "config", "set", "--secret", key, stdin=value)
    assert run.code == 0, run.text


def names(cluster: kube.KubeClient, path: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in cluster.get(path)["items"])
