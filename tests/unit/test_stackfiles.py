"""Stack files as Pulumi reads them: values, constructs, what is doubtful, and that no file ends in a traceback."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import yaml

import settings
from ops import config, stackfiles
from settings import documents, program, scalars

GOOD = """
config:
  p:cluster:
    provider: ionos
    kubernetesVersion: "1.34.3"
  p:dns:
    domains: [good.org]
"""
Check = Callable[[str | bytes], dict[str, Any]]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """What `config check` says about a stack file with this content: `{mistakes, warnings}`, lines of text."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "Pulumi.yaml").write_text("name: p\nruntime: python\n")

    def report(content: str | bytes) -> dict[str, Any]:
        (folder / "Pulumi.x.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
        found = config.report(folder, "x")
        return {
            key: [f"{one['path']}: {one['problem']} → {one['fix']}" for one in found[key]]
            for key in ("mistakes", "warnings")
        }

    return report


def raw(text: str, folder: pathlib.Path) -> dict[str, Any]:
    (folder / "Pulumi.x.yaml").write_text(text)
    found = stackfiles.read(folder / "Pulumi.x.yaml", "p")
    assert found.mistakes == []
    return found.raw


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("True", True), ("tRue", "tRue"), ("~", None), ("null", None), ("nUll", "nUll"),
        ("0755", 493), ("0815", 815), ("0o17", 15), ("0x1F", 31), ("0b101", 5), ("-0x1F", -31), ("+12", 12),
        ("052891112222", 52891112222), ("0891234", 891234), ("10_000", 10000), ("_1", "_1"), ("1e3", 1000),
        ("12e45", 1.2e46), ("12e4567", "12e4567"), (".5", 0.5), ("1.0", 1), ("1.10", 1.1), ("-0.0", 0),
        ("02:00:00", "02:00:00"), ("1.2.3", "1.2.3"), ("2024-01-01", "2024-01-01 00:00:00 +0000 UTC"),
        ("2024-13-01", "2024-13-01"), ("99999999999999999999", 100000000000000000000), ("9" * 5000, "9" * 5000),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_plain_value_is_what_the_engine_makes_of_it(text: str, value: Any, tmp_path: pathlib.Path) -> None:
    found = raw(f"config: {{p:a: [{text}]}}", tmp_path)["a"]
    assert found == [value]
    assert type(found[0]) is type(value), "true is no 1"


def test_merges_and_aliases_are_read(tmp_path: pathlib.Path, check: Check) -> None:
    text = GOOD.replace("config:", "x-pool: &pool {cores: 2, ramMb: 4096}\nconfig:", 1).replace(
        "  p:dns:", "    defaultPool: {<<: *pool, ramMb: 8192}\n    ingressPool: *pool\n  p:dns:"
    )
    assert check(text)["mistakes"] == []
    assert raw(text, tmp_path)["cluster"]["defaultPool"] == {"cores": 2, "ramMb": 8192}, "what stands there itself wins"
    assert raw("config: {p:a: {<<: [{b: 1}, {b: 2, c: 3}]}}", tmp_path) == {"a": {"b": 1, "c": 3}}, "the first wins"


def test_keys_without_a_namespace_are_the_projects(check: Check) -> None:
    assert check(GOOD.replace("p:", "").replace("dns:", "p:config:dns:"))["mistakes"] == []
    (twice,) = check(GOOD + "  dns: {domains: [b.org]}\n")["mistakes"]
    assert "dns stands here twice" in twice, "which of both Pulumi takes is a matter of luck"
    (colons,) = check(GOOD + "  p:a:b: 1\n")["mistakes"]
    assert "write p:b" in colons


OWNER = "  p:appOwners: [{organization: a, namespaces: [%s]}]\n"
DOUBTFUL = [
    ("  p:gitops: {revision: 0891234}\n", "gitops.revision: 0891234 is read as the number 891234", '"0891234"'),
    (OWNER % "0815", "appOwners[0].namespaces[0]: 0815 is read as the number 815", '"0815"'),
    ("  p:confirmRemoval: [052891112222]\n", "confirmRemoval[0]: 052891112222 is read", '"052891112222"'),
    ("  p:waitMinutes: 010\n", "waitMinutes: 010 is read as the number 8", 'put it in quotes: "010", or write 8'),
    ("  p:gitops: {revision: 2024-01-01}\n", "gitops.revision: 2024-01-01 is read as a date", '"2024-01-01"'),
    ("  p:gitops: {revision: 1e3}\n", "gitops.revision: 1e3 is read as a number", 'put it in quotes: "1e3"'),
    ("  p:gitops: {revision: 1.10}\n", "gitops.revision: 1.10 is read as a number", 'put it in quotes: "1.10"'),
    ("  p:gitops: {revision: True}\n", "gitops.revision: True is read as true or false", 'put it in quotes: "True"'),
    ("  p:gitops: {githubApp: {appId: 0123, installationId: 1}}\n", "gitops.githubApp.appId: 0123", "or write 83"),
    (
        "  p:addons: {ingress: {values: {a: [{b: 2024-01-01}]}}}\n",
        "addons.ingress.values.a[0].b: 2024-",
        '"2024-01-01"',
    ),
    ("  p:addons: {ingress: {values: {id: 12345678901234567}}}\n", "values.id: 12345678901234567", "loses digits"),
    ("  p:addons: {ingress: {values: {a: 0.12345678901234567890}}}\n", "values.a: 0.1234", "loses digits"),
    ("  p:addons: {ingress: {values: {a: .inf}}}\n", "values.a: .inf is read as a number", 'in quotes: ".inf"'),
    ("  p:addons: {ingress: {tcpServices: {05432: a/b:1}}}\n", "tcpServices.2842: 05432 is read as 2842", '"05432"'),
    ("  p:addons: {ingress: {values: {True: x}}}\n", "values.true: True is read as true", '"True"'),
]


@pytest.mark.parametrize(("text", "said", "fix"), DOUBTFUL, ids=[said[:40] for _, said, _ in DOUBTFUL])
def test_what_is_read_as_something_else_is_shown_as_written(text: str, said: str, fix: str, check: Check) -> None:
    (mistake,) = check(GOOD + text)["mistakes"]
    assert said in mistake
    assert fix in mistake


@pytest.mark.parametrize(
    "text",
    [
        "  p:addons: {ingress: {values: {mode: 0644, on: yes, a: 1e3, b: 0.50, c: 0x1F, d: 10_000, 5432: x}}}\n",
        "  p:waitMinutes: 1_0\n",
        OWNER.replace("}]", ", quota: {pods: 1e1, requests.memory: 1e9, requests.cpu: 0.50}}]") % "a",
        "  p:gitops: {revision: '0891234'}\n",
        '  p:gitops: {revision: !!str 2024-01-01}\n  p:environment: "sbx"\n',
        "  other:key: 0815\n",
    ],
)
def test_what_everybody_writes_is_no_mistake(text: str, check: Check) -> None:
    assert check(GOOD + text)["mistakes"] == []


def test_a_version_of_an_image_that_is_read_as_a_number_is_warned_about(check: Check) -> None:
    found = check(GOOD + "  p:addons: {ingress: {values: {image: {tag: 1.10}, appVersion: 2, size: 1.10}}}\n")
    assert found["mistakes"] == []
    said = [one for one in found["warnings"] if "read as a number" in one]
    assert len(said) == 2, "1.1 is another image"
    assert 'image.tag: 1.10 is read as a number → put it in quotes: "1.10"' in said[0]


@pytest.mark.parametrize("text", ["hunter2hunter", "*hunter2hunter", "0815123499", "2024-01-01", "{a: hunter2hunter}"])
def test_a_secret_in_plain_text_is_never_shown(text: str, check: Check) -> None:
    found = str(check(f"{GOOD}  p:ionosToken: {text}\n"))
    assert "ionosToken: this secret is in plain text" in found or "alias" in found
    for word in ("hunter2", "08151", "81512", "2024"):
        assert word not in found


def test_values_of_unknown_keys_are_not_shown(check: Check) -> None:
    for text in ("  p:clustr: 0815123499\n", "  p:clustr: {a: 0815123499}\n"):
        assert "0815" not in str(check(GOOD + text))
    (said,) = check(GOOD + "  p:argocd: {pasword: 0815123499, x: {y: 2024-01-01}}\n")["mistakes"][:1]
    assert "unknown key" in said
    assert "0815" not in str(check(GOOD + "  p:argocd: {pasword: 0815123499}\n"))


def test_a_doubtful_value_is_one_mistake(check: Check) -> None:
    (said,) = check(GOOD + "  p:gitops: {revision: 0891234}\n")["mistakes"]
    assert said.endswith('→ put it in quotes: "0891234"'), "the number is refused as well"
    assert len(check(GOOD.replace('"1.34.3"', "01.34"))["mistakes"]) == 1
    assert len(check(GOOD.replace("good.org", "2024-01-01"))["mistakes"]) == 1, "and its host is not wrong as well"


ESC = "environment: [shared/dns]\n"


def test_what_pulumi_esc_may_say_is_a_warning(check: Check) -> None:
    text = "config:\n  p:cluster: {provider: ionos}\n"
    assert "dns: it is missing" in str(check(text)["mistakes"])
    found = check(text + ESC)
    assert found["mistakes"] == []
    (said,) = found["warnings"]
    assert "(shared/dns) are not seen here; not in this file: cluster.kubernetesVersion, dns → run `pulumi prev" in said
    assert check(text.replace("ionos}", "ionos, publc: true}") + ESC)["mistakes"] == [
        "cluster.publc: unknown key → did you mean public? Otherwise remove it"
    ], "what the file does say is checked as ever"


@pytest.mark.parametrize(
    "esc", ["environment: {imports: [a/b, {c: {}}]}\n", "environment: {values: {pulumiConfig: {}}}\n"]
)
def test_an_inline_environment_counts_as_well(esc: str, check: Check) -> None:
    assert check(esc)["mistakes"] == []


def test_a_secret_may_come_from_pulumi_esc(check: Check) -> None:
    text = GOOD.replace("domains:", "provider: ionos\n    domains:")
    assert "ionosDnsToken" in str(check(text)["mistakes"])
    assert check(text + ESC)["mistakes"] == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD.encode("utf-16"), None),
        (GOOD.encode("utf-8-sig"), None),
        (GOOD.replace("\n", "\r\n").encode(), None),
        (GOOD.replace("ionos", "ionos\t# where").encode(), None),
        (f"---{GOOD}...\n".encode(), None),
        (GOOD.replace("    provider", "\tprovider").encode(), "line 4, column 1: no valid YAML: found character '\\t'"),
        (b"config: {p:cluster: {provider:\xc2\xa0ionos}}", "a key with a no-break space"),
        (f"<<<<<<< HEAD{GOOD}=======\n>>>>>>> main\n".encode(), "left half done: line 1 is its mark"),
        (GOOD.encode("utf-16-le"), "has a character that no text has → save it as UTF-8"),
        (GOOD.replace("good", "gö").encode("latin-1"), "line 7 is not in UTF-8 → save it as UTF-8"),
        (f"{GOOD}---\nconfig: {{}}\n".encode(), "line 8, column 1: a second document begins here"),
        (b"config: {p:a: &a [*a]}", "line 1, column 15: an anchor (&) contains itself"),
        (b"config: {p:a: {<<: [x]}}", "line 1, column 21: no valid YAML: << takes mappings only"),
        (b"config: {p:a: {[b]: 1}}", "line 1, column 16: no valid YAML: a key that is no text"),
        (b"config: {p:a: [!!int hunter2]}", "line 1, column 16: no valid YAML: what stands here is no int"),
        (b"config: {p:a: !!binary hunter2}", "!!binary is no base64 of a text"),
        (b"[" * 2000, "it is nested too deeply"),
        (b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 10)) for n in range(98, 104)),
         "its aliases (*) make too much of it"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_file_is_read_or_the_line_is_named(content: bytes, said: str | None, check: Check) -> None:
    found = check(content)["mistakes"]
    assert said in str(found[0]).replace("\\\\", "\\") if said else found == []
    assert "hunter2" not in str(found)


