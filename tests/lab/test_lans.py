"""A private LAN, as the real engine makes it, attaches pools and takes it away again; the cloud alone, no add-on."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from typing import Any

import engine as engines
import pytest

pytestmark = pytest.mark.timeout(600)
CLUSTER = "**platform:cluster:IonosCluster**"


def ionos(engine: engines.Engine, path: str) -> Any:
    """What the emulated cloud answers."""
    token = {"Authorization": f"Bearer {engine.environment()['IONOS_TOKEN']}"}
    request = urllib.request.Request(f"{engine.lab.endpoint('ionos')}/cloudapi/v6{path}", headers=token)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def attached(engine: engines.Engine) -> dict[str, list[dict[str, Any]]]:
    """Name of each pool -> LANs that the cloud has attached it to."""
    (cluster,) = ionos(engine, "/k8s")["items"]
    pools = ionos(engine, f"/k8s/{cluster['id']}/nodepools")["items"]
    return {pool["properties"]["name"]: pool["properties"]["lans"] for pool in pools}


def up(engine: engines.Engine) -> Counter[str]:
    """How often each operation was done, but for `same`."""
    run = engine.pulumi("up --yes --skip-preview --json", "--target", CLUSTER)
    assert run.code == 0, run.text
    return changes(run.out)


def changes(out: str) -> Counter[str]:
    done: Counter[str] = Counter()
    for line in out.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        metadata = event.get("resOutputsEvent", {}).get("metadata")
        if metadata and metadata["op"] != "same":
            done[f"{metadata['op']} {metadata['type'].rpartition(':')[2]}"] += 1
    return done


def lans(config: dict[str, Any], *pools: str) -> None:
    section = config["gitops-platform:cluster"]
    section["lans"] = {"databases": {}}
    for pool in pools:
        section[pool]["lans"] = ["databases"]


def test_a_lan_comes_takes_in_pools_and_goes(engine: engines.Engine) -> None:
    try:
        with engine.changed_config(lambda config: lans(config, "defaultPool")):
            assert up(engine)["create Lan"] == 1
            (datacenter,) = ionos(engine, "/datacenters")["items"]
            (lan,) = ionos(engine, f"/datacenters/{datacenter['id']}/lans")["items"]
            assert (lan["properties"]["name"], lan["properties"]["public"]) == ("databases", False)
            mine = [{"id": int(lan["id"]), "dhcp": True, "routes": []}]
            assert attached(engine) == {"default-pool": mine, "ingress-pool": []}
            assert up(engine) == {}, "nothing changes by itself"
        with engine.changed_config(lambda config: lans(config, "defaultPool", "ingressPool")):
            assert up(engine) == {"update NodePool": 1}, "in place, nodes stay"
            assert attached(engine) == {"default-pool": mine, "ingress-pool": mine}
            refreshed = engine.pulumi("refresh --yes --skip-preview --expect-no-changes", "--target", CLUSTER)
            assert refreshed.code == 0, refreshed.text
        done = up(engine)
        assert done == {"update NodePool": 2, "delete Lan": 1}, "the LAN goes once no pool is in it"
        assert attached(engine) == {"default-pool": [], "ingress-pool": []}
    finally:
        destroyed = engine.pulumi("destroy --yes --skip-preview")
    assert destroyed.code == 0, destroyed.text
    assert not engine.ionos_objects()
