"""Signature Version 4 of a request: who says to have signed it, and whether that is so. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from botocore import auth, awsrequest, credentials
from botocore.compat import HTTPHeaders

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key_id>\w+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)"
    r"/aws4_request, ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclasses.dataclass(frozen=True)
class Claim:
    """What an Authorization header says."""

    key_id: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


@dataclasses.dataclass(frozen=True)
class Signed:
    """The parts of a request that its signature covers; `path` and `query` as they came, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def parse(authorization: str) -> Claim | None:
    """The claim of an Authorization header; None when it is not the one form that AWS's SDKs write."""
    found = _HEADER.fullmatch(authorization.strip())
    if not found:
        return None
    parts = found.groupdict()
    return Claim(**{**parts, "headers": tuple(parts["headers"].split(";"))})


def valid(claim: Claim, secret: str, request: Signed) -> bool:
    """Whether `secret` signed exactly this request."""
    headers, digest = request.headers, hashlib.sha256(request.body).hexdigest()
    timestamp = headers.get("x-amz-date", "")
    if not timestamp.startswith(claim.date) or not {"host", "x-amz-date"} <= set(claim.headers):
        return False
    if headers.get("x-amz-content-sha256", digest) != digest or not set(claim.headers) <= headers.keys():
        return False
    signer = _Signer(claim, secret)
    asked = awsrequest.AWSRequest(
        request.method, f"https://aws{request.path}", headers=dict(headers), data=request.body
    )
    asked.context["timestamp"] = timestamp
    asked.params = urllib.parse.parse_qsl(request.query, keep_blank_values=True)
    text = signer.string_to_sign(asked, signer.canonical_request(asked))
    return hmac.compare_digest(str(signer.signature(text, asked)), claim.signature)


class _Signer(auth.SigV4Auth):
    """botocore's signer, over the headers that the claim names instead of those it would choose itself."""

    def __init__(self, claim: Claim, secret: str) -> None:
        super().__init__(credentials.Credentials(claim.key_id, secret), claim.service, claim.region)
        self.claim = claim

    def headers_to_sign(self, request: Any) -> HTTPHeaders:
        chosen = HTTPHeaders()
        for name in self.claim.headers:
            chosen[name] = request.headers[name]
        return chosen

    def payload(self, request: Any) -> str:
        return hashlib.sha256(request.data or b"").hexdigest()
