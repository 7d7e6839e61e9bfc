"""When an Ingress counts as ready: how long the plugin looks for what its paths lead to.

Endpoints objects of the Services' names are looked for (not EndpointSlices, and not their addresses); an ExternalName
Service needs none. What is missing is waited for until it can be taken for settled: 10 s after Endpoints of any
name in the namespace have shown up or changed, and 60 s where there are none at all, as in the lab and wherever
the endpoints controller is off. https://github.com/pulumi/pulumi-kubernetes/blob/v4.32.0/provider/pkg/await/ingress.go
"""

from __future__ import annotations

import collections.abc
import dataclasses
import time

from lab.plugins.kubernetes import model, readiness

SETTLES_SECONDS, GRACE_SECONDS = 10, 60
NO_TARGET = "Ingress has at least one rule with an unavailable target endpoint."


@dataclasses.dataclass
class Waiting:
    """The rule for one Ingress from its creation on; `clock` in seconds."""

    clock: collections.abc.Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._seen: set[tuple[str, str]] = set()
        self._events: list[float] = []

    def __call__(self, obj: model.Object, related: readiness.Related) -> readiness.Verdict:
        endpoints = related("Endpoints", readiness.ALL)
        known = {name(each) for each in endpoints}
        known |= {
            name(each)
            for each in related("Service", readiness.ALL)
            if model.dig(each, "spec", "type") == "ExternalName"
        }
        now = {(name(each), str(model.dig(each, "metadata", "resourceVersion"))) for each in endpoints}
        if now != self._seen:
            self._seen = now
            self._events.append(self.clock())
        missing = [told for service, told in targets(obj) if service not in known]
        if missing and not self._settled():
            message = "[1/3] Finding a matching service for each Ingress path"
            return readiness.Verdict(False, message, (NO_TARGET, *readiness.address(obj).errors))
        verdict = readiness.address(obj)
        if missing and not verdict.ready:
            return dataclasses.replace(verdict, message=f"No matching service found for ingress rule: {missing[0]}")
        return verdict

    def _settled(self) -> bool:
        if not self._events:
            return self.clock() - self._began >= GRACE_SECONDS
        # A timer runs from each event; whichever ends after the last event tells that they have settled.
        return any(self._events[-1] <= event + SETTLES_SECONDS <= self.clock() for event in self._events)


def targets(obj: model.Object) -> list[tuple[str, str]]:
    """(Service, what is told of the path that leads there) for each path of the rules."""
    found: list[tuple[str, str]] = []
    for rule in model.dig(obj, "spec", "rules") or []:
        for path in model.dig(rule, "http", "paths") or []:
            service = model.dig(path, "backend", "service", "name")
            if service:
                place = f'"{rule.get("host", "")}{path.get("path", "")}"'
                found.append((service, f'{place} -> "{service}"'))
    return found


def name(obj: model.Object) -> str:
    return str(model.dig(obj, "metadata", "name"))
