"""As `arguments`, for the platform's namespaces: how strictly they are held, and who reaches their pods. Pure."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib import parse as urls

import pulumi

import arguments
import settings as config
from components.addons import ingress_nginx, traefik
from components.cluster import namespaces, network_policies
from kubeconfigs import checking

API_PORT = 6443
"""Where most API servers listen that do not at 443."""


def platform(settings: config.Settings, kubeconfig: pulumi.Output[str]) -> namespaces.NamespacesArgs:
    """The namespaces with their bounds. `kubeconfig`: the cluster administrator's; its server's port is let through."""
    wanted = settings.security
    args = dataclasses.replace(arguments.platform_namespaces(settings), pod_security=wanted.pod_security)
    if not wanted.network_policies.enabled:
        return args
    network = network_policies.NetworkPoliciesArgs(
        ingress_namespace=arguments.ingress_namespace(settings) if settings.addons.ingress.enabled else None,
        ingress_ports=ingress_ports(settings),
        scrape_from=wanted.network_policies.scrape_from,
        ports=sorted({API_PORT, *wanted.network_policies.ports, *address_ports(settings)}),
    )
    # A port is no secret, and as one it would hide the policies in previews.
    api = pulumi.Output.unsecret(kubeconfig.apply(checking.server_port))
    return dataclasses.replace(args, network=network, network_ports=api.apply(lambda port: [port]))


def ingress_ports(settings: config.Settings) -> Sequence[tuple[str, str]]:
    """(protocol, name) of the ingress controller's ports that the world may reach, those of its `values` too."""
    wanted = settings.addons.ingress
    if wanted.controller == "traefik":
        entries = {
            name: {} for name in (traefik.WEB, traefik.WEBSECURE, *map(traefik.entry_point, wanted.tcp_services))
        }
        return sorted(set(_entry_points({**entries, **_mapping(wanted.values, "ports")})))
    tcp = {*wanted.tcp_services, *_mapping(wanted.values, "tcp")}
    return [
        *(("TCP", name) for name in ingress_nginx.PORTS),
        *(("TCP", f"{port}-tcp") for port in sorted(tcp)),
        *(("UDP", f"{port}-udp") for port in sorted(_mapping(wanted.values, "udp"))),
    ]


def address_ports(settings: config.Settings) -> set[int]:
    """The ports in the addresses of the stack file: of repositories, charts and the ACME server."""
    owned = [url for owner in settings.app_owners if owner.argocd for url in owner.argocd.repositories]
    manager = settings.addons.cert_manager
    addresses = [settings.gitops.repository, settings.charts.mirror, *owned, manager.server_url]
    return {port for address in addresses if address and (port := _port(address))}


def _entry_points(entries: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, entry in entries.items():
        if name in traefik.OWN_PORTS or not isinstance(entry, Mapping):
            continue
        yield entry.get("protocol", "TCP"), name
        if _mapping(entry, "http3").get("enabled"):
            yield "UDP", f"{name}-http3"


def _port(address: str) -> int | None:
    """The port that an address names; the host's own one of `git@host:path` is 22."""
    with contextlib.suppress(ValueError):
        return urls.urlsplit(address).port
    return None


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}
