"""An account: settings, credentials, clients; and the errors and tags that all its resources share."""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import os
import threading
import typing

import boto3
import botocore.config
import botocore.exceptions
import botocore.session

from lab.plugins import base, values

GUIDE = "https://www.pulumi.com/registry/packages/aws/installation-configuration/"
NO_CREDENTIALS = f"No valid credential sources found. {GUIDE} says how to provide credentials."
NO_REGION = f"Missing region configuration: set one with `pulumi config set aws:region <region>`. See {GUIDE}"


@dataclasses.dataclass(eq=False)
class Session:
    """Clients of one configuration; safe to share between threads."""

    iam: typing.Any
    route53: typing.Any
    sts: typing.Any
    region: str
    default_tags: dict[str, str]


_lock = threading.Lock()
_known: dict[tuple[typing.Any, ...], Session] = {}
"""Making clients takes 0.3 s (their service models are parsed), and a lab's plugin lives for many runs."""


def open(
    config: base.Properties, environment: collections.abc.Callable[[], collections.abc.Mapping[str, str]]
) -> Session:
    """The session of a provider's settings; PluginError when credentials are missing or refused.

    `environment`: asks for the engine's, whose keys hold where the settings have none.
    """
    inherited = {} if config.get("accessKey") or config.get("profile") else environment()
    with _lock:
        session = _session(config, inherited)
        credentials = session.get_credentials()
        if credentials is None:
            raise base.PluginError(NO_CREDENTIALS)
        if not session.region_name:
            raise base.PluginError(NO_REGION)
        frozen = credentials.get_frozen_credentials()
        endpoints = {
            service: url
            for entry in base.config_value(config, "endpoints", [])
            for service, url in entry.items()
            if url
        }
        tags = (base.config_value(config, "defaultTags", {}) or {}).get("tags") or {}
        key = (tuple(frozen), session.region_name, tuple(sorted(endpoints.items())), tuple(sorted(tags.items())))
        if key not in _known:
            made = _clients(session, endpoints, dict(tags))
            if base.config_value(config, "skipCredentialsValidation", False) is not True:
                with errors("validating provider credentials: retrieving caller identity from STS"):
                    made.sts.get_caller_identity()
            _known[key] = made
        return _known[key]


def _session(config: base.Properties, environment: collections.abc.Mapping[str, str]) -> boto3.Session:
    inherited: dict[str, typing.Any] = {}
    if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
        names = {"accessKey": "ACCESS_KEY_ID", "secretKey": "SECRET_ACCESS_KEY", "token": "SESSION_TOKEN"}
        inherited = {name: environment.get(f"AWS_{variable}") for name, variable in names.items()}
    keys = config if config.get("accessKey") else inherited
    core = botocore.session.Session(profile=config.get("profile"))
    if config.get("sharedCredentialsFiles"):
        core.set_config_variable("credentials_file", base.config_value(config, "sharedCredentialsFiles")[0])
    try:
        session = boto3.Session(
            aws_access_key_id=keys.get("accessKey"),
            aws_secret_access_key=keys.get("secretKey"),
            aws_session_token=keys.get("token"),
            region_name=config.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
            botocore_session=core,
        )
    except botocore.exceptions.BotoCoreError as error:
        raise base.PluginError(str(error)) from None
    if base.config_value(config, "skipMetadataApiCheck", True) is not False:
        # The instance's own role is not asked for by default, and off a cloud asking takes seconds.
        core.get_component("credential_provider").remove("iam-role")
    return session


def _clients(session: boto3.Session, endpoints: dict[str, str], tags: dict[str, str]) -> Session:
    settings = botocore.config.Config(
        connect_timeout=15, read_timeout=60, max_pool_connections=32, retries={"mode": "standard", "max_attempts": 5}
    )
    iam, route53, sts = (
        session.client(service, endpoint_url=endpoints.get(service), config=settings)
        for service in ("iam", "route53", "sts")
    )
    return Session(iam, route53, sts, str(session.region_name), tags)


@contextlib.contextmanager
def errors(doing: str) -> collections.abc.Iterator[None]:
    """What boto3 raises, as a PluginError "<doing>: <code>: <message>"."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise base.PluginError(f"{doing}: {code(error)}: {error.response['Error'].get('Message', '')}") from None
    except botocore.exceptions.BotoCoreError as error:
        raise base.PluginError(f"{doing}: {error}") from None


def code(error: botocore.exceptions.ClientError) -> str:
    """The error's code, such as NoSuchEntity."""
    return str(error.response["Error"].get("Code", ""))


@contextlib.contextmanager
def ignoring(*codes: str) -> collections.abc.Iterator[None]:
    """Let errors with these codes pass (what is gone already need not be removed)."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        if code(error) not in codes:
            raise


class Tagged(base.Resource):
    """A resource with `tags`, and `tagsAll` with the provider's default tags among them."""

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        given = {name: value for name, value in news.items() if name != "tagsAll"}
        defaults = call.client.default_tags if call.client else {}
        if given.get("tags") or defaults:
            tags = values.plain(given.get("tags") or {})
            given["tagsAll"] = values.UNKNOWN if tags is values.UNKNOWN else {**defaults, **tags}
        return given


def tag_list(inputs: base.Properties) -> list[dict[str, str]]:
    """`tagsAll` as the API takes it."""
    return [{"Key": key, "Value": value} for key, value in sorted(values.plain(inputs.get("tagsAll") or {}).items())]


def with_tags(call: base.Call, inputs: base.Properties, actual: list[dict[str, str]]) -> base.Properties:
    """`inputs` with the tags that a resource has: `tags` without those that are only defaults."""
    everything = {tag["Key"]: tag["Value"] for tag in actual}
    own = values.plain(inputs.get("tags") or {})
    defaults = call.client.default_tags
    tags = {key: value for key, value in everything.items() if key in own or defaults.get(key) != value}
    rest = {name: value for name, value in inputs.items() if name not in ("tags", "tagsAll")}
    if tags or "tags" in inputs:
        rest["tags"] = tags
    return {**rest, "tagsAll": everything} if everything or "tagsAll" in inputs else rest


def get_caller_identity(call: base.Call, args: base.Properties) -> base.Properties:
    """Who the credentials belong to."""
    with errors("reading STS Caller Identity"):
        answer = call.client.sts.get_caller_identity()
    account = answer["Account"]
    return {"accountId": account, "arn": answer["Arn"], "userId": answer["UserId"], "id": account}


def get_partition(call: base.Call, args: base.Properties) -> base.Properties:
    """The partition of the provider's region."""
    region = call.client.region
    partition, suffix = ("aws-cn", "amazonaws.com.cn") if region.startswith("cn-") else ("aws", "amazonaws.com")
    reverse = ".".join(reversed(suffix.split(".")))
    return {"partition": partition, "id": partition, "dnsSuffix": suffix, "reverseDnsPrefix": reverse}


def get_region(call: base.Call, args: base.Properties) -> base.Properties:
    """The provider's region."""
    region = values.plain(args.get("region")) or call.client.region
    endpoint = f"ec2.{region}.amazonaws.com"
    return {"id": region, "name": region, "region": region, "description": region, "endpoint": endpoint}
