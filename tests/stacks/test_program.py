"""Every committed stack file, run through the whole program: what it would make."""

from __future__ import annotations

import json
import pathlib
from collections import Counter

import pulumi
import pytest
import yaml

from tests import recording

STACKS = sorted(file.name.split(".")[1] for file in recording.PROJECT.glob("Pulumi.*.yaml"))


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONOS_TOKEN", "token-of-a-test")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id-of-a-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-a-test")


def config(stack: str) -> dict[str, str]:
    """A stack file's config as the engine hands it over: texts, everything else as JSON."""
    document = yaml.safe_load((recording.PROJECT / f"Pulumi.{stack}.yaml").read_text())
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in document["config"].items()}


def environment(stack: str, **more: object) -> recording.Recording:
    sections = {f"gitops-platform:{key}": json.dumps(value) for key, value in more.items()}
    return recording.run_main(stack, {**config(stack), **sections})


def test_the_four_environments_and_the_lab_are_there() -> None:
    assert STACKS == ["dev", "dev2", "lab", "prd", "sbx"]


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_makes_the_whole_environment(stack: str) -> None:
    run = environment(stack)
    assert len(run.resources) <= 100, "a default stack is at most 100 resources"
    applications = {r.name for r in run.of_type("kubernetes:argoproj.io/v1alpha1:Application")}
    assert applications == {"sealed-secrets", "ingress-nginx", "external-dns", "cert-manager"}
    assert run.one("kubernetes:helm.sh/v3:Release").name == "argocd"
    pools = {r.inputs["name"] for r in run.of_type("ionoscloud:k8s/nodePool:NodePool")}
    assert pools == {"default-pool", "ingress-pool"}
    assert f"letsencrypt-{stack}-issuer" in run.outputs["clusterIssuers"]
    assert run.outputs["environment"] == stack
    assert run.secret_outputs == {"kubeconfig"}


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_uses_an_explicit_provider_and_has_a_parent(stack: str) -> None:
    for resource in environment(stack).resources:
        if resource.type.startswith(("pulumi:providers:", "platform:")):
            continue
        assert resource.provider, f"{resource.type} {resource.name} would use whatever the shell points at"
        assert "platform:" in resource.parent, f"{resource.type} {resource.name} belongs to no component"


@pytest.mark.parametrize("stack", STACKS)
def test_only_production_is_protected(stack: str) -> None:
    run = environment(stack)
    protected = Counter(r.type.split(":")[0] for r in run.resources if r.protect)
    expected = {"ionoscloud": 5, "aws": 1, "tls": 2} if stack == "prd" else {}
    assert protected == expected


def test_each_environments_records_have_an_owner_of_their_own() -> None:
    owners = set()
    for stack in STACKS:
        application = environment(stack).one("kubernetes:argoproj.io/v1alpha1:Application", "external-dns")
        owners.add(application.inputs["spec"]["source"]["helm"]["valuesObject"]["txtOwnerId"])
    assert len(owners) == len(STACKS), "a shared owner id lets one environment delete another's records"


def test_add_ons_wait_for_what_they_need_and_for_nothing_else() -> None:
    run = environment("sbx")
    made = {r.urn: r for r in run.resources}

    def needs(name: str) -> set[str]:
        application = run.one("kubernetes:argoproj.io/v1alpha1:Application", name)
        return {f"{made[urn].type.rsplit(':', 1)[1]}/{made[urn].name}" for urn in application.dependencies
                if not made[urn].type.startswith(("platform:", "aws:", "ionoscloud:"))}  # fmt: skip

    project = "AppProject/platform"
    assert needs("sealed-secrets") == {project, "Namespace/sealed-secrets", "Secret/sealing-key",
                                       "PrivateKey/sealing-key", "SelfSignedCert/sealing-key"}  # fmt: skip
    assert needs("ingress-nginx") == {project, "Namespace/ingress-nginx"}
    assert needs("cert-manager") == {project, "Namespace/cert-manager"}
    assert {project, "Namespace/external-dns", "Secret/dns-credentials-external-dns"} <= needs("external-dns")
    issuer = run.one("kubernetes:cert-manager.io/v1:ClusterIssuer", "letsencrypt-sbx-issuer")
    assert {made[urn].name for urn in issuer.dependencies} >= {"cert-manager", "dns-credentials-cert-manager"}


def test_argo_cds_way_in_comes_after_the_controllers_that_clean_up_behind_it() -> None:
    run = environment("sbx")
    made = {r.urn: r for r in run.resources}
    ingress = run.one("kubernetes:networking.k8s.io/v1:Ingress")
    needed = {made[urn].name for urn in ingress.dependencies}
    assert {"ingress-nginx", "external-dns", "cert-manager", "letsencrypt-sbx-issuer", "argocd"} <= needed


