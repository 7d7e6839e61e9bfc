"""On a cluster that is there already, everything after the cluster is the same."""

from __future__ import annotations

import contextlib
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


OTHERS = {"owner": "others"}
FOREIGN = {
    "/apis/rbac.authorization.k8s.io/v1/clusterroles": ("external-dns", {"rules": []}),
    "/apis/networking.k8s.io/v1/ingressclasses": ("traefik", {"spec": {"controller": "example.org/others"}}),
    "/api/v1/namespaces": ("argocd", {}),
}
"""Collection -> an object in it, of a name that the program uses."""


@pytest.fixture
def foreign(cluster: kube.KubeClient) -> Iterator[dict[str, str]]:
    """Objects of somebody else; path -> its uid."""
    made = {}
    for path, (name, body) in FOREIGN.items():
        found = cluster.create(path, {"metadata": {"name": name, "labels": OTHERS}, **body})
        made[f"{path}/{name}"] = found["metadata"]["uid"]
    yield made
    for path in made:
        cluster.delete(path)


@contextlib.contextmanager
def filled(engine: engines.Engine, **cluster: Any) -> Iterator[None]:
    """The stack's settings for the existing cluster, with Traefik and everything else that needs no cloud."""

    def change(config: dict[str, Any]) -> None:
        place = {"provider": "existing", "name": "factory-1", "kubeconfigPath": str(engine.lab.kubeconfig)}
        config["gitops-platform:cluster"] = {**place, **cluster}
        config["gitops-platform:addons"]["ingress"] = {"controller": "traefik"}

    with engine.changed_config(change):
        yield


def test_objects_of_others_are_named_at_preview_and_left_alone(
    engine: engines.Engine, cluster: kube.KubeClient, foreign: dict[str, str], tmp_path: pathlib.Path
) -> None:
    with filled(engine, kubeconfigPath=str(signing_in(engine, tmp_path))):
        for command in ("preview", "up --yes --skip-preview"):
            run = engine.pulumi(command)
            assert run.code != 0
            for name in ("ClusterRole external-dns", "IngressClass traefik", "namespace argocd"):
                assert name in run.text, f"{command} names what is in the way"
            assert "3 things are in the way" in run.text, "CRDs that the last environment left are no obstacle"
            assert "cluster.takeOver: [IngressClass/traefik]" in run.text, "and says what to do"
        assert not [one for one in engine.state().get("resources") or [] if "kubernetes:" in one["type"]]
    with filled(engine, takeOver=["IngressClass/*", "ClusterRole/external-dns"]):
        run = engine.pulumi("preview")
        assert "1 thing is in the way" in run.text, run.text
    for path, uid in foreign.items():
        found = cluster.get(path)["metadata"]
        assert (found["uid"], found["labels"]["owner"]) == (uid, "others")
        assert "deletionTimestamp" not in found


def test_who_may_not_look_is_warned(engine: engines.Engine, cluster: kube.KubeClient) -> None:
    """A kubeconfig with a login command, whose user may read namespaces and nothing else."""
    account = {"kind": "ServiceAccount", "name": "visitor", "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "visitor"}
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}]
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    cluster.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "visitor"}})
    cluster.create(f"{rbac}/clusterroles", {"metadata": {"name": "visitor"}, "rules": rules})
    binding = {"metadata": {"name": "visitor"}, "roleRef": role, "subjects": [account]}
    cluster.create(f"{rbac}/clusterrolebindings", binding)
    try:
        token = engine.kubectl("create", "token", "visitor").out.strip()
        status = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
        command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [json.dumps(status)]}
        kubeconfig = yaml.safe_load(engine.lab.kubeconfig.read_text())
        kubeconfig["users"][0]["user"] = {"exec": {**command, "interactiveMode": "Never"}}
        file = engine.lab.home / "visitor.kubeconfig"
        file.touch(0o600)
        file.write_text(yaml.safe_dump(kubeconfig))
        with filled(engine, kubeconfigPath=str(file)):
            run = engine.pulumi("preview")
        said = run.text.partition("could not be looked for (")[2].partition("\n")[0]
        assert "clusterroles" in said, run.text
        assert "without the right to list them" in said, "it was signed in by the command"
        assert " namespaces" not in said
        assert token not in run.text
    finally:
        for path in (
            f"{rbac}/clusterrolebindings",
            f"{rbac}/clusterroles",
            "/api/v1/namespaces/default/serviceaccounts",
        ):
            cluster.delete(f"{path}/visitor")


DENIED = "no Deployments here"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
SECONDS = 60


@pytest.fixture
def refusing(cluster: kube.KubeClient) -> Iterator[None]:
    """Somebody's admission policy that lets no Deployment into sealed-secrets' namespace."""
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    where = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "sealed-secrets"}}}
    spec = {"matchConstraints": {"resourceRules": [rule], **where},
            "validations": [{"expression": "false", "message": DENIED}]}  # fmt: skip
    cluster.create(POLICIES, {"metadata": {"name": "others"}, "spec": spec})
    binding = {"policyName": "others", "validationActions": ["Deny"]}
    cluster.create(f"{POLICIES[:-3]}ybindings", {"metadata": {"name": "others"}, "spec": binding})
    yield
    cluster.delete(f"{POLICIES[:-3]}ybindings/others")
    cluster.delete(f"{POLICIES}/others")


def test_a_destroy_that_meets_a_sync_which_is_retried_ends_it(
    engine: engines.Engine, cluster: kube.KubeClient, refusing: None
) -> None:
    def change(config: dict[str, Any]) -> None:
        place = {"provider": "existing", "name": "factory-1", "kubeconfigPath": str(engine.lab.kubeconfig)}
        config["gitops-platform:cluster"] = place
        off = {name: {"enabled": False} for name in ("ingress", "externalDns", "certManager")}
        config["gitops-platform:addons"] = {**off, "sealedSecrets": {"timeoutMinutes": 1}}

    def application() -> dict[str, Any]:
        found = cluster.find("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/sealed-secrets") or {}
        return {**found, "state": (found.get("status") or {}).get("operationState") or {}}

    with engine.changed_config(change):
        run = engine.pulumi("up --yes --skip-preview")
        assert run.code != 0
        # Between two tries the message speaks of the next one alone.
        engines.wait_for(
            lambda: application()["state"].get("retryCount") and DENIED in application()["state"].get("message", ""),
            SECONDS,
            "Argo CD tries again",
        )
        process = engine.start("destroy")
        engines.wait_for(lambda: application()["metadata"].get("deletionTimestamp"), SECONDS, "it is to be deleted")
        assert application().get("operation"), "and the deletion waits for the sync"
        recovered = engine.run("python", "-m", "ops", "recover", "lab", "--yes")
        assert recovered.code == 0, recovered.text
        assert "Application sealed-secrets" in recovered.text
        assert process.wait(2 * SECONDS) == 0, (engine.lab.home / "destroy.out").read_text()


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
