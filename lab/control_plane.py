"""The lab's Kubernetes control plane: real etcd, API server, controllers and scheduler, on the lab's address only.

    start(lab)    make keys once, start what does not run, wait until ready, write the kubeconfigs
    stop(lab)     stop; the data stays
    reset(lab)    an empty cluster with a new cluster token, on the same port and under the same authority

Works from any process of the lab: the processes are found by their records, and a lock keeps two callers apart.
"""

from __future__ import annotations

import base64
import collections.abc
import contextlib
import fcntl
import json
import pathlib
import secrets
import shutil
import socket
import ssl
import urllib.error
import urllib.request

import yaml

from lab import layout, pki, processes, toolchain

ETCD, APISERVER, CONTROLLERS, SCHEDULER = "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"
PARTS = (ETCD, APISERVER, CONTROLLERS, SCHEDULER)
PORTS = {
    ETCD: ("etcd", "etcd_peer"),
    APISERVER: ("apiserver",),
    CONTROLLERS: ("controller_manager",),
    SCHEDULER: ("scheduler",),
}

SERVICE_NETWORK = "10.96.0.0/12"
READY_SECONDS = 60

CONTROLLER_NAMES = (
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
)
"""No endpoints and endpointslice controllers: the API server refuses loopback addresses in the slices they write, so
the node agent writes its own. No node lifecycle: a lab that slept must not evict its pods."""

# name in the token file -> (user, groups)
USERS = {
    "admin": ("lab-admin", "system:masters"),
    "cluster": ("cluster-admin", "system:masters"),
    CONTROLLERS: ("system:kube-controller-manager", ""),
    SCHEDULER: ("system:kube-scheduler", ""),
}


def start(lab: layout.Lab) -> None:
    """Start what does not run yet and return once the API server is ready; LabError says what is in the way."""
    with _lock(lab):
        _start(lab)


def stop(lab: layout.Lab) -> None:
    """Stop the control plane; its data stays."""
    with _lock(lab):
        _stop(lab, 10)


def reset(lab: layout.Lab) -> None:
    """Throw the whole cluster away and start an empty one: same address, port and authority, new cluster token."""
    with _lock(lab):
        _stop(lab, 0)
        shutil.rmtree(lab.home / "etcd", ignore_errors=True)
        _tokens(lab, renew="cluster")
        _start(lab)


