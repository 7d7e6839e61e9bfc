"""The node agent runs pods as a node would: real processes, volumes, probes, restarts, logs, names."""

import base64
import os
import pathlib
import signal
import subprocess
import time

import pytest

from lab import control_plane, kube, processes, services, toolchain

NODE = "agent-test"
NAMESPACE = "agent-test"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
LOOP = "while true; do {}; sleep 0.2; done"


@pytest.fixture(scope="module")
def client(lab):
    control_plane.start(lab)
    made = kube.KubeClient(lab.kubeconfig)
    room = {"cpu": "8", "memory": "8Gi", "pods": "100"}
    node = {
        "metadata": {"name": NODE, "labels": {"lab.gitops-platform/node": "true"}},
        "spec": {"unschedulable": True},
        "status": {"capacity": room, "allocatable": room},
    }
    made.create("/api/v1/nodes", node)
    made.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    until(lambda: made.find(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"))
    yield made
    made.delete(f"/api/v1/namespaces/{NAMESPACE}")
    until(lambda: made.find(f"/api/v1/namespaces/{NAMESPACE}") is None, 60)
    made.delete(f"/api/v1/nodes/{NODE}")


@pytest.fixture
def kubectl(lab):
    def run(*words, seconds=30):
        done = subprocess.run(
            [str(toolchain.find("kubectl")), "--kubeconfig", str(lab.kubeconfig), "-n", NAMESPACE, *words],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def until(condition, seconds=30):
    """What `condition` gives once it gives something; the last try's error is the failure's reason."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def pod(client, name, script=None, image="redis", labels=None, policy="Always", volumes=(), **container):
    """Make a pod on the test's node; `script` runs in its shell."""
    command = {"command": ["sh", "-c", script]} if script else {}
    spec = {
        "nodeName": NODE,
        "restartPolicy": policy,
        "terminationGracePeriodSeconds": 5,
        "containers": [{"name": "main", "image": image} | command | container],
        "volumes": list(volumes),
    }
    client.create(PODS, {"metadata": {"name": name, "labels": labels or {}}, "spec": spec})


def status(client, name):
    """The status of a pod's only container."""
    found = client.get(f"{PODS}/{name}").get("status", {}).get("containerStatuses")
    return found[0] if found else {"state": {}, "lastState": {}, "ready": False, "restartCount": 0}


def ready(client, name):
    return until(lambda: status(client, name)["ready"])


def secret(client, name, **values):
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    client.create(f"/api/v1/namespaces/{NAMESPACE}/secrets", {"metadata": {"name": name}, "data": data})


def log(client, name, query=""):
    return client.text(f"{PODS}/{name}/log{query}")


def command_lines():
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def test_a_changed_secret_reaches_the_running_container(client):
    secret(client, "live", key="first")
    volume = {"name": "s", "secret": {"secretName": "live"}}
    pod(
        client,
        "live",
        LOOP.format("cat /s/key; echo"),
        volumes=[volume],
        volumeMounts=[{"name": "s", "mountPath": "/s"}],
    )
    until(lambda: ready(client, "live") and "first" in log(client, "live"))
    client.patch(
        f"/api/v1/namespaces/{NAMESPACE}/secrets/live", {"data": {"key": base64.b64encode(b"second").decode()}}
    )
    until(lambda: "second" in log(client, "live"))
    assert status(client, "live")["restartCount"] == 0


def test_a_failing_liveness_probe_restarts_the_container(client):
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/sick"]}, "periodSeconds": 1}
    # /tmp is the container's for the pod's life, so it is sick in its first run only.
    script = "[ -e /tmp/sick ] && rm /tmp/sick || touch /tmp/sick; sleep 1000"
    pod(client, "sick", script, livenessProbe=probe)
    until(lambda: status(client, "sick")["restartCount"] == 1)
    until(lambda: status(client, "sick")["ready"])
    events = client.list(f"/api/v1/namespaces/{NAMESPACE}/events", fieldSelector="involvedObject.name=sick")
    assert "Unhealthy" in {event["reason"] for event in events}, "people look at events to see why"


def test_a_pod_is_ready_when_its_readiness_probe_says_so(client):
    probe = {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    pod(client, "late", "sleep 2; touch /tmp/ready; sleep 3; rm /tmp/ready; sleep 1000", readinessProbe=probe)
    until(lambda: "running" in status(client, "late")["state"])
    assert not status(client, "late")["ready"]
    ready(client, "late")
    until(lambda: not status(client, "late")["ready"])


def test_a_crash_loop_is_visible(client, kubectl):
    pod(client, "crash", "echo boom; exit 3")
    until(lambda: status(client, "crash")["restartCount"] >= 2)
    until(lambda: status(client, "crash")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    assert status(client, "crash")["lastState"]["terminated"]["exitCode"] == 3
    assert kubectl("logs", "--previous", "crash") == "boom\n"


def test_jobs_end(client):
    for name, image, script, end in (
        ("good", "redis", "echo done", "Complete"),
        ("unknown", "registry.example/unknown:1", "exit 1", "Complete"),
        ("bad", "redis", "exit 1", "Failed"),
    ):
        container = {"name": "main", "image": image, "command": ["sh", "-c", script]}
        template = {"spec": {"restartPolicy": "Never", "containers": [container], "nodeName": NODE}}
        body = {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": template}}
        client.create(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", body)
        path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{name}"
        until(lambda path=path, end=end: end in _true_conditions(client.get(path)))


def _true_conditions(found):
    return {each["type"] for each in found.get("status", {}).get("conditions", ()) if each["status"] == "True"}


def test_kubectl_follows_a_log_to_its_end(client, kubectl):
    pod(client, "talks", "for n in 1 2 3 4 5; do echo line $n; sleep 0.3; done", policy="Never")
    until(lambda: status(client, "talks")["state"].get("running") or status(client, "talks")["state"].get("terminated"))
    assert kubectl("logs", "-f", "talks").splitlines() == [f"line {n}" for n in range(1, 6)]
    assert kubectl("logs", "--tail=2", "talks").splitlines() == ["line 4", "line 5"]


def test_services_resolve_to_ready_pods(client, kubectl):
    ports = [{"name": "redis", "port": 6379, "targetPort": "redis"}]
    body = {"metadata": {"name": "store"}, "spec": {"selector": {"app": "store"}, "ports": ports}}
    client.create(f"/api/v1/namespaces/{NAMESPACE}/services", body)
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    pod(
        client,
        "store",
        image="docker.io/library/redis:7",
        args=["--bind", "$(POD_IP)", "--save", ""],
        env=[address],
        labels={"app": "store"},
        ports=[{"name": "redis", "containerPort": 6379}],
        readinessProbe={"tcpSocket": {"port": "redis"}},
    )
    long_name = f"store.{NAMESPACE}.svc.cluster.local"
    pod(
        client,
        "asks",
        LOOP.format(f"redis-cli -h store ping; redis-cli -h {long_name} ping; getent hosts kubernetes.default.svc"),
    )
    ready(client, "store")
    until(lambda: log(client, "asks").count("PONG") >= 2, 15)
    slices = client.list(
        f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices",
        labelSelector="kubernetes.io/service-name=store",
    )
    ip = client.get(f"{PODS}/store")["status"]["podIP"]
    assert [each["addresses"] for each in slices[0]["endpoints"]] == [[ip]]
    assert control_plane_address(client) in log(client, "asks")


def control_plane_address(client):
    return client.get(f"/api/v1/nodes/{NODE}")["status"]["addresses"][0]["address"]


def test_a_secret_in_the_environment_is_in_no_command_line(client, lab):
    canary = "canary-c7b1e0"
    secret(client, "canary", key=canary)
    source = {"secretKeyRef": {"name": "canary", "key": "key"}}
    probe = {"exec": {"command": ["sh", "-c", "sleep 0.5; test -n $CANARY"]}, "periodSeconds": 1, "timeoutSeconds": 5}
    pod(
        client,
        "canary",
        LOOP.format('printf %s "$CANARY" | sha256sum'),
        env=[{"name": "CANARY", "valueFrom": source}],
        readinessProbe=probe,
    )
    ready(client, "canary")
    until(lambda: log(client, "canary"))
    for _ in range(10):
        assert not [line for line in command_lines().values() if canary in line], "everybody can read command lines"
        time.sleep(0.1)
    assert lab.home.stat().st_mode & 0o077 == 0, "what the agent writes is below a folder closed to others"


def test_a_pod_waits_for_a_missing_secret_and_says_so(client):
    volume = {"name": "s", "secret": {"secretName": "later"}}
    pod(client, "waits", "cat /s/key; sleep 1000", volumes=[volume], volumeMounts=[{"name": "s", "mountPath": "/s"}])
    until(lambda: status(client, "waits")["state"].get("waiting", {}).get("reason") == "ContainerCreating")

    def messages():
        events = client.list(f"/api/v1/namespaces/{NAMESPACE}/events", fieldSelector="involvedObject.name=waits")
        return " ".join(event["message"] for event in events)

    until(lambda: 'secret "later" not found' in messages())
    secret(client, "later", key="here")
    until(lambda: ready(client, "waits") and log(client, "waits") == "here", 15)


def test_the_service_accounts_token_is_real(client):
    pod(client, "token", "cat /var/run/secrets/kubernetes.io/serviceaccount/token; sleep 1000")
    ready(client, "token")
    token = until(lambda: log(client, "token"))
    review = client.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert review["status"]["user"]["username"] == f"system:serviceaccount:{NAMESPACE}:default"


def test_deletion_asks_first_and_leaves_nothing(client, lab):
    pod(client, "leaves", "trap 'echo bye; exit 0' TERM; while true; do sleep 0.1; done")
    ready(client, "leaves")
    uid = client.get(f"{PODS}/leaves")["metadata"]["uid"]
    client.delete(f"{PODS}/leaves")
    until(lambda: client.find(f"{PODS}/leaves") is None, 10)
    assert (lab.home / "log/pods" / f"{NAMESPACE}_leaves_{uid}/main/0.log").read_text() == "bye\n"
    until(lambda: not (lab.home / "pods" / uid).exists())


def test_a_process_that_does_not_want_to_go_is_killed(client):
    pod(client, "stays", "trap '' TERM; sleep 86399")
    ready(client, "stays")
    client.delete(f"{PODS}/stays", gracePeriodSeconds="1")
    until(lambda: client.find(f"{PODS}/stays") is None, 10)
    assert not [line for line in command_lines().values() if line.startswith("sleep 86399")]


def test_an_unknown_image_is_reported_running_and_says_what_it_is(client, kubectl):
    pod(client, "unknown", image="registry.example/unknown:1")
    ready(client, "unknown")
    assert "only says that this runs" in kubectl("logs", "unknown")


def test_init_containers_run_first_and_sidecars_stay(client):
    mount = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    shell = ["sh", "-c"]
    spec = {
        "nodeName": NODE,
        "volumes": [{"name": "d", "emptyDir": {}}],
        "initContainers": [
            {"name": "first", "image": "redis", "command": [*shell, "echo one >> /d/order"]} | mount,
            {"name": "side", "image": "redis", "command": [*shell, "echo two >> /d/order; sleep 1000"]}
            | mount
            | {"restartPolicy": "Always", "startupProbe": {"exec": {"command": ["grep", "two", "/d/order"]}}},
        ],
        "containers": [{"name": "main", "image": "redis", "command": [*shell, "cat /d/order; sleep 1000"]} | mount],
    }
    client.create(PODS, {"metadata": {"name": "order"}, "spec": spec})
    ready(client, "order")
    assert until(lambda: log(client, "order", "?container=main")).split() == ["one", "two"]
    found = client.get(f"{PODS}/order")["status"]
    assert found["phase"] == "Running"
    assert [each["ready"] for each in found["initContainerStatuses"]] == [True, True]


def test_a_killed_agent_takes_its_processes_along_and_starts_them_again(client, lab):
    pod(client, "survivor", "sleep 86398")
    ready(client, "survivor")
    address = client.get(f"{PODS}/survivor")["status"]["podIP"]
    record = processes.record(lab, "agent")
    assert record
    os.kill(record.pid, signal.SIGKILL)
    until(lambda: not [line for line in command_lines().values() if line.startswith("sleep 86398")], 5)
    services.up(lab, print)
    until(lambda: status(client, "survivor")["restartCount"] == 1 and status(client, "survivor")["ready"])
    assert client.get(f"{PODS}/survivor")["status"]["podIP"] == address, "an address stays for the pod's life"


def test_pods_of_a_removed_node_end(client):
    client.create("/api/v1/nodes", {"metadata": {"name": f"{NODE}-2", "labels": {"lab.gitops-platform/node": "true"}}})
    spec = {"nodeName": f"{NODE}-2", "containers": [{"name": "main", "image": "redis", "command": ["sleep", "86397"]}]}
    client.create(PODS, {"metadata": {"name": "homeless"}, "spec": spec})
    ready(client, "homeless")
    client.delete(f"/api/v1/nodes/{NODE}-2")
    until(lambda: not [line for line in command_lines().values() if line.startswith("sleep 86397")], 10)
    client.delete(f"{PODS}/homeless", gracePeriodSeconds="0")
