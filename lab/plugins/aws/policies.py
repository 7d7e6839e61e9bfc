"""IAM policies: inline ones of users, managed ones, and their attachment."""

from __future__ import annotations

import json
import typing

from lab.plugins import base, differ, values
from lab.plugins.aws import session

GONE = "NoSuchEntity"
VERSIONS_KEPT = 5


class _Document(base.Resource):
    """A resource with a JSON document `policy`: what means the same is the same."""

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        prefix = values.plain(news.get("namePrefix"))
        if prefix and "name" not in news:
            news = {**news, "name": olds.get("name") or f"{prefix}{base.random_suffix(call, 26)}"}
        inputs = base.autoname(call, olds, news)
        policy = values.plain(inputs.get("policy"))
        if isinstance(policy, dict) and not values.contains(policy, values.UNKNOWN):
            inputs = {**inputs, "policy": json.dumps(policy)}
        elif isinstance(policy, str):
            try:
                json.loads(policy)
            except ValueError as error:
                raise base.Invalid({"policy": f'"policy" contains an invalid JSON policy: {error}'}) from None
        return inputs

    def diff(self, call: base.Call, state: base.State, inputs: base.Properties) -> differ.Diff:
        diff = super().diff(call, state, inputs)
        if ("policy",) in diff.changes and same(state.inputs.get("policy"), inputs.get("policy")):
            del diff.changes[("policy",)]
        diff.delete_before_replace = values.plain(state.inputs.get("name")) == values.plain(inputs.get("name"))
        return diff


class UserPolicy(_Document):
    """An inline policy of a user; its id is `<user>:<name>`."""

    replace_on = ("name", "namePrefix", "user")

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        plain = values.plain(inputs)
        self._put(call, inputs)
        return base.Created(f"{plain['user']}:{plain['name']}", inputs)

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        user, _, name = state.id.partition(":")
        with session.errors(f"reading IAM User Policy ({state.id})"), session.ignoring(GONE):
            document = call.client.iam.get_user_policy(UserName=user, PolicyName=name)["PolicyDocument"]
            inputs = {**state.inputs, "user": user, "name": name, "policy": _text(document, state.inputs.get("policy"))}
            return base.State(state.id, inputs, inputs)
        return None

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        self._put(call, inputs)
        return inputs

    def delete(self, call: base.Call, state: base.State) -> None:
        user, _, name = state.id.partition(":")
        with session.errors(f"deleting IAM User Policy ({state.id})"), session.ignoring(GONE):
            call.client.iam.delete_user_policy(UserName=user, PolicyName=name)

    def _put(self, call: base.Call, inputs: base.Properties) -> None:
        plain = values.plain(inputs)
        with session.errors(f"putting IAM User ({plain['user']}) Policy ({plain['name']})"):
            call.client.iam.put_user_policy(
                UserName=plain["user"], PolicyName=plain["name"], PolicyDocument=plain["policy"]
            )


