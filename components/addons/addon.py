"""What all add-ons have in common: where they go, how they are adjusted, how they are installed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pulumi

from components import options
from components.addons import charts, merge, production
from components.gitops import application


@dataclasses.dataclass(frozen=True)
class Install:
    """The part of an add-on's arguments that is the same for each.

    Args:
        namespace: destination; it has to exist.
        values: extra Helm values, merged last (see `merge.deep`).
        values_from: a values file in the GitOps repository, applied before everything else.
        mirror: chart repository URL to use instead of the chart's own.
        timeout: how long it may take to be Synced and Healthy, such as "10m".
        production: priority, replicas and metrics of its pods.
    """

    namespace: pulumi.Input[str]
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    values_from: application.ValuesFrom | None = None
    mirror: str | None = None
    timeout: str = "10m"
    production: production.Production = dataclasses.field(default_factory=production.Production)


class AddOn(pulumi.ComponentResource):
    """Base of the add-ons that are one chart: makes the Argo CD Application and waits for it.

    Children: `application.Application`, named as the component.
    """

    chart: charts.Chart
    namespace: pulumi.Output[str]
    application: application.Application

    def __init__(
        self,
        token: str,
        name: str,
        chart: charts.Chart,
        install: Install,
        values: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
        *,
        server_side_apply: bool = False,
    ) -> None:
        super().__init__(f"platform:addons:{token}", name, None, opts)
        self.chart = chart
        self.namespace = pulumi.Output.from_input(install.namespace)
        self.application = application.Application(
            name,
            application.ApplicationArgs(
                chart=chart,
                namespace=install.namespace,
                values=merge.deep(values, install.values, f"the values of {chart.name}"),
                mirror=install.mirror,
                values_from=install.values_from,
                timeout=install.timeout,
                server_side_apply=server_side_apply,
            ),
            options.child(self, opts),
        )
        self.register_outputs({"chart": chart.name, "version": chart.version, "namespace": install.namespace})
