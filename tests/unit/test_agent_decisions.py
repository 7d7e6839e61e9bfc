"""The node agent's decisions: images, phases, restarts, probes, addresses, the sandbox's command line."""

import pytest

from lab.agent import addresses, images, kubelet, probes, sandbox, status


@pytest.mark.parametrize(
    ("reference", "required"),
    [
        ("quay.io/argoproj/argocd:v3.2.6", "argocd"),
        ("localhost:5000/mirror/argocd@sha256:00", "argocd"),
        ("redis", "redis-server"),
        ("public.ecr.aws/docker/library/redis:8.2-alpine", "redis-server"),
        ("docker.io/bitnami/sealed-secrets-controller:0.38.4", "sealed-secrets-controller"),
    ],
)
def test_known_images_run_for_real(reference, required):
    image = images.find(reference)
    assert image
    assert image.required == required


@pytest.mark.parametrize(
    "reference", ["nginx", "ghcr.io/dexidp/dex:v2", "quay.io/x/argocd-extension", "redis-exporter:1"]
)
def test_other_images_are_only_reported(reference):
    assert images.find(reference) is None


def test_a_registrys_port_is_no_tag():
    assert images.repository("localhost:5000/redis") == "localhost:5000/redis"
    assert images.repository("localhost:5000/redis:7") == "localhost:5000/redis"


@pytest.mark.parametrize(
    ("reference", "command", "args", "expected"),
    [
        ("redis", [], [], ("redis-server",)),
        ("redis", [], ["--save", ""], ("redis-server", "--save", "")),
        ("redis", ["sh", "-c"], ["x"], ("sh", "-c", "x")),
        ("redis", ["redis-server"], [], ("redis-server",)),
        ("sealed-secrets-controller", [], ["--v"], ("controller", "--v")),
        ("sealed-secrets-controller", ["controller"], ["--v"], ("controller", "--v")),
        ("argocd", [], ["/usr/local/bin/argocd-server", "--port=1"], ("/usr/local/bin/argocd-server", "--port=1")),
    ],
)
def test_command_and_args_replace_what_the_image_says(reference, command, args, expected):
    image = images.find(reference)
    assert image
    assert images.argv(image, command, args) == expected


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (1000, 30)])
def test_the_wait_between_restarts_doubles_up_to_half_a_minute(failures, seconds):
    assert status.backoff(failures) == seconds


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_the_restart_policy_decides(policy, code, again):
    assert status.restarts(policy, code) is again


RUNNING = {"running": {"startedAt": "t"}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}
CRASHING = {"waiting": {"reason": "CrashLoopBackOff"}}


def ended(code):
    return {"terminated": {"exitCode": code}}


@pytest.mark.parametrize(
    ("initialized", "states", "policy", "expected"),
    [
        (False, [CREATING], "Always", "Pending"),
        (True, [CREATING], "Always", "Pending"),
        (True, [RUNNING, CREATING], "Always", "Running"),
        (True, [CRASHING], "Always", "Running"),
        (True, [ended(0)], "Never", "Succeeded"),
        (True, [ended(0), ended(2)], "Never", "Failed"),
        (True, [ended(0), RUNNING], "Never", "Running"),
        (True, [ended(1)], "OnFailure", "Running"),
        (True, [ended(0)], "Always", "Running"),
    ],
)
def test_the_phase_follows_from_the_containers(initialized, states, policy, expected):
    assert status.phase(initialized, states, [policy] * len(states)) == expected


def test_a_condition_that_stays_keeps_its_time():
    old = [{"type": "Ready", "status": "False", "lastTransitionTime": "then"}]
    unready = {each["type"]: each for each in status.conditions(old, True, ["web"], "Running")}
    assert unready["Ready"]["lastTransitionTime"] == "then"
    assert "web" in unready["Ready"]["message"]
    ready = {each["type"]: each for each in status.conditions(old, True, [], "Running")}
    assert ready["Ready"]["status"] == "True"
    assert ready["Ready"]["lastTransitionTime"] != "then"


def test_a_pod_that_completed_is_not_ready():
    found = {each["type"]: each for each in status.conditions([], True, [], "Succeeded")}
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("False", "PodCompleted")


def test_conditions_of_others_are_kept():
    assert status.others([{"type": "PodScheduled"}, {"type": "Ready"}]) == [{"type": "PodScheduled"}]


