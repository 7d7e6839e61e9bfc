"""What app owners get: kubeconfigs asked of a real API server, on one environment for all tests of this file, in order.

The last tests take the access away again.
"""

from __future__ import annotations

import base64
import json
import pathlib
import stat
import time
from collections.abc import Iterator
from typing import Any

import canaries
import engine as engines
import pytest
import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ops import access_check, access_owner, access_promise, access_revoke, kubectl

pytestmark = pytest.mark.timeout(600)
OWNERS = [
    {"organization": "plain", "namespaces": ["plain"]},
    {"organization": "trusted", "namespaces": ["trusted"], "readSecrets": True, "exec": True, "permanentToken": True},
]
SEALED = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "sealed"},
          "spec": {"encryptedData": {"password": "AgB"}}}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def outputs(engine: engines.Engine) -> Iterator[dict[str, Any]]:
    """An environment with two app owners; of the add-ons only the one whose kind they write."""

    def change(config: dict[str, Any]) -> None:
        off = {"enabled": False}
        config["gitops-platform:addons"] = {"ingress": off, "externalDns": off, "certManager": off}
        config["gitops-platform:appOwners"] = OWNERS

    with engine.changed_config(change):
        engine.up()
        yield engine.outputs(secrets=True)
        destroyed = engine.pulumi("destroy --yes --skip-preview")
        assert destroyed.code == 0, destroyed.text


@pytest.fixture(scope="module")
def files(engine: engines.Engine, outputs: dict[str, Any]) -> dict[str, pathlib.Path]:
    """An issued kubeconfig per owner."""
    return {name: issue(engine, name) for name in ("plain", "trusted")}


def issue(engine: engines.Engine, namespace: str, *more: str) -> pathlib.Path:
    file = engine.lab.home / f"{namespace}-{time.monotonic_ns()}.yaml"
    run = access(engine, "issue", namespace, "--output", str(file), *more)
    assert run.code == 0, run.text
    assert token(file) not in run.text
    return file


def access(engine: engines.Engine, command: str, *more: str) -> engines.Run:
    return engine.run("python", "-m", "ops", "access", command, "lab", *more)


def token(file: pathlib.Path) -> str:
    return yaml.safe_load(file.read_text())["users"][0]["user"]["token"]


def owner_kubectl(engine: engines.Engine, file: pathlib.Path, *arguments: str, **more: Any) -> engines.Run:
    return engine.kubectl("--kubeconfig", str(file), *arguments, **more)


def works(engine: engines.Engine, file: pathlib.Path) -> bool:
    """Whether the API server knows whom the kubeconfig belongs to."""
    run = owner_kubectl(engine, file, "get", "pods")
    assert run.code == 0 or "Unauthorized" in run.err, run.text
    return run.code == 0


def denied(run: engines.Run) -> bool:
    return run.code != 0 and "forbidden" in run.err.lower()


