"""The same environment made by hand, for the bench to compare with: helm, kubectl and waits, one step after the other.

The order and the waits are those of the platform team's written procedure: every Application is waited for
until it is Synced and Healthy before the next one is applied, every Secret is sealed by kubeseal. What a person
spends on typing, looking things up and committing is not counted. `python -m lab.manual` runs it on a lab
whose stack is not up; it ends with the same check as `pulumi up` does.
"""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import yaml

from lab import acme, layout, manual_values, workspace
from lab.charts import repository
from lab.manual_values import DOMAIN, HOST, ISSUER, SECRET

Report = Callable[[str], None]
Object = dict[str, Any]

LOCATION, VERSION = "de/txl", "1.34.3"
POOLS: dict[str, Object] = {
    "default-pool": {"nodeCount": 2, "coresCount": 2, "ramSize": 4096},
    "ingress-pool": {
        "nodeCount": 1,
        "coresCount": 2,
        "ramSize": 2048,
        "labels": {"nodepool": "ingress"},
        "taints": [{"key": "ingress-node", "value": "true", "effect": "NoSchedule"}],
    },
}
ADDONS = ("sealed-secrets", "ingress-nginx", "external-dns", "cert-manager")
WAIT = "--timeout=10m"


def make(lab: layout.Lab, report: Report) -> None:
    """Make the environment and wait until it is ready. Raises `layout.LabError` when a step fails."""
    with tempfile.TemporaryDirectory(prefix="gitops-platform-manual-") as folder:
        _Procedure(lab, report, pathlib.Path(folder)).run()


