"""The resource type `kubernetes:helm.sh/v3:Release`, by way of the helm binary.

As in the real plugin: the chart is looked up at preview already; a failed installation stays in state with its error
and the next `up` upgrades it; a release that an interruption left in `pending-install` makes the next create fail
with helm's "cannot re-use a name that is still in use", one in `pending-upgrade` makes an update fail with "another
operation … is in progress". Nobody but the user resolves those (`helm uninstall`, `helm rollback`). A removal that a
pre-delete hook refused leaves all of it there and marked `uninstalling`: no upgrade until that mark is gone ("has no
deployed releases"). One that a post-delete hook refused is gone, and an error all the same: the next removal finds
nothing ("release: not found"), until a refresh.
"""

from __future__ import annotations

import json
import typing

import yaml

from lab.plugins import base, differ, values
from lab.plugins.kubernetes import helm_command, model, session

DEFAULT_TIMEOUT = 300
PURE_OUTPUTS = ("status", "resourceNames")
NO_INPUTS = {"resourceNames", "manifest", "compat", "checksum"}

FLAGS = {
    "atomic": "--atomic",
    "dependencyUpdate": "--dependency-update",
    "devel": "--devel",
    "disableOpenapiValidation": "--disable-openapi-validation",
    "renderSubchartNotes": "--render-subchart-notes",
    "verify": "--verify",
    "takeOwnership": "--take-ownership",
}
INSTALL_FLAGS = {
    "createNamespace": "--create-namespace",
    "disableWebhooks": "--no-hooks",
    "replace": "--replace",
    "skipCrds": "--skip-crds",
}
UPGRADE_FLAGS = {
    "cleanupOnFail": "--cleanup-on-fail",
    "disableCRDHooks": "--no-hooks",
    "forceUpdate": "--force",
    "resetValues": "--reset-values",
    "reuseValues": "--reuse-values",
}


