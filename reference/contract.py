"""The contract of stack outputs, described: what `outputs.py` exports, in the words of the consumer.

`outputs.py` makes the values and this says what they mean; tests hold each against the other. A key is only
added within a version; one that goes away, is renamed, changes its type, its fixed values or whether it is secret
makes a new version.
"""

from __future__ import annotations

from typing import Any, Literal

import pydantic
import pydantic.alias_generators

from reference import schema

SECRETS = ("kubeconfig", "appOwnerKubeconfigs.*")
"""What is secret, as paths of `shape`: `[secret]` without `--show-secrets`. All else is plain."""
VERSION = "gitops-platform/v1"


class Part(pydantic.BaseModel):
    """A mapping of the contract; every key is always there."""

    model_config = pydantic.ConfigDict(alias_generator=pydantic.alias_generators.to_camel)


def key(says: str, example: Any) -> Any:
    """A key of the contract."""
    return pydantic.Field(description=says, examples=[example])


class Lan(Part):
    """A LAN of the datacenter; id, network and `datacenterId` are what a managed database is connected with."""

    id: str = key("Its number in the datacenter.", "2")
    cidr: str | None = key("Network of a private LAN, which IONOS chooses; null for a public one.", "10.7.222.0/24")


class Cluster(Part):
    """The Kubernetes cluster."""

    name: str = key("Its name.", "gitops-sbx")
    id: str = key("IONOS's id; of an existing cluster its name.", "1e072e52-2ed3-492f-b6b6-c6b116907521")
    kubernetes_version: str | None = key("What runs; null for an existing cluster.", "1.34.3")
    provider: Literal["ionos", "existing"] = key("Who made it.", "ionos")
    datacenter_id: str | None = key(
        "The IONOS datacenter; null for an existing cluster.", "5a9e23c4-1f5e-4a1c-8a54-2d7a3f0c6b11"
    )
    lans: dict[str, Lan] = key("The LANs of `cluster.lans`, by name.", {})


class Zone(Part):
    """A hosted zone."""

    name: str = key("The domain.", "example.org")
    zone_id: str = key("Route53's id.", "Z0123456789ABCDEFGHIJ")
    name_servers: list[str] = key("Where the domain's registrar has to point to.", ["ns-1.example.net"])


class Dns(Part):
    """The environment's zones; empty with `dns.provider: ionos`, which has them elsewhere."""

    zone_id: str | None = key("The main domain's zone.", "Z0123456789ABCDEFGHIJ")
    name_servers: list[str] = key("The main domain's name servers.", ["ns-1.example.net"])
    zones: list[Zone] = key("Every zone, the main domain's first.", [])


class ArgoCd(Part):
    """Argo CD."""

    url: str = key("Its address.", "https://argocd.example.org")
    namespace: str = key("Where it runs, and where Applications go.", "argocd")


class GitOps(Part):
    """The GitOps repository."""

    repository: str | None = key("Its URL; null: none is set.", "https://github.com/example/gitops")
    revision: str = key("Branch, tag or commit.", "main")
    path: str = key("The folder of Applications.", "applications_sbx")
    application: str | None = key("The Application that applies this folder; null without hand-over.", "root")


class Sealing(Part):
    """What `kubeseal` needs."""

    certificate: str | None = key(
        "PEM; seals offline (`kubeseal --cert`). Null without sealed-secrets.", "-----BEGIN …"
    )
    controller_namespace: str = key("`kubeseal --controller-namespace`", "sealed-secrets")
    controller_name: str = key("`kubeseal --controller-name`", "sealed-secrets")


class AddOn(Part):
    """An add-on that runs."""

    chart: str = key("The chart's name.", "cert-manager")
    version: str = key("The chart's version.", "v1.20.3")
    namespace: str = key("Where it runs.", "cert-manager")


