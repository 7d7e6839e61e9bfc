"""What a cluster's network gives its pods, and the lab by other means: name servers, trust, ways to the clouds."""

from __future__ import annotations

import time

from lab import acme, layout

TRUST_FILE = "lab-ca.pem"
ROOT_SECONDS = 5.0
_TRUSTED = f"/etc/{TRUST_FILE}"

EVERYBODY = {"SSL_CERT_FILE": _TRUSTED, "AWS_CA_BUNDLE": _TRUSTED}
"""Variables of every container: the authorities to trust. The public ones are not among them: no way leads there."""


def variables(lab: layout.Lab) -> dict[str, str]:
    """Variables that lead a program to the lab's clouds; each image takes those that its program understands.

    The proxy is for programs that cannot be given an endpoint: it answers for AWS's own host names.
    """
    return {
        "AWS_ENDPOINT_URL": lab.endpoint("aws"),
        "IONOS_API_URL": f"{lab.endpoint('ionos')}/dns",
        "HTTPS_PROXY": lab.endpoint("aws_proxy"),
        "NO_PROXY": "localhost,127.0.0.0/8,.svc,.cluster.local",
    }


def resolv_conf(lab: layout.Lab) -> str:
    """resolv.conf: the lab's DNS server, which knows everything there is. It has no place for another port than 53."""
    return f"nameserver {lab.address}\noptions timeout:1 attempts:2\n"


def trust(lab: layout.Lab) -> str:
    """The authorities in PEM: the lab's own, and the root of its ACME server."""
    files = (lab.home / "pki" / "ca.crt", acme.root(lab))
    return "".join(file.read_text() for file in files if file.exists())


def wait_for_trust(lab: layout.Lab) -> None:
    """Wait a moment for the ACME server, which makes its root when it starts."""
    deadline = time.monotonic() + ROOT_SECONDS
    while not acme.root(lab).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
