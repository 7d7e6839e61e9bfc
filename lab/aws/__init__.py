"""The lab's AWS: Route53, IAM and STS (moto), with IAM enforced in front of it.

    patterns, conditions, policy   what the policy documents say: pure
    calls                          what a request asks for: pure
    signatures                     who signed it, and whether the signature is right: pure
    accounts                       moto's users, keys, policies and zones
    gate                           the WSGI layer that decides and hands on
    servers                        plain HTTP, and an HTTPS proxy for clients that cannot be given an endpoint

Whoever holds a key of a user is judged by that user's policies; the lab's own key (`gate.ADMINISTRATOR`) is not.
"""
