"""The aws plugin: what a GitOps environment needs of Route53, IAM and STS, over boto3.

https://www.pulumi.com/registry/packages/aws/
"""

from __future__ import annotations

from lab.plugins import base
from lab.plugins.aws import iam, policies, record, session, zone


class Aws(base.Provider):
    """Settings and credentials come from the provider resource, else from the process's environment and files."""

    name, package = "aws", "pulumi_aws"
    resources = {
        "aws:iam/accessKey:AccessKey": iam.AccessKey(),
        "aws:iam/policy:Policy": policies.Policy(),
        "aws:iam/user:User": iam.User(),
        "aws:iam/userPolicy:UserPolicy": policies.UserPolicy(),
        "aws:iam/userPolicyAttachment:UserPolicyAttachment": policies.UserPolicyAttachment(),
        "aws:route53/record:Record": record.Record(),
        "aws:route53/zone:Zone": zone.Zone(),
    }
    functions = {
        "aws:index/getCallerIdentity:getCallerIdentity": session.get_caller_identity,
        "aws:index/getPartition:getPartition": session.get_partition,
        "aws:index/getRegion:getRegion": session.get_region,
        "aws:route53/getZone:getZone": zone.get_zone,
    }

    def configure(self, call: base.Call, config: base.Properties) -> session.Session:
        """Credentials are tried at once (as by the real plugin), so that a preview without any fails."""
        return session.open(config, call.environment)


def provider() -> base.Provider:
    """The plugin."""
    return Aws()
