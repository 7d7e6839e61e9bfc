"""`python -m lab.dns`: the DNS server of the lab in `$LAB_HOME`, in the foreground until SIGTERM."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from lab import layout
from lab.dns import server, source


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 when the port is taken or the lab is damaged."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        lab = layout.load()
        server.serve(lab, source.Source(lab))
    except (layout.LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    logging.info("DNS is at %s port %d, UDP and TCP", lab.address, lab.ports["dns"])
    stopped.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
