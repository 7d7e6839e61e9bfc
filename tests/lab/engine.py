"""Drive the real Pulumi engine on the lab's stack, and look at what it did from outside."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import yaml

from lab import kube, layout, workspace

UP_SECONDS = 420


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Engine:
    """`pulumi` on the lab's stack, with the lab's environment."""

    def __init__(self, lab: layout.Lab) -> None:
        self.lab = lab

    def environment(self) -> dict[str, str]:
        return workspace.process_environment(self.lab)

    def run(self, *argv: str, seconds: float = UP_SECONDS, stdin: str | None = None, **env: str) -> Run:
        """Run a command to its end, whatever that is."""
        done = subprocess.run(
            argv, cwd=layout.PROJECT, env={**self.environment(), **env}, capture_output=True, text=True,
            timeout=seconds, check=False, input=stdin,
        )  # fmt: skip
        return Run(done.returncode, done.stdout, done.stderr)

    def pulumi(self, command: str, *more: str, seconds: float = UP_SECONDS, **env: str) -> Run:
        """`pulumi <command> --non-interactive`."""
        return self.run("pulumi", *command.split(), *more, "--non-interactive", seconds=seconds, **env)

    def up(self, *more: str, **env: str) -> Run:
        """`pulumi up`, which has to succeed."""
        run = self.pulumi("up --yes --skip-preview", *more, **env)
        assert run.code == 0, run.text
        return run

    def start_up(self) -> subprocess.Popen[str]:
        """`pulumi up` in the background, in a process group of its own, its output in `up.out`."""
        return self.start("up")

    def start(self, command: str) -> subprocess.Popen[str]:
        """`pulumi up` or `destroy` in the background, in a process group of its own, its output in `<command>.out`."""
        with (self.lab.home / f"{command}.out").open("w") as out:
            return subprocess.Popen(
                ["pulumi", command, "--yes", "--skip-preview", "--non-interactive"], cwd=layout.PROJECT,
                env=self.environment(), stdout=out, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip

    def killed(self, command: str, marker: str, seconds: float = 180) -> None:
        """`pulumi <command>`, killed when its output has `marker` (a pattern), then made fit to be run again."""
        process, log = self.start(command), self.lab.home / f"{command}.out"
        wait_for(lambda: re.search(marker, log.read_text()) or process.poll() is not None, seconds, marker)
        assert process.poll() is None, log.read_text()
        end(process, signal.SIGKILL)
        recovered = self.run("python", "-m", "ops", "recover", "lab", "--yes")
        assert recovered.code == 0, recovered.text

    def preview(self, *more: str) -> dict[str, Any]:
        """`pulumi preview --json`, parsed."""
        run = self.pulumi("preview --json", *more)
        assert run.code == 0, run.text
        return json.loads(run.out)

    def outputs(self, *, secrets: bool = False) -> dict[str, Any]:
        run = self.pulumi("stack output --json", *(["--show-secrets"] if secrets else []))
        assert run.code == 0, run.text
        return json.loads(run.out)

    def state(self) -> dict[str, Any]:
        run = self.pulumi("stack export")
        assert run.code == 0, run.text
        return json.loads(run.out)["deployment"]

    @contextlib.contextmanager
    def changed_config(self, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
        """The stack file changed for a while; sections are plain mappings."""
        file = workspace.config_file(self.lab)
        before = file.read_text()
        document = yaml.safe_load(before)
        change(document["config"])
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        try:
            yield
        finally:
            file.write_text(before)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> Run:
        return self.run("kubectl", *arguments, seconds=60, stdin=stdin)

    @property
    def cluster(self) -> kube.KubeClient:
        return kube.KubeClient(self.lab.kubeconfig)

    def aws(self, service: str) -> Any:
        """A boto3 client of the lab's AWS, with its administrator's key."""
        return boto3.client(
            service, endpoint_url=self.lab.endpoint("aws"), region_name="eu-central-1",
            aws_access_key_id="lab", aws_secret_access_key=self.lab.secret("aws-secret"),
        )  # fmt: skip

    def about_aws(self, what: str) -> list[dict[str, Any]]:
        """What the lab's AWS remembers, oldest first: `denied` calls, `changes` of zones and records."""
        with urllib.request.urlopen(f"{self.lab.endpoint('aws')}/lab/aws/{what}", timeout=10) as answer:
            return json.load(answer)

    def key_ids(self) -> dict[str, str]:
        """Access key id -> name of the user whom it belongs to."""
        iam = self.aws("iam")
        names = [user["UserName"] for user in iam.list_users()["Users"]]
        return {
            key["AccessKeyId"]: name
            for name in names
            for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
        }

    def records(self, zone: str) -> set[tuple[str, str]]:
        """Type and name of the records in a zone, without the zone's own."""
        pages = self.aws("route53").get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
        found = {(each["Type"], each["Name"].rstrip(".")) for page in pages for each in page["ResourceRecordSets"]}
        return {(kind, name) for kind, name in found if kind not in ("NS", "SOA")}

    def write_record(self, zone: str, name: str, kind: str, value: str, action: str = "CREATE") -> None:
        """Write (or DELETE) one record by hand."""
        entry = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
        changes = {"Changes": [{"Action": action, "ResourceRecordSet": entry}]}
        self.aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)

    def remove_record(self, zone: str, name: str, kind: str) -> None:
        """Delete one record, whatever it holds."""
        route53 = self.aws("route53")
        pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
        for each in [each for page in pages for each in page["ResourceRecordSets"]]:
            if (each["Type"], each["Name"].rstrip(".")) == (kind, name):
                changes = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": each}]}
                route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)

    def lose_the_cluster(self) -> None:
        """Delete pools and cluster as if somebody did it in IONOS's console."""
        api = f"{self.lab.endpoint('ionos')}/cloudapi/v6/k8s"
        token = {"Authorization": f"Bearer {self.environment()['IONOS_TOKEN']}"}

        def call(method: str, url: str) -> Any:
            request = urllib.request.Request(url, method=method, headers=token)
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return json.loads(text) if text else None

        cluster = call("GET", api)["items"][0]["id"]
        for pool in call("GET", f"{api}/{cluster}/nodepools")["items"]:
            call("DELETE", f"{api}/{cluster}/nodepools/{pool['id']}")
        wait_for(lambda: not self.ionos_objects()["nodepool"], 60, "node pools are gone")
        call("DELETE", f"{api}/{cluster}")
        wait_for(lambda: not self.ionos_objects()["k8s"], 60, "the cluster is gone")

    def ionos_objects(self) -> Counter[str]:
        """How many of each kind exist in the emulated IONOS account (datacenter, ipblock, k8s, nodepool)."""
        with urllib.request.urlopen(f"{self.lab.endpoint('ionos')}/lab/objects", timeout=10) as answer:
            return Counter(entry["kind"] for entry in json.load(answer))

    def stranded(self) -> list[dict[str, Any]]:
        """Each removal of a node pool or cluster while load balancers held addresses: `{kind, name, addresses}`."""
        with urllib.request.urlopen(f"{self.lab.endpoint('ionos')}/lab/stranded", timeout=10) as answer:
            return json.load(answer)


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def then(condition: Callable[[], Any], action: Callable[[], object], seconds: float, what: str) -> threading.Thread:
    """Do something as soon as `condition` is true, beside the caller; also when it is not within `seconds`."""

    def run() -> None:
        try:
            wait_for(condition, seconds, what)
        finally:
            action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def end(process: subprocess.Popen[str], how: signal.Signals, seconds: float = 120) -> int:
    """Send a signal to a background `up` (SIGKILL to its whole group) and wait for its end."""
    if how == signal.SIGKILL:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    return process.wait(seconds)


def commands(folder: pathlib.Path) -> list[tuple[str, ...]]:
    """What runs in the containers of the lab in this folder: the command lines under bubblewrap's, each once."""
    parents, words = {}, {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            words[int(entry.name)] = tuple((entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1])
        except OSError:
            continue
    shells = {pid for pid, argv in words.items() if argv and pathlib.Path(argv[0]).name == "bwrap"}
    ours = {pid for pid in shells if any(word.startswith(f"{folder}/") for word in words[pid])}
    size = 0
    while size != len(ours):
        size = len(ours)
        ours |= {pid for pid, parent in parents.items() if parent in ours}
    return sorted({words[pid] for pid in ours - shells if words.get(pid)})


def processes_under(folder: pathlib.Path) -> list[str]:
    """Command lines of all processes whose environment or arguments name this folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            argv = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in argv or f"LAB_HOME={folder}" in environment:
            found.append(argv)
    return found
