"""Every rule of a stack file: what is written, at which key it is refused, and what the message says."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import settings

GOOD: dict[str, Any] = {
    "cluster": {"provider": "ionos", "kubernetesVersion": "1.34.3"},
    "dns": {"domains": ["example.org"]},
}
EXISTING = {"cluster": {"provider": "existing", "name": "factory", "kubeconfigPath": "~/.kube/config"}}
IPS = ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
REPOSITORY = {"gitops": {"repository": "https://example.org/repo"}}


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def existing(**keys: Any) -> dict[str, Any]:
    """A stack on an existing cluster; `None` leaves a key out."""
    return {"cluster": {key: value for key, value in {**EXISTING["cluster"], **keys}.items() if value is not None}}


def pool(**keys: Any) -> dict[str, Any]:
    return {"cluster": {"defaultPool": keys}}


def lans(*attached: Any) -> dict[str, Any]:
    """The default pool attached to these, where a private and a public LAN are made."""
    made = {"databases": {}, "edge": {"public": True}}
    return {"cluster": {"lans": made, "defaultPool": {"lans": list(attached)}}}


def addon(key: str, **keys: Any) -> dict[str, Any]:
    return {"addons": {key: keys}}


def mistakes(raw: dict[str, Any], stack: str = "sbx", secrets: tuple[str, ...] = ()) -> dict[str, settings.Mistake]:
    """Everything wrong with a stack that is good but for `raw`, by key path."""
    base = GOOD if "existing" not in str(raw.get("cluster")) else {"dns": GOOD["dns"]}
    try:
        settings.parse(merged(base, raw), stack, secrets)
    except settings.SettingsError as error:
        return {one.path: one for one in error.mistakes}
    return {}


RULES: list[tuple[dict[str, Any], str, str]] = [
    # The environment
    ({"environment": "Prod_1"}, "environment", "cannot be an environment's name"),
    ({"environment": "a" * 21}, "environment", "1 to 20"),
    ({"environment": "ends-"}, "environment", "cannot be an environment's name"),
    # The platform's namespaces
    (
        {"security": {"podSecurity": {"marketplace": "baseline"}}},
        "security.podSecurity.marketplace",
        "none of the plat",
    ),
    ({"security": {"podSecurity": {"traefik": "baseline"}}}, "security.podSecurity.traefik", "ingress-nginx, sealed"),
    ({"security": {"podSecurity": {"argocd": "strict"}}}, "security.podSecurity.argocd", "restricted"),
    ({"security": {"networkPolicies": {"ports": [70000]}}}, "security.networkPolicies.ports[0]", "at most 65535"),
    ({"security": {"networkPolicies": {"scrapeFrom": ["A_b"]}}}, "security.networkPolicies.scrapeFrom[0]", "a-z"),
    ({"waitMinutes": 0}, "waitMinutes", "at least 1"),
    ({"waitMinutes": "soon"}, "waitMinutes", "whole number"),
    ({"clustr": {}}, "clustr", "did you mean cluster"),
    ({"addons": {"sealedSecret": {}}}, "addons.sealedSecret", "did you mean sealedSecrets"),
    ({"addons": {"grafana": {}}}, "addons.grafana", "known here: sealedSecrets, ingress, externalDns, certManager"),
    ({"cluster": "ionos"}, "cluster", "a mapping"),
    ({"dns": []}, "dns", "a mapping"),
    # Cluster
    ({"cluster": {"provider": "aws"}}, "cluster", "provider: ionos, or existing"),
    ({"cluster": {"name": "-x"}}, "cluster.name", "1 to 63 letters"),
    ({"cluster": {"location": "Berlin"}}, "cluster.location", "de/txl"),
    ({"cluster": {"kubernetesVersion": "1.34"}}, "cluster.kubernetesVersion", 'write "1.34.0"'),
    ({"cluster": {"kubernetesVersion": "v1.34.3"}}, "cluster.kubernetesVersion", 'write "1.34.3"'),
    ({"cluster": {"kubernetesVersion": 1.34}}, "cluster.kubernetesVersion", "put it in quotes"),
    ({"cluster": {"public": "yes"}}, "cluster.public", "write public: true"),
    ({"cluster": {"natGatewayIp": "203.0.113.9"}}, "cluster.natGatewayIp", "only private clusters"),
    ({"cluster": {"nodeSubnet": "10.5.0.0/16"}}, "cluster.nodeSubnet", "only private clusters"),
    ({"cluster": {"public": False}}, "cluster.natGatewayIp", "NAT gateway's address"),
    ({"cluster": {"nodeSubnet": "10.5.0.0/24"}}, "cluster.nodeSubnet", "16 bits"),
    ({"cluster": {"apiAllowList": ["203.0.113.7/24"]}}, "cluster.apiAllowList[0]", "write 203.0.113.0/24"),
    ({"cluster": {"apiAllowList": ["::1", "office"]}}, "cluster.apiAllowList[1]", "neither an address nor a CIDR"),
    ({"cluster": {"apiAllowList": "203.0.113.0/24"}}, "cluster.apiAllowList", "a list"),
    ({"cluster": {"maintenance": {"day": "sunday"}}}, "cluster.maintenance.day", "write Sunday"),
    ({"cluster": {"maintenance": {"time": "02:00"}}}, "cluster.maintenance.time", "02:00:00Z"),
    ({"cluster": {"maintenance": {"time": "24:00:00Z"}}}, "cluster.maintenance.time", "no time in UTC"),
    ({"cluster": {"ingressAddresses": 0}}, "cluster.ingressAddresses", "at least 1"),
    # Node pools
    (pool(ramMb=8), "cluster.defaultPool.ramMb", "write 8192"),
    (pool(ramMb=16), "cluster.defaultPool.ramMb", "looks like GB"),
    (pool(ramMb=1536), "cluster.defaultPool.ramMb", "at least 2048"),
    (pool(ramMb=5000), "cluster.defaultPool.ramMb", "write 5120"),
    (pool(ramGb=8), "cluster.defaultPool.ramGb", "did you mean ramMb"),
    (pool(ram_mb=8192), "cluster.defaultPool.ram_mb", "did you mean ramMb"),
    (pool(storageGb=5), "cluster.defaultPool.storageGb", "at least 10"),
    (pool(storageGb="50"), "cluster.defaultPool.storageGb", "write storageGb: 50"),
    (pool(storageType="NVMe"), "cluster.defaultPool.storageType", "SSD"),
    (pool(nodeCount=0), "cluster.defaultPool.nodeCount", "at least 1"),
    (pool(nodeCount=101), "cluster.defaultPool.nodeCount", "at most 100"),
    (pool(nodeCount=2.5), "cluster.defaultPool.nodeCount", "whole number"),
    (pool(nodeCount=True), "cluster.defaultPool.nodeCount", "whole number"),
    (pool(cores=0), "cluster.defaultPool.cores", "at least 1"),
    (pool(cpuFamily="skylake"), "cluster.defaultPool.cpuFamily", "INTEL_SKYLAKE"),
    (pool(serverType="VCPU", cpuFamily="INTEL_SKYLAKE"), "cluster.defaultPool.cpuFamily", "VCPU have none"),
    (pool(serverType="Cube"), "cluster.defaultPool.serverType", "DedicatedCore, VCPU"),
    (pool(availabilityZone="ZONE_3"), "cluster.defaultPool.availabilityZone", "ZONE_"),
    (pool(autoscaling={"min": 2, "max": 2}), "cluster.defaultPool.autoscaling", "max of at least 3"),
    (pool(autoscaling={"min": 4, "max": 2}), "cluster.defaultPool.autoscaling", "min is more than max"),
    (pool(autoscaling={"min": 0, "max": 2}), "cluster.defaultPool.autoscaling.min", "at least 1"),
    (pool(autoscaling={"min": 2}), "cluster.defaultPool.autoscaling.max", "missing"),
    (pool(nodeCount=5, autoscaling={"min": 2, "max": 4}), "cluster.defaultPool.nodeCount", "write 4"),
    (pool(nodeCount=1, autoscaling={"min": 2, "max": 4}), "cluster.defaultPool.nodeCount", "write 2"),
    (pool(publicIps=IPS[:2]), "cluster.defaultPool.publicIps", "at least 3 addresses"),
    (pool(publicIps=IPS, autoscaling={"min": 2, "max": 4}), "cluster.defaultPool.publicIps", "at least 5 addresses"),
    (pool(publicIps=["x", *IPS]), "cluster.defaultPool.publicIps[0]", "no IP address"),
    (pool(publicIps=[*IPS, IPS[0]]), "cluster.defaultPool.publicIps[3]", "publicIps[0] too"),
    (pool(labels={"bad key": "x"}), "cluster.defaultPool.labels.bad key", "no label key"),
    (pool(labels={"team": "x y"}), "cluster.defaultPool.labels.team", "no label value"),
    (
        {"cluster": {"public": False, "natGatewayIp": "203.0.113.9", "defaultPool": {"publicIps": IPS}}},
        "cluster.defaultPool.publicIps",
        "private cluster",
    ),
    ({"cluster": {"ingressPool": {"tainted": True}}}, "cluster.ingressPool.tainted", "did you mean taint"),
    ({"cluster": {"ingressPool": {"labels": {"nodepool": "web"}}}}, "cluster.ingressPool.labels.nodepool", "remove it"),
    ({"cluster": {"extraPools": {"default-pool": {}}}}, "cluster.extraPools.default-pool", "another name"),
    ({"cluster": {"extraPools": {"a b": {}}}}, "cluster.extraPools.a b", "1 to 63"),
    ({"cluster": {"extraPools": {"data": {"ramMb": 4}}}}, "cluster.extraPools.data.ramMb", "write 4096"),
    # LANs
    ({"cluster": {"lans": {"7": {}}}}, "cluster.lans.7", "how IONOS numbers a LAN"),
    ({"cluster": {"lans": {"a b": {}}}}, "cluster.lans.a b", "1 to 63"),
    ({"cluster": {"lans": {"databases": {"private": True}}}}, "cluster.lans.databases.private", "known here: public"),
    (lans("dbs"), "cluster.defaultPool.lans[0]", "cluster.lans has no 'dbs' (there are: databases, edge)"),
    (lans("edge"), "cluster.defaultPool.lans[0]", "write cluster.lans.edge.public: false"),
    (lans("databases", 2, "2"), "cluster.defaultPool.lans[2]", "lans[1] too"),
    (lans(0), "cluster.defaultPool.lans[0]", "0 is no LAN's number"),
    (lans(True), "cluster.defaultPool.lans[0]", "a mapping"),
    (lans({"dhcp": False}), "cluster.defaultPool.lans[0].lan", "missing"),
    (
        lans({"lan": 2, "routes": [{"network": "10.0.0.1/8", "gatewayIp": "10.7.1.1"}]}),
        "cluster.defaultPool.lans[0].routes[0].network",
        "write 10.0.0.0/8",
    ),
    (
        lans({"lan": 2, "routes": [{"network": "10.0.0.0/8", "gatewayIp": "::1"}]}),
        "cluster.defaultPool.lans[0].routes[0].gatewayIp",
        "write an IPv4 address",
    ),
    (
        {"cluster": {"extraPools": {"data": {"lans": ["databases"]}}}},
        "cluster.extraPools.data.lans[0]",
        "add it there as `databases: {}`",
    ),
    # An existing cluster
    (existing(name=None), "cluster.name", "missing"),
    (existing(kubeconfigPath=None), "cluster.kubeconfigPath", "no way into the cluster"),
    (existing(kubernetesVersion="1.34.3"), "cluster.kubernetesVersion", "unknown key"),
    (existing(ingressAddress="somewhere"), "cluster.ingressAddress", "no IP address"),
    (existing(ingressTolerations=[{"key": "x", "effect": "No"}]), "cluster.ingressTolerations[0].effect", "NoSchedule"),
    (
        existing(ingressTolerations=[{"key": "x", "operator": "Exists", "value": "y"}]),
        "cluster.ingressTolerations[0].value",
        "takes no value",
    ),
    (existing(ingressTolerations=[{"value": "y"}]), "cluster.ingressTolerations[0].key", "missing"),
    # DNS
    ({"dns": {"domains": []}}, "dns.domains", "empty"),
    ({"dns": {"domains": ["not a domain.org"]}}, "dns.domains[0]", "no domain name"),
    ({"dns": {"domains": ["localhost"]}}, "dns.domains[0]", "no dot"),
    ({"dns": {"domains": ["https://example.org"]}}, "dns.domains[0]", "without scheme"),
    ({"dns": {"domains": ["Example.org."]}}, "dns.domains[0]", "write example.org"),
    ({"dns": {"domains": ["*.example.org"]}}, "dns.domains[0]", "leave out the `*.`"),
    ({"dns": {"domains": ["müller.de"]}}, "dns.domains[0]", "xn--mller-kva.de"),
    ({"dns": {"domains": ["straße.de"]}}, "dns.domains[0]", "write its ASCII form, xn--strae-oqa.de"),
    ({"dns": {"domains": ["Bücher.例え."]}}, "dns.domains[0]", "xn--bcher-kva.xn--r8jz45g"),
    ({"dns": {"domains": ["\U0001f600.de"]}}, "dns.domains[0]", "no registry has such a name"),
    ({"dns": {"domains": ["under_score.org"]}}, "dns.domains[0]", "no domain name"),
    ({"dns": {"domains": ["10.0.0.1"]}}, "dns.domains[0]", "no domain name"),
    ({"dns": {"domains": ["a.org", "b.org", "a.org"]}}, "dns.domains[2].name", "dns.domains[0] too"),
    ({"dns": {"domains": [{"name": "a.org", "zone": "Z1"}]}}, "dns.domains[0].zone", "did you mean zoneId"),
    ({"dns": {"domains": [{"name": "a.org", "zoneId": "abc"}]}}, "dns.domains[0].zoneId", "no hosted zone id"),
    ({"dns": {"domains": [{"zoneId": "Z0123456789"}]}}, "dns.domains[0].name", "missing"),
    (
        {"dns": {"domains": [{"name": "a.org", "zoneId": "/hostedzone/Z0123456789"}]}},
        "dns.domains[0].zoneId",
        "write Z0123456789",
    ),
    (
        {"dns": {"domains": [{"name": "a.org", "zoneId": "Z12345"}, {"name": "b.org", "zoneId": "Z12345"}]}},
        "dns.domains[1].zoneId",
        "the same zone",
    ),
    ({"dns": {"region": "frankfurt"}}, "dns.region", "eu-central-1"),
    ({"dns": {"provider": "ionos"}}, "ionosDnsToken", "pulumi config set --secret ionosDnsToken"),
    (
        {"dns": {"provider": "ionos", "domains": [{"name": "a.org", "zoneId": "Z12345"}]}},
        "dns.domains[0].zoneId",
        "finds its zones by name",
    ),
    ({"dns": {"provider": "cloudflare"}}, "dns.provider", "route53, ionos"),
    # Argo CD
    ({"argocd": {"host": "argocd.elsewhere.org"}}, "argocd.host", "in none of the environment's domains"),
    ({"argocd": {"host": "argocd.notexample.org"}}, "argocd.host", "in none of the environment's domains"),
    ({"argocd": {"host": "x"}}, "argocd.host", "no domain name"),
    ({"argocd": {"github": {"clientId": "Iv1.01234567"}}}, "argocd.github.organization", "missing"),
    ({"argocd": {"github": {"clientId": "x y", "organization": "o"}}}, "argocd.github.clientId", "wrong form"),
    ({"cluster.location": "de/fra"}, "cluster.location", "write location below cluster"),
    (
        {"argocd": {"github": {"clientId": "Iv1.01234567", "organization": "o"}}},
        "githubClientSecret",
        "pulumi config set --secret githubClientSecret",
    ),
    ({"argocd": {"adminEnabled": False}}, "argocd.adminEnabled", "nobody can sign in"),
    ({"argocd": {"rbac": {"defaultRole": "readonly"}}}, "argocd.rbac.defaultRole", "role:readonly"),
    ({"argocd": {"rbac": {"admins": ["a@b.org, c@d.org"]}}}, "argocd.rbac.admins[0]", "no user or group"),
    ({"argocd": {"rbac": {"admins": [None]}}}, "argocd.rbac.admins[0]", "the list has an empty item"),
    ({"dns": {"domains": ["a.org", None]}}, "dns.domains[1]", "remove its `-`"),
    # Add-ons
    (addon("sealedSecrets", timeoutMinutes=0), "addons.sealedSecrets.timeoutMinutes", "at least 1"),
    (addon("sealedSecrets", enabled="no"), "addons.sealedSecrets.enabled", "write enabled: false"),
    (addon("sealedSecrets", values=[1]), "addons.sealedSecrets.values", "a mapping"),
    (addon("sealedSecrets", valuesFrom={"path": "a.yaml"}), "addons.sealedSecrets.valuesFrom", "gitops.repository"),
    (
        merged(REPOSITORY, addon("ingress", valuesFrom={"path": "../x"})),
        "addons.ingress.valuesFrom.path",
        "no file of the repository",
    ),
    (addon("ingress", controller="nginx"), "addons.ingress.controller", "ingress-nginx"),
    (addon("ingress", nginxClass=True), "addons.ingress.nginxClass", "controller: traefik"),
    (addon("ingress", tcpServices={"0": "a/b:1"}), "addons.ingress.tcpServices.0", "1 to 65535"),
    (addon("ingress", tcpServices={"443": "a/b:1"}), "addons.ingress.tcpServices.443", "the ingress's own"),
    (addon("ingress", tcpServices={"5432": "db:5432"}), "addons.ingress.tcpServices.5432", "namespace/service:port"),
    (addon("ingress", tcpServices={"5432": "a/b:70000"}), "addons.ingress.tcpServices.5432", "no service and port"),
    *(
        (addon("ingress", tcpServices={port: "a/b:1"}), f"addons.ingress.tcpServices.{port}", "controller: traefik")
        for port in ("442", "8181", "8443", "10245", "10246", "10247", "10254")
    ),
    (addon("ingress", controller="traefik", tcpServices={"80": "a/b:1"}), "addons.ingress.tcpServices.80", "own"),
    (addon("externalDns", txtPrefix="A-"), "addons.externalDns.txtPrefix", "%{record_type}-edns."),
    (addon("externalDns", txtPrefix=".a"), "addons.externalDns.txtPrefix", "cannot begin a name"),
    (addon("externalDns", txtOwnerId="a,b"), "addons.externalDns.txtOwnerId", "ionos-dns"),
    (addon("externalDns", values={"provider": "aws"}), "addons.externalDns.values.provider", "dns.provider"),
    (
        addon("externalDns", values={"provider": {"webhook": "x"}}),
        "addons.externalDns.values.provider.webhook",
        "no map",
    ),
    (addon("externalDns", values={"env": {"A": "b"}}), "addons.externalDns.values.env", "a list"),
    (addon("externalDns", values={"extraVolumes": "x"}), "addons.externalDns.values.extraVolumes", "a list"),
    (addon("externalDns", values={"extraArgs": "--events"}), "addons.externalDns.values.extraArgs", "--option=value"),
    (addon("externalDns", values={"image": "a:b"}), "addons.externalDns.values.image", "no map"),
    (addon("ingress", resources={"limits": {"cpu": "lots"}}), "addons.ingress.resources.limits.cpu", "100m"),
    (addon("ingress", resources={"limits": {"memory": "256m"}}), "addons.ingress.resources.limits.memory", "256Mi"),
    (
        addon("ingress", resources={"requests": {"cpu": "1"}, "limits": {"cpu": "500m"}}),
        "addons.ingress.resources.requests.cpu",
        "write at most 500m",
    ),
    (addon("externalDns", policy="delete"), "addons.externalDns.policy", "upsert-only"),
    (addon("externalDns", interval="1 minute"), "addons.externalDns.interval", "1m"),
    (addon("certManager", email="ops"), "addons.certManager.email", "no e-mail address"),
    (addon("certManager", email="ops@straße.de"), "addons.certManager.email", "write ops@xn--strae-oqa.de"),
    (addon("certManager", email="böss@a.de"), "addons.certManager.email", "ASCII letters"),
    (addon("certManager", server="Production"), "addons.certManager.server", "write production or staging"),
    (addon("certManager", issuer={"solver": "dns"}), "addons.certManager.issuer.solver", "dns01"),
    (addon("certManager", issuer={"name": "Issuer"}), "addons.certManager.issuer.name", "no name of an object"),
    (
        {"addons": {"ingress": {"enabled": False}, "certManager": {"issuer": {"solver": "http01"}}}},
        "addons.certManager.issuer.solver",
        "http01 needs the ingress",
    ),
    (
        {"dns": {"provider": "ionos"}, "addons": {"certManager": {"issuer": {"solver": "dns01"}}}},
        "addons.certManager.issuer.solver",
        "no dns01 solver",
    ),
    # Repository and charts
    ({"gitops": {"repository": "dome-gitops"}}, "gitops.repository", "https://"),
    (
        {"gitops": {"repository": "https://u:hunter2@example.org/r"}},
        "gitops.repository",
        "carries a user or a password",
    ),
    ({"gitops": {"revision": "a b"}}, "gitops.revision", "wrong form"),
    ({"gitops": {"revision": 891234}}, "gitops.revision", "put it in quotes"),
    ({"gitops": {"repository": "HTTPS://GitHub.com/o/R"}}, "gitops.repository", "write https://github.com/o/R"),
    ({"gitops": {"repository": "github.com/o/r"}}, "gitops.repository", "write https://github.com/o/r"),
    (
        {"gitops": {"repository": "https://github.com/o/r/tree/main/apps"}},
        "gitops.repository",
        "write https://github.com/o/r; branch and folder",
    ),
    ({"gitops": {"repository": "https://g.org/a/b/-/blob/x/y.yaml"}}, "gitops.repository", "write https://g.org/a/b;"),
    ({"gitops": {"repository": "git@host:2222/o/r"}}, "gitops.repository", "write ssh://git@host:2222/o/r"),
    ({"gitops": {"repository": "https://g.org/o/r#x"}}, "gitops.repository", "without the part behind #"),
    ({"gitops": {"repository": "https://g.org/o/r?token=hunter2"}}, "gitops.repository", "a part behind ?"),
    ({"charts": {"mirror": "https://g.org/x/index.yaml"}}, "charts.mirror", "write https://g.org/x"),
    ({"charts": {"mirror": "oci://"}}, "charts.mirror", "oci:// for a registry"),
    ({"charts": {"mirror": "oci://user:hunter2@example.org/x"}}, "charts.mirror", "a user or a password"),
    ({"charts": {"mirror": "ghcr.io/a/charts"}}, "charts.mirror", "write oci://ghcr.io/a/charts"),
    ({"charts": {"mirror": "OCI://ghcr.io/a/charts"}}, "charts.mirror", "write oci://ghcr.io/a/charts"),
    ({"charts": {"mirror": "oci://10.0.0.1:5000/x"}}, "charts.mirror", "write the registry's name"),
    ({"charts": {"mirror": "ftp://example.org"}}, "charts.mirror", "no URL"),
    # Secrets in plain text
    ({"ionosToken": "hunter2"}, "ionosToken", "pulumi config set --secret ionosToken"),
]


@pytest.mark.parametrize(("raw", "path", "words"), RULES, ids=[f"{path}: {words}"[:60] for _, path, words in RULES])
def test_a_rule_names_the_key_the_problem_and_the_fix(raw: dict[str, Any], path: str, words: str) -> None:
    found = mistakes(raw)
    assert path in found, f"nothing is said about {path}, only about {list(found)}"
    assert words in str(found[path]), "the message lacks what helps"
    assert found[path].fix, "a problem without a fix leaves its reader alone"
    assert "hunter2" not in str(list(found.values())), "a message ends up in logs: no secret may be in it"


@pytest.mark.parametrize(("raw", "path", "words"), RULES, ids=[f"{path}: {words}"[:60] for _, path, words in RULES])
def test_one_mistake_is_reported_once(raw: dict[str, Any], path: str, words: str) -> None:
    both = {"ionosDnsToken", "addons.certManager.issuer.solver", "dns.domains[0].zoneId"}
    found = set(mistakes(raw))
    assert found == {path} or found <= both, "what follows from a mistake is not one more mistake"


def test_two_mistakes_in_one_section_cost_nothing_around_it() -> None:
    """One that leaves its section out must not take the next larger one along, whose own values are good."""
    raw = {"argocd": {"host": "argocd.elsewhere.org", "github": {"clientId": "x y"}}}
    assert set(mistakes(raw)) == {"argocd.github.clientId", "argocd.github.organization", "argocd.host"}
    assert "argocd.elsewhere.org is in none" in str(mistakes(raw)["argocd.host"])
    raw["argocd"]["host"] = "argocd.example.org"
    assert set(mistakes(raw)) == {"argocd.github.clientId", "argocd.github.organization"}


def test_every_mistake_of_a_stack_is_reported_in_one_run() -> None:
    raw = {
        "clustr": {},
        "cluster": {
            "kubernetesVersion": 1.34,
            "defaultPool": {"ramMb": 16, "autoscaling": {"min": 2, "max": 2}, "publicIps": IPS[:1]},
            "ingressPool": {"nodeCount": 200, "taints": []},
            "extraPools": {"data": {"nodeCount": 9, "autoscaling": {"min": 1, "max": 3}}},
        },
        "dns": {"domains": ["no domain", "example.com", "example.com"]},
        "addons": {"grafana": {}, "ingress": {"tcpServices": {"80": "a/b:1"}}},
        "argocd": {"github": {"clientId": "Iv1.01234567", "organization": "o"}, "hosst": 1},
        "ionosToken": "plain",
    }
    assert set(mistakes(raw)) == {
        "clustr",
        "ionosToken",
        "cluster.kubernetesVersion",
        "cluster.defaultPool.ramMb",
        "cluster.defaultPool.autoscaling",
        "cluster.defaultPool.publicIps",
        "cluster.ingressPool.nodeCount",
        "cluster.ingressPool.taints",
        "cluster.extraPools.data.nodeCount",
        "dns.domains[0]",
        "addons.grafana",
        "addons.ingress.tcpServices.80",
        "argocd.hosst",
        "githubClientSecret",
    }, "whoever mends a file wants to run it twice, not once per mistake"


def test_a_wrong_repository_is_not_also_reported_as_missing() -> None:
    raw = {"gitops": {"repository": "nowhere"}, "addons": {"ingress": {"valuesFrom": {"path": "a.yaml"}}}}
    assert set(mistakes(raw)) == {"gitops.repository"}, "a second message about the same mistake misleads"


def test_a_wrong_domain_does_not_make_the_host_wrong_too() -> None:
    raw = {"dns": {"domains": ["exa mple.org"]}, "argocd": {"host": "argocd.example.org"}}
    assert set(mistakes(raw)) == {"dns.domains[0]"}, "whether the host fits cannot be said yet"


def test_missing_sections_are_named() -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse({}, "sbx")
    assert [one.path for one in error.value.mistakes] == ["cluster", "dns"], "an empty file needs both"


def test_a_stack_whose_name_is_no_environment_is_told_so() -> None:
    found = mistakes({}, stack="Sbx.2")
    assert list(found) == ["environment"], "names made from it would be refused much later"
    assert "the stack's name 'Sbx.2'" in found["environment"].problem, "the reader never wrote that key"


def test_both_ways_into_an_existing_cluster_are_one_too_many() -> None:
    found = mistakes(EXISTING, secrets=("kubeconfig",))
    assert "kubeconfig is set as well" in found["cluster.kubeconfigPath"].problem, "which one holds would be a guess"


def test_an_encrypted_section_is_refused_as_a_whole() -> None:
    found = mistakes({"argocd": {"host": "hunter2"}}, secrets=("argocd",))
    assert list(found) == ["argocd"], "what is in it is secret and must not be talked about"
    assert "nobody can review it" in found["argocd"].problem


def test_a_secret_nobody_knows_is_an_unknown_key() -> None:
    found = mistakes({}, secrets=("githubSecret",))
    assert "did you mean githubClientSecret" in found["githubSecret"].fix, "a misspelt secret would never be read"
