"""The WSGI layer in front of moto: who calls, what for, and whether a policy allows it.

The lab's administrator may do everything, unsigned requests nothing. Of any other caller moto gets to see only
what was judged: no header or parameter that could make it do something else reaches it.
"""

from __future__ import annotations

import collections
import io
import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.sax import saxutils

from moto.moto_server import werkzeug_app
from moto.utilities import utils

from lab.aws import accounts, calls, policy, signatures

LOG = logging.getLogger("lab.aws")

ADMINISTRATOR = "lab"
"""Id of the access key that may do everything: the one of the lab's environment."""

LARGEST_BODY = 1 << 20
REMEMBERED = 200
CHANGES = 2000

_NAMESPACES = {
    "route53": "https://route53.amazonaws.com/doc/2013-04-01/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
_BAD_TOKEN = "The security token included in the request is invalid."  # noqa: S105
_BAD_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method."
)

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]


class Refused(Exception):
    """A request that goes no further: HTTP status, AWS's error code and message, and a note for the log."""

    def __init__(self, status: str, code: str, message: str, note: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.note = status, code, message, note


class Gate:
    """The WSGI application of the lab's AWS; one request at a time reaches moto. `secret`: the administrator's."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._lock = threading.Lock()
        self._zones = accounts.Zones()
        self._denied: collections.deque[dict[str, str]] = collections.deque(maxlen=REMEMBERED)
        self._changes: collections.deque[dict[str, Any]] = collections.deque(maxlen=CHANGES)
        services: Any = calls.SERVICES
        self._services: dict[str, Application] = {name: werkzeug_app.create_backend_app(name) for name in services}

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if path.startswith("/lab/aws/") and environ["wsgi.url_scheme"] == "http":
            return self._about(path, start_response)
        claim = signatures.parse(environ.get("HTTP_AUTHORIZATION", ""))
        service = claim.service if claim else ""
        try:
            body = _body(environ)
            with self._lock:
                onwards = self._judge(claim, environ, body)
                return list(self._services[service](onwards, start_response))
        except Refused as refused:
            self._remember(refused, environ, claim)
            return _answer(start_response, refused, service)

    def _about(self, path: str, start_response: Any) -> Iterable[bytes]:
        with self._lock:
            known: dict[str, Callable[[], Any]] = {
                "/lab/aws/zones": self._zones.read,
                "/lab/aws/denied": lambda: list(self._denied),
                "/lab/aws/changes": lambda: list(self._changes),
            }
            found = known[path]() if path in known else None
        status = "404 Not Found" if found is None else "200 OK"
        return _respond(start_response, status, "application/json", json.dumps(found).encode())

    def _judge(self, claim: signatures.Claim | None, environ: Environ, body: bytes) -> Environ:
        """The request as moto may have it; Refused when it may not."""
        if claim is None:
            if "HTTP_AUTHORIZATION" in environ:
                raise Refused("403 Forbidden", "IncompleteSignature", "The Authorization header is not SigV4's.")
            raise Refused("403 Forbidden", "MissingAuthenticationToken", "Missing Authentication Token")
        if claim.service not in self._services:
            raise Refused("501 Not Implemented", "NotImplemented", f"The lab has no service {claim.service}.")
        request = _signed(environ, body)
        if claim.key_id == ADMINISTRATOR:
            _check_signature(claim, self._secret, request)
            self._note(claim, _call(claim, request))
            return {**environ, **_input(body)}
        user = accounts.user(claim.key_id)
        if user is None or not user.active or "HTTP_X_AMZ_SECURITY_TOKEN" in environ:
            raise Refused("403 Forbidden", "InvalidClientTokenId", _BAD_TOKEN)
        _check_signature(claim, user.secret, request)
        call = _call(claim, request)
        context = {
            **call.context,
            "aws:username": (user.name,),
            "aws:userid": (user.id,),
            "aws:principalarn": (user.arn,),
            "aws:principaltype": ("User",),
            "aws:securetransport": (str(environ["wsgi.url_scheme"] == "https").lower(),),
        }
        decision = _decide(call, user, context)
        if not decision.allowed:
            on = f" on resource: {call.resources[0]}" if call.resources else ""
            message = f"User: {user.arn} is not authorized to perform: {call.action}{on} {decision.reason}"
            raise Refused("403 Forbidden", "AccessDenied", message, decision.detail)
        self._note(claim, call)
        return _judged(environ, claim.service, body)

    def _note(self, claim: signatures.Claim, call: calls.Call) -> None:
        """Keep in mind who changes what at Route53, and in which order."""
        if call.action.startswith("route53:") and not call.action.startswith(("route53:Get", "route53:List")):
            facts = {key.removeprefix(calls.RECORDS): list(values) for key, values in call.context.items()}
            entry = {"key": claim.key_id, "action": call.action.partition(":")[2]}
            self._changes.append({**entry, "resources": list(call.resources or ()), **facts})

    def _remember(self, refused: Refused, environ: Environ, claim: signatures.Claim | None) -> None:
        entry = {
            "code": refused.code,
            "message": refused.message,
            "detail": refused.note,
            "request": f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}",
            "service": claim.service if claim else "",
            "key": claim.key_id if claim else "",
        }
        self._denied.append(entry)
        line = "denied %(code)s key=%(key)s service=%(service)s %(request)s: %(message)s (%(detail)s)"
        LOG.warning("%s", (line % entry).encode("unicode_escape").decode())


def _check_signature(claim: signatures.Claim, secret: str, request: signatures.Signed) -> None:
    if utils.get_partition(claim.region) != accounts.PARTITION or not signatures.valid(claim, secret, request):
        raise Refused("403 Forbidden", "SignatureDoesNotMatch", _BAD_SIGNATURE)


def _call(claim: signatures.Claim, request: signatures.Signed) -> calls.Call:
    content_type = request.headers.get("content-type", "")
    return calls.describe(claim.service, request.method, request.path, request.query, content_type, request.body)


def _decide(call: calls.Call, user: accounts.User, context: Mapping[str, tuple[str, ...]]) -> policy.Decision:
    if call.action == calls.UNKNOWN:
        return policy.Decision(False, "because no identity-based policy allows the unknown action", call.problem)
    # Needs no permission, and cannot be denied, in AWS either.
    if call.action == "sts:GetCallerIdentity":
        return policy.Decision(True, "everybody may ask who they are", "")
    return policy.evaluate(user.policies, call.action, call.resources, context)


def _body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body = stream.read(LARGEST_BODY + 1)
    else:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal():
            raise Refused("400 Bad Request", "InvalidRequest", "Content-Length is not a number.")
        body = stream.read(min(int(length), LARGEST_BODY + 1))
    if len(body) > LARGEST_BODY:
        raise Refused("413 Content Too Large", "InvalidRequest", f"The body is larger than {LARGEST_BODY} bytes.")
    return body


def _signed(environ: Environ, body: bytes) -> signatures.Signed:
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if key in environ:
            headers[key.replace("_", "-").lower()] = environ[key]
    raw = environ["RAW_URI"].partition("?")[0]
    if "://" in raw:
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    return signatures.Signed(environ["REQUEST_METHOD"], raw, environ.get("QUERY_STRING", ""), headers, body)


def _judged(environ: Environ, service: str, body: bytes) -> Environ:
    """Only what the decision looked at. moto would take an operation also from a header, a form, or a body that
    reads like one, and the region from a user agent."""
    kept = ("HTTP_HOST", "HTTP_AUTHORIZATION")
    onwards = {key: value for key, value in environ.items() if not key.startswith(("HTTP_", "moto.")) or key in kept}
    onwards.update(_input(body))
    if service == "route53":
        onwards["CONTENT_TYPE"] = "text/xml"
        # With no parameter at all moto looks for one in the body and in the headers.
        onwards["QUERY_STRING"] = environ.get("QUERY_STRING") or "lab=judged"
    return onwards


def _input(body: bytes) -> Environ:
    return {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(body))}


def _answer(start_response: Any, refused: Refused, service: str) -> Iterable[bytes]:
    namespace = _NAMESPACES.get(service, _NAMESPACES["route53"])
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ErrorResponse xmlns="{namespace}"><Error><Type>Sender</Type>'
        f"<Code>{refused.code}</Code><Message>{saxutils.escape(refused.message)}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return _respond(start_response, refused.status, "text/xml", text.encode())


def _respond(start_response: Any, status: str, content_type: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