class AppOwner(Part):
    """Who may do what in a namespace of applications."""

    organization: str = key("Whose namespace it is.", "example")
    service_account: str = key("The ServiceAccount that the kubeconfig acts as.", "marketplace-sa-sbx")
    user: str = key("User in the kubeconfig; unique over all environments.", "marketplace-user-sbx")
    context: str = key("Context in the kubeconfig; unique over all environments.", "marketplace-sbx")
    read_secrets: bool = key("Whether it may read Secrets, and not only write them.", False)
    exec: bool = key("Whether it may run commands in pods.", False)
    permanent_token: bool = key("Whether `appOwnerKubeconfigs` has a kubeconfig of it.", False)


class Outputs(Part):
    """What a stack exports. Every key is always there."""

    api_version: Literal["gitops-platform/v1"] = key("Version of this contract; check it first.", VERSION)
    environment: str = key("Name of the environment.", "sbx")
    domain: str = key("The environment's main domain.", "example.org")
    cluster: Cluster = key("Which cluster it is.", {})
    kubeconfig: str = key("**Secret.** An administrator's kubeconfig (YAML or JSON).", "apiVersion: v1 …")
    ingress_addresses: list[str] = key("Reserved addresses; the first is the ingress's.", ["203.0.113.1"])
    dns: Dns = key("Zones and their name servers.", {})
    argocd: ArgoCd = key("Where Argo CD is.", {})
    gitops: GitOps = key("What is handed over to Argo CD.", {})
    sealing: Sealing = key("What secrets are sealed with.", {})
    cluster_issuers: list[str] = key(
        "Names for the annotation `cert-manager.io/cluster-issuer`. The first is the one that the environment's own "
        "Ingresses use; empty without cert-manager.",
        ["letsencrypt-sbx-issuer", "letsencrypt-sbx-issuer-http01", "selfsigned-issuer"],
    )
    addons: dict[str, AddOn] = key("What runs, by its name.", {})
    app_owners: dict[str, AppOwner] = key("Who may do what, by namespace.", {})
    app_owner_kubeconfigs: dict[str, str] = key(
        "**Secret**, each. Kubeconfigs with tokens that never expire, of owners with `permanentToken`.",
        {},
    )


def json_schema() -> dict[str, Any]:
    """The contract's schema. It lets unknown keys pass: a version may gain some."""
    made = schema.editors(schema.of_model(Outputs, nulls=True))
    return {"$schema": schema.DRAFT, "title": f"Stack outputs, {VERSION}", **made}


def closed(node: dict[str, Any]) -> dict[str, Any]:
    """The same schema without room for unknown keys: what the program is held to."""
    node = dict(node)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in node:
            node[key] = [closed(one) for one in node[key]]
    for name in ("properties", "definitions"):
        if name in node:
            node[name] = dict(node[name])
    for holder, name in schema.children(node):
        holder[name] = closed(holder[name])
    if "properties" in node:
        node["additionalProperties"] = False
    return node


def shape(node: dict[str, Any], definitions: dict[str, Any], path: str = "") -> list[str]:
    """Every key of the contract, one a line, with its type, the only values it may have, and whether it is secret.

    Such as `addons.*.chart: string`, `cluster.provider: string (existing, ionos)`, `kubeconfig: string, secret`.
    """
    if "$ref" in node:
        return shape(definitions[node["$ref"].rsplit("/", 1)[1]], definitions, path)
    if "allOf" in node:
        return shape(node["allOf"][0], definitions, path)
    if "properties" in node:
        return [
            line
            for name, value in node["properties"].items()
            for line in shape(value, definitions, f"{path}.{name}".lstrip("."))
        ]
    if node.get("type") == "array":
        return shape(node["items"], definitions, f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        return shape(node["additionalProperties"], definitions, f"{path}.*")
    kinds = sorted(one["type"] for one in node["anyOf"]) if "anyOf" in node else [node["type"]]
    values = node.get("enum") or ([node["const"]] if "const" in node else [])
    only = f" ({', '.join(sorted(map(str, values)))})" if values else ""
    return [f"{path}: {' or '.join(kinds)}{only}{', secret' if path in SECRETS else ''}"]