def test_an_empty_item_of_a_list_is_called_that(check: Check) -> None:
    (said,) = check(GOOD.replace("[good.org]", "\n    - good.org\n    -"))["mistakes"]
    assert said.startswith("dns.domains[1]: the list has an empty item → remove its `-`")


def test_the_program_knows_what_the_engine_no_longer_shows(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "Pulumi.sbx.yaml"
    file.write_text(GOOD + "  p:waitMinutes: 010\n")
    given = {"cluster": '{"provider":"ionos","kubernetesVersion":"1.34.3"}', "dns": '{"domains":["good.org"]}'}
    written = program.as_written(file, "p", {**given, "waitMinutes": "8"})
    with pytest.raises(settings.SettingsError, match='010 is read as the number 8 → put it in quotes: "010"'):
        settings.parse({**given, "waitMinutes": "8"}, "sbx", (), written)
    assert not program.as_written(file, "p", {"waitMinutes": "9"}).values, "another file is in use (--config-file)"
    assert not program.as_written(tmp_path / "none.yaml", "p", given).values


def test_a_good_stack_file_is_not_read_twice() -> None:
    for stack in stackfiles.names(stackfiles.PROJECT):
        content = (stackfiles.PROJECT / f"Pulumi.{stack}.yaml").read_bytes()
        assert not program.DOUBTFUL.search(content), "each run would take longer for it"


def test_a_date_is_known_without_the_file_too() -> None:
    raw_date = {"gitops": '{"revision":"2024-01-01 00:00:00 +0000 UTC"}'}
    with pytest.raises(settings.SettingsError, match="it was read as a date"):
        settings.parse({**yaml.safe_load(GOOD.replace("p:", ""))["config"], **raw_date}, "sbx")


# --- no file ends in a traceback

PIECES = st.sampled_from([
    "<<: *a", "*a", "&a ", "- ", "  ", "\n", ": ", "{", "}", "[", "]", ",", "'", '"', "#", "? ", "!!int ", "!x ",
    "---\n", "\t", "\r", "0815", "1e3", "2024-01-01", "~", ".inf", "\ufeff", "ä", "\U0001f600", "\x00", "\x85", "|",
    ">", "%", "@", "secure: x", "x" * 300, "9" * 500, "environment: [a]\n", "true", "5: 1", "-", "[[[[[",
    "p:dns: ", "p:",
])  # fmt: skip
WHOLE = """\
config:
  p:cluster: {provider: ionos, kubernetesVersion: "1.34.3", defaultPool: {publicIps: [203.0.113.1], labels: {a: b}}}
  p:dns: {provider: ionos, domains: [good.org, {name: b.org, zoneId: Z0123456789}]}
  p:ionosDnsToken: {secure: v1:a:b}
  p:argocd: {github: {clientId: Iv1.01234567, organization: o, teams: [a]}, rbac: {admins: [o:a]}, values: {a: [1]}}
  p:addons: {ingress: {tcpServices: {5432: a/b:1}, values: {a: {b: 1}}}, certManager: {email: a@b.org, server: staging}}
  p:gitops: {repository: "https://git.org/a/b", revision: main, handOver: true, githubApp: {appId: 1}}
  p:appOwners:
    - {organization: a, namespaces: [a], quota: {pods: 1}, limits: {max: {cpu: 1}}, argocd: {repositories: [a]}}
"""


@hypothesis.given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), PIECES), max_size=4))
@hypothesis.settings(max_examples=80, deadline=None)
def test_no_changed_file_ends_in_a_traceback(check: Check, changes: list[tuple[int, int, str]]) -> None:
    text = WHOLE
    for at, gone, put in changes:
        text = text[:at] + put + text[at + gone :]
    assert all(not one.startswith(":") for one in check(text)["mistakes"]), "a mistake without a place"


