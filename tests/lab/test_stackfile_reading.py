"""What a stack file says: to the real engine, which hands it to a program, and to this project's own reader."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from lab import toolchain
from ops import stackfiles
from settings import documents, scalars

PROGRAM = """\
import json, os, pathlib
from pulumi.runtime import config
pathlib.Path(os.environ["GIVEN"]).write_text(json.dumps(config.CONFIG.get()))
"""
WORDS = """
0 -0 010 0815 0755 0o17 0b101 0x1F -0x1F +12 052891112222 0891234 1_000 0_8 _1 1e3 1E3 12e45 12e4567 1e400 .5 5. 1.10
1.0 -0.0 1e21 1e20 1e-7 123456789.5 99999999999999999999 18446744073709551615 -9223372036854775809 12:30:45 1.2.3 1.34
yes no on off y true True TRUE tRue ~ null Null nUll 2024-01-01 2024-1-1 2024-13-01 2024-01-01T00:00:00Z
2024-01-01t1:2:3.50Z 1,000 = <x
"""
PLAIN = WORDS.split()
KEYS = ("0815", "0755", "1e3", "1e20", "123456789.5", "1.10", "true", "yes", "5432", "2024-01-01")
CONSTRUCTS = """\
x-base: &base {cpu: 1, memory: 2Gi, deep: {a: 0o17}}
x-list: &list [a, 010]
config:
  p:merged: {<<: *base, cpu: 4}
  p:both: {<<: [{cpu: 8, disk: 1}, *base], own: 1}
  p:nested:
    <<: {<<: *base, cpu: 2}
    list: *list
  without-namespace: {a: 1}
  p:config:old-form: 7
  p:nothing:
  p:null-inside: {a: ~, b: [null, ]}
  p:block: |
    two
      lines
  p:folded: >-
    one
    line
  p:quoted: ['0815', "2024-01-01", '1e3', "~", 'yes']
  p:tagged: [!!str 0815, !!float 3, !!int "3", !own 5, !!binary aGk=]
  p:number: 0815
  p:big: 12345678901234567
  p:date: 2024-01-01
  aws:region: eu-central-1
