"""`python -m lab.charts`: serve the lab's chart repository on the lab's address until SIGTERM."""

from __future__ import annotations

import functools
import http.server
import signal
import sys
import threading
from typing import Any

from lab import layout
from lab.charts import repository


class Handler(http.server.SimpleHTTPRequestHandler):
    """Static files, one line of log per request, never cached."""

    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        print(self.log_date_time_string(), self.client_address[0], format % args, flush=True)


def overrides(lab: layout.Lab) -> dict[str, dict[str, Any]]:
    """Defaults that depend on the lab.

    Argo CD's application controller is the one server that cannot be told an address: its metrics are on
    every interface, so that the port has to differ between two labs.
    """
    return {"argo-cd": {"controller": {"containerPorts": {"metrics": 20000 + lab.network}}}}


def main() -> int:
    """Pack, serve, stop on SIGTERM or Ctrl-C. Exit code 2: no lab, or the port is taken."""
    try:
        lab = layout.load()
    except layout.LabError as error:
        print(error, file=sys.stderr)
        return 2
    folder = lab.folder("chart-repository")
    repository.build(folder, overrides(lab))
    address = (lab.address, lab.ports["charts"])
    try:
        server = http.server.ThreadingHTTPServer(address, functools.partial(Handler, directory=str(folder)))
    except OSError as error:
        print(f"the chart repository cannot listen on {address[0]}:{address[1]}: {error}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        # shutdown() waits for serve_forever, which runs in this very thread.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"charts {', '.join(repository.names())} on {lab.endpoint('charts')}", flush=True)
    with server:
        server.serve_forever(poll_interval=0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
