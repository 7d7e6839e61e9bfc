"""What somebody outside the cluster sees of an environment: does a name resolve, does HTTPS answer?"""

from __future__ import annotations

import dataclasses
import datetime
import http.client
import json
import pathlib
import re
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from ops.stack import OpsError

SECONDS = 5
STAGING_ISSUER = "(STAGING)"
"""What the names of Let's Encrypt's staging authorities begin with. https://letsencrypt.org/docs/staging-environment/"""
CNAME = 5
UNKNOWN_ISSUER = (2, 19, 20, 21)
"""OpenSSL's verification results that mean: the chain leads to no root that is trusted."""


Kind = Literal["name", "connection", "untrusted", "former", "certificate", "answer"]


class ProbeError(Exception):
    """Something that is not as it should be. `kind`: where the person has to look."""

    def __init__(self, message: str, kind: Kind = "name") -> None:
        super().__init__(message)
        self.kind = kind


class Resolver(NamedTuple):
    """A DNS server."""

    host: str
    port: int


@dataclasses.dataclass(frozen=True)
class Served:
    """The certificate that was served and verified (`until`: ISO 8601, UTC), and Argo CD's version behind it.

    `trusted` False: it is of a staging authority, so only its name and its time were verified.
    """

    issuer: str
    names: tuple[str, ...]
    until: str
    version: str
    trusted: bool = True


def resolver(text: str) -> Resolver:
    """HOST, HOST:PORT or [IPV6]:PORT. Raises `ValueError`."""
    found = re.fullmatch(r"(?:\[(?P<v6>[0-9a-fA-F:]+)\]|(?P<host>[^:\s]+))(?::(?P<port>[0-9]{1,5}))?", text)
    if not found or int(found["port"] or 53) not in range(1, 65536):
        raise ValueError(f"{text!r} is no DNS server: write HOST or HOST:PORT, such as 9.9.9.9 or 127.0.0.1:5353")
    return Resolver(found["v6"] or found["host"], int(found["port"] or 53))


def addresses(host: str, server: Resolver | None) -> list[str]:
    """The addresses of a name, by this machine's resolver or by `server`. Raises `ProbeError`."""
    if server is None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ProbeError(f"does not resolve ({getattr(error, 'strerror', None) or error})") from None
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return _ask(host, server)


def aliases(host: str, server: Resolver | None) -> list[str]:
    """The names that a name is an alias of (CNAME), the last one only by this machine's resolver. None on an error."""
    if server is None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
        except (OSError, UnicodeError):
            return []
        return [name.rstrip(".") for *_, name, _ in found if name and name.rstrip(".") != host]
    try:
        return [str(one.rdata).rstrip(".") for one in _reply(host, "A", server).rr if one.rtype == CNAME]
    except ProbeError:
        return []


def trust(ca: pathlib.Path | None) -> ssl.SSLContext:
    """The authorities this machine trusts, and those of a PEM file. Raises `ValueError`."""
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"{ca} holds no certificates ({error.strerror or type(error).__name__})") from None
    return context


def ask(host: str, found: Sequence[str], port: int, context: ssl.SSLContext) -> Served:
    """What `https://<host>/api/version` says at every one of the addresses; the last one's. Raises `ProbeError`."""
    served = None
    for address in found:
        served = _ask_one(host, address, port, context)
    if served is None:
        raise ProbeError("there is no address to ask")
    return served


def ask_staging(host: str, found: Sequence[str], port: int) -> Served:
    """`ask` for a certificate of Let's Encrypt staging, which no machine trusts: everything else is verified.

    Raises `ProbeError`; "untrusted" if it is not staging's.
    """
    served = None
    for address in found:
        served = _ask_one(host, address, port, _anchored(host, address, port))
        if STAGING_ISSUER not in served.issuer:
            raise ProbeError(f"the certificate served at {address}:{port} is by {served.issuer}", "untrusted")
    if served is None:
        raise ProbeError("there is no address to ask")
    return dataclasses.replace(served, trusted=False)


def _anchored(host: str, address: str, port: int) -> ssl.SSLContext:
    """Trust in the very certificate that is served there, and in nothing else."""
    any_one = ssl.create_default_context()
    any_one.check_hostname, any_one.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, port), timeout=SECONDS) as plain,
            any_one.wrap_socket(plain, server_hostname=host) as secure,
        ):
            leaf = ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")
    except OSError as error:
        raise ProbeError(f"no answer from {address}:{port} ({error.strerror or error})", "connection") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a leaf may be an anchor
    context.load_verify_locations(cadata=leaf)
    return context


def _ask(host: str, server: Resolver) -> list[str]:
    found: list[str] = []
    code = 0
    for kind, number in (("A", 1), ("AAAA", 28)):
        reply = _reply(host, kind, server)
        code = reply.header.rcode or code
        found += [str(record.rdata) for record in reply.rr if record.rtype == number]
    if not found:
        raise ProbeError(f"does not resolve ({_CODES.get(code, f'code {code}') if code else 'it has no address'})")
    return found


_CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


def _reply(host: str, kind: str, server: Resolver) -> Any:
    try:
        import dnslib
    except ImportError:
        raise OpsError("--resolver needs dnslib: `pip install -r requirements-dev.txt`") from None
    try:
        question = dnslib.DNSRecord.question(host, kind)
        return dnslib.DNSRecord.parse(question.send(server.host, server.port, timeout=SECONDS, ipv6=":" in server.host))
    except (OSError, dnslib.DNSError) as error:
        raise ProbeError(f"no answer from the DNS server {server.host}:{server.port} ({error})") from None


def _ask_one(host: str, address: str, port: int, context: ssl.SSLContext) -> Served:
    where = f"{address}:{port}"
    try:
        with (
            socket.create_connection((address, port), timeout=SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert() or {}
            connection = http.client.HTTPConnection(host, timeout=SECONDS)
            connection.sock = secure
            connection.request("GET", "/api/version", headers={"Accept": "application/json"})
            reply = connection.getresponse()
            return _served(certificate, reply.status, reply.read(100_000))
    except ssl.SSLCertVerificationError as error:
        kind = "untrusted" if error.verify_code in UNKNOWN_ISSUER else "certificate"
        raise ProbeError(f"the certificate served at {where} is not valid: {error.verify_message}", kind) from None
    except TimeoutError:
        raise ProbeError(f"no answer from {where} within {SECONDS} s", "connection") from None
    except (OSError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ProbeError(f"no answer from {where} ({said})", "connection") from None


def _served(certificate: dict[str, Any], status: int, body: bytes) -> Served:
    try:
        version = str(json.loads(body)["Version"]) if status == 200 else ""
    except (ValueError, KeyError, TypeError):
        version = ""
    if not version:
        text = " ".join(body[:120].decode(errors="replace").split())
        raise ProbeError(f"/api/version is answered by {status} {text!r}, not by Argo CD", "answer")
    issuer = {key: value for part in certificate.get("issuer", ()) for key, value in part}
    until = datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), datetime.UTC)
    return Served(
        issuer=", ".join(issuer[key] for key in ("organizationName", "commonName") if key in issuer),
        names=tuple(value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"),
        until=until.isoformat().replace("+00:00", "Z"),
        version=version,
    )
