"""The only reader of Pulumi's configuration."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from settings import errors, model, reading

if TYPE_CHECKING:
    import pulumi

TEXTS = ("environment",)
"""Settings that are texts; every other one is JSON by the time it gets here."""


@dataclasses.dataclass(frozen=True)
class Secrets:
    """What is set with `pulumi config set --secret`; None where it is not."""

    kubeconfig: pulumi.Output[str] | None
    github_client_secret: pulumi.Output[str] | None
    ionos_token: pulumi.Output[str] | None
    ionos_dns_token: pulumi.Output[str] | None


def load() -> model.Settings:
    """The settings of the stack that the program runs for.

    Raises one `pulumi.RunError` (shown without a traceback) with every mistake, before any resource.
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
        if namespace != project:
            continue
        if config.is_config_secret(full_key):
            encrypted.add(key)
        raw[key] = None if key in model.SECRETS else _decode(key, value)
    try:
        settings = reading.parse(raw, pulumi.get_stack(), encrypted)
    except errors.SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    for warning in model.warnings(settings, encrypted):
        pulumi.log.warn(str(warning))
    return settings


def load_secrets() -> Secrets:
    """The stack's secrets, as secret outputs; `load` has checked that the needed ones are there."""
    import pulumi

    config = pulumi.Config()
    return Secrets(
        kubeconfig=config.get_secret("kubeconfig"),
        github_client_secret=config.get_secret("githubClientSecret"),
        ionos_token=config.get_secret("ionosToken"),
        ionos_dns_token=config.get_secret("ionosDnsToken"),
    )


def _decode(key: str, value: Any) -> Any:
    """A setting as the stack file has it: the engine hands over mappings and numbers as JSON text."""
    if key in TEXTS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
