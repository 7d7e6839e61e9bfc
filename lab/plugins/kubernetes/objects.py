"""The one resource type for every Kubernetes object, custom ones and `…Patch` resources included."""

from __future__ import annotations

from lab.plugins import base, differ, values
from lab.plugins.kubernetes import applying, awaiting, cluster, model, replacing, session, writing

SKIP_AWAIT_ON_DELETE = {
    "Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job",
}  # fmt: skip


class KubernetesObject(base.Resource):
    """Creates with POST, updates with server-side apply, waits as the kind and the annotations ask for."""

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        client: session.Session = call.client
        if client.unreachable and client.skip_update_unreachable and olds:
            call.warn("Cluster is unreachable but skipUpdateUnreachable flag is set to true, skipping...")
            return olds
        api_version, kind = model.kind_of(call.type, news)
        if (kind.endswith("List") and api_version == "v1") or kind == "List":
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
        manager = writing.manager(call, {}, inputs)
        try:
            live = writing.write_new(call, kind, inputs, manager, dry_run=True)
        except cluster.ApiError as error:
            if error.status in (403, 409) or error.namespace_missing:
                if error.status == 409:
                    call.status(f"creation failed: {error}")
                return inputs
            raise writing.not_created(call, error) from None
        live.pop("status", None)
        return model.checkpoint(inputs, live, manager)

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        client: session.Session = call.client
        client.require()
        manager = writing.manager(call, {}, inputs)
        kind, live = writing.make(call, inputs, manager)
        if kind.name == "CustomResourceDefinition":
            client.api.forget_kinds()
        path = client.api.path(kind, model.dig(live, "metadata", "namespace") or "", live["metadata"]["name"])
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
        outputs = model.checkpoint(inputs, live, writing.manager(call, state.outputs, inputs))
        if not imported:
            try:
                awaiting.check_once(client.api, live, inputs)
            except awaiting.NotReady as error:
                raise base.InitFailed(state.id, outputs, [str(error), *error.reasons], inputs) from None
        return base.State(state.id, inputs, outputs)

    def _read_unreachable(self, call: base.Call, client: session.Session, state: base.State) -> base.State | None:
        call.warn(f"configured Kubernetes cluster is unreachable: {client.unreachable}")
        if client.delete_unreachable:
            call.info(
                "the `deleteUnreachable` option is enabled: the unreachable resource is deleted from Pulumi state"
            )
            return None
        if client.skip_update_unreachable:
            return state
        raise base.PluginError("failed to read resource state due to unreachable cluster. " + session.UNREACHABLE_HELP)

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
        old_manager = writing.manager(call, state.outputs, state.inputs)
        manager = writing.manager(call, state.outputs, inputs)
        namespace, name = model.split_identifier(state.id)
        path = client.api.path(kind, namespace, name)
        live = None
        try:
            live = client.api.request("GET", path)
            live = writing.change(call, path, inputs, live, manager, dry_run)
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

    def delete(self, call: base.Call, state: base.State) -> None:
        client: session.Session = call.client
        if client.unreachable:
            call.warn(f"configured Kubernetes cluster is unreachable: {client.unreachable}")
            if client.delete_unreachable:
                call.info(
                    "the `deleteUnreachable` option is enabled: the unreachable resource is deleted from Pulumi state"
                )
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
                applying.relinquish(client.api, path, writing.manager(call, state.outputs, inputs))
                return
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


def _as_inputs(live: model.Object) -> model.Object:
    inputs = {key: item for key, item in live.items() if key != "status"}
    notes = model.dig(inputs, "metadata", "annotations")
    if isinstance(notes, dict):
        kept = {
            key: note
            for key, note in notes.items()
            if key not in (model.LAST_APPLIED, "deployment.kubernetes.io/revision")
        }
        inputs["metadata"] = {**inputs["metadata"], "annotations": kept}
    return model.normalize(inputs)
