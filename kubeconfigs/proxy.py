"""Which proxy a server is asked through: that of the kubeconfig, or the environment's, as Go's httpproxy reads it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import ipaddress
import re
import urllib.parse
from collections.abc import Mapping

PORTS = {"http": 80, "https": 443, "socks5": 1080}
"""The kinds of proxy that kubectl takes, and their usual ports."""

USERINFO = re.compile(r"([A-Za-z0-9._:~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})*")
"""What Go takes as the user and the password of a URL."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclasses.dataclass(frozen=True)
class Url:
    """A URL's parts. `user` and `password` are decoded, None where there are none; `port` is 0 where none is named."""

    scheme: str
    host: str
    port: int
    path: str = ""
    user: str | None = dataclasses.field(default=None, repr=False)
    password: str | None = dataclasses.field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """Without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{self.path.rstrip('/')}"

    @property
    def authorization(self) -> str | None:
        """The header's value for user and password; None: there are none."""
        if self.user is None:
            return None
        return "Basic " + base64.b64encode(f"{self.user}:{self.password or ''}".encode()).decode()

    @property
    def address(self) -> Address | None:
        """The host, where it is an IP address."""
        try:
            found = ipaddress.ip_address(self.host.partition("%")[0])
        except ValueError:
            return None
        return getattr(found, "ipv4_mapped", None) or found


def parse(text: str) -> Url:
    """A URL as Go reads it. Raises `ValueError`, whose message shows nothing of it."""
    try:
        parts = urllib.parse.urlsplit(text)
        userinfo, at, rest = parts.netloc.rpartition("@")
        host, port = re.sub(r":[0-9]*$", "", rest).strip("[]"), parts.port or 0
    except ValueError:
        raise ValueError("it is no URL") from None
    if not parts.scheme or not parts.netloc:
        raise ValueError("it does not begin with http:// or the like")
    if not host:
        raise ValueError("it names no host")
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("it has a space or a line break")
    if not USERINFO.fullmatch(userinfo):
        raise ValueError("its user or password has characters that a URL cannot have: write them as %XX")
    user, colon, password = userinfo.partition(":")
    return Url(
        parts.scheme.lower(), host, port, parts.path,
        urllib.parse.unquote(user) if at else None, urllib.parse.unquote(password) if colon else None,
    )  # fmt: skip


def without_user(url: str) -> str:
    """The URL without user and password; a URL that cannot be read is not returned: ValueError."""
    return parse(url).shown


def for_server(server: Url, of_kubeconfig: str, environment: Mapping[str, str]) -> Url | None:
    """The proxy for a server; None: it is asked directly.

    `of_kubeconfig`: its `proxy-url`, which also holds for servers that NO_PROXY names; "": it has none.
    Raises `ValueError`.
    """
    if of_kubeconfig:
        return parse(of_kubeconfig)
    name = f"{server.scheme}_proxy"
    proxy = _of_environment(environment.get(name.upper()) or environment.get(name) or "")
    excluded = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    return proxy if proxy and not bypassed(server, excluded) else None


def bypassed(server: Url, excluded: str) -> bool:
    """Whether a server is asked directly in spite of a proxy in the environment; `excluded`: the value of NO_PROXY."""
    address, host, port = server.address, _ascii(server.host.lower()), str(server.port or PORTS.get(server.scheme, ""))
    if server.host == "localhost" or (address and address.is_loopback):
        return True
    entries = [entry.strip().lower() for entry in excluded.split(",")]
    return "*" in entries or any(_matches(entry, host, port, address) for entry in entries if entry)


def _of_environment(text: str) -> Url | None:
    with contextlib.suppress(ValueError):
        return parse(text if "://" in text else f"http://{text}") if text else None
    return None


def _matches(entry: str, host: str, port: str, address: Address | None) -> bool:
    """Whether an entry of NO_PROXY means a host: `10.0.0.0/8`, `10.0.0.1`, `[::1]:443`, `example.org`, `.a.org`."""
    if re.fullmatch(r"[^/]+/[0-9]+", entry):
        with contextlib.suppress(ValueError):
            network = ipaddress.ip_network(entry, strict=False)
            return address is not None and address in network
    named, wanted = entry, ""
    if with_port := re.fullmatch(r"(?:\[([^\[\]]*)\]|([^:\[\]]*)):([^:\[\]]*)", entry):
        named, wanted = with_port[1] or with_port[2] or "", with_port[3]
    if not named or wanted not in ("", port):
        return False
    with contextlib.suppress(ValueError):
        single = ipaddress.ip_address(named)
        return address is not None and (getattr(single, "ipv4_mapped", None) or single) == address
    if address is not None:
        return False
    suffix = _ascii(named[1:] if named.startswith("*.") else named)
    if suffix.startswith("."):
        return host.endswith(suffix)
    return host == suffix or host.endswith(f".{suffix}")


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return host
