"""The shapes of the IONOS Cloud API: objects, collections and error answers.

Upstream: https://api.ionos.com/docs/cloud/v6/
"""

from __future__ import annotations

import time
import typing

Json = dict[str, typing.Any]

ROOT = "/cloudapi/v6"

PATHS = {
    "datacenter": "/datacenters",
    "ipblock": "/ipblocks",
    "k8s": "/k8s",
    "nodepool": "/k8s/{parent}/nodepools",
    "lan": "/datacenters/{parent}/lans",
}
"""Kind (the API's own `type`) -> path of its collection."""


class ApiError(Exception):
    """An answer other than 2xx, with one or more messages."""

    def __init__(self, status: int, *messages: str, code: str = "") -> None:
        super().__init__("; ".join(messages))
        self.status = status
        self.messages = messages
        self.code = code or {401: "315", 404: "309", 422: "100"}.get(status, str(status))

    def body(self) -> Json:
        """The answer's JSON: `{"httpStatus", "messages": [{"errorCode", "message"}]}`."""
        return {
            "httpStatus": self.status,
            "messages": [{"errorCode": self.code, "message": message} for message in self.messages],
        }


def missing() -> ApiError:
    """What every path answers that leads to nothing."""
    return ApiError(404, "Resource does not exist")


def now() -> str:
    """The present moment as the API writes it (UTC, seconds)."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def metadata(state: str) -> Json:
    """Metadata of a new object."""
    return {
        "etag": "",
        "createdDate": now(),
        "createdBy": "lab",
        "createdByUserId": "00000000-0000-0000-0000-000000000000",
        "lastModifiedDate": now(),
        "lastModifiedBy": "lab",
        "lastModifiedByUserId": "00000000-0000-0000-0000-000000000000",
        "state": state,
    }


def href(endpoint: str, entry: Json) -> str:
    """URL of a stored object."""
    path = PATHS[entry["kind"]].format(parent=entry.get("parent"))
    return f"{endpoint}{ROOT}{path}/{shown_id(entry)}"


def shown_id(entry: Json) -> str:
    """The id that the API shows: a LAN's is its number in the datacenter, which the store's key ends with."""
    return entry["id"].rpartition("/")[2]


def element(endpoint: str, entry: Json) -> Json:
    """A stored object as a GET answers it."""
    return {
        "id": shown_id(entry),
        "type": entry["kind"],
        "href": href(endpoint, entry),
        "metadata": entry["metadata"],
        "properties": entry["properties"],
    }


def collection(endpoint: str, path: str, kind: str, items: list[Json], depth: int) -> Json:
    """A list of stored objects; at depth 0 only references, as the real API does."""
    shown = [element(endpoint, entry) for entry in items]
    if depth < 1:
        shown = [{key: item[key] for key in ("id", "type", "href")} for item in shown]
    return {
        "id": path.strip("/"),
        "type": "collection",
        "href": f"{endpoint}{ROOT}{path}",
        "items": shown,
        "offset": 0,
        "limit": 1000,
        "_links": {},
    }
