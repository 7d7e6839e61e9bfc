"""The IONOS Cloud REST API, as its official SDK calls it."""

from __future__ import annotations

import json
import typing

import urllib3

from lab.plugins import base

Json = dict[str, typing.Any]

SERVER, ROOT = "https://api.ionos.com", "/cloudapi/v6"
RETRIES, RETRY_SECONDS = 20, 1.0
SECONDS = urllib3.Timeout(connect=15, read=60)


class ApiError(base.PluginError):
    """An answer other than 2xx (`status`), or none (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """One account. Paths begin below `/cloudapi/v6`."""

    def __init__(
        self, endpoint: str, token: str, username: str, password: str, contract: str = "", insecure: bool = False
    ) -> None:
        endpoint = (endpoint or SERVER).rstrip("/")
        self._url = endpoint if endpoint.endswith(ROOT) else endpoint + ROOT
        if token:
            self._headers = {"Authorization": f"Bearer {token}"}
        else:
            self._headers = urllib3.make_headers(basic_auth=f"{username}:{password}")
        if contract:
            self._headers["X-Contract-Number"] = contract
        self._pool = urllib3.PoolManager(
            maxsize=16, timeout=SECONDS, retries=False, cert_reqs="CERT_NONE" if insecure else "CERT_REQUIRED"
        )

    def get(self, call: base.Call, path: str, depth: int = 0) -> Json:
        """An object or a collection."""
        return json.loads(self.send(call, "GET", f"{path}?depth={depth}&pretty=true").data)

    def find(self, call: base.Call, path: str) -> Json | None:
        """An object, or None when there is none."""
        try:
            return self.get(call, path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def text(self, call: base.Call, path: str) -> str:
        """An answer that is no JSON."""
        return self.send(call, "GET", f"{path}?depth=0&pretty=true").data.decode()

    def change(self, call: base.Call, method: str, path: str, body: Json | None = None) -> tuple[Json, str]:
        """(the object as accepted, {} after a DELETE; URL of the request's status)."""
        response = self.send(call, method, f"{path}?depth=0&pretty=true", body)
        return json.loads(response.data or b"{}"), response.headers.get("Location", "")

    def request_state(self, call: base.Call, location: str) -> tuple[str, str]:
        """(QUEUED | RUNNING | DONE | FAILED, message) of an accepted request."""
        metadata = json.loads(self.send(call, "GET", location).data)["metadata"]
        return metadata["status"], metadata.get("message") or ""

    def send(self, call: base.Call, method: str, path: str, body: Json | None = None) -> urllib3.BaseHTTPResponse:
        """One request; tried again where the SDK would, until the run is interrupted."""
        url = path if path.startswith(("http://", "https://")) else self._url + path
        headers = self._headers | {"Accept": "application/json", "Content-Type": "application/json"}
        retries = 0
        while True:
            try:
                data = None if body is None else json.dumps(body).encode()
                response = self._pool.request(method, url, body=data, headers=headers)
            except urllib3.exceptions.HTTPError as error:
                raise ApiError(0, f'{method.title()} "{url}": {error}') from None
            if retries == RETRIES or not _again(method, response.status):
                break
            retries += 1
            pause = response.headers.get("Retry-After", "")
            call.sleep(float(pause) if pause.isdigit() else RETRY_SECONDS)
        if response.status >= 300:
            text = response.data.decode(errors="replace")
            raise ApiError(response.status, f"{response.status} {response.reason} {text}".strip())
        return response


def _again(method: str, status: int) -> bool:
    if status == 429:
        return True
    return (status in (502, 503, 504) and method != "POST") or (status == 500 and method == "GET")
