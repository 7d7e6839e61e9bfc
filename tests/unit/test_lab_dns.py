"""What the lab's DNS server answers, from the zones as the lab's AWS tells them."""

from __future__ import annotations

import pathlib
from typing import Any

import dnslib
import pytest

from lab import layout
from lab.dns import server, source, zones

OWN = "127.77.0.1"
SOA = "ns-1.awsdns-01.com. hostmaster.example.org. 1 7200 900 1209600 86400"


def record(name: str, kind: str, *values: str, ttl: int | None = 60, alias: str | None = None) -> dict[str, Any]:
    target = {"zone": "Z1", "name": alias} if alias else None
    return {"name": name, "type": kind, "ttl": ttl, "values": list(values), "alias": target}


def zone(name: str, *records: dict[str, Any], private: bool = False) -> dict[str, Any]:
    own = [record(name, "SOA", SOA, ttl=900), record(name, "NS", "ns-1.awsdns-01.com", "ns-2.awsdns-02.net.")]
    return {"id": "Z1", "name": name, "private": private, "records": [*own, *records]}


KNOWN = zones.Zones(
    [
        zone(
            "example.org.",
            record("a.example.org.", "A", "192.0.2.1", "192.0.2.2", ttl=30),
            record("a.example.org.", "AAAA", "2001:db8::1"),
            record("deep.b.example.org.", "A", "192.0.2.3"),
            record("c.example.org.", "CNAME", "a.example.org."),
            record("out.example.org.", "CNAME", "elsewhere.test."),
            record("loop.example.org.", "CNAME", "loop.example.org."),
            record("alias.example.org.", "A", ttl=None, alias="a.example.org."),
            record("self.example.org.", "A", ttl=None, alias="self.example.org."),
            record("\\052.w.example.org.", "A", "192.0.2.4"),
            record("exact.w.example.org.", "TXT", '"one"'),
            record("_acme-challenge.a.example.org.", "TXT", '"token"'),
        ),
        zone("child.example.org.", record("x.child.example.org.", "A", "192.0.2.5")),
        zone("secret.test.", record("a.secret.test.", "A", "192.0.2.6"), private=True),
    ],
    OWN,
)


def values(name: str, kind: str = "A") -> list[str]:
    return [each.value for each in KNOWN.answer(name, kind).answers]


def test_a_record_is_answered_with_all_its_values_and_its_ttl() -> None:
    answer = KNOWN.answer("A.Example.ORG.", "A")
    assert [(each.value, each.ttl) for each in answer.answers] == [("192.0.2.1", 30), ("192.0.2.2", 30)]
    assert answer.known, "the answer is an authoritative one"
    assert values("a.example.org", "AAAA") == ["2001:db8::1"]
    assert values("_acme-challenge.a.example.org", "TXT") == ['"token"']


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("a.example.org", "TXT", "NOERROR"),  # other types are there
        ("b.example.org", "A", "NOERROR"),  # only names below it are there
        ("nothing.example.org", "A", "NXDOMAIN"),
        ("x.a.example.org", "A", "NXDOMAIN"),
    ],
)
def test_no_is_said_with_the_zones_soa(name: str, kind: str, code: str) -> None:
    answer = KNOWN.answer(name, kind)
    assert (answer.code, list(answer.answers)) == (code, [])
    assert [(each.name, each.type) for each in answer.authority] == [("example.org", "SOA")], (
        "clients find a name's zone by it"
    )
    assert answer.authority[0].ttl == 900, "the smaller of the SOA's TTL and its last field"


def test_the_zone_itself_has_soa_and_name_servers_and_these_resolve_to_the_lab() -> None:
    assert values("example.org", "SOA") == [SOA]
    assert values("example.org", "NS") == ["ns-1.awsdns-01.com", "ns-2.awsdns-02.net."]
    assert values("ns-1.awsdns-01.com") == values("ns-2.awsdns-02.net") == [OWN]
    assert values("ns-1.awsdns-01.com", "AAAA") == []
    assert values("ns-3.awsdns-03.org") == []


def test_a_cname_is_followed_inside_the_zones_only_and_not_for_ever() -> None:
    chain = KNOWN.answer("c.example.org", "A").answers
    assert [(each.name, each.type) for each in chain] == [
        ("c.example.org", "CNAME"), ("a.example.org", "A"), ("a.example.org", "A"),
    ]  # fmt: skip
    assert [each.type for each in KNOWN.answer("c.example.org", "CNAME").answers] == ["CNAME"]
    outside = KNOWN.answer("out.example.org", "A")
    assert (outside.code, [each.value for each in outside.answers]) == ("NOERROR", ["elsewhere.test."])
    assert KNOWN.answer("loop.example.org", "A").answers, "an end is made to a loop"


