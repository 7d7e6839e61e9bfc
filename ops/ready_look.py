"""Looks at an environment, from inside (the cluster's objects) and from outside (its name, HTTPS)."""

from __future__ import annotations

import dataclasses
import re
import ssl
from collections.abc import Sequence
from typing import Any

from ops import (
    ready_addresses,
    ready_certificates,
    ready_checks,
    ready_children,
    ready_probe,
    ready_warnings,
    ready_why,
)
from ops.kubectl import ClusterError, Kubectl
from ops.ready_certificates import Issuance
from ops.ready_checks import Environment, Finding
from ops.ready_probe import ProbeError, Served

HOSTS = 50
"""Of at most so many hosts it is asked where they lead."""
PART_OF_ARGO_CD = "app.kubernetes.io/part-of=argocd"


class Look:
    """Looks at an environment, once per call; remembers what it saw last."""

    def __init__(
        self,
        environment: Environment,
        resolver: ready_probe.Resolver | None,
        context: ssl.SSLContext,
        port: int,
        *,
        with_ca: bool,
    ) -> None:
        self.cluster = Kubectl(environment.kubeconfig)
        self.addresses: Sequence[str] = ()
        self.served: Served | None = None
        self._servers: dict[str, str] = {}
        self._zones: Sequence[str] = environment.zones
        self._environment, self._resolver, self._context, self._port = environment, resolver, context, port
        self._with_ca = with_ca

    def __call__(self) -> list[Finding]:
        """Every check, as it stands now."""
        try:
            inside, server = self._inside()
            expected = self._environment.addresses or [
                *self._ingress_addresses(), *self._ingress_addresses(names=True),
            ]  # fmt: skip
        except ClusterError as error:
            step = "is the cluster there, and are the stack's outputs of today? `pulumi up --refresh` renews them"
            return [Finding("cluster", False, f"it cannot be asked: {error}", next=step)]
        certified = all(one.met for one in inside if one.check == "certificate")
        return [*inside, *self._outside(expected, server, all(one.met for one in inside), certified)]

    def _inside(self) -> tuple[list[Finding], str]:
        env, get = self._environment, self.cluster.items
        applications = {
            one["metadata"]["name"]: one
            for one in get("/apis/argoproj.io/v1alpha1/applications", labelSelector="purpose=infra")
        }
        wanted = {*env.addons, *applications, *([env.root] if env.root else [])}
        found = [
            ready_checks.argo_cd(ready_why.workloads(self.cluster, env.namespace, PART_OF_ARGO_CD), env.namespace),
            *(ready_checks.application(name, applications.get(name)) for name in sorted(wanted)),
        ]
        if env.root in applications:
            found = [ready_children.unread(one, env.root, env.folder) for one in found]
            found += self._children(applications[env.root], wanted)
        self._zones = _filtered(applications.get("external-dns") or {}) or env.zones
        found += self._load_balancers(applications)
        if not env.issuers:
            return found, ""
        space = env.addons.get("cert-manager", "cert-manager")
        issuers = {one["metadata"]["name"]: one for one in get("/apis/cert-manager.io/v1/clusterissuers")}
        self._servers = {name: ready_checks.acme_server(one) for name, one in issuers.items()}
        found += [ready_checks.issuer(name, issuers.get(name), space) for name in env.issuers]
        certificate = next(
            (
                one
                for one in get(f"/apis/cert-manager.io/v1/namespaces/{env.namespace}/certificates")
                if env.host in ((one.get("spec") or {}).get("dnsNames") or [])
            ),
            None,
        )
        server = self._servers.get(ready_certificates.issuer(certificate), "") if certificate else ""
        found.append(self._certificate("certificate", env.host, certificate, server, space))
        for one in get("/apis/cert-manager.io/v1/certificates"):
            ours = one["metadata"]["namespace"] in {env.namespace, *env.addons.values()}
            if ours and (certificate is None or _name(one) != _name(certificate)):
                server = self._servers.get(ready_certificates.issuer(one), "")
                found.append(self._certificate(f"certificate {_name(one)}", "", one, server, space))
        return found, self._servers.get(ready_certificates.issuer(certificate), "") if certificate else ""

    def _children(self, root: dict[str, Any], platforms: set[str]) -> list[Finding]:
        """What the handed-over folder describes. Ours are looked at anyway."""
        space = f"/apis/argoproj.io/v1alpha1/namespaces/{self._environment.namespace}"
        named = [
            {one["metadata"]["name"]: one for one in self.cluster.items(f"{space}/{kind}")}
            for kind in ("applications", "applicationsets")
        ]
        found = ready_children.findings(root, named[0], named[1])
        return [one for one in found if one.check.partition(" ")[2] not in platforms]

    def _certificate(self, check: str, host: str, found: dict[str, Any] | None, server: str, space: str) -> Finding:
        met = found is not None and ready_checks.ready(found)[0]
        made = self._issuance(found["metadata"]["namespace"]) if found and (server or not met) else Issuance()
        one = dataclasses.replace(ready_checks.certificate(host, found, (), space), check=check)
        if found is None:
            return one
        former = ready_certificates.former_server(found, made, server)
        if met and former:
            return ready_certificates.moved(one, found, former, server)
        return one if met else dataclasses.replace(one, reasons=tuple(ready_certificates.reasons(found, made)))

    def _issuance(self, namespace: str = "") -> Issuance:
        """What was made of the Certificates of a namespace, or of all."""
        space = f"namespaces/{namespace}/" if namespace else ""
        get = self.cluster.items
        requests, orders, challenges = (
            [{**one, "kind": kind} for one in get(path)]
            for kind, path in (
                ("CertificateRequest", f"/apis/cert-manager.io/v1/{space}certificaterequests"),
                ("Order", f"/apis/acme.cert-manager.io/v1/{space}orders"),
                ("Challenge", f"/apis/acme.cert-manager.io/v1/{space}challenges"),
            )
        )
        # An order for which no solver fits says so in its event alone.
        silent = any(ready_certificates.is_open(one) for one in orders) and not challenges
        events = get(f"/api/v1/{space}events", fieldSelector="involvedObject.kind=Order") if silent else []
        return Issuance(requests, orders, challenges, events)

    def _load_balancers(self, applications: dict[str, Any]) -> list[Finding]:
        """The Services of type LoadBalancer that are the environment's own."""
        places = {space: addon for addon, space in self._environment.addons.items()}
        for name, one in applications.items():
            places.setdefault(((one.get("spec") or {}).get("destination") or {}).get("namespace") or "", name)
        every = self.cluster.items("/api/v1/services")
        found = list[Finding]()
        for one in every:
            space = one["metadata"]["namespace"]
            if one["spec"].get("type") == "LoadBalancer" and space in places:
                events = [] if ready_addresses.given(one) else self._events(space, one["metadata"]["name"])
                found.append(ready_addresses.load_balancer(one, every, events, places[space]))
        return found

    def _events(self, namespace: str, name: str) -> list[dict[str, Any]]:
        selector = f"involvedObject.kind=Service,involvedObject.name={name}"
        return self.cluster.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector=selector)

    def warnings(self) -> list[str]:
        """What somebody should know of an environment that may be ready all the same; [] if it cannot be asked."""
        env, get = self._environment, self.cluster.items
        try:
            every = get("/apis/cert-manager.io/v1/certificates") if env.issuers else []
            platform = {env.namespace, *env.addons.values()}
            theirs = [one for one in every if one["metadata"]["namespace"] not in platform]
            made = self._issuance() if theirs else Issuance()
            ingresses = get("/apis/networking.k8s.io/v1/ingresses")
        except ClusterError:
            return []
        hosts = [host for one in ingresses if ready_addresses.given(one) for host in ready_warnings.hosts_of(one)]
        names = [at for one in ingresses for at in ready_addresses.given(one) if ready_addresses.is_name(at)]
        led = {host: self._led(host) for host in list(dict.fromkeys([*names, *hosts]))[:HOSTS] if host != env.host}
        return [
            *ready_warnings.certificates(theirs, made, self._servers, self._zones),
            *ready_warnings.hosts(ingresses, led, self._zones, "external-dns" in env.addons),
        ]

    def _led(self, host: str) -> list[str] | None:
        """Where a host leads: addresses and names; none; None if the DNS server does not answer."""
        try:
            return [
                *ready_probe.addresses(host, self._resolver),
                *ready_probe.aliases(host, self._resolver),
            ]
        except ProbeError as error:
            return None if re.search("no answer|Temporary failure", str(error)) else []

    def _ingress_addresses(self, *, names: bool = False) -> list[str]:
        """Addresses of the ingress, or the host names that its load balancer has instead."""
        env = self._environment
        return [
            at
            for one in self.cluster.items(f"/apis/networking.k8s.io/v1/namespaces/{env.namespace}/ingresses")
            if any(rule.get("host") == env.host for rule in one["spec"].get("rules") or [])
            for at in ready_addresses.given(one)
            if ready_addresses.is_name(at) == names
        ]

    def _staging(self, error: ProbeError, server: str) -> Served | ProbeError:
        """The answer after all, if nothing but trust is missing and the issuer is one that nobody trusts."""
        staging = ready_checks.STAGING in server and not self._with_ca
        if error.kind != "untrusted" or not (staging or ready_checks.PRODUCTION in server):
            return error
        try:
            served = ready_probe.ask_staging(self._environment.host, self.addresses, self._port)
        except ProbeError as other:
            return other if staging else error
        if not staging:
            return self._former(served, server)
        self.served = served
        return served

    def _former(self, served: Served, server: str) -> ProbeError:
        return ProbeError(
            f"the certificate served is by {served.issuer}, and its issuer's server is {server} now", "former"
        )

    def _outside(self, expected: Sequence[str], server: str, settled: bool, certified: bool) -> list[Finding]:
        host = self._environment.host
        self.addresses, self.served = (), None
        found: list[str] | ProbeError
        try:
            self.addresses = found = ready_probe.addresses(host, self._resolver)
        except ProbeError as error:
            found = error
        names = [one for one in expected if ready_addresses.is_name(one)]
        balancers = {one: self._addresses(one) for one in names}
        name = ready_checks.name(
            self._environment,
            [one for one in expected if one not in names],
            found,
            balancers,
            ready_probe.aliases(host, self._resolver) if names else (),
        )
        answer: Served | ProbeError | None = None
        if name.met:
            try:
                answer = ready_probe.ask(host, self.addresses, self._port, self._context)
                if ready_probe.STAGING_ISSUER in answer.issuer and ready_checks.PRODUCTION in server:
                    answer = self._former(answer, server)
                else:
                    self.served = answer
            except ProbeError as error:
                answer = self._staging(error, server)
        https = ready_checks.answer(self._environment, answer, server, self._with_ca)
        if not certified and isinstance(answer, ProbeError) and answer.kind == "untrusted":
            https = dataclasses.replace(https, next="see the certificate, above", hopeless=False)
        return [name, dataclasses.replace(https, hopeless=https.hopeless and settled)]

    def _addresses(self, host: str) -> list[str] | ProbeError:
        try:
            return ready_probe.addresses(host, self._resolver)
        except ProbeError as error:
            return error


def _filtered(external_dns: dict[str, Any]) -> list[str]:
    """The zones in which external-dns writes: with DNS at IONOS the outputs do not name them."""
    helm = ((external_dns.get("spec") or {}).get("source") or {}).get("helm") or {}
    return [str(one) for one in (helm.get("valuesObject") or {}).get("domainFilters") or []]


def _name(found: dict[str, Any]) -> str:
    return ready_certificates.title(found)
