"""What keeps Pulumi from a stack's state or secrets, and what to do about it. Pure."""

from __future__ import annotations

import re

_STATE = r"(\.pulumi/|performing HTTP request|operation error (S3|KMS|STS)|open(ing)? bucket).*"
"""The same words may be a resource's own trouble: only with these they are about state or key."""

_KNOWN = {
    r"PULUMI_ACCESS_TOKEN must be set": "Pulumi does not know where the state is: `pulumi login s3://<bucket>`, or set "
    "PULUMI_BACKEND_URL; for Pulumi Cloud `pulumi login`, or set PULUMI_ACCESS_TOKEN",
    r"(invalid|expired) access token|performing HTTP request.*\b401\b": "Pulumi Cloud does not accept the access "
    "token: set PULUMI_ACCESS_TOKEN to a valid one, or `pulumi login` again",
    r"passphrase must be set": "the stack's secrets are encrypted with a passphrase: set PULUMI_CONFIG_PASSPHRASE_FILE "
    "to a file that holds it, or PULUMI_CONFIG_PASSPHRASE",
    r"unable to read PULUMI_CONFIG_PASSPHRASE_FILE": "the file with the passphrase of the stack's secrets cannot be "
    "read: correct PULUMI_CONFIG_PASSPHRASE_FILE, or set PULUMI_CONFIG_PASSPHRASE",
    r"incorrect passphrase": "the passphrase is not the one that the stack's secrets were encrypted with: correct "
    "PULUMI_CONFIG_PASSPHRASE_FILE or PULUMI_CONFIG_PASSPHRASE",
    r"no stack named '(?P<stack>[^']+)' found": "there is no stack {stack} where you are logged in (`pulumi whoami "
    "-v`): `pulumi stack init {stack}`, or log in where it is",
    r'unable to open state directory "(?P<where>[^"]+)"': "the state folder {where} is not there: make it, or correct "
    "PULUMI_BACKEND_URL",
    _STATE + r"NoSuchBucket": "the state's bucket is not there: make it, or correct the URL (`pulumi whoami -v`)",
    _STATE + r"(AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|StatusCode: 403)": "the state's bucket or key "
    "refuses these credentials: correct AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    _STATE + r"(get credentials|NoCredentialProviders|EC2 IMDS)": "there are no credentials for the state's bucket or "
    "key: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    _STATE + r"(connection refused|no such host|timeout|request send failed|unreachable)": "the state cannot be "
    "reached: check the network and where you are logged in (`pulumi whoami -v`)",
}


def advice(said: str) -> str | None:
    """One sentence with the next step for what `pulumi` said when it could not begin; None for anything else."""
    for pattern, text in _KNOWN.items():
        if found := re.search(pattern, said):
            return text.format(**{key: value for key, value in found.groupdict().items() if value})
    return None