def test_an_issued_kubeconfig_is_for_one_owner_until_a_known_time(
    engine: engines.Engine, files: dict[str, pathlib.Path]
) -> None:
    file = files["plain"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    who = json.loads(owner_kubectl(engine, file, "auth", "whoami", "-o", "json").out)["status"]["userInfo"]
    assert who["username"] == "system:serviceaccount:plain:plain-sa-lab"
    claims = decoded(token(file))[1]
    assert claims["exp"] - claims["iat"] == 720 * 3600
    listed = {one["namespace"]: one for one in json.loads(access(engine, "list", "--json").out)["owners"]}
    assert access_owner.moment(listed["plain"]["validUntil"]).timestamp() == claims["exp"]
    assert listed["trusted"]["readSecrets"] is True


def test_two_kubeconfigs_merge(engine: engines.Engine, files: dict[str, pathlib.Path]) -> None:
    merged = ":".join(map(str, files.values()))
    for name in files:
        arguments = ("auth", "whoami", "--context", f"{name}-lab", "-o", "jsonpath={.status.userInfo.username}")
        run = engine.run("kubectl", *arguments, seconds=60, KUBECONFIG=merged)
        assert run.out == f"system:serviceaccount:{name}:{name}-sa-lab", run.text
        run = engine.run("kubectl", "get", "configmaps", "--context", f"{name}-lab", KUBECONFIG=merged)
        assert run.code == 0, "the context's namespace is the owner's"


@pytest.mark.parametrize("name", ["plain", "trusted"])
def test_the_matrix_holds_for_each_issued_kubeconfig(
    engine: engines.Engine, outputs: dict[str, Any], files: dict[str, pathlib.Path], name: str, monkeypatch: Any
) -> None:
    """Every verb, every kind: own namespace, another owner's, the platform's and the cluster's scope."""
    monkeypatch.setenv("PATH", engine.environment()["PATH"])
    owner = access_owner.environment("lab", outputs).owner(name)
    admin = kubectl.Kubectl(outputs["kubeconfig"])
    kinds = {inside: access_check.kinds(admin, namespaced=inside) for inside in (True, False)}
    assert {"applications.argoproj.io", "sealedsecrets.bitnami.com", "pods"} <= set(kinds[True])
    others = [*(other for other in files if other != name), "argocd", "sealed-secrets", "kube-system"]
    asked = list(access_check.questions(owner, others, kinds[True], kinds[False]))
    assert len(asked) > 2000
    allowed = {one for one, yes in zip(asked, ask_self(files[name], asked), strict=True) if yes}
    assert {one for one in asked if one.promised} <= allowed
    assert {one for one in allowed if one.promised is False} == set()
    assert all(one.scope in (name, "") for one in allowed)
    assert (
        access_check.Question("", "selfsubjectaccessreviews.authorization.k8s.io", "create", promised=True) in allowed
    )
    secrets = {one.verb for one in allowed if (one.scope, one.kind) == (name, "secrets")}
    assert secrets == ({*access_promise.VERBS} - {"deletecollection"} if name == "trusted" else {"create", "delete"})


@pytest.mark.parametrize("name", ["plain", "trusted"])
def test_no_grant_for_everybody_reaches_into_another_namespace(
    engine: engines.Engine, files: dict[str, pathlib.Path], name: str
) -> None:
    """Rules for single objects, by name, which no question of the matrix is about."""
    everywhere = {row["metadata"]["name"] for row in engine.cluster.get("/api/v1/namespaces")["items"]} - {name}
    assert {"sealed-secrets", "argocd", "kube-system", "default"} <= everywhere
    for namespace in sorted(everywhere):
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
                  "spec": {"namespace": namespace}}  # fmt: skip
        run = owner_kubectl(
            engine, files[name], "create", "--validate=false", "-o", "json", "-f", "-", stdin=json.dumps(review)
        )
        assert run.code == 0, run.text
        granted = {
            (verb, f"{resource}.{group}")
            for rule in json.loads(run.out)["status"]["resourceRules"]
            for verb in rule["verbs"]
            for resource in rule["resources"]
            for group in rule["apiGroups"]
        }
        assert granted == access_promise.EVERYBODYS, f"in {namespace}"


def test_an_administrator_may_still_ask_the_controller_for_its_certificate(engine: engines.Engine) -> None:
    place = ("--controller-namespace", "sealed-secrets", "--controller-name", "sealed-secrets")
    run = engine.run("kubeseal", *place, "--fetch-cert", seconds=60)
    # In the lab the call ends there: the API server proxies to no pod with a loopback address.
    assert "forbidden" not in run.text.lower(), run.text
    assert engine.kubectl("auth", "can-i", "get", "services/http:sealed-secrets:http", "--subresource=proxy",
                          "-n", "sealed-secrets").out.strip() == "yes"  # fmt: skip


def ask_self(file: pathlib.Path, asked: list[access_check.Question]) -> list[bool]:
    """SelfSubjectAccessReviews: what the API server says to the bearer of this kubeconfig."""
    answers: list[bool] = []
    client = kubectl.Kubectl(file.read_text())
    for start in range(0, len(asked), 500):
        items = [
            {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
             "spec": {"resourceAttributes": one.attributes()}}
            for one in asked[start : start + 500]
        ]  # fmt: skip
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        text = client.run(
            "create", "--validate=false", "-f", "-", "-o", 'jsonpath={.status.allowed}{"\\n"}', stdin=body
        )
        answers += [line == "true" for line in text.split()]
    return answers


