"""What can be known before the first resource: are there credentials, and does an existing cluster answer?

Left alone, a preview passes without any of it and `up` fails half-way: the kubernetes plugin, for one,
previews new objects against a cluster that is not there. So this runs first, in the program, at preview too.
Cheap by design: environment and files are looked at, and an existing cluster is asked one question; only
what would otherwise be reported as missing is looked for any further.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import settings as config
from preflight import cloud, cluster, owners


def check(settings: config.Settings, secrets: config.Secrets) -> None:
    """End the program with one error that names everything that is missing; nothing missing: nothing happens."""
    kubeconfig = None
    if secrets.kubeconfig is not None:
        kubeconfig = config.reveal("kubeconfig")
    found = list(problems(settings, os.environ, kubeconfig, has_ionos_token=secrets.ionos_token is not None))
    found += owners.problems(settings)
    if found:
        count = f"{len(found)} thing{' is' if len(found) == 1 else 's are'} in the way"
        config.stop("\n".join([f"{count}; nothing was changed", *(f"  {one}" for one in found)]))


def problems(
    settings: config.Settings, environment: Mapping[str, str], kubeconfig: str | None, *, has_ionos_token: bool
) -> Iterator[config.Mistake]:
    """Everything that is missing. `kubeconfig` is the secret's text, for an existing cluster without a path."""
    if isinstance(settings.cluster, config.IonosCluster):
        yield from cloud.ionos(environment, has_ionos_token)
    else:
        yield from cluster.problems(settings.cluster, kubeconfig, has_owners=bool(settings.app_owners))
    if settings.dns.provider == "route53":
        yield from cloud.aws(environment)
