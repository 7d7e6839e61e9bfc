"""Every committed stack file, run through the whole program: what it would make."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections import Counter

import pulumi
import pytest
import typer.testing
import yaml

import settings
from components.addons import cluster_wide
from ops import __main__ as ops
from tests import recording

STACKS = sorted(file.name.split(".")[1] for file in recording.PROJECT.glob("Pulumi.*.yaml"))


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONOS_TOKEN", "token-of-a-test")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id-of-a-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-a-test")


def config(stack: str, folder: pathlib.Path = recording.PROJECT) -> dict[str, str]:
    """A stack file's config as the engine hands it over: texts, everything else as JSON."""
    document = yaml.safe_load((folder / f"Pulumi.{stack}.yaml").read_text())
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in document["config"].items()}


def environment(stack: str, **more: object) -> recording.Recording:
    sections = {f"gitops-platform:{key}": json.dumps(value) for key, value in more.items()}
    return recording.run_main(stack, {**config(stack), **sections})


def test_the_four_environments_and_the_lab_are_there() -> None:
    assert {"dev", "dev2", "lab", "prd", "sbx"} <= set(STACKS)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_name_outside_the_zones_is_proved_by_http01_only_where_an_ingress_answers(enabled: bool) -> None:
    run = environment("sbx", addons={"ingress": {"controller": "ingress-nginx", "enabled": enabled}})
    issuer = run.one("kubernetes:cert-manager.io/v1:ClusterIssuer", "letsencrypt-sbx-issuer")
    solvers = [next(key for key in solver if key != "selector") for solver in issuer.inputs["spec"]["acme"]["solvers"]]
    zones = len(json.loads(config("sbx")["gitops-platform:dns"])["domains"])
    assert solvers == ["dns01"] * zones + ["http01"] * enabled
    run.one("kubernetes:cert-manager.io/v1:ClusterIssuer", "letsencrypt-sbx-issuer-http01")


def assert_whole(run: recording.Recording, stack: str, given: dict[str, str]) -> None:
    """That a run made what these settings ask for: each add-on that is on, each pool."""
    sections = {key.partition(":")[2]: json.loads(value) for key, value in given.items() if value[:1] in "{["}
    wanted = settings.parse(sections, stack, {"ionosDnsToken"})
    addons = {
        "sealed-secrets": wanted.addons.sealed_secrets, wanted.addons.ingress.controller: wanted.addons.ingress,
        "external-dns": wanted.addons.external_dns, "cert-manager": wanted.addons.cert_manager,
    }  # fmt: skip
    on = {name for name, addon in addons.items() if addon.enabled}
    applications = {r.name for r in run.of_type("kubernetes:argoproj.io/v1alpha1:Application")}
    assert applications - {"root"} == on
    assert set(run.outputs["addons"]) == on
    assert run.one("kubernetes:helm.sh/v3:Release").name == "argocd"
    pools = {r.inputs["name"] for r in run.of_type("ionoscloud:k8s/nodePool:NodePool")}
    assert pools >= ({"default-pool", "ingress-pool"} if wanted.cluster.provider == "ionos" else set())
    assert bool(pools) == (wanted.cluster.provider == "ionos")
    if "cert-manager" in on:
        name = wanted.addons.cert_manager.issuer.name or f"letsencrypt-{stack}-issuer"
        assert run.outputs["clusterIssuers"][0] == name, "consumers take the first"
        acme = run.one("kubernetes:cert-manager.io/v1:ClusterIssuer", name).inputs["spec"]["acme"]
        assert acme["server"] == wanted.addons.cert_manager.server_url
    assert run.outputs["environment"] == stack
    assert "kubeconfig" in run.secret_outputs


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_makes_the_whole_environment(stack: str) -> None:
    run = environment(stack)
    assert len(run.resources) - len(of_owners(run)) <= 80, (
        "each resource costs time at every preview; an owner's namespace is four more"
    )
    assert_whole(run, stack, config(stack))


def of_owners(run: recording.Recording) -> list[recording.Registration]:
    """What is there once more for every namespace of an app owner."""
    components = {r.urn for r in run.of_type("platform:access:AppOwner")}
    return [r for r in run.resources if r.urn in components or r.parent in components]


def test_an_app_owners_namespace_is_four_resources() -> None:
    run = environment("prd")
    assert len(of_owners(run)) == 4 * len(run.outputs["appOwners"]), "component, Namespace, account, binding"


