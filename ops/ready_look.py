"""Looks at an environment, from inside (the cluster's objects) and from outside (its name, HTTPS)."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Sequence
from typing import Any

from ops import ready_checks, ready_children, ready_probe, ready_why
from ops.kubectl import ClusterError, Kubectl
from ops.ready_checks import Environment, Finding
from ops.ready_probe import ProbeError, Served

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
        self._environment, self._resolver, self._context, self._port = environment, resolver, context, port
        self._with_ca = with_ca

    def __call__(self) -> list[Finding]:
        """Every check, as it stands now."""
        try:
            inside, server = self._inside()
            expected = self._environment.addresses or self._ingress_addresses()
        except ClusterError as error:
            step = "is the cluster there, and are the stack's outputs of today? `pulumi up --refresh` renews them"
            return [Finding("cluster", False, f"it cannot be asked: {error}", next=step)]
        return [*inside, *self._outside(expected, server, all(one.met for one in inside))]

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
        if not env.issuers:
            return found, ""
        space = env.addons.get("cert-manager", "cert-manager")
        issuers = {one["metadata"]["name"]: one for one in get("/apis/cert-manager.io/v1/clusterissuers")}
        found += [ready_checks.issuer(name, issuers.get(name), space) for name in env.issuers]
        certificate = next(
            (
                one
                for one in get(f"/apis/cert-manager.io/v1/namespaces/{env.namespace}/certificates")
                if env.host in ((one.get("spec") or {}).get("dnsNames") or [])
            ),
            None,
        )
        steps = [] if certificate is None or ready_checks.ready(certificate)[0] else self._steps()
        found.append(ready_checks.certificate(env.host, certificate, steps, space))
        issuer = (((certificate or {}).get("spec") or {}).get("issuerRef") or {}).get("name")
        return found, ready_checks.acme_server(issuers.get(issuer) or {})

    def _children(self, root: dict[str, Any], platforms: set[str]) -> list[Finding]:
        """What the handed-over folder describes. Ours are looked at anyway."""
        space = f"/apis/argoproj.io/v1alpha1/namespaces/{self._environment.namespace}"
        named = [
            {one["metadata"]["name"]: one for one in self.cluster.items(f"{space}/{kind}")}
            for kind in ("applications", "applicationsets")
        ]
        found = ready_children.findings(root, named[0], named[1])
        return [one for one in found if one.check.partition(" ")[2] not in platforms]

    def _steps(self) -> list[dict[str, Any]]:
        space = f"namespaces/{self._environment.namespace}"
        paths = {
            "Challenge": f"/apis/acme.cert-manager.io/v1/{space}/challenges",
            "Order": f"/apis/acme.cert-manager.io/v1/{space}/orders",
            "CertificateRequest": f"/apis/cert-manager.io/v1/{space}/certificaterequests",
        }
        return [{**one, "kind": kind} for kind, path in paths.items() for one in self.cluster.items(path)]

    def _ingress_addresses(self) -> list[str]:
        env = self._environment
        return [
            str(at["ip"])
            for one in self.cluster.items(f"/apis/networking.k8s.io/v1/namespaces/{env.namespace}/ingresses")
            if any(rule.get("host") == env.host for rule in one["spec"].get("rules") or [])
            for at in ((one.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
            if at.get("ip")
        ]

    def _staging(self, error: ProbeError, server: str) -> Served | ProbeError:
        """The answer after all, if nothing but trust is missing and the issuer is one that nobody trusts."""
        if error.kind != "untrusted" or ready_checks.STAGING not in server or self._with_ca:
            return error
        try:
            self.served = ready_probe.ask_staging(self._environment.host, self.addresses, self._port)
        except ProbeError as other:
            return other
        return self.served

    def _outside(self, expected: Sequence[str], server: str, settled: bool) -> list[Finding]:
        host = self._environment.host
        self.addresses, self.served = (), None
        found: list[str] | ProbeError
        try:
            self.addresses = found = ready_probe.addresses(host, self._resolver)
        except ProbeError as error:
            found = error
        name = ready_checks.name(self._environment, expected, found)
        answer: Served | ProbeError | None = None
        if name.met:
            try:
                self.served = answer = ready_probe.ask(host, self.addresses, self._port, self._context)
            except ProbeError as error:
                answer = self._staging(error, server)
        https = ready_checks.answer(self._environment, answer, server, self._with_ca)
        return [name, dataclasses.replace(https, hopeless=https.hopeless and settled)]
