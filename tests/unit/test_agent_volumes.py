"""What a pod's volumes hold, and that a change of them is seen whole."""

import os

import pytest

from lab.agent import environment, places, volumes

POD = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", "labels": {"app": "web"}},
    "spec": {"containers": []},
}
STORE = {
    ("Secret", "tls"): {"tls.crt": b"cert", "tls.key": b"key"},
    ("ConfigMap", "conf"): {"a.yaml": b"a", "b.yaml": b"b"},
}


def files(volume):
    return volumes.files(volume, POD, lambda kind, name: STORE.get((kind, name)), lambda asked: b"token")


def contents(found):
    return {path: file.data for path, file in found.items()}


def test_every_key_of_a_secret_is_a_file():
    assert contents(files({"secret": {"secretName": "tls"}})) == STORE["Secret", "tls"]


def test_items_choose_and_rename_keys_and_give_modes():
    volume = {"configMap": {"name": "conf", "defaultMode": 0o600, "items": [{"key": "a.yaml", "path": "x/y.yaml"}]}}
    assert files(volume) == {"x/y.yaml": volumes.File(b"a", 0o600)}
    volume["configMap"]["items"][0]["mode"] = 0o400
    assert files(volume)["x/y.yaml"].mode == 0o400


def test_a_mode_of_zero_is_a_mode():
    assert files({"secret": {"secretName": "tls", "defaultMode": 0}})["tls.key"].mode == 0


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"secret": {"secretName": "nope"}}, 'secret "nope" not found'),
        ({"configMap": {"name": "nope"}}, 'configmap "nope" not found'),
        ({"configMap": {"name": "conf", "items": [{"key": "c", "path": "c"}]}}, "non-existent key c"),
    ],
)
def test_a_missing_source_is_named(volume, message):
    with pytest.raises(environment.Missing) as error:
        files(volume)
    assert message in str(error.value)


def test_an_optional_source_may_be_missing():
    assert files({"secret": {"secretName": "nope", "optional": True}}) == {}
    assert files({"configMap": {"name": "conf", "optional": True, "items": [{"key": "c", "path": "c"}]}}) == {}


def test_a_projected_volume_joins_its_sources():
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "conf", "items": [{"key": "a.yaml", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        {"secret": {"name": "tls", "items": [{"key": "tls.key", "path": "key"}]}},
    ]
    found = files({"projected": {"sources": sources}})
    assert contents(found) == {"token": b"token", "ca.crt": b"a", "namespace": b"shop", "key": b"key"}


def test_a_pod_names_everything_that_its_volumes_show():
    spec = {
        "volumes": [
            {"name": "a", "secret": {"secretName": "tls"}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": "other"}}, {"configMap": {"name": "conf"}}]}},
            {"name": "c", "emptyDir": {}},
        ]
    }
    assert volumes.references(POD | {"spec": spec}) == {("Secret", "tls"), ("Secret", "other"), ("ConfigMap", "conf")}


def test_writing_makes_the_folder_hold_exactly_the_files(tmp_path):
    volumes.write(tmp_path, {"a": volumes.File(b"1", 0o600), "d/b": volumes.File(b"2", 0o644)})
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "d/b").read_bytes() == b"2"
    volumes.write(tmp_path, {"c": volumes.File(b"3", 0o644)})
    assert sorted(entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("..")) == ["c"]


def test_all_files_change_in_one_step(tmp_path):
    volumes.write(tmp_path, {"tls.crt": volumes.File(b"old", 0o644), "tls.key": volumes.File(b"old", 0o644)})
    before = os.readlink(tmp_path / "..data")
    volumes.write(tmp_path, {"tls.crt": volumes.File(b"new", 0o644), "tls.key": volumes.File(b"new", 0o644)})
    assert os.readlink(tmp_path / "..data") != before, "programs watch this link, as on a real node"
    assert os.readlink(tmp_path / "tls.crt") == "..data/tls.crt"
    assert len([entry for entry in tmp_path.iterdir() if entry.name.startswith("..v")]) == 1, "old versions go"


def test_writing_the_same_again_changes_nothing(tmp_path):
    wanted = {"a": volumes.File(b"1", 0o644)}
    assert volumes.write(tmp_path, wanted)
    assert not volumes.write(tmp_path, wanted), "a program that watches its files would reload for nothing"


def test_a_subpath_shows_one_file_as_it_is_now(tmp_path):
    volumes.write(tmp_path, {"a": volumes.File(b"1", 0o644)})
    container = {"volumeMounts": [{"name": "v", "mountPath": "/etc/a", "subPath": "a", "readOnly": True}]}
    (mount,) = places.mounts({"v": tmp_path}, container, {})
    assert mount.source.read_bytes() == b"1"
    assert mount.read_only


def test_a_subpath_may_name_variables_and_is_made_when_missing(tmp_path):
    container = {"volumeMounts": [{"name": "v", "mountPath": "/logs", "subPathExpr": "$(POD)/logs"}]}
    (mount,) = places.mounts({"v": tmp_path}, container, {"POD": "web-0"})
    assert mount.source == tmp_path / "web-0/logs"
    assert mount.source.is_dir()


def test_a_subpath_cannot_lead_out_of_its_volume(tmp_path):
    container = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "../../etc"}]}
    with pytest.raises(ValueError, match="leads out of the volume"):
        list(places.mounts({"v": tmp_path}, container, {}))
