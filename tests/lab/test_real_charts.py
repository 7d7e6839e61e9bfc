"""Real charts and real CRDs, out of Go modules, against what the program sets: strictly, on a real API server."""

from __future__ import annotations

import copy
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from components.addons import charts
from lab import toolchain
from tests.charts import cases, checking, dryrun, helm, modules

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def helm_path() -> str:
    return str(toolchain.ensure(["helm"], print)["helm"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dryrun.Server]:
    """An API server of its own: the lab's has open schemas where the real CRDs are strict."""
    toolchain.ensure(dryrun.TOOLS, print)
    with dryrun.serving(tmp_path_factory.mktemp("api-server")) as server:
        assert server.install(modules.definitions()) == []
        yield server


def of(pin: charts.Chart) -> list[cases.Case]:
    return [case for case in cases.everything() if case.chart == pin.name]


def refused(helm_path: str, server: dryrun.Server, pin: charts.Chart, same: list[cases.Case]) -> list[str]:
    """All that is said against these cases of a chart."""
    rendered = dryrun.Rendered()
    found = checking.lines(checking.look(helm_path, modules.chart(pin), same, rendered))
    return [*found, *server.install(rendered.definitions()), *checking.lines(rendered.problems(server))]


@pytest.mark.parametrize("pin", modules.CHARTS, ids=lambda pin: pin.name)
def test_what_a_real_chart_renders_is_accepted_to_the_last_field(
    pin: charts.Chart, helm_path: str, server: dryrun.Server
) -> None:
    assert len({case.environment for case in of(pin)}) == len(cases.runs()), "every stack and every variant"
    assert refused(helm_path, server, pin, of(pin)) == []


def with_values(case: cases.Case, *path: str, value: Any) -> cases.Case:
    values = copy.deepcopy(case.values)
    at = values
    for key in path[:-1]:
        at = at.setdefault(key, {})
    at[path[-1]] = value
    return dataclasses.replace(case, values=values)


@pytest.mark.parametrize(
    ("pin", "path", "value", "said"),
    [
        (charts.EXTERNAL_DNS, ("env",), [{"name": "A", "valueForm": {}}], "containers[0].env[0].valueForm"),
        (charts.EXTERNAL_DNS, ("extraVolumes",), [{"name": "a", "secret": {"secretNmae": "b"}}], "secretNmae"),
        (charts.SEALED_SECRETS, ("resources",), {"limit": {"cpu": "1"}}, "containers[0].resources.limit"),
        (charts.SEALED_SECRETS, ("podSecurityContext", "fsGruop"), 1, "securityContext.fsGruop"),
        (
            charts.CERT_MANAGER,
            ("strategy",),
            {"rollingUpdate": {"maxSruge": 1}},
            "spec.strategy.rollingUpdate.maxSruge",
        ),
        (charts.CERT_MANAGER, ("webhook", "tolerations"), [{"kye": "a"}], "tolerations[0].kye"),
    ],
    ids=lambda given: given if isinstance(given, str) else None,
)
def test_a_misspelt_field_in_a_list_in_resources_or_in_a_raw_spec_is_found(
    pin: charts.Chart, path: tuple[str, ...], value: Any, said: str, helm_path: str, server: dryrun.Server
) -> None:
    wrong = with_values(of(pin)[0], *path, value=value)
    found = refused(helm_path, server, pin, [wrong])
    assert any(said in problem and f"({wrong.environment})" in problem for problem in found), found


def test_what_a_chart_takes_from_kubernetes_is_not_called_unknown(helm_path: str, server: dryrun.Server) -> None:
    case = of(charts.SEALED_SECRETS)[0]
    case = with_values(case, "podSecurityContext", "seccompProfile", value={"type": "RuntimeDefault"})
    case = with_values(case, "containerSecurityContext", "allowPrivilegeEscalation", value=False)
    assert refused(helm_path, server, charts.SEALED_SECRETS, [case]) == []


def test_an_api_server_that_lacks_a_kind_lets_no_object_of_it_pass(server: dryrun.Server) -> None:
    stranger = {"apiVersion": "example.org/v1", "kind": "Stranger", "metadata": {"name": "a"}}
    assert server.problems(stranger, "default") == ["Stranger a: no chart brings the kind Stranger of example.org/v1"]


@pytest.fixture(scope="module")
def definitions(helm_path: str, server: dryrun.Server) -> None:
    """cert-manager's CRDs, which its chart brings."""
    pin = charts.CERT_MANAGER
    case = of(pin)[0]
    objects = helm.render(helm_path, modules.chart(pin), case.release, case.namespace, "1.34.3", case.values)
    assert server.install([each for each in objects if each["kind"] == dryrun.CRD]) == []


def test_every_object_that_the_program_makes_itself_is_accepted_to_the_last_field(
    server: dryrun.Server, definitions: None
) -> None:
    rendered = dryrun.Rendered()
    for environment, each in cases.objects():
        rendered.add([each], "default", environment)
    assert checking.lines(rendered.problems(server)) == []
    kinds = {each["kind"] for _, each in cases.objects()}
    assert {"Application", "AppProject", "ClusterIssuer", "Certificate", "Ingress", "IngressRouteTCP"} <= kinds


@pytest.mark.parametrize("kind", ["Application", "AppProject", "ClusterIssuer", "Certificate"])
def test_a_misspelt_field_of_a_custom_resource_is_found(kind: str, server: dryrun.Server, definitions: None) -> None:
    good = next(each for _, each in cases.objects() if each["kind"] == kind)
    assert server.problems(good, "default") == []
    wrong = {**good, "spec": {**good["spec"], "misspelt": True}}
    assert 'unknown field "spec.misspelt"' in "".join(server.problems(wrong, "default"))


def test_the_folder_of_a_chart_is_read_like_its_archive(tmp_path: pathlib.Path) -> None:
    chart = helm.read(modules.chart(charts.SEALED_SECRETS))
    assert chart.name == "sealed-secrets"
    assert "fullnameOverride" in chart.defaults
    assert ".Values.fullnameOverride" in chart.templates
