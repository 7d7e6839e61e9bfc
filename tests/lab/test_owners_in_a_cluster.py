"""App owners on a real cluster: they come, do what they may, and none goes without a confirmation. One stack."""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import engine as engines
import gitserver
import owner_projects
import pytest
import yaml

from lab import layout

pytestmark = pytest.mark.timeout(900)
PLAIN, RICH = "plain-team", "rich-team"
OWNERS = [
    {"organization": PLAIN, "namespaces": [PLAIN]},
    {
        "organization": RICH,
        "namespaces": [RICH],
        "isolation": True,
        "podSecurity": "restricted",
        "quota": {"pods": 3},
        "limits": {"defaultRequest": {"cpu": "100m"}},
        "readSecrets": True,
        "permanentToken": True,
    },
]
CANARY = "canary-owner-51d8"
KUBECONFIGS: dict[str, pathlib.Path] = {}


@pytest.fixture(scope="module")
def repository(lab: layout.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[gitserver.Repository]:
    """What the second owner deploys from."""
    with gitserver.serve(tmp_path_factory.mktemp("git"), lab.address) as made:
        yield made


@pytest.fixture(scope="module")
def environment(engine: engines.Engine) -> Iterator[engines.Engine]:
    """A stack with few add-ons, to which owners come; gone at the end."""

    def change(config: dict[str, Any]) -> None:
        off = {name: {"enabled": False} for name in ("ingress", "externalDns", "certManager")}
        config["gitops-platform:addons"] = off
        config["gitops-platform:appOwners"] = []

    with engine.changed_config(change):
        engine.up()
        yield engine
        destroyed = engine.pulumi("destroy --yes --skip-preview")
        assert destroyed.code == 0, destroyed.text


def owned(*owners: dict[str, Any], confirm: tuple[str, ...] = ()) -> Any:
    def change(config: dict[str, Any]) -> None:
        config["gitops-platform:appOwners"] = list(owners)
        config["gitops-platform:confirmRemoval"] = list(confirm)

    return change


def namespace(engine: engines.Engine, name: str) -> dict[str, Any] | None:
    found = engine.kubectl("get", "namespace", name, "-o", "json", "--ignore-not-found")
    return json.loads(found.out) if found.out.strip() else None


def acting(engine: engines.Engine, name: str, *arguments: str, stdin: str | None = None) -> engines.Run:
    """kubectl as the owner of a namespace."""
    if name not in KUBECONFIGS:
        token = engine.kubectl("create", "token", f"{name}-sa-lab", "-n", name).out.strip()
        config = yaml.safe_load(engine.lab.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        config["contexts"][0]["context"]["namespace"] = name
        KUBECONFIGS[name] = engine.lab.home / f"owner-{name}"
        KUBECONFIGS[name].touch(mode=0o600)
        KUBECONFIGS[name].write_text(yaml.safe_dump(config))
    return engine.kubectl("--kubeconfig", str(KUBECONFIGS[name]), *arguments, stdin=stdin)


def deletion(engine: engines.Engine, owner: str, secret: str, **options: Any) -> engines.Run:
    body = json.dumps({"kind": "DeleteOptions", "apiVersion": "v1", **options})
    return acting(
        engine, owner, "delete", "--raw", f"/api/v1/namespaces/{owner}/secrets/{secret}", "-f", "-", stdin=body
    )


def test_a_team_sees_and_syncs_its_own_in_argo_cd(environment: engines.Engine, tmp_path: pathlib.Path) -> None:
    owner_projects.check_team(environment, tmp_path)


def test_an_owner_comes_with_all_that_is_its_own(environment: engines.Engine, repository: gitserver.Repository) -> None:
    with environment.changed_config(owned(OWNERS[0], {**OWNERS[1], "argocd": {"repositories": [repository.url]}})):
        preview = environment.pulumi("preview")
        for name in (PLAIN, RICH):
            assert f"app owner added: namespace {name}" in preview.text
            assert namespace(environment, name) is None, "a preview makes nothing"
        environment.up()
        environment.up("--expect-no-changes")
        labels = (namespace(environment, RICH) or {})["metadata"]["labels"]
        assert labels["gitops-platform/owner"] == RICH
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        kinds = "serviceaccount,rolebinding,resourcequota,limitrange,networkpolicy"
        made = environment.kubectl("get", kinds, "-n", RICH, "-o", "name").out.split()
        assert {
            f"serviceaccount/{RICH}-sa-lab",
            "rolebinding.rbac.authorization.k8s.io/app-owner",
            "rolebinding.rbac.authorization.k8s.io/app-owner-reads-secrets",
            "resourcequota/app-owner",
            "limitrange/app-owner",
            "networkpolicy.networking.k8s.io/app-owner",
        } <= set(made)
        project = environment.cluster.get(f"/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects/{RICH}")
        assert project["spec"]["destinations"][0]["namespace"] == RICH
        assert environment.outputs()["appOwnerKubeconfigs"] == {RICH: "[secret]"}
        _a_permanent_kubeconfig_works(environment)
        _a_secret_is_written_and_never_read(environment)
        _nobody_makes_tokens(environment)
        _no_account_of_the_namespace_lifts_its_bounds(environment)
        owner_projects.check(environment, repository, RICH, PLAIN)
        _none_goes_unconfirmed(environment)


def _a_permanent_kubeconfig_works(engine: engines.Engine) -> None:
    text = engine.outputs(secrets=True)["appOwnerKubeconfigs"]
    assert list(text) == [RICH], "only who asked for it has one"
    file = engine.lab.home / "permanent"
    file.touch(mode=0o600)
    file.write_text(text[RICH])
    assert engine.kubectl("--kubeconfig", str(file), "get", "pods").code == 0
    denied = engine.kubectl("--kubeconfig", str(file), "get", "pods", "-n", PLAIN)
    assert "forbidden" in denied.text.lower(), "an owner ends where its namespace ends"


def _a_secret_is_written_and_never_read(engine: engines.Engine) -> None:
    created = acting(engine, PLAIN, "create", "secret", "generic", "one", f"--from-literal=password={CANARY}")
    assert created.code == 0, created.text
    forms = (CANARY, base64.b64encode(CANARY.encode()).decode())
    patch = ("patch", "secret", "one", "-p", "{}", "-o", "json")
    tries = [
        acting(engine, PLAIN, "get", "secret", "one", "-o", "json"),
        acting(engine, PLAIN, "get", "secrets", "-o", "json"),
        acting(engine, PLAIN, *patch),
        acting(engine, PLAIN, "delete", "--raw", f"/api/v1/namespaces/{PLAIN}/secrets"),
        deletion(engine, PLAIN, "one", propagationPolicy="Foreground"),
        deletion(engine, PLAIN, "one", propagationPolicy="Orphan"),
        deletion(engine, PLAIN, "one", orphanDependents=True),
        deletion(engine, PLAIN, "one", propagationPolicy="Foreground", dryRun=["All"]),
    ]
    finalizers = json.dumps({"metadata": {"finalizers": ["example.org/wait"]}})
    assert engine.kubectl("patch", "secret", "one", "-n", PLAIN, "-p", finalizers).code == 0
    tries.append(deletion(engine, PLAIN, "one"))
    for number, run in enumerate(tries):
        assert run.code != 0, f"try {number}: {run.text}"
        assert not any(form in run.text for form in forms), f"try {number} shows the content"
    nothing = json.dumps({"metadata": {"finalizers": None}})
    assert engine.kubectl("patch", "secret", "one", "-n", PLAIN, "-p", nothing).code == 0
    deleted = acting(engine, PLAIN, "delete", "secret", "one")
    assert deleted.code == 0, deleted.text
    assert acting(engine, RICH, "create", "secret", "generic", "two", f"--from-literal=password={CANARY}").code == 0
    assert forms[1] in acting(engine, RICH, "get", "secret", "two", "-o", "json").text, "granted is granted"
    assert deletion(engine, RICH, "two", propagationPolicy="Foreground").code == 0, "who may read may see the answer"


def _nobody_makes_tokens(engine: engines.Engine) -> None:
    kind = "kubernetes.io/service-account-token"
    notes = {"annotations": {"kubernetes.io/service-account.name": "default"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": "mint", **notes}}
    sealed = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "mint"}}
    asking = {**sealed, "spec": {"encryptedData": {}, "template": {"type": kind, "metadata": notes}}}
    for owner in (PLAIN, RICH):
        for manifest in (secret, asking):
            refused = acting(engine, owner, "apply" if manifest is asking else "create", "-f", "-",
                             stdin=json.dumps(manifest))  # fmt: skip
            assert "app owners make no tokens" in refused.text, refused.text
        hidden = {**sealed, "spec": {"data": "AgB="}}
        refused = acting(engine, owner, "apply", "-f", "-", stdin=json.dumps(hidden))
        assert "spec.data hides what kind of Secret it makes" in refused.text, refused.text
    controller = "--as=system:serviceaccount:sealed-secrets:sealed-secrets"
    refused = engine.kubectl("create", controller, "-n", PLAIN, "-f", "-", stdin=json.dumps(secret))
    assert "app owners make no tokens" in refused.text, f"whatever a SealedSecret asks for: {refused.text}"
    harmless = {**sealed, "spec": {"encryptedData": {}}}
    applied = acting(engine, PLAIN, "apply", "-f", "-", stdin=json.dumps(harmless))
    assert applied.code == 0, applied.text
    secret["metadata"]["name"] = "made-by-an-administrator"
    allowed = engine.kubectl("create", "-n", PLAIN, "-f", "-", stdin=json.dumps(secret))
    assert allowed.code == 0, f"the policy is for owners alone: {allowed.text}"


def _no_account_of_the_namespace_lifts_its_bounds(engine: engines.Engine) -> None:
    """Whatever rights a service account was given there: it is in the hands of whoever runs pods."""
    account = ("--serviceaccount", f"{RICH}:default")
    assert engine.kubectl("create", "clusterrolebinding", "far", "--clusterrole=cluster-admin", *account).code == 0
    inside = (f"--as=system:serviceaccount:{RICH}:default", "-n", RICH)
    try:
        for words, arguments in (
            ("its labels among it", ("label", "namespace", RICH, "gitops-platform/owner-")),
            ("its labels among it", ("label", "namespace", RICH, "pod-security.kubernetes.io/enforce-")),
            ("its labels among it", ("delete", "namespace", RICH, "--dry-run=server")),
            *(
                ("the rights and bounds", ("delete", kind, "app-owner", "--dry-run=server"))
                for kind in ("resourcequota", "limitrange", "networkpolicy", "rolebinding")
            ),
            ("the rights and bounds", ("label", "resourcequota", "app-owner", "a=b")),
            ("the rights and bounds", ("create", "rolebinding", "app-owner-more", "--clusterrole=admin", "--user=a")),
        ):
            refused = engine.kubectl(*arguments, *inside)
            assert refused.code != 0, f"{arguments}: {refused.text}"
            assert words in refused.text, refused.text
        allowed = engine.kubectl("create", "quota", "its-own", *inside)
        assert allowed.code == 0, f"objects with other names are whoever's may write them: {allowed.text}"
        assert engine.kubectl("delete", "quota", "its-own", "-n", RICH).code == 0
        other = engine.kubectl("label", "namespace", "default", "a=b", "--dry-run=server", *inside)
        assert other.code == 0, f"the policy is for owners' namespaces alone: {other.text}"
    finally:
        engine.kubectl("delete", "clusterrolebinding", "far")


def _none_goes_unconfirmed(engine: engines.Engine) -> None:
    with engine.changed_config(owned(OWNERS[0])):
        for command in ("preview", "up --yes --skip-preview"):
            refused = engine.pulumi(command)
            assert refused.code != 0
            assert f"confirmRemoval: [{RICH}]" in refused.text, refused.text
        assert namespace(engine, RICH), "nothing was changed"
    with engine.changed_config(owned({**OWNERS[0], "organization": "newcomer"}, *OWNERS[1:])):
        refused = engine.pulumi("preview")
        assert refused.code != 0
        assert f"namespace {PLAIN} moves from {OWNERS[0]['organization']} to newcomer" in refused.text, refused.text
        assert f"python -m ops access revoke lab {PLAIN}" in refused.text
    with engine.changed_config(owned(OWNERS[0], confirm=(RICH, "never-there"))):
        preview = engine.pulumi("preview")
        assert preview.code == 0, preview.text
        assert f"app owner removed: namespace {RICH}" in preview.text
        assert "confirmRemoval[1]: never-there is not there" in preview.text
        engine.up()
        assert namespace(engine, RICH) is None
        assert namespace(engine, PLAIN), "only the one that was named goes"
    with engine.changed_config(owned(confirm=(PLAIN,))):
        engine.up()
