"""The real engine starts an installed plugin's program, and no stand-in is attached for that provider.

The program here is a stand-in, started and spoken to as a real plugin is: in a folder of its own, with the engine's
address as its argument and its port as the first line that it prints.
"""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
import shlex
import subprocess
import sys
from typing import Any

import pytest

from lab import layout, toolchain, workspace

PROGRAM = """#!{shell}
{{ echo "$0"; echo "$@"; }} >> {log}
export PYTHONPATH={project}
exec {python} -c {serve}
"""

SERVE = """
import signal, socket, threading
from lab.plugins import base, tls
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
server = base.serve(tls.provider(), "127.0.0.1", port)
print(port, flush=True)
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
signal.signal(signal.SIGINT, lambda *_: stopped.set())
stopped.wait()
"""

USER = """
import pulumi
import pulumi_tls as tls

key = tls.PrivateKey("key", algorithm="ECDSA")
certificate = tls.SelfSignedCert(
    "certificate",
    private_key_pem=key.private_key_pem,
    allowed_uses=["server_auth"],
    validity_period_hours=pulumi.Config().require_int("hours"),
    subject={"common_name": "test"},
)
pulumi.export("hours", certificate.validity_period_hours)
"""


@pytest.fixture
def started(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The file in which the program of an installed tls plugin notes its own path and its arguments."""
    log = tmp_path / "started"
    folder = tmp_path / "plugins" / f"resource-tls-v{importlib.metadata.version('pulumi-tls')}"
    folder.mkdir(parents=True)
    program = folder / "pulumi-resource-tls"
    words = {"shell": "/bin/sh", "log": log, "project": layout.PROJECT, "python": sys.executable, "serve": SERVE}
    program.write_text(PROGRAM.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
    program.chmod(0o755)
    monkeypatch.setenv("LAB_PLUGINS", str(folder.parent))
    return log


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: installed\nruntime: python\n")
    (folder / "__main__.py").write_text(USER)
    return folder


@pytest.fixture
def lab(tmp_path: pathlib.Path) -> layout.Lab:
    toolchain.ensure()
    return layout.create(tmp_path / "lab")


def test_the_engine_starts_it_from_the_labs_home_for_preview_and_up(
    lab: layout.Lab, started: pathlib.Path, project: pathlib.Path
) -> None:
    lab.secret("passphrase")
    variables = workspace.process_environment(lab)
    attached = variables["PULUMI_DEBUG_PROVIDERS"]
    assert "tls:" not in attached
    assert "aws:" in attached, "only what is installed has no stand-in"
    del variables["PULUMI_OPTION_CONFIG_FILE"], variables["PULUMI_STACK"]

    def pulumi(*arguments: str) -> Any:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=project, env=variables, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pulumi("stack", "init", "test")
    pulumi("config", "set", "hours", "24")
    preview = json.loads(pulumi("preview", "--json"))
    assert preview["changeSummary"] == {"create": 3}
    pulumi("up", "--yes", "--skip-preview")
    assert pulumi("stack", "output", "hours").strip() == "24"
    pulumi("destroy", "--yes", "--skip-preview")
    lines = started.read_text().splitlines()
    assert len(lines) == 2 * 3, "once for each of preview, up and destroy"
    homes = {pathlib.Path(line) for line in lines[::2]}
    assert {home.parent.parent for home in homes} == {lab.home / "pulumi" / "home" / "plugins"}
    assert all(line.startswith("127.0.0.1:") for line in lines[1::2]), "the engine's address, which a plugin logs to"
