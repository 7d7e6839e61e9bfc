"""From settings to the arguments of components: names, defaults and who gets what. Pure, no resources.

Settings say what an environment is, in the words of a stack file; components take what they need and know
no settings. Both change for their own reasons; this is the only place that knows both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

import settings as config
from components.addons import (
    addon,
    cert_manager,
    charts,
    external_dns,
    issuers,
    last_run,
    production,
    sealed_secrets,
    sealing_key,
    traefik,
)
from components.cluster import existing, ionos, namespaces
from components.dns import credentials, route53
from components.gitops import access, application, argocd, connections, project, root
from settings import cluster as cluster_settings
from settings import production as production_settings

ARGOCD = "argocd"
SEALED_SECRETS = sealed_secrets.NAMESPACE
EXTERNAL_DNS = route53.EXTERNAL_DNS
CERT_MANAGER = route53.CERT_MANAGER


def ingress_namespace(settings: config.Settings) -> str:
    """The ingress controller's namespace is named after it."""
    return settings.addons.ingress.controller


def cluster(
    settings: config.Settings, secrets: config.Secrets
) -> ionos.IonosClusterArgs | existing.ExistingClusterArgs:
    """The cluster to make, or to use."""
    wanted = settings.cluster
    if isinstance(wanted, cluster_settings.ExistingCluster):
        return existing.ExistingClusterArgs(
            cluster_name=wanted.name,
            kubeconfig=secrets.kubeconfig,
            path=wanted.kubeconfig_path,
            context=wanted.context,
            ingress_address=wanted.ingress_address,
        )
    pools = {
        "default-pool": _pool(wanted.default_pool),
        "ingress-pool": dataclasses.replace(
            _pool(wanted.ingress_pool),
            labels={**wanted.ingress_pool.labels, **ionos.INGRESS_LABEL},
            tainted=wanted.ingress_pool.taint,
        ),
        **{name: _pool(pool) for name, pool in wanted.extra_pools.items()},
    }
    return ionos.IonosClusterArgs(
        cluster_name=wanted.name,
        location=wanted.location,
        kubernetes_version=wanted.kubernetes_version,
        pools=pools,
        public=wanted.public,
        nat_gateway_ip=wanted.nat_gateway_ip,
        node_subnet=wanted.node_subnet,
        api_allow_list=wanted.api_allow_list,
        maintenance=_maintenance(wanted.maintenance),
        ingress_addresses=wanted.ingress_addresses,
        lans={name: lan.public for name, lan in wanted.lans.items()},
        protect=wanted.protect,
    )


def platform_namespaces(settings: config.Settings) -> namespaces.NamespacesArgs:
    """A namespace for Argo CD and for every add-on that is on."""
    return namespaces.NamespacesArgs(settings.platform_namespaces, settings.environment)


def dns(settings: config.Settings) -> route53.Route53Args:
    """Zones and IAM users; protected together with the cluster, since both hold what cannot be made again."""
    domains = [route53.Domain(domain.name, domain.zone_id) for domain in settings.dns.domains]
    enabled = {EXTERNAL_DNS: settings.addons.external_dns.enabled, CERT_MANAGER: settings.addons.cert_manager.enabled}
    controllers = [name for name, on in enabled.items() if on]
    return route53.Route53Args(settings.environment, domains, controllers, protect=_protect(settings))


def sealing(settings: config.Settings, namespace: pulumi.Input[str]) -> sealing_key.SealingKeyArgs:
    """The key pair that seals secrets."""
    return sealing_key.SealingKeyArgs(namespace, settings.environment, protect=_protect(settings))


