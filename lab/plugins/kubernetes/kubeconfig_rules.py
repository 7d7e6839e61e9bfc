"""What client-go (0.34) refuses in a kubeconfig, in its words but for values. Pure, except that it looks for files."""

from __future__ import annotations

import base64
import collections.abc
import pathlib
import re
import typing
import urllib.parse

Config = dict[str, typing.Any]

BOOLEANS = ("insecure-skip-tls-verify", "disable-compression")
NESTED = ("exec", "auth-provider", "extensions", "as-groups", "as-user-extra")
BEFORE_EXEC = ("token", "tokenFile", "username", "client-certificate", "client-certificate-data")
"""Credentials beside which no command is run."""

USERINFO = r"([A-Za-z0-9._:~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})*"
EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


def undecodable(config: Config) -> collections.abc.Iterator[str]:
    """Why client-go's decoder would not take it."""
    for key, known in (("apiVersion", "v1"), ("kind", "Config")):
        if config.get(key) not in (None, "", known):
            yield f"no kind is registered for this {key}"
    for section in ("contexts", "clusters", "users"):
        entries = config.get(section) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict | None) for entry in entries):
            yield f"json: cannot unmarshal into Go struct field Config.{section}"
            continue
        names = [entry.get("name") for entry in entries if entry]
        for name in {name for name in names if names.count(name) > 1}:
            yield f'error converting {section}: duplicate name "{name}" in list'
        for entry in entries:
            yield from _mistyped(entry or {}, section)


def refused(cluster_name: str, cluster: Config, user_name: str, user: Config) -> collections.abc.Iterator[str]:
    """Why client-go would not use a cluster and a user that it has decoded."""
    both = [cluster.get(key) for key in ("certificate-authority-data", "certificate-authority")]
    if all(both):
        yield f"certificate-authority-data and certificate-authority are both specified for {cluster_name}"
    yield from _unreadable(cluster, "certificate-authority", cluster_name)
    secure = str(cluster.get("server")).lower().startswith("https:")
    if secure and any(both) and cluster.get("insecure-skip-tls-verify"):
        yield "specifying a root certificates file with the insecure flag is not allowed"
    proxy = urllib.parse.urlsplit(cluster.get("proxy-url") or "http://none")
    if not re.fullmatch(USERINFO, proxy.netloc.rpartition("@")[0]):
        yield f"invalid 'proxy-url' for cluster \"{cluster_name}\": could not parse"
    if proxy.scheme not in ("http", "https", "socks5"):
        yield f"invalid 'proxy-url' for cluster \"{cluster_name}\": unsupported scheme, must be http, https, or socks5"
    if secure and re.search(r"[\x00-\x08\x0a-\x1f\x7f]", user.get("token") or ""):
        yield 'net/http: invalid header field value for "Authorization"'
    yield from _user(user_name, user)
    command = user.get("exec") or {}
    if secure and command.get("apiVersion") and command["apiVersion"] not in EXEC_VERSIONS:
        yield "exec plugin: invalid apiVersion"
    if secure and command.get("interactiveMode") == "Always" and not any(user.get(key) for key in BEFORE_EXEC):
        yield "exec plugin cannot support interactive mode: standard input is not a terminal"
    provider = (user.get("auth-provider") or {}).get("name")
    if secure and provider in ("gcp", "azure"):
        yield f"The {provider} auth plugin has been removed."
    elif secure and provider:
        yield f'no Auth Provider found for name "{provider}"'


def _user(name: str, user: Config) -> collections.abc.Iterator[str]:
    if user.get("token") and (user.get("username") or user.get("password")):
        yield f"more than one authentication method found for {name}; found [token basicAuth], only one is allowed"
    if user.get("client-certificate") or user.get("client-certificate-data"):
        for key, short in (("client-certificate", "client-cert"), ("client-key", "client-key")):
            if user.get(key) and user.get(f"{key}-data"):
                yield f"{short}-data and {short} are both specified for {name}"
            yield from _unreadable(user, key, name)
        if not user.get("client-key") and not user.get("client-key-data"):
            yield f"client-key-data or client-key must be specified for {name}"
    if not user.get("as") and any(user.get(key) for key in ("as-uid", "as-groups", "as-user-extra")):
        yield f"requesting uid, groups or user-extra for {name} without impersonating a user"
    if user.get("exec") is not None:
        yield from _exec(name, user["exec"], user)


def _exec(name: str, command: Config, user: Config) -> collections.abc.Iterator[str]:
    version, mode = command.get("apiVersion"), command.get("interactiveMode")
    if user.get("auth-provider") is not None:
        yield f"authProvider cannot be provided in combination with an exec plugin for {name}"
    if not command.get("command"):
        yield f"command must be specified for {name} to use exec authentication plugin"
    if not all(one.get("name") for one in command.get("env") or []):
        yield f"env variable name must be specified for {name} to use exec authentication plugin"
    if not version:
        yield f"apiVersion must be specified for {name} to use exec authentication plugin"
    if not mode and version == EXEC_VERSIONS[0]:
        yield f"interactiveMode must be specified for {name} to use exec authentication plugin"
    elif mode not in (None, "", "Never", "IfAvailable", "Always"):
        yield f"invalid interactiveMode for {name}"


def _unreadable(section: Config, key: str, name: str) -> collections.abc.Iterator[str]:
    try:
        if section.get(key):
            pathlib.Path(section[key]).open("rb").close()
    except OSError:
        yield f"unable to read {key} {section[key]} for {name}"


def _mistyped(entry: Config, section: str) -> collections.abc.Iterator[str]:
    facts = entry.get(section[:-1]) or {}
    if not isinstance(facts, dict):
        yield f"json: cannot unmarshal into Go struct field Config.{section}.{section[:-1]}"
        return
    for key, value in [("name", entry.get("name")), *facts.items()]:
        if value is None or key in NESTED:
            continue
        wanted = bool if key in BOOLEANS else str
        if not isinstance(value, wanted):
            yield f"json: cannot unmarshal into Go struct field {section}.{key} of type {wanted.__name__}"
        elif key.endswith("-data"):
            plain = re.sub(r"[\r\n]", "", str(value))
            try:
                base64.b64decode(plain, validate=True)
            except ValueError:
                yield f"illegal base64 data in {section}.{key}"
