"""Whether there are credentials for the clouds; the clouds themselves are not asked."""

from __future__ import annotations

import configparser
import http.client
import pathlib
from collections.abc import Iterator, Mapping

import settings as config


def ionos(environment: Mapping[str, str], has_token: bool) -> Iterator[config.Mistake]:
    """Credentials for the IONOS Cloud API."""
    if has_token or environment.get("IONOS_TOKEN"):
        return
    user, password = environment.get("IONOS_USERNAME"), environment.get("IONOS_PASSWORD")
    if user and password:
        return
    problem = "no token was found"
    if user or password:
        problem = f"{'IONOS_USERNAME' if user else 'IONOS_PASSWORD'} is set alone, and there is no token"
    fix = "set IONOS_TOKEN, or run `pulumi config set --secret ionosToken`"
    yield config.Mistake("IONOS credentials", problem, fix)


def aws(environment: Mapping[str, str]) -> Iterator[config.Mistake]:
    """Credentials for AWS, in the order in which the plugin looks for them."""
    where = "AWS credentials"
    fix = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return
    if key or secret:
        there, absent = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")[:: 1 if key else -1]
        yield config.Mistake(where, f"{there} is set without {absent}", f"set {absent} too, or neither")
        return
    token_file = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if token_file and environment.get("AWS_ROLE_ARN"):
        if not pathlib.Path(token_file).is_file():
            problem = f"AWS_WEB_IDENTITY_TOKEN_FILE names {token_file}, which is not there"
            yield config.Mistake(where, problem, "let the CI job write its token before, or unset it")
        return
    if environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or environment.get(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    ):
        return
    named = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
    profiles = _profiles(environment)
    if profiles.get(named or "default"):
        return
    if named in profiles:
        yield config.Mistake(where, f"profile {named} has no credentials", f"run `aws configure --profile {named}`")
    elif named:
        known = ", ".join(sorted(profiles)) or "none"
        problem = f"AWS_PROFILE names {named}, which is not there (there are: {known})"
        yield config.Mistake(where, problem, f"choose another, or run `aws configure --profile {named}`")
    elif not _on_ec2(environment):
        known = f" (profiles there are: {', '.join(sorted(profiles))})" if profiles else ""
        yield config.Mistake(where, f"none were found, and the domains are on Route53{known}", fix)


def _profiles(environment: Mapping[str, str]) -> dict[str, bool]:
    """Profile name -> whether it says anything about credentials."""
    home = pathlib.Path(environment.get("HOME") or "~").expanduser()
    files = (
        environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials",
        environment.get("AWS_CONFIG_FILE") or home / ".aws" / "config",
    )
    usable = ("aws_access_key_id", "role_arn", "sso_session", "sso_start_url", "credential_process", "login_session")
    profiles: dict[str, bool] = {}
    for file in files:
        parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        try:
            parser.read_string(pathlib.Path(file).expanduser().read_text("utf-8", "replace"))
        except (OSError, configparser.Error):
            continue
        for section in parser.sections():
            kind, _, name = section.partition(" ")
            if name and kind != "profile":
                continue
            name = name.strip() or section
            profiles[name] = profiles.get(name, False) or any(parser.has_option(section, key) for key in usable)
    return profiles


def _on_ec2(environment: Mapping[str, str]) -> bool:
    """Whether the machine itself has credentials: EC2's metadata service gives out a session token."""
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    connection = http.client.HTTPConnection("169.254.169.254", timeout=0.5)
    try:
        connection.request("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "21600"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