class Policy(_Document, session.Tagged):
    """A managed policy; its id is its ARN."""

    replace_on = ("name", "namePrefix", "path", "description")

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        tagged = session.Tagged.check(self, call, olds, news)
        return {"path": "/", **_Document.check(self, call, olds, tagged)}

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        plain = values.plain(inputs)
        optional = {"Description": plain.get("description"), "Tags": session.tag_list(inputs)}
        with session.errors(f"creating IAM Policy ({plain['name']})"):
            policy = call.client.iam.create_policy(
                PolicyName=plain["name"],
                Path=plain["path"],
                PolicyDocument=plain["policy"],
                **{key: value for key, value in optional.items() if value},
            )["Policy"]
        return base.Created(policy["Arn"], {**inputs, **_identity(policy)})

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        iam = call.client.iam
        with session.errors(f"reading IAM Policy ({state.id})"), session.ignoring(GONE):
            policy = iam.get_policy(PolicyArn=state.id)["Policy"]
            version = iam.get_policy_version(PolicyArn=state.id, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
            inputs = {
                **state.inputs,
                "name": policy["PolicyName"],
                "path": policy["Path"],
                "policy": _text(version["Document"], state.inputs.get("policy")),
            }
            if policy.get("Description"):
                inputs["description"] = policy["Description"]
            tags = iam.list_policy_tags(PolicyArn=state.id)["Tags"]
            inputs = session.with_tags(call, inputs, tags)
            return base.State(state.id, inputs, {**inputs, **_identity(policy)})
        return None

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        iam, old, new = call.client.iam, values.plain(state.inputs), values.plain(inputs)
        with session.errors(f"updating IAM Policy ({state.id})"):
            if not same(old.get("policy"), new["policy"]):
                self._drop_versions(call, state.id, keep=VERSIONS_KEPT - 1)
                iam.create_policy_version(PolicyArn=state.id, PolicyDocument=new["policy"], SetAsDefault=True)
            removed = (old.get("tagsAll") or {}).keys() - (new.get("tagsAll") or {}).keys()
            if removed:
                iam.untag_policy(PolicyArn=state.id, TagKeys=sorted(removed))
            if session.tag_list(inputs):
                iam.tag_policy(PolicyArn=state.id, Tags=session.tag_list(inputs))
        return {**state.outputs, **inputs}

    def delete(self, call: base.Call, state: base.State) -> None:
        with session.errors(f"deleting IAM Policy ({state.id})"), session.ignoring(GONE):
            self._drop_versions(call, state.id, keep=1)
            call.client.iam.delete_policy(PolicyArn=state.id)

    def _drop_versions(self, call: base.Call, arn: str, keep: int) -> None:
        versions = call.client.iam.list_policy_versions(PolicyArn=arn)["Versions"]
        old = sorted((v for v in versions if not v["IsDefaultVersion"]), key=lambda v: v["CreateDate"])
        for version in old[: max(len(versions) - keep, 0)]:
            call.client.iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])


class UserPolicyAttachment(base.Resource):
    """A managed policy attached to a user; its id is `<user>/<policy ARN>`."""

    replace_on = ("user", "policyArn")

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        user, arn = values.plain(inputs["user"]), values.plain(inputs["policyArn"])
        with session.errors(f"attaching IAM Policy ({arn}) to IAM User ({user})"):
            call.client.iam.attach_user_policy(UserName=user, PolicyArn=arn)
        return base.Created(f"{user}/{arn}", inputs)

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        user, _, arn = state.id.partition("/")
        with session.errors(f"reading IAM User Policy Attachment ({state.id})"), session.ignoring(GONE):
            for page in call.client.iam.get_paginator("list_attached_user_policies").paginate(UserName=user):
                if any(policy["PolicyArn"] == arn for policy in page["AttachedPolicies"]):
                    inputs = {**state.inputs, "user": user, "policyArn": arn}
                    return base.State(state.id, inputs, inputs)
        return None

    def delete(self, call: base.Call, state: base.State) -> None:
        user, _, arn = state.id.partition("/")
        with session.errors(f"detaching IAM Policy ({arn}) from IAM User ({user})"), session.ignoring(GONE):
            call.client.iam.detach_user_policy(UserName=user, PolicyArn=arn)


def same(left: typing.Any, right: typing.Any) -> bool:
    """Whether two policy documents (JSON texts) grant the same: order and single values in lists aside."""
    left, right = values.plain(left), values.plain(right)
    if not (isinstance(left, str) and isinstance(right, str)):
        return left == right
    try:
        return _canonical(json.loads(left)) == _canonical(json.loads(right))
    except ValueError:
        return left == right


def _canonical(value: typing.Any) -> typing.Any:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted((_canonical(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return value


def _text(document: typing.Any, old: typing.Any) -> str:
    """A document as the API gives it, as text: the text that state has, if it means the same."""
    text = document if isinstance(document, str) else json.dumps(document)
    previous = values.plain(old)
    return previous if previous is not None and same(previous, text) else text


def _identity(policy: dict[str, typing.Any]) -> base.Properties:
    return {
        "arn": policy["Arn"],
        "policyId": policy["PolicyId"],
        "attachmentCount": policy.get("AttachmentCount", 0),
    }