@hypothesis.given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")))
@hypothesis.settings(max_examples=80, deadline=None)
def test_no_bytes_end_in_a_traceback(check: Check, content: bytes) -> None:
    check(content)
    check(b"config:\n  p:dns: " + content)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.integers() | st.sampled_from(WHOLE.split()), inner, max_size=4)
    ),
    max_leaves=12,
)
SECTIONS = ("cluster", "dns", "argocd", "addons", "gitops", "charts", "appOwners", "waitMinutes", "ionosToken")


@hypothesis.given(st.dictionaries(st.sampled_from(SECTIONS), TREES, max_size=4), TREES)
@hypothesis.settings(max_examples=60, deadline=None)
def test_no_tree_ends_in_a_traceback(check: Check, sections: dict[str, Any], environment: Any) -> None:
    values = {f"p:{key}": value for key, value in sections.items()}
    check(yaml.safe_dump({"config": values, "environment": environment}, allow_unicode=True))


@hypothesis.given(st.text(alphabet="0123456789_.eE+-xobTZ: ", max_size=12) | st.text(max_size=6))
@hypothesis.settings(max_examples=200, deadline=None)
def test_every_plain_text_has_a_value(text: str) -> None:
    value = scalars.as_json(scalars.resolve(text))
    assert value is None or isinstance(value, str | int | float)
    assert isinstance(scalars.as_key(scalars.resolve(text)), str)
    scalars.doubt(text)
    if isinstance(value, float) and math.isfinite(value):
        assert not value.is_integer() or abs(value) >= 1e21, "the engine writes whole numbers without a point"


@hypothesis.given(st.binary(max_size=60))
@hypothesis.settings(max_examples=60, deadline=None)
def test_a_document_is_read_or_broken(content: bytes) -> None:
    try:
        documents.read(content)
    except documents.Broken as error:
        said = error
    else:
        return
    assert said.problem
    assert said.fix
