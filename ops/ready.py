"""`python -m ops ready`: does an environment do what it is for?"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from ops import ready_checks, ready_probe, ready_why, stackfiles
from ops.kubectl import ClusterError, Kubectl
from ops.ready_checks import Environment, Finding
from ops.ready_probe import ProbeError, Served
from ops.stack import OpsError, Stack

PAUSE = 2.0
PART_OF_ARGO_CD = "app.kubernetes.io/part-of=argocd"


def ready(
    stack: Annotated[str, typer.Argument(help="The stack to look at.")],
    wait_minutes: Annotated[float, typer.Option(min=0, help="How long to wait for what is not ready yet.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
    ca: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="FILE",
            envvar="GITOPS_PLATFORM_CA",
            help="PEM file with authorities to trust beside this machine's.",
        ),
    ] = None,
    resolver: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", envvar="GITOPS_PLATFORM_RESOLVER", help="DNS server to ask instead of this machine's."
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="GITOPS_PLATFORM_HTTPS_PORT", help="Port of HTTPS at the ingress.")
    ] = 443,
    outputs: Annotated[
        typer.FileText | None,
        typer.Option(
            help="The stack's outputs in JSON, secrets shown (- is stdin), instead of asking Pulumi for them."
        ),
    ] = None,
    directory: Annotated[
        pathlib.Path,
        typer.Option(help="Folder of the project.", file_okay=False, exists=True, show_default="this project's"),
    ] = stackfiles.PROJECT,
) -> None:
    """Say whether an environment works: add-ons, issuers, certificate, name, and HTTPS through the ingress.

    Example: python -m ops ready sbx --ca letsencrypt-staging.pem

    What is not ready yet is waited for; progress goes to stderr. Then, for each thing that is not as it should
    be, one error says what Argo CD and the pods say of it, and what to do. Let's Encrypt staging, the
    default outside prd, is trusted by nobody: name its root with --ca. Exit code: 0 ready, 1 not ready in
    time, 2 wrong usage or the stack is not up.
    """
    say = _printer()
    try:
        server = ready_probe.resolver(resolver) if resolver else None
        context = ready_probe.trust(ca)
        environment = ready_checks.environment(json.load(outputs) if outputs else Stack(stack, directory).outputs())
        if environment is None:
            raise OpsError(f"stack {stack} is not up: run `pulumi up` first")
        look = Look(environment, server, context, port, with_ca=ca is not None)
        began = time.monotonic()
        findings = watch(look, say, wait_minutes * 60)
    except (OpsError, ValueError) as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    unmet = [one for one in findings if not one.met]
    seconds = time.monotonic() - began
    errors = [_error(one, environment, look.cluster, seconds) for one in unmet]
    if as_json:
        typer.echo(json.dumps(report(stack, findings, look, environment, seconds), indent=2))
    for lines in errors:
        say("\n".join(lines))
    if unmet:
        say(f"stack {stack} is not ready: {len(unmet)} of {len(findings)} checks are not met after {_time(seconds)}")
        raise typer.Exit(1)
    if not as_json:
        for line in _facts(environment, look):
            typer.echo(line)


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
        found = [
            ready_checks.argo_cd(ready_why.workloads(self.cluster, env.namespace, PART_OF_ARGO_CD), env.namespace),
            *(ready_checks.application(name, applications.get(name)) for name in sorted({*env.addons, *applications})),
        ]
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
                answer = error
        https = ready_checks.answer(self._environment, answer, server, self._with_ca)
        return [name, dataclasses.replace(https, hopeless=https.hopeless and settled)]


def watch(
    look: Callable[[], list[Finding]],
    say: Callable[[str], None],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> list[Finding]:
    """Look until everything is met, time is over, or waiting is in vain; say what changes. The last findings."""
    began, said = clock(), dict[str, str]()
    while True:
        findings = look()
        for one in findings:
            before = said.get(one.check)
            if one.what != before and not (one.met and before is None):
                say(f"{_time(clock() - began):>7}  {'ok' if one.met else 'waiting':7}  {one.check}: {one.what}")
            said[one.check] = one.what
        unmet = [one for one in findings if not one.met]
        if not unmet or any(one.hopeless for one in unmet) or clock() - began >= seconds:
            return findings
        pause(min(PAUSE, max(0.0, seconds - (clock() - began))))


def report(
    stack: str, findings: Sequence[Finding], look: Look, environment: Environment, seconds: float
) -> dict[str, Any]:
    """`{stack, ready, seconds, host, addresses, certificate, argocd, checks}` for programs."""
    served = look.served
    return {
        "stack": stack,
        "ready": all(one.met for one in findings),
        "seconds": round(seconds, 1),
        "host": environment.host,
        "addresses": list(look.addresses),
        "certificate": {"issuer": served.issuer, "names": list(served.names), "until": served.until}
        if served
        else None,
        "argocd": {"version": served.version} if served else None,
        "checks": [
            {"check": one.check, "met": one.met, "what": one.what, "reasons": list(one.reasons), "next": one.next}
            if not one.met
            else {"check": one.check, "met": True, "what": one.what}
            for one in findings
        ],
    }


def _error(one: Finding, environment: Environment, cluster: Kubectl, seconds: float) -> list[str]:
    responsible = f" (add-on {one.addon})" if one.addon and one.addon not in one.check else ""
    lines = [f"error: {one.check}{responsible} is not ready after {_time(seconds)}: {one.what}"]
    details = list(one.reasons)
    if one.addon in environment.addons and not one.check.startswith("application "):
        details += _application(one.addon, cluster)
    if one.namespace:
        details += ready_why.explain(cluster, one.namespace, always=not one.check.startswith("application "))
    lines += [f"  {detail}" for detail in details]
    return [*lines, *([f"  next: {one.next}"] if one.next else [])]


def _application(addon: str, cluster: Kubectl) -> list[str]:
    try:
        every = cluster.items("/apis/argoproj.io/v1alpha1/applications", labelSelector="purpose=infra")
    except ClusterError:
        return []
    found = next((one for one in every if one["metadata"]["name"] == addon), None)
    finding = ready_checks.application(addon, found)
    return [f"{finding.check}: {finding.what}", *finding.reasons]


def _facts(environment: Environment, look: Look) -> list[str]:
    lines = [f"ready: https://{environment.host}", f"  name         {environment.host} → {', '.join(look.addresses)}"]
    if look.served:
        names = ", ".join(look.served.names)
        lines += [
            f"  certificate  {names}, by {look.served.issuer}, until {look.served.until[:10]}",
            f"  Argo CD      {look.served.version}",
        ]
    return lines


def _printer() -> Callable[[str], None]:
    return lambda text: typer.echo(text, err=True)


def _time(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"