def ready(lab: layout.Lab) -> bool:
    """Whether the API server answers that it is ready."""
    context = ssl.create_default_context(cafile=str(lab.folder("pki") / "ca.crt"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(lab.endpoint("apiserver", "https") + "/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _start(lab: layout.Lab) -> None:
    programs = {part: _program(part) for part in PARTS}
    _make_keys(lab)
    tokens = _tokens(lab)
    for part, path, user in (
        ("admin", lab.kubeconfig, "lab-admin"),
        ("cluster", lab.home / "cluster.kubeconfig", "cluster-admin"),
        (CONTROLLERS, lab.folder("pki") / "controllers.kubeconfig", CONTROLLERS),
        (SCHEDULER, lab.folder("pki") / "scheduler.kubeconfig", SCHEDULER),
    ):
        pki.write_secret(path, _kubeconfig(lab, user, tokens[part]).encode())
    for part in PARTS:
        if not processes.alive(lab, part):
            _require_free(lab, part)
            processes.start(lab, part, [programs[part], *ARGUMENTS[part](lab)], cwd=lab.folder("etcd").parent)
        if part == APISERVER:
            processes.wait(lab, part, lambda: _etcd_lives(lab) and ready(lab), READY_SECONDS)
    for part in (CONTROLLERS, SCHEDULER):
        processes.wait(lab, part, lambda part=part: _listens(lab, PORTS[part][0]), READY_SECONDS)


def _stop(lab: layout.Lab, seconds: float) -> None:
    for part in reversed(PARTS):
        processes.stop(lab, part, seconds)


def _etcd_lives(lab: layout.Lab) -> bool:
    if not processes.alive(lab, ETCD):
        raise layout.LabError(f"etcd ended; the end of {lab.log(ETCD)}:\n{processes.tail(lab, ETCD)}")
    return True


@contextlib.contextmanager
def _lock(lab: layout.Lab) -> collections.abc.Iterator[None]:
    with (lab.home / "control-plane.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _program(name: str) -> pathlib.Path:
    found = toolchain.find(name)
    if not found:
        raise layout.LabError(f"{name} is not built yet: run `python -m lab.toolchain {name}`")
    return found


def _require_free(lab: layout.Lab, part: str) -> None:
    for service in PORTS[part]:
        if _listens(lab, service):
            raise layout.LabError(
                f"{part} cannot start: {lab.address}:{lab.ports[service]} is in use by another program. "
                f"End it (`ss -ltnp 'sport = :{lab.ports[service]}'` names it), or clear this lab away with `make down`"
            )


def _listens(lab: layout.Lab, service: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((lab.address, lab.ports[service])) == 0


def _make_keys(lab: layout.Lab) -> None:
    folder = lab.folder("pki")
    pki.authority(folder, "gitops-platform lab")
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    pki.certificate(folder, "apiserver", "kube-apiserver", [lab.address, "localhost", *names])
    pki.certificate(folder, "etcd", "etcd", [lab.address])
    pki.certificate(folder, "kubelet", "kubelet", [lab.address])
    pki.certificate(folder, "kubelet-client", "kube-apiserver-kubelet-client", organization="system:masters")
    pki.signing_key(folder, "service-accounts")


def _tokens(lab: layout.Lab, renew: str | None = None) -> dict[str, str]:
    """The tokens by name, made when missing; the API server's token file (read at its start only) is kept in step."""
    path = lab.folder("pki") / "tokens.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    tokens = {name: known.get(name) or secrets.token_urlsafe(32) for name in USERS}
    if renew:
        tokens[renew] = secrets.token_urlsafe(32)
    if tokens != known:
        pki.write_secret(path, json.dumps(tokens).encode())
        lines = [f'{tokens[name]},{user},{user},"{groups}"\n' for name, (user, groups) in USERS.items()]
        pki.write_secret(path.with_name("tokens.csv"), "".join(lines).encode())
    return tokens


def _kubeconfig(lab: layout.Lab, user: str, token: str) -> str:
    authority = base64.b64encode((lab.folder("pki") / "ca.crt").read_bytes()).decode()
    cluster = {"server": lab.endpoint("apiserver", "https"), "certificate-authority-data": authority}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
            "current-context": "lab",
        },
        sort_keys=False,
    )


def _etcd(lab: layout.Lab) -> list[str]:
    keys = lab.folder("pki")
    client, peer = lab.endpoint("etcd", "https"), lab.endpoint("etcd_peer", "https")
    # Other users of the machine reach loopback too: without a certificate they get nothing.
    tls = {"cert-file": "etcd.crt", "key-file": "etcd.key", "trusted-ca-file": "ca.crt"}
    return [
        "--name=lab",
        f"--data-dir={lab.folder('etcd')}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lab={peer}",
        *(f"--{prefix}{flag}={keys / file}" for prefix in ("", "peer-") for flag, file in tls.items()),
        "--client-cert-auth",
        "--peer-client-cert-auth",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(lab: layout.Lab) -> list[str]:
    keys = lab.folder("pki")
    return [
        f"--bind-address={lab.address}",
        f"--advertise-address={lab.address}",
        f"--secure-port={lab.ports['apiserver']}",
        f"--tls-cert-file={keys / 'apiserver.crt'}",
        f"--tls-private-key-file={keys / 'apiserver.key'}",
        f"--etcd-servers={lab.endpoint('etcd', 'https')}",
        f"--etcd-cafile={keys / 'ca.crt'}",
        f"--etcd-certfile={keys / 'etcd.crt'}",
        f"--etcd-keyfile={keys / 'etcd.key'}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={keys / 'tokens.csv'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={keys / 'service-accounts.key'}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--kubelet-client-certificate={keys / 'kubelet-client.crt'}",
        f"--kubelet-client-key={keys / 'kubelet-client.key'}",
        f"--kubelet-certificate-authority={keys / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
        # Loopback addresses are refused in Endpoints, the API server's own included.
        "--endpoint-reconciler-type=none",
        # Nobody would ever lift the not-ready taint that it puts on new nodes.
        "--disable-admission-plugins=TaintNodesByCondition",
        "--enable-priority-and-fairness=false",
        "--shutdown-delay-duration=0",
        "--profiling=false",
    ]


def _controllers(lab: layout.Lab) -> list[str]:
    keys = lab.folder("pki")
    return [
        *_component(lab, "controller_manager", keys / "controllers.kubeconfig"),
        f"--controllers={','.join(CONTROLLER_NAMES)}",
        "--use-service-account-credentials",
        f"--root-ca-file={keys / 'ca.crt'}",
        f"--service-account-private-key-file={keys / 'service-accounts.key'}",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
    ]


def _scheduler(lab: layout.Lab) -> list[str]:
    return _component(lab, "scheduler", lab.folder("pki") / "scheduler.kubeconfig")


def _component(lab: layout.Lab, service: str, kubeconfig: pathlib.Path) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--bind-address={lab.address}",
        f"--secure-port={lab.ports[service]}",
        "--leader-elect=false",
        "--profiling=false",
    ]


ARGUMENTS: dict[str, collections.abc.Callable[[layout.Lab], list[str]]] = {
    ETCD: _etcd,
    APISERVER: _apiserver,
    CONTROLLERS: _controllers,
    SCHEDULER: _scheduler,
}
