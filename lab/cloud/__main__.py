"""Run the emulated cloud of the lab in LAB_HOME: `python -m lab.cloud`."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from lab import control_plane, kube, layout
from lab.cloud import balancers, dns, emulator, nodes, server, work
from lab.cloud import store as stores


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 when the port is taken or the lab is damaged."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        lab = layout.load()
        store = stores.Store(lab.folder("ionos") / "state.json")
        client = kube.KubeClient(lab.kubeconfig)
        controller = balancers.Controller(client, store, lab.public_network)
        cloud = emulator.Emulator(
            store, lab.endpoint("ionos"), lab.public_network, lab.home / "cluster.kubeconfig", controller.addresses
        )
        worker = work.Worker(
            store, nodes.Registry(lab, client), lambda: control_plane.start(lab), lambda: control_plane.clear(lab)
        )
        cloud.ordered = worker.wake
        # Whoever is let in gets the cluster's administrator kubeconfig: not every user of the machine may be.
        zones = dns.Zones(lab.folder("ionos") / "dns.json")
        address = (lab.address, lab.ports["ionos"])
        http = server.Server(address, cloud, lab.secret("ionos-token"), zones, lab.secret("ionos-dns-token"))
    except (layout.LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    worker.start()
    controller.start()
    threading.Thread(target=http.serve_forever, name="http", daemon=True).start()
    logging.info("the cloud is at %s", cloud.endpoint)
    stopped.wait()
    http.shutdown()
    controller.stop()
    worker.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