def argo_cd(
    settings: config.Settings,
    secrets: config.Secrets,
    namespace: pulumi.Input[str],
    last: Sequence[Mapping[str, Any]] = (),
    monitors: pulumi.Input[bool] = False,
) -> argocd.ArgoCdArgs:
    """Argo CD, who may sign in, and what happens before it goes."""
    wanted = settings.argocd
    github = None
    if wanted.github and secrets.github_client_secret is not None:
        github = argocd.Github(
            wanted.github.client_id, secrets.github_client_secret, wanted.github.organization, wanted.github.teams
        )
    return argocd.ArgoCdArgs(
        namespace=namespace,
        host=wanted.host,
        github=github,
        default_role=wanted.rbac.default_role,
        admins=wanted.rbac.admins,
        admin_enabled=wanted.admin_enabled,
        last=last,
        network_policies=not settings.security.network_policies.enabled,
        values=wanted.values,
        mirror=settings.charts.mirror,
        timeout_minutes=settings.wait_minutes,
        production=_production(settings, monitors),
    )


def connections_of_argo_cd(
    settings: config.Settings, secrets: config.Secrets, namespace: pulumi.Input[str], zones: route53.Route53 | None
) -> connections.ConnectionsArgs:
    """What Argo CD knows of the environment, and the GitOps repository's credential."""
    facts: dict[str, pulumi.Input[str]] = {"domain": settings.domain, "ingress_class": ingress_class(settings)}
    if zones:
        facts["dns_zone_id"] = zones.zones[0].id
    if settings.addons.cert_manager.enabled:
        facts["cluster_issuer"] = settings.addons.cert_manager.issuer.name
    return connections.ConnectionsArgs(
        namespace, settings.environment, facts, settings.gitops.repository, _credential(settings.gitops, secrets)
    )


def root_application(settings: config.Settings) -> root.RootArgs:
    """The folder of the GitOps repository that is handed over."""
    wanted = settings.gitops
    if wanted.repository is None:
        raise ValueError("there is no repository to hand over to")
    return root.RootArgs(
        repository=wanted.repository,
        revision=wanted.revision,
        path=wanted.path,
        include=wanted.include,
        exclude=wanted.exclude,
        wait_healthy=wanted.wait_healthy,
        timeout=f"{wanted.timeout_minutes}m",
    )


def last_runs(
    settings: config.Settings, spaces: namespaces.Namespaces, zones: route53.Route53 | None
) -> list[dict[str, Any]]:
    """external-dns's last run, wherever there is an external-dns."""
    if not settings.addons.external_dns.enabled:
        return []
    wanted = external_dns_addon(settings, spaces[EXTERNAL_DNS], zones)
    stay = zones is None or any(domain.zone_id for domain in settings.dns.domains)
    return last_run.objects(spaces[EXTERNAL_DNS], external_dns.merged(wanted), zones_stay=stay)


def argo_cd_access(settings: config.Settings, namespace: pulumi.Input[str]) -> access.AccessArgs:
    """Argo CD's Ingress and certificate."""
    manager = settings.addons.cert_manager
    return access.AccessArgs(
        namespace=namespace,
        host=settings.argocd.host,
        ingress_class=ingress_class(settings),
        issuer=manager.issuer.name if manager.enabled else None,
        wait=settings.addons.ingress.enabled and manager.issuer.wait_ready,
        timeout=f"{settings.wait_minutes}m",
    )


def platform_project(settings: config.Settings) -> project.ProjectArgs:
    """What the add-ons' project may use: their charts and namespaces, and the repository that values come from.

    That repository only where an add-on reads it: the project may make anything cluster-wide, so whoever can push
    there an Application that names it could.
    """
    addons = settings.addons
    ingress = charts.TRAEFIK if addons.ingress.controller == "traefik" else charts.INGRESS_NGINX
    chosen = {
        charts.SEALED_SECRETS: addons.sealed_secrets,
        ingress: addons.ingress,
        charts.EXTERNAL_DNS: addons.external_dns,
        charts.CERT_MANAGER: addons.cert_manager,
    }
    on = {chart: wanted for chart, wanted in chosen.items() if wanted.enabled}
    repositories = [charts.repository_url(chart, settings.charts.mirror) for chart in on]
    if settings.gitops.repository and any(wanted.values_from for wanted in on.values()):
        repositories.append(settings.gitops.repository)
    return project.ProjectArgs(repositories, [n for n in platform_namespaces(settings).names if n != ARGOCD])


