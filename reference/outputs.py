"""docs/outputs.md: the contract of stack outputs and two consumers of it, which the lab tests run."""

from __future__ import annotations

import pathlib

from reference import contract, schema, tree

PAGE = """\
<!-- Made from reference/contract.py and examples/ by `make docs`: do not edit. -->

# Outputs

What a stack exports is a contract with other tools: CI, other Pulumi programs, scripts. `apiVersion` names its
version, `{version}`. Within a version keys are only added; a key that goes away, is renamed, changes its type,
its fixed values or whether it is secret makes a new version. `schemas/outputs.schema.json` says the same to machines.

{tables}
## From a script

`pulumi stack output --json` prints everything; secrets show as `[secret]` unless `--show-secrets` is given.

<!-- run by tests/lab/test_lifecycle.py -->
```sh
{script}```

## From another Pulumi program

{consumer}
"""
CONSUMER = """\
A `StackReference` reads the outputs, and secrets stay secret. This program is `examples/consumer`:

```python
{program}```

Its stack says which environment it belongs to, `<organization>/gitops-platform/<stack>` (the organization of an S3
or file backend is `organization`):

<!-- run by tests/lab/test_lifecycle.py -->
```sh
cd examples/consumer
pulumi stack init sbx
pulumi config set environment organization/gitops-platform/sbx
pulumi up
```
"""


def page(project: pathlib.Path) -> str:
    """The whole page."""
    sections = tree.sections(schema.of_model(contract.Outputs, nulls=True), defaults=False)
    examples = project / "examples"
    script = (examples / "outputs.sh").read_text("utf-8").split("\n\n", 1)[1]
    consumer = CONSUMER.replace("{program}", (examples / "consumer" / "__main__.py").read_text("utf-8"))
    return (
        PAGE.replace("{version}", contract.VERSION)
        .replace("{tables}", f"## All outputs\n\n{sections}")
        .replace("{script}", script)
        .replace("{consumer}\n", consumer)
    )
