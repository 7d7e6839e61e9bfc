"""Arguments of programs that stand in for another one, or for another version of themselves. Pure."""

from __future__ import annotations

import collections.abc

from lab import layout

DNS_PORT = 53

Words = tuple[str, ...]
Adapt = collections.abc.Callable[[Words, layout.Lab, str], Words]
"""(what the container would run, the lab, the pod's address) -> what it runs here."""


def nothing(words: Words, _lab: layout.Lab, _address: str) -> Words:
    """As it is."""
    return words


def cert_manager(words: Words, lab: layout.Lab, _address: str) -> Words:
    """Name the lab's DNS server where a resolv.conf cannot, since that has no place for a port."""
    if lab.ports["dns"] == DNS_PORT:
        return words
    server = f"{lab.address}:{lab.ports['dns']}"
    return (
        *words,
        f"--dns01-recursive-nameservers={server}",
        "--dns01-recursive-nameservers-only=true",
        f"--acme-http01-solver-nameservers={server}",
    )


def ingress_nginx(words: Words, lab: layout.Lab, address: str) -> Words:
    """Traefik in ingress-nginx's place: it serves the same class, with most of the same annotations.

    Taken over: class, controller, published Service, and how long it still takes connections after it was told to
    end. Not: its ConfigMap, TCP services, other options.
    """
    options = {name: value for name, _, value in (word.removeprefix("--").partition("=") for word in words)}
    provider = "--providers.kubernetesIngressNGINX"
    known = {
        "ingress-class": "ingressClass",
        "controller-class": "controllerClass",
        "publish-service": "publishService",
        "watch-ingress-without-class": "watchIngressWithoutClass",
    }
    grace = int(options.get("shutdown-grace-period", 0))
    found = [
        "traefik",
        "--global.checkNewVersion=false",
        "--log.level=INFO",
        "--ping=true",
        f"--entryPoints.traefik.address={address}:10254",
        f"--entryPoints.http.address={address}:{lab.usable(80)}",
        f"--entryPoints.https.address={address}:{lab.usable(443)}",
        *(f"--entryPoints.{one}.transport.lifeCycle.requestAcceptGraceTimeout={grace}s" for one in ("http", "https")),
        f"{provider}=true",
        f"{provider}.httpEntryPoint=http",
        f"{provider}.httpsEntryPoint=https",
        *(f"{provider}.{name}={options[option]}" for option, name in known.items() if options.get(option)),
    ]
    return tuple(found)