def test_argo_cd_knows_the_environment_from_its_start() -> None:
    run = environment("sbx")
    cluster = run.one("kubernetes:core/v1:Secret", "connections-cluster")
    zone = run.outputs["dns"]["zoneId"]
    assert cluster.inputs["metadata"]["annotations"] == {
        "environment": "sbx", "domain": "dome-marketplace-sbx.org", "dns_zone_id": zone,
        "cluster_issuer": "letsencrypt-sbx-issuer", "ingress_class": "nginx",
    }  # fmt: skip
    assert cluster.urn in run.one("kubernetes:helm.sh/v3:Release").dependencies


@pytest.mark.parametrize("stack", STACKS)
def test_no_committed_stack_hands_over(stack: str) -> None:
    projects = environment(stack).of_type("kubernetes:argoproj.io/v1alpha1:AppProject")
    assert "root-project" not in {r.name for r in projects}, "Argo CD would delete what CI has applied and Git lacks"


def test_the_root_application_comes_after_every_add_on_and_owner() -> None:
    sources = {"repositories": ["https://github.com/o/r"]}
    owner = {"organization": "till-company", "namespaces": ["till"], "argocd": sources}
    given = {
        **config("sbx"),
        "gitops-platform:appOwners": json.dumps([owner]),
        "gitops-platform:gitops": json.dumps({"repository": "https://github.com/o/r", "handOver": True}),
        "gitops-platform:gitopsToken": "token-canary",
    }
    run = recording.run_main("sbx", given, ("gitops-platform:gitopsToken",))
    made = {r.urn: r for r in run.resources}
    root = run.one("kubernetes:argoproj.io/v1alpha1:Application", "root")
    assert root.inputs["spec"]["source"]["path"] == "applications_sbx"
    before = {made[urn].name for urn in root.dependencies}
    assert {"sealed-secrets", "ingress-nginx", "external-dns", "cert-manager", "argocd-access"} <= before
    kinds = {f"{made[urn].type.rsplit(':', 1)[1]}/{made[urn].name}" for urn in root.dependencies}
    assert {"RoleBinding/till", "AppProject/till-company"} <= kinds, "Applications in Git name owners' projects"
    repository = run.one("kubernetes:core/v1:Secret", "connections-repository")
    assert repository.inputs["stringData"]["password"] == "token-canary"
    assert "stringData" in repository.secrets
    assert repository.urn in run.one("kubernetes:helm.sh/v3:Release").dependencies


def test_external_dnss_last_run_comes_before_its_credentials_go() -> None:
    zone = "Z0123456789ABCDEFGHIJ"
    domain = {"name": "lab.example.org", "zoneId": zone}
    dns = {"provider": "route53", "region": "eu-central-1", "domains": [domain, "other.example.org"]}
    given = {**config("lab"), "gitops-platform:dns": json.dumps(dns)}
    run = recording.run_main("lab", given, zones={zone: "lab.example.org"})
    made = {r.urn: r for r in run.resources}
    release = run.one("kubernetes:helm.sh/v3:Release")
    needed = {made[urn].name for urn in release.dependencies}
    assert "dns-credentials-external-dns" in needed, "what Argo CD's release needs, goes after it"
    *_, job = release.inputs["values"]["extraObjects"]
    assert job["metadata"]["namespace"] == "external-dns"
    assert f"--zone-id-filter={zone}" in job["spec"]["template"]["spec"]["containers"][0]["args"]


def test_zones_of_its_own_need_no_last_run() -> None:
    release = environment("sbx").one("kubernetes:helm.sh/v3:Release")
    assert "extraObjects" not in release.inputs["values"], "Route53 deletes them with their records"


def test_two_domains_are_two_zones_and_both_controllers_may_use_them() -> None:
    run = environment("sbx")
    assert {r.inputs["name"] for r in run.of_type("aws:route53/zone:Zone")} == {
        "dome-marketplace-sbx.org", "dome-marketplace.io",
    }  # fmt: skip
    for user in ("external-dns", "cert-manager"):
        policy = run.one("aws:iam/userPolicy:UserPolicy", user).inputs["policy"]
        for zone in run.outputs["dns"]["zones"]:
            assert zone["zoneId"] in policy


def test_traefik_takes_the_place_of_ingress_nginx() -> None:
    run = environment("lab", addons={"ingress": {"controller": "traefik"}, "certManager": {"server": "staging"}})
    assert "traefik" in run.outputs["addons"]
    ingress = run.one("kubernetes:networking.k8s.io/v1:Ingress")
    assert ingress.inputs["spec"]["ingressClassName"] == "traefik"
    issuer = run.one("kubernetes:cert-manager.io/v1:ClusterIssuer", "letsencrypt-lab-issuer-http01")
    solver = issuer.inputs["spec"]["acme"]["solvers"][0]["http01"]["ingress"]
    key = "traefik.ingress.kubernetes.io/router.entrypoints"
    assert solver["ingressTemplate"]["metadata"]["annotations"][key] == "web", "challenges come over plain HTTP"
    assert not any("retired" in warning for warning in run.warnings)


