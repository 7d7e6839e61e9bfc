"""What kubectl 1.34 refuses in a context. `tests/lab/test_kubeconfigs.py` asks kubectl itself."""

from __future__ import annotations

import json
import pathlib

import pytest

from kubeconfigs import checking, reading
from tests import kubeconfig_cases


@pytest.mark.parametrize("case", kubeconfig_cases.CASES, ids=lambda case: case.name)
def test_a_context_is_judged_as_kubectl_does(case: kubeconfig_cases.Case, tmp_path: pathlib.Path) -> None:
    kubeconfig_cases.files(tmp_path)
    (tmp_path / "config").write_text(json.dumps(case.config("https://127.0.0.1:6443")))
    found = [str(one) for one in checking.problems(reading.load(str(tmp_path / "config")))]
    assert "canary" not in str(found)
    if case.words is None:
        assert found == []
    else:
        assert any(case.words in one for one in found), found
        assert all(str(tmp_path / "config") in one and " → " in one for one in found)


def test_all_that_is_wrong_is_said_at_once(tmp_path: pathlib.Path) -> None:
    case = kubeconfig_cases.Case(
        "", {"proxy-url": "x", "certificate-authority": "gone"}, {"auth-provider": {"name": "x"}}
    )
    (tmp_path / "config").write_text(json.dumps(case.config("https://c")))
    assert len(list(checking.problems(reading.load(str(tmp_path / "config"))))) == 3
