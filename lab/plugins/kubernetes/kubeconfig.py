"""Which cluster a kubeconfig means, and how to sign in there. Reads files, never writes any."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import pathlib
import subprocess
import typing

import yaml

from lab.plugins.kubernetes import kubeconfig_rules

Config = dict[str, typing.Any]


class KubeconfigError(Exception):
    """The kubeconfig cannot be used; the message says why and holds nothing secret."""


@dataclasses.dataclass(frozen=True)
class Access:
    """A cluster's address and the credentials for it. `ca`, `certificate` and `key` are PEM."""

    server: str
    namespace: str = "default"
    ca: str = ""
    insecure: bool = False
    server_name: str = ""
    certificate: str = ""
    key: str = dataclasses.field(default="", repr=False)
    authorization: str = dataclasses.field(default="", repr=False)
    proxy: str = dataclasses.field(default="", repr=False)


def parse(text: str) -> Config:
    """The kubeconfig that a provider's `kubeconfig` setting holds: YAML, JSON or a file's path.

    KubeconfigError when it is none of these.
    """
    if "\n" not in text and not text.lstrip().startswith("{"):
        path = pathlib.Path(text.strip()).expanduser()
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise KubeconfigError(f"open {path}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        config = yaml.safe_load(text.removeprefix("\ufeff"))
    except yaml.YAMLError:
        raise KubeconfigError("it is neither YAML nor JSON") from None
    if not isinstance(config, dict):
        raise KubeconfigError("it is no kubeconfig")
    for problem in kubeconfig_rules.undecodable(config):
        raise KubeconfigError(problem)
    return config


def ambient() -> Config:
    """The kubeconfig of the environment: $KUBECONFIG (first existing file), else ~/.kube/config."""
    for name in [*os.environ.get("KUBECONFIG", "").split(os.pathsep), "~/.kube/config"]:
        path = pathlib.Path(name).expanduser()
        if name and path.is_file():
            return _located(parse(str(path)), path.parent.absolute())
    raise KubeconfigError("invalid configuration: no configuration has been provided")


def active_cluster(config: Config, context: str = "", cluster: str = "") -> Config | None:
    """The entry of the cluster in use (server, CA …), None when it cannot be told."""
    entry = _named(config, "contexts", context or config.get("current-context") or "")
    name = cluster or (entry or {}).get("context", {}).get("cluster") or ""
    return (_named(config, "clusters", name) or {}).get("cluster")


def access(config: Config, context: str = "", cluster: str = "") -> Access:
    """Where and how to reach the cluster of a context; runs the user's `exec` command if it has one.

    KubeconfigError for a context or cluster that is not there, for unreadable files, and for what client-go refuses.
    """
    chosen = context or config.get("current-context") or ""
    entry = _named(config, "contexts", chosen)
    if entry is None:
        raise KubeconfigError(
            f'context "{chosen}" does not exist' if chosen else "invalid configuration: no current context is set"
        )
    facts = entry.get("context") or {}
    name = cluster or facts.get("cluster") or ""
    target = (_named(config, "clusters", name) or {}).get("cluster")
    if not isinstance(target, dict) or not target.get("server"):
        raise KubeconfigError(f'cluster "{name}" does not exist')
    user = (_named(config, "users", facts.get("user") or "") or {}).get("user") or {}
    problems = list(kubeconfig_rules.refused(name, target, facts.get("user") or "", user))
    if problems:
        raise KubeconfigError("invalid configuration: " + ", ".join(problems))
    secure = target["server"].lower().startswith("https:")
    if not secure:
        user = {}  # client-go shows no credentials without TLS
    if "exec" in user and not any(user.get(key) for key in kubeconfig_rules.BEFORE_EXEC):
        user = {**user, **_run_exec(user["exec"])}
    certificate = _data(user, "client-certificate")
    return Access(
        server=target["server"].rstrip("/"),
        namespace=facts.get("namespace") or "default",
        ca=_data(target, "certificate-authority"),
        insecure=bool(target.get("insecure-skip-tls-verify")),
        server_name=target.get("tls-server-name") or "",
        certificate=certificate,
        key=_data(user, "client-key") if certificate else "",
        authorization=_authorization(user),
        proxy=target.get("proxy-url") or "",
    )


def _located(config: Config, folder: pathlib.Path) -> Config:
    """Paths of a file that was found by $KUBECONFIG begin at its folder; those of an inline one at the plugin's."""
    for section in ("cluster", "user"):
        for entry in config.get(f"{section}s") or []:
            facts = entry.get(section) or {}
            for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
                if facts.get(key):
                    facts[key] = str(folder / facts[key])
            if "/" in (facts.get("exec") or {}).get("command", ""):
                facts["exec"]["command"] = str(folder / facts["exec"]["command"])
    return config


def _named(config: Config, section: str, name: str) -> Config | None:
    return next((entry for entry in config.get(section) or [] if entry.get("name") == name), None)


def _data(entry: Config, key: str) -> str:
    try:
        if entry.get(f"{key}-data"):
            return base64.b64decode(entry[f"{key}-data"]).decode("utf-8")
        return pathlib.Path(entry[key]).read_text("utf-8") if entry.get(key) else ""
    except (OSError, ValueError):
        raise KubeconfigError(f"{key} cannot be read") from None


def _authorization(user: Config) -> str:
    token = user.get("token")
    if user.get("tokenFile"):
        try:
            token = pathlib.Path(user["tokenFile"]).read_text("utf-8").strip() or token
        except OSError:
            if not token:
                raise KubeconfigError("tokenFile cannot be read") from None
    if token:
        return f"Bearer {token}"
    if user.get("username"):
        return "Basic " + base64.b64encode(f"{user['username']}:{user.get('password', '')}".encode()).decode()
    return ""


def _run_exec(command: Config) -> Config:
    extra = {item["name"]: item["value"] for item in command.get("env") or []}
    asked = {"apiVersion": command.get("apiVersion"), "kind": "ExecCredential", "spec": {"interactive": False}}
    try:
        done = subprocess.run(
            [command["command"], *(command.get("args") or [])],
            env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
            capture_output=True,
            check=True,
            timeout=60,
        )
        answer = json.loads(done.stdout)
        status = answer["status"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        raise KubeconfigError(f"getting credentials: exec: {command.get('command')} failed") from None
    if answer.get("apiVersion") != command["apiVersion"]:
        raise KubeconfigError(f"exec plugin is configured to use API version {command['apiVersion']}, not what it says")
    pair = [bool(status.get(key)) for key in ("clientCertificateData", "clientKeyData")]
    if any(pair) != all(pair) or not (any(pair) or status.get("token")):
        raise KubeconfigError("exec plugin didn't return a token or cert/key pair")
    found = {"token": status.get("token")}
    for ours, theirs in (("client-certificate-data", "clientCertificateData"), ("client-key-data", "clientKeyData")):
        if status.get(theirs):
            found[ours] = base64.b64encode(status[theirs].encode()).decode()
    return found
