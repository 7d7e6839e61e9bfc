"""`pulumi destroy` of an environment whose cluster is gone. What else destroy has to cope with: test_faults.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import engine as engines
import pytest

pytestmark = pytest.mark.timeout(600)
DOMAIN = "lab.example.org"
OWNER = "gitops-platform-lab"


@pytest.fixture
def zone(engine: engines.Engine) -> Iterator[str]:
    """Id of a zone that was there before the environment, with a record of somebody else."""
    route53 = engine.aws("route53")
    made = route53.create_hosted_zone(Name=DOMAIN, CallerReference="before")["HostedZone"]["Id"]
    engine.write_record(made, f"by-hand.{DOMAIN}", "A", "192.0.2.9")
    yield made.rpartition("/")[2]
    for kind, name in engine.records(made):
        engine.remove_record(made, name, kind)
    route53.delete_hosted_zone(Id=made)


@pytest.fixture
def lost(engine: engines.Engine, zone: str) -> Iterator[engines.Engine]:
    """An environment with Applications, in that zone, whose cluster somebody deleted at the cloud."""

    def change(config: dict[str, Any]) -> None:
        config["gitops-platform:dns"]["domains"] = [{"name": DOMAIN, "zoneId": zone}]
        # Every kind of object is there; nobody waits for a certificate that takes its minute.
        config["gitops-platform:addons"]["certManager"]["issuer"] = {"solver": "http01", "waitReady": False}

    with engine.changed_config(change):
        engine.up()
        for path in (
            "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications",
            "/apis/cert-manager.io/v1/clusterissuers",
            "/apis/cert-manager.io/v1/namespaces/argocd/certificates",
            "/apis/networking.k8s.io/v1/namespaces/argocd/ingresses",
        ):
            assert engine.cluster.list(path), f"{path}: what is destroyed without a cluster"
        engine.lose_the_cluster()
        # What external-dns had no time to remove.
        mark = f'"heritage=external-dns,external-dns/owner={OWNER},external-dns/resource=ingress/shop/shop"'
        engine.write_record(zone, f"a-edns.shop.{DOMAIN}", "TXT", mark)
        engine.write_record(zone, f"shop.{DOMAIN}", "A", "192.0.2.1")
        yield engine


def test_destroy_without_the_cluster_leaves_nothing(lost: engines.Engine, zone: str) -> None:
    swept = lost.run("python", "-m", "ops", "sweep-records", "lab", "--yes")
    assert swept.code == 0, swept.text
    assert lost.records(zone) == {("A", f"by-hand.{DOMAIN}")}, "its own records go, those of others stay"
    destroyed = lost.pulumi("destroy --yes --skip-preview --refresh", PULUMI_K8S_DELETE_UNREACHABLE="true", seconds=300)
    assert destroyed.code == 0, destroyed.text
    assert not lost.state().get("resources"), "the state is empty"
    assert not lost.ionos_objects()
    assert lost.aws("iam").list_users()["Users"] == []
