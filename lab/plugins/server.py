"""Pulumi's ResourceProvider protocol in front of a `base.Provider`."""

from __future__ import annotations

import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import logging
import typing

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from lab.plugins import base, connections, differ, engine, values

LOG = logging.getLogger("lab.plugins")
THREADS = 256
Message = typing.Any
"""A request; the generated classes have no common base with these fields."""

MESSAGE_LIMIT = 400 * 1024 * 1024


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Translates requests to calls of the provider's resources and their results to responses."""

    def __init__(self, provider: base.Provider, port: int) -> None:
        self.provider = provider
        self._connections = connections.Connections(port)

    def Handshake(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.ProviderHandshakeResponse:
        with _admitting(context):
            self._connections.open(context.peer(), request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=self.provider.accepts_secrets, accept_resources=False, accept_outputs=False
        )

    def Attach(self, request: Message, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._connection(context, request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Message, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.provider.version())

    def Cancel(self, request: Message, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._connection(context).cancel()
        return empty_pb2.Empty()

    def GetSchema(self, request: Message, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"this {self.provider.name} plugin has no schema")

    def CheckConfig(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        with self._call(request, context) as call:
            olds, news = _inputs(request.olds), _inputs(request.news)
            try:
                return provider_pb2.CheckResponse(inputs=values.to_struct(self.provider.check_config(call, olds, news)))
            except base.Invalid as error:
                return provider_pb2.CheckResponse(failures=_failures(error))

    def DiffConfig(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        with self._call(request, context) as call:
            olds = values.from_struct(request.old_inputs if request.HasField("old_inputs") else request.olds)
            diff = self.provider.diff_config(call, olds, values.from_struct(request.news))
            return _diff_response(diff)

    def Configure(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.ConfigureResponse:
        with self._call(request, context) as call:
            config = values.without_nulls(values.plain(values.from_struct(request.args)))
            self._connection(context).client = self.provider.configure(call, config)
            return provider_pb2.ConfigureResponse(acceptSecrets=self.provider.accepts_secrets, supportsPreview=True)

    def Invoke(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        with self._call(request, context) as call:
            function = self.provider.function(request.tok)
            if function is None:
                raise base.PluginError(f"this {self.provider.name} plugin has no function {request.tok}")
            try:
                result = function(call, values.without_nulls(values.from_struct(request.args)))
            except base.Invalid as error:
                return provider_pb2.InvokeResponse(failures=_failures(error))
            response = provider_pb2.InvokeResponse()
            getattr(response, "return").CopyFrom(values.to_struct(result))
            return response

    def Check(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        with self._call(request, context) as call:
            try:
                news = self._resource(call).check(call, _inputs(request.olds), _inputs(request.news))
            except base.Invalid as error:
                return provider_pb2.CheckResponse(failures=_failures(error))
            return provider_pb2.CheckResponse(inputs=values.to_struct(news))

    def Diff(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        with self._call(request, context) as call:
            state = _state(request.id, request.old_inputs, request.olds)
            return _diff_response(self._resource(call).diff(call, state, _inputs(request.news)))

    def Create(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        with self._call(request, context) as call:
            resource, inputs = self._resource(call), _inputs(request.properties)
            if request.preview:
                outputs = resource.preview_outputs(call, None, inputs)
                return provider_pb2.CreateResponse(properties=_outputs(resource, outputs))
            created = resource.create(call, inputs)
            return provider_pb2.CreateResponse(id=created.id, properties=_outputs(resource, created.outputs))

    def Read(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        with self._call(request, context) as call:
            resource = self._resource(call)
            state = resource.read(call, _state(request.id, request.inputs, request.properties))
            if state is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=state.id, inputs=values.to_struct(state.inputs), properties=_outputs(resource, state.outputs)
            )

    def Update(self, request: Message, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        with self._call(request, context) as call:
            resource, inputs = self._resource(call), _inputs(request.news)
            state = _state(request.id, request.old_inputs, request.olds)
            outputs = (
                resource.preview_outputs(call, state, inputs)
                if request.preview
                else resource.update(call, state, inputs)
            )
            return provider_pb2.UpdateResponse(properties=_outputs(resource, outputs))

    def Delete(self, request: Message, context: grpc.ServicerContext) -> empty_pb2.Empty:
        with self._call(request, context) as call:
            self._resource(call).delete(call, _state(request.id, request.old_inputs, request.properties))
            return empty_pb2.Empty()

    def _connection(self, context: grpc.ServicerContext, address: str = "") -> connections.Connection:
        with _admitting(context):
            return self._connections.get(context.peer(), address)

    def _resource(self, call: base.Call) -> base.Resource:
        resource = self.provider.resource(call.type)
        if resource is None:
            raise base.PluginError(f"this {self.provider.name} plugin has no resource type {call.type}")
        return resource

    @contextlib.contextmanager
    def _call(self, request: Message, context: grpc.ServicerContext) -> collections.abc.Iterator[base.Call]:
        """A Call for a request; exceptions inside end the request with the right status."""
        connection = self._connection(context)
        urn = getattr(request, "urn", "")
        parts = urn.split("::")
        call = base.Call(
            client=connection.client,
            urn=urn,
            name=getattr(request, "name", "") or "::".join(parts[3:]),
            type=getattr(request, "type", "") or (parts[2].split("$")[-1] if len(parts) > 2 else ""),
            preview=getattr(request, "preview", False),
            timeout=getattr(request, "timeout", 0.0),
            seed=getattr(request, "randomSeed", b""),
            ignore_changes=tuple(getattr(request, "ignoreChanges", ())),
            environment=lambda: engine.environment(context.peer()),
            log=lambda severity, message, ephemeral: connection.log(urn, severity, message, ephemeral),
        )
        connection.add(call)
        # Called when the request ends; while its handler still runs that means that the engine was killed.
        if not context.add_callback(call.abandon):
            call.abandon()
        try:
            yield call
        except base.InitFailed as error:
            _abort_init_failed(context, error, self.provider.resource(call.type))
        except base.Cancelled as error:
            context.abort(grpc.StatusCode.CANCELLED, str(error))
        except base.PluginError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except Exception as error:
            LOG.exception("%s %s", type(request).__name__, urn)
            context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
        finally:
            connection.remove(call)


@contextlib.contextmanager
def _admitting(context: grpc.ServicerContext) -> collections.abc.Iterator[None]:
    try:
        yield
    except connections.Refused as error:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))


def _inputs(struct: struct_pb2.Struct) -> base.Properties:
    return values.without_nulls(values.from_struct(struct))


def _outputs(resource: base.Resource, outputs: base.Properties) -> struct_pb2.Struct:
    marked = {key: values.secret(value) if key in resource.secret_outputs else value for key, value in outputs.items()}
    return values.to_struct(marked)


def _state(id: str, inputs: struct_pb2.Struct, outputs: struct_pb2.Struct) -> base.State:
    return base.State(id, _inputs(inputs), values.from_struct(outputs))


def _failures(error: base.Invalid) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in error.reasons.items()]


def _diff_response(diff: differ.Diff) -> provider_pb2.DiffResponse:
    kinds = provider_pb2.PropertyDiff
    plain = {differ.ADD: kinds.ADD, differ.DELETE: kinds.DELETE, differ.UPDATE: kinds.UPDATE}
    replacing = {
        differ.ADD: kinds.ADD_REPLACE,
        differ.DELETE: kinds.DELETE_REPLACE,
        differ.UPDATE: kinds.UPDATE_REPLACE,
    }
    detailed = {
        differ.path_text(path): kinds(kind=(replacing if diff.replaces(path) else plain)[kind], inputDiff=True)
        for path, kind in diff.changes.items()
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diff.changes else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({str(path[0]) for path in diff.changes if path}),
        replaces=sorted({str(path[0]) for path in diff.changes if path and diff.replaces(path)}),
        deleteBeforeReplace=diff.delete_before_replace,
        detailedDiff=detailed,
        hasDetailedDiff=bool(detailed),
    )


def _abort_init_failed(context: grpc.ServicerContext, error: base.InitFailed, resource: base.Resource | None) -> None:
    detail = any_pb2.Any()
    outputs = _outputs(resource or base.Resource(), error.outputs)
    inputs = values.to_struct(error.inputs) if error.inputs is not None else None
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(id=error.id, properties=outputs, reasons=error.reasons, inputs=inputs)
    )
    code = grpc.StatusCode.FAILED_PRECONDITION
    status = status_pb2.Status(code=code.value[0], message=str(error), details=[detail])
    context.abort_with_status(_Status(code, str(error), (("grpc-status-details-bin", status.SerializeToString()),)))


@dataclasses.dataclass
class _Status(grpc.Status):
    code: grpc.StatusCode
    details: str
    trailing_metadata: typing.Any


def start(provider: base.Provider, address: str, port: int) -> grpc.Server:
    """See `base.serve`."""
    options = [
        ("grpc.max_receive_message_length", MESSAGE_LIMIT),
        ("grpc.max_send_message_length", MESSAGE_LIMIT),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(THREADS, f"{provider.name}"), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider, port), server)
    try:
        bound = server.add_insecure_port(f"{address}:{port}")
    except RuntimeError as error:
        raise OSError(f"port {port} on {address} is in use") from error
    server.start()
    LOG.info("%s %s on %s:%d", provider.name, provider.version(), address, bound)
    return server
