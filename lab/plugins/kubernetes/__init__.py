"""A stand-in for Pulumi's kubernetes plugin: same behaviour as seen from a program, on plain REST and the helm binary.

Where it knowingly differs from the real plugin: no schema, no `yaml`, `kustomize` and `helm.Chart` resources, no
client-side apply, no rendering to files.
"""

from __future__ import annotations

from lab.plugins import base


def provider() -> base.Provider:
    """What `python -m lab.plugins kubernetes` serves."""
    from lab.plugins.kubernetes import plugin

    return plugin.Kubernetes()
