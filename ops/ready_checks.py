"""What an environment has to be to count as ready, decided from what was seen. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
import urllib.parse
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ops import ready_steps
from ops.ready_probe import ProbeError, Served

Object = Mapping[str, Any]

STAGING = "acme-staging"
PRODUCTION = "acme-v02.api.letsencrypt.org"
UNTRUSTED = "warning: its certificate is of Let's Encrypt staging, which no browser trusts"
STAGING_ROOTS = "https://letsencrypt.org/docs/staging-environment/"


@dataclasses.dataclass(frozen=True)
class Environment:
    """What the stack's outputs say there is. `addons`: name -> namespace."""

    kubeconfig: str = dataclasses.field(repr=False)
    host: str
    namespace: str
    addresses: Sequence[str]
    addons: Mapping[str, str]
    issuers: Sequence[str]
    name_servers: Sequence[str] = ()
    """Of the zone, where it is on Route53."""
    zones: Sequence[str] = ()
    """Names of the zones that the stack knows."""
    root: str = ""
    """The Application that applies the GitOps repository's folder, where that is handed over."""
    folder: str = ""
    """That folder, from the repository's root."""

    @property
    def ingress(self) -> str:
        """The add-on that carries traffic; empty if it is not ours."""
        return next((name for name in self.addons if name in ("ingress-nginx", "traefik")), "")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One check at one moment.

    `what` is how things are, `reasons` what the cluster says of it, `next` what to do when it stays unmet; `addon`
    is the add-on that answers for it, with its namespace. `hopeless`: waiting longer does not change it.
    """

    check: str
    met: bool
    what: str
    reasons: tuple[str, ...] = ()
    next: str = ""
    addon: str = ""
    namespace: str = ""
    hopeless: bool = False


def environment(outputs: Mapping[str, Any]) -> Environment | None:
    """What there should be; None when the stack is not up."""
    if not outputs.get("kubeconfig") or not (outputs.get("argocd") or {}).get("url"):
        return None
    return Environment(
        kubeconfig=outputs["kubeconfig"],
        host=str(urllib.parse.urlsplit(outputs["argocd"]["url"]).hostname),
        namespace=outputs["argocd"].get("namespace") or "argocd",
        addresses=[str(one) for one in outputs.get("ingressAddresses") or []],
        addons={name: addon["namespace"] for name, addon in (outputs.get("addons") or {}).items()},
        issuers=list(outputs.get("clusterIssuers") or []),
        name_servers=tuple(str(one) for one in (outputs.get("dns") or {}).get("nameServers") or ()),
        zones=tuple(str(one["name"]) for one in (outputs.get("dns") or {}).get("zones") or ()),
        root=(outputs.get("gitops") or {}).get("application") or "",
        folder=(outputs.get("gitops") or {}).get("path") or "",
    )


def application(name: str, found: Object | None) -> Finding:
    """An Argo CD Application: Synced, Healthy, and its last operation ended well."""
    check = f"application {name}"
    if found is None:
        return Finding(check, False, "it is not there", next="`pulumi up --refresh` makes it again")
    status = found.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    operation = status.get("operationState") or {}
    phase = operation.get("phase") or "Succeeded"
    states = [sync.get("status") or "Unknown", health.get("status") or "Unknown"]
    met = states == ["Synced", "Healthy"] and phase == "Succeeded"
    reasons = [f"{one.get('type')}: {one.get('message')}" for one in status.get("conditions") or []]
    if health.get("message"):
        reasons.append(f"health: {health['message']}")
    if phase != "Succeeded" and operation.get("message"):
        reasons.append(f"sync {phase}: {operation['message']}")
    reasons += [
        f"{_title(one)}: {one.get('message')}"
        for one in (operation.get("syncResult") or {}).get("resources") or []
        if one.get("status") == "SyncFailed" or one.get("hookPhase") in ("Failed", "Error")
    ]
    for one in status.get("resources") or []:
        state = one.get("health") or {}
        if state.get("status") not in (None, "Healthy"):
            reasons.append(f"{_title(one)} is {state['status']}: {state.get('message') or 'no reason given'}")
    destination = (found.get("spec") or {}).get("destination") or {}
    return Finding(
        check,
        met,
        ", ".join([*states, *([f"sync {phase}"] if phase != "Succeeded" else [])]),
        tuple(dict.fromkeys(short(reason) for reason in reasons)),
        f"repair what is named here; Argo CD tries again by itself (kubectl describe application -n argocd {name})",
        name,
        str(destination.get("namespace") or ""),
    )


def argo_cd(workloads: Sequence[str], namespace: str) -> Finding:
    """Argo CD's own pods (`workloads`: what is wrong with them): without them every Application is old news."""
    step = f"kubectl describe pods -n {namespace}; a `pulumi up` mends what was changed by hand"
    return Finding(
        "Argo CD", not workloads, "; ".join(workloads) or "every pod is ready", (), step, "argocd", namespace
    )


