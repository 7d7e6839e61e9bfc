"""Serve plugins: `python -m lab.plugins kubernetes aws ionoscloud tls`, each on the lab's port `plugin_<name>`.

They listen on `layout.ENGINE_ADDRESS`, not on the lab's own address: that is where Pulumi dials.
"""

from __future__ import annotations

import importlib
import logging
import signal
import sys
import threading

from lab import layout
from lab.plugins import base


def main(names: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; 2 for an unknown name or a taken port."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    servers = []
    try:
        lab = layout.load()
        for name in names:
            port = lab.ports.get(f"plugin_{name}")
            if port is None:
                raise layout.LabError(f"there is no plugin {name}")
            servers.append(
                base.serve(importlib.import_module(f"lab.plugins.{name}").provider(), layout.ENGINE_ADDRESS, port)
            )
    except (layout.LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    stopped.wait()
    for stopping in [server.stop(grace=2) for server in servers]:
        stopping.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
