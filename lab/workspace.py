"""Pulumi's side of a lab: a home and state of its own, the stack `lab`, and the environment to use them.

The program does not know that it runs in a lab. What differs from a cloud is told by ordinary means: the
providers' endpoints by environment variables, the chart mirror by the stack's config. The committed
`Pulumi.lab.yaml` stays as it is; Pulumi is pointed at the lab's copy of it.
"""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
from typing import Any

import yaml

from lab import acme, foreign, installed, layout, toolchain

STACK = "lab"
PLUGINS = {
    "kubernetes": "pulumi-kubernetes",
    "aws": "pulumi-aws",
    "ionoscloud": "pulumi-ionoscloud",
    "tls": "pulumi-tls",
}
"""Provider plugin -> the Python package whose version the plugin has to have."""


def config_file(lab: layout.Lab) -> pathlib.Path:
    """The lab's own copy of the stack's config; `pulumi config set` changes this one."""
    return lab.home / "project" / f"Pulumi.{STACK}.yaml"


def environment(lab: layout.Lab) -> dict[str, str]:
    """Variables that make plain `pulumi`, `kubectl`, `helm`, `kubeseal` and boto3 use this lab."""
    tools = toolchain.bin_dir(toolchain.GO_TOOLS)
    direct = f"127.0.0.1,localhost,{lab.address}"
    variables = {
        "LAB_HOME": str(lab.home),
        "PATH": os.pathsep.join([str(tools), str(pathlib.Path(sys.executable).parent)]),
        "KUBECONFIG": str(lab.kubeconfig),
        "PULUMI_HOME": str(lab.folder("pulumi", "home")),
        # Without the sidecar files, of which a killed run can leave an empty one and with it an unreadable state.
        "PULUMI_BACKEND_URL": f"file://{lab.folder('pulumi', 'state')}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(lab.home / "passphrase"),
        "PULUMI_STACK": STACK,
        "PULUMI_OPTION_CONFIG_FILE": str(config_file(lab)),
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        # Without it every run first tries to download each SDK's plugin and loses 2.4 s offline.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_ERROR_OUTPUT_STRING": "true",
        # A repository or plugin of the user's own Helm must not get into an install (one broke it).
        **{f"HELM_{kind.upper()}_HOME": str(lab.folder("helm", kind)) for kind in ("cache", "config", "data")},
        "IONOS_TOKEN": lab.secret("ionos-token"),
        "IONOS_API_URL": lab.endpoint("ionos"),
        "AWS_ENDPOINT_URL": lab.endpoint("aws"),
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",  # boto3 reads this one
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": lab.secret("aws-secret"),
        "NO_PROXY": direct,
        "no_proxy": direct,  # curl and Python prefer this one
        # For `python -m ops ready`: the lab's names and certificates mean something in the lab only.
        "GITOPS_PLATFORM_CA": str(acme.root(lab)),
        "GITOPS_PLATFORM_RESOLVER": f"{lab.address}:{lab.ports['dns']}",
        "GITOPS_PLATFORM_HTTPS_PORT": str(lab.usable(acme.HTTPS)),
    }
    stand_ins = [plugin for plugin in PLUGINS if not real_plugin(lab, plugin)]
    if stand_ins:
        variables["PULUMI_DEBUG_PROVIDERS"] = ",".join(
            f"{plugin}:{lab.ports[f'plugin_{plugin}']}" for plugin in stand_ins
        )
    return variables


def process_environment(lab: layout.Lab) -> dict[str, str]:
    """`environment` on top of this process's own; PATH put in front, what is foreign left out."""
    merged = foreign.without(os.environ)
    own = environment(lab)
    own["PATH"] = own["PATH"] + os.pathsep + merged.get("PATH", os.defpath)
    return {**merged, **own}


def real_plugin(lab: layout.Lab, plugin: str) -> pathlib.Path | None:
    """The installed provider plugin of the SDK's version, brought into the lab's Pulumi home; or None."""
    version = importlib.metadata.version(PLUGINS[plugin])
    theirs = pathlib.Path(os.environ.get("LAB_PLUGINS") or pathlib.Path.home() / ".pulumi" / "plugins")
    return installed.bring(plugin, version, theirs, lab.folder("pulumi", "home", "plugins"))


