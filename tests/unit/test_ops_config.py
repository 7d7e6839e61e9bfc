"""`python -m ops config check`: what it prints, and how it ends."""

from __future__ import annotations

import json
import pathlib

import pytest
import typer.testing
import yaml

from ops import __main__ as ops
from ops import stackfiles

RUNNER = typer.testing.CliRunner()
GOOD = """
config:
  p:cluster:
    provider: ionos
    kubernetesVersion: "1.34.3"
  p:dns:
    domains: [example.org]
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    (tmp_path / "Pulumi.good.yaml").write_text(GOOD.replace("example.org", "good.org"))
    return tmp_path


def check(project: pathlib.Path, *arguments: str) -> typer.testing.Result:
    return RUNNER.invoke(ops.app, ["config", "check", *arguments, "--directory", str(project)])


def mistakes(project: pathlib.Path, text: str) -> list[str]:
    """What is said about a stack file with this content."""
    (project / "Pulumi.bad.yaml").write_text(text)
    result = check(project, "bad")
    assert result.exit_code == 1, result.output
    return result.stdout.splitlines()


def test_a_good_stack_is_ok(project: pathlib.Path) -> None:
    result = check(project)
    assert (result.exit_code, result.stdout) == (0, "Pulumi.good.yaml: ok\n")
    assert "warning: cluster.apiAllowList" in result.stderr, "a warning must not spoil what a script reads"


def test_every_mistake_is_a_line_and_the_exit_code_says_so(project: pathlib.Path) -> None:
    (project / "Pulumi.bad.yaml").write_text(GOOD + "    region: x\n  p:waitMinutes: 0\n  p:cluster2: {}\n")
    result = check(project)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "Pulumi.bad.yaml: cluster2: unknown key → did you mean cluster? Otherwise remove it",
        "Pulumi.bad.yaml: dns.region: 'x' is no AWS region → write one such as eu-central-1",
        "Pulumi.bad.yaml: waitMinutes: 0 is too little → write at least 1",
        "Pulumi.good.yaml: ok",
    ]


DELEGATE = "with its name servers into the zone of good.org; each external-dns leaves the other's records alone"


@pytest.mark.parametrize(
    ("dns", "mistake", "warning"),
    [
        (
            "{domains: [good.org]}",
            "good.org is good's, and two environments would make a zone of that name",
            "",
        ),
        ("{domains: [{name: good.org, zoneId: Z0123456789ABC}]}", "two environments would fight over its rec", ""),
        (
            "{domains: [a.org, good.org]}",
            "dns.domains[1]: good.org is good's, and two environments would ma",
            "",
        ),
        ("{domains: [a.org, {name: good.org, zoneId: Z0123456789ABC}]}", "", "good.org is good's as well"),
        ("{domains: [sub.good.org]}", "", f"write an NS record for sub.good.org {DELEGATE}"),
        ("{domains: [a.org, example]}", "'example' is no domain name", ""),
        ("{domains: [notgood.org]}", "", ""),
    ],
)
def test_domains_of_other_stacks_are_looked_at(dns: str, mistake: str, warning: str, project: pathlib.Path) -> None:
    (project / "Pulumi.new.yaml").write_text(GOOD.replace("\n    domains: [example.org]", f" {dns}"))
    result = check(project, "new")
    assert result.exit_code == (1 if mistake else 0), result.output
    assert mistake in result.stdout
    assert result.stdout.count("→") == bool(mistake), "one mistake, one line"
    about = [line for line in result.stderr.splitlines() if "apiAllowList" not in line]
    assert len(about) == bool(warning), about
    assert warning in "".join(about)
    assert "dns.domains[" in "".join(about) or not warning


def test_whoever_has_the_outer_domain_is_told_to_delegate_the_inner_one(project: pathlib.Path) -> None:
    (project / "Pulumi.new.yaml").write_text(GOOD.replace("example.org", "a.good.org"))
    said = check(project, "good").stderr
    assert "a.good.org, which is new's, lies inside of good.org → write an NS record for a.good.org" in said


def test_the_labs_domains_are_nobodys_neighbours(project: pathlib.Path) -> None:
    (project / "Pulumi.lab.yaml").write_text(GOOD.replace("example.org", "good.org"))
    assert check(project).exit_code == 0


def test_json_says_the_same_for_programs(project: pathlib.Path) -> None:
    (project / "Pulumi.bad.yaml").write_text(GOOD + "  p:waitMinutes: 0\n")
    result = check(project, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["ok"] is False
    assert found["stacks"][0]["mistakes"] == [
        {"path": "waitMinutes", "problem": "0 is too little", "fix": "write at least 1"}
    ]
    assert [one["stack"] for one in found["stacks"]] == ["bad", "good"]


def test_an_unknown_stack_is_wrong_usage_and_the_known_ones_are_named(project: pathlib.Path) -> None:
    result = check(project, "sbx")
    assert result.exit_code == 2
    assert "no stack file for sbx" in result.stderr
    assert "there are: good" in result.stderr, "the next try should succeed"


def test_help_shows_an_example_and_the_exit_codes() -> None:
    text = RUNNER.invoke(ops.app, ["config", "check", "--help"]).stdout
    assert "python -m ops config check sbx" in text
    assert "Exit codes: 0" in text


def test_a_syntax_error_is_named_with_its_line(project: pathlib.Path) -> None:
    found = mistakes(project, 'config:\n  p:cluster:\n    name: "x\n')
    assert len(found) == 1, "what cannot be read has no further mistakes"
    assert found[0].startswith("Pulumi.bad.yaml: line "), found


def test_a_key_that_stands_twice_is_refused(project: pathlib.Path) -> None:
    found = mistakes(project, GOOD + "  p:dns:\n    domains: [example.com]\n")
    assert "line 8, column 3: no valid YAML: the key 'p:dns' stands here twice" in found[0], "one of both is lost"


def test_an_encrypted_secret_is_there_without_being_read(project: pathlib.Path) -> None:
    text = GOOD + "    provider: ionos\n"
    assert "ionosDnsToken" in mistakes(project, text)[0]
    (project / "Pulumi.bad.yaml").write_text(
        text + "  p:ionosDnsToken:\n    secure: v1:abc:def\nencryptionsalt: v1:x\n"
    )
    assert check(project, "bad").exit_code == 0


def test_an_encrypted_section_is_refused(project: pathlib.Path) -> None:
    text = GOOD.replace("example.org", "{secure: v1:abc}")
    assert "Pulumi.bad.yaml: dns: it is encrypted" in mistakes(project, text)[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p:argocd: {}\n", "p:argocd: it stands beside config → write it below `config:`"),
        ("config:\n  aws:secretKey: hunter2\n", "config.aws:secretKey: this secret is in plain text"),
        ("confg: {}\n", "confg: unknown key beside config → did you mean config?"),
        ("config: []\n", "config: it is no mapping"),
        ("- config\n", "file: it is no mapping"),
        ("config:\n  cluster: {}\n", "cluster: provider is missing"),
        ("", "cluster: it is missing"),
        ("\x00", "it cannot be read"),
        ("config: &a [*a]", "line 1, column 9: an anchor (&) contains itself"),
    ],
)
def test_a_file_that_is_no_stack_file_is_said_plainly(project: pathlib.Path, text: str, words: str) -> None:
    assert words in "\n".join(mistakes(project, text))


def test_a_misspelt_project_is_noticed_but_other_namespaces_are_none_of_our_business(project: pathlib.Path) -> None:
    (project / "Pulumi.yaml").write_text("name: platform\nruntime: python\n")
    text = GOOD.replace("p:", "platform:").replace("platform:dns", "platfrom:dns") + "  aws:region: eu-central-1\n"
    found = mistakes(project, text)
    assert found[0] == "Pulumi.bad.yaml: platfrom:dns: platfrom is not this project → write platform:dns"
    assert not [line for line in found if "aws:region" in line]


def test_a_file_that_is_not_utf8_is_said_plainly(project: pathlib.Path) -> None:
    (project / "Pulumi.bad.yaml").write_bytes(b"config:\n  p:dns: \xff\n")
    assert "cannot be read" in check(project, "bad").stdout


def test_the_committed_project_file_switches_default_providers_off() -> None:
    content = yaml.safe_load((stackfiles.PROJECT / "Pulumi.yaml").read_text())
    assert content["config"]["pulumi:disable-default-providers"] == {"value": ["*"]}, (
        "a resource without a provider would be made with whatever credentials the shell has"
    )