@pytest.mark.parametrize("name", ["plain", "trusted"])
def test_check_says_the_same_without_a_token_of_the_owner(engine: engines.Engine, name: str) -> None:
    run = access(engine, "check", name)
    assert run.code == 0, run.text
    assert "as promised" in run.out


def test_check_finds_what_was_widened(engine: engines.Engine) -> None:
    binding = ("rolebinding", "too-much", "--clusterrole=edit", "--serviceaccount=plain:plain-sa-lab", "-n", "plain")
    assert engine.kubectl("create", *binding).code == 0
    try:
        run = access(engine, "check", "plain")
        assert run.code == 1
        assert "wider: plain-sa-lab may get secrets in plain" in run.err
        assert "wider: plain-sa-lab may create pods in plain" in run.err
    finally:
        engine.kubectl("delete", "rolebinding", "too-much", "-n", "plain")


def test_secrets_are_written_and_never_shown(engine: engines.Engine, files: dict[str, pathlib.Path]) -> None:
    file = files["plain"]
    for _ in range(2):  # made, then changed
        run = owner_kubectl(engine, file, "apply", "-f", "-", stdin=json.dumps(SEALED))
        assert run.code == 0, run.text
    made = owner_kubectl(engine, file, "create", "secret", "generic", "mine", "--from-literal=password=canary")
    assert made.code == 0, made.text
    body = {"metadata": {"name": "held", "finalizers": ["example.org/held"]}, "data": {"password": "Y2FuYXJ5"}}
    secrets = "/api/v1/namespaces/plain/secrets"
    engine.cluster.create(secrets, body)
    assert denied(owner_kubectl(engine, file, "get", "secret", "mine"))
    foreground = json.dumps({"propagationPolicy": "Foreground", "dryRun": ["All"]})
    for name, options in (("mine", foreground), ("held", "{}")):
        run = owner_kubectl(engine, file, "delete", "--raw", f"{secrets}/{name}", "-f", "-", stdin=options)
        assert denied(run), f"the answer to such a deletion is the Secret itself: {run.text}"
    assert owner_kubectl(engine, file, "delete", "secret", "mine").code == 0
    engine.cluster.patch(f"{secrets}/held", {"metadata": {"finalizers": None}})
    engine.cluster.delete(f"{secrets}/held")


def custom(plural: str) -> dict[str, Any]:
    """A kind of somebody's chart."""
    names = {"plural": plural, "singular": plural[:-1], "kind": plural[:-1].capitalize()}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": "example.org", "scope": "Namespaced", "names": names, "versions": [version]}
    metadata = {"name": f"{plural}.example.org"}
    api = "apiextensions.k8s.io/v1"
    return {"apiVersion": api, "kind": "CustomResourceDefinition", "metadata": metadata, "spec": spec}


def test_custom_kinds_are_read_where_a_role_says_so(engine: engines.Engine, files: dict[str, pathlib.Path]) -> None:
    file, both = files["plain"], ("widgets", "gadgets")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "widgets-view",
            "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}, "rules": [
            {"apiGroups": ["example.org"], "resources": ["widgets"], "verbs": ["get", "list", "watch"]}]}  # fmt: skip
    made = [*map(custom, both), role]
    try:
        applied = engine.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
        )
        assert applied.code == 0, applied.text
        paths = {plural: f"/apis/example.org/v1/namespaces/plain/{plural}" for plural in both}
        for plural, path in paths.items():
            body = json.dumps({**one_of(plural, "theirs"), "spec": {"size": "canary"}})
            engines.wait_for(
                lambda path=path, body=body: engine.kubectl("create", "--raw", path, "-f", "-", stdin=body).code == 0,
                30, "the kind is served",
            )  # fmt: skip
        engines.wait_for(
            lambda: owner_kubectl(engine, file, "get", "--raw", paths["widgets"]).code == 0, 30, "it is read"
        )
        assert "canary" in owner_kubectl(engine, file, "get", "--raw", f"{paths['widgets']}/theirs").out
        assert denied(owner_kubectl(engine, file, "get", "--raw", paths["gadgets"])), "no role speaks of it"
        for plural, path in paths.items():
            body = json.dumps(one_of(plural, "mine"))
            assert denied(owner_kubectl(engine, file, "create", "--raw", path, "-f", "-", stdin=body)), plural
            assert denied(owner_kubectl(engine, file, "delete", "--raw", f"{path}/theirs")), plural
    finally:
        engine.kubectl("delete", "clusterrole", "widgets-view")
        engine.kubectl("delete", "crd", *(f"{plural}.example.org" for plural in both))


