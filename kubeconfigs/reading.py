"""From a kubeconfig to one of its contexts, with kubectl's paths."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any, cast

from kubeconfigs import decoding
from kubeconfigs.decoding import KubeconfigError, Section


@dataclasses.dataclass(frozen=True)
class Context:
    """One context: `cluster` and `user` are a kubeconfig's sections of these names, with absolute paths.

    Keys without a value are left out. `where` says whose kubeconfig it is, in errors.
    """

    where: str
    name: str
    cluster_name: str
    user_name: str
    details: Section
    cluster: Section = dataclasses.field(repr=False)
    user: Section = dataclasses.field(repr=False)

    @property
    def secure(self) -> bool:
        """Whether the server is asked by TLS; kubectl shows no credentials to one that is not."""
        return str(self.cluster.get("server", "")).lower().startswith("https:")


PATHS = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key", "tokenFile")}


def load(path: str, context: str | None = None) -> Context:
    """A context of a file (None: its current one). Raises `KubeconfigError`."""
    try:
        file = pathlib.Path(path).expanduser()
        content = file.read_bytes()
    except FileNotFoundError:
        raise KubeconfigError(f"{path} is not there", "write the file's path as cluster.kubeconfigPath") from None
    except (OSError, RuntimeError, ValueError) as error:
        problem = f"{path} cannot be read ({type(error).__name__})"
        raise KubeconfigError(problem, "check the path and its permissions") from None
    return choose(decoding.parse(decoding.decoded(content, path), path), context, file.parent, path)


def loads(text: str, context: str | None = None, *, where: str) -> Context:
    """A context of a kubeconfig's text; paths in it begin at the working folder. Raises `KubeconfigError`."""
    return choose(decoding.parse(text, where), context, pathlib.Path(), where)


def choose(config: Section, context: str | None, folder: pathlib.Path, where: str) -> Context:
    """The context of that name (None: the current one); relative paths begin at `folder`. Raises `KubeconfigError`."""
    name = context or config.get("current-context")
    if not name:
        known = _listed(config, "contexts")
        raise KubeconfigError(f"{where} has no current context (there are: {known})", "write cluster.context")
    details = _entry(config, "contexts", name, where, "write cluster.context, or use another kubeconfig")
    fix = f"{decoding.ANEW}: it does not hold together"
    cluster_name, user_name = details.get("cluster", ""), details.get("user", "")
    cluster = _entry(config, "clusters", cluster_name, where, fix)
    # `kubectl proxy` asks nobody who they are, so that its contexts have no user.
    user = _entry(config, "users", user_name, where, fix) if user_name else {}
    return Context(
        where, name, cluster_name, user_name, details,
        _absolute(cluster, "cluster", folder), _absolute(user, "user", folder),
    )  # fmt: skip


def _listed(config: Section, section: str) -> str:
    return ", ".join(name for name in decoding.names(config, section) if name) or "none"


def _entry(config: Section, section: str, name: str, where: str, fix: str) -> Section:
    kind = section[:-1]
    for one in cast(list[Section], config.get(section) or []):
        if one.get("name", "") == name:
            return one.get(kind) or {}
    raise KubeconfigError(
        f"{where} has no {kind} {name or '(it is not named)'} (there are: {_listed(config, section)})", fix
    )


def _absolute(section: Section, kind: str, folder: pathlib.Path) -> Section:
    """With kubectl's paths: relative ones begin at the kubeconfig's folder, a plain command is looked for in PATH."""
    changed = dict(section)
    for key in PATHS[kind]:
        if changed.get(key):
            changed[key] = os.path.abspath(folder / changed[key])
    plugin: Mapping[str, Any] = changed.get("exec") or {}
    if "/" in plugin.get("command", ""):
        changed["exec"] = {**plugin, "command": os.path.abspath(folder / plugin["command"])}
    return changed
