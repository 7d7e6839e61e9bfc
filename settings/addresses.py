"""Checks of URLs: of servers, Git repositories and chart repositories."""

from __future__ import annotations

import ipaddress
import re
from urllib import parse as urls

from settings import base, checks

SCP = re.compile(r"[A-Za-z0-9._-]+@(?P<host>[A-Za-z0-9.-]+):(?P<path>[^\s:]+)")
BARE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?/[^\s:@]+")
FORGES = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")
"""They have no port of their own and hold Git repositories only."""
BROWSER = re.compile(r"(?P<repository>.+?)(/-)?/(tree|blob|raw|commits?|src/branch)/.+")
"""What a browser shows for a folder or a file of a repository."""


def web_address(value: str, schemes: tuple[str, ...] = ("https", "http")) -> str:
    """A URL with a host and without a password in it."""
    try:
        parts = urls.urlsplit(value)
        good = parts.scheme in schemes and bool(parts.hostname) and not re.search(r"\s", value)
        secret = bool(parts.password or (parts.username and parts.scheme != "ssh"))
        parts.port  # noqa: B018  (raises when it is no number)
    except ValueError:
        good = secret = False
    if secret:
        raise base.refuse("it carries a user or a password, and stack files are public", "write it without")
    if not good:
        raise base.refuse(f"{checks.show(value)} is no URL", f"write one that begins with {_begins(schemes)}")
    return value


def _begins(schemes: tuple[str, ...]) -> str:
    return f"{schemes[0]}://" + (" (oci:// for a registry)" if "oci" in schemes else "")


def repository(value: str) -> str:
    """A Git repository as Argo CD takes it: https, http, ssh, or git@host:path; without a slash at its end."""
    if found := SCP.fullmatch(value):
        port, _, path = found["path"].partition("/")
        if port.isdigit() and path and found["host"] not in FORGES:
            user = value.partition("@")[0]
            fix = f"write ssh://{user}@{found['host']}:{port}/{path}"
            raise base.refuse(f"{checks.show(value)} has a port, which this form cannot have", fix)
        return value.rstrip("/")
    if value.partition("/")[0] in FORGES:
        raise base.refuse(f"{checks.show(value)} is no URL", f"write https://{value}")
    address = web_address(value, ("https", "http", "ssh"))
    if "=" in urls.urlsplit(address).query:  # else it may be one of a pattern's question marks
        fix = "write it without; a token in it is in Git now: make a new one"
        raise base.refuse("it has a part behind ?, which no repository's URL has, and stack files are public", fix)
    return _place(address)


def charts(value: str) -> str:
    """A chart repository: https, http, or oci for a registry."""
    if BARE.fullmatch(value) and "." in value.partition("/")[0]:
        fix = f"write oci://{value} for a registry, https://{value} for a chart repository"
        raise base.refuse(f"{checks.show(value)} is no URL", fix)
    address = _place(web_address(value, ("https", "http", "oci")))
    if address.endswith("/index.yaml"):
        fix = f"write {address.removesuffix('/index.yaml')}"
        raise base.refuse(f"{checks.show(value)} is a file of the chart repository", fix)
    if address.startswith("oci://"):
        _named(value, address.removeprefix("oci://"))
    return address


def source(value: str) -> str:
    """A repository of Applications: of Git, of charts, or a registry with or without `oci://` (Argo CD knows both)."""
    if value.startswith("oci://"):
        return charts(value)
    host = value.partition("/")[0]
    if BARE.fullmatch(value) and ("." in host or ":" in host) and host not in FORGES:
        _named(value, value)
        return value.rstrip("/")
    return repository(value)


def _named(value: str, bare: str) -> None:
    """Refuse a registry by its address and port: to Argo CD all of these are one and the same, an empty text."""
    host, colon, _ = bare.partition("/")[0].rpartition(":")
    if colon and _is_ip(host.strip("[]")):
        problem = f"{checks.show(value)} is no registry to Argo CD, which looks for a name before a port"
        raise base.refuse(problem, "write the registry's name")


def _place(value: str) -> str:
    """An address that programs take for the same one; refuses what a browser shows."""
    parts = urls.urlsplit(value)
    if found := BROWSER.fullmatch(parts.path):
        plain = urls.urlunsplit((parts.scheme, parts.netloc.lower(), found["repository"], "", ""))
        problem = f"{checks.show(value)} is a page about the repository"
        raise base.refuse(problem, f"write {plain}; branch and folder have keys of their own")
    if parts.fragment:
        raise base.refuse(f"{checks.show(value)} is no URL of a repository", "write it without the part behind #")
    user, at, host = parts.netloc.rpartition("@")
    plain = urls.urlunsplit((parts.scheme, f"{user}{at}{host.lower()}", parts.path, parts.query, ""))
    if plain != value and plain.lower() == value.lower():
        # Git, Argo CD and this program tell http from ssh by the first letters.
        raise base.refuse(f"{checks.show(value)} is in upper case where no case counts", f"write {plain}")
    return value.rstrip("/")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