def test_an_alias_answers_as_its_target_under_its_own_name() -> None:
    found = KNOWN.answer("alias.example.org", "A").answers
    assert [(each.name, each.value) for each in found] == [
        ("alias.example.org", "192.0.2.1"), ("alias.example.org", "192.0.2.2"),
    ]  # fmt: skip
    assert values("self.example.org") == []


def test_a_wildcard_answers_for_names_that_are_not_there() -> None:
    found = KNOWN.answer("any.w.example.org", "A").answers
    assert [(each.name, each.value) for each in found] == [("any.w.example.org", "192.0.2.4")]
    assert values("two.levels.w.example.org") == ["192.0.2.4"]
    assert values("exact.w.example.org") == [], "a name that is there hides the wildcard, whatever its type"
    assert KNOWN.answer("w.example.org", "A").code == "NOERROR"
    assert KNOWN.answer("below.exact.w.example.org", "A").code == "NXDOMAIN", "names below it are hidden too"


def test_the_nearest_zone_answers_and_private_ones_never_do() -> None:
    assert values("x.child.example.org") == ["192.0.2.5"]
    assert KNOWN.answer("y.child.example.org", "A").authority[0].name == "child.example.org"
    assert KNOWN.answer("a.secret.test", "A") == zones.Answer(answers=[]), "nothing of the world outside is known"


def test_of_two_zones_with_one_name_the_newer_answers() -> None:
    old, new = (zone("example.org.", record("a.example.org.", "A", value)) for value in ("192.0.2.1", "192.0.2.9"))
    assert [each.value for each in zones.Zones([old, new], OWN).answer("a.example.org", "A").answers] == ["192.0.2.9"]


class Known(source.Source):
    """A source without a lab."""

    def __init__(self) -> None:
        pass

    def zones(self) -> zones.Zones:
        return KNOWN

    def service(self, name: str) -> list[str] | None:
        return {"web.shop.svc.cluster.local": ["127.77.1.2"], "none.shop.svc.cluster.local": []}.get(name)


def ask(name: str, kind: str) -> dnslib.DNSRecord:
    reply = server.Resolver(Known()).resolve(dnslib.DNSRecord.question(name, kind), None)
    return dnslib.DNSRecord.parse(reply.pack())


def test_answers_survive_the_wire() -> None:
    reply = ask("a.example.org", "A")
    assert [str(each.rdata) for each in reply.rr] == ["192.0.2.1", "192.0.2.2"]
    assert (reply.header.aa, reply.header.ra, dnslib.RCODE.get(reply.header.rcode)) == (1, 1, "NOERROR")
    assert [str(each.rdata) for each in ask("_acme-challenge.a.example.org", "TXT").rr] == ['"token"']
    nothing = ask("nothing.example.org", "A")
    assert dnslib.RCODE.get(nothing.header.rcode) == "NXDOMAIN"
    assert len(nothing.auth) == 1
    assert dnslib.RCODE.get(ask("example.com", "A").header.rcode) == "NXDOMAIN"


def test_services_of_the_cluster_resolve() -> None:
    assert [str(each.rdata) for each in ask("web.shop.svc.cluster.local", "A").rr] == ["127.77.1.2"]
    assert ask("web.shop.svc.cluster.local", "AAAA").rr == []
    assert dnslib.RCODE.get(ask("none.shop.svc.cluster.local", "A").header.rcode) == "NOERROR"
    assert dnslib.RCODE.get(ask("other.shop.svc.cluster.local", "A").header.rcode) == "NXDOMAIN"
    assert dnslib.RCODE.get(ask("cluster.local", "A").header.rcode) == "NXDOMAIN"


def test_a_record_that_cannot_be_read_does_not_silence_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = zones.Zones([zone("example.org.", record("a.example.org.", "A", "not an address", "192.0.2.1"))], OWN)
    monkeypatch.setattr(Known, "zones", lambda self: broken)
    assert [str(each.rdata) for each in ask("a.example.org", "A").rr] == ["192.0.2.1"]


def test_what_was_known_stays_known_while_the_source_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([1, OSError("down"), 2])

    def fetch() -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    moment = [100.0]
    monkeypatch.setattr(source.time, "monotonic", lambda: moment[0])
    known = source.Remembered(fetch, 0)
    assert known.get() == known.get() == 1, "a second question at once does not ask again"
    moment[0] += 1
    assert known.get() == 1
    moment[0] += 1
    assert known.get() == 2, "a record is seen within a second of being written"


def test_a_low_port_is_shifted_only_where_the_machine_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = layout.Lab(pathlib.Path("nowhere"), 77, {})
    for allowed, expected in ((True, [80, 443, 8080]), (False, [8080, 8443, 8080])):
        monkeypatch.setattr(layout, "_may_use_low_ports", lambda _address, allowed=allowed: allowed)
        assert [lab.usable(port) for port in (80, 443, 8080)] == expected