class _Procedure:
    def __init__(self, lab: layout.Lab, report: Report, folder: pathlib.Path) -> None:
        self._lab, self._report = lab, report
        self._kubeconfig = folder / "kubeconfig"
        self._environment = {**workspace.process_environment(lab), "KUBECONFIG": str(self._kubeconfig)}
        self._sealing = folder / "sealing.pem"

    def run(self) -> None:
        began = time.monotonic()

        def step(title: str) -> None:
            self._report(f"{time.monotonic() - began:5.0f} s  {title}")

        step("cluster")
        address = self._cluster()
        step("Argo CD")
        self._argo_cd()
        step("namespaces")
        for name in ADDONS:
            self._apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        step("sealed-secrets")
        self._application("sealed-secrets", {"fullnameOverride": "sealed-secrets"})
        self._fetch_sealing_certificate()
        step("ingress")
        self._application("ingress-nginx", manual_values.ingress(address))
        step("external-dns")
        zone, key_id, key = self._dns_access()
        text = f"[default]\naws_secret_access_key = {key}\naws_access_key_id = {key_id}\n"
        self._seal("external-dns", {"credentials": text})
        self._application("external-dns", manual_values.external_dns())
        step("cert-manager")
        self._seal("cert-manager", {"key": key, "keyId": key_id})
        self._application("cert-manager", manual_values.cert_manager(), "ServerSideApply=true")
        for issuer in manual_values.issuers(acme.directory(self._lab), zone):
            self._apply(issuer)
        self._kubectl("wait", "clusterissuers", "--all", "--for=condition=Ready", WAIT)
        step("Argo CD's address")
        self._apply(manual_values.access())
        self._ready(address)
        step("ready")

    def _cluster(self) -> str:
        """The README's step 1. Leaves the kubeconfig in its file; returns the reserved address."""
        datacenter = self._ionos("/datacenters", {"name": "gitops-lab", "location": LOCATION})
        block = self._ionos("/ipblocks", {"name": "gitops-lab", "location": LOCATION, "size": 1})
        cluster = self._ionos("/k8s", {"name": "gitops-lab", "k8sVersion": VERSION, "public": True})
        for name, pool in POOLS.items():
            home = {"name": name, "datacenterId": datacenter["id"], "k8sVersion": VERSION}
            disk = {"storageSize": 10, "storageType": "SSD", "availabilityZone": "AUTO"}
            self._ionos(f"/k8s/{cluster['id']}/nodepools", {**home, **disk, **pool})
        self._kubeconfig.touch(0o600)
        self._kubeconfig.write_bytes(self._call("GET", f"/k8s/{cluster['id']}/kubeconfig"))
        return str(self._get(f"/ipblocks/{block['id']}")["properties"]["ips"][0])

    def _argo_cd(self) -> None:
        values = {
            "fullnameOverride": "argocd",
            "global": {"domain": HOST},
            "configs": {"cm": {"url": f"https://{HOST}"}, "params": {"server.insecure": True}},
            "dex": {"enabled": False},
            "notifications": {"enabled": False},
        }
        self._run(
            "helm", "install", "argocd", "argo-cd", "--repo", self._lab.endpoint("charts"),
            "--version", _chart_version("argo-cd"), "--namespace", "argocd", "--create-namespace",
            "--wait", "--timeout", "10m", "--values", "-", stdin=yaml.safe_dump(values),
        )  # fmt: skip

    def _application(self, name: str, values: Object, *options: str) -> None:
        """Apply an Application and wait until it is Synced and Healthy."""
        source = {
            "repoURL": self._lab.endpoint("charts"),
            "chart": name,
            "targetRevision": _chart_version(name),
            "helm": {"valuesObject": values},
        }
        spec = {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "source": source,
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": list(options)},
        }
        metadata = {"name": name, "namespace": "argocd", "labels": {"purpose": "infra"}}
        self._apply({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": spec})
        for path, value in (("sync", "Synced"), ("health", "Healthy")):
            condition = f"--for=jsonpath={{.status.{path}.status}}={value}"
            self._kubectl("wait", "applications.argoproj.io", name, "--namespace=argocd", condition, WAIT)

    def _dns_access(self) -> tuple[str, str, str]:
        """The hosted zone, and a policy, a user and an access key for it: zone id, key id, key."""
        route53, iam = self._aws("route53"), self._aws("iam")
        made = route53.create_hosted_zone(Name=DOMAIN, CallerReference=str(time.time()))
        zone = made["HostedZone"]["Id"].rpartition("/")[2]
        may = {
            f"arn:aws:route53:::hostedzone/{zone}": ["ChangeResourceRecordSets", "ListResourceRecordSets"],
            "arn:aws:route53:::change/*": ["GetChange"],
            "*": ["ListHostedZones"],
        }
        statements = [
            {"Effect": "Allow", "Action": [f"route53:{action}" for action in actions], "Resource": [on]}
            for on, actions in may.items()
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        policy = iam.create_policy(PolicyName="manual-dns", PolicyDocument=document)["Policy"]["Arn"]
        iam.create_user(UserName="manual-dns")
        iam.attach_user_policy(UserName="manual-dns", PolicyArn=policy)
        key = iam.create_access_key(UserName="manual-dns")["AccessKey"]
        return zone, key["AccessKeyId"], key["SecretAccessKey"]

    def _fetch_sealing_certificate(self) -> None:
        self._sealing.write_bytes(base64.b64decode(self._kubectl(
            "get", "secrets", "--namespace=sealed-secrets", "--selector=sealedsecrets.bitnami.com/sealed-secrets-key",
            "--output=jsonpath={.items[0].data.tls\\.crt}",
        )))  # fmt: skip

    def _seal(self, namespace: str, data: dict[str, str]) -> None:
        """Seal a Secret, apply it, and wait until the controller opened it."""
        metadata = {"name": SECRET, "namespace": namespace}
        secret = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
        sealed = self._run("kubeseal", "--cert", str(self._sealing), "--format", "yaml", stdin=secret)
        self._run("kubectl", "apply", "--filename", "-", stdin=sealed)
        self._kubectl("wait", "secret", SECRET, f"--namespace={namespace}", "--for=create", WAIT)

    def _ready(self, address: str) -> None:
        outputs = {
            "kubeconfig": self._kubeconfig.read_text(),
            "argocd": {"url": f"https://{HOST}", "namespace": "argocd"},
            "ingressAddresses": [address],
            "addons": {name: {"namespace": name} for name in ADDONS},
            "clusterIssuers": [ISSUER, "selfsigned-issuer"],
        }
        self._run(sys.executable, "-m", "ops", "ready", "manual", "--outputs", "-", stdin=json.dumps(outputs))

    def _ionos(self, path: str, properties: Object) -> Object:
        """Make an object and wait until it can be used."""
        made = json.loads(self._call("POST", path, {"properties": properties}))
        deadline = time.monotonic() + 600
        while made["metadata"]["state"] not in ("AVAILABLE", "ACTIVE"):
            if time.monotonic() > deadline:
                raise layout.LabError(f"{path}/{made['id']} is still {made['metadata']['state']}")
            time.sleep(0.5)
            made = self._get(f"{path}/{made['id']}")
        return made

    def _get(self, path: str) -> Object:
        return json.loads(self._call("GET", path))

    def _call(self, method: str, path: str, body: Object | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._environment['IONOS_TOKEN']}", "Content-Type": "application/json"}
        url = f"{self._lab.endpoint('ionos')}/cloudapi/v6{path}"
        request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers, method=method)  # noqa: S310
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return answer.read()

    def _aws(self, service: str) -> Any:
        keys = {name.lower(): self._environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        return boto3.client(service, endpoint_url=self._lab.endpoint("aws"), region_name="eu-central-1", **keys)

    def _apply(self, manifest: Object) -> None:
        self._run("kubectl", "apply", "--filename", "-", stdin=json.dumps(manifest))

    def _kubectl(self, *arguments: str) -> str:
        return self._run("kubectl", *arguments)

    def _run(self, *argv: str, stdin: str = "") -> str:
        done = subprocess.run(
            argv, env=self._environment, cwd=layout.PROJECT, input=stdin, capture_output=True, text=True,
            timeout=900, check=False,
        )  # fmt: skip
        if done.returncode:
            raise layout.LabError(f"`{' '.join(argv[:3])}` failed: {(done.stderr or done.stdout).strip()[-3000:]}")
        return done.stdout


def _chart_version(name: str) -> str:
    return str(repository.metadata(name)["version"])


if __name__ == "__main__":
    try:
        make(layout.load(), print)
    except layout.LabError as problem:
        sys.exit(f"error: {problem}")