def one_of(plural: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "example.org/v1", "kind": plural[:-1].capitalize(), "metadata": {"name": name}}


def test_logs_are_read_and_commands_run_only_where_it_is_granted(
    engine: engines.Engine, files: dict[str, pathlib.Path]
) -> None:
    for name, file in files.items():
        run = engine.kubectl("run", "app", "--image=registry.example.org/app:1", "-n", name)
        assert run.code == 0, run.text
        started = engine.kubectl("wait", "-n", name, "--for=condition=Ready", "pod/app", "--timeout=60s")
        assert started.code == 0, started.text
        logs = owner_kubectl(engine, file, "logs", "app")
        assert (logs.code, "this runs" in logs.out) == (0, True), logs.text
        assert denied(owner_kubectl(engine, file, "exec", "app", "--", "id")) is (name == "plain")
        engine.kubectl("delete", "pod", "app", "-n", name, "--wait=false")


SEALER = "/api/v1/namespaces/sealed-secrets/services/http:sealed-secrets:http/proxy"
WAYS_UP = {
    "a pod, which could mount any Secret": ("run", "x", "--image=x"),
    "a token of another account": ("create", "token", "default"),
    "a token of its own": ("create", "token", "{name}-sa-lab"),
    "a binding": ("create", "rolebinding", "x", "--clusterrole=admin", "--serviceaccount={name}:{name}-sa-lab"),
    "a role": ("create", "role", "x", "--verb=get", "--resource=secrets"),
    "another one's name": ("get", "pods", "--as=system:admin"),
    "its namespace's labels": ("label", "namespace", "{name}", "pod-security.kubernetes.io/enforce-"),
    "its namespace's annotations": ("annotate", "namespace", "{name}", f"{access_owner.REVOKED}-"),
    "another owner's pods": ("get", "pods", "-n", "{other}"),
    "the platform's secrets": ("get", "secrets", "-n", "sealed-secrets"),
    "every namespace's": ("get", "configmaps", "-A"),
    "a node's kubelet": ("get", "--raw", "/api/v1/nodes/default-pool-1/proxy/pods"),
    "a node": ("get", "nodes"),
    **{
        f"the controller of sealed secrets, {path}": ("get", "--raw", f"{SEALER}/{path}")
        for path in ("v1/cert.pem", "healthz")
    },
    "the controller of sealed secrets, v1/rotate": ("create", "--raw", f"{SEALER}/v1/rotate", "-f", "/dev/null"),
    "the controller of sealed secrets, v1/verify": ("create", "--raw", f"{SEALER}/v1/verify", "-f", "/dev/null"),
}


@pytest.mark.parametrize("name", ["plain", "trusted"])
def test_no_real_call_leads_up(engine: engines.Engine, files: dict[str, pathlib.Path], name: str) -> None:
    other = next(one for one in files if one != name)
    for what, arguments in WAYS_UP.items():
        run = owner_kubectl(engine, files[name], *(word.format(name=name, other=other) for word in arguments))
        assert denied(run), f"{what}: {run.text}"
    for kind in ("default", f"{name}-sa-lab"):
        body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
                "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": kind}}}  # fmt: skip
        run = owner_kubectl(engine, files[name], "create", "-f", "-", stdin=json.dumps(body))
        assert denied(run), f"a token Secret of {kind}: {run.text}"


def test_no_owners_token_is_readable_where_it_does_not_belong(
    engine: engines.Engine, files: dict[str, pathlib.Path], outputs: dict[str, Any]
) -> None:
    tokens = {f"issued to {name}": token(file) for name, file in files.items()}
    tokens["permanent"] = token(permanent(engine, outputs))
    canaries.assert_hidden(tokens, canaries.printed(engine) | canaries.written(engine))


