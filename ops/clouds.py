"""What really exists of something that an interrupted run was making: in IONOS Cloud, in AWS, as a Helm release."""

from __future__ import annotations

import base64
import functools
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ops import kubectl, progress
from ops.stack import OpsError

READY = ("AVAILABLE", "ACTIVE")
IONOS = "https://api.ionos.com"
RECORD_POSITION = ("StartRecordName", "StartRecordType", "StartRecordIdentifier")
"""Where a page of a zone's records begins."""
RECORDS_AT_ONCE = 100
"""Route53 takes 1000 changes of 32000 characters in all."""


class Ionos:
    """The IONOS Cloud API, read only. Credentials: those of the provider in state, else of the environment."""

    def __init__(self, provider: dict[str, Any], say: Callable[[str], None], minutes: float) -> None:
        self._say, self._seconds = say, minutes * 60
        endpoint = str(provider.get("endpoint") or os.environ.get("IONOS_API_URL") or IONOS).rstrip("/")
        self._url = endpoint if endpoint.endswith("/cloudapi/v6") else f"{endpoint}/cloudapi/v6"
        token = provider.get("token") or os.environ.get("IONOS_TOKEN")
        user, password = os.environ.get("IONOS_USERNAME"), os.environ.get("IONOS_PASSWORD")
        if token:
            self._login = f"Bearer {token}"
        elif user and password:
            self._login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        else:
            raise OpsError("IONOS Cloud cannot be asked: set IONOS_TOKEN")

    def find(self, path: str, wanted: dict[str, Any]) -> list[str]:
        """Ids of the objects of a collection whose properties are these."""
        entries = (self.get(f"{path}?depth=1&limit=1000") or {}).get("items", [])
        return [
            str(entry["id"])
            for entry in entries
            if all(entry.get("properties", {}).get(key) == value for key, value in wanted.items())
        ]

    def settle(self, path: str, title: str) -> bool:
        """Wait until an object is ready. Returns False if it went away; raises `OpsError` if it fails."""
        end, said = time.monotonic() + self._seconds, ""
        while True:
            entry = self.get(path)
            if entry is None:
                return False
            state = str(entry.get("metadata", {}).get("state"))
            if state in READY:
                return True
            if "FAILED" in state:
                raise OpsError(f"{title} is {state} in IONOS Cloud: delete it there, then run this again")
            if time.monotonic() > end:
                raise OpsError(f"{title} is still {state} in IONOS Cloud: run this again later")
            if state != said:
                self._say(f"waiting for {title}, which is {state}")
                said = state
            time.sleep(2)

    def get(self, path: str) -> dict[str, Any] | None:
        """An answer, None for 404."""
        request = urllib.request.Request(self._url + path, headers={"Authorization": self._login})  # noqa: S310
        try:
            with progress.announced("IONOS Cloud"), urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            hint = ": the token is not accepted" if error.code == 401 else ""
            raise OpsError(f"IONOS Cloud answers {error.code}{hint}") from None
        except OSError as error:
            raise OpsError(f"IONOS Cloud cannot be reached ({type(error).__name__})") from None


class Aws:
    """Route53 and IAM, with the credentials of the environment."""

    def zones(self, name: str, comment: str) -> list[str]:
        """Ids of the public zones for a domain that carry this comment."""
        answer = self._call("route53", "list_hosted_zones_by_name", DNSName=name)
        return [
            str(zone["Id"]).removeprefix("/hostedzone/")
            for zone in answer["HostedZones"]
            if zone["Name"].rstrip(".") == name
            and not zone["Config"].get("PrivateZone")
            and zone["Config"].get("Comment", "") == comment
        ]

    def has_user(self, name: str) -> bool:
        """Whether an IAM user is there."""
        return self._call("iam", "get_user", UserName=name) is not None

    def keys(self, user: str) -> list[str]:
        """Ids of a user's access keys."""
        answer = self._call("iam", "list_access_keys", UserName=user) or {}
        return [str(key["AccessKeyId"]) for key in answer.get("AccessKeyMetadata", [])]

    def delete_key(self, user: str, key: str) -> None:
        """Delete an access key."""
        self._call("iam", "delete_access_key", UserName=user, AccessKeyId=key)

    def records(self, zone: str) -> list[dict[str, Any]]:
        """A zone's record sets, as Route53 lists them; none of a zone that is gone."""
        found: list[dict[str, Any]] = []
        start: dict[str, str] = {}
        while True:
            page = self._call("route53", "list_resource_record_sets", HostedZoneId=zone, **start) or {}
            found += page.get("ResourceRecordSets", [])
            if not page.get("IsTruncated"):
                return found
            following = {key: page.get(f"Next{key.removeprefix('Start')}") for key in RECORD_POSITION}
            start = {key: value for key, value in following.items() if value}

    def delete_records(self, zone: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Delete record sets, given as they were listed."""
        for start in range(0, len(records), RECORDS_AT_ONCE):
            some = records[start : start + RECORDS_AT_ONCE]
            changes = [{"Action": "DELETE", "ResourceRecordSet": one} for one in some]
            self._call("route53", "change_resource_record_sets", HostedZoneId=zone, ChangeBatch={"Changes": changes})

    @functools.cache  # noqa: B019  (lives as long as the command)
    def _client(self, service: str) -> Any:
        try:
            import boto3  # 0.3 s, and only needed here
        except ImportError:
            raise OpsError("AWS cannot be asked without boto3: `pip install -r requirements-dev.txt`") from None
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return boto3.client(service, region_name=region)

    def _call(self, service: str, method: str, **arguments: Any) -> Any:
        client = self._client(service)
        import botocore.exceptions

        try:
            with progress.announced("AWS"):
                return getattr(client, method)(**arguments)
        except botocore.exceptions.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NoSuchEntity", "NoSuchHostedZone"):
                return None
            raise OpsError(f"AWS does not answer {method}: {code}") from None
        except botocore.exceptions.BotoCoreError as error:
            raise OpsError(f"AWS cannot be asked: {error}") from None


class Helm:
    """Helm's own records of a release, in the cluster of a kubeconfig."""

    def __init__(self, kubeconfig: str) -> None:
        self._cluster = kubectl.Kubectl(kubeconfig)

    def records(self, namespace: str, release: str) -> dict[str, str]:
        """The Secrets in which Helm keeps a release's revisions, with their status; the newest last."""
        shown = '{range .items[*]}{.metadata.name}{" "}{.metadata.labels.status}{"\\n"}{end}'
        said = self._kubectl(
            "get", "secrets", "--namespace", namespace, "--selector", f"owner=helm,name={release}",
            "--sort-by", ".metadata.creationTimestamp", "--output", f"jsonpath={shown}",
        )  # fmt: skip
        return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)

    def delete(self, namespace: str, names: list[str]) -> None:
        """Delete such records. What the release made stays: the next install takes it over by its annotations."""
        self._kubectl("delete", "secrets", "--namespace", namespace, "--ignore-not-found", *names)

    def mark_deployed(self, namespace: str, names: list[str]) -> None:
        """Let Helm upgrade a release that it holds for half removed: it looks for this label. A removal still works."""
        self._kubectl("label", "secrets", "--namespace", namespace, "--overwrite", *names, "status=deployed")

    def _kubectl(self, *arguments: str) -> str:
        try:
            return self._cluster.run(*arguments)
        except kubectl.ClusterError as error:
            raise OpsError(f"the cluster cannot be asked about Helm's records:\n{error}") from None
