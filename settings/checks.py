"""Checks of single values (names, addresses, versions): each returns the value or refuses it with a fix."""

from __future__ import annotations

import ipaddress
import re

from settings import base

HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
IONOS_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
ENVIRONMENT = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
LOCATION = re.compile(r"[a-z]{2}/[a-z]{3}(/[0-9]+)?")
KUBERNETES_VERSION = re.compile(r"[1-9][0-9]*\.[0-9]+\.[0-9]+")
WINDOW_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z")
ZONE_ID = re.compile(r"Z[A-Z0-9]{4,31}")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
ROLE = re.compile(r"(role:[A-Za-z0-9_-]+)?")
QUANTITY = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,2})?")
BYTES = re.compile(QUANTITY.pattern.replace("num", ""))
GITHUB_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
GITHUB_TEAM = re.compile(r"[a-z0-9_-]{1,100}")


def show(value: object, limit: int = 60) -> str:
    """A value for a message: quoted, short, and never the lines of something pasted (it may be a key)."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and (len(value) > limit or "\n" in value):
        return f"a text of {len(value)} characters"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value)


def environment(value: str) -> str:
    """Short enough to be part of every name that is made from it."""
    if not ENVIRONMENT.fullmatch(value):
        raise base.refuse(
            f"{show(value)} cannot be an environment's name",
            "write 1 to 20 of a-z, 0-9 and -, beginning with a letter, such as `dev2`",
        )
    return value


def ionos_name(value: str) -> str:
    """The name of a cluster or a node pool: 1 to 63 characters."""
    if not IONOS_NAME.fullmatch(value):
        raise base.refuse(
            f"{show(value)} is no name that IONOS takes",
            "write 1 to 63 letters, digits, -, _ or ., beginning and ending with a letter or digit",
        )
    return value


def location(value: str) -> str:
    """An IONOS location: country/city, some with a number behind."""
    if not LOCATION.fullmatch(value):
        raise base.refuse(f"{show(value)} is no IONOS location", "write country/city, such as `de/txl` or `de/fra`")
    return value


def kubernetes_version(value: str) -> str:
    """All three numbers, since IONOS offers patch releases."""
    if not KUBERNETES_VERSION.fullmatch(value):
        wanted = re.fullmatch(r"v?([0-9]+\.[0-9]+)(\.[0-9]+)?", value)
        example = f"{wanted[1]}{wanted[2] or '.0'}" if wanted else "1.34.3"
        raise base.refuse(f"{show(value)} is no full version", f'write "{example}", in quotes')
    return value


def window_time(value: str) -> str:
    """A maintenance window's beginning, in UTC."""
    if not WINDOW_TIME.fullmatch(value):
        raise base.refuse(f"{show(value)} is no time in UTC", 'write hours, minutes, seconds and a Z: "02:00:00Z"')
    return value


def ram_mb(value: int) -> int:
    """MB in whole GB; a small number is surely meant in GB."""
    if 1 <= value <= 1024:
        raise base.refuse(f"{value} MB is too little for a node and looks like GB", f"write {value * 1024}")
    if value < 2048:
        raise base.refuse(f"{value} MB is less than a node needs", "write at least 2048")
    if value % 1024:
        raise base.refuse(f"{value} MB is not a multiple of 1024", f"write {round(value / 1024) * 1024}")
    return value


def address(value: str) -> str:
    """One IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise base.refuse(f"{show(value)} is no IP address", "write one address, such as 203.0.113.9") from None
    return value


def address_range(value: str) -> str:
    """An address, or a range in CIDR form without host bits."""
    try:
        ipaddress.ip_network(value)
    except ValueError:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            fix = "write an address or a range, such as 203.0.113.9 or 203.0.113.0/24"
            raise base.refuse(f"{show(value)} is neither an address nor a CIDR range", fix) from None
        fix = f"write {network}, or {value.split('/')[0]} for the one address"
        raise base.refuse(f"{show(value)} has bits set beyond its prefix length", fix) from None
    return value


def node_subnet(value: str) -> str:
    """A private cluster's own network: IPv4 with a prefix of 16 bits."""
    try:
        good = ipaddress.IPv4Network(value).prefixlen == 16
    except ValueError:
        good = False
    if not good:
        raise base.refuse(f"{show(value)} is no IPv4 range of 16 bits", "write one such as 10.5.0.0/16")
    return value


