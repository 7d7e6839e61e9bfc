"""What an app owner's namespace is made of, what its owner may do, and that none goes unsaid."""

from __future__ import annotations

import base64
import types
from typing import Any

import pulumi
import pytest
import yaml

import settings as config
from components.access import admission, app_owner, roles
from components.gitops import project
from preflight import owners
from settings import app_owners
from tests import recording

KINDS = "kubernetes:rbac.authorization.k8s.io/v1:"


def args(namespace: str = "til", **keys: Any) -> app_owner.AppOwnerArgs:
    return app_owner.AppOwnerArgs(
        organization=keys.pop("organization", "Til"), namespace=namespace, environment="dev", **keys
    )


def made(*wanted: app_owner.AppOwnerArgs) -> recording.Recording:
    def program() -> None:
        app_owner.create(wanted or [args()], pulumi.ResourceOptions())

    return recording.run(program)


def own(run: recording.Recording, name: str) -> list[recording.Registration]:
    """What the component of a namespace registered, itself included."""
    component = run.one("platform:access:AppOwner", name)
    return [r for r in run.resources if r is component or r.parent == component.urn]


def test_a_namespace_costs_four_resources() -> None:
    run = made(args("one"), args("two"))
    for name in ("one", "two"):
        assert sorted(r.type.rpartition(":")[2] for r in own(run, name)) == [
            "AppOwner", "Namespace", "RoleBinding", "ServiceAccount",
        ], "with 200 namespaces every further one is seconds"  # fmt: skip
    assert len(run.of_type("platform:access:Roles")) == 1, "what is the same for all is there once"


def test_nothing_is_made_where_nobody_owns_anything() -> None:
    assert recording.run(lambda: app_owner.create([], pulumi.ResourceOptions()) and None).resources == []


def test_the_namespace_says_whose_it_is_and_holds_pods_to_the_standard() -> None:
    namespace = made(args(pod_security="restricted")).one("kubernetes:core/v1:Namespace")
    assert namespace.inputs["metadata"]["labels"] == {
        "gitops-platform/owner": "Til",
        "gitops-platform/environment": "dev",
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    }


def test_the_rights_belong_to_the_service_account_which_no_pod_gets_unasked() -> None:
    run = made()
    account = run.one("kubernetes:core/v1:ServiceAccount").inputs
    assert account["metadata"]["name"] == "til-sa-dev"
    assert account["automountServiceAccountToken"] is False
    binding = run.one(f"{KINDS}RoleBinding").inputs
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "til-sa-dev", "namespace": "til"}]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "app-owner"}
    assert binding["metadata"]["namespace"] == "til", "a right holds in its own namespace only"


def test_more_rights_are_bindings_that_can_be_taken_away_again() -> None:
    run = made(args(read_secrets=True, exec=True))
    bound = {r.inputs["roleRef"]["name"] for r in run.of_type(f"{KINDS}RoleBinding")}
    assert bound == {"app-owner", "app-owner-reads-secrets", "app-owner-exec"}


def test_nobody_has_rights_before_what_bounds_them_is_there() -> None:
    run = made()
    needed = run.one(f"{KINDS}RoleBinding").dependencies
    policies = run.of_type("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding")
    assert len(policies) == 2
    assert {run.one("kubernetes:core/v1:Namespace").urn, *(policy.urn for policy in policies)} <= needed


def test_quota_limits_and_isolation_are_made_where_they_are_asked_for() -> None:
    run = made(args(quota={"pods": "9"}, limits={"default": {"cpu": "1"}}, isolation=True, ingress_namespace="traefik"))
    assert run.one("kubernetes:core/v1:ResourceQuota").inputs["spec"] == {"hard": {"pods": "9"}}
    limits = [{"type": "Container", "default": {"cpu": "1"}}]
    assert run.one("kubernetes:core/v1:LimitRange").inputs["spec"] == {"limits": limits}
    policy = run.one("kubernetes:networking.k8s.io/v1:NetworkPolicy").inputs["spec"]
    assert (policy["podSelector"], policy["policyTypes"]) == ({}, ["Ingress", "Egress"]), "closed both ways"
    inward = [{"podSelector": {}}, {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}]
    assert policy["ingress"] == [{"from": inward}]
    assert [port["port"] for rule in policy["egress"] for port in rule.get("ports", [])] == [53, 53]


def test_without_an_ingress_controller_no_other_namespace_reaches_in() -> None:
    assert app_owner.network_policy(None)["ingress"] == [{"from": [{"podSelector": {}}]}]


