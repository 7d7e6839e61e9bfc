"""`python -m ops ready` on what the handed-over folder describes: every child is named that is not as it should be."""

from __future__ import annotations

from typing import Any

import pytest

from ops import ready_checks, ready_children, ready_steps

SOURCE = {"repoURL": "https://example.org/git", "targetRevision": "main", "path": "apps"}
AUTOMATED = {"syncPolicy": {"automated": {}}}
NOT_FOUND = 'one or more objects failed to apply, reason: namespaces "shop" not found. Retrying attempt #3 at 1:02AM.'


def application(
    name: str, sync: str = "Synced", health: str = "Healthy", *, children: tuple[tuple[str, str], ...] = (), **more: Any
) -> dict[str, Any]:
    """`children`: (kind, name) of what is in its tree; `more`: of status, but for `spec` and `revision`."""
    resources = [{"group": "argoproj.io", "kind": kind, "name": child} for kind, child in children]
    resources.append({"group": "", "kind": "ConfigMap", "name": "settings"})
    spec = more.pop("spec", {**AUTOMATED, "source": {**SOURCE, "path": name}})
    status = {"sync": {"status": sync, "revision": more.pop("revision", "a" * 40)}, "health": {"status": health}}
    return {"metadata": {"name": name}, "spec": spec, "status": {**status, "resources": resources, **more}}


def root(*children: tuple[str, str], **more: Any) -> dict[str, Any]:
    return application("root", children=children, spec={**AUTOMATED, "source": SOURCE}, **more)


def look(of: dict[str, Any], *found: dict[str, Any], sets: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    named = [{one["metadata"]["name"]: one for one in some} for some in (found, sets)]
    return {one.check: one for one in ready_children.findings(of, named[0], named[1])}


SHOP = root(("Application", "shop"))


def test_a_child_is_ready_when_synced_and_healthy() -> None:
    assert look(SHOP, application("shop"))["application shop"].met
    assert not look(SHOP, application("shop", "OutOfSync"))["application shop"].met, "without a workload it is Healthy"
    assert not look(SHOP, application("shop", health="Progressing"))["application shop"].met
    assert list(look(SHOP, application("shop"), application("till"))) == ["application shop"], "only the folder's own"


def test_a_child_that_is_retried_says_why_and_how_often() -> None:
    state = {"phase": "Running", "message": NOT_FOUND, "retryCount": 3}
    found = look(SHOP, application("shop", "OutOfSync", "Missing", operationState=state))["application shop"]
    assert found.what == "OutOfSync, Missing, sync Running, tried again 3 times"
    assert 'namespaces "shop" not found' in found.reasons[0]
    assert "appOwners" in ready_steps.step(found.next, found.reasons), "what makes the namespace"


def test_a_child_that_was_not_made_says_what_argo_cd_says_of_it() -> None:
    refused = [{"name": "shop", "message": "spec.destination: Invalid value"}, {"name": "till", "message": "created"}]
    of = root(("Application", "shop"), operationState={"phase": "Failed", "syncResult": {"resources": refused}})
    found = look(of)["application shop"]
    assert not found.met
    assert found.reasons == ("spec.destination: Invalid value",)


@pytest.mark.parametrize(
    ("state", "met"),
    [(("OutOfSync", "Missing"), True), (("OutOfSync", "Healthy"), True), (("OutOfSync", "Degraded"), False)],
)
def test_a_child_that_people_sync_may_be_out_of_sync(state: tuple[str, str], met: bool) -> None:
    found = look(SHOP, application("shop", *state, spec={"syncPolicy": {}}))["application shop"]
    assert found.met is met
    assert "its sync policy is manual" in found.what


def test_a_child_of_an_older_commit_than_its_folder_is_not_ready() -> None:
    of = root(("Application", "shop"), revision="b" * 40)
    found = look(of, application("shop"))["application shop"]
    assert not found.met
    assert "aaaaaaa" in found.what
    assert "bbbbbbb" in found.what
    elsewhere = {**AUTOMATED, "source": {**SOURCE, "targetRevision": "feature"}}
    assert look(of, application("shop", spec=elsewhere))["application shop"].met, "another branch has other commits"


def test_children_of_children_are_looked_at_and_those_of_sets_too() -> None:
    of = root(("Application", "monitoring"), ("ApplicationSet", "shops"))
    made = {"type": "ResourcesUpToDate", "status": "True"}
    shops = {"metadata": {"name": "shops"}, "status": {"conditions": [made], "resources": [{"name": "shop-1"}]}}
    found = look(
        of,
        application("monitoring", children=(("Application", "board"), ("Application", "monitoring"))),
        application("board", "OutOfSync"),
        application("shop-1", "OutOfSync"),
        sets=(shops,),
    )
    assert [check for check, one in found.items() if not one.met] == ["application board", "application shop-1"]
    assert found["applicationset shops"].met


def test_a_set_that_fails_says_why() -> None:
    failed = {"type": "ErrorOccurred", "status": "True", "message": "no such generator"}
    shops = {"metadata": {"name": "shops"}, "status": {"conditions": [failed]}}
    found = look(root(("ApplicationSet", "shops")), sets=(shops,))["applicationset shops"]
    assert not found.met
    assert "no such generator" in found.what


def test_a_folder_that_cannot_be_read_has_a_way_to_the_file() -> None:
    broken = application("root", conditions=[{"type": "ComparisonError", "message": "no kind is registered"}])
    found = ready_checks.application("root", broken)
    assert "grep -rLE" in ready_children.unread(found, "root", "applications_sbx").next
    assert "applications_sbx" in ready_children.unread(found, "root", "applications_sbx").next
    assert ready_children.unread(found, "other", "applications_sbx") == found
    refused = application("root", conditions=[{"type": "ComparisonError", "message": "authentication required"}])
    found = ready_checks.application("root", refused)
    assert ready_children.unread(found, "root", "applications_sbx") == found, "no file is wrong"
    whole = ready_checks.application("root", application("root"))
    assert ready_children.unread(whole, "root", "applications_sbx") == whole
