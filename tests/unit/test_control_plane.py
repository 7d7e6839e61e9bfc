"""What the control plane is given: keys, tokens, kubeconfigs, flags; and what it says when it cannot start."""

import base64
import contextlib
import re
import socket
import ssl

import pytest
import yaml
from cryptography import x509

from lab import control_plane, control_plane_flags, layout, pki, toolchain


@pytest.fixture
def lab(tmp_path):
    return layout.Lab(tmp_path, 198, dict(layout.PORTS))


@pytest.fixture
def listener(lab):
    """Something that listens at the address and port of a lab's API server."""
    with socket.create_server((lab.address, 0)) as server:
        lab.ports["apiserver"] = server.getsockname()[1]
        yield server


def test_secrets_are_files_for_their_owner_only(lab):
    control_plane._make_keys(lab)
    control_plane._tokens(lab)
    for path in lab.folder("pki").iterdir():
        if path.suffix not in (".crt", ".pub"):
            assert path.stat().st_mode & 0o077 == 0, path.name


def test_keys_are_made_once(lab):
    control_plane._make_keys(lab)
    before = {path.name: path.read_bytes() for path in lab.folder("pki").iterdir()}
    control_plane._make_keys(lab)
    assert {path.name: path.read_bytes() for path in lab.folder("pki").iterdir()} == before


def test_the_api_server_is_certified_for_its_address_and_its_name_in_the_cluster(lab):
    control_plane._make_keys(lab)
    found = x509.load_pem_x509_certificate((lab.folder("pki") / "apiserver.crt").read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == [lab.address]
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_a_new_cluster_has_a_new_token_and_the_lab_keeps_its_own(lab):
    first = control_plane._tokens(lab)
    assert control_plane._tokens(lab) == first
    second = control_plane._tokens(lab, renew="cluster")
    assert {name for name in first if first[name] != second[name]} == {"cluster"}
    assert second["cluster"] in (lab.folder("pki") / "tokens.csv").read_text()
    assert first["cluster"] not in (lab.folder("pki") / "tokens.csv").read_text(), (
        "the old cluster's token opens nothing"
    )


def test_a_kubeconfig_carries_the_authority_and_the_address(lab):
    control_plane._make_keys(lab)
    config = yaml.safe_load(control_plane._kubeconfig(lab, "cluster-admin", "t0ken"))
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == f"https://{lab.address}:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == (lab.folder("pki") / "ca.crt").read_bytes()
    assert config["users"] == [{"name": "cluster-admin", "user": {"token": "t0ken"}}]


@pytest.mark.parametrize("part", control_plane_flags.PARTS)
def test_no_part_listens_beyond_the_labs_address_or_shows_a_token(lab, part):
    tokens = control_plane._tokens(lab)
    flags = " ".join(control_plane_flags.FLAGS[part](lab))
    assert set(re.findall(r"\d+\.\d+\.\d+\.\d+", flags.replace("10.96.0.0/12", ""))) == {lab.address}
    assert not [token for token in tokens.values() if token in flags]


@pytest.mark.usefixtures("listener")
def test_a_port_in_use_is_named_with_what_to_do(lab, monkeypatch):
    monkeypatch.setattr(control_plane, "RELEASE_SECONDS", 0)
    with pytest.raises(layout.LabError) as error:
        control_plane._require_free(lab, "kube-apiserver")
    assert f"{lab.address}:{lab.ports['apiserver']} is in use" in str(error.value)
    assert "python -m lab down --force" in str(error.value), "a lab that does not start cannot destroy its stack"


def test_a_tool_that_is_not_built_is_named_with_the_command_that_builds_it(lab, monkeypatch):
    monkeypatch.setattr(toolchain, "find", lambda name: None)
    with pytest.raises(layout.LabError, match=r"etcd is not built yet: run `python -m lab[.]toolchain etcd`"):
        control_plane.start(lab)


def test_certificates_pass_the_strict_rules_that_newer_pythons_have_by_default(lab):
    folder = lab.folder("pki")
    pki.authority(folder, "test")
    pki.certificate(folder, "strict", "strict", ["127.0.0.1"])
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(folder / "strict.crt", folder / "strict.key")
    trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    trust.verify_flags |= ssl.VERIFY_X509_STRICT
    sides = [ssl.MemoryBIO(), ssl.MemoryBIO()]
    client = trust.wrap_bio(*sides, server_hostname="127.0.0.1")
    server = served.wrap_bio(*reversed(sides), server_side=True)
    for side in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert client.version(), "the handshake is done, so the client took the certificate"


def test_a_damaged_authority_is_said_plainly(lab):
    folder = lab.folder("pki")
    pki.authority(folder, "test")
    pki.signing_key(folder, "other")
    for content in ((folder / "other.key").read_bytes(), b"no key at all"):
        (folder / "ca.key").write_bytes(content)
        with pytest.raises(layout.LabError, match="python -m lab down --force"):
            pki.certificate(folder, "etcd", "etcd")
