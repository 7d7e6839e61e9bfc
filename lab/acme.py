"""The lab's ACME server: pebble, made to validate through the lab's DNS and ingress, and trusted by the lab's CA.

`python -m lab.acme` runs it in the foreground until SIGTERM. What it knows (accounts, orders, its own authorities)
is gone when it stops; clients register again. It makes a new root each time; certificates from before stay trusted,
since the lab remembers the roots that it had. https://github.com/letsencrypt/pebble
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import threading
import time
import types
import urllib.error
import urllib.request
from typing import Any

from lab import layout, pki, toolchain

READY_SECONDS = 20.0
CERTIFICATE_DAYS = 90
HTTP, HTTPS = 80, 443


def directory(lab: layout.Lab) -> str:
    """The URL that ACME clients are given."""
    return f"{lab.endpoint('acme', 'https')}/dir"


def root(lab: layout.Lab) -> pathlib.Path:
    """The roots that issued certificates lead to (PEM), the present one first; there while the server runs."""
    return lab.home / "acme-root.pem"


def _earlier(lab: layout.Lab) -> pathlib.Path:
    return lab.home / "acme-roots-before.pem"


def config(lab: layout.Lab, folder: pathlib.Path) -> dict[str, Any]:
    """pebble's configuration; `folder` holds `acme.crt` and `acme.key`."""
    return {
        "pebble": {
            "listenAddress": f"{lab.address}:{lab.ports['acme']}",
            "managementListenAddress": f"{lab.address}:{lab.ports['acme_management']}",
            "certificate": str(folder / "acme.crt"),
            "privateKey": str(folder / "acme.key"),
            "httpPort": lab.usable(HTTP),
            "tlsPort": lab.usable(HTTPS),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": CERTIFICATE_DAYS * 24 * 3600,
            "retryAfter": {"authz": 1, "order": 1},
        }
    }


def environment() -> dict[str, str]:
    """pebble's habits as a test server switched off: slow validations, refused nonces, reused authorizations."""
    return {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 when it cannot start."""
    try:
        lab = layout.load()
        process = _start(lab)
    except (layout.LabError, toolchain.ToolchainError, OSError) as error:
        print(error, file=sys.stderr)
        return 2

    def stop(_number: int, _frame: types.FrameType | None) -> None:
        process.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    threading.Thread(target=_save_root, args=(lab,), daemon=True).start()
    return 0 if process.wait() in (0, -signal.SIGTERM) else 1


def _start(lab: layout.Lab) -> subprocess.Popen[bytes]:
    if root(lab).exists():
        root(lab).replace(_earlier(lab))
    folder = lab.folder("pki")
    pki.authority(folder, "gitops-platform lab")
    pki.certificate(folder, "acme", "acme", [lab.address])
    file = lab.home / "acme.json"
    file.write_text(json.dumps(config(lab, folder), indent=2) + "\n")
    binary = toolchain.find("pebble")
    if binary is None:
        raise layout.LabError("the lab has no pebble yet: run `python -m lab.toolchain pebble`")
    argv = [str(binary), "-config", str(file), "-dnsserver", f"{lab.address}:{lab.ports['dns']}"]
    return subprocess.Popen(argv, env={**os.environ, **environment()})


def _save_root(lab: layout.Lab) -> None:
    trust = ssl.create_default_context(cafile=str(lab.home / "pki" / "ca.crt"))
    url = f"{lab.endpoint('acme_management', 'https')}/roots/0"
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2, context=trust) as answer:  # noqa: S310
                text = answer.read()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
            continue
        temporary = root(lab).with_suffix(".new")
        temporary.write_bytes(text + (_earlier(lab).read_bytes() if _earlier(lab).exists() else b""))
        temporary.replace(root(lab))
        return
    print(f"no answer from {url}: the root stays unknown", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
