"""What can be known before the first resource: are there credentials, and does an existing cluster answer?

Left alone, a preview passes without any of it and `up` fails half-way: the kubernetes plugin, for one,
previews new objects against a cluster that is not there. So this runs first, in the program, at preview too.
Cheap by design: environment and files are looked at, and an existing cluster is asked whether it is there and which
objects without a namespace it has; only what would otherwise be reported as missing is looked for any further.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

import pulumi

import settings as config
from preflight import asking, cloud, cluster, others, owners


def check(settings: config.Settings, secrets: config.Secrets, wanted: Callable[[], others.Wanted]) -> None:
    """End the program with one error that names everything that is in the way; nothing is: nothing happens.

    `wanted`: what an existing cluster is looked through for.
    """
    kubeconfig = None
    if secrets.kubeconfig is not None:
        kubeconfig = config.reveal("kubeconfig")
    found = list(problems(settings, os.environ, kubeconfig, has_ionos_token=secrets.ionos_token is not None))
    if isinstance(settings.cluster, config.ExistingCluster) and not found:
        found += of_others(settings.cluster, kubeconfig, wanted())
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


def of_others(cluster: config.ExistingCluster, kubeconfig: str | None, wanted: others.Wanted) -> list[config.Mistake]:
    """What others own of what would be made on a cluster that can be used; a warning where it cannot be asked."""
    try:
        ask = asking.lister(cluster, kubeconfig)
    except asking.Unasked as error:
        pulumi.log.warn(others.UNASKED.format(error))
        return []
    return list(others.problems(wanted, ask, others.recorded))