REQUESTS_GIB = {"sbx": 22.5, "dev": 16.9, "dev2": 17.6, "prd": 30.9}
"""The memory that Applications of each environment ask for in the GitOps repository."""
PLATFORM_GIB = 3
"""Argo CD, the add-ons, and the cloud's own pods on the nodes."""


def usable_gib(ram_mb: int) -> float:
    """What pods get of a node: without the kubelet's and the system's reserve."""
    return ram_mb / 1024 * 0.85 - 0.5


@pytest.mark.parametrize(("stack", "requests"), REQUESTS_GIB.items(), ids=REQUESTS_GIB)
def test_an_environments_nodes_hold_what_git_asks_for(stack: str, requests: float) -> None:
    run = environment(stack)
    pool = run.one("ionoscloud:k8s/nodePool:NodePool", "cluster-default-pool").inputs
    nodes = pool["nodeCount"] - 1
    assert nodes * usable_gib(pool["ramSize"]) >= requests + PLATFORM_GIB, "while one node is replaced, or lost"
    assert all(p.inputs["storageSize"] >= 30 for p in run.of_type("ionoscloud:k8s/nodePool:NodePool")), (
        "10 GB are full with the images"
    )


NAMESPACES = {
    "analytics", "billing", "chatbot", "cs-identity", "digitelts", "dome-certification", "dome-trust", "in2",
    "knowledgebase", "mail-relay", "marketplace", "search-engine", "til", "zammad", "zammad2",
}  # fmt: skip
"""What the repository's Applications deploy into, besides the platform's own namespaces."""


@pytest.mark.parametrize("stack", REQUESTS_GIB)
def test_every_team_namespace_is_made_and_its_applications_pods_are_let_in(stack: str) -> None:
    run = environment(stack)
    assert set(run.outputs["appOwners"]) == NAMESPACES, "an Application of another one never gets healthy"
    made = {r.inputs["metadata"]["name"]: r for r in run.of_type("kubernetes:core/v1:Namespace")}
    free = {
        name
        for name in NAMESPACES
        if made[name].inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    }
    with_host_ports = {"marketplace", "billing"} if stack == "prd" else {"marketplace"}
    with_privileged_containers = {"search-engine", "zammad", "zammad2"}
    assert free == with_host_ports | with_privileged_containers, (
        "baseline refuses their pods, and needs no exception else"
    )


DOMAINS = {
    "sbx": ["dome-marketplace-sbx.org", "dome-marketplace.io"],
    "dev": ["dome-marketplace-dev.org"],
    "dev2": ["dome-marketplace-dev2.org"],
    "prd": ["dome-marketplace-prd.org", "dome-marketplace.org", "dome-marketplace.eu", "yumket.eu"],
}


@pytest.mark.parametrize(("stack", "domains"), DOMAINS.items(), ids=DOMAINS)
def test_an_environment_serves_all_its_domains_with_the_issuer_that_is_in_use(stack: str, domains: list[str]) -> None:
    run = environment(stack)
    assert [zone["name"] for zone in run.outputs["dns"]["zones"]] == domains
    acme = run.one("kubernetes:cert-manager.io/v1:ClusterIssuer", f"letsencrypt-{stack}-issuer").inputs["spec"]["acme"]
    assert [list(solver) for solver in acme["solvers"] if "http01" in solver] == [["http01"]], "for hosts of any domain"
    assert acme["server"] == "https://acme-v02.api.letsencrypt.org/directory"


@pytest.mark.parametrize("stack", REQUESTS_GIB)
def test_every_node_reaches_the_managed_databases(stack: str) -> None:
    run = environment(stack)
    lan = run.one("ionoscloud:compute/lan:Lan")
    assert not lan.inputs["public"]
    assert run.outputs["cluster"]["lans"] == {"databases": {"id": "5", "cidr": "10.7.5.0/24"}}
    for pool in run.of_type("ionoscloud:k8s/nodePool:NodePool"):
        assert pool.inputs["lans"] == [{"id": 5, "dhcp": True}], pool.name


