"""A ConfigMap in an environment's cluster that tells applications where they are."""

import pulumi
import pulumi_kubernetes as kubernetes

platform = pulumi.StackReference(pulumi.Config().require("environment"))


def known(version: str) -> str:
    """The contract's version, if it is the one that this program was written for."""
    if version != "gitops-platform/v1":
        raise pulumi.RunError(f"outputs of {version}: this program knows gitops-platform/v1")
    return version


cluster = kubernetes.Provider("cluster", kubeconfig=platform.require_output("kubeconfig"))
kubernetes.core.v1.ConfigMap(
    "where",
    metadata={"name": "platform", "namespace": "default"},
    data={
        "contract": platform.require_output("apiVersion").apply(known),
        "environment": platform.require_output("environment"),
        "domain": platform.require_output("domain"),
        "issuer": platform.require_output("clusterIssuers").apply(lambda names: names[0]),
    },
    opts=pulumi.ResourceOptions(provider=cluster),
)
pulumi.export("argocd", platform.require_output("argocd").apply(lambda argocd: argocd["url"]))
