"""`python -m ops new-environment`: a stack file out of answers or flags."""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import Any

import pytest
import typer.testing
import yaml

from ops import __main__ as ops
from ops import deploy_job, new_environment, new_stackfile, stackfiles

RUNNER = typer.testing.CliRunner()
IONOS = ["--domain", "dev3.example.org", "--provider", "ionos", "--kubernetes-version", "1.34.3"]
EXISTING = ["--domain", "dev3.example.org", "--provider", "existing", "--cluster-name", "factory-1"]


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of this project's stack files."""
    for file in stackfiles.PROJECT.glob("Pulumi*.yaml"):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path


def run(project: pathlib.Path, *arguments: str, **more: Any) -> typer.testing.Result:
    return RUNNER.invoke(ops.app, ["new-environment", "--directory", str(project), *arguments], **more)


def config(project: pathlib.Path, name: str = "dev3") -> dict[str, Any]:
    return yaml.safe_load((project / f"Pulumi.{name}.yaml").read_text())["config"]


@pytest.mark.parametrize(
    "flags",
    [
        IONOS,
        [*IONOS, "--location", "de/fra", "--email", "ops@example.org", "--zone-id", "Z0123456789ABC"],
        [*IONOS, "--domain", "second.example.com", "--ingress", "ingress-nginx", "--certificates", "staging"],
        [*IONOS, "--cluster-name", "mine"],
        EXISTING,
        [*EXISTING, "--kubeconfig-path", "/etc/kubeconfig", "--context", "factory"],
    ],
)
def test_what_is_written_passes_config_check(flags: list[str], project: pathlib.Path) -> None:
    result = run(project, "dev3", *flags, "--non-interactive")
    assert result.exit_code == 0, result.output
    check = RUNNER.invoke(ops.app, ["config", "check", "dev3", "--directory", str(project)])
    assert check.stdout == "Pulumi.dev3.yaml: ok\n"


def test_flags_come_to_where_they_belong(project: pathlib.Path) -> None:
    flags = [
        "--location",
        "de/fra",
        "--email",
        "ops@example.org",
        "--zone-id",
        "Z0123456789ABC",
        "--domain",
        "b.example",
    ]
    assert run(project, "dev3", *IONOS, *flags).exit_code == 0
    made = config(project)
    cluster, dns = made["gitops-platform:cluster"], made["gitops-platform:dns"]
    assert (cluster["provider"], cluster["location"], cluster["kubernetesVersion"]) == ("ionos", "de/fra", "1.34.3")
    assert dns["domains"] == [{"name": "dev3.example.org", "zoneId": "Z0123456789ABC"}, "b.example"]
    manager = made["gitops-platform:addons"]["certManager"]
    assert manager == {"server": "production", "issuer": {"solver": "dns01"}, "email": "ops@example.org"}


def test_the_heading_is_that_of_the_committed_files(project: pathlib.Path) -> None:
    assert run(project, "dev3", *IONOS, "--purpose", "the third\npre-production environment").exit_code == 0
    ours = (project / "Pulumi.dev3.yaml").read_text().splitlines()
    theirs = (project / "Pulumi.dev.yaml").read_text().splitlines()
    head = theirs[: theirs.index("config:")]
    assert len(ours[: ours.index("config:")]) == len(head)
    assert ours[: len(head) - 1] == head[:-1]
    assert ours[len(head) - 1] == (
        "# dev3: the third pre-production environment. Check this file with `python -m ops config check dev3`."
    )


def test_the_line_for_editors_is_taken_over(project: pathlib.Path) -> None:
    file = project / "Pulumi.dev.yaml"
    line = "# yaml-language-server: $schema=some/where.json"
    for other in project.glob("Pulumi.*.yaml"):
        other.write_text("\n".join(one for one in other.read_text().splitlines() if "$schema" not in one) + "\n")
    file.write_text(f"{line}\n{file.read_text()}")
    assert run(project, "dev3", *IONOS).exit_code == 0
    assert (project / "Pulumi.dev3.yaml").read_text().startswith(line + "\n# dev3: ")


@pytest.mark.parametrize("name", ["Dev3", "3dev", "dev_3", "dev.3", "../x", "a" * 21, "", "dev3-"])
def test_a_name_that_is_not_valid_is_refused(name: str, project: pathlib.Path) -> None:
    before = sorted(project.iterdir())
    result = run(project, *IONOS, "--", name)
    assert result.exit_code == 2
    assert "cannot be an environment's name" in result.stderr
    assert sorted(project.iterdir()) == before


@pytest.mark.parametrize("file", ["Pulumi.dev3.yaml", "Pulumi.dev3.yml"])
def test_an_environment_that_exists_is_not_written_over(file: str, project: pathlib.Path) -> None:
    (project / file).write_text("mine")
    result = run(project, "dev3", *IONOS)
    assert (result.exit_code, (project / file).read_text()) == (2, "mine")
    assert result.stderr == f"error: {file} exists: choose another name, or add --force to write over it\n"


