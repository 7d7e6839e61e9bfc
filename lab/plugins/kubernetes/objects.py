"""The one resource type for every Kubernetes object, custom ones and `…Patch` resources included."""

from __future__ import annotations

from lab.plugins import base, differ, values
from lab.plugins.kubernetes import applying, awaiting, cluster, model, replacing, session

RETRIES = (0.25, 0.5, 1, 2, 4, 8, 15)
"""Pauses (s) before a creation is tried again whose namespace or CRD is not there yet."""

SKIP_AWAIT_ON_DELETE = {
    "Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job",
}  # fmt: skip

EXISTS_HELP = """

The object is in the cluster already. Choose what fits:
  - a Pulumi resource was renamed: give it an alias, or deleteBeforeReplace if it has to be replaced;
  - only some of its fields are to be managed: use the Patch resource of its kind;
  - it is to be managed from now on: `pulumi import` it;
  - existing objects are to be updated on create: set upsertExistingObjects on the provider."""


class KubernetesObject(base.Resource):
    """Creates with POST, updates with server-side apply, waits as the kind and the annotations ask for."""

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        client: session.Session = call.client
        if client.unreachable and client.skip_update_unreachable and olds:
            call.warn("Cluster is unreachable but skipUpdateUnreachable flag is set to true, skipping...")
            return olds
        api_version, kind = model.kind_of(call.type, news)
        if kind.endswith("List") and api_version == "v1" or kind == "List":
            raise base.PluginError("list resources cannot be created directly: use the resources that are in the list")
        news = {**news, "apiVersion": news.get("apiVersion", api_version), "kind": news.get("kind", kind)}
        news.setdefault("metadata", {})
        news = model.normalize(news)
        metadata = news["metadata"]
        if not isinstance(metadata, dict):
            return news
        if model.is_patch(call.type, news):
            if "name" not in metadata:
                raise base.PluginError("patch resources require the `.metadata.name` field to be set")
        elif "generateName" in metadata and "name" not in metadata:
            raise base.PluginError("the `.metadata.generateName` field is not supported in Server-Side Apply mode")
        news = model.autoname(call, olds, news)
        if not news["metadata"].get("namespace") and client.namespaced(api_version, kind):
            news["metadata"] = {**news["metadata"], "namespace": client.namespace}
        return news

    def diff(self, call: base.Call, state: base.State, inputs: base.Properties) -> differ.Diff:
        client: session.Session = call.client
        old_inputs = values.plain(state.outputs.get("__inputs")) or values.plain(state.inputs)
        return replacing.decide(
            model.normalize(inputs),
            old_inputs,
            model.live_part(state.outputs),
            namespaced=client.namespaced(*model.kind_of(call.type, inputs)),
            patch=model.is_patch(call.type, inputs),
            mutable_secrets=client.mutable_secrets,
            mutable_config_maps=client.mutable_config_maps,
            ignore=call.ignore_changes,
        )

    def preview_outputs(self, call: base.Call, state: base.State | None, inputs: base.Properties) -> base.Properties:
        client: session.Session = call.client
        if client.unreachable or values.contains(inputs, values.UNKNOWN):
            return inputs
        if state is None and model.is_patch(call.type, inputs):
            return inputs
        try:
            kind = client.api.kind(*model.kind_of(call.type, inputs))
        except cluster.NoSuchKind:
            return inputs
        if state is not None:
            return self._update(call, kind, state, inputs, dry_run=True)
        manager = _manager(call, {}, inputs)
        try:
            live = self._write_new(client, call, kind, inputs, manager, dry_run=True)
        except cluster.ApiError as error:
            if error.status in (403, 409) or error.namespace_missing:
                if error.status == 409:
                    call.status(f"creation failed: {error}")
                return inputs
            raise _not_created(call, error) from None
        live.pop("status", None)
        return model.checkpoint(inputs, live, manager)

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        client: session.Session = call.client
        client.require()
        manager = _manager(call, {}, inputs)
        for number, pause in enumerate([*RETRIES, None]):
            try:
                kind = client.api.kind(*model.kind_of(call.type, inputs))
                live = self._write_new(client, call, kind, inputs, manager, dry_run=False)
                break
            except (cluster.NoSuchKind, cluster.ApiError) as error:
                if pause is None or isinstance(error, cluster.ApiError) and error.status != 404:
                    raise _not_created(call, error) from None
                call.status(f"Retry #{number}; creation failed: {error}")
                call.sleep(pause)
        if kind.name == "CustomResourceDefinition":
            client.api.forget_kinds()
        path = client.api.path(kind, _namespace(live), live["metadata"]["name"])
        try:
            live = awaiting.until_ready(call, client.api, path, live, inputs)
        except awaiting.NotReady as error:
            reason = (
                f'resource "{call.urn}" was successfully created, but the Kubernetes API server '
                f"reported that it failed to fully initialize or become live: {error}"
            )
            outputs = model.checkpoint(inputs, error.live, manager)
            raise base.InitFailed(model.identifier(live), outputs, [reason, *error.reasons]) from None
        return base.Created(model.identifier(live), model.checkpoint(inputs, live, manager))

    def _write_new(
        self, client: session.Session, call: base.Call, kind: cluster.Kind, inputs: model.Object, manager: str, dry_run: bool
    ) -> model.Object:
        body = _body(inputs, kind)
        path = client.api.path(kind, _namespace(body))
        if client.upsert or model.is_patch(call.type, inputs):
            name = body["metadata"]["name"]
            force = dry_run or _forced(client, inputs)
            return applying.apply(client.api, f"{path}/{name}", body, manager, force=force, dry_run=dry_run)
        return applying.create(client.api, path, body, dry_run)

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        client: session.Session = call.client
        if client.unreachable:
            return self._read_unreachable(call, client, state)
        namespace, name = model.split_identifier(state.id)
        imported = not state.inputs
        old_inputs = model.normalize(state.inputs or values.plain(state.outputs.get("__inputs")) or {})
        try:
            kind = client.api.kind(*model.kind_of(call.type, values.plain(old_inputs)))
        except cluster.NoSuchKind:
            return None
        path = client.api.path(kind, namespace or client.namespace, name)
        live = client.api.find(path)
        if live is None:
            return None
        inputs = _as_inputs(live) if imported else model.pruned(live, old_inputs)
        inputs = model.normalize(values.mark_like(model.underscored(inputs), old_inputs))
        outputs = model.checkpoint(inputs, live, _manager(call, state.outputs, inputs))
        if not imported:
            try:
                awaiting.check_once(client.api, live, inputs)
            except awaiting.NotReady as error:
                raise base.InitFailed(state.id, outputs, [str(error), *error.reasons], inputs) from None
        return base.State(state.id, inputs, outputs)

    def _read_unreachable(self, call: base.Call, client: session.Session, state: base.State) -> base.State | None:
        call.warn(f"configured Kubernetes cluster is unreachable: {client.unreachable}")
        if client.delete_unreachable:
            call.info("the `deleteUnreachable` option is enabled: the unreachable resource is deleted from Pulumi state")
            return None
        if client.skip_update_unreachable:
            return state
        raise base.PluginError(
            "failed to read resource state due to unreachable cluster. " + session.UNREACHABLE_HELP
        )

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        client: session.Session = call.client
        client.require()
        try:
            kind = client.api.kind(*model.kind_of(call.type, inputs))
        except cluster.NoSuchKind as error:
            raise base.PluginError(
                f'update of resource "{call.urn}" failed because the Kubernetes API server reported that the '
                f"apiVersion for this resource does not exist. Verify that any required CRDs have been created: {error}"
            ) from None
        return self._update(call, kind, state, inputs, dry_run=False)

    def _update(
        self, call: base.Call, kind: cluster.Kind, state: base.State, inputs: base.Properties, dry_run: bool
    ) -> base.Properties:
        client: session.Session = call.client
        inputs = model.normalize(inputs)
        old_manager = _manager(call, state.outputs, state.inputs)
        manager = _manager(call, state.outputs, inputs)
        namespace, name = model.split_identifier(state.id)
        path = client.api.path(kind, namespace, name)
        live = None
        try:
            live = client.api.request("GET", path)
            live = self._apply(client, call, path, inputs, live, manager, dry_run)
            if dry_run:
                live.pop("status", None)
                return model.checkpoint(inputs, live, manager)
            live = awaiting.until_ready(call, client.api, path, live, inputs)
            if manager != old_manager:
                applying.relinquish(client.api, path, old_manager)
        except (cluster.ApiError, applying.Conflict, awaiting.NotReady) as error:
            if dry_run and isinstance(error, cluster.ApiError) and error.status == 403:
                return inputs
            if live is None:
                raise base.PluginError(f'update of resource "{call.urn}" failed: {error}') from None
            seen, reasons = (error.live, error.reasons) if isinstance(error, awaiting.NotReady) else (live, [])
            reason = (
                f'the Kubernetes API server reported that "{state.id}" failed to fully initialize '
                f"or become live: {error}"
            )
            raise base.InitFailed(state.id, model.checkpoint(inputs, seen, manager), [reason, *reasons]) from None
        return model.checkpoint(inputs, live, manager)

    def _apply(
        self,
        client: session.Session,
        call: base.Call,
        path: str,
        inputs: model.Object,
        live: model.Object,
        manager: str,
        dry_run: bool,
    ) -> model.Object:
        body = _body(inputs, None)
        if body.get("kind") == "CustomResourceDefinition":
            return applying.replace(client.api, path, body, live, dry_run)
        if not dry_run and not model.is_patch(call.type, inputs):
            live = applying.take_over(client.api, path, live, manager)
        body = applying.keep_ignored(body, live, manager, call.ignore_changes)
        force = _forced(client, inputs) or not model.dig(live, "metadata", "managedFields")
        return applying.apply(client.api, path, body, manager, force=force, dry_run=dry_run, live=live)

    def delete(self, call: base.Call, state: base.State) -> None:
        client: session.Session = call.client
        if client.unreachable:
            call.warn(f"configured Kubernetes cluster is unreachable: {client.unreachable}")
            if client.delete_unreachable:
                call.info("the `deleteUnreachable` option is enabled: the unreachable resource is deleted from Pulumi state")
                return
            raise base.PluginError("configured Kubernetes cluster is unreachable. " + session.UNREACHABLE_HELP)
        inputs = values.plain(state.outputs.get("__inputs") or state.inputs)
        live = model.live_part(state.outputs)
        try:
            kind = client.api.kind(*model.kind_of(call.type, inputs or live))
        except cluster.NoSuchKind:
            return
        namespace, name = model.split_identifier(state.id)
        path = client.api.path(kind, namespace or client.namespace, name)
        try:
            if model.is_patch(call.type, inputs):
                return applying.relinquish(client.api, path, _manager(call, state.outputs, inputs))
            wanted = model.annotation(inputs, model.PROPAGATION).capitalize()
            policy = wanted if wanted in ("Orphan", "Background") else "Foreground"
            client.api.request("DELETE", path, {"propagationPolicy": policy})
        except cluster.ApiError as error:
            if error.status == 404:
                return
            raise base.PluginError(str(error)) from None
        if kind.name == "CustomResourceDefinition":
            client.api.forget_kinds()
        if model.annotation(inputs, model.SKIP_AWAIT) != "true" or kind.name not in SKIP_AWAIT_ON_DELETE:
            awaiting.until_gone(call, client.api, path, model.dig(live, "metadata", "uid") or "", inputs)


