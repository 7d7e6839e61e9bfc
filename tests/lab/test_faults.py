"""What goes wrong in an environment: each fault ends in time, with its cause and the next step, and is mended in place.

The tests of this file run in order on one stack: broken from the start, repaired, broken while it runs, and at
last destroyed with every obstacle at once. The zone was there before and stays.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import engine as engines
import pytest

from lab import processes, services

pytestmark = pytest.mark.timeout(600)

DOMAIN = "lab.example.org"
ISSUER = "letsencrypt-lab-issuer"
DNS01 = f"{ISSUER}-dns01"
OWNED = "dome-trust"
"""An app owner's namespace, which goes by itself while the cluster is still there."""
NOBODY = "https://127.0.0.1:1/dir"
APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
CERTIFICATE = "/apis/cert-manager.io/v1/namespaces/argocd/certificates/argocd-server-tls"
SECRET = "/api/v1/namespaces/external-dns/secrets/aws-access-key"
KEY = "/api/v1/namespaces/cert-manager/secrets/aws-access-key"
POLICY = "aws:iam/userPolicy:UserPolicy"
INGRESS_NODE = "/api/v1/nodes/ingress-pool-1"
WAIT_MINUTES = 1
# What an `up` needs besides waiting: cluster, Argo CD, and reading the outcome.
OTHERWISE_SECONDS = 90

Config = dict[str, Any]
SAVED: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def zone(engine: engines.Engine) -> Iterator[str]:
    """Id of a zone that was there before, with somebody's record; http01, since it is quicker than dns01."""
    route53 = engine.aws("route53")
    made = route53.create_hosted_zone(Name=DOMAIN, CallerReference="before")["HostedZone"]["Id"].rpartition("/")[2]
    engine.write_record(made, f"by-hand.{DOMAIN}", "A", "192.0.2.9")

    def change(config: Config) -> None:
        config["gitops-platform:dns"]["domains"] = [{"name": DOMAIN, "zoneId": made}]
        config["gitops-platform:addons"]["certManager"]["issuer"] = {"solver": "http01"}

    with engine.changed_config(change):
        yield made
        services.up(engine.lab, print)
        if engine.state().get("resources"):
            engine.pulumi("destroy --yes --skip-preview")
    for kind, name in engine.records(made):
        engine.remove_record(made, name, kind)
    route53.delete_hosted_zone(Id=made)


def broken(config: Config) -> None:
    config["gitops-platform:waitMinutes"] = WAIT_MINUTES
    addons = config["gitops-platform:addons"]
    addons["certManager"] |= {"server": NOBODY}
    addons["sealedSecrets"] = {"values": {"keyrenewperiod": "nonsense"}}
    addons["externalDns"] = {"values": {"readinessProbe": {"httpGet": {"path": "/nowhere", "port": "http"}}}}
    config["gitops-platform:gitops"] = {"repository": "https://git.example.org/a/b", "handOver": True}


def policy(engine: engines.Engine, user: str) -> dict[str, Any]:
    return engine.aws("iam").get_user_policy(UserName=user, PolicyName="route53")["PolicyDocument"]


