"""The lab's folder, its ports, and Pulumi's side of it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import time
import typing

import pytest
import yaml

from lab import layout, workspace

FOREIGN = (
    "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_ROUTE53", "AWS_CONFIG_FILE", "IONOS_USERNAME",
    "IONOS_API_URL_OVERRIDE", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_ORG",
)  # fmt: skip
"""What a user's shell may hold of other accounts."""


@pytest.fixture(scope="module")
def first() -> typing.Iterator[int]:
    """The first of ten networks that no other run of these tests on this machine uses meanwhile."""
    for network in range(190, 100, -10):
        with socket.socket() as claim, contextlib.suppress(OSError):
            claim.bind((f"127.{network}.0.2", layout.PORTS["apiserver"]))
            yield network
            return
    pytest.fail("no networks are free")


@pytest.fixture(autouse=True)
def _own_networks(first: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FIRST_NETWORK", first)
    monkeypatch.setattr(layout, "LAST_NETWORK", first + 9)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def lab(tmp_path: pathlib.Path) -> layout.Lab:
    return layout.create(tmp_path / "lab")


def test_a_lab_is_found_again_as_it_was_made(lab: layout.Lab) -> None:
    assert layout.load(lab.home) == lab
    assert layout.create(lab.home) == lab
    assert stat.S_IMODE(lab.home.stat().st_mode) == 0o700


def test_a_taken_port_is_exchanged_for_a_free_one(first: int, tmp_path: pathlib.Path) -> None:
    with socket.socket() as other:
        other.bind((f"127.{first}.0.1", layout.PORTS["charts"]))
        other.listen()
        ports = layout.create(tmp_path / "lab").ports
    assert ports["charts"] != layout.PORTS["charts"]


def test_labs_made_at_the_same_instant_take_networks_of_their_own(
    first: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = layout._free

    def slow(*arguments: typing.Any) -> bool:
        # Long enough for another to look at the same network in between.
        time.sleep(0.002)
        return free(*arguments)

    monkeypatch.setattr(layout, "_free", slow)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        labs = list(pool.map(layout.create, [tmp_path / str(number) for number in range(8)]))
    assert sorted(lab.network for lab in labs) == list(range(first, first + 8))


def test_a_network_that_something_else_listens_on_is_passed_over(first: int, tmp_path: pathlib.Path) -> None:
    with socket.socket() as server:
        server.bind((f"127.{first}.0.1", layout.PORTS["apiserver"]))
        server.listen()
        assert layout.create(tmp_path / "lab").network == first + 1


def test_a_lab_that_does_not_run_keeps_its_network_until_its_folder_is_removed(
    first: int, tmp_path: pathlib.Path
) -> None:
    assert layout.create(tmp_path / "first").network == first
    assert layout.create(tmp_path / "second").network == first + 1
    shutil.rmtree(tmp_path / "first")
    assert layout.create(tmp_path / "third").network == first


def test_no_network_is_left(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FIRST_NETWORK", layout.LAST_NETWORK)
    layout.create(tmp_path / "first")
    with pytest.raises(layout.LabError, match=r"every loopback network.*make down"):
        layout.create(tmp_path / "second")


@pytest.mark.parametrize("content", ["", "{", '{"network": 1}', '{"network": "x", "ports": {}}'])
def test_a_damaged_lab_file_is_said_with_the_way_out(tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / "lab.json").write_text(content)
    with pytest.raises(layout.LabError, match=r"damaged.*make down"):
        layout.load(tmp_path)


def test_no_lab_is_said_with_the_command_that_makes_one(tmp_path: pathlib.Path) -> None:
    with pytest.raises(layout.LabError, match="make demo"):
        layout.load(tmp_path)


def test_secrets_are_made_once_and_for_the_owner_only(lab: layout.Lab) -> None:
    first = lab.secret("ionos-token")
    assert len(first) >= 24
    assert lab.secret("ionos-token") == first
    assert stat.S_IMODE((lab.home / "ionos-token").stat().st_mode) == 0o600


@pytest.fixture
def _tools(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(workspace.toolchain, "bin_dir", lambda _names: tmp_path / "bin")


@pytest.mark.usefixtures("_tools")
def test_stand_ins_serve_where_no_plugin_is_installed(lab: layout.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PLUGINS", str(lab.home / "none"))
    attached = workspace.environment(lab)["PULUMI_DEBUG_PROVIDERS"]
    assert attached == ",".join(f"{name}:{lab.ports[f'plugin_{name}']}" for name in workspace.PLUGINS)


@pytest.mark.usefixtures("_tools")
def test_other_clouds_settings_do_not_reach_the_labs_programs(lab: layout.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOREIGN:
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("no_proxy", "example.com")
    monkeypatch.setenv("PULUMI_SKIP_CONFIRMATIONS", "true")
    environment = workspace.process_environment(lab)
    assert not [name for name in FOREIGN if name in environment]
    assert environment["AWS_ENDPOINT_URL"].startswith("http://127.")
    assert environment["PULUMI_SKIP_CONFIRMATIONS"] == "true"
    assert lab.address in environment["no_proxy"], "it goes before NO_PROXY"


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.usefixtures("_tools")
def test_a_shell_that_uses_the_env_file_has_nothing_foreign_left(lab: layout.Lab, shell: str) -> None:
    (lab.home / "env").write_text(workspace._shell(workspace.environment(lab)))
    theirs = {
        "PATH": os.defpath,
        "KEPT": "one\nAWS_NO_VARIABLE=x",
        "PULUMI_SKIP_CONFIRMATIONS": "true",
        **dict.fromkeys(FOREIGN, "theirs"),
    }
    script = f"set -eu; . {lab.home}/env; exec env -0"
    for given in (theirs, {"PATH": os.defpath}):
        done = subprocess.run([shell, "-c", script], env=given, capture_output=True, text=True, timeout=20, check=True)
        found = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
        assert not [name for name in FOREIGN if name in found]
        assert found["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(lab.home / "passphrase")
        for name in ("KEPT", "PULUMI_SKIP_CONFIRMATIONS"):
            assert found.get(name) == given.get(name)


@pytest.fixture
def committed(lab: layout.Lab, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A project with a committed stack file, which the lab has copied."""
    project = tmp_path / "program"
    project.mkdir()
    shutil.copy(layout.PROJECT / "Pulumi.yaml", project)
    shutil.copy(layout.PROJECT / "Pulumi.lab.yaml", project)
    monkeypatch.setattr(layout, "PROJECT", project)
    monkeypatch.setattr(workspace, "_pulumi", lambda *_arguments, cwd: None)
    workspace.prepare(lab)
    return project / "Pulumi.lab.yaml"


def _set(path: pathlib.Path, section: str, **values: typing.Any) -> None:
    document = yaml.safe_load(path.read_text())
    document["config"].setdefault(section, {}).update(values)
    path.write_text(yaml.safe_dump(document))


@pytest.mark.usefixtures("_tools")
def test_a_change_of_the_committed_stack_file_is_said_until_the_labs_copy_has_it(
    lab: layout.Lab, committed: pathlib.Path
) -> None:
    assert workspace.left_behind(lab) == []
    _set(workspace.config_file(lab), "gitops-platform:argocd", adminEnabled=True)
    assert workspace.left_behind(lab) == [], "the lab's own changes are no news"
    _set(committed, "gitops-platform:dns", domains=["other.example.org"])
    _set(committed, "gitops-platform:addons", externalDns={"policy": "sync"})
    assert workspace.left_behind(lab) == ["gitops-platform:addons", "gitops-platform:dns"]
    _set(workspace.config_file(lab), "gitops-platform:dns", domains=["other.example.org"])
    assert workspace.left_behind(lab) == ["gitops-platform:addons"]
    _set(workspace.config_file(lab), "gitops-platform:addons", externalDns={"policy": "sync"})
    assert workspace.left_behind(lab) == []


@pytest.mark.usefixtures("_tools", "committed")
@pytest.mark.parametrize("content", ["config: [", "config: text", "[]", ""])
def test_a_damaged_stack_file_is_said_with_the_way_out(lab: layout.Lab, content: str) -> None:
    workspace.config_file(lab).write_text(content)
    with pytest.raises(layout.LabError, match=r"Pulumi\.lab\.yaml is no stack file.*repair it"):
        workspace.prepare(lab)
    workspace.config_file(lab).unlink()
    workspace.prepare(lab)


def state(lab: layout.Lab, text: str) -> None:
    file = lab.folder("pulumi", "state", ".pulumi", "stacks", "gitops-platform") / "lab.json"
    file.write_text(text)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"checkpoint": []}'])
def test_an_unreadable_state_is_said_with_the_way_out(lab: layout.Lab, content: str) -> None:
    state(lab, content)
    with pytest.raises(layout.LabError, match=r"cannot be read.*python -m lab down --force"):
        workspace.has_resources(lab)
