"""The lab's folder, its ports, and Pulumi's side of it."""

from __future__ import annotations

import importlib.metadata
import pathlib
import socket
import stat

import pytest

from lab import layout, workspace


@pytest.fixture(autouse=True)
def _own_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that no lab on this machine has while the tests run."""
    monkeypatch.setattr(layout, "FIRST_NETWORK", 190)


@pytest.fixture
def lab(tmp_path: pathlib.Path) -> layout.Lab:
    return layout.create(tmp_path / "lab")


def install(folder: pathlib.Path, plugin: str, version: str) -> None:
    home = folder / f"resource-{plugin}-v{version}"
    home.mkdir(parents=True)
    (home / f"pulumi-resource-{plugin}").touch(mode=0o755)


def test_a_lab_is_found_again_as_it_was_made(lab: layout.Lab) -> None:
    assert layout.load(lab.home) == lab
    assert layout.create(lab.home) == lab
    assert stat.S_IMODE(lab.home.stat().st_mode) == 0o700


def test_a_taken_port_is_exchanged_for_a_free_one(tmp_path: pathlib.Path) -> None:
    network = layout.create(tmp_path / "first").network
    with socket.socket() as other:
        other.bind((f"127.{network}.0.1", layout.PORTS["charts"]))
        other.listen()
        ports = layout.create(tmp_path / "second").ports
    assert ports["charts"] != layout.PORTS["charts"]


def test_a_second_lab_takes_another_network(tmp_path: pathlib.Path) -> None:
    first = layout.create(tmp_path / "first")
    with socket.socket() as server:
        server.bind((first.address, first.ports["apiserver"]))
        server.listen()
        second = layout.create(tmp_path / "second")
    assert second.network != first.network
    assert second.public_network != first.public_network


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
def test_a_real_plugin_of_the_right_version_is_used_instead(lab: layout.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = lab.home / "their-plugins"
    monkeypatch.setenv("LAB_PLUGINS", str(plugins))
    install(plugins, "aws", importlib.metadata.version("pulumi-aws"))
    install(plugins, "tls", "1.0.0")
    environment = workspace.environment(lab)
    assert "aws:" not in environment["PULUMI_DEBUG_PROVIDERS"]
    assert "tls:" in environment["PULUMI_DEBUG_PROVIDERS"], "a plugin of another version is not the SDK's"
    brought = workspace.real_plugin(lab, "aws")
    assert brought is not None
    assert (brought / "pulumi-resource-aws").exists()


@pytest.mark.usefixtures("_tools")
def test_other_clouds_settings_do_not_reach_the_labs_programs(lab: layout.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("IONOS_USERNAME", "somebody")
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-123")
    environment = workspace.process_environment(lab)
    assert not {"AWS_PROFILE", "IONOS_USERNAME", "PULUMI_ACCESS_TOKEN"} & set(environment)
    assert environment["AWS_ENDPOINT_URL"].startswith("http://127.")
