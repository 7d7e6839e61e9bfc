"""One environment, made whole: cluster, DNS, Argo CD, then the add-ons, each waited for.

The order is a graph: a part depends on what it really needs, everything else runs side by side, and
destroy runs the graph backwards.
"""

# isort: off
import startup  # noqa: F401 (makes what follows faster)

# isort: on
import pulumi

import access_arguments
import arguments
import namespace_arguments
import outputs
import preflight
import releases
import settings as config
from components import cluster, providers
from components.access import app_owner
from components.addons import cert_manager, external_dns, ingress_nginx, issuers, sealed_secrets, sealing_key, traefik
from components.cluster import namespaces
from components.dns import credentials, route53
from components.gitops import access, argocd, connections, project, root
from preflight import monitoring

settings, secrets = config.load(), config.load_secrets()
preflight.check(settings, secrets, lambda: releases.wanted(settings, secrets))
ionos, on_route53, on = settings.cluster.provider == "ionos", settings.dns.provider == "route53", settings.addons

target = cluster.create(
    "cluster", arguments.cluster(settings, secrets), providers.ionos(secrets.ionos_token) if ionos else None
)
zones = route53.Route53("dns", arguments.dns(settings), providers.aws(settings.dns.region)) if on_route53 else None
kubernetes, tls = providers.kubernetes(target, ours=ionos), providers.tls()
monitors = monitoring.served(target.kubeconfig) if settings.monitoring else False


def inside(*after: pulumi.Resource) -> pulumi.ResourceOptions:
    """In the cluster, after these parts."""
    return pulumi.ResourceOptions(providers=[kubernetes, tls], depends_on=list(after))


spaces = namespaces.Namespaces("namespaces", namespace_arguments.platform(settings, target.kubeconfig), inside())
known = connections.Connections(
    "connections", arguments.connections_of_argo_cd(settings, secrets, spaces["argocd"], zones), inside()
)
keys = credentials.create("dns-credentials", arguments.dns_credentials(settings, secrets, spaces, zones), inside())
# After the keys, so that it goes before them: its end empties the zones.
last = arguments.last_runs(settings, spaces, zones)
argo = argocd.ArgoCd(
    "argocd", arguments.argo_cd(settings, secrets, spaces["argocd"], last, monitors), inside(known, *keys)
)
platform = project.Project("platform", arguments.platform_project(settings), inside(argo))

certificate, made, issuer_names, installed = None, None, [], {}
if on.sealed_secrets.enabled:
    key = sealing_key.SealingKey("sealing-key", arguments.sealing(settings, spaces["sealed-secrets"]), inside())
    certificate = key.certificate
    installed["sealed-secrets"] = sealed_secrets.SealedSecrets(
        "sealed-secrets",
        arguments.sealed_secrets_addon(settings, spaces["sealed-secrets"], monitors),
        inside(platform, key),
    )
if on.ingress.enabled:
    kind = traefik.Traefik if on.ingress.controller == "traefik" else ingress_nginx.IngressNginx
    installed[on.ingress.controller] = kind(
        on.ingress.controller,
        arguments.ingress_addon(settings, spaces, target.ingress_addresses, monitors),
        inside(platform),
    )
if on.external_dns.enabled:
    installed["external-dns"] = external_dns.ExternalDns(
        "external-dns",
        arguments.external_dns_addon(settings, spaces["external-dns"], zones, monitors),
        inside(platform, *keys),
    )
if on.cert_manager.enabled:
    installed["cert-manager"] = cert_manager.CertManager(
        "cert-manager", arguments.cert_manager_addon(settings, spaces["cert-manager"], monitors), inside(platform)
    )
    made = issuers.ClusterIssuers(
        "issuers", arguments.cluster_issuers(settings, zones), inside(installed["cert-manager"], *keys)
    )
    issuer_names = made.names
# Last to come and first to go, so that cert-manager can clean up after it.
needed = [part for name, part in installed.items() if name != "sealed-secrets"] + ([made] if made else [])
entrance = access.Access("argocd-access", arguments.argo_cd_access(settings, spaces["argocd"]), inside(argo, *needed))
# After the issuers, so that they go before cert-manager: nobody else takes its finalizer off an unfinished challenge.
issuing = list(made.manifests.values()) if made else []
owners = app_owner.create(access_arguments.app_owners(settings, target.kubeconfig), inside(), issuing)
if on.ingress.enabled and on.ingress.controller == "traefik" and on.ingress.tcp_services:
    traefik.TcpRoutes("tcp-routes", on.ingress.tcp_services, inside(installed["traefik"], *owners))
corners = project.create(access_arguments.owner_projects(settings), inside(argo))
if settings.gitops.hand_over:
    before = inside(entrance, *installed.values(), *owners, *corners)
    root.Root("root", arguments.root_application(settings), before)

outputs.export(settings, target, zones, argo, certificate, issuer_names, installed, owners)
