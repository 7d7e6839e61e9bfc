"""The only reader of Pulumi's configuration."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from settings import documents, errors, model, reading, trees, written

if TYPE_CHECKING:
    import pulumi

ALREADY_SHOWN = 32
"""Exit code after which the language host adds no error of its own (seen: 1 brings a second, empty one)."""


CONFIG_FILE = "PULUMI_OPTION_CONFIG_FILE"
"""The engine's variable for a stack file elsewhere; of its option `--config-file` the program is told nothing."""
DOUBTFUL = re.compile(rb"(?<![\w.:/\"'-])([-+]?0[0-9_xXoObB]|[0-9]{4}-[0-9]|[-+]?[0-9._]+[eE]|[-+]?[0-9_.]{16})")
"""What a file has where something in it may not be read as it was meant: only then it is read a second time."""


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
        stack = pulumi.get_stack()
        file = pathlib.Path(os.environ.get(CONFIG_FILE) or f"Pulumi.{stack}.yaml")
        settings = reading.parse(raw, stack, encrypted, as_written(file, project, raw))
    except errors.SettingsError as error:
        mistakes += error.mistakes
        settings = None
    if settings is None or mistakes:
        stop(str(errors.SettingsError(pulumi.get_stack(), mistakes)))
    for warning in model.warnings(settings, encrypted):
        pulumi.log.warn(str(warning))
    return settings


def as_written(file: pathlib.Path, project: str, given: Mapping[str, Any]) -> written.Written:
    """How the stack file writes what the engine has read from it: of `0123` only 83 comes here.

    Nothing, where there is no such file (`--config-file`), and for each setting that says something else there.
    """
    found = written.Written()
    try:
        content = file.read_bytes()
        document = documents.read(content) if DOUBTFUL.search(content) else documents.Document()
    except (OSError, documents.Broken):
        return found
    for full_key, value in trees.mapping(trees.mapping(document.content).get("config")).items():
        key = full_key.removeprefix(f"{project}:")
        if key in given and reading.decode(key, given[key]) in (value, reading.decode(key, value)):
            found.take(document.written, document.keys, ("config", full_key), key)
    return found


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
