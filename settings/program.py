"""The only reader of Pulumi's configuration."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NoReturn

from settings import errors, model, reading

if TYPE_CHECKING:
    import pulumi

ALREADY_SHOWN = 32
"""Exit code after which the language host adds no error of its own (seen: 1 brings a second, empty one)."""


@dataclasses.dataclass(frozen=True)
class Secrets:
    """What is set with `pulumi config set --secret`; None where it is not."""

    kubeconfig: pulumi.Output[str] | None
    github_client_secret: pulumi.Output[str] | None
    ionos_token: pulumi.Output[str] | None
    ionos_dns_token: pulumi.Output[str] | None
    gitops_app_key: pulumi.Output[str] | None = None
    gitops_deploy_key: pulumi.Output[str] | None = None
    gitops_token: pulumi.Output[str] | None = None


def load() -> model.Settings:
    """The settings of the stack that the program runs for.

    Ends the program with one error that names every mistake, before any resource.
    """
    # Imported late: commands that only check stack files do without the SDK (0.25 s).
    import pulumi
    from pulumi.runtime import config

    project = pulumi.get_project()
    # CONFIG is what the language host was given; the SDK has no public way to list the keys.
    given = {**config.get_config_env(), **config.CONFIG.get()}
    raw: dict[str, Any] = {}
    encrypted: set[str] = set()
    for full_key, value in given.items():
        namespace, _, key = full_key.partition(":")
        if namespace != project or (key in model.SECRETS and not value):
            continue
        if config.is_config_secret(full_key):
            encrypted.add(key)
        raw[key] = None if key in model.SECRETS else value
    mistakes = list(reading.misspelt(given, project))
    try:
        settings = reading.parse(raw, pulumi.get_stack(), encrypted)
    except errors.SettingsError as error:
        mistakes += error.mistakes
        settings = None
    if settings is None or mistakes:
        stop(str(errors.SettingsError(pulumi.get_stack(), mistakes)))
    for warning in model.warnings(settings, encrypted):
        pulumi.log.warn(str(warning))
    return settings


def load_secrets() -> Secrets:
    """The stack's secrets, as secret outputs; `load` has checked that the needed ones are there."""
    import pulumi

    config = pulumi.Config()

    def secret(key: str) -> pulumi.Output[str] | None:
        # Pulumi.yaml declares every key with a default, which for a secret is an empty text.
        return config.get_secret(key) if config.get(key) else None

    return Secrets(
        kubeconfig=secret("kubeconfig"),
        github_client_secret=secret("githubClientSecret"),
        ionos_token=secret("ionosToken"),
        ionos_dns_token=secret("ionosDnsToken"),
        gitops_app_key=secret("gitopsAppKey"),
        gitops_deploy_key=secret("gitopsDeployKey"),
        gitops_token=secret("gitopsToken"),
    )


def stop(error: str) -> NoReturn:
    """End the program with this one error, shown without a traceback; for what a person has to mend."""
    import pulumi

    pulumi.log.error(error)
    raise SystemExit(ALREADY_SHOWN)


def reveal(key: str) -> str | None:
    """The plain value of a secret, for checks that are over before the first resource. Never show or keep it."""
    import pulumi

    return pulumi.Config().get(key)
