"""Which images the lab runs for real, and with which of its tools.

To add one: a line in IMAGES with the repository's pattern, the tool of `lab.toolchain` at each path that the image's
commands name, and what the image itself puts before the container's arguments.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import os
import re
import sys

from lab import layout
from lab.agent import adapting

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True)
class Image:
    """What stands in for a container image.

    repository: pattern of the image's name without registry, tag and digest. tools: path in the container -> tool; the
    first must be there, the others are left out where the lab lacks them. links: path -> path, both in the container.
    machine: paths of this machine that are there at the same place.
    entrypoint, command: as in an image's config. server: the program that the image's start script puts before
    arguments that begin with a dash. environment: on top of PATH and HOME. egress: which of `egress.variables` the
    program understands. adapt: changes its arguments for the lab. own_port: (option, default) of a port that the
    program opens on every address of the machine.
    """

    repository: str
    tools: tuple[tuple[str, str], ...] = ()
    machine: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    server: str | None = None
    home: str = "/root"
    environment: tuple[tuple[str, str], ...] = ()
    egress: tuple[str, ...] = ()
    adapt: adapting.Adapt = adapting.nothing
    own_port: tuple[str, int] | None = None

    @property
    def required(self) -> str | None:
        """The tool without which nothing of this image runs."""
        return self.tools[0][1] if self.tools else None


ARGOCD_NAMES = (
    "argocd-server",
    "argocd-repo-server",
    "argocd-application-controller",
    "argocd-applicationset-controller",
    "argocd-notifications",
    "argocd-cmp-server",
    "argocd-commit-server",
    "argocd-dex",
    "argocd-git-ask-pass",
    "argocd-k8s-auth",
)

PYTHON = os.path.realpath(sys.executable)
WEBHOOK = str(layout.PROJECT / "lab" / "ionos_webhook.py")

IMAGES: tuple[Image, ...] = (
    Image(
        repository=r"(.+/)?argocd",
        tools=(("/usr/local/bin/argocd", "argocd"), ("/usr/local/bin/helm", "helm")),
        # Which of its servers it is, the binary reads off its name.
        links=tuple((f"/usr/local/bin/{name}", "/usr/local/bin/argocd") for name in ARGOCD_NAMES),
        home="/home/argocd",
        # With it on, the repo-server ends at once on a machine without gpg.
        environment=(("ARGOCD_GPG_ENABLED", "false"), ("USER", "argocd")),
    ),
    Image(
        repository=r"(.+/)?redis",
        tools=(("/usr/local/bin/redis-server", "redis-server"),),
        command=("redis-server",),
        server="redis-server",
    ),
    Image(
        repository=r"(.+/)?sealed-secrets-controller",
        tools=(("/usr/local/bin/controller", "sealed-secrets-controller"),),
        entrypoint=("controller",),
    ),
    Image(
        repository=r"(.+/)?external-dns",
        tools=(("/usr/local/bin/external-dns", "external-dns"),),
        entrypoint=("external-dns",),
        egress=("AWS_ENDPOINT_URL",),
    ),
    Image(
        repository=r"(.+/)?external-dns-ionos-webhook",
        # Not the virtual environment: whatever is in it is not the program's to use.
        machine=(sys.base_prefix, WEBHOOK),
        entrypoint=(PYTHON, "-I", "-B", WEBHOOK),
        egress=("IONOS_API_URL",),
    ),
    Image(
        repository=r"(.+/)?cert-manager-controller",
        tools=(("/usr/local/bin/controller", "cert-manager-controller"),),
        entrypoint=("controller",),
        # The AWS SDK of this version knows no endpoint variable.
        egress=("HTTPS_PROXY", "NO_PROXY"),
        adapt=adapting.cert_manager,
    ),
    Image(
        repository=r"(.+/)?cert-manager-acmesolver",
        tools=(("/usr/local/bin/acmesolver", "acmesolver"),),
        entrypoint=("acmesolver",),
        own_port=("--listen-port", 8089),
    ),
    Image(
        repository=r"(.+/)?traefik",
        tools=(("/usr/local/bin/traefik", "traefik"),),
        command=("traefik",),
        server="traefik",
    ),
    Image(
        repository=r"(.+/)?ingress-nginx/controller",
        tools=(("/usr/local/bin/traefik", "traefik"),),
        adapt=adapting.ingress_nginx,
    ),
)


def find(reference: str, images: collections.abc.Sequence[Image] = IMAGES) -> Image | None:
    """The stand-in for an image reference such as `quay.io/argoproj/argocd:v3.2.6`; None: reported, not run."""
    name = repository(reference)
    return next((image for image in images if re.fullmatch(image.repository, name)), None)


def with_port(argv: collections.abc.Sequence[str], own_port: tuple[str, int], free: int) -> tuple[tuple[str, ...], int]:
    """The arguments with the port changed to `free`, and the port that was asked for."""
    option, asked = own_port
    kept: list[str] = []
    for word in argv:
        if word.startswith(f"{option}="):
            asked = int(word.partition("=")[2])
        else:
            kept.append(word)
    return (*kept, f"{option}={free}"), asked


def repository(reference: str) -> str:
    """An image reference without tag and digest; a registry's port is no tag."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def argv(image: Image, command: collections.abc.Sequence[str], args: collections.abc.Sequence[str]) -> tuple[str, ...]:
    """What a container runs: its `command` replaces the image's entrypoint and drops the image's own command."""
    if command:
        return (*command, *args)
    words = (*image.entrypoint, *(args or image.command))
    if image.server and words and words[0].startswith("-"):
        return (image.server, *words)
    return words