def _body(inputs: model.Object, kind: cluster.Kind | None) -> model.Object:
    body = model.dashed(values.plain(inputs))
    if kind is not None and not kind.namespaced and "namespace" in body["metadata"]:
        body["metadata"] = {key: item for key, item in body["metadata"].items() if key != "namespace"}
    return body


def _namespace(obj: model.Object) -> str:
    return model.dig(obj, "metadata", "namespace") or ""


def _forced(client: session.Session, inputs: model.Object) -> bool:
    return client.patch_force or model.annotation(inputs, model.PATCH_FORCE) == "true"


def _manager(call: base.Call, outputs: base.Properties, inputs: model.Object) -> str:
    named = model.annotation(inputs, model.FIELD_MANAGER) or values.plain(outputs.get("__fieldManager"))
    return named or f"pulumi-kubernetes-{base.random_suffix(call, 8)}"


def _as_inputs(live: model.Object) -> model.Object:
    inputs = {key: item for key, item in live.items() if key != "status"}
    notes = model.dig(inputs, "metadata", "annotations")
    if isinstance(notes, dict):
        kept = {key: note for key, note in notes.items() if key not in (model.LAST_APPLIED, "deployment.kubernetes.io/revision")}
        inputs["metadata"] = {**inputs["metadata"], "annotations": kept}
    return model.normalize(inputs)


def _not_created(call: base.Call, error: Exception) -> base.PluginError:
    if isinstance(error, cluster.NoSuchKind):
        return base.PluginError(
            f'creation of resource "{call.urn}" failed because the Kubernetes API server reported that the apiVersion '
            f"for this resource does not exist. Verify that any required CRDs have been created: {error}"
        )
    help = EXISTS_HELP if isinstance(error, cluster.ApiError) and error.reason == "AlreadyExists" else ""
    return base.PluginError(
        f'resource "{call.urn}" was not successfully created by the Kubernetes API server: {error}{help}'
    )
