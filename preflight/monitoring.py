"""Whether the cluster knows ServiceMonitors, which come with the Prometheus operator: often after this program.

An Application with an object of a kind that the cluster does not know never becomes Synced, and most charts write the
object without asking. So the cluster is asked, at each preview and `up`, and charts are told.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import time

import pulumi

from kubeconfigs import reading
from preflight import api_server

PATH = "/apis/monitoring.coreos.com/v1"
KIND = "ServiceMonitor"
SECONDS = 10.0
"""How long each step of the question may take."""
PAUSES = (1.0, 3.0)
"""Seconds before the second and the third try."""
IN_VALUES = "switch ServiceMonitors on in the charts' values"
LATER = "run `pulumi up` again once the Prometheus operator is there"


def served(kubeconfig: pulumi.Output[str]) -> pulumi.Output[bool]:
    """Whether it knows them. Warns when it does not, or cannot be asked; then it counts as one that does not."""

    async def ask(text: str) -> bool:
        reason = await asyncio.to_thread(missing, text)
        if reason:
            pulumi.log.warn(f"monitoring: no ServiceMonitors, only metrics Services: {reason}")
        return not reason

    return pulumi.Output.unsecret(kubeconfig.apply(ask))


def missing(kubeconfig: str) -> str | None:
    """Why there can be no ServiceMonitors, with the next step; None: the cluster knows them."""
    try:
        way = api_server.route(reading.loads(kubeconfig, where="the kubeconfig"))
        if not way.spoken and way.proxy:
            return f"the API server is behind the proxy {way.proxy.shown}, whose kind only kubectl speaks: {IN_VALUES}"
        status, body = _asked(way)
    except reading.KubeconfigError as error:
        return f"{error.problem}: {error.fix}"
    except api_server.ProxyError as error:
        return f"the proxy does not connect to the API server ({error.status}): check its user and password"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"the API server cannot be asked ({type(error).__name__}): run `pulumi up` again when it answers"
    if status == http.HTTPStatus.NOT_FOUND:
        return f"the cluster does not know the kind yet: {LATER}"
    if status != http.HTTPStatus.OK:
        fix = f"give the kubeconfig a token or a client certificate, or {IN_VALUES}"
        return f"the API server does not say which kinds it knows ({status}): {fix}"
    try:
        kinds = {one["kind"] for one in json.loads(body)["resources"]}
    except (ValueError, TypeError, KeyError):
        return f"the API server's answer is no list of kinds: check what listens at {PATH}"
    return None if KIND in kinds else f"the cluster does not know the kind yet: {LATER}"


def _asked(way: api_server.Route) -> tuple[int, bytes]:
    # Not at once for good: an answer that got lost would take the ServiceMonitors away.
    for pause in PAUSES:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return api_server.ask(way, PATH, SECONDS)
        time.sleep(pause)
    return api_server.ask(way, PATH, SECONDS)
