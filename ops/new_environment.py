"""`python -m ops new-environment`: the stack file of a new environment, out of answers or flags."""

from __future__ import annotations

import enum
import json
import pathlib
import sys
from typing import Annotated, Any

import typer

from ops import deploy_job, new_stackfile, stackfiles
from settings import checks


class Provider(enum.StrEnum):
    """Where an environment runs."""

    ionos = "ionos"
    existing = "existing"


class Dns(enum.StrEnum):
    """Who serves its domains."""

    route53 = "route53"
    ionos = "ionos"


class Controller(enum.StrEnum):
    """What traffic comes in through."""

    traefik = "traefik"
    nginx = "ingress-nginx"


class Certificates(enum.StrEnum):
    """Which Let's Encrypt."""

    production = "production"
    staging = "staging"


def new_environment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: 1 to 20 of a-z, 0-9 and -.")],
    domain: Annotated[list[str] | None, typer.Option(help="Its domain. Repeatable; the first is the main one.")] = None,
    provider: Annotated[Provider | None, typer.Option(help="A new IONOS cluster, or one that exists.")] = None,
    location: Annotated[str | None, typer.Option(help="IONOS location, such as de/txl.")] = None,
    kubernetes_version: Annotated[str | None, typer.Option(help="For IONOS, such as 1.34.3.")] = None,
    cluster_name: Annotated[str | None, typer.Option(help="The cluster's name.")] = None,
    kubeconfig_path: Annotated[str | None, typer.Option(help="Way into an existing cluster.")] = None,
    context: Annotated[str | None, typer.Option(help="Context of that kubeconfig.")] = None,
    dns: Annotated[Dns, typer.Option(help="Who serves the domains.")] = Dns.route53,
    zone_id: Annotated[str | None, typer.Option(help="Route53 zone of the main domain, if it exists.")] = None,
    ingress: Annotated[Controller, typer.Option(help="The ingress controller.")] = Controller.traefik,
    email: Annotated[str | None, typer.Option(help="Where Let's Encrypt writes to.")] = None,
    certificates: Annotated[
        Certificates, typer.Option(help="Let's Encrypt's production, or its staging.")
    ] = Certificates.production,
    purpose: Annotated[str, typer.Option(help="What it is for, in the file's heading.")] = "an environment",
    non_interactive: Annotated[bool, typer.Option("--non-interactive", help="Ask nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over its file; encrypted secrets stay.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: {stack, file, next}.")] = False,
    directory: Annotated[
        pathlib.Path,
        typer.Option(help="Folder of the project.", file_okay=False, exists=True, show_default="this project's"),
    ] = stackfiles.PROJECT,
) -> None:
    """Write the stack file of a new environment (Pulumi.NAME.yaml), and say what is to do after that.

    Example: python -m ops new-environment dev3 --domain dev3.example.org --provider ionos --kubernetes-version 1.34.3

    Asks for what no flag says, when there is somebody to ask. Nothing but the file is made: no stack, no
    cloud is touched. Exit codes: 0 written, 1 the answers make no valid environment (every mistake is said,
    nothing is written), 2 wrong usage, such as a name that is not valid or exists.
    """
    try:
        file = _free(name, directory, force)
        asks = not non_interactive and _is_somebody_there()
        answers = new_stackfile.Answers(
            name=name,
            domains=tuple(domain or [_ask("--domain", "Domain", asks, checks.domain)]),
            provider=provider.value if provider else _ask("--provider", _CLUSTER, asks, Provider, "ionos"),
            zone_id=zone_id,
            location=location,
            kubernetes_version=kubernetes_version,
            cluster_name=cluster_name,
            kubeconfig_path=kubeconfig_path,
            context=context,
            dns=dns.value,
            ingress=ingress.value,
            email=email,
            certificates=certificates.value,
            purpose=purpose,
        )
        answers = _rest(answers, asks)
    except _Usage as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    try:
        if found := new_stackfile.mistakes(answers, directory):
            for mistake in found:
                typer.echo(f"error: {mistake}", err=True)
            raise typer.Exit(1)
        kept = new_stackfile.keep(file) if file.exists() else None
        file.write_text(new_stackfile.text(answers, directory, kept), "utf-8")
    except stackfiles.Unreadable as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        typer.echo(f"error: {file} cannot be written ({error.strerror}): make its folder writable", err=True)
        raise typer.Exit(2) from None
    deploy = directory / deploy_job.FILE
    for warning in new_stackfile.warnings(answers, directory):
        typer.echo(f"warning: {warning}", err=True)
    steps = next_steps(answers, deploy.read_text("utf-8") if deploy.is_file() else "")
    if as_json:
        typer.echo(json.dumps({"stack": name, "file": file.name, "next": steps}, indent=2))
        return
    typer.echo(f"{file.name} is written. Next:")
    for number, step in enumerate(steps, 1):
        typer.echo(f"  {number}. {step}")


