"""Contexts that kubectl takes or refuses, for a test of this program and one of kubectl itself."""

from __future__ import annotations

import base64
import json
import pathlib
from typing import Any, NamedTuple

from tests import certificates

V1, V1BETA1 = (f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1"))
KEY, CERTIFICATE = certificates.self_signed()
KEY_DATA, CERTIFICATE_DATA = base64.b64encode(KEY).decode(), base64.b64encode(CERTIFICATE).decode()
BUNDLE = "# Zertifizierungsstelle für c\n".encode() + CERTIFICATE
ANSWER = json.dumps({"apiVersion": V1BETA1, "kind": "ExecCredential", "status": {"token": "canary"}})
SIGN_IN = f"#!/bin/sh\necho '{ANSWER}'\n"


class Case(NamedTuple):
    """Keys of a cluster (beside its server) and of its user. `words`: of the refusal; None: it is taken."""

    name: str
    cluster: dict[str, Any]
    user: dict[str, Any]
    words: str | None = None
    server: str | None = None

    def config(self, server: str, authority: bytes | None = None) -> dict[str, Any]:
        """A kubeconfig for that server, with its authority unless the case has its own."""
        cluster = {"server": self.server or server, **self.cluster}
        own = ("certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify")
        if authority and not any(cluster.get(key) for key in own):
            cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "m",
            "contexts": [{"name": "m", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": self.user}],
        }


def files(folder: pathlib.Path) -> None:
    """What the cases name, in the kubeconfig's folder."""
    (folder / "bin").mkdir()
    (folder / "bin" / "sign-in").write_text(SIGN_IN)
    (folder / "bin" / "sign-in").chmod(0o755)
    (folder / "bin" / "plain").write_text(SIGN_IN)
    (folder / "ca.pem").write_bytes(BUNDLE)
    (folder / "key.pem").write_bytes(KEY)
    (folder / "token").write_text("t\n")


def run(**keys: Any) -> dict[str, Any]:
    """A user that signs in by a command."""
    return {"exec": {"apiVersion": V1BETA1, "command": "true", **keys}}


T = {"token": "canary"}
INSECURE, FILE, DATA = "insecure-skip-tls-verify", "certificate-authority", "certificate-authority-data"
PAIR = {"client-certificate-data": CERTIFICATE_DATA, "client-key-data": KEY_DATA}

CASES = [
    Case("token", {}, T),
    Case("authority and its file", {FILE: "ca.pem", DATA: CERTIFICATE_DATA}, T, "certificate-authority and cert"),
    Case("authority that is not there", {FILE: "gone.pem"}, T, "gone.pem, which is not there"),
    Case("authority that is a folder", {FILE: "bin"}, T, "which cannot be read (IsADirectoryError)"),
    Case("authority beside insecure", {INSECURE: True, DATA: CERTIFICATE_DATA}, T, "remove insecure-skip-tls-verify"),
    Case("authority's file beside insecure", {INSECURE: True, FILE: "ca.pem"}, T, "remove insecure-skip-tls-verify"),
    Case("insecure", {INSECURE: True}, T),
    Case("not insecure", {INSECURE: False}, T),
    Case("proxy without a scheme", {"proxy-url": "p:3128"}, T, "proxy-url"),
    Case("proxy of an unknown kind", {"proxy-url": "socks4://p:3128"}, T, "kind that kubectl does not know (socks4)"),
    Case("proxy with a bad password", {"proxy-url": "http://u:canary^@p:3128"}, T, "write them as %XX"),
    Case("token and password", {}, {**T, "username": "u", "password": "canary"}, "token and username or password"),
    Case("password", {}, {"username": "u", "password": "canary"}),
    Case("token and its file", {}, {**T, "tokenFile": "token"}),
    Case("token's file", {}, {"tokenFile": "token"}),
    Case("token's file that is not there", {}, {"tokenFile": "gone"}, "gone is not there"),
    Case("token and its file that is not there", {}, {**T, "tokenFile": "gone"}),
    Case("token with a line break", {}, {"token": "canary\nb"}, "token has a line break"),
    Case("client certificate", {}, PAIR),
    Case("client certificate twice", {}, {**PAIR, "client-certificate": "ca.pem"}, "client-certificate-data are both"),
    Case("client key twice", {}, {**PAIR, "client-key": "key.pem"}, "client-key-data are both"),
    Case("client certificate alone", {}, {"client-certificate-data": CERTIFICATE_DATA}, "has no client-key"),
    Case("client certificate not there", {}, {"client-certificate": "gone", "client-key": "key.pem"}, "gone, which"),
    Case("client key alone, not there", {}, {**T, "client-key": "gone"}),
    Case("gcp", {}, {"auth-provider": {"name": "gcp"}}, "gcp since 1.26 → install gke-gcloud-auth-plugin"),
    Case("azure", {}, {"auth-provider": {"name": "azure"}}, "kubelogin"),
    Case("gcp beside a token", {}, {**T, "auth-provider": {"name": "gcp"}}, "gke-gcloud-auth-plugin"),
    Case("another auth-provider", {}, {"auth-provider": {"name": "x"}}, "kubectl has no auth-provider x → use an exec"),
    Case("exec beside auth-provider", {}, {**run(), "auth-provider": {"name": "oidc"}}, "exec and auth-provider"),
    Case("relative command", {}, run(command="./bin/sign-in")),
    Case("relative command without ./", {}, run(command="bin/sign-in")),
    Case("relative command that is not there", {}, run(command="./gone"), "/gone, which is not there or not"),
    Case("command that is not executable", {}, run(command="./bin/plain"), "which is not there or not executable"),
    Case("command that is not on PATH", {}, run(command="no-such-login"), "no-such-login, which is not on PATH"),
    Case("plain command is not looked for beside it", {}, run(command="sign-in"), "sign-in, which is not on PATH"),
    Case("command that a token makes needless", {}, {**T, **run(command="no-such-login")}),
    Case("no command", {}, run(command=""), "exec has no command"),
    Case("exec without a version", {}, run(apiVersion="", command="bin/sign-in"), "exec has no apiVersion"),
    Case("exec of old", {}, run(apiVersion=V1BETA1.replace("v1beta1", "v1alpha1")), "exec.apiVersion is none"),
    Case("exec of old beside a token", {}, {**T, **run(apiVersion="x/v1")}, "exec.apiVersion"),
    Case("exec v1 without a mode", {}, run(apiVersion=V1), "exec has no interactiveMode"),
    Case("exec with an unknown mode", {}, run(interactiveMode="Sometimes"), "exec.interactiveMode is none"),
    Case("exec that needs a terminal", {}, run(command="bin/sign-in", interactiveMode="Always"), "asks on a terminal"),
    Case("exec with a nameless variable", {}, run(env=[{"value": "canary"}]), "exec.env has an entry without a name"),
    Case("groups without a user", {}, {**T, "as-groups": ["x"]}, "as-uid, as-groups and as-user-extra need `as`"),
    Case("command that is not run over http", {}, run(command="no-such-login"), server="http://127.0.0.1:1"),
    Case("anybody over http", {}, {"tokenFile": "gone", "auth-provider": {"name": "gcp"}}, server="http://127.0.0.1:1"),
]  # fmt: skip