@pytest.mark.parametrize("controller", ["traefik", "ingress-nginx"])
@pytest.mark.parametrize(
    "flags",
    [
        "--provider ionos --kubernetes-version 1.34.3",
        "--provider ionos --kubernetes-version 1.34.3 --dns ionos",
        "--provider existing --cluster-name factory-1 --kubeconfig-path KUBECONFIG",
    ],
    ids=["ionos", "ionos-dns", "existing"],
)
def test_a_generated_stack_makes_the_whole_environment(
    flags: str, controller: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(recording.KUBECONFIG)
    monkeypatch.setattr("preflight.cluster.problems", lambda *_, **__: iter(()))  # no API server is asked
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(recording.PROJECT / name, tmp_path)
    words = ["--directory", str(tmp_path), "--domain", "dev3.example.org", "--ingress", controller, "--non-interactive"]
    given = flags.replace("KUBECONFIG", str(kubeconfig)).split()
    written = typer.testing.CliRunner().invoke(ops.app, ["new-environment", "dev3", *words, *given])
    assert written.exit_code == 0, written.output
    made = config("dev3", tmp_path)
    secrets = {"gitops-platform:ionosDnsToken": "token"} if "--dns ionos" in flags else {}
    run = recording.run_main("dev3", {**made, **secrets}, tuple(secrets))
    assert_whole(run, "dev3", made)
    assert controller in run.outputs["addons"]


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
    expected = {"ionoscloud": 6, "aws": 4, "tls": 2} if stack == "prd" else {}
    assert protected == expected


def test_each_environments_records_have_an_owner_of_their_own() -> None:
    owners = [
        application.inputs["spec"]["source"]["helm"]["valuesObject"]["txtOwnerId"]
        for stack in STACKS
        for application in environment(stack).of_type("kubernetes:argoproj.io/v1alpha1:Application")
        if application.name == "external-dns"
    ]
    assert len(owners) >= len(REQUESTS_GIB)
    assert len(set(owners)) == len(owners), "a shared owner id lets one environment delete another's records"


NGINX = {"ingress": {"controller": "ingress-nginx"}}


def test_two_stacks_with_one_environment_name_do_not_share_an_owner() -> None:
    owners = set()
    for stack in ("dev", "dev2"):
        run = recording.run_main(stack, {**config(stack), "gitops-platform:environment": "dev"})
        application = run.one("kubernetes:argoproj.io/v1alpha1:Application", "external-dns")
        owners.add(application.inputs["spec"]["source"]["helm"]["valuesObject"]["txtOwnerId"])
    assert owners == {"gitops-platform-dev", "gitops-platform-dev2"}, "on one zone they would delete each other's"


def test_add_ons_wait_for_what_they_need_and_for_nothing_else() -> None:
    run = environment("sbx", addons=NGINX)
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
    run = environment("sbx", addons=NGINX)
    made = {r.urn: r for r in run.resources}
    ingress = run.one("kubernetes:networking.k8s.io/v1:Ingress")
    needed = {made[urn].name for urn in ingress.dependencies}
    assert {"ingress-nginx", "external-dns", "cert-manager", "letsencrypt-sbx-issuer", "argocd"} <= needed


def test_argo_cd_knows_the_environment_from_its_start() -> None:
    run = environment("sbx", addons=NGINX)
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
        "gitops-platform:addons": json.dumps(NGINX),
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
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete", "records in a zone that stays are not left"
    assert f"--zone-id-filter={zone}" in job["spec"]["template"]["spec"]["containers"][0]["args"]


def test_zones_of_its_own_are_emptied_as_well_and_go_even_when_they_are_not_empty() -> None:
    run = environment("sbx")
    *_, job = run.one("kubernetes:helm.sh/v3:Release").inputs["values"]["extraObjects"]
    hook = job["metadata"]["annotations"]["helm.sh/hook"]
    assert hook == "post-delete", "a run that fails must not keep what would go without it"
    given = job["spec"]["template"]["spec"]["containers"][0]["args"]
    for zone in run.outputs["dns"]["zones"]:
        assert f"--zone-id-filter={zone['zoneId']}" in given
    for zone in run.of_type("aws:route53/zone:Zone"):
        assert zone.inputs["forceDestroy"], "with a lost cluster nobody empties it"


def test_without_external_dns_there_is_no_last_run() -> None:
    release = environment("lab", addons={"externalDns": {"enabled": False}}).one("kubernetes:helm.sh/v3:Release")
    assert "extraObjects" not in release.inputs["values"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_add_ons_project_allows_their_charts_and_namespaces_and_nothing_else(stack: str) -> None:
    run = environment(stack)
    spec = run.one("kubernetes:argoproj.io/v1alpha1:AppProject", "platform").inputs["spec"]
    used, spaces = set(), set()
    for name in run.outputs["addons"]:
        wanted = run.one("kubernetes:argoproj.io/v1alpha1:Application", name).inputs["spec"]
        used.add(wanted["source"]["repoURL"])
        spaces.add(wanted["destination"]["namespace"])
    assert set(spec["sourceRepos"]) == used, "it may make anything cluster-wide: the GitOps repository is not in it"
    assert {each["namespace"] for each in spec["destinations"]} == spaces


def test_values_from_the_gitops_repository_are_read_and_allowed_where_an_add_on_asks_for_them() -> None:
    repository = "https://github.com/o/r"
    run = environment(
        "sbx",
        gitops={"repository": repository, "revision": "v7"},
        addons={"certManager": {"valuesFrom": {"path": "ionos_sbx/cert-manager/values.yaml"}, "server": "staging"}},
    )
    spec = run.one("kubernetes:argoproj.io/v1alpha1:Application", "cert-manager").inputs["spec"]
    chart, values = spec["sources"]
    assert values == {"repoURL": repository, "targetRevision": "v7", "ref": "values"}
    assert chart["helm"]["valueFiles"] == ["$values/ionos_sbx/cert-manager/values.yaml"]
    assert "sources" not in run.one("kubernetes:argoproj.io/v1alpha1:Application", "external-dns").inputs["spec"]
    project = run.one("kubernetes:argoproj.io/v1alpha1:AppProject", "platform").inputs["spec"]
    assert repository in project["sourceRepos"]


def test_the_cluster_is_reached_as_one_that_this_program_made() -> None:
    run = environment("sbx")
    provider = run.one("pulumi:providers:kubernetes")
    cluster = run.one("ionoscloud:k8s/cluster:Cluster")
    assert provider.inputs["clusterIdentifier"] == f"{cluster.name}-id", (
        "without it a kubeconfig that is unknown at preview replaces everything in the cluster"
    )
    switches = ("enableConfigMapMutable", "enableSecretMutable", "enablePatchForce", "upsertExistingObjects")
    assert [provider.inputs[switch] for switch in switches] == ["true"] * 4
    assert "kubeconfig" in provider.secrets


def test_maintenance_and_the_api_allow_list_reach_ionos() -> None:
    given = json.loads(config("sbx")["gitops-platform:cluster"])
    window = {"day": "Tuesday", "time": "02:30:00Z"}
    run = environment("sbx", cluster={**given, "maintenance": window, "apiAllowList": ["198.51.100.0/24"]})
    said = {"dayOfTheWeek": "Tuesday", "time": "02:30:00Z"}
    cluster = run.one("ionoscloud:k8s/cluster:Cluster").inputs
    assert (cluster["maintenanceWindow"], cluster["apiSubnetAllowLists"]) == (said, ["198.51.100.0/24"])
    pools = run.of_type("ionoscloud:k8s/nodePool:NodePool")
    assert [pool.inputs["maintenanceWindow"] for pool in pools] == [said] * 2, "where a pool has none of its own"
    own = {"day": "Sunday", "time": "05:00:00Z"}
    pool = {**given.get("ingressPool", {}), "maintenance": own}
    run = environment("sbx", cluster={**given, "maintenance": window, "ingressPool": pool})
    windows = {p.inputs["name"]: p.inputs["maintenanceWindow"] for p in run.of_type("ionoscloud:k8s/nodePool:NodePool")}
    assert windows["ingress-pool"] == {"dayOfTheWeek": "Sunday", "time": "05:00:00Z"}
    assert windows["default-pool"] == said


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


def test_tcp_routes_come_after_traefik_and_the_owners_namespaces_that_they_lie_in() -> None:
    wanted = {"controller": "traefik", "tcpServices": {"8443": "dome-trust/app:8080", "222": "dome-trust/app:8080"}}
    run = environment("lab", addons={"ingress": wanted, "certManager": {"server": "staging"}})
    made = {r.urn: r.name for r in run.resources}
    routes = run.of_type("kubernetes:traefik.io/v1alpha1:IngressRouteTCP")
    assert {route.inputs["metadata"]["namespace"] for route in routes} == {"dome-trust"}
    for route in routes:
        needs = {made[urn] for urn in route.dependencies}
        assert "traefik" in needs, "it brings the CRD"
        assert any("dome-trust" in name for name in needs), "and the namespace has to be there"
    project = run.one("kubernetes:argoproj.io/v1alpha1:AppProject", "platform").inputs["spec"]
    assert "dome-trust" not in [each["namespace"] for each in project["destinations"]]
    without = environment("lab", addons={"ingress": {"controller": "traefik"}, "certManager": {"server": "staging"}})
    assert not [r for r in without.resources if "TcpRoutes" in r.type], "no resource that is not needed"


def test_the_mark_of_a_zones_apex_lies_in_the_zone() -> None:
    application = environment("lab").one("kubernetes:argoproj.io/v1alpha1:Application", "external-dns")
    values = application.inputs["spec"]["source"]["helm"]["valuesObject"]
    assert values["txtPrefix"] == "%{record_type}-edns.", "or its record is neither changed nor removed"


def test_an_adopted_environment_keeps_the_marks_of_its_records() -> None:
    adopted = {"txtOwnerId": "ionos-dns", "txtPrefix": ""}
    run = environment("lab", addons={"externalDns": adopted, "certManager": {"server": "staging"}})
    application = run.one("kubernetes:argoproj.io/v1alpha1:Application", "external-dns")
    values = application.inputs["spec"]["source"]["helm"]["valuesObject"]
    assert values["txtOwnerId"] == "ionos-dns"
    assert "txtPrefix" not in values, "as before there was a setting: nothing changes for it"
    hooks = run.one("kubernetes:helm.sh/v3:Release").inputs["values"]["extraObjects"]
    (job,) = [each for each in hooks if each["kind"] == "Job"]
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--txt-owner-id=ionos-dns" in arguments
    assert not [each for each in arguments if each.startswith("--txt-prefix")]


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
    assert run.of_type("aws:iam/user:User") == run.of_type("aws:iam/accessKey:AccessKey") == [], (
        "no key without its user"
    )
    project = run.one("kubernetes:argoproj.io/v1alpha1:AppProject", "platform").inputs["spec"]
    assert (project["sourceRepos"], project["destinations"]) == ([], [])


@pytest.mark.parametrize("stack", REQUESTS_GIB)
def test_no_team_has_more_rights_in_its_namespace_than_it_needs(stack: str) -> None:
    found = environment(stack).outputs["appOwners"]
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


def test_an_owners_project_comes_after_argo_cd_and_its_namespace_goes_before_cert_manager() -> None:
    run = environment("lab")
    made = {r.urn: r for r in run.resources}
    applications = run.one("kubernetes:argoproj.io/v1alpha1:AppProject", "marketplace")
    assert "argocd" in {made[urn].name for urn in applications.dependencies if urn in made}
    namespace = run.one("kubernetes:core/v1:Namespace", "marketplace")
    before = {made[urn].name for urn in namespace.dependencies}
    assert before == set(run.outputs["clusterIssuers"]), "or the namespace is left with a challenge's finalizer"
    assert "cert-manager" in {made[urn].name for one in run.resources if one.name in before for urn in one.dependencies}
    roles = run.one("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "app-owner")
    assert not [made[urn].name for urn in roles.dependencies], "everything else of owners comes in parallel"


def test_owners_wait_for_nothing_where_cert_manager_is_somebody_elses() -> None:
    run = environment("lab", addons={"certManager": {"enabled": False}})
    assert not run.one("kubernetes:core/v1:Namespace", "marketplace").dependencies


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


@pytest.mark.parametrize("changed", [{}, {"ingress": {"controller": "traefik", "nginxClass": True}}])
@pytest.mark.parametrize("stack", STACKS)
def test_what_an_existing_cluster_is_looked_through_for_is_what_would_be_made(
    stack: str, changed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr("preflight.check", lambda settings, secrets, wanted: seen.append(wanted()))
    run = environment(stack, **({"addons": changed} if changed else {}))
    (wanted,) = seen
    looked = {release.name: release for release in wanted.releases.values()}
    helm = run.one("kubernetes:helm.sh/v3:Release").inputs
    made = {"argocd": cluster_wide.Release(helm["chart"], helm["name"], helm["namespace"], helm["values"])}
    for each in run.of_type("kubernetes:argoproj.io/v1alpha1:Application"):
        spec = each.inputs["spec"]
        for source in [spec["source"]] if "source" in spec else spec["sources"]:
            if "chart" in source:
                space = spec["destination"]["namespace"]
                values = source["helm"]["valuesObject"]
                made[each.name] = cluster_wide.Release(source["chart"], each.name, space, values)
    assert {name: cluster_wide.objects(one) for name, one in looked.items()} == {
        name: cluster_wide.objects(one) for name, one in made.items()
    }
    assert set(made) - {"argocd"} <= set(wanted.applications)
    spaces = {each.inputs["metadata"]["name"] for each in run.of_type("kubernetes:core/v1:Namespace")}
    assert set(wanted.namespaces) == spaces
