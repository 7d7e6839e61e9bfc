"""docs/configuration.md: every setting, from the same schema that editors use."""

from __future__ import annotations

import settings
from reference import schema, tree

HEAD = """\
<!-- Made from settings/ by `make docs`: do not edit. -->

# Configuration

Every setting of an environment. They stand in `Pulumi.<stack>.yaml` below `config:`, each section with the
project's name before it:

```yaml
config:
  {project}:cluster:
    provider: ionos
    kubernetesVersion: "1.34.3"
  {project}:dns:
    domains: [example.org]
```

`cluster` and `dns` have to be there; everything else has a default. In an editor with YAML support, completion,
hover texts and errors come from `schemas/stack.schema.json`, which the first line of each stack file names. The
rules between several keys are checked by the program before anything is created, and by

<!-- a lab test runs this -->
```sh
python -m ops config check sbx
```

which says every mistake at once, and asks no cloud.

Both read YAML as Pulumi does. Aliases and merges (`<<: *base`) are fine; what they take from may stand at the top of
the file under a key that begins with `x-`. `yes`, `no`, `on` and `off` are texts. Put names, versions, commits and
account ids in quotes: without them `0123` is 83, `0815` is 815, `1.10` is 1.1, and `2024-01-01` becomes a longer text;
such values are refused with what was written. Of values from Pulumi ESC (`environment:`) `config check` knows nothing,
and says so; `pulumi preview` checks them too.
"""
SECRETS = """\
## Secrets

Set with `pulumi config set --secret`, which encrypts them; in plain text they are refused.

| key | for |
|---|---|
"""


def page(project: str) -> str:
    """The whole page."""
    sections = tree.sections(schema.of_model(settings.Settings), defaults=True)
    rows = "".join(f'| <a id="{key}"></a>`{key}` | {purpose} |\n' for key, purpose in settings.SECRETS.items())
    return "\n".join([HEAD.replace("{project}", project), "## All sections\n", sections, SECRETS + rows])
