"""What kubectl refuses in a context of a kubeconfig (client-go 0.34: clientcmd/validation.go, transport, auth/exec)."""

from __future__ import annotations

import base64
import pathlib
import re
import shutil
from collections.abc import Iterator

from kubeconfigs import decoding, proxy, reading
from kubeconfigs.decoding import KubeconfigError, Section
from kubeconfigs.reading import Context

EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
INTERACTIVE = ("Never", "IfAvailable", "Always")
REMOVED = {
    "gcp": "install gke-gcloud-auth-plugin, then run `gcloud container clusters get-credentials` again",
    "azure": "install kubelogin, then run `kubelogin convert-kubeconfig`",
}
"""Ways to sign in that kubectl had until 1.25, and what replaces them."""

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\s]+?-----END CERTIFICATE-----")


def problems(context: Context) -> Iterator[KubeconfigError]:
    """Everything that kubectl, or the plugin, which has no terminal, would refuse. Reads files, runs nothing."""
    where, cluster, user = context.where, context.cluster, context.user
    found = [*_server(cluster, context.secure), *_user(user)]
    if context.secure:
        found += [*_provider(user), *_command(user)]
    for key in ("certificate-authority", "client-certificate", "client-key"):
        section = cluster if key in cluster else user
        used = section.get(key) and (key != "client-key" or has(user, "client-certificate"))
        found += _file(str(section[key]), key) if used else []
    for problem, fix in found:
        yield KubeconfigError(f"{where}: {problem}", fix)
    if context.secure:
        try:
            token(context)
        except KubeconfigError as error:
            yield error


def server(context: Context) -> proxy.Url:
    """The API server's address. Raises `KubeconfigError`."""
    address = str(context.cluster.get("server", ""))
    try:
        url = proxy.parse(address)
    except ValueError as error:
        fix = f"write https:// before it, or {decoding.ANEW}" if address else decoding.ANEW
        raise KubeconfigError(f"{context.where} names no server that has a URL ({error})", fix) from None
    if url.scheme not in ("https", "http"):
        raise KubeconfigError(f"{context.where} names a server that is not asked by https", "write https://")
    return url


def server_port(text: str) -> int:
    """The port of the API server that a kubeconfig's current context names. Raises `KubeconfigError`."""
    url = server(reading.loads(text, where="the kubeconfig"))
    return url.port or proxy.PORTS[url.scheme]


def authorities(context: Context) -> list[bytes]:
    """The certificates (PEM) that the server's is verified with; none: those of the machine.

    Raises:
        KubeconfigError: there is no certificate in what should have some.
    """
    content = content_of(context, context.cluster, "certificate-authority")
    if content is None:
        return []
    # Other text may stand between them, such as comments with names.
    found = CERTIFICATE.findall(content)
    if not found:
        key = (
            "certificate-authority-data"
            if context.cluster.get("certificate-authority-data")
            else "certificate-authority"
        )
        raise KubeconfigError(f"{context.where}: its certificate authority cannot be read ({key} has no certificate)")
    return found


def token(context: Context) -> str | None:
    """The bearer token: a file's, where it can be read, before the one that is written. Raises `KubeconfigError`."""
    written, file = context.user.get("token"), context.user.get("tokenFile")
    if file:
        try:
            found = pathlib.Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            found = ""
        written = found or written
        if not written:
            raise KubeconfigError(f"{context.where}: tokenFile {file} is not there, or has no token")
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", written or ""):
        problem = f"{context.where}: token has a line break or the like in it, which no request can carry"
        raise KubeconfigError(problem, "write the token alone")
    return written or None


def content_of(context: Context, section: Section, key: str) -> bytes | None:
    """What `<key>-data` or the file `<key>` holds; None: neither is there. Raises `KubeconfigError`."""
    if section.get(f"{key}-data"):
        return base64.b64decode(section[f"{key}-data"])
    if not section.get(key):
        return None
    for problem, fix in _file(section[key], key):
        raise KubeconfigError(f"{context.where}: {problem}", fix)
    return pathlib.Path(section[key]).read_bytes()


def has(section: Section, key: str) -> bool:
    """Whether a file or data is there, such as a `client-certificate`."""
    return bool(section.get(key) or section.get(f"{key}-data"))


def identified(context: Context) -> bool:
    """Whether the user has any credentials; kubectl asks for a user name otherwise, a plugin goes without."""
    return _shown(context.user) or any(context.user.get(key) for key in ("auth-provider", "exec"))


Found = Iterator[tuple[str, str]]


