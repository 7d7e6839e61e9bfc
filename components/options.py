"""Resource options that reach the children of a component.

`depends_on` given to a component holds back the component's registration, not its children's (Pulumi's
documented behaviour; parent, providers and protect are inherited, dependencies are not). A component
therefore hands its own dependencies on to the children that need them.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi


def child(
    parent: pulumi.Resource,
    opts: pulumi.ResourceOptions | None = None,
    *,
    depends_on: Sequence[pulumi.Resource] = (),
    create: str | None = None,
    delete: str | None = None,
    protect: bool | None = None,
) -> pulumi.ResourceOptions:
    """Options for a child of `parent`: the dependencies in `opts` (the parent's own) and `depends_on`.

    `create` (used for updates too) and `delete` are time limits in Go's notation, such as "10m".
    """
    inherited = opts.depends_on if opts else None
    if inherited is None:
        before: list[pulumi.Resource] = []
    elif isinstance(inherited, pulumi.Resource):
        before = [inherited]
    elif isinstance(inherited, Sequence):
        before = list(inherited)  # type: ignore[arg-type]
    else:
        raise TypeError("a component's depends_on must be a plain list of resources")
    timeouts = None
    if create or delete:
        timeouts = pulumi.CustomTimeouts(create=create, update=create, delete=delete or create)
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=[*before, *depends_on] or None,
        custom_timeouts=timeouts,
        protect=protect,
    )