def prepare(lab: layout.Lab) -> None:
    """Make the stack and its config when missing, and (re)write `env`. Safe to run again."""
    lab.secret("passphrase")
    _write_private(lab.home / "env", _shell(environment(lab)))
    project = lab.folder("project")
    shutil.copy(layout.PROJECT / "Pulumi.yaml", project / "Pulumi.yaml")
    if not config_file(lab).exists():
        shutil.copy(_committed(), config_file(lab))
        shutil.copy(_committed(), _origin(lab))
        # In the lab's own folder, since `stack init` writes the salt beside the Pulumi.yaml it finds.
        # Selected too, so that a stack file whose state is there already is only given its salt.
        _pulumi(lab, "stack", "select", "--create", "--secrets-provider", "passphrase", STACK, cwd=project)
    before = config_file(lab).read_text()
    config = _document(config_file(lab))
    _point_at(lab, config["config"])
    after = yaml.safe_dump(config, sort_keys=False)
    if after != before:
        config_file(lab).write_text(after)


def left_behind(lab: layout.Lab) -> list[str]:
    """Sections of the committed stack file that have changed since the lab copied it, and not in the lab's copy."""
    origin = _origin(lab)
    if not origin.exists():
        return []
    then, now, ours = (_document(path)["config"] for path in (origin, _committed(), config_file(lab)))
    for each in (then, now):
        _point_at(lab, each)
    return sorted(key for key in {*then, *now} if then.get(key) != now.get(key) and ours.get(key) != now.get(key))


def has_resources(lab: layout.Lab) -> bool:
    """Whether the stack's state holds anything (a stack never brought up holds nothing)."""
    import json

    state = lab.home / "pulumi" / "state" / ".pulumi" / "stacks" / "gitops-platform" / f"{STACK}.json"
    if not state.exists():
        return False
    try:
        latest = json.loads(state.read_text())["checkpoint"].get("latest") or {}
        return bool(latest.get("resources") or latest.get("pending_operations"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise layout.LabError(
            f"{state}, the lab's Pulumi state, cannot be read ({type(error).__name__}: {error}): put back the .bak "
            "beside it, or remove the lab with `python -m lab down --force`"
        ) from None


def _committed() -> pathlib.Path:
    return layout.PROJECT / f"Pulumi.{STACK}.yaml"


def _origin(lab: layout.Lab) -> pathlib.Path:
    """The committed stack file as it was when the lab copied it."""
    return config_file(lab).with_suffix(".origin")


def _point_at(lab: layout.Lab, config: dict[str, Any]) -> None:
    """What is told of the lab by the stack's config."""
    config.setdefault("gitops-platform:charts", {})["mirror"] = lab.endpoint("charts")
    addons = config.setdefault("gitops-platform:addons", {})
    addons.setdefault("certManager", {})["server"] = acme.directory(lab)


def _document(path: pathlib.Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
        if not isinstance(document, dict) or not isinstance(document.get("config"), dict):
            raise ValueError("no mapping `config` in it")
        return document
    except (yaml.YAMLError, ValueError) as error:
        raise layout.LabError(
            f"{path} is no stack file ({' '.join(str(error).split())}): repair it, or remove it to have it copied anew"
        ) from None


def _pulumi(lab: layout.Lab, *arguments: str, cwd: pathlib.Path) -> None:
    variables = process_environment(lab)
    # `stack` commands have no --config-file and take the stack by name; both would be refused.
    del variables["PULUMI_OPTION_CONFIG_FILE"], variables["PULUMI_STACK"]
    done = subprocess.run(
        ["pulumi", *arguments, "--non-interactive"],
        cwd=cwd, env=variables, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        raise layout.LabError(f"pulumi {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


def _shell(variables: dict[str, str]) -> str:
    lines = ["# Use with: source .lab/env   (written anew by every `make demo`)", foreign.UNSET]
    for key, value in variables.items():
        tail = ':"$PATH"' if key == "PATH" else ""
        lines.append(f"export {key}={shlex.quote(value)}{tail}")
    return "\n".join(lines) + "\n"


def _write_private(path: pathlib.Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
