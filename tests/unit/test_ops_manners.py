"""What all commands of `python -m ops` have in common. A new command is held to it by being there."""

from __future__ import annotations

import io
import json
import pathlib
import re
import shlex
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer.main
import typer.testing

from ops import __main__ as ops
from ops import clouds, kubectl, login, progress, stack

RUNNER = typer.testing.CliRunner()
OPS = "python -m ops "


def commands(node: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    """Every command that does something, by its words, such as `config check`."""
    for name, child in getattr(node, "commands", {}).items():
        if hasattr(child, "commands"):
            yield from commands(child, (*path, name))
        else:
            yield " ".join((*path, name)), child


COMMANDS = dict(commands(typer.main.get_command(ops.app)))


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> str:
    return request.param


def paragraphs(command: str) -> list[str]:
    return [" ".join(part.split()) for part in (COMMANDS[command].help or "").split("\n\n")]


def test_the_commands_are_found() -> None:
    assert {"config check", "ready", "recover"} <= set(COMMANDS), "or nothing below tests anything"


def test_help_has_an_example_of_the_command_itself(command: str) -> None:
    wanted = f"Example: {OPS}{command}"
    examples = [part for part in paragraphs(command) if part.startswith(wanted)]
    assert examples, f"the docstring of `ops {command}` needs a paragraph of its own that begins with `{wanted} …`"
    words = shlex.split(examples[0].removeprefix(wanted).split(" | ")[0].split(" > ")[0])
    known = {option for one in COMMANDS[command].params for option in (*one.opts, *one.secondary_opts)}
    unknown = [word for word in words if word.startswith("-") and word != "-" and word.split("=")[0] not in known]
    assert not unknown, f"the example of `ops {command}` uses options that it does not have"


def test_help_documents_every_exit_code(command: str) -> None:
    text = " ".join(paragraphs(command))
    found = re.search(r"Exit codes: (0 .+?, 1 .+|0 .+?, 2 .+)", text)
    assert found, f"the docstring of `ops {command}` has to say `Exit codes: 0 …, 1 …, 2 …`; it says: {text}"


def test_every_command_speaks_json(command: str) -> None:
    options = {option for one in COMMANDS[command].params for option in one.opts}
    assert "--json" in options, f"`ops {command}` needs --json (one JSON object on stdout, all else on stderr)"


def test_every_option_is_explained(command: str) -> None:
    silent = [one.name for one in COMMANDS[command].params if not getattr(one, "help", None)]
    assert not silent, f"`ops {command} --help` says nothing about {silent}"


def test_help_is_printed_without_a_stack_a_login_or_a_cluster(command: str) -> None:
    result = RUNNER.invoke(ops.app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


def test_wrong_usage_is_exit_code_2(command: str) -> None:
    assert RUNNER.invoke(ops.app, [*command.split(), "--no-such-option"]).exit_code == 2


def fake_pulumi(folder: pathlib.Path, body: str, monkeypatch: pytest.MonkeyPatch) -> stack.Stack:
    """A stack whose `pulumi` is this shell script."""
    file = folder / "pulumi"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return stack.Stack("sbx", folder)


# What Pulumi 3.259 says, word for word, and what a person has to read instead.
SAID = {
    "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions": "pulumi login s3://",
    'error: unable to open state directory "file:///tmp/x": stat /tmp/x: no such file or directory': "file:///tmp/x",
    "error: no stack named 'sbx' found": "`pulumi stack init sbx`",
    "error: could not deserialize deployment: constructing secrets manager: passphrase must be set with "
    "PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables": "set PULUMI_CONFIG_PASS",
    "error: getting stack configuration: get stack secrets manager: incorrect passphrase": "is not the one",
    "error: failed to decrypt: incorrect passphrase, please set PULUMI_CONFIG_PASSPHRASE to the correct passphrase or "
    "set PULUMI_CONFIG_PASSPHRASE_FILE to a file containing the passphrase": "is not the one",
    'error: constructing secrets manager of type "passphrase": constructing secrets manager: unable to read '
    "PULUMI_CONFIG_PASSPHRASE_FILE: open /tmp/x: no such file or directory": "correct PULUMI_CONFIG_PASSPHRASE_FILE",
    'error: read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): operation error S3: GetObject, '
    "get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found": "no credentials",
    'error: read ".pulumi/meta.yaml": blob (code=Unknown): operation error S3: GetObject, https response error '
    "StatusCode: 403, api error AccessDenied: Access Denied": "refuses these credentials",
    'error: read ".pulumi/meta.yaml": blob (code=Unknown): operation error S3: GetObject, request send failed, Get '
    '"http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused': "cannot be reached",
    'Logging in using access token from PULUMI_ACCESS_TOKEN\nerror: performing HTTP request: Get "https://x/api/user": '
    "dial tcp: lookup x: no such host": "cannot be reached",
    "error: error listing stacks: could not list bucket: blob (code=NotFound): operation error S3: ListObjectsV2, "
    "https response error StatusCode: 404, NoSuchBucket: The specified bucket does not exist": "bucket is not there",
    "error: invalid access token": "PULUMI_ACCESS_TOKEN",
}


@pytest.mark.parametrize(("said", "words"), SAID.items())
def test_a_missing_login_or_passphrase_is_said_in_one_sentence_with_the_next_step(
    said: str, words: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "said").write_text(said)
    broken = fake_pulumi(tmp_path, f"cat {tmp_path}/said >&2; exit 1", monkeypatch)
    with pytest.raises(stack.OpsError) as raised:
        broken.export()
    sentence, original = str(raised.value).split("\n")
    assert words in sentence
    assert original == f"  ({said.splitlines()[-1]})", "whoever searches the web needs Pulumi's own words"


def test_trouble_of_a_resource_is_not_taken_for_trouble_with_the_state() -> None:
    said = "error: ionoscloud:k8s:Cluster resource 'x': dial tcp 10.0.0.1:443: connect: connection refused"
    assert login.advice(said) is None


@pytest.mark.parametrize(
    "call",
    ["ready sbx", "access list sbx", "access issue sbx til", "access revoke sbx til --yes", "access check sbx til",
     "recover sbx --dry-run", "recover sbx --yes", "seal --stack sbx", "sweep-records sbx --yes"],
)  # fmt: skip
@pytest.mark.parametrize("installed", [True, False])
def test_a_pulumi_that_cannot_be_asked_is_exit_code_2_everywhere(
    call: str, installed: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if installed:
        fake_pulumi(tmp_path, f"echo '{next(iter(SAID))}' >&2; exit 255", monkeypatch)
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    result = RUNNER.invoke(ops.app, call.split(), input="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")


def test_ctrl_c_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: stack.Stack) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack.Stack, "outputs", interrupted)
    assert RUNNER.invoke(ops.app, ["ready", "sbx"]).exit_code == 130


def test_a_command_without_pulumi_says_what_to_install(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = RUNNER.invoke(ops.app, ["ready", "sbx", "--json"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: pulumi is not on PATH: install it")


def test_what_takes_longer_is_announced_on_stderr(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Ends once it has been spoken of: nothing here rests on how fast the machine is.
    told = tmp_path / "told"
    slow = fake_pulumi(tmp_path, f"while [ ! -e {told} ]; do sleep 0.05; done; echo '{{}}'", monkeypatch)
    assert heard(slow.export, told, monkeypatch, capsys) == ({}, "waiting for `pulumi stack export` … True\n")


def heard(
    call: Callable[[], Any], told: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[Any, str]:
    """What a call gives that ends once it has been spoken of, and what was said."""
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(progress.typer, "echo", lambda text, err: (print(text, err), told.touch()))
    return call(), capsys.readouterr().out


def test_a_slow_cluster_is_announced(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told, file = tmp_path / "told", tmp_path / "kubectl"
    file.write_text(f"#!/bin/sh\nwhile [ ! -e {told} ]; do sleep 0.05; done; echo '{{}}'\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    said = heard(lambda: kubectl.Kubectl("x").get("/api"), told, monkeypatch, capsys)
    assert said == ({}, "waiting for the cluster … True\n")


def waiting(told: pathlib.Path, answer: Any) -> Callable[..., Any]:
    def answers(*_: Any, **__: Any) -> Any:
        while not told.exists():
            time.sleep(0.01)
        return answer

    return answers


def test_slow_clouds_are_announced(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told"
    monkeypatch.setattr(clouds.urllib.request, "urlopen", waiting(told, io.BytesIO(b"{}")))
    ionos = clouds.Ionos({"token": "t"}, print, 1)
    assert heard(lambda: ionos.get("/x"), told, monkeypatch, capsys) == ({}, "waiting for IONOS Cloud … True\n")
    told.unlink()
    aws = clouds.Aws()
    monkeypatch.setattr(aws, "_client", lambda _: types.SimpleNamespace(get_user=waiting(told, {})))
    said = heard(lambda: aws.has_user("x"), told, monkeypatch, capsys)
    assert said == (True, "waiting for AWS … True\n")


def test_a_kubeconfig_is_in_no_folder_and_kubectl_can_read_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kubectl"
    file.write_text('#!/bin/sh\ncat "$2" "$2"; ls "$TMPDIR"\n')
    file.chmod(0o755)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("TMPDIR", str(empty))
    monkeypatch.setattr(tempfile, "tempdir", str(empty))
    assert kubectl.Kubectl("canary\n").run("version") == "canary\ncanary\n", "read more than once, and left nowhere"


def test_what_is_quick_is_not_announced(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = fake_pulumi(tmp_path, "echo '{\"version\": 3}'", monkeypatch)
    monkeypatch.setattr(progress, "QUIET_SECONDS", 60.0)
    assert json.dumps(quick.export()) == '{"version": 3}'
    assert capsys.readouterr().err == ""
