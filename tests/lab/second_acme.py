"""A second ACME server beside the lab's own, as another directory of a certificate authority."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

import engine as engines

from lab import acme, layout, toolchain


class Server(NamedTuple):
    """Its directory's URL, and a file with its root."""

    directory: str
    root: pathlib.Path


@contextlib.contextmanager
def running(lab: layout.Lab, folder: pathlib.Path) -> Iterator[Server]:
    """pebble with ports and a root of its own; it validates as the lab's own does."""
    ports = [_free(lab.address) for _ in range(2)]
    config = acme.config(lab, lab.folder("pki"))
    config["pebble"] |= {
        "listenAddress": f"{lab.address}:{ports[0]}",
        "managementListenAddress": f"{lab.address}:{ports[1]}",
    }
    file = folder / "acme.json"
    file.write_text(json.dumps(config))
    binary = toolchain.find("pebble")
    assert binary
    argv = [str(binary), "-config", str(file), "-dnsserver", f"{lab.address}:{lab.ports['dns']}"]
    with (folder / "acme.log").open("w") as log:
        process = subprocess.Popen(argv, env={**os.environ, **acme.environment()}, stdout=log, stderr=log)
    try:
        root = folder / "root.pem"
        url = f"https://{lab.address}:{ports[1]}/roots/0"
        root.write_bytes(engines.wait_for(lambda: _answer(lab, url), 20, "the second ACME server answers"))
        yield Server(f"https://{lab.address}:{ports[0]}/dir", root)
    finally:
        process.terminate()
        process.wait(10)


def _free(address: str) -> int:
    with socket.create_server((address, 0)) as probe:
        return int(probe.getsockname()[1])


def _answer(lab: layout.Lab, url: str) -> bytes | None:
    trust = ssl.create_default_context(cafile=str(lab.home / "pki" / "ca.crt"))
    try:
        with urllib.request.urlopen(url, timeout=2, context=trust) as answer:
            return answer.read()
    except (urllib.error.URLError, OSError):
        return None
