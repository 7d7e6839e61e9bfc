"""`python -m ops ready`: does an environment do what it is for?"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from ops import ready_checks, ready_probe, ready_steps, ready_why, scrub, stack_outputs, stackfiles
from ops.kubectl import ClusterError, Kubectl
from ops.ready_checks import Environment, Finding
from ops.ready_look import Look
from ops.stack import OpsError

PAUSE = 2.0


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
    default outside prd, is trusted by nobody: its certificates are checked for name and time, with a warning;
    with its roots in --ca, for trust too. Certificates and hosts of others (app owners) that wait, or lead
    elsewhere, are warnings. Exit codes: 0 ready, 1 not ready in
    time, 2 wrong usage or the stack is not up.
    """
    say = _printer()
    try:
        server = ready_probe.resolver(resolver) if resolver else None
        context = ready_probe.trust(ca)
        environment = _environment(stack, stack_outputs.read(stack, outputs, directory))
        if environment is None:
            raise OpsError(f"stack {stack} is not up: `pulumi up` has to make its cluster first")
        look = Look(environment, server, context, port, with_ca=ca is not None)
        began = time.monotonic()
        findings = watch(look, say, wait_minutes * 60)
    except (OpsError, ValueError) as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    unmet = [one for one in findings if not one.met]
    seconds = time.monotonic() - began
    details = {one.check: _told(_details(one, environment, look.cluster)) for one in unmet}
    steps = {one.check: ready_steps.step(one.next, details[one.check]) for one in unmet}
    findings = [
        dataclasses.replace(one, what=_told([one.what])[0], next=steps.get(one.check, one.next)) for one in findings
    ]
    unmet = [one for one in findings if not one.met]
    warnings = _told(look.warnings())
    if as_json:
        typer.echo(json.dumps(report(stack, findings, details, look, environment, seconds, warnings), indent=2))
    for warning in warnings:
        say(f"warning: {warning}")
    for one in unmet:
        for line in _error(one, details[one.check], seconds):
            say(line)
    if unmet:
        say(f"stack {stack} is not ready: {len(unmet)} of {len(findings)} checks are not met after {_time(seconds)}")
        raise typer.Exit(1)
    if not as_json:
        for line in _facts(environment, look):
            typer.echo(line)


def _environment(stack: str, outputs: Mapping[str, Any]) -> Environment | None:
    try:
        return ready_checks.environment(outputs)
    except (KeyError, TypeError, AttributeError):
        raise OpsError(
            f"the outputs of stack {stack} are not what this version writes: `pulumi up` renews them"
        ) from None


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
    stack: str,
    findings: Sequence[Finding],
    details: Mapping[str, Sequence[str]],
    look: Look,
    environment: Environment,
    seconds: float,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """`{stack, ready, seconds, host, addresses, certificate, argocd, checks, warnings}` for programs."""
    served = look.served
    return {
        "stack": stack,
        "ready": all(one.met for one in findings),
        "seconds": round(seconds, 1),
        "host": environment.host,
        "addresses": list(look.addresses),
        "certificate": {
            "issuer": served.issuer,
            "names": list(served.names),
            "until": served.until,
            "trusted": served.trusted,
        }
        if served
        else None,
        "argocd": {"version": served.version} if served else None,
        "checks": [
            {"check": one.check, "met": one.met, "what": one.what}
            | ({} if one.met else {"details": list(details[one.check]), "next": one.next})
            for one in findings
        ],
        "warnings": list(warnings),
    }


def _error(one: Finding, details: Sequence[str], seconds: float) -> list[str]:
    responsible = f" (add-on {one.addon})" if one.addon and one.addon not in one.check else ""
    return [
        f"error: {one.check}{responsible} is not ready after {_time(seconds)}: {one.what}",
        *(f"  {detail}" for detail in details),
        *([f"  next: {one.next}"] if one.next else []),
    ]


def _details(one: Finding, environment: Environment, cluster: Kubectl) -> list[str]:
    """What the cluster says of an unmet check: the check's own reasons, Argo CD's, the pods'."""
    details = list(one.reasons)
    its_own = one.check.startswith("application ")
    if one.addon in environment.addons and not its_own:
        details += _application(one.addon, cluster)
    if one.namespace:
        details += ready_why.explain(cluster, one.namespace, always=not its_own)
    return details


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
            *([] if look.served.trusted else [f"               {ready_checks.UNTRUSTED}"]),
            f"  Argo CD      {look.served.version}",
        ]
    return lines


def _printer() -> Callable[[str], None]:
    known = scrub.known(os.environ)
    return lambda text: typer.echo(scrub.scrub(text, known), err=True)


def _told(texts: Iterable[str]) -> list[str]:
    """What controllers say, as others may read it: an error of theirs may quote a request or its headers."""
    known = scrub.known(os.environ)
    return [scrub.scrub(text, known) for text in texts]


def _time(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"