class Release(base.Resource):
    """Install, upgrade, look up and uninstall one release."""

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        client: session.Session = call.client
        news = base.autoname(call, values.plain(olds), news, length=8)
        news = {key: item for key, item in news.items() if key not in NO_INPUTS}
        if not news.get("namespace"):
            news["namespace"] = client.namespace
        if not values.plain(news.get("skipAwait")):
            news.setdefault("timeout", DEFAULT_TIMEOUT)
        if values.contains(news, values.UNKNOWN):
            return news
        with helm_command.open_command(call) as helm:
            try:
                chart = yaml.safe_load(helm.run("show", "chart", *_chart(helm, values.plain(news))))
            except helm_command.HelmError as error:
                reason = f"{error}; check the chart name and repository configuration."
                raise base.Invalid({"chart": reason}) from None
        return {**news, "version": chart["version"]}

    def diff(self, call: base.Call, state: base.State, inputs: base.Properties) -> differ.Diff:
        old = values.plain(state.outputs.get("__inputs")) or values.plain(state.inputs)
        seen = {key: values.plain(item) for key, item in state.outputs.items() if key in old}
        old = {key: item for key, item in {**old, **seen}.items() if key not in NO_INPUTS}
        if isinstance(old.get("values"), dict):
            old["values"] = model.prune(old["values"], {**(values.plain(state.inputs).get("values") or {})})
        diff = differ.compare(old, inputs, ("name", "namespace"))
        for path in [path for path in diff.changes if differ.path_text(path) in call.ignore_changes]:
            del diff.changes[path]
        return diff

    def preview_outputs(self, call: base.Call, state: base.State | None, inputs: base.Properties) -> base.Properties:
        return {**inputs, "__inputs": values.Secret(inputs)} | dict.fromkeys(PURE_OUTPUTS, values.UNKNOWN)

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        client: session.Session = call.client
        if client.unreachable:
            raise base.PluginError(f"can't create Helm Release with unreachable cluster: {client.unreachable}")
        plain = values.plain(inputs)
        id = f"{plain['namespace']}/{plain['name']}"
        with _open(call) as helm:
            try:
                arguments = _arguments(helm, plain, FLAGS | INSTALL_FLAGS)
                helm.run("install", *arguments, values=plain.get("values") or {})
            except helm_command.HelmError as error:
                found = None if "cannot re-use a name" in str(error) else _lookup(helm, plain)
                if found is None:
                    raise base.PluginError(str(error)) from None
                call.warn(
                    f'Helm release "{plain["name"]}" was created but has a failed status. Use the `helm` command to '
                    f"investigate the error, correct it, then retry. Reason: {error}"
                )
                reason = f'Helm release "{id}" was created, but failed to initialize completely. '
                reason += "Use Helm CLI to investigate: "
                raise base.InitFailed(id, _outputs(inputs, found), [reason + _failed(id, error)]) from None
            return base.Created(id, _outputs(inputs, _lookup(helm, plain) or {}))

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        client: session.Session = call.client
        if client.unreachable:
            call.warn(f"configured Kubernetes cluster is unreachable: {client.unreachable}")
            if client.delete_unreachable:
                return None
            raise base.PluginError(
                "failed to read resource state due to unreachable cluster. " + session.UNREACHABLE_HELP
            )
        namespace, name = model.split_identifier(state.id)
        inputs = state.inputs or state.outputs.get("__inputs") or {"name": name, "namespace": namespace}
        inputs = inputs.value if isinstance(inputs, values.Secret) else inputs
        with _open(call) as helm:
            found = _lookup(helm, {"name": name, "namespace": namespace})
        if found is None:
            return None
        if not state.inputs:
            inputs = {**inputs, "chart": found["chart"], "version": found["version"], "values": found["values"]}
        return base.State(state.id, inputs, _outputs(inputs, found))

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        client: session.Session = call.client
        if client.unreachable:
            raise base.PluginError(f"can't update Helm Release with unreachable cluster: {client.unreachable}")
        plain = values.plain(inputs)
        with _open(call) as helm:
            extra = ["--history-max", str(plain.get("maxHistory") or 0)]
            try:
                arguments = [*_arguments(helm, plain, FLAGS | UPGRADE_FLAGS), *extra]
                helm.run("upgrade", *arguments, values=plain.get("values") or {})
            except helm_command.HelmError as error:
                found = _lookup(helm, plain)
                if found is None or found["status"]["status"] != "failed":
                    raise base.PluginError(str(error)) from None
                reason = f'Helm release "{state.id}" failed to initialize completely. Use Helm CLI to investigate: '
                reason += f"error running update: {_failed(state.id, error)}"
                raise base.InitFailed(state.id, _outputs(inputs, found), [reason]) from None
            return _outputs(inputs, _lookup(helm, plain) or {})

    def delete(self, call: base.Call, state: base.State) -> None:
        client: session.Session = call.client
        if client.unreachable:
            if client.delete_unreachable:
                call.warn(f"configured Kubernetes cluster is unreachable: {client.unreachable}")
                return
            raise base.PluginError(
                f'can\'t delete Helm Release with unreachable cluster. Reason: "{client.unreachable}"'
            )
        old = values.plain(state.outputs)
        namespace, name = model.split_identifier(state.id)
        waiting = ["--wait", "--timeout", _seconds(old)] if old.get("atomic") or not old.get("skipAwait") else []
        with _open(call) as helm:
            try:
                helm.run("uninstall", name, "--namespace", namespace, *waiting)
            except helm_command.HelmError as error:
                raise base.PluginError(str(error)) from None


def _open(call: base.Call) -> typing.ContextManager[helm_command.Helm]:
    client: session.Session = call.client
    return helm_command.open_command(call, client.config, client.context)


