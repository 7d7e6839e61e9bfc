"""Kubeconfigs for users: what they hold, what they must not hold, and that they merge."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import kubeconfigs

ADMIN: dict[str, Any] = {
    "current-context": "ops",
    "contexts": [
        {"name": "other", "context": {"cluster": "elsewhere", "user": "nobody"}},
        {"name": "ops", "context": {"cluster": "c", "user": "admin"}},
    ],
    "clusters": [
        {"name": "elsewhere", "cluster": {"server": "https://elsewhere"}},
        {"name": "c", "cluster": {"server": "https://c:6443", "certificate-authority-data": "Q0E=", "extensions": []}},
    ],
    "users": [{"name": "admin", "user": {"token": "canary-admin"}}],
}


def made(admin: Any = ADMIN, namespace: str = "til") -> dict[str, Any]:
    text = kubeconfigs.with_token(
        yaml.safe_dump(admin), context=f"{namespace}-dev", user=f"{namespace}-user-dev", namespace=namespace, token="t"
    )
    assert "canary" not in text, "an administrator's credentials never reach a user"
    return yaml.safe_load(text)


def test_it_points_one_user_at_the_cluster_of_the_current_context() -> None:
    assert made() == {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "til-dev",
        "contexts": [
            {"name": "til-dev", "context": {"cluster": "til-dev", "namespace": "til", "user": "til-user-dev"}}
        ],
        "clusters": [
            {"name": "til-dev", "cluster": {"server": "https://c:6443", "certificate-authority-data": "Q0E="}}
        ],
        "users": [{"name": "til-user-dev", "user": {"token": "t"}}],
    }


def test_no_name_in_two_of_them_is_the_same() -> None:
    one, other = made(), made(namespace="in2")
    for section in ("contexts", "clusters", "users"):
        names = [entry["name"] for config in (one, other) for entry in config[section]]
        assert len(set(names)) == 2, f"kubectl takes the first of two {section} with one name"


@pytest.mark.parametrize(
    "admin",
    [
        "canary: [",
        "canary",
        [],
        {**ADMIN, "current-context": "gone"},
        {**ADMIN, "clusters": []},
        {**ADMIN, "clusters": [{"name": "c", "cluster": {}}]},
        {**ADMIN, "clusters": [{"name": "c", "cluster": {"server": "https://c", "certificate-authority": "ca.crt"}}]},
    ],
)
def test_what_cannot_be_used_is_refused_without_showing_it(admin: Any) -> None:
    with pytest.raises(ValueError, match=r"^the administrator's kubeconfig") as caught:
        kubeconfigs.with_token(
            admin if isinstance(admin, str) else yaml.safe_dump(admin), context="c", user="u", namespace="n", token="t"
        )
    assert "canary" not in str(caught.value)
