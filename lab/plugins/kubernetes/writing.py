"""How inputs get to the API server: made anew, changed in place, or both as a dry run."""

from __future__ import annotations

from lab.plugins import base, values
from lab.plugins.kubernetes import applying, cluster, model, session

RETRIES = (0.25, 0.5, 1, 2, 4, 8, 15)
"""Pauses (s) before a creation is tried again whose namespace or CRD is not there yet."""

EXISTS_HELP = """

The object is in the cluster already. Choose what fits:
  - a Pulumi resource was renamed: give it an alias, or deleteBeforeReplace if it has to be replaced;
  - only some of its fields are to be managed: use the Patch resource of its kind;
  - it is to be managed from now on: `pulumi import` it;
  - existing objects are to be updated on create: set upsertExistingObjects on the provider."""


def manager(call: base.Call, outputs: base.Properties, inputs: model.Object) -> str:
    """The field manager of a resource: named by its annotation, kept in its state, or made up."""
    named = model.annotation(inputs, model.FIELD_MANAGER) or values.plain(outputs.get("__fieldManager"))
    return named or f"pulumi-kubernetes-{base.random_suffix(call, 8)}"


def make(call: base.Call, inputs: model.Object, manager: str) -> tuple[cluster.Kind, model.Object]:
    """Make an object, after its namespace and its CRD if they are on their way; PluginError says what to do."""
    api: cluster.Cluster = call.client.api
    pauses = list(RETRIES)
    while True:
        try:
            kind = api.kind(*model.kind_of(call.type, inputs))
            return kind, write_new(call, kind, inputs, manager, dry_run=False)
        except (cluster.NoSuchKind, cluster.ApiError, applying.Conflict) as error:
            early = isinstance(error, cluster.NoSuchKind) or (
                isinstance(error, cluster.ApiError) and error.status == 404
            )
            if not early or not pauses:
                raise not_created(call, error) from None
            call.status(f"Retry #{len(RETRIES) - len(pauses)}; creation failed: {error}")
        call.sleep(pauses.pop(0))


def write_new(
    call: base.Call, kind: cluster.Kind, inputs: model.Object, manager: str, *, dry_run: bool
) -> model.Object:
    """POST, or apply for Patch resources and where existing objects are to be taken."""
    client: session.Session = call.client
    body = _body(inputs)
    if not kind.namespaced:
        body["metadata"] = {key: item for key, item in body["metadata"].items() if key != "namespace"}
    path = client.api.path(kind, model.dig(body, "metadata", "namespace") or "")
    if client.upsert or model.is_patch(call.type, inputs):
        force = dry_run or _forced(client, inputs)
        return applying.apply(
            client.api, f"{path}/{body['metadata']['name']}", body, manager, force=force, dry_run=dry_run
        )
    return applying.create(client.api, path, body, dry_run)


def change(
    call: base.Call, path: str, inputs: model.Object, live: model.Object, manager: str, dry_run: bool
) -> model.Object:
    """Server-side apply over what is there; a CustomResourceDefinition is written whole."""
    client: session.Session = call.client
    body = _body(inputs)
    if body.get("kind") == "CustomResourceDefinition":
        return applying.replace(client.api, path, body, live, dry_run)
    if not dry_run and not model.is_patch(call.type, inputs):
        live = applying.take_over(client.api, path, live, manager)
    body = applying.keep_ignored(body, live, manager, call.ignore_changes)
    force = _forced(client, inputs) or not model.dig(live, "metadata", "managedFields")
    return applying.apply(client.api, path, body, manager, force=force, dry_run=dry_run, live=live)


def not_created(call: base.Call, error: base.PluginError) -> base.PluginError:
    """The error of a creation, with advice where there is some."""
    if isinstance(error, cluster.NoSuchKind):
        return base.PluginError(
            f'creation of resource "{call.urn}" failed because the Kubernetes API server reported that the apiVersion '
            f"for this resource does not exist. Verify that any required CRDs have been created: {error}"
        )
    advice = EXISTS_HELP if isinstance(error, cluster.ApiError) and error.reason == "AlreadyExists" else ""
    return base.PluginError(
        f'resource "{call.urn}" was not successfully created by the Kubernetes API server: {error}{advice}'
    )


def _body(inputs: model.Object) -> model.Object:
    return model.dashed(values.plain(inputs))


def _forced(client: session.Session, inputs: model.Object) -> bool:
    return client.patch_force or model.annotation(inputs, model.PATCH_FORCE) == "true"
