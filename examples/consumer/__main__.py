"""A ConfigMap in an environment's cluster that tells applications where they are."""

import pulumi
import pulumi_kubernetes as kubernetes

platform = pulumi.StackReference(pulumi.Config().require("environment"))
if platform.get_output_details("apiVersion").value != "gitops-platform/v1":
    raise pulumi.RunError("this program was written for outputs of gitops-platform/v1")

cluster = kubernetes.Provider("cluster", kubeconfig=platform.require_output("kubeconfig"))
kubernetes.core.v1.ConfigMap(
    "where",
    metadata={"name": "platform", "namespace": "default"},
    data={
        "environment": platform.require_output("environment"),
        "domain": platform.require_output("domain"),
        "issuer": platform.require_output("clusterIssuers").apply(lambda names: names[-1]),
    },
    opts=pulumi.ResourceOptions(provider=cluster),
)
pulumi.export("argocd", platform.require_output("argocd").apply(lambda argocd: argocd["url"]))
