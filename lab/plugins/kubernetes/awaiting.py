"""Waiting for objects: until they are ready, until they are gone."""

from __future__ import annotations

import time
import typing

from lab.plugins import base
from lab.plugins.kubernetes import cluster, ingress, model, readiness, waitfor

DEFAULT_SECONDS = 600.0
UNMET = "timed out waiting for the condition"
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 0.7


class NotReady(Exception):
    """An object exists but is not as it should be; `live` is how it was last seen."""

    def __init__(self, message: str, reasons: list[str], live: model.Object) -> None:
        super().__init__(message)
        self.reasons, self.live = reasons, live


def limit(call: base.Call, inputs: model.Object) -> float:
    """Seconds to wait: the resource's custom timeout, else its annotation, else ten minutes."""
    text = model.annotation(inputs, model.TIMEOUT_SECONDS)
    return call.timeout or (float(text) if text.isdigit() else 0) or DEFAULT_SECONDS


def until_ready(
    call: base.Call, api: cluster.Cluster, path: str, live: model.Object, inputs: model.Object
) -> model.Object:
    """Wait as the object's annotations or its kind ask for; the object as it then is. NotReady otherwise."""
    if model.annotation(inputs, model.SKIP_AWAIT) == "true":
        return live
    seconds, custom = limit(call, inputs), model.annotation(live, model.WAIT_FOR)
    name = model.dig(live, "metadata", "name")
    if custom:
        try:
            checks = waitfor.parse(custom)
        except waitfor.WaitError as error:
            raise NotReady(str(error), [], live) from None
        # A time-out of `waitFor` gives no reason at all; what is missing is told as a status while it waits.
        # https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/await/internal/awaiter.go
        return _poll(call, api, path, live, lambda obj: _custom(checks, obj), seconds, lambda *_: (UNMET, []))
    found = readiness.rule(live)
    if found is None:
        return live
    rule, fixed = found
    if readiness.key(live) == readiness.INGRESS:
        rule = ingress.Waiting()
    related = _related(api, live)

    def late(last: model.Object, verdict: readiness.Verdict) -> tuple[str, list[str]]:
        return f"'{name}' timed out waiting to be Ready", _reasons(api, last, verdict)

    return _poll(call, api, path, live, lambda obj: rule(obj, related), fixed or seconds, late)


def check_once(api: cluster.Cluster, live: model.Object, inputs: model.Object) -> None:
    """NotReady if an object that a refresh found is of a kind that should be ready and is not."""
    if readiness.key(live) not in readiness.READ_TOO or model.annotation(inputs, model.SKIP_AWAIT) == "true":
        return
    rule, _ = readiness.AWAITED[readiness.key(live)]
    verdict = rule(live, _related(api, live))
    if not verdict.ready:
        name = model.dig(live, "metadata", "name")
        raise NotReady(f"Resource '{name}' was created but failed to initialize", list(verdict.errors), live)


def until_gone(call: base.Call, api: cluster.Cluster, path: str, uid: str, inputs: model.Object) -> None:
    """Wait until an object is gone (or is another one of the same name); TimedOut otherwise."""
    end, pause, seen = time.monotonic() + limit(call, inputs), FIRST_PAUSE, None
    while True:
        try:
            seen = api.find(path)
            if seen is None or (uid and model.dig(seen, "metadata", "uid") != uid):
                return
        except cluster.ApiError as error:
            call.status(f"unexpected error while checking cluster state: {error}")
        if time.monotonic() >= end:
            finalizers = model.dig(seen or {}, "metadata", "finalizers") or []
            call.warn(f"finalizers might be preventing deletion ({', '.join(finalizers)})")
            raise base.TimedOut(UNMET)
        call.sleep(min(pause, end - time.monotonic()))
        pause = min(pause * 1.3, LONGEST_PAUSE)


