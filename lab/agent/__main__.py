"""`python -m lab.agent`: the node agent of the lab in `$LAB_HOME`, in the foreground until SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
import threading

from lab import layout
from lab.agent import agent


def main() -> int:
    """Run until a signal."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # 8 MiB of stack for each of some 100 threads is address space only, but limits count it.
    threading.stack_size(512 * 1024)
    try:
        running = agent.Agent(layout.load())
    except layout.LabError as error:
        print(error, file=sys.stderr)
        return 1
    threading.Thread(target=running.start, name="start", daemon=True).start()
    stop.wait()
    running.stop()
    sys.stdout.flush()
    # Threads that wait for the API server would hold the interpreter back.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