def sealed_secrets_addon(
    settings: config.Settings, namespace: pulumi.Input[str], monitors: pulumi.Input[bool] = False
) -> sealed_secrets.SealedSecretsArgs:
    """The sealed-secrets controller."""
    return sealed_secrets.SealedSecretsArgs(_install(settings, settings.addons.sealed_secrets, namespace, monitors))


def ingress_addon(
    settings: config.Settings,
    spaces: namespaces.Namespaces,
    addresses: pulumi.Output[Any],
    monitors: pulumi.Input[bool] = False,
) -> traefik.TraefikArgs:
    """The ingress controller, on the ingress pool's nodes and with the first reserved address.

    Traefik's arguments are the common ones and one more: they do for either controller.
    """
    wanted = settings.addons.ingress
    selector, tolerations = _ingress_nodes(settings)
    return traefik.TraefikArgs(
        install=_install(settings, wanted, spaces[ingress_namespace(settings)], monitors),
        address=_first(settings, addresses),
        node_selector=selector,
        tolerations=tolerations,
        # The one name that is there before any Ingress: what other names can be pointed at.
        hostname=f"ingress.{settings.dns.domains[0].name}" if settings.addons.external_dns.enabled else None,
        tcp_services=wanted.tcp_services,
        resources=wanted.resources.model_dump(exclude_none=True) if wanted.resources else {},
        nginx_class=wanted.nginx_class,
    )


def external_dns_addon(
    settings: config.Settings,
    namespace: pulumi.Input[str],
    zones: route53.Route53 | None,
    monitors: pulumi.Input[bool] = False,
) -> external_dns.ExternalDnsArgs:
    """external-dns, limited to this environment's zones and with a mark of this stack."""
    wanted = settings.addons.external_dns
    provider = external_dns.Ionos()
    if zones:
        ids = [zone.id for zone in zones.zones]
        provider = external_dns.Route53(ids, settings.dns.region, zones.keys[EXTERNAL_DNS].id)
    return external_dns.ExternalDnsArgs(
        install=_install(settings, wanted, namespace, monitors),
        provider=provider,
        domains=[domain.name for domain in settings.dns.domains],
        owner_id=wanted.txt_owner_id or _owner(),
        txt_prefix=wanted.txt_prefix,
        policy=wanted.policy,
        interval=wanted.interval,
    )


def cert_manager_addon(
    settings: config.Settings, namespace: pulumi.Input[str], monitors: pulumi.Input[bool] = False
) -> cert_manager.CertManagerArgs:
    """cert-manager."""
    return cert_manager.CertManagerArgs(_install(settings, settings.addons.cert_manager, namespace, monitors))


def cluster_issuers(settings: config.Settings, zones: route53.Route53 | None) -> issuers.ClusterIssuersArgs:
    """The issuers that certificates come from."""
    wanted = settings.addons.cert_manager
    return issuers.ClusterIssuersArgs(
        issuer=wanted.issuer.name,
        solver=wanted.issuer.solver,
        email=wanted.email,
        server=wanted.server_url,
        ingress_class=ingress_class(settings),
        http01_fallback=settings.addons.ingress.enabled,
        ingress_annotations=traefik.PLAIN_HTTP if settings.addons.ingress.controller == "traefik" else {},
        zones=[issuers.Zone(zone.name, zone.id) for zone in zones.zones] if zones else [],
        region=settings.dns.region,
        wait_ready=wanted.issuer.wait_ready,
        timeout=f"{wanted.timeout_minutes}m",
    )


def ingress_class(settings: config.Settings) -> str:
    """The class that Ingresses name."""
    return "traefik" if settings.addons.ingress.controller == "traefik" else "nginx"


def dns_credentials(
    settings: config.Settings,
    secrets: config.Secrets,
    spaces: namespaces.Namespaces,
    zones: route53.Route53 | None,
) -> list[credentials.CredentialsArgs]:
    """The DNS credentials of every controller that is on."""
    wanted: list[credentials.CredentialsArgs] = []
    if settings.addons.external_dns.enabled:
        if zones:
            wanted.append(credentials.aws_file(spaces[EXTERNAL_DNS], zones.keys[EXTERNAL_DNS]))
        elif secrets.ionos_dns_token is not None:
            wanted.append(credentials.ionos_token(spaces[EXTERNAL_DNS], secrets.ionos_dns_token))
    if settings.addons.cert_manager.enabled and zones:
        wanted.append(credentials.aws_key(spaces[CERT_MANAGER], zones.keys[CERT_MANAGER]))
    return wanted


