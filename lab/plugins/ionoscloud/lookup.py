"""Functions of the plugin."""

from __future__ import annotations

import base64
import typing

import yaml

from lab.plugins import base, values
from lab.plugins.ionoscloud import client

Json = dict[str, typing.Any]


def get_cluster(call: base.Call, args: base.Properties) -> base.Properties:
    """A cluster by id or name, with its kubeconfig.

    As from the real plugin, `kubeConfig` is *not* secret, while the credentials taken out of it are.
    """
    id, name = values.plain(args.get("id")), values.plain(args.get("name"))
    if id and name:
        raise base.PluginError("id and name cannot be both specified in the same time")
    if not id and not name:
        raise base.PluginError("please provide either the k8s cluster id or name")
    entry = _by_id(call, id) if id else _by_name(call, name)
    properties = entry["properties"]
    text = call.client.text(call, f"/k8s/{entry['id']}/kubeconfig")
    pools = call.client.get(call, f"/k8s/{entry['id']}/nodepools")
    window = properties.get("maintenanceWindow")
    return {
        "id": entry["id"],
        "name": properties["name"],
        "k8sVersion": properties["k8sVersion"],
        "maintenanceWindows": [window] if window else [],
        "public": properties.get("public", True),
        "location": properties.get("location") or "",
        "natGatewayIp": properties.get("natGatewayIp") or "",
        "nodeSubnet": properties.get("nodeSubnet") or "",
        "apiSubnetAllowLists": properties.get("apiSubnetAllowList") or [],
        "s3Buckets": properties.get("s3Buckets") or [],
        "availableUpgradeVersions": properties.get("availableUpgradeVersions") or [],
        "viableNodePoolVersions": properties.get("viableNodePoolVersions") or [],
        "state": entry["metadata"]["state"],
        "nodePools": [pool["id"] for pool in pools["items"]],
        "kubeConfig": text,
        **_credentials(text),
    }


def _by_id(call: base.Call, id: str) -> Json:
    try:
        return call.client.get(call, f"/k8s/{id}")
    except client.ApiError as error:
        raise base.PluginError(f"an error occurred while fetching the k8s cluster with ID {id}: {error}") from None


def _by_name(call: base.Call, name: str) -> Json:
    clusters = call.client.get(call, "/k8s", depth=1)["items"]
    found = [cluster for cluster in clusters if cluster["properties"]["name"] == name]
    if not found:
        raise base.PluginError(f"no cluster found with the specified name {name}")
    return found[0]


def _credentials(text: str) -> base.Properties:
    config = yaml.safe_load(text)
    clusters = [
        {
            "name": cluster["name"],
            "cluster": {
                "server": cluster["cluster"]["server"],
                "certificate_authority_data": base64.b64decode(
                    cluster["cluster"]["certificate-authority-data"]
                ).decode(),
            },
        }
        for cluster in config["clusters"][:1]
    ]
    users = [{"name": user["name"], "user": {"token": user["user"]["token"]}} for user in config["users"]]
    contexts = [
        {
            "name": context["name"],
            "context": {"cluster": context["context"]["cluster"], "user": context["context"]["user"]},
        }
        for context in config["contexts"]
    ]
    whole = {
        "apiVersion": config["apiVersion"],
        "kind": config["kind"],
        "currentContext": config["current-context"],
        "clusters": clusters,
        "contexts": contexts,
        "users": users,
    }
    return {
        "configs": values.secret([whole]),
        "server": values.secret(clusters[0]["cluster"]["server"]),
        "caCrt": values.secret(clusters[0]["cluster"]["certificate_authority_data"]),
        "userTokens": values.secret({user["name"]: user["user"]["token"] for user in users}),
    }
