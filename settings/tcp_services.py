"""`addons.ingress.tcpServices`: which ports the ingress can pass through, and where to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from settings import checks, errors

PATH = "addons.ingress.tcpServices"
CONTROLLER = "addons.ingress.controller"

OWN = (80, 443)
INGRESS_NGINX = {
    442: "it hands TLS on to itself there",
    8181: "its default server is there",
    8443: "its admission webhook is there",
    10245: "its profiler is there",
    10246: "its status page is there",
    10247: "it configures itself there",
    10254: "its health check and metrics are there",
}
"""Ports of ingress-nginx's pod. It leaves out a service on any of them and says so in its log only; one on the
webhook's keeps nginx from starting. https://kubernetes.github.io/ingress-nginx/user-guide/cli-arguments/"""

LAST = 65535


def rules(services: Mapping[str, str], controller: str) -> Iterator[errors.Mistake]:
    """What is wrong with the ports and the targets."""
    for port, target in services.items():
        yield from _port(port, controller)
        yield from _target(port, target)


def strangers(services: Mapping[str, str], controller: str, ours: Collection[str]) -> Iterator[errors.Mistake]:
    """Warnings of targets whose namespace `up` does not make: Traefik's route is an object in it."""
    for port, target in services.items():
        namespace = target.partition("/")[0]
        if controller == "traefik" and namespace not in ours:
            problem = f"namespace {namespace} is not made by this stack, and the route lies in it"
            fix = f"make it before `pulumi up`, or add {namespace} to appOwners"
            yield errors.Mistake(f"{PATH}.{port}", problem, fix)


def _port(port: str, controller: str) -> Iterator[errors.Mistake]:
    path = f"{PATH}.{port}"
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > LAST:
        yield errors.Mistake(path, f"{checks.show(port)} is no port", f"write a number from 1 to {LAST}, in quotes")
        return
    number = int(port)
    if number in OWN:
        yield errors.Mistake(path, "this port is the ingress's own", "choose another one")
    elif controller == "ingress-nginx" and number in INGRESS_NGINX:
        problem = f"{controller} cannot pass this port through: {INGRESS_NGINX[number]}"
        yield errors.Mistake(path, problem, "choose another one, or write controller: traefik", (CONTROLLER,))


def _target(port: str, target: str) -> Iterator[errors.Mistake]:
    found = re.fullmatch(r"([a-z0-9-]+)/([a-z0-9-]+):([0-9]{1,5}|[a-z][a-z0-9-]*)", target)
    if not found or (found[3].isdigit() and not 1 <= int(found[3]) <= LAST):
        fix = "write namespace/service:port, such as marketplace/postgres:5432"
        yield errors.Mistake(f"{PATH}.{port}", f"{checks.show(target)} is no service and port", fix)
