"""Service names and endpoints, computed from Services and pods."""

from lab.agent import names

API, NOWHERE = "127.77.0.1", "127.77.255.254"


def pod(name, address, ready=True, namespace="shop", labels=None, hostname=None, subdomain=None, phase="Running"):
    spec = {
        "nodeName": "n-1",
        "hostname": hostname,
        "subdomain": subdomain,
        "containers": [{"ports": [{"name": "http", "containerPort": 8080}]}],
    }
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"u-{name}", "labels": labels or {"app": "web"}},
        "spec": spec,
        "status": {
            "podIP": address,
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def service(name="web", namespace="shop", **spec):
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"s-{name}"},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.9", "ports": ports} | spec,
    }


def lines(namespace, services, pods):
    resident = names.Resident(namespace, "127.77.1.9", "me-0")
    found = [(each, names.endpoints(each, pods)) for each in services]
    return names.hosts(resident, found, API, NOWHERE).splitlines()


def test_endpoints_are_the_selected_pods_of_the_namespace_in_order():
    pods = [
        pod("b", "127.77.1.10"),
        pod("a", "127.77.1.9"),
        pod("other", "127.77.1.3", labels={"app": "db"}),
        pod("away", "127.77.1.4", namespace="bank"),
        pod("done", "127.77.1.5", phase="Succeeded"),
    ]
    assert [each.address for each in names.endpoints(service(), pods)] == ["127.77.1.9", "127.77.1.10"]


def test_a_service_without_selector_has_no_endpoints_of_ours():
    assert names.endpoints(service(selector=None), [pod("a", "127.77.1.9")]) == []


def test_a_pod_that_is_being_deleted_is_not_ready():
    leaving = pod("a", "127.77.1.9")
    leaving["metadata"]["deletionTimestamp"] = "now"
    assert [each.ready for each in names.endpoints(service(), [leaving])] == [False]


def test_unready_pods_count_where_the_service_says_so():
    found = names.endpoints(service(publishNotReadyAddresses=True), [pod("a", "127.77.1.9", ready=False)])
    assert [each.ready for each in found] == [True]


def test_the_slice_carries_loopback_addresses_as_names():
    pods = [pod("a", "127.77.1.9"), pod("b", "127.77.1.10", ready=False)]
    found = names.slice_of(
        service(), names.endpoints(service(), pods), {each["metadata"]["uid"]: each for each in pods}
    )
    assert found["addressType"] == "FQDN", "the API server refuses 127.0.0.0/8 in slices of type IPv4"
    assert [(each["addresses"], each["conditions"]["ready"]) for each in found["endpoints"]] == [
        (["127.77.1.9"], True),
        (["127.77.1.10"], False),
    ]
    assert found["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}], (
        "a port's name is looked up in the pod"
    )
    assert found["metadata"]["ownerReferences"][0]["uid"] == "s-web", "the slice goes with its Service"


def test_a_service_resolves_to_its_ready_pods_under_all_its_names():
    found = lines("shop", [service()], [pod("a", "127.77.1.9"), pod("b", "127.77.1.10", ready=False)])
    assert "127.77.1.9 web web.shop web.shop.svc web.shop.svc.cluster.local" in found
    assert not any(line.startswith("127.77.1.10") for line in found)


def test_the_short_name_belongs_to_the_own_namespace():
    found = lines("bank", [service()], [pod("a", "127.77.1.9")])
    assert "127.77.1.9 web.shop web.shop.svc web.shop.svc.cluster.local" in found


def test_a_service_without_ready_pods_refuses_connections():
    found = lines("shop", [service()], [pod("a", "127.77.1.9", ready=False)])
    assert f"{NOWHERE} web web.shop web.shop.svc web.shop.svc.cluster.local" in found


def test_a_headless_service_without_ready_pods_does_not_resolve():
    assert not any("web" in line for line in lines("shop", [service(clusterIP="None")], []))


def test_a_pod_of_a_headless_service_has_a_name_of_its_own():
    pods = [pod("db-0", "127.77.1.9", hostname="db-0", subdomain="web")]
    found = lines("shop", [service(clusterIP="None")], pods)
    assert "127.77.1.9 db-0.web db-0.web.shop db-0.web.shop.svc db-0.web.shop.svc.cluster.local" in found


def test_the_api_server_has_its_name_and_a_pod_knows_itself():
    found = lines("shop", [service("kubernetes", "default", selector=None)], [])
    assert f"{API} kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local" in found
    assert found[:2] == ["127.77.1.9 localhost", "127.77.1.9 me-0"], "pods share the machine's loopback"


def test_rewriting_keeps_the_file_itself(tmp_path):
    path = tmp_path / "hosts"
    names.rewrite(path, "1.1.1.1 long-name\n2.2.2.2 b\n")
    inode = path.stat().st_ino
    assert names.rewrite(path, "1.1.1.1 a\n")
    assert path.stat().st_ino == inode, "it is bound into running containers"
    assert path.read_text().strip() == "1.1.1.1 a", "nothing of the longer version is left"
    assert not names.rewrite(path, "1.1.1.1 a\n")
