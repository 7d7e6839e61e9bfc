"""Where a lab lives: its folder, its loopback network and its ports.

One folder holds everything that a lab writes (`.lab` beside the program, or `$LAB_HOME`). One file in
it, `lab.json`, says which /16 of 127.0.0.0/8 and which ports this lab took, so that its processes find
each other and two labs on one machine do not meet.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
import secrets
import socket

from lab import networks

PROJECT = pathlib.Path(__file__).resolve().parent.parent

PORTS = {
    "etcd": 2379,
    "etcd_peer": 2380,
    "apiserver": 6443,
    "controller_manager": 10257,
    "scheduler": 10259,
    "kubelet": 10250,
    "ionos": 8080,
    "aws": 5000,
    "aws_proxy": 5001,
    "dns": 53,
    "acme": 14000,
    "acme_management": 15000,
    "charts": 8879,
    "plugin_kubernetes": 7001,
    "plugin_aws": 7002,
    "plugin_ionoscloud": 7003,
    "plugin_tls": 7004,
}
"""Service -> the port it prefers on the lab's own address; a taken one is exchanged for a free one."""

ENGINE_ADDRESS = "127.0.0.1"
"""Where Pulumi looks for attached plugins: PULUMI_DEBUG_PROVIDERS names ports only."""

LOW, SHIFT = 1024, 8000
"""Ports below LOW need a privilege; where the machine does not give it, they are moved up by SHIFT."""

FIRST_NETWORK, LAST_NETWORK = 77, 199


class LabError(Exception):
    """Something about the lab that the person in front of it can mend; the message says how."""


@dataclasses.dataclass(frozen=True)
class Lab:
    """One lab's folder, network and ports."""

    home: pathlib.Path
    network: int
    ports: dict[str, int]

    @property
    def address(self) -> str:
        """The loopback address of the lab's own servers; pods and load balancers have others."""
        return f"127.{self.network}.0.1"

    def host(self, service: str) -> str:
        """The address that a server listens on: the lab's own, but for plugins, which the engine dictates."""
        return ENGINE_ADDRESS if service.startswith("plugin_") else self.address

    def endpoint(self, service: str, scheme: str = "http") -> str:
        """URL of one of the lab's servers, without a trailing slash."""
        return f"{scheme}://{self.host(service)}:{self.ports[service]}"

    @property
    def pod_network(self) -> tuple[str, str]:
        """First and last address for pods (16,382 of them)."""
        return f"127.{self.network}.1.1", f"127.{self.network}.63.254"

    @property
    def public_network(self) -> str:
        """The /24 (without its last byte) that the emulated IP blocks are cut from."""
        return f"127.{self.network}.200"

    @property
    def nowhere(self) -> str:
        """An address where nothing ever listens: connections are refused at once."""
        return f"127.{self.network}.255.254"

    def usable(self, port: int) -> int:
        """The port that stands for `port` on this machine: 443 is 8443 where low ports are not free to use."""
        return port if port >= LOW or _may_use_low_ports(self.address) else port + SHIFT

    @property
    def kubeconfig(self) -> pathlib.Path:
        """The lab's own administrator kubeconfig (mode 0600); not the one the emulated cloud hands out."""
        return self.home / "kubeconfig"

    def folder(self, *parts: str) -> pathlib.Path:
        """A folder of the lab, made when missing, closed to other users."""
        path = self.home.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def log(self, process: str) -> pathlib.Path:
        """The log file of one of the lab's processes."""
        return self.folder("log") / f"{process}.log"

    def secret(self, name: str) -> str:
        """A random text kept in the lab's folder (mode 0600), made at the first call by whichever process."""
        path = self.home / name
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        text = secrets.token_urlsafe(24)
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
        return text

    def save(self) -> None:
        """Write `lab.json`, whole or not at all."""
        text = json.dumps({"network": self.network, "ports": self.ports}, indent=2) + "\n"
        temporary = self.home / "lab.json.new"
        temporary.write_text(text)
        temporary.replace(self.home / "lab.json")


def home() -> pathlib.Path:
    """The lab folder that applies here: `$LAB_HOME`, else `.lab` beside the program."""
    return pathlib.Path(os.environ.get("LAB_HOME") or PROJECT / ".lab").absolute()


def load(folder: pathlib.Path | None = None) -> Lab:
    """The lab in `folder` (default: `home()`); LabError when there is none or its file is damaged."""
    folder = folder or home()
    try:
        facts = json.loads((folder / "lab.json").read_text())
        return Lab(folder, int(facts["network"]), {k: int(v) for k, v in facts["ports"].items()})
    except FileNotFoundError:
        raise LabError(f"no lab in {folder}: start one with `make demo`") from None
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{folder / 'lab.json'} is damaged ({error}): `make down` clears it away") from None


def create(folder: pathlib.Path | None = None) -> Lab:
    """The lab in `folder`, or a new one on a network that no other lab holds."""
    folder = folder or home()
    if (folder / "lab.json").exists():
        return _completed(load(folder))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    with networks.choosing():
        network = _free_network()
        networks.claim(network, folder / "lab.json")
        return _completed(Lab(folder, network, {}))


def _free_network() -> int:
    for network in range(FIRST_NETWORK, LAST_NETWORK + 1):
        # Other users' labs, and what is no lab, are seen by what listens.
        if not networks.held(network) and _free(f"127.{network}.0.1", PORTS["apiserver"]):
            return network
    raise LabError("every loopback network for labs is in use: remove a lab with `make down`")


def _completed(lab: Lab) -> Lab:
    """With a port for every service; a lab that an older version made lacks some."""
    lacking = {name: _choose(lab, name) for name in PORTS if name not in lab.ports}
    if not lacking:
        return lab
    complete = dataclasses.replace(lab, ports={**lab.ports, **lacking})
    complete.save()
    return complete


def _choose(lab: Lab, name: str) -> int:
    port, host = PORTS[name], lab.host(name)
    if host == ENGINE_ADDRESS:
        # One address for all labs, so each lab prefers ports of its own.
        port += 10 * (lab.network - FIRST_NETWORK)
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM) if name == "dns" else (socket.SOCK_STREAM,)
    return port if all(_free(host, port, kind) for kind in kinds) else _any_free(host)


def _free(address: str, port: int, kind: int = socket.SOCK_STREAM) -> bool:
    with socket.socket(type=kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


@functools.cache
def _may_use_low_ports(address: str) -> bool:
    # An uncommon one: whether something listens there is not the question.
    return _free(address, 1)


def _any_free(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
