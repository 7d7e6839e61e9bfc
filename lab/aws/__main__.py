"""Run the AWS of the lab in LAB_HOME: `python -m lab.aws`. What it holds is gone when it stops."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

# moto would let any web page call it from a browser; read when moto is imported.
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"

from lab import layout, pki
from lab.aws import accounts, gate, servers


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 when a port is taken or the lab is damaged."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    accounts.like_route53()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        lab = layout.load()
        folder = lab.folder("pki")
        pki.authority(folder, "gitops-platform lab")
        application = gate.Gate(lab.secret("aws-secret"))
        doors = [
            servers.plain(lab.address, lab.ports["aws"], application),
            servers.proxy(lab.address, lab.ports["aws_proxy"], application, folder),
        ]
    except (layout.LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for door in doors:
        threading.Thread(target=door.serve_forever, daemon=True).start()
    logging.info("AWS is at %s, its HTTPS proxy at %s", lab.endpoint("aws"), lab.endpoint("aws_proxy"))
    stopped.wait()
    for door in doors:
        door.shutdown()
        door.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