def refuse(engine: engines.Engine, user: str, action: str) -> None:
    """Take an action out of a user's policy, behind Pulumi's back."""
    document = policy(engine, user)
    for statement in document["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != action] or ["route53:GetGeoLocation"]
    engine.aws("iam").put_user_policy(UserName=user, PolicyName="route53", PolicyDocument=json.dumps(document))


def grant(engine: engines.Engine) -> None:
    """Put back what external-dns may do, from the state."""
    known = next(one for one in engine.state()["resources"] if one["type"] == POLICY and "external-dns" in one["urn"])
    document = known["outputs"]["policy"]
    engine.aws("iam").put_user_policy(UserName="external-dns-lab", PolicyName="route53", PolicyDocument=document)


def ready(engine: engines.Engine, minutes: float) -> engines.Run:
    return engine.run("python", "-m", "ops", "ready", "lab", "--wait-minutes", str(minutes))


def part(text: str, start: str) -> str:
    """The error of `ops ready` that begins so: its lines down to the next error."""
    errors = ("\n" + text).split("\nerror: ")[1:]
    return next((each for each in errors if each.startswith(start)), f"no error {start!r} in:\n{text}")


def births(engine: engines.Engine) -> dict[str, str]:
    """When each healthy thing was made."""
    found = engine.cluster.list(APPLICATIONS)
    for path in ("/apis/apps/v1/deployments", "/api/v1/namespaces", "/apis/cert-manager.io/v1/clusterissuers"):
        found += engine.cluster.list(path)
    meta = [one["metadata"] for one in found]
    keys = [
        key["AccessKeyId"]
        for user in ("external-dns-lab", "cert-manager-lab")
        for key in engine.aws("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]
    ]
    return {
        **{f"{one.get('namespace', '')}/{one['name']}/{one['uid']}": one["creationTimestamp"] for one in meta},
        **dict.fromkeys(keys, "key"),
    }


def test_a_chart_repository_that_does_not_answer_is_said(engine: engines.Engine) -> None:
    processes.stop(engine.lab, "charts")
    try:
        began = time.monotonic()
        run = engine.pulumi("up --yes --skip-preview")
        assert run.code != 0, run.text
        assert time.monotonic() - began < 60, "nothing is waited for"
        assert engine.lab.endpoint("charts") in run.text, "the repository is named"
        assert "cannot be reached" in run.text, run.text
    finally:
        services.up(engine.lab, print)


def test_faults_end_the_up_within_its_time_limit(engine: engines.Engine) -> None:
    """The clouds' part is there; what the controllers need of it is broken before they start."""
    refuse(engine, "external-dns-lab", "route53:ListResourceRecordSets")
    SAVED["node"] = engine.cluster.get(INGRESS_NODE)
    engine.cluster.delete(INGRESS_NODE)
    with engine.changed_config(broken):
        began = time.monotonic()
        run = engine.pulumi("up --yes --skip-preview")
        took = time.monotonic() - began
    assert run.code != 0, run.text
    # cert-manager's issuers begin to wait when cert-manager is there: before the others are given up, or not at all.
    assert took < 2 * WAIT_MINUTES * 60 + OTHERWISE_SECONDS, "it ends within its limits"
    for name in ("sealed-secrets", "external-dns", "ingress-nginx", ISSUER):
        assert f"({name})" in run.text, f"{name} is named"
    assert "Healthy" in run.text, "an add-on is waited for until it is Healthy"
    assert engine.cluster.find(f"{APPLICATIONS}/root") is None, "nothing is handed over before every add-on is ready"
    SAVED["before"], SAVED["text"] = births(engine), ready(engine, 0).err


def test_an_add_on_that_crashes_at_start_is_shown_with_its_last_words() -> None:
    text = part(SAVED["text"], "application sealed-secrets")
    assert "CrashLoopBackOff" in text or "ended with code" in text, text
    assert "nonsense" in text, "the line that it ended with is there"
    assert "next: " in text


def test_a_pod_that_does_not_get_ready_is_shown() -> None:
    text = part(SAVED["text"], "application external-dns")
    assert "0 of 1 pods available" in text
    assert "runs, but is not ready" in text, text
    assert "next: " in text


def test_an_ingress_pool_without_nodes_is_shown() -> None:
    text = part(SAVED["text"], "application ingress-nginx")
    assert "no node to run on" in text, text
    assert "nodepool=ingress" in text, "with the label that a node has to have"
    assert "cluster.ingressPool" in text.split("next: ")[1], text


def test_an_acme_server_that_is_down_is_shown() -> None:
    text = part(SAVED["text"], f"issuer {ISSUER}")
    assert NOBODY in text
    assert "connection refused" in text
    assert "next: its ACME server" in text, text


def test_a_zone_that_is_refused_is_shown() -> None:
    text = part(SAVED["text"], "name")
    assert "add-on external-dns" in text
    assert "AccessDenied" in text, text
    assert "route53:ListResourceRecordSets" in text, text
    assert "policy of the IAM user lacks the action" in text.split("next: ")[1], text


def test_repaired_the_up_finishes_and_makes_nothing_healthy_anew(engine: engines.Engine) -> None:
    node = SAVED["node"]
    node["metadata"] = {key: node["metadata"][key] for key in ("name", "labels")}
    engine.cluster.create("/api/v1/nodes", node)
    run = engine.up("--refresh")
    summary = run.text.split("Resources:")[-1].split("Duration:")[0]
    assert "replaced" not in summary, summary
    assert "deleted" not in summary, summary
    after = births(engine)
    assert SAVED["before"].items() <= after.items(), "what was there is still the same"
    assert "route53:ListResourceRecordSets" in json.dumps(policy(engine, "external-dns-lab")), "put back by --refresh"
    seen = ready(engine, 1)
    assert seen.code == 0, seen.text


def test_wrong_keys_and_a_missing_permission_are_shown_and_mended(engine: engines.Engine, zone: str) -> None:
    """Both keys and one policy; what cert-manager meets is seen on one challenge, which it tries again by itself."""
    replace(engine, SECRET, "credentials", lambda file: file.rsplit("= ", 1)[0] + "= somebody-elses\n")
    restart(engine, "external-dns")
    engine.remove_record(zone, f"argocd.{DOMAIN}", "A")
    refuse(engine, "cert-manager-lab", "route53:ChangeResourceRecordSets")
    by_dns = {"issuerRef": {"name": DNS01}, "dnsNames": [f"argocd.{DOMAIN}", f"other.{DOMAIN}"]}
    engine.cluster.patch(CERTIFICATE, {"spec": by_dns})
    engines.wait_for(lambda: "AccessDenied" in challenges(engine), 60, "cert-manager is refused")
    log = ("logs", "-n", "external-dns", "deployment/external-dns")
    engines.wait_for(lambda: "SignatureDoesNotMatch" in engine.kubectl(*log).text, 30, "external-dns is refused")
    seen = ready(engine, 0)
    assert seen.code == 1, seen.text
    name = part(seen.err, "name")
    assert "SignatureDoesNotMatch" in name, name
    assert "next: the key in the Secret is not the IAM user's" in name, name
    certificate = part(seen.err, "certificate")
    assert "AccessDenied" in certificate, certificate
    assert "route53:ChangeResourceRecordSets" in certificate, certificate
    assert "next: the policy of the IAM user lacks the action" in certificate, certificate
    replace(engine, KEY, "key", lambda _: "somebody-elses")
    engines.wait_for(lambda: "SignatureDoesNotMatch" in challenges(engine), 90, "cert-manager's key is not known")
    again = ready(engine, 0)
    certificate = part(again.err, "certificate")
    assert "SignatureDoesNotMatch" in certificate, certificate
    assert "next: the key in the Secret is not the IAM user's: `pulumi up --refresh`" in certificate, certificate
    assert "somebody-elses" not in seen.text + again.text
    engine.up("--refresh")
    assert "route53:ChangeResourceRecordSets" in json.dumps(policy(engine, "cert-manager-lab"))
    restart(engine, "external-dns")
    assert ready(engine, 1).code == 0


def replace(engine: engines.Engine, path: str, key: str, change: Callable[[str], str]) -> None:
    """Change a value of a Secret, behind Pulumi's back."""
    old = base64.b64decode(engine.cluster.get(path)["data"][key]).decode()
    engine.cluster.patch(path, {"data": {key: base64.b64encode(change(old).encode()).decode()}})


def challenges(engine: engines.Engine) -> str:
    """What cert-manager says of its open challenges."""
    return json.dumps([one.get("status") for one in engine.cluster.list("/apis/acme.cert-manager.io/v1/challenges")])


def restart(engine: engines.Engine, name: str) -> None:
    run = engine.kubectl("rollout", "restart", "-n", name, f"deployment/{name}")
    assert run.code == 0, run.text
    run = engine.kubectl("rollout", "status", "-n", name, f"deployment/{name}", "--timeout=30s")
    assert run.code == 0, run.text


def test_a_chart_repository_that_goes_away_is_shown(engine: engines.Engine) -> None:
    refresh = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}}
    where = f"{APPLICATIONS}/sealed-secrets"

    def conditions() -> str:
        return json.dumps(engine.cluster.get(where)["status"].get("conditions", []))

    processes.stop(engine.lab, "charts")
    try:
        engine.cluster.patch(where, refresh)
        engines.wait_for(lambda: "ComparisonError" in conditions(), 30, "Argo CD misses the repository")
        seen = ready(engine, 0)
    finally:
        services.up(engine.lab, print)
    text = part(seen.err, "application sealed-secrets")
    assert "ComparisonError" in text
    assert engine.lab.endpoint("charts") in text, "the repository is named"
    assert "charts.mirror" in text.split("next: ")[1], text
    engine.cluster.patch(where, refresh)
    assert ready(engine, 1).code == 0