"""


class Pulumi:
    """The real CLI on a project of two lines, with a state of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        (folder / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
        (folder / "__main__.py").write_text(PROGRAM)
        (folder / "state").mkdir()
        tools = toolchain.bin_dir(["pulumi"])
        self.environment = {
            "PATH": os.pathsep.join([str(tools), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(folder),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "x",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "GIVEN": str(folder / "given.json"),
        }
        made = self.run("stack", "init", "x")
        assert made.returncode == 0, made.stderr
        self.salt = (folder / "Pulumi.x.yaml").read_text()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *words, "--non-interactive"], cwd=self.folder, env=self.environment, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip

    def hands_over(self, text: str) -> dict[str, str]:
        """What the program is given for a stack file with this text."""
        (self.folder / "Pulumi.x.yaml").write_text(text + self.salt)
        done = self.run("preview", "--stack", "x")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((self.folder / "given.json").read_text())

    def reads(self, content: bytes) -> dict[str, Any] | None:
        """The configuration that the CLI reads from a file; None where it refuses the file."""
        file = self.folder / "other.yaml"
        file.write_bytes(content)
        done = self.run("config", "--json", "--stack", "x", "--config-file", str(file))
        return json.loads(done.stdout) if done.returncode == 0 else None


@pytest.fixture(scope="module")
def pulumi(tmp_path_factory: pytest.TempPathFactory) -> Pulumi:
    toolchain.ensure(["pulumi"])
    return Pulumi(tmp_path_factory.mktemp("stackfiles"))


def as_text(value: Any) -> str:
    """A value as the engine hands it over; JSON with its keys in order."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def given_as_text(text: str) -> str:
    try:
        return as_text(json.loads(text))
    except ValueError:
        return text


def test_the_program_is_given_what_config_check_reads(pulumi: Pulumi) -> None:
    lines = [CONSTRUCTS, "  p:plain:\n", *(f"    v{place}: {text}\n" for place, text in enumerate(PLAIN))]
    lines += ["  p:keys:\n", *(f"    {text}: x\n" for text in KEYS)]
    # Beyond 63 bits, the one setting that is nothing but a number would keep its digits.
    alone = [text for text in PLAIN if text != "18446744073709551615"]
    lines += [f"  p:top{place}: {text}\n" for place, text in enumerate(alone)]
    given = pulumi.hands_over("".join(lines))
    found = stackfiles.read(pulumi.folder / "Pulumi.x.yaml", "p")
    assert found.mistakes == []
    ours = {f"p:{key}": value for key, value in found.raw.items()}
    theirs = {key: text for key, text in given.items() if key.startswith("p:")}
    assert set(ours) == set(theirs)
    plain, plain_given = ours.pop("p:plain"), json.loads(theirs.pop("p:plain"))
    assert {text: plain[f"v{n}"] for n, text in enumerate(PLAIN)} == {
        text: plain_given[f"v{n}"] for n, text in enumerate(PLAIN)
    }, "a value is another one in the cloud than in the check"
    assert {key: as_text(value) for key, value in ours.items() if key[2:5] != "top"} == {
        key: given_as_text(text) for key, text in theirs.items() if key[2:5] != "top"
    }
    for place, text in enumerate(alone):
        # A number alone is handed over as its digits, whatever kind of number it is.
        ours_now, given_now = as_text(ours[f"p:top{place}"]), theirs[f"p:top{place}"]
        assert ours_now == given_now or json.loads(ours_now) == json.loads(given_now), text


@pytest.mark.parametrize(
    "content",
    [
        b"config: {p:a: 1, p:a: 2}",
        b"config: {p:a: {b: 1, b: 2}}",
        b"config: {p:a: *nowhere}",
        b"config: {p:a: &a [*a]}",
        b"config: {p:a: {<<: text}}",
        b"config: {p:a: [!!int x]}",
        b"config: {p:a: \xff}",
        b"config: {p:a: \x01}",
        b"config:\n\tp:a: 1\n",
        b"config: {p:a: [1}",
        b"config: {p:a: {[b]: 1}}",
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 10)) for n in range(98, 104)),
    ],
    ids=lambda content: repr(content)[:40],
)
def test_what_the_engine_refuses_is_refused(pulumi: Pulumi, content: bytes) -> None:
    assert pulumi.reads(content) is None
    with pytest.raises(documents.Broken) as said:
        documents.read(content)
    assert said.value.fix


def test_a_number_that_no_json_has_is_refused(pulumi: Pulumi) -> None:
    assert pulumi.reads(b"config: {p:a: [.inf]}") is None
    assert scalars.doubt(".inf")


@pytest.mark.parametrize(
    "content",
    [
        "config: {p:a: ü}".encode("utf-8-sig"),
        "config: {p:a: ü}".encode("utf-16"),
        b"config:\r\n  p:a: x\r\n  p:b: [1]\r\n",
        b"---\nconfig: {p:a: x}\n...\n",
        b"config:\n  p:a:\tx\t# comment\n  p:b: [1,\t2]\t\n",
        b"config: &a {p:a: x}\nx-again: &a {b: 1}\n",
        b"config:\n",
        b"",
    ],
    ids=lambda content: repr(content)[:40],
)
def test_what_the_engine_takes_is_taken(pulumi: Pulumi, content: bytes, tmp_path: pathlib.Path) -> None:
    read = pulumi.reads(content)
    assert read is not None
    (tmp_path / "Pulumi.x.yaml").write_bytes(content)
    found = stackfiles.read(tmp_path / "Pulumi.x.yaml", "p")
    assert found.mistakes == []
    assert {f"p:{key}": given_as_text(as_text(value)) for key, value in found.raw.items()} == {
        key: given_as_text(as_text(entry["objectValue"] if "objectValue" in entry else entry["value"]))
        for key, entry in read.items()
    }


def test_of_two_documents_the_engine_reads_one_and_the_check_says_so(pulumi: Pulumi) -> None:
    content = b"config: {p:a: x}\n---\nconfig: {p:a: y, p:b: z}\n"
    read = pulumi.reads(content)
    assert read is not None
    assert {key: entry["value"] for key, entry in read.items()} == {"p:a": "x"}
    with pytest.raises(documents.Broken, match="second document"):
        documents.read(content)


def test_the_program_says_what_was_written(pulumi: Pulumi) -> None:
    program = pulumi.folder / "__main__.py"
    program.write_text(
        f"import sys\nsys.path.insert(0, {str(stackfiles.PROJECT)!r})\nimport settings\nsettings.load()\n"
    )
    text = """\
config:
  p:cluster: {provider: existing, name: a, kubeconfigPath: b}
  p:dns: {domains: [good.org]}
  p:gitops: {revision: 0891234}
  p:confirmRemoval: [0815]
  p:waitMinutes: 010
"""
    (pulumi.folder / "Pulumi.x.yaml").write_text(text + pulumi.salt)
    done = pulumi.run("preview", "--stack", "x")
    assert done.returncode != 0
    for words in (
        'gitops.revision: 0891234 is read as the number 891234 → put it in quotes: "0891234"',
        'confirmRemoval[0]: 0815 is read as the number 815 → put it in quotes: "0815"',
        'waitMinutes: 010 is read as the number 8 → put it in quotes: "010", or write 8',
        "3 mistakes",
    ):
        assert words in done.stdout, done.stdout + done.stderr
