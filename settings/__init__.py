"""Every setting of an environment: typed, validated, documented. Nothing else reads a stack's configuration.

    config = settings.load()             # in the program
    secrets = settings.load_secrets()    # secret Outputs
    settings.parse(raw, "sbx", {...})    # anywhere; pure

Mistakes come all at once, as `SettingsError`; in the program as one error that ends it (`stop`).
"""

from settings.addons import Addon, Addons, CertManager, ExternalDns, Ingress, SealedSecrets
from settings.app_owners import AppOwner
from settings.argocd import Argocd, Github, Rbac
from settings.checks import show
from settings.cluster import (
    Autoscaling,
    ExistingCluster,
    IngressPool,
    IonosCluster,
    Maintenance,
    Pool,
    Toleration,
)
from settings.dns import Dns, Domain
from settings.errors import Mistake, SettingsError
from settings.explain import suggestion
from settings.gitops import Charts, Gitops
from settings.model import SECRETS, Settings, warnings
from settings.program import Secrets, load, load_secrets, reveal, stop
from settings.reading import misspelt, parse
from settings.written import Written

__all__ = [
    "SECRETS",
    "Addon",
    "Addons",
    "AppOwner",
    "Argocd",
    "Autoscaling",
    "CertManager",
    "Charts",
    "Dns",
    "Domain",
    "ExistingCluster",
    "ExternalDns",
    "Github",
    "Gitops",
    "Ingress",
    "IngressPool",
    "IonosCluster",
    "Maintenance",
    "Mistake",
    "Pool",
    "Rbac",
    "SealedSecrets",
    "Secrets",
    "Settings",
    "SettingsError",
    "Toleration",
    "Written",
    "load",
    "load_secrets",
    "misspelt",
    "parse",
    "reveal",
    "show",
    "stop",
    "suggestion",
    "warnings",
]