def test_ingress_nginx_comes_with_one_warning_of_its_retirement() -> None:
    assert sum("retired" in warning for warning in environment("lab").warnings) == 1


def test_the_ingress_has_a_name_of_its_own_where_somebody_writes_it() -> None:
    key = "external-dns.alpha.kubernetes.io/hostname"
    for dns, expected in ((True, "ingress.lab.example.org"), (False, None)):
        run = environment("lab", addons={"externalDns": {"enabled": dns}})
        application = run.one("kubernetes:argoproj.io/v1alpha1:Application", "ingress-nginx")
        service = application.inputs["spec"]["source"]["helm"]["valuesObject"]["controller"]["service"]
        assert service["annotations"].get(key) == expected


def test_an_add_on_that_is_off_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    off = {name: {"enabled": False} for name in ("sealedSecrets", "ingress", "externalDns", "certManager")}
    run = environment("lab", addons=off)
    assert run.of_type("kubernetes:argoproj.io/v1alpha1:Application") == []
    owned = set(run.outputs["appOwners"])
    assert {r.name for r in run.of_type("kubernetes:core/v1:Namespace")} - owned == {"argocd"}
    assert run.outputs["addons"] == {}
    assert run.outputs["clusterIssuers"] == []


TEAMS = {
    "sbx": {"marketplace", "dome-trust"},
    "dev": {"marketplace", "dome-trust", "in2"},
    "dev2": {"marketplace", "dome-trust", "digitelts", "til"},
    "prd": {"marketplace", "dome-trust", "in2", "digitelts", "til", "dome-certification", "zammad"},
}


@pytest.mark.parametrize("stack", TEAMS)
def test_every_team_has_its_namespace_and_no_more_rights_than_it_needs(stack: str) -> None:
    found = environment(stack).outputs["appOwners"]
    assert set(found) == TEAMS[stack]
    assert found["marketplace"] == {
        "organization": "marketplace",
        "serviceAccount": f"marketplace-sa-{stack}",
        "user": f"marketplace-user-{stack}",
        "context": f"marketplace-{stack}",
        "readSecrets": False,
        "exec": False,
        "permanentToken": False,
    }
    for owner in found.values():
        assert not any([owner["readSecrets"], owner["exec"], owner["permanentToken"]])


def test_an_owners_project_comes_after_argo_cd_and_its_namespace_needs_no_argo_cd() -> None:
    run = environment("lab")
    made = {r.urn: r for r in run.resources}
    applications = run.one("kubernetes:argoproj.io/v1alpha1:AppProject", "marketplace")
    assert "argocd" in {made[urn].name for urn in applications.dependencies if urn in made}
    namespace = run.one("kubernetes:core/v1:Namespace", "marketplace")
    assert not [made[urn].name for urn in namespace.dependencies], "owners come in parallel with everything else"


def test_a_permanent_token_is_a_secret_output_of_its_owner_alone() -> None:
    given = [{"organization": "a", "namespaces": ["a"], "permanentToken": True},
             {"organization": "b", "namespaces": ["b"]}]  # fmt: skip
    run = environment("lab", appOwners=given)
    assert run.secret_outputs == {"kubeconfig", "appOwnerKubeconfigs.a"}
    assert list(run.outputs["appOwnerKubeconfigs"]) == ["a"]
    assert "token: forever" in run.outputs["appOwnerKubeconfigs"]["a"]
    assert [r.inputs["metadata"]["name"] for r in run.of_type("kubernetes:core/v1:Secret")
            if r.inputs.get("type") == "kubernetes.io/service-account-token"] == ["a-sa-lab-token"]  # fmt: skip
    assert run.outputs["appOwners"]["a"]["permanentToken"]


def test_ionos_dns_needs_no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    given = {
        **config("lab"),
        "gitops-platform:dns": json.dumps({"provider": "ionos", "domains": ["lab.example.org"]}),
        "gitops-platform:addons": json.dumps({}),
        "gitops-platform:ionosDnsToken": "dns-token-canary",
    }
    run = recording.run_main("lab", given, ("gitops-platform:ionosDnsToken",))
    assert not [r for r in run.resources if r.type.startswith("aws:") or "aws" in r.name]
    *_, job = run.one("kubernetes:helm.sh/v3:Release").inputs["values"]["extraObjects"]
    assert job["metadata"]["name"] == "external-dns-last-run", "IONOS DNS's zones were there before, and stay"
    assert "dns-token-canary" not in json.dumps(job)
    secret = run.one("kubernetes:core/v1:Secret", "dns-credentials-external-dns")
    assert secret.inputs["stringData"] == {"token": "dns-token-canary"}
    assert "stringData" in secret.secrets


def test_an_existing_cluster_is_asked_before_anything_is_made(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(recording.KUBECONFIG)
    cluster = {"provider": "existing", "name": "factory-1", "kubeconfigPath": str(kubeconfig)}
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    with pytest.raises(SystemExit):
        environment("lab", cluster=cluster)
    assert "127.0.0.1:1" in said[0]