def _production(settings: config.Settings, monitors: pulumi.Input[bool]) -> production.Production:
    """`monitors`: whether the cluster knows ServiceMonitors."""
    monitoring = production.Monitoring(monitors, settings.monitoring_labels) if settings.monitoring else None
    priority = "" if settings.priority_class == production_settings.NONE else settings.priority_class
    return production.Production(priority, settings.availability == "high", monitoring)


def _install(
    settings: config.Settings, wanted: Any, namespace: pulumi.Input[str], monitors: pulumi.Input[bool]
) -> addon.Install:
    values_from = None
    if wanted.values_from and settings.gitops.repository:
        values_from = application.ValuesFrom(
            settings.gitops.repository, settings.gitops.revision, wanted.values_from.path
        )
    return addon.Install(
        namespace=namespace,
        values=wanted.values,
        values_from=values_from,
        mirror=settings.charts.mirror,
        timeout=f"{wanted.timeout_minutes}m",
        production=_production(settings, monitors),
    )


def _credential(
    wanted: config.Gitops, secrets: config.Secrets
) -> connections.GithubApp | connections.DeployKey | connections.Token | None:
    if wanted.github_app and secrets.gitops_app_key is not None:
        return connections.GithubApp(
            wanted.github_app.app_id, wanted.github_app.installation_id, secrets.gitops_app_key
        )
    if secrets.gitops_deploy_key is not None:
        return connections.DeployKey(secrets.gitops_deploy_key)
    if secrets.gitops_token is not None:
        return connections.Token(wanted.username, secrets.gitops_token)
    return None


def _pool(pool: cluster_settings.Pool) -> ionos.PoolArgs:
    return ionos.PoolArgs(
        node_count=pool.node_count,
        cores=pool.cores,
        ram_mb=pool.ram_mb,
        storage_gb=pool.storage_gb,
        storage_type=pool.storage_type,
        cpu_family=pool.cpu_family,
        server_type=pool.server_type,
        availability_zone=pool.availability_zone,
        autoscaling=(pool.autoscaling.min, pool.autoscaling.max) if pool.autoscaling else None,
        public_ips=pool.public_ips,
        lans=[
            ionos.PoolLan(one.lan, one.dhcp, [(route.network, route.gateway_ip) for route in one.routes])
            for one in pool.lans
        ],
        labels=pool.labels,
        maintenance=_maintenance(pool.maintenance),
    )


def _maintenance(window: cluster_settings.Maintenance | None) -> ionos.Maintenance | None:
    return ionos.Maintenance(window.day, window.time) if window else None


def _owner() -> str:
    """Whose records are whose. Named after the stack: several may give their environment the same name."""
    return f"gitops-platform-{pulumi.get_stack()}"


def _protect(settings: config.Settings) -> bool:
    wanted = settings.cluster
    return wanted.protect if isinstance(wanted, cluster_settings.IonosCluster) else settings.environment == "prd"


def _ingress_nodes(settings: config.Settings) -> tuple[Mapping[str, str], Sequence[Mapping[str, str]]]:
    wanted = settings.cluster
    if isinstance(wanted, cluster_settings.ExistingCluster):
        tolerations = [t.model_dump(exclude_none=True) for t in wanted.ingress_tolerations]
        return wanted.ingress_node_selector, tolerations
    if not wanted.ingress_pool.taint:
        return ionos.INGRESS_LABEL, []
    return ionos.INGRESS_LABEL, [{"operator": "Equal", **ionos.INGRESS_TAINT}]


def _first(settings: config.Settings, addresses: pulumi.Output[Any]) -> pulumi.Output[str] | None:
    wanted = settings.cluster
    if isinstance(wanted, cluster_settings.ExistingCluster) and not wanted.ingress_address:
        return None
    return addresses.apply(lambda reserved: reserved[0])