def test_liveness_is_patient_on_a_busy_machine():
    found = probes.timing({"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 1}, "liveness")
    assert (found.failures, found.timeout) == (3, 5)


def test_readiness_is_asked_no_earlier_than_told_and_gives_up_as_told():
    found = probes.timing({"initialDelaySeconds": 30, "periodSeconds": 10, "failureThreshold": 2}, "readiness")
    assert (found.delay, found.period, found.failures) == (30, 10, 2), "some are ready later than they say"


def test_a_startup_probe_keeps_its_patience_in_seconds():
    found = probes.timing({"periodSeconds": 10, "failureThreshold": 30}, "startup")
    assert found.failures * found.period == 300


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], None),
        ([True], True),
        ([False, False], None),
        ([False, False, False], False),
        ([False, False, True, False, False], True),
        ([True, False, False, False], False),
        ([True, False, False, False, True], True),
    ],
)
def test_a_verdict_needs_as_many_answers_in_a_row_as_its_threshold(answers, expected):
    verdict = probes.Verdict(probes.timing({"failureThreshold": 3}, "readiness"))
    for answer in answers:
        verdict.add(answer)
    assert verdict.value is expected


def test_a_probe_finds_a_port_by_name():
    container = {"ports": [{"name": "http", "containerPort": 8080}]}
    assert [probes.port(container, wanted) for wanted in ("http", 9, "10")] == [8080, 9, 10]
    with pytest.raises(KeyError, match="no port named"):
        probes.port(container, "grpc")


def test_a_probe_of_an_unknown_port_fails_with_a_reason():
    success, text = probes.ask({"httpGet": {"port": "nope"}}, {}, "127.0.0.1", 1, lambda command, seconds: (True, ""))
    assert not success
    assert "no port named nope" in text


def test_addresses_are_not_given_again_soon():
    pool = addresses.Addresses("127.77.1.1", "127.77.1.3")
    first = pool.take("a")
    assert pool.take("a") == first, "an address stays for the pod's life"
    pool.give_back("a")
    assert [pool.take("b"), pool.take("c")] == ["127.77.1.2", "127.77.1.3"]
    assert pool.take("d") == first, "only after all others"


def test_addresses_skip_network_and_broadcast_and_those_in_use():
    pool = addresses.Addresses("127.77.1.253", "127.77.2.2", {"old": "127.77.1.254", "elsewhere": "10.0.0.1"})
    assert [pool.take("a"), pool.take("b"), pool.take("c")] == ["127.77.2.1", "127.77.2.2", "127.77.1.253"]
    with pytest.raises(RuntimeError, match="in use"):
        pool.take("d")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").touch()
    return sandbox.Root(
        bwrap=tmp_path / "bwrap",
        etc=tmp_path / "etc",
        hosts=tmp_path / "hosts",
        temporary=tmp_path / "tmp",
        home="/root",
        hostname="x" * 80,
        tools=(sandbox.Mount(tmp_path / "argocd", "/usr/local/bin/argocd", True),),
        links=(("/usr/local/bin/argocd-server", "/usr/local/bin/argocd"),),
        mounts=(sandbox.Mount(tmp_path / "b", "/data/sub/b"), sandbox.Mount(tmp_path / "a", "/data", True)),
    )


def test_a_mount_inside_another_comes_after_it(root, tmp_path):
    words = sandbox.arguments(root, None, ["true"])
    assert words.index("/data") < words.index("/data/sub/b")
    assert words[words.index("/data") - 2 :][:3] == ["--ro-bind", str(tmp_path / "a"), "/data"]


def test_the_environment_is_never_on_the_command_line(root):
    words = sandbox.arguments(root, "/work", ["server"])
    assert "--setenv" not in words, "every user of the machine reads command lines"
    assert words[-4:] == ["--chdir", "/work", "--", "server"]


def test_a_host_name_is_cut_to_what_the_kernel_takes(root):
    words = sandbox.arguments(root, None, ["true"])
    assert len(words[words.index("--hostname") + 1]) == 63


@pytest.mark.parametrize(
    ("data", "lines", "expected"),
    [
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"a\n", 5, b"a\n"),
        (b"", 5, b""),
        (b"a\nb\n", 0, b""),
        (b"\n\n\n", 1, b"\n"),
    ],
)
def test_the_tail_of_a_log_is_its_last_lines(data, lines, expected):
    assert kubelet.tail(data, lines) == expected