def _poll(
    call: base.Call,
    api: cluster.Cluster,
    path: str,
    live: model.Object,
    rule: typing.Callable[[model.Object], readiness.Verdict],
    seconds: float,
    late: typing.Callable[[model.Object, readiness.Verdict], tuple[str, list[str]]],
) -> model.Object:
    end, pause, told = time.monotonic() + seconds, FIRST_PAUSE, ""
    uid = model.dig(live, "metadata", "uid")
    while True:
        try:
            verdict = rule(live)
        except waitfor.WaitError as error:
            raise NotReady(str(error), [], live) from None
        if verdict.ready:
            call.status("")
            return live
        if verdict.failed:
            raise NotReady(verdict.message, [*verdict.errors, *_events(api, live)], live)
        if verdict.message != told:
            told = verdict.message
            call.status(told)
        if time.monotonic() >= end:
            raise NotReady(*late(live, verdict), live)
        try:
            call.sleep(min(pause, end - time.monotonic()))
        except base.Cancelled:
            name = model.dig(live, "metadata", "name")
            raise NotReady(f'Resource operation was cancelled for "{name}"', list(verdict.errors), live) from None
        pause = min(pause * 1.3, LONGEST_PAUSE)
        live = _fresh(call, api, path, live, uid)


def _fresh(call: base.Call, api: cluster.Cluster, path: str, live: model.Object, uid: str) -> model.Object:
    try:
        seen = api.find(path)
    except cluster.ApiError as error:
        call.status(f"the API server does not answer: {error}")
        return live
    if seen is None or model.dig(seen, "metadata", "uid") != uid:
        raise NotReady("object was deleted while it was waited for", [], live)
    return seen


def _custom(checks: list[waitfor.Check], obj: model.Object) -> readiness.Verdict:
    failing = [text for holds, text in (check.check(obj) for check in checks) if not holds]
    return readiness.Verdict(not failing, failing[0] if failing else "", ())


def _reasons(api: cluster.Cluster, live: model.Object, verdict: readiness.Verdict) -> list[str]:
    reasons = list(verdict.errors)
    selector = model.dig(live, "spec", "selector", "matchLabels")
    if readiness.key(live)[0] in ("apps", "batch") and isinstance(selector, dict):
        pods = api.items(_path(api, live, "Pod"), labelSelector=",".join(f"{k}={v}" for k, v in selector.items()))
        for pod in pods:
            reasons += readiness.pod_errors(pod)
            if readiness.pod(pod, lambda *_: []).ready is False:
                reasons += _events(api, pod)
    return list(dict.fromkeys([*reasons, *_events(api, live)]))


def _events(api: cluster.Cluster, obj: model.Object, last: int = 3) -> list[str]:
    uid = model.dig(obj, "metadata", "uid")
    events = api.items(_path(api, obj, "Event"), fieldSelector=f"involvedObject.uid={uid},type=Warning")
    events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    name, kind = model.dig(obj, "metadata", "name"), obj.get("kind")
    return [f"[{kind} {name}]: {event.get('reason')}: {event.get('message')}" for event in events[-last:]]


def _related(api: cluster.Cluster, live: model.Object) -> readiness.Related:
    def find(kind: str, name: str) -> list[model.Object]:
        if not name:
            return []
        if name == readiness.ALL:
            return api.items(_path(api, live, kind))
        if kind == "EndpointSlice":
            path = _path(api, live, kind, "discovery.k8s.io/v1")
            return api.items(path, labelSelector=f"kubernetes.io/service-name={name}")
        if kind == "StorageClass":
            path = f"/apis/storage.k8s.io/v1/storageclasses/{name}"
        else:
            path = f"{_path(api, live, kind)}/{name}"
        try:
            found = api.find(path)
        except cluster.ApiError:
            return []
        return [found] if found else []

    return find


def _path(api: cluster.Cluster, obj: model.Object, kind: str, version: str = "v1") -> str:
    namespace = model.dig(obj, "metadata", "namespace") or "default"
    plural = kind.lower().removesuffix("s") + "s"
    return api.path(cluster.Kind(version, kind, plural, True), namespace)