def _server(cluster: Section, secure: bool) -> Found:
    both = "certificate-authority and certificate-authority-data"
    data, file = cluster.get("certificate-authority-data"), cluster.get("certificate-authority")
    if data and file:
        yield f"{both} are both there, which kubectl refuses", "remove one of them"
    if secure and cluster.get("insecure-skip-tls-verify") and (data or file):
        key = "certificate-authority-data" if data else "certificate-authority"
        problem = f"insecure-skip-tls-verify and {key} are both there, which kubectl refuses"
        yield problem, "remove insecure-skip-tls-verify"
    if cluster.get("proxy-url"):
        try:
            kind = proxy.parse(str(cluster["proxy-url"])).scheme
        except ValueError as error:
            yield f"proxy-url cannot be used: {error}", "write one such as http://proxy.example.org:3128"
        else:
            if kind not in proxy.PORTS:
                yield f"proxy-url is of a kind that kubectl does not know ({kind})", f"write {', '.join(proxy.PORTS)}"


def _user(user: Section) -> Found:
    if has(user, "client-certificate"):
        for key in ("client-certificate", "client-key"):
            if user.get(key) and user.get(f"{key}-data"):
                yield f"{key} and {key}-data are both there, which kubectl refuses", "remove one of them"
        if not has(user, "client-key"):
            yield "client-certificate has no client-key, which kubectl refuses", "add client-key or client-key-data"
    if user.get("token") and (user.get("username") or user.get("password")):
        yield "token and username or password are both there, which kubectl refuses", "remove one of them"
    if not user.get("as") and any(user.get(key) for key in ("as-uid", "as-groups", "as-user-extra")):
        yield "as-uid, as-groups and as-user-extra need `as`, or kubectl refuses them", "add `as`, or remove them"
    if "exec" in user:
        yield from _exec(user["exec"], user)


def _exec(plugin: Section, user: Section) -> Found:
    version, mode = plugin.get("apiVersion", ""), plugin.get("interactiveMode", "")
    if "auth-provider" in user:
        yield "exec and auth-provider are both there, which kubectl refuses", "remove auth-provider"
    if any(not one.get("name") for one in plugin.get("env", [])):
        yield "exec.env has an entry without a name, which kubectl refuses", "add the name, or remove the entry"
    if not version or (not mode and version == EXEC_VERSIONS[0]):
        key, value = ("interactiveMode", "IfAvailable") if version else ("apiVersion", EXEC_VERSIONS[1])
        yield f"exec has no {key}, which kubectl refuses", f"write {key}: {value}"
    elif mode and mode not in INTERACTIVE:
        yield "exec.interactiveMode is none that kubectl knows", f"write one of {', '.join(INTERACTIVE)}"
    if not plugin.get("command"):
        yield "exec has no command, which kubectl refuses", decoding.ANEW


def _command(user: Section) -> Found:
    """What keeps a command from being run; kubectl runs none beside other credentials."""
    plugin = user.get("exec", {})
    command, version = plugin.get("command", ""), plugin.get("apiVersion", "")
    if version and version not in EXEC_VERSIONS:
        fix = f"write {EXEC_VERSIONS[1]}, or get the kubeconfig anew with the cloud's newest command"
        yield "exec.apiVersion is none that kubectl knows", fix
    if not command or _shown(user):
        return
    if plugin.get("interactiveMode") == "Always":
        problem = f"{command} asks on a terminal (exec.interactiveMode: Always), which Pulumi's plugins do not have"
        yield problem, "sign in without one: write interactiveMode: IfAvailable, or use a token"
    if shutil.which(command):
        return
    if "/" in command:
        problem = f"it gets its credentials from {command}, which is not there or not executable"
        yield problem, "install it there; a relative path begins at the kubeconfig's folder"
    else:
        yield f"it gets its credentials from {command}, which is not on PATH", f"install {command}"


def _provider(user: Section) -> Found:
    name = user.get("auth-provider", {}).get("name", "") if "auth-provider" in user else "oidc"
    if name != "oidc":
        since = " since 1.26" if name in REMOVED else ""
        yield (
            f"kubectl has no auth-provider {name}{since}",
            REMOVED.get(name, "use an exec plugin instead: exec.command"),
        )


def _file(path: str, key: str) -> Found:
    try:
        with pathlib.Path(path).open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        yield f"{key} names {path}, which is not there", f"{decoding.ANEW}, or {decoding.FLATTEN}"
    except (OSError, ValueError) as error:
        yield f"{key} names {path}, which cannot be read ({type(error).__name__})", "check the file's permissions"


def _shown(user: Section) -> bool:
    """Whether there are credentials that come before a command's."""
    return bool(user.get("token") or user.get("tokenFile") or user.get("username") or has(user, "client-certificate"))