def test_force_writes_over_but_keeps_what_is_encrypted(project: pathlib.Path) -> None:
    old = {
        "encryptionsalt": "v1:salt",
        "config": {"gitops-platform:ionosToken": {"secure": "v1:x"}, "gitops-platform:waitMinutes": 30},
    }
    (project / "Pulumi.dev3.yaml").write_text(yaml.safe_dump(old))
    assert run(project, "dev3", *IONOS, "--force").exit_code == 0
    new = yaml.safe_load((project / "Pulumi.dev3.yaml").read_text())
    assert new["encryptionsalt"] == "v1:salt"
    assert new["config"]["gitops-platform:ionosToken"] == {"secure": "v1:x"}, "nobody else may have it"
    assert "gitops-platform:waitMinutes" not in new["config"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([*IONOS, "--context", "x"], "--context: it belongs to --provider existing → leave it out"),
        ([*IONOS, "--kubeconfig-path", "x"], "--kubeconfig-path: it belongs to --provider existing"),
        ([*EXISTING, "--location", "de/txl"], "--location: it belongs to --provider ionos"),
        ([*EXISTING, "--kubernetes-version", "1.34.3"], "--kubernetes-version: it belongs to --provider ionos"),
        ([*IONOS, "--dns", "ionos", "--zone-id", "Z0123456789ABC"], "--zone-id: IONOS DNS finds its zones by name"),
        ([*IONOS, "--location", "berlin"], "--location: 'berlin' is no IONOS location → write country/city"),
        ([*IONOS, "--email", "nobody"], "--email: 'nobody' is no e-mail address"),
        ([*IONOS, "--domain", "https://x.org"], "--domain: "),
        ([*IONOS, "--domain", "dome-marketplace-dev.org"], "dome-marketplace-dev.org is dev's, and two environments"),
        (["--provider", "ionos", "--domain", "x.org", "--kubernetes-version", "1.34"], '→ write "1.34.0", in quotes'),
    ],
)
def test_what_cannot_work_is_refused_by_flag(flags: list[str], said: str, project: pathlib.Path) -> None:
    result = run(project, "dev3", *flags)
    assert result.exit_code == 1, result.output
    assert said in result.stderr
    assert all(line.startswith("error: ") for line in result.stderr.splitlines())
    assert not (project / "Pulumi.dev3.yaml").exists()


def test_a_domain_inside_of_another_environments_is_a_warning(project: pathlib.Path) -> None:
    flags = ["--domain", "dev3.dome-marketplace-dev.org", *IONOS[2:], "--json"]
    result = run(project, "dev3", *flags)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["file"] == "Pulumi.dev3.yaml"
    assert result.stderr.startswith(
        "warning: --domain: dev3.dome-marketplace-dev.org lies inside of dome-marketplace-dev.org, which is dev's → "
        "write an NS record for dev3.dome-marketplace-dev.org"
    )


def test_every_mistake_is_said_at_once(project: pathlib.Path) -> None:
    result = run(project, "dev3", *IONOS, "--email", "x", "--location", "y", "--zone-id", "z")
    assert len(result.stderr.splitlines()) == 3


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ([], "--domain"),
        (IONOS[:2], "--provider"),
        (IONOS[:4], "--kubernetes-version"),
        (EXISTING[:4], "--cluster-name"),
    ],
)
def test_without_anybody_to_ask_the_missing_flag_is_named(
    flags: list[str], missing: str, project: pathlib.Path
) -> None:
    result = run(project, "dev3", *flags, "--non-interactive")
    assert result.exit_code == 2
    assert result.stderr == f"error: {missing} is missing, and nobody can be asked here: add it\n"


def test_a_person_is_asked_for_what_no_flag_says_and_again_when_it_is_wrong(
    project: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_environment, "_is_somebody_there", lambda: True)
    answers = "no domain\ndev3.example.org\n\n1.34\n1.34.3\nde/fra\nops@example.org\n"
    result = run(project, "dev3", input=answers)
    assert result.exit_code == 0, result.output
    assert "is no domain name" in result.stderr
    assert 'write "1.34.0"' in result.stderr
    made = config(project)
    assert made["gitops-platform:dns"]["domains"] == ["dev3.example.org"]
    assert made["gitops-platform:cluster"]["location"] == "de/fra"
    assert made["gitops-platform:addons"]["certManager"]["email"] == "ops@example.org"
    assert "Pulumi.dev3.yaml is written. Next:\n  1. " in result.stdout