def obstacles(engine: engines.Engine, zone: str) -> None:
    """What app owners made by themselves, and challenges that nobody can finish, Argo CD's own among them."""
    cluster = engine.cluster
    # A name that leads nowhere: its http01 challenge stays open.
    cluster.patch(CERTIFICATE, {"spec": {"dnsNames": [f"argocd.{DOMAIN}", f"nowhere.{DOMAIN}"]}})
    spec = {"secretName": "own-tls", "dnsNames": [f"nowhere-2.{DOMAIN}"], "issuerRef": {
        "group": "cert-manager.io", "kind": "ClusterIssuer", "name": ISSUER}}  # fmt: skip
    own = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "own"}, "spec": spec}
    cluster.create(f"/apis/cert-manager.io/v1/namespaces/{OWNED}/certificates", own)
    for namespace in ("argocd", OWNED):
        presented(engine, namespace)
    rule = {"host": f"shop.{DOMAIN}", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {
        "service": {"name": "app", "port": {"number": 80}}}}]}}  # fmt: skip
    tls = [{"hosts": [f"shop.{DOMAIN}"], "secretName": "shop-tls"}]
    ingress = {
        "metadata": {"name": "shop", "annotations": {"cert-manager.io/cluster-issuer": DNS01}},
        "spec": {"ingressClassName": "nginx", "rules": [rule], "tls": tls},
    }
    cluster.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    cluster.create("/apis/networking.k8s.io/v1/namespaces/shop/ingresses", ingress)
    # cert-manager lets a DNS record settle for a minute: so long this challenge is open, and not yet "presented".
    name = ("TXT", f"_acme-challenge.shop.{DOMAIN}")
    engines.wait_for(lambda: name in engine.records(zone), 90, "a challenge in shop is begun")


