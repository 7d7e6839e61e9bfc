"""With which flags the lab runs etcd, API server, controllers and scheduler."""

from __future__ import annotations

import collections.abc
import pathlib

from lab import layout

PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
SERVICE_NETWORK = "10.96.0.0/12"

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
        f"--client-ca-file={keys / 'ca.crt'}",
        # Managed clusters have a limit as well.
        "--service-account-max-token-expiration=8760h",
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


FLAGS: dict[str, collections.abc.Callable[[layout.Lab], list[str]]] = {
    "etcd": _etcd,
    "kube-apiserver": _apiserver,
    "kube-controller-manager": _controllers,
    "kube-scheduler": _scheduler,
}
