"""Reach a lab's names as a browser would: its DNS, its ingress, its ACME server's root and nothing else."""

from __future__ import annotations

import dataclasses
import http.client
import socket
import ssl

import dnslib
import engine as engines

from lab import acme, layout

RECORD_SECONDS = 45


@dataclasses.dataclass(frozen=True)
class Reply:
    """What the lab's DNS server said."""

    code: str
    values: list[str]


def ask(lab: layout.Lab, name: str, kind: str = "A") -> Reply:
    question = dnslib.DNSRecord.question(name, kind)
    reply = dnslib.DNSRecord.parse(question.send(lab.address, lab.ports["dns"], timeout=5))
    return Reply(dnslib.RCODE.get(reply.header.rcode), [str(each.rdata) for each in reply.rr])


def address(lab: layout.Lab, host: str) -> str:
    found = engines.wait_for(lambda: ask(lab, host).values, RECORD_SECONDS, f"{host} resolves")
    assert len(found) == 1
    return found[0]


def get(lab: layout.Lab, url: str, *, verify: bool = True) -> tuple[int, str]:
    """GET a URL by the lab's names, trusting its ACME server's root and no other; redirects are not followed.

    `verify=False` takes any certificate, such as the ingress's own.
    """
    scheme, _, rest = url.partition("://")
    host, _, where = rest.partition("/")
    tls = scheme == "https"
    plain = socket.create_connection((address(lab, host), lab.usable(443 if tls else 80)), timeout=10)
    connection = http.client.HTTPConnection(host, timeout=10)
    context = trust(lab) if verify else ssl._create_unverified_context()  # noqa: S323 (of the ingress itself)
    connection.sock = context.wrap_socket(plain, server_hostname=host) if tls else plain
    try:
        connection.request("GET", f"/{where}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def at(where: tuple[str, int], host: str, path: str) -> int:
    """The status of a plain GET for a host at an address, whatever DNS says of it; 0 when nobody answers."""
    connection = http.client.HTTPConnection(*where, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def trust(lab: layout.Lab) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(acme.root(lab)))