def issuer(name: str, found: Object | None, namespace: str) -> Finding:
    """A ClusterIssuer."""
    check = f"issuer {name}"
    if found is None:
        return Finding(check, False, "it is not there", next="`pulumi up --refresh` makes it again")
    met, said = ready(found)
    server = acme_server(found)
    step = "cert-manager tries again by itself; `kubectl describe clusterissuer " + name + "` has its events"
    if server:
        step = f"its ACME server is {server}: it has to be reached from the cluster; {step}"
    return Finding(check, met, said, (), step, "cert-manager", namespace)


def acme_server(found: Object) -> str:
    """The directory URL of an ACME issuer, else nothing."""
    return str(((found.get("spec") or {}).get("acme") or {}).get("server") or "")


def certificate(host: str, found: Object | None, steps: Sequence[Object], namespace: str) -> Finding:
    """The Certificate for Argo CD's name. `steps`: its CertificateRequests, Orders and Challenges."""
    if found is None:
        why = f"no Certificate for {host}"
        return Finding("certificate", False, why, next="`pulumi up --refresh` makes it again")
    met, said = ready(found)
    reasons = [] if met else steps_say(steps)
    where = f"{found['metadata']['namespace']}/{found['metadata']['name']}"
    step = (
        "repair what the challenge names (`pulumi up --refresh` puts key and policy back); a failed order is tried "
        "again after an hour, or at once with "
    )
    return Finding(
        "certificate",
        met,
        f"{where}: {said}",
        tuple(dict.fromkeys(short(reason) for reason in reasons)),
        f"{step}`cmctl renew -n {where.replace('/', ' ')}` (without cmctl `{ready_steps.renewal(*where.split('/'))}`)",
        "cert-manager",
        namespace,
    )


def steps_say(steps: Sequence[Object]) -> list[str]:
    """What CertificateRequests, Orders and Challenges that are not done say."""
    found: list[str] = []
    for step in steps:
        status = step.get("status") or {}
        state = status.get("state") or ""
        reason = status.get("reason") or ("" if state else ready(step)[1])
        if reason and state not in ("valid", "ready"):
            kind = step.get("kind") or "step"
            found.append(f"{kind} {step['metadata']['name']}: {f'{state}: ' if state else ''}{reason}")
    return found


def ready(found: Object) -> tuple[bool, str]:
    """Whether an object's Ready condition is true, and what it says."""
    for one in (found.get("status") or {}).get("conditions") or []:
        if one.get("type") == "Ready":
            if one.get("status") == "True":
                return True, "Ready"
            return False, short(f"{one.get('reason') or 'not ready'}: {one.get('message') or 'no reason given'}")
    return False, "no controller has looked at it yet"


