"""Explicit providers, as the options that hand them to a component and its children.

No resource uses a default provider: which account and which cluster it belongs to is always written down.
"""

from __future__ import annotations

import pulumi
import pulumi_aws
import pulumi_ionoscloud
import pulumi_kubernetes
import pulumi_tls

from components import cluster


def ionos(token: pulumi.Input[str] | None) -> pulumi.ResourceOptions:
    """IONOS Cloud; without a token, the environment's IONOS_TOKEN (or user name and password) holds."""
    return pulumi.ResourceOptions(provider=pulumi_ionoscloud.Provider("ionos", token=token))


def aws(region: str) -> pulumi.ResourceOptions:
    """AWS, with the credentials of the environment."""
    return pulumi.ResourceOptions(provider=pulumi_aws.Provider("aws", region=region))


def tls() -> pulumi_tls.Provider:
    """Keys and certificates; computes, reaches nothing."""
    return pulumi_tls.Provider("tls")


def kubernetes(target: cluster.Cluster, *, ours: bool) -> pulumi_kubernetes.Provider:
    """The cluster. `ours`: this program made it, so an object that exists already is ours too.

    Upserting is what lets an interrupted `up` run again; on somebody else's cluster it would take over
    objects of theirs, and destroy them at the end.
    """
    return pulumi_kubernetes.Provider(
        "cluster",
        kubeconfig=target.kubeconfig,
        # Without it a kubeconfig that is unknown at preview replaces the provider and with it everything.
        cluster_identifier=target.id,
        # Replacing a Secret leaves a gap in which a controller starts without it.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        upsert_existing_objects=ours,
        # What drifted is put back whoever wrote it; without it an edit by another tool stops every later update.
        enable_patch_force=True,
    )
