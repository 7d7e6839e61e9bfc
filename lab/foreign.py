"""What of the user's own shell must not reach a lab: settings of other accounts and Pulumi backends."""

from __future__ import annotations

from collections.abc import Mapping

PREFIXES = ("AWS_", "IONOS_", "PULUMI_")
WAYS_OF_WORKING = ("PULUMI_SKIP_CONFIRMATIONS", "PULUMI_K8S_DELETE_UNREACHABLE")
"""These say nothing of an account."""

UNSET = (
    f"for _lab in $(env | sed -En 's/^(({'|'.join(PREFIXES)})[A-Za-z0-9_]*)=.*/\\1/p'); do "
    f'case "$_lab" in {"|".join(WAYS_OF_WORKING)}) ;; *) unset "$_lab" ;; esac; done; unset _lab'
)
"""`without`, as a line of shell."""


def without(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables less every foreign one; the lab's own come on top of that."""
    return {
        name: value for name, value in variables.items() if not name.startswith(PREFIXES) or name in WAYS_OF_WORKING
    }