def test_a_permanent_token_becomes_a_kubeconfig_and_stays_secret() -> None:
    # Nothing of what goes in is marked as secret here: the component has to do it.
    made_secret: list[bool] = []

    async def look(kubeconfig: pulumi.Output[str]) -> None:
        made_secret.append(await kubeconfig.is_secret())

    def program() -> None:
        [owner] = app_owner.create([args(kubeconfig=recording.KUBECONFIG)], pulumi.ResourceOptions())
        assert owner.kubeconfig is not None
        pulumi.Output.from_input(look(owner.kubeconfig))

    run = recording.run(program)
    assert made_secret == [True], "or the token is in plain text in the state and on the screen"
    secret = run.one("kubernetes:core/v1:Secret").inputs
    assert secret["type"] == "kubernetes.io/service-account-token"
    assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "til-sa-dev"}
    data = {"token": base64.b64encode(b"forever").decode()}
    config = yaml.safe_load(app_owner.permanent_kubeconfig(args(), recording.KUBECONFIG, data))
    assert config["users"] == [{"name": "til-user-dev", "user": {"token": "forever"}}]
    assert config["current-context"] == "til-dev"


ALL_RULES = [*roles.RULES, *roles.SECRETS_RULES, *roles.EXEC_RULES]
NEVER = [
    ("create", "serviceaccounts/token"), ("patch", "namespaces"), ("update", "namespaces"), ("create", "pods"),
    ("create", "rolebindings"), ("get", "services/proxy"), ("create", "services/proxy"),
    ("create", "pods/attach"), ("get", "nodes/proxy"), ("get", "pods/proxy"), ("deletecollection", "secrets"),
]  # fmt: skip


def grants(rules: list[dict[str, Any]], verb: str, resource: str, group: str = "") -> bool:
    return any(
        {verb, "*"} & set(rule["verbs"]) and group in rule["apiGroups"] and {resource, "*"} & set(rule["resources"])
        for rule in rules
    )


def test_no_rule_has_a_verb_that_leads_up_whatever_it_is_for() -> None:
    verbs = {verb for rule in ALL_RULES for verb in rule["verbs"]}
    assert not verbs & {"*", "escalate", "bind", "impersonate", "approve", "sign"}
    assert verbs <= {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}


@pytest.mark.parametrize(("verb", "resource"), NEVER)
def test_no_rule_opens_a_way_up(verb: str, resource: str) -> None:
    groups = {group for rule in ALL_RULES for group in rule["apiGroups"]} - {"bitnami.com", "traefik.io"}
    assert "*" not in {group for rule in ALL_RULES for group in rule["apiGroups"]}
    assert not any(grants(ALL_RULES, verb, resource, group) for group in groups)


@pytest.mark.parametrize("verb", ["get", "list", "watch", "update", "patch", "deletecollection"])
def test_without_the_right_to_read_no_verb_answers_with_a_secret(verb: str) -> None:
    assert not grants(roles.RULES, verb, "secrets"), "the answer holds the content"


def test_the_policies_hold_for_whoever_acts_for_an_owner_and_for_what_is_an_owners_alone() -> None:
    owned = {"matchExpressions": [{"key": "gitops-platform/owner", "operator": "Exists"}]}
    assert admission.binding_spec()["matchResources"] == {"namespaceSelector": owned}
    assert admission.namespace_binding_spec()["matchResources"] == {"objectSelector": owned}, (
        "a namespaceSelector is given the labels that are to be, and so never sees the owner's taken off"
    )
    made = {r.name: r.inputs["spec"] for r in made_policies()}
    assert made["app-owner"]["matchConditions"][0]["expression"].startswith(
        "[request.namespace, 'argocd', 'sealed-secrets'].exists("
    )
    assert made["app-owner-namespace"]["matchConditions"][0]["expression"].startswith("[request.name, 'argocd'")


def made_policies() -> list[recording.Registration]:
    return made().of_type("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy")


OWNER = project.Owner("til", ["apps/Deployment", "Service"], "Example:til-devs")


def test_an_owners_project_reaches_its_own_and_nothing_of_the_cluster() -> None:
    spec = project.spec("til", project.ProjectArgs(["https://git/b", "https://git/a"], ["til"], owner=OWNER))
    assert spec["sourceRepos"] == ["https://git/a", "https://git/b"]
    assert spec["destinations"] == [{"server": "https://kubernetes.default.svc", "namespace": "til"}]
    assert spec["clusterResourceWhitelist"] == [], "a Namespace among them would be its way around Pod Security"
    assert {(kind["group"], kind["kind"]) for kind in spec["namespaceResourceBlacklist"]} == {
        ("", "ResourceQuota"), ("", "LimitRange"),
        ("rbac.authorization.k8s.io", "Role"), ("rbac.authorization.k8s.io", "RoleBinding"),
        ("argoproj.io", "Application"), ("argoproj.io", "ApplicationSet"), ("argoproj.io", "AppProject"),
    }, "Argo CD may bind any role, so an owner's repository must not ask for it"  # fmt: skip
    assert spec["namespaceResourceWhitelist"] == [
        {"group": "apps", "kind": "Deployment"}, {"group": "", "kind": "Service"},
    ]  # fmt: skip


