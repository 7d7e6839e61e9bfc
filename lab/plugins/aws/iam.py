"""IAM users and their access keys."""

from __future__ import annotations

from lab.plugins import base, values
from lab.plugins.aws import session

GONE = "NoSuchEntity"


class User(session.Tagged):
    """A user; its id is its name."""

    replace_on = ("name",)
    delete_before_replace = False

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        given = base.autoname(call, olds, super().check(call, olds, news))
        return {"path": "/", "forceDestroy": False, **given}

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        plain = values.plain(inputs)
        optional = {"PermissionsBoundary": plain.get("permissionsBoundary"), "Tags": session.tag_list(inputs)}
        with session.errors(f"creating IAM User ({plain['name']})"):
            user = call.client.iam.create_user(
                UserName=plain["name"], Path=plain["path"], **{key: value for key, value in optional.items() if value}
            )["User"]
        return base.Created(plain["name"], {**inputs, **_identity(user)})

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        with session.errors(f"reading IAM User ({state.id})"), session.ignoring(GONE):
            user = call.client.iam.get_user(UserName=state.id)["User"]
            tags = call.client.iam.list_user_tags(UserName=state.id)["Tags"]
            inputs = {"forceDestroy": False, **state.inputs, "name": user["UserName"], "path": user["Path"]}
            boundary = user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
            inputs.pop("permissionsBoundary", None)
            if boundary:
                inputs["permissionsBoundary"] = boundary
            inputs = session.with_tags(call, inputs, tags)
            return base.State(state.id, inputs, {**inputs, **_identity(user)})
        return None

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        old, new, iam = values.plain(state.inputs), values.plain(inputs), call.client.iam
        with session.errors(f"updating IAM User ({state.id})"):
            if old.get("path") != new["path"]:
                iam.update_user(UserName=state.id, NewPath=new["path"])
            if old.get("permissionsBoundary") != new.get("permissionsBoundary"):
                if new.get("permissionsBoundary"):
                    iam.put_user_permissions_boundary(UserName=state.id, PermissionsBoundary=new["permissionsBoundary"])
                else:
                    iam.delete_user_permissions_boundary(UserName=state.id)
            removed = (old.get("tagsAll") or {}).keys() - (new.get("tagsAll") or {}).keys()
            if removed:
                iam.untag_user(UserName=state.id, TagKeys=sorted(removed))
            if session.tag_list(inputs):
                iam.tag_user(UserName=state.id, Tags=session.tag_list(inputs))
            user = iam.get_user(UserName=state.id)["User"]
        return {**inputs, **_identity(user)}

    def delete(self, call: base.Call, state: base.State) -> None:
        iam = call.client.iam
        with session.errors(f"deleting IAM User ({state.id})"), session.ignoring(GONE):
            if values.plain(state.inputs.get("forceDestroy")):
                for key in iam.list_access_keys(UserName=state.id)["AccessKeyMetadata"]:
                    iam.delete_access_key(UserName=state.id, AccessKeyId=key["AccessKeyId"])
                with session.ignoring(GONE):
                    iam.delete_login_profile(UserName=state.id)
            iam.delete_user(UserName=state.id)


class AccessKey(base.Resource):
    """An access key; its secret is known from its creation only."""

    replace_on = ("user", "pgpKey")
    secret_outputs = ("secret",)

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        if news.get("pgpKey"):
            raise base.Invalid({"pgpKey": "not supported by this plugin: keep the key in Pulumi's encrypted state"})
        return {"status": "Active", **news}

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        plain = values.plain(inputs)
        with session.errors(f"creating IAM Access Key ({plain['user']})"):
            key = call.client.iam.create_access_key(UserName=plain["user"])["AccessKey"]
        outputs = {**inputs, "secret": key["SecretAccessKey"], "createDate": _time(key["CreateDate"])}
        if plain["status"] != "Active":
            try:
                self._set(call, plain["user"], key["AccessKeyId"], plain["status"])
            except base.PluginError as error:
                raise base.InitFailed(key["AccessKeyId"], outputs, [str(error)]) from None
        return base.Created(key["AccessKeyId"], outputs)

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        user = values.plain(state.inputs.get("user"))
        with session.errors(f"reading IAM Access Key ({state.id})"), session.ignoring(GONE):
            if user is None:
                user = call.client.iam.get_access_key_last_used(AccessKeyId=state.id)["UserName"]
            for page in call.client.iam.get_paginator("list_access_keys").paginate(UserName=user):
                for key in page["AccessKeyMetadata"]:
                    if key["AccessKeyId"] == state.id:
                        inputs = {**state.inputs, "user": user, "status": key["Status"]}
                        return base.State(
                            state.id, inputs, {**state.outputs, **inputs, "createDate": _time(key["CreateDate"])}
                        )
        return None

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        plain = values.plain(inputs)
        self._set(call, plain["user"], state.id, plain["status"])
        return {**state.outputs, **inputs}

    def delete(self, call: base.Call, state: base.State) -> None:
        with session.errors(f"deleting IAM Access Key ({state.id})"), session.ignoring(GONE):
            call.client.iam.delete_access_key(UserName=values.plain(state.inputs["user"]), AccessKeyId=state.id)

    def _set(self, call: base.Call, user: str, key: str, status: str) -> None:
        with session.errors(f"updating IAM Access Key ({key})"):
            call.client.iam.update_access_key(UserName=user, AccessKeyId=key, Status=status)


def _identity(user: dict[str, str]) -> base.Properties:
    return {"arn": user["Arn"], "uniqueId": user["UserId"]}


def _time(moment: object) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