def next_steps(answers: new_stackfile.Answers, deploy: str = "") -> list[str]:
    """What is to do once the file is there, in order; `deploy` is the text of deploy.yml."""
    name = answers.name
    steps = [
        f"review the file, then `python -m ops config check {name}`",
        f"`pulumi stack init {name}`, with `--secrets-provider awskms://…` unless a passphrase encrypts its secrets",
    ]
    steps += [
        f"`pulumi config set --secret {key} --stack {name}`: {what}"
        for key, what in new_stackfile.secrets(answers).items()
    ]
    steps += [
        f"`pulumi preview --stack {name}`, `pulumi up --stack {name}`, `python -m ops ready {name}`",
        f"CI: make the GitHub environments {name} and {name}-preview with their secrets (docs/ci.md)",
    ]
    if jobs := deploy_job.added(deploy, name):
        steps.append(
            f"in {deploy_job.FILE}, write this in the place of job {jobs.last}; if {name} is to come earlier, every "
            f"job after it needs it as {jobs.last} does here:\n\n{jobs.text}"
        )
    elif name not in deploy_job.names(deploy):
        steps.append(f"add a job for {name} to {deploy_job.FILE} in its place, and to what later ones need")
    if answers.dns == "route53" and answers.zone_id is None:
        steps.append(f"point the registrar of {answers.domains[0]} to `pulumi stack output dns --stack {name}`")
    return steps


_CLUSTER = "Cluster (ionos: a new one; existing: one that is there)"


class _Usage(Exception):
    pass


def _is_somebody_there() -> bool:
    return sys.stdin.isatty()


def _free(name: str, directory: pathlib.Path, force: bool) -> pathlib.Path:
    """The file to write; refuses a name that is not valid or taken."""
    try:
        checks.environment(name)
    except ValueError as error:
        raise _Usage(_said(error)) from None
    there = [file for end in ("yaml", "yml") if (file := directory / f"Pulumi.{name}.{end}").exists()]
    if there and not force:
        raise _Usage(f"{there[0].name} exists: choose another name, or add --force to write over it")
    return there[0] if there else directory / f"Pulumi.{name}.yaml"


def _rest(answers: new_stackfile.Answers, asks: bool) -> new_stackfile.Answers:
    """The answers with what the provider needs, asked for where it is missing."""
    more: dict[str, Any] = {}
    if answers.provider == Provider.ionos:
        if answers.kubernetes_version is None:
            question = "Kubernetes version, all three numbers"
            more["kubernetes_version"] = _ask("--kubernetes-version", question, asks, checks.kubernetes_version)
        if answers.location is None:
            more["location"] = _ask("", "Location", asks, checks.location, "de/txl")
    else:
        if answers.cluster_name is None:
            more["cluster_name"] = _ask("--cluster-name", "The cluster's name", asks, checks.ionos_name)
        if answers.kubeconfig_path is None:
            more["kubeconfig_path"] = _ask("", "Kubeconfig", asks, str, "~/.kube/config")
    if answers.email is None and asks:
        question = "E-mail for Let's Encrypt (- for none)"
        given = _ask("", question, asks, lambda text: text if text == "-" else checks.email(text))
        more["email"] = None if given == "-" else given
    return new_stackfile.Answers(**{**vars(answers), **more})


def _ask(flag: str, question: str, asks: bool, check: Any, default: str | None = None) -> str:
    """An answer that `check` takes; without anybody to ask the default, or the flag that is missing."""
    if not asks:
        if default is None or flag:
            raise _Usage(f"{flag} is missing, and nobody can be asked here: add it")
        return default

    def checked(text: str) -> str:
        try:
            return str(check(text.strip()))
        except ValueError as error:
            raise typer.BadParameter(_said(error)) from None

    return typer.prompt(question, default=default, value_proc=checked, err=True)


def _said(error: ValueError) -> str:
    context = getattr(error, "context", None) or {}
    return f"{context['problem']}: {context['fix']}" if "fix" in context else str(error)