def _chart(helm: helm_command.Helm, release: model.Object) -> list[str]:
    """The arguments that name the chart; a repository's password goes through a private file."""
    options, chart = release.get("repositoryOpts") or {}, str(release.get("chart", ""))
    arguments = ["--version", str(release["version"])] if release.get("version") else []
    if options.get("password"):
        entry = {"name": "release", "url": options.get("repo")} | {
            key: options[key] for key in ("username", "password", "caFile", "certFile", "keyFile") if options.get(key)
        }
        helm.write("repositories.yaml", yaml.safe_dump({"apiVersion": "", "repositories": [entry]}))
        helm.run("repo", "update", "release")
        return [f"release/{chart}", *arguments]
    for key, flag in {
        "repo": "--repo",
        "caFile": "--ca-file",
        "certFile": "--cert-file",
        "keyFile": "--key-file",
    }.items():
        if options.get(key):
            arguments += [flag, options[key]]
    return [chart, *arguments]


def _arguments(helm: helm_command.Helm, release: model.Object, flags: dict[str, str]) -> list[str]:
    arguments = [release["name"], *_chart(helm, release), "--namespace", release["namespace"]]
    arguments += [flag for key, flag in flags.items() if release.get(key)]
    if not release.get("skipAwait"):
        arguments += ["--wait", *(["--wait-for-jobs"] if release.get("waitForJobs") else [])]
    for key, flag in {"description": "--description", "postrender": "--post-renderer", "keyring": "--keyring"}.items():
        if release.get(key):
            arguments += [flag, release[key]]
    return [*arguments, "--timeout", _seconds(release)]


def _seconds(release: model.Object) -> str:
    return f"{int(release.get('timeout') or DEFAULT_TIMEOUT)}s"


def _failed(id: str, error: Exception) -> str:
    return f"failed to become available within allocated timeout. Error: Helm Release {id}: {error}"


def _lookup(helm: helm_command.Helm, release: model.Object) -> model.Object | None:
    """What helm knows of a release: chart, version, values, status, resourceNames; None when there is none."""
    place = (release["name"], "--namespace", release["namespace"], "--output", "json")
    try:
        facts, meta = json.loads(helm.run("status", *place)), json.loads(helm.run("get", "metadata", *place))
    except helm_command.HelmError as error:
        if "release: not found" in str(error):
            return None
        raise base.PluginError(str(error)) from None
    status = {
        "appVersion": meta.get("appVersion", ""),
        "chart": meta["chart"],
        "name": facts["name"],
        "namespace": facts["namespace"],
        "revision": facts["version"],
        "status": facts["info"]["status"],
        "version": meta["version"],
    }
    names = resource_names(facts.get("manifest") or "")
    return {
        "chart": meta["chart"],
        "version": meta["version"],
        "values": facts.get("config") or {},
        "status": status,
        "resourceNames": names,
    }


def resource_names(manifest: str) -> dict[str, list[str]]:
    """`Kind.group/apiVersion` -> names (with their namespace where the manifest has one) of a rendered manifest."""
    names: dict[str, set[str]] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast on a chart of some size
    for obj in yaml.load_all(manifest, loader):
        if not isinstance(obj, dict) or not obj.get("kind"):
            continue
        version = obj.get("apiVersion", "")
        group = version.rpartition("/")[0]
        key = f"{obj['kind']}{'.' if group else ''}{group}/{version}"
        names.setdefault(key, set()).add(model.identifier(obj))
    return {key: sorted(found) for key, found in sorted(names.items())}


def _outputs(inputs: base.Properties, found: model.Object) -> base.Properties:
    live = {key: found[key] for key in ("version", "status", "resourceNames") if key in found}
    merged = _merge(values.plain(inputs.get("values")) or {}, found.get("values") or {})
    outputs = values.plain(inputs) | live | {"values": merged}
    return values.mark_like(outputs, inputs) | {"__inputs": values.Secret(inputs)}


def _merge(one: model.Object, other: model.Object) -> model.Object:
    merged = dict(one)
    for key, item in other.items():
        merged[key] = (
            _merge(merged[key], item) if isinstance(item, dict) and isinstance(merged.get(key), dict) else item
        )
    return merged