def test_the_next_steps_name_stack_secrets_and_ci(project: pathlib.Path) -> None:
    found = json.loads(run(project, "dev3", *IONOS, "--dns", "ionos", "--json").stdout)
    assert (found["stack"], found["file"]) == ("dev3", "Pulumi.dev3.yaml")
    said = "\n".join(found["next"])
    for words in (
        "pulumi stack init dev3",
        "--secret ionosDnsToken",
        "--secret ionosToken",
        "deploy.yml",
        "dev3-preview",
    ):
        assert words in said
    assert "registrar" not in said, "IONOS DNS has its zones already"
    assert "registrar of x.org" in "\n".join(
        new_environment.next_steps(new_stackfile.Answers("a", ("x.org",), "ionos"))
    )


DEPLOY = (stackfiles.PROJECT / deploy_job.FILE).read_text()


def chain(text: str) -> dict[str, Any]:
    """The jobs of a deploy.yml that bring an environment up."""
    return {name: job for name, job in yaml.safe_load(text)["jobs"].items() if "uses" in job}


def test_the_next_steps_hold_a_job_that_is_like_the_others_of_deploy_yml(project: pathlib.Path) -> None:
    (project / deploy_job.FILE).parent.mkdir(parents=True)
    (project / deploy_job.FILE).write_text(DEPLOY)
    before = chain(DEPLOY)
    last = list(before)[-1]
    step = json.loads(run(project, "dev3", *IONOS, "--json").stdout)["next"]
    (said,) = [one for one in step if f"in the place of job {last}" in one]
    jobs = said.partition("\n\n")[2]
    assert jobs in run(project, "dev3", *IONOS, "--force").stdout, "to be copied as it stands"
    after = chain(DEPLOY[: DEPLOY.index(f"\n  {last}:\n") + 1] + jobs)
    assert list(after) == [*list(before)[:-1], "dev3", last]
    assert {name: job for name, job in after.items() if name not in ("dev3", last)} == {
        name: job for name, job in before.items() if name != last
    }
    renamed = json.loads(json.dumps(before[last]).replace(f"'{last}'", "'dev3'"))
    assert after["dev3"] == {**renamed, "with": {"stack": "dev3"}}, "permissions, secrets and conditions as the others"
    assert after[last]["needs"] == [*before[last]["needs"], "dev3"]
    condition = "&& (needs.dev3.result == 'success' || needs.dev3.result == 'skipped')"
    assert after[last]["if"].replace(f"{condition} ", "") == before[last]["if"]
    assert condition in after[last]["if"], "a failure of dev3 has to stop it"
    assert {**after[last], "needs": 0, "if": 0} == {**before[last], "needs": 0, "if": 0}


@pytest.mark.parametrize(
    "text", ["", "jobs:\n", DEPLOY.replace("needs: [", "needs: &x ["), DEPLOY.partition("\n  dev:")[0]]
)
def test_a_deploy_yml_of_another_form_is_left_to_the_reader(text: str) -> None:
    steps = new_environment.next_steps(new_stackfile.Answers("dev3", ("x.org",), "ionos"), text)
    assert "add a job for dev3 to .github/workflows/deploy.yml in its place" in "\n".join(steps)


def test_an_environment_that_is_deployed_already_needs_no_job() -> None:
    steps = new_environment.next_steps(new_stackfile.Answers("dev", ("x.org",), "ionos"), DEPLOY)
    assert deploy_job.FILE not in "\n".join(steps)


def test_every_flag_of_a_setting_exists() -> None:
    text = RUNNER.invoke(ops.app, ["new-environment", "--help"], env={"COLUMNS": "200"}).stdout
    assert all(flag in text for flag in new_stackfile.FLAGS.values())


def test_a_file_that_is_no_yaml_is_not_written_over(project: pathlib.Path) -> None:
    (project / "Pulumi.dev3.yaml").write_text("a: [")
    result = run(project, "dev3", *IONOS, "--force")
    assert (result.exit_code, (project / "Pulumi.dev3.yaml").read_text()) == (2, "a: [")
    assert result.stderr.startswith("error: Pulumi.dev3.yaml cannot be read")


def test_another_stack_with_domains_that_are_no_list_is_no_obstacle(project: pathlib.Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("config: {'gitops-platform:dns': {domains: 5}}")
    assert run(project, "dev3", *IONOS).exit_code == 0


@pytest.mark.parametrize("command", [["new-environment", "dev3", *IONOS], ["config", "check", "dev"]])
def test_a_folder_that_is_no_project_is_refused_in_a_sentence(command: list[str], project: pathlib.Path) -> None:
    (project / "Pulumi.yaml").unlink()
    result = RUNNER.invoke(ops.app, [*command, "--directory", str(project)])
    assert result.exit_code == 2
    assert "has no Pulumi.yaml with a name" in result.stderr


def test_a_file_that_cannot_be_written_is_said(project: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_text", full)
    result = run(project, "dev3", *IONOS)
    assert result.exit_code == 2
    assert "cannot be written (No space left on device)" in result.stderr