@pytest.mark.parametrize("kind", project.spec("til", project.ProjectArgs([], [], owner=OWNER))[
    "namespaceResourceBlacklist"
], ids=lambda kind: kind["kind"])  # fmt: skip
def test_what_the_project_refuses_is_refused_in_the_stack_file_too(kind: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=kind["kind"]):
        app_owners.OwnerArgocd.model_validate(
            {"repositories": ["https://git/a/b"], "allowedKinds": [f"{kind['group']}/{kind['kind']}".lstrip("/")]}
        )


def test_a_project_without_chosen_kinds_takes_all_that_belong_to_a_namespace() -> None:
    spec = project.spec("til", project.ProjectArgs(["https://git/a"], ["til"], owner=project.Owner("til")))
    assert "namespaceResourceWhitelist" not in spec
    assert "roles" not in spec, "without a team nobody signs in for it"


def test_a_team_sees_and_syncs_its_own_applications_and_nothing_else() -> None:
    [role] = project.spec("til", project.ProjectArgs(["https://git/a"], ["til"], owner=OWNER))["roles"]
    assert role["groups"] == ["Example:til-devs"]
    assert role["policies"] == [
        "p, proj:til:team, applications, get, til/*, allow",
        "p, proj:til:team, applications, sync, til/*, allow",
        "p, proj:til:team, logs, get, til/*, allow",
    ]


BEFORE, WANTED = {"one": "A", "two": "B"}, {"two": "B", "three": "C"}


def test_a_preview_names_who_comes_and_who_goes() -> None:
    assert list(owners.changes(BEFORE, WANTED)) == [
        "app owner added: namespace three of C",
        "app owner removed: namespace one of A, with all in it",
    ]
    assert list(owners.changes(BEFORE, BEFORE)) == []


@pytest.mark.parametrize("confirmed", [[], ["two"], ["gone"], ["one"], ["gone", "one", "two"]])
def test_a_namespace_goes_only_where_its_removal_is_confirmed(confirmed: list[str]) -> None:
    refused = list(owners.unconfirmed(BEFORE, WANTED, confirmed))
    assert bool(refused) is ("one" not in confirmed)
    assert all("confirmRemoval: [one]" in one.fix for one in refused), "what to write is said in full"


def test_several_that_go_are_one_mistake_with_all_their_names() -> None:
    [refused] = owners.unconfirmed(BEFORE, {}, [])
    assert "one, two are gone" in refused.problem
    assert "confirmRemoval: [one, two]" in refused.fix


def test_a_confirmation_that_is_over_is_told() -> None:
    assert [w.path for w in owners.stale(BEFORE, WANTED, ["one", "gone", "two"])] == ["confirmRemoval[1]"]


def test_a_namespace_that_moves_to_another_organization_is_named_and_confirmed() -> None:
    before, wanted = {"one": "A", "two": "B"}, {"one": "C", "two": "B"}
    moves = "namespace one moves from A to C"
    assert [moves in line for line in owners.changes(before, wanted)] == [True]
    [refused] = owners.unconfirmed(before, wanted, ["two"])
    assert moves in refused.problem
    assert "confirmRemoval: [one]" in refused.fix
    assert "kubeconfigs of A stay valid until `python -m ops access revoke" in refused.fix
    assert list(owners.unconfirmed(before, wanted, ["one"])) == []


@pytest.mark.parametrize("confirmed", [[], ["one"]])
def test_who_moves_a_namespace_is_told_of_the_former_owners_tokens(
    confirmed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "recorded", lambda: {"one": "A"})
    owner = config.AppOwner(organization="new", namespaces=["one"])
    given = types.SimpleNamespace(app_owners=[owner], confirm_removal=confirmed)
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    found = list(owners.problems(given))  # type: ignore[arg-type]
    assert (len(found), len(warned)) == (0 if confirmed else 1, 1 if confirmed else 0)
    assert "access revoke" in [*map(str, found), *warned][0]


def test_a_stack_that_was_never_up_has_no_owners() -> None:
    found: list[dict[str, str]] = []
    recording.run(lambda: found.append(owners.recorded()))
    assert found == [{}]
