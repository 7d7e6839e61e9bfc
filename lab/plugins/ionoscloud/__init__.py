"""The ionoscloud plugin: datacenters, LANs, IP blocks, managed clusters and node pools over the IONOS Cloud REST API.

https://www.pulumi.com/registry/packages/ionoscloud/
"""

from __future__ import annotations

import os

from lab.plugins import base
from lab.plugins.ionoscloud import client, compute, k8s, lookup

NO_CREDENTIALS = "missing credentials, either token or username and password must be set"


class Ionoscloud(base.Provider):
    """Settings come from the provider resource, else from the environment of the plugin's process."""

    name, package = "ionoscloud", "pulumi_ionoscloud"
    resources = {
        "ionoscloud:compute/datacenter:Datacenter": compute.Datacenter(),
        "ionoscloud:compute/iPBlock:IPBlock": compute.IPBlock(),
        "ionoscloud:compute/lan:Lan": compute.Lan(),
        "ionoscloud:k8s/cluster:Cluster": k8s.Cluster(),
        "ionoscloud:k8s/nodePool:NodePool": k8s.NodePool(),
    }
    functions = {"ionoscloud:k8s/getCluster:getCluster": lookup.get_cluster}

    def configure(self, call: base.Call, config: base.Properties) -> client.Client:
        """A client; PluginError without credentials. They are tried at the first request only."""

        def setting(key: str, variable: str) -> str:
            return str(config.get(key) or os.environ.get(variable) or "")

        token = setting("token", "IONOS_TOKEN")
        username, password = setting("username", "IONOS_USERNAME"), setting("password", "IONOS_PASSWORD")
        if not token and not (username and password):
            raise base.PluginError(NO_CREDENTIALS)
        return client.Client(
            setting("endpoint", "IONOS_API_URL"),
            token,
            username,
            password,
            contract=setting("contractNumber", "IONOS_CONTRACT_NUMBER"),
            insecure=bool(base.config_value(config, "insecure", False)),
        )


def provider() -> base.Provider:
    """The plugin."""
    return Ionoscloud()
