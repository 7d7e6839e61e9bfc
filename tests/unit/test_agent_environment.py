"""A container's environment as the kubelet would build it."""

import pytest

from lab.agent import environment

POD = {
    "metadata": {
        "name": "web-0",
        "namespace": "shop",
        "uid": "u-1",
        "labels": {"app": "web", "tier": "front"},
        "annotations": {"note": 'a "b"\nc'},
    },
    "spec": {"nodeName": "n-1", "serviceAccountName": "web", "containers": []},
    "status": {"podIP": "127.77.1.5", "hostIP": "127.77.0.1"},
}
STORE = {
    ("Secret", "db"): {"user": b"root", "password": b"s3cret\n"},
    ("ConfigMap", "settings"): {"LEVEL": b"debug", "bad name!": b"x"},
}


def lookup(kind, name):
    return STORE.get((kind, name))


def build(*env, sources=(), base=None, **container):
    return environment.build({"env": env, "envFrom": sources, **container}, POD, base or {}, lookup)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $(", "$A ${A} $("),
        ("$(A", "$(A"),
        ("100$", "100$"),
        ("$(A)$$(B)", "1$(B)"),
    ],
)
def test_references_expand_as_the_kubelet_expands_them(text, expected):
    assert environment.expand(text, {"A": "1", "B": "2"}) == expected


def test_a_variable_may_use_those_before_it_only():
    found = build({"name": "A", "value": "$(B)"}, {"name": "B", "value": "b"}, {"name": "C", "value": "$(B)"})
    assert found == {"A": "$(B)", "B": "b", "C": "b"}


def test_what_is_set_later_wins_over_what_came_from_a_source():
    found = build({"name": "LEVEL", "value": "info"}, sources=[{"configMapRef": {"name": "settings"}}])
    assert found["LEVEL"] == "info"


def test_all_of_a_source_comes_with_its_prefix_and_without_impossible_names():
    assert build(sources=[{"prefix": "P_", "configMapRef": {"name": "settings"}}]) == {"P_LEVEL": "debug"}


def test_a_secret_value_is_handed_over_as_it_is():
    found = build({"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}})
    assert found == {"P": "s3cret\n"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"secretKeyRef": {"name": "nope", "key": "a"}}, 'secret "nope" not found'),
        ({"secretKeyRef": {"name": "db", "key": "nope"}}, "couldn't find key nope in Secret shop/db"),
        ({"configMapKeyRef": {"name": "nope", "key": "a"}}, 'configmap "nope" not found'),
        ({"fieldRef": {"fieldPath": "status.phase"}}, "status.phase"),
    ],
)
def test_what_is_missing_is_named_in_the_kubelets_words(source, message):
    with pytest.raises(environment.Missing) as error:
        build({"name": "A", "valueFrom": source})
    assert message in str(error.value)


def test_optional_references_leave_the_variable_out():
    source = {"secretKeyRef": {"name": "nope", "key": "a", "optional": True}}
    assert build({"name": "A", "valueFrom": source}) == {}
    assert build(sources=[{"secretRef": {"name": "nope", "optional": True}}]) == {}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "web-0"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.labels", 'app="web"\ntier="front"\n'),
        ("metadata.annotations", 'note="a \\"b\\"\\nc"\n'),
        ("spec.nodeName", "n-1"),
        ("spec.serviceAccountName", "web"),
        ("status.podIP", "127.77.1.5"),
        ("status.hostIP", "127.77.0.1"),
    ],
)
def test_the_downward_api_knows_its_fields(path, expected):
    assert environment.field(POD, path) == expected


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"resource": "limits.cpu"}, "1"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "250"),
        ({"resource": "limits.memory"}, str(64 * 1024**2)),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "requests.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "limits.ephemeral-storage"}, "0"),
        ({"resource": "limits.cpu", "divisor": "0"}, "1"),
    ],
)
def test_resources_are_rounded_up_to_the_divisor(reference, expected):
    container = {"resources": {"limits": {"cpu": "250m", "memory": "64Mi"}}}
    assert environment.resource(POD, reference, container) == expected