def domain(value: str) -> str:
    """A DNS name of two labels or more, in lower case, in its ASCII form."""
    problem = f"{show(value)} is no domain name"
    example = "write a name such as example.org"
    if "://" in value or "/" in value:
        raise base.refuse(problem, "write the name alone, without scheme and path, such as example.org")
    if not value.isascii():
        form = ascii_form(value)
        fix = f"write its ASCII form, {form}" if form else "write letters and digits only: no registry has such a name"
        raise base.refuse(problem, fix)
    if value != value.lower().strip().strip("."):
        raise base.refuse(problem, f"write {value.lower().strip().strip('.') or 'example.org'}")
    labels = value.split(".")
    if value.startswith("*."):
        raise base.refuse(problem, "leave out the `*.`: hosts below a domain belong to it")
    if len(labels) < 2:
        raise base.refuse(f"{problem}: it has no dot", example)
    if len(value) > 253 or not all(HOST_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise base.refuse(problem, f"{example}: parts of a-z, 0-9 and -, with dots between")
    return value


def ascii_form(name: str) -> str | None:
    """A domain name with other letters as DNS has it (IDNA 2008: `ß` is a letter of its own); None for no name."""
    # Imported late: hardly any name needs its tables.
    import idna

    try:
        return idna.encode(name.strip().strip("."), uts46=True).decode()
    except (UnicodeError, ValueError):
        return None


def zone_id(value: str) -> str:
    """A Route53 hosted zone's id, without the path that the API puts before it."""
    if not ZONE_ID.fullmatch(value):
        found = re.fullmatch(r"/hostedzone/(Z[A-Z0-9]{4,31})", value)
        fix = f"write {found[1]}" if found else "write the id that Route53 shows, such as Z0123456789ABCDEFGHIJ"
        raise base.refuse(f"{show(value)} is no hosted zone id", f"{fix}; leave it out to have the zone created")
    return value


def region(value: str) -> str:
    """An AWS region."""
    if not REGION.fullmatch(value):
        raise base.refuse(f"{show(value)} is no AWS region", "write one such as eu-central-1")
    return value


def email(value: str) -> str:
    """Good enough to catch what is none; deliverability is nobody's to check here."""
    if not re.fullmatch(r"[^@\s,\"<>]+@[^@\s,\"<>]+\.[^@\s,\"<>.]{2,}", value):
        raise base.refuse(f"{show(value)} is no e-mail address", "write one such as ops@dome-marketplace.org")
    if not value.isascii():
        local, _, host = value.rpartition("@")
        form = ascii_form(host) if local.isascii() else None
        fix = f"write {local}@{form}" if form else "write one of ASCII letters, such as ops@dome-marketplace.org"
        raise base.refuse(f"{show(value)} is no e-mail address that Let's Encrypt takes", fix)
    return value


def repository_path(value: str) -> str:
    """A file inside the GitOps repository."""
    if not value or value.startswith(("/", "./")) or ".." in value.split("/") or value.endswith("/"):
        fix = "write the path from the repository's root, such as platform/sealed-secrets.yaml"
        raise base.refuse(f"{show(value)} is no file of the repository", fix)
    return value


def repository_folder(value: str) -> str:
    """A folder inside the GitOps repository, or its root as `.`."""
    if not re.fullmatch(r"\.|[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", value):
        fix = "write the path from the repository's root, such as applications_sbx"
        raise base.refuse(f"{show(value)} is no folder of the repository", fix)
    return value


def file_glob(value: str) -> str:
    """A pattern of file names, as Argo CD takes it; several are joined by `{,}`, so that neither may be inside."""
    if not re.fullmatch(r"[A-Za-z0-9._*?-][A-Za-z0-9._*?/-]{0,199}", value) or value.startswith("./"):
        fix = "write one such as infrastructure/* or *.yaml, relative to gitops.path"
        raise base.refuse(f"{show(value)} is no pattern of files", fix)
    return value


def label_key(value: str) -> str:
    """A Kubernetes label's key."""
    if not LABEL_KEY.fullmatch(value):
        raise base.refuse(f"{show(value)} is no label key", "write one such as `nodepool` or `example.org/team`")
    return value


def label_value(value: str) -> str:
    """A Kubernetes label's value: up to 63 characters."""
    if not LABEL_VALUE.fullmatch(value):
        fix = "write up to 63 letters, digits, -, _ or ., beginning and ending with a letter or digit"
        raise base.refuse(f"{show(value)} is no label value", fix)
    return value


def subject(value: str) -> str:
    """Somebody in Argo CD's policy, which is lines of comma-separated values: neither may be inside."""
    if not re.fullmatch(r"[^\s,\"']+( [^\s,\"']+)*", value):
        raise base.refuse(f"{show(value)} is no user or group", "write an e-mail address or `organization:team`")
    return value


def role(value: str) -> str:
    """A role of Argo CD's policy; empty for none."""
    if not ROLE.fullmatch(value):
        raise base.refuse(f"{show(value)} is no role", 'write `role:readonly`, or "" for no access by default')
    return value


def interval(value: str) -> str:
    """A Go duration."""
    if not re.fullmatch(r"([0-9]+h)?([0-9]+m)?([0-9]+s)?", value) or not re.search(r"[1-9]", value):
        raise base.refuse(f"{show(value)} is no time span", "write one such as 30s, 1m or 1h30m")
    return value


def quantity(value: str) -> str:
    """A Kubernetes quantity."""
    if not QUANTITY.fullmatch(value):
        raise base.refuse(f"{show(value)} is no amount", "write one such as 100m (CPU) or 256Mi (memory)")
    return value


def memory(value: str) -> str:
    """A quantity of bytes. To Kubernetes `256m` is a quarter of a byte, and no container starts with it."""
    if not BYTES.fullmatch(quantity(value)):
        raise base.refuse(f"{show(value)} is in parts of a byte: a small m is a thousandth", f"write {value[:-1]}Mi")
    return value


def kubernetes_name(value: str) -> str:
    """The name of a Kubernetes object (DNS label)."""
    if not HOST_LABEL.fullmatch(value):
        raise base.refuse(f"{show(value)} is no name of an object", "write up to 63 of a-z, 0-9 and -")
    return value


def github_name(value: str) -> str:
    """A GitHub organization or team."""
    if not GITHUB_NAME.fullmatch(value):
        raise base.refuse(f"{show(value)} is no name on GitHub", "write the name alone, such as DOME-Marketplace")
    return value


def team_slug(name: str) -> str:
    """What GitHub most likely makes of a team's name."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:100]


def github_team(value: str) -> str:
    """A GitHub team as Dex calls it: by its slug, which is the end of the team's address."""
    if not GITHUB_TEAM.fullmatch(value):
        fix = f"write the end of the team's address on GitHub, probably {team_slug(value) or 'devops'}"
        raise base.refuse(f"{show(value)} would never match: at sign-in GitHub's teams are in lower case", fix)
    return value