def name(
    environment: Environment,
    expected: Sequence[str],
    found: Sequence[str] | ProbeError,
    balancers: Mapping[str, Sequence[str] | ProbeError] = MappingProxyType({}),
    aliases: Sequence[str] = (),
) -> Finding:
    """Argo CD's name resolves, to addresses of the ingress and to no other (`expected`: those it has).

    `balancers`: host names that the ingress has instead, with where they lead; `aliases`: those that Argo CD's name
    is an alias (CNAME) of.
    """
    check, host = "name", environment.host
    addon = "external-dns" if "external-dns" in environment.addons else ""
    space = environment.addons.get(addon, "")
    for one, at in balancers.items():
        if isinstance(at, ProbeError):
            step = "a load balancer that was just made takes some minutes to be known; else it is gone"
            return Finding(check, False, f"the ingress's own name {one}: {at}", (), step, environment.ingress)
        expected = [*expected, *at]
    if not expected:
        why = "the ingress has no address yet"
        step = "look at the ingress controller's Service: kubectl get services -A | grep LoadBalancer"
        return Finding(
            check, False, why, (), step, environment.ingress, environment.addons.get(environment.ingress, "")
        )
    if isinstance(found, ProbeError):
        servers = ", ".join(environment.name_servers) or "of `pulumi stack output dns`"
        step = (
            "if external-dns is refused (its log says so), `pulumi up --refresh` puts its key and policy back; if it "
            f"says nothing, the zone may not be delegated: its registrar has to name the servers {servers}, and then "
            "`pulumi up` goes on; --resolver asks another DNS server than this machine's"
        )
        if not addon:
            step = f"no external-dns here: write the record yourself, {host} → {', '.join(balancers or expected)}"
        return Finding(check, False, f"{host}: {found}", (), step, addon, space)
    by_name = f" ({', '.join(balancers)})" if balancers else ""
    wrong = sorted(set(map(_address, found)) - set(map(_address, expected)))
    # A load balancer with a name may answer with other addresses every time.
    if wrong and not set(aliases) & balancers.keys():
        why = f"{host} → {', '.join(found)}, but the ingress is at {', '.join(expected)}{by_name}"
        step = (
            "an older record may still be cached; one that is not external-dns's own (no TXT record beside it) is "
            "left alone: remove it"
        )
        return Finding(check, False, why, (), step, addon, space)
    return Finding(check, True, f"{host} → {', '.join(found)}{by_name}")


def answer(environment: Environment, found: Served | ProbeError | None, server: str, with_ca: bool) -> Finding:
    """HTTPS through the ingress. `found` None: not asked, since the name leads nowhere; `server`: the issuer's."""
    check, url = "https", f"https://{environment.host}"
    if found is None:
        return Finding(check, False, "not asked: the name leads nowhere yet", next="see the name, above")
    if isinstance(found, Served):
        warning = "" if found.trusted else f" ({UNTRUSTED})"
        return Finding(check, True, f"{url} answers: Argo CD {found.version}{warning}")
    addon = environment.ingress if found.kind not in ("untrusted", "former") else ""
    step, hopeless = f"look at the ingress controller and its Service{f' (add-on {addon})' if addon else ''}", False
    if found.kind == "untrusted":
        # A certificate that signs itself is the ingress's own, served until it has read the Secret.
        hopeless = True
        step = "its issuer is trusted by nobody here: name the issuer's root with --ca or GITOPS_PLATFORM_CA"
        if STAGING in server:
            step = (
                f"Let's Encrypt staging is trusted by nobody: save its roots from {STAGING_ROOTS} and name the file "
                "with --ca, or set addons.certManager.server to production"
            )
        elif with_ca:
            step = "the file given with --ca (GITOPS_PLATFORM_CA) does not hold the issuer's root: name the right one"
    elif found.kind == "former":
        step, hopeless = "see the certificate, above: it has to be issued again by the issuer's present server", False
    elif found.kind == "certificate":
        step = (
            f"the ingress does not serve Argo CD's certificate: kubectl describe ingress,certificate -n "
            f"{environment.namespace}; two Ingresses may claim the same host"
        )
    elif found.kind == "answer":
        addon, space = "argocd", environment.namespace
        step = f"the ingress works, what is behind it does not: kubectl describe ingress -n {space}"
        return Finding(check, False, f"{url}: {found}", (), step, addon, space)
    return Finding(
        check, False, f"{url}: {found}", (), step, addon, environment.addons.get(addon, ""), hopeless=hopeless
    )


def _title(resource: Object) -> str:
    return f"{resource.get('kind')} {resource.get('name')}"


def short(text: str) -> str:
    line = " ".join(text.split())
    # Argo CD puts the cause last, behind the way it took.
    return line if len(line) <= 400 else f"{line[:120]} … {line[-275:]}"


def _address(text: str) -> str:
    try:
        return ipaddress.ip_address(text).compressed
    except ValueError:
        return text
