"""IAM policy documents for the two controllers that write to Route53. Pure.

external-dns calls ListHostedZones always, even with a zone id filter, and that action knows no
resource, hence `*`. cert-manager gets its zone ids from the issuer and so needs no ListHostedZonesByName.
https://kubernetes-sigs.github.io/external-dns/latest/docs/tutorials/aws/
https://cert-manager.io/docs/configuration/acme/dns01/route53/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

VERSION = "2012-10-17"


def zone_arns(zone_ids: Sequence[str], partition: str = "aws") -> list[str]:
    """ARNs of hosted zones; ids as Route53 gives them, with or without the `/hostedzone/` in front."""
    if not zone_ids:
        raise ValueError("a policy without a zone would have to allow all of them or none")
    return [f"arn:{partition}:route53:::hostedzone/{zone.rpartition('/')[2]}" for zone in zone_ids]


def external_dns(zone_ids: Sequence[str]) -> dict[str, Any]:
    """What external-dns may do: write and read the records of these zones, list the zones' names."""
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"],
                "Resource": zone_arns(zone_ids),
            },
            {"Effect": "Allow", "Action": ["route53:ListHostedZones"], "Resource": ["*"]},
        ],
    }


def cert_manager(zone_ids: Sequence[str]) -> dict[str, Any]:
    """What cert-manager may do: write `_acme-challenge` TXT records of these zones, read, and poll."""
    arns = zone_arns(zone_ids)
    return {
        "Version": VERSION,
        "Statement": [
            {"Effect": "Allow", "Action": ["route53:GetChange"], "Resource": ["arn:aws:route53:::change/*"]},
            {"Effect": "Allow", "Action": ["route53:ListResourceRecordSets"], "Resource": arns},
            {
                "Effect": "Allow",
                "Action": ["route53:ChangeResourceRecordSets"],
                "Resource": arns,
                "Condition": {
                    "ForAllValues:StringEquals": {"route53:ChangeResourceRecordSetsRecordTypes": ["TXT"]},
                    "ForAllValues:StringLike": {
                        "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["_acme-challenge.*"]
                    },
                },
            },
        ],
    }
