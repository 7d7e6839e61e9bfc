"""DNS over UDP and TCP: wire format in and out, by dnslib."""

from __future__ import annotations

import logging
from typing import Any

import dnslib
from dnslib import server

from lab import layout
from lab.dns import source, zones

LOG = logging.getLogger("lab.dns")


class Resolver(server.BaseResolver):
    """Answers from a Source."""

    def __init__(self, known: source.Source) -> None:
        self._known = known

    def resolve(self, request: Any, handler: Any) -> Any:
        """The reply to one request."""
        # Recursion is offered, so that it can be the only server of a resolv.conf: there is nothing it would lack.
        reply = dnslib.DNSRecord(dnslib.DNSHeader(id=request.header.id, qr=1, aa=0, ra=1, rd=request.header.rd))
        if request.header.opcode != dnslib.OPCODE.QUERY or len(request.questions) != 1:
            reply.header.rcode = dnslib.RCODE.NOTIMP
            return reply
        question = request.q
        reply.add_question(question)
        answer = self._answer(str(question.qname), dnslib.QTYPE.get(question.qtype))
        reply.header.aa = int(answer.known)
        reply.header.rcode = getattr(dnslib.RCODE, answer.code)
        for record in answer.answers:
            reply.add_answer(*_wire(record))
        for record in answer.authority:
            reply.add_auth(*_wire(record))
        LOG.debug("%s %s: %s", question.qname, dnslib.QTYPE.get(question.qtype), answer)
        return reply

    def _answer(self, name: str, kind: str) -> zones.Answer:
        name = zones.normal(name)
        if not name.endswith(f".{source.CLUSTER_DOMAIN}"):
            return self._known.zones().answer(name, kind)
        addresses = self._known.service(name) if name.endswith(f".svc.{source.CLUSTER_DOMAIN}") else None
        if addresses is None:
            return zones.Answer(known=True)
        found = [zones.Record(name, "A", source.SERVICE_SECONDS, each) for each in addresses if kind in ("A", "ANY")]
        return zones.Answer(zones.NOERROR, found, known=True)


def serve(lab: layout.Lab, known: source.Source) -> list[server.DNSServer]:
    """Start both servers in threads of their own; OSError when the port is taken."""
    resolver, silent = Resolver(known), server.DNSLogger(log="-request,-reply,-truncated", prefix=False)
    servers = [
        server.DNSServer(resolver, address=lab.address, port=lab.ports["dns"], tcp=tcp, logger=silent)
        for tcp in (False, True)
    ]
    for each in servers:
        each.start_thread()
    return servers


def _wire(record: zones.Record) -> list[Any]:
    try:
        return dnslib.RR.fromZone(f"{record.name}. {record.ttl} IN {record.type} {record.value}")
    except Exception as error:
        # Whatever somebody wrote into a zone: one unreadable record must not silence the others.
        LOG.warning("left out %s: %s", record, error)
        return []
