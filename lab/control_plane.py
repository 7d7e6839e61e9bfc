"""The lab's Kubernetes control plane: real etcd, API server, controllers and scheduler, on the lab's address only.

    start(lab)    make keys once, start what does not run, wait until ready, write the kubeconfigs
                  (etcd and the API server alone where only these are named)
    stop(lab)     stop; the data stays
    clear(lab)    nothing left of the cluster; the next start gives an empty one, with a new cluster token

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
import time
import urllib.error
import urllib.request

import yaml

from lab import control_plane_flags, layout, pki, processes, toolchain

ETCD, APISERVER, CONTROLLERS, SCHEDULER = control_plane_flags.PARTS
PARTS = control_plane_flags.PARTS
PORTS = {
    ETCD: ("etcd", "etcd_peer"),
    APISERVER: ("apiserver",),
    CONTROLLERS: ("controller_manager",),
    SCHEDULER: ("scheduler",),
}

READY_SECONDS = 60
RELEASE_SECONDS = 3
"""How long a port may take to be given back by a process that was just killed."""

# name in the token file -> (user, groups)
USERS = {
    "admin": ("lab-admin", "system:masters"),
    "cluster": ("cluster-admin", "system:masters"),
    CONTROLLERS: ("system:kube-controller-manager", ""),
    SCHEDULER: ("system:kube-scheduler", ""),
}


def start(lab: layout.Lab, parts: collections.abc.Sequence[str] = PARTS) -> None:
    """Start what does not run yet and return once the API server is ready; LabError says what is in the way.

    `parts`: ETCD and APISERVER, and of the others those that are needed.
    """
    with _lock(lab):
        _start(lab, parts)


def stop(lab: layout.Lab) -> None:
    """Stop the control plane; its data stays."""
    with _lock(lab):
        _stop(lab, 10)


def clear(lab: layout.Lab) -> None:
    """Throw the whole cluster away: nobody answers until `start`, which then gives out another cluster token."""
    with _lock(lab):
        _stop(lab, 0)
        shutil.rmtree(lab.home / "etcd", ignore_errors=True)
        _tokens(lab, renew="cluster")


def ready(lab: layout.Lab) -> bool:
    """Whether the API server answers that it is ready."""
    context = ssl.create_default_context(cafile=str(lab.folder("pki") / "ca.crt"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(lab.endpoint("apiserver", "https") + "/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _start(lab: layout.Lab, parts: collections.abc.Sequence[str]) -> None:
    programs = {part: _program(part) for part in PARTS if part in parts}
    _make_keys(lab)
    tokens = _tokens(lab)
    for part, path, user in (
        ("admin", lab.kubeconfig, "lab-admin"),
        ("cluster", lab.home / "cluster.kubeconfig", "cluster-admin"),
        (CONTROLLERS, lab.folder("pki") / "controllers.kubeconfig", CONTROLLERS),
        (SCHEDULER, lab.folder("pki") / "scheduler.kubeconfig", SCHEDULER),
    ):
        pki.write_secret(path, _kubeconfig(lab, user, tokens[part]).encode())
    for part in programs:
        if not processes.alive(lab, part):
            _require_free(lab, part)
            processes.start(
                lab, part, [programs[part], *control_plane_flags.FLAGS[part](lab)], cwd=lab.folder("etcd").parent
            )
        if part == APISERVER:
            processes.wait(lab, part, lambda: _etcd_lives(lab) and ready(lab), READY_SECONDS)
    for part in (CONTROLLERS, SCHEDULER):
        if part not in programs:
            continue
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
    end = time.monotonic() + RELEASE_SECONDS
    for service in PORTS[part]:
        while _listens(lab, service):
            if time.monotonic() < end:
                time.sleep(0.05)
                continue
            raise layout.LabError(
                f"{part} cannot start: {lab.address}:{lab.ports[service]} is in use by another program. "
                f"End it (`ss -ltnp 'sport = :{lab.ports[service]}'` names it), or clear this lab "
                "away with `python -m lab down --force`"
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