def presented(engine: engines.Engine, namespace: str) -> None:
    """Wait until a challenge of a namespace is begun."""

    def begun() -> bool:
        found = engine.cluster.list(f"/apis/acme.cert-manager.io/v1/namespaces/{namespace}/challenges")
        return any((one.get("status") or {}).get("presented") for one in found)

    engines.wait_for(begun, 90, f"a challenge in {namespace} is begun")


def test_after_a_refused_destroy_the_environment_can_be_kept(engine: engines.Engine, zone: str) -> None:
    """Refused with unfinished challenges, the ACME server down; then somebody thinks better of it."""
    obstacles(engine, zone)
    engines.wait_for(lambda: ("A", f"shop.{DOMAIN}") in engine.records(zone), 30, "external-dns wrote its record")
    processes.stop(engine.lab, "acme")
    refuse(engine, "external-dns-lab", "route53:ListHostedZones")
    engine.killed("destroy", r"cert-manager.io/v1:Certificate argocd-access deleting")
    refused = engine.pulumi("destroy --yes --skip-preview")
    assert refused.code != 0, "records that nobody would remove any more are no success"
    assert "external-dns-last-run" in refused.text, refused.text
    why = engine.kubectl("logs", "-n", "external-dns", "job/external-dns-last-run")
    assert "AccessDenied" in why.text, why.text
    services.up(engine.lab, print)
    grant(engine)
    with engine.changed_config(patient):
        stuck = engine.pulumi("up --yes --skip-preview")
        assert '"argocd" has no deployed releases' in stuck.text, "Helm takes it for removed"
        recovered = engine.run("python", "-m", "ops", "recover", "lab", "--yes")
        assert "removal was refused" in recovered.text, recovered.text
        engine.up()
    seen = ready(engine, 1)
    assert seen.code == 0, seen.text


def patient(config: Config) -> None:
    """A change that reaches Argo CD's release, whose limit it is."""
    config["gitops-platform:waitMinutes"] = 6


def balanced(engine: engines.Engine, namespace: str) -> str:
    """The address that the cloud gives a load balancer of a user's own."""
    where = f"/api/v1/namespaces/{namespace}/services"
    service = {"metadata": {"name": "own"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 9999}]}}
    engine.cluster.create(where, service)

    def address() -> str:
        status = engine.cluster.get(f"{where}/own")["status"]["loadBalancer"]
        return (status.get("ingress") or [{}])[0].get("ip", "")

    return engines.wait_for(address, 30, f"the load balancer in {namespace} has an address")


def test_destroy_copes_with_what_users_made_and_with_being_killed(engine: engines.Engine, zone: str) -> None:
    """Load balancers of users' own hold addresses; killed twice, it finishes all the same."""
    reserved, before = set(engine.outputs()["ingressAddresses"]), len(engine.stranded())
    of_nobody, of_owner = balanced(engine, "shop"), balanced(engine, OWNED)
    assert len({of_nobody, of_owner} - reserved) == 2, "a reserved one is the ingress's"
    engine.killed("destroy", r"argoproj.io/v1alpha1:Application external-dns deleting")
    engine.killed("destroy", r"helm.sh/v3:Release argocd deleting")
    destroyed = engine.pulumi("destroy --yes --skip-preview")
    assert destroyed.code == 0, destroyed.text
    assert not engine.state().get("resources"), "the state is empty"
    assert not engine.ionos_objects(), "no IONOS object is left"
    assert engine.aws("iam").list_users()["Users"] == []
    left = {name for _, name in engine.records(zone) if not name.startswith("_acme-challenge.")}
    assert left == {f"by-hand.{DOMAIN}"}, "the zone is as it was before the environment"
    lost = {address for one in engine.stranded()[before:] for address in one["addresses"]}
    assert lost == {of_nobody}, "only what is in nobody's namespace is there until its nodes go"