def test_bad_requests_change_nothing(engine: engines.Engine, files: dict[str, pathlib.Path]) -> None:
    file = files["plain"]
    before = file.read_text()
    for code, said, more in (
        (1, "exists already", ("plain", "--output", str(file))),
        (1, "gives tokens for 8760h at most", ("plain", "--ttl", "9000h", "--output", f"{file}.new")),
        (2, "--ttl 5m is too short", ("plain", "--ttl", "5m", "--output", f"{file}.new")),
        (2, "there are: plain, trusted", ("nobody", "--output", f"{file}.new")),
    ):
        run = access(engine, "issue", *more)
        assert (run.code, said in run.err) == (code, True), run.text
    assert file.read_text() == before
    assert not pathlib.Path(f"{file}.new").exists()


def test_an_expired_token_is_refused(engine: engines.Engine, files: dict[str, pathlib.Path]) -> None:
    """The API server gives no token for less than 10 minutes, so one is signed with its own key."""
    config = yaml.safe_load(files["plain"].read_text())
    header, claims = decoded(config["users"][0]["user"]["token"])
    now = int(time.time())
    for ago, valid in ((600, True), (7200, False)):
        claims |= {"iat": now - ago, "nbf": now - ago, "exp": now - ago + 3600, "jti": f"made-{ago}"}
        config["users"][0]["user"]["token"] = signed(engine, header, claims)
        file = engine.lab.home / f"signed-{ago}.yaml"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(config))
        assert works(engine, file) is valid, "but for its times it is a token like the issued ones"


def decoded(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A token's header and claims."""
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in text.split("."))
    return json.loads(header), json.loads(claims)


def signed(engine: engines.Engine, header: dict[str, Any], claims: dict[str, Any]) -> str:
    key = serialization.load_pem_private_key((engine.lab.folder("pki") / "service-accounts.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    parts = [json.dumps(part).encode() for part in (header, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return f"{text.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_revoked_owner_is_out_and_pulumi_sees_no_change(
    engine: engines.Engine, files: dict[str, pathlib.Path]
) -> None:
    second = issue(engine, "plain", "--ttl", "1h")
    account = "/api/v1/namespaces/plain/serviceaccounts/plain-sa-lab"
    before = engine.cluster.get(account)
    run = access(engine, "revoke", "plain", "--yes")
    assert run.code == 0, run.text
    after = engine.cluster.get(account)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert without_identity(after) == without_identity(before), "or an update by Pulumi meets another field manager"
    for file in (files["plain"], second):
        # The API server remembers for 10 s that a token was good.
        engines.wait_for(lambda file=file: not works(engine, file), 30, "the token is refused")
    assert works(engine, files["trusted"]), "nobody else's token is touched"
    refused = access(engine, "issue", "plain", "--output", f"{second}.new")
    assert (refused.code, "was revoked on" in refused.err) == (1, True)
    engine.up("--expect-no-changes", "--refresh")
    refused = access(engine, "issue", "plain", "--output", f"{second}.new")
    assert refused.code == 1, "an `up` does not lift a revocation"
    assert works(engine, issue(engine, "plain", "--restore"))


def without_identity(found: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: one for key, one in found["metadata"].items() if key not in access_revoke.SERVERS}
    return {**found, "metadata": {**metadata, "managedFields": found["metadata"]["managedFields"]}}


def test_a_token_that_never_expires_is_revoked_too(engine: engines.Engine, outputs: dict[str, Any]) -> None:
    file = permanent(engine, outputs)
    assert works(engine, file)
    run = access(engine, "revoke", "trusted", "--yes")
    assert run.code == 0, run.text
    assert "permanentToken" in run.err
    engines.wait_for(lambda: not works(engine, file), 30, "the token is refused")
    listed = {one["namespace"]: one for one in json.loads(access(engine, "list", "--json").out)["owners"]}
    assert listed["trusted"]["revoked"]
    engine.up("--refresh")
    assert works(engine, permanent(engine, engine.outputs(secrets=True))), "a new one, as the command says"
    listed_again = access(engine, "list")
    assert listed_again.code == 1, listed_again.text
    assert "trusted: revoked, but the token in Secret trusted-sa-lab-token works" in listed_again.err


def permanent(engine: engines.Engine, outputs: dict[str, Any]) -> pathlib.Path:
    file = engine.lab.home / "permanent.yaml"
    file.touch(mode=0o600)
    file.write_text(outputs["appOwnerKubeconfigs"]["trusted"])
    return file
