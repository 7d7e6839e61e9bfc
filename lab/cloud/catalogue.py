"""What the emulated cloud has on offer: locations, processors and Kubernetes versions."""

from __future__ import annotations

LOCATIONS = ("de/fra", "de/fra/2", "de/txl", "es/vit", "fr/par", "gb/bhx", "gb/lhr", "us/ewr", "us/las", "us/mci")

CPU_FAMILIES = ("AMD_EPYC", "INTEL_ICELAKE", "INTEL_SIERRAFOREST", "INTEL_SKYLAKE", "INTEL_XEON")

VERSIONS = (
    "1.32.9", "1.32.10", "1.33.5", "1.33.6", "1.33.7", "1.34.1", "1.34.2", "1.34.3", "1.34.4", "1.35.0",
)  # fmt: skip
"""Kubernetes versions, oldest first."""

DEFAULT_VERSION = "1.34.3"
"""The version that the lab's own API server has."""

NODE_POOL_LAG = 2
"""How many minor versions a node pool may be behind its cluster."""


def parts(version: str) -> tuple[int, ...]:
    """`1.34.3` -> (1, 34, 3)."""
    return tuple(int(part) for part in version.split("."))


def upgrades(version: str) -> list[str]:
    """Where a cluster or pool can go from `version`: newer, at most one minor version."""
    major, minor, _ = parts(version)
    return [other for other in VERSIONS if parts(version) < parts(other) < (major, minor + 2)]


def pool_versions(cluster_version: str) -> list[str]:
    """Versions that node pools of such a cluster may have."""
    major, minor, _ = parts(cluster_version)
    lowest = (major, minor - NODE_POOL_LAG)
    return [other for other in VERSIONS if lowest <= parts(other) <= parts(cluster_version)]


def architectures(location: str) -> list[dict[str, object]]:
    """A datacenter's `cpuArchitecture`."""
    families = CPU_FAMILIES if location.startswith("de/") else ("INTEL_ICELAKE", "INTEL_SKYLAKE")
    return [
        {
            "cpuFamily": family,
            "maxCores": 60,
            "maxRam": 235520,
            "vendor": "AuthenticAMD" if family.startswith("AMD") else "GenuineIntel",
        }
        for family in families
    ]
