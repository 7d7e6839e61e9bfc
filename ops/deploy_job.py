"""The job of another environment for .github/workflows/deploy.yml, made out of those that are there. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

FILE = ".github/workflows/deploy.yml"
_JOB = re.compile(r"^  (?P<name>[A-Za-z0-9_-]+):\n(?P<body>(?:    .*\n|[ \t]*\n)+)", re.MULTILINE)


class Jobs(NamedTuple):
    """What to write in the place of job `last`: the new environment's, and then `last` again, which needs it."""

    last: str
    text: str


def names(workflow: str) -> list[str]:
    """The environments that the workflow brings up, in its order."""
    return [job["name"] for job in _environments(workflow)]


def added(workflow: str, name: str) -> Jobs | None:
    """The jobs with one more environment before the last; None if they do not look as expected."""
    found = _environments(workflow)
    if len(found) < 2 or name in names(workflow):
        return None
    last, before, body = found[-1]["name"], found[-2]["name"], found[-1]["body"].rstrip("\n") + "\n"
    own = re.sub(rf"(stack: |'){re.escape(last)}\b", rf"\g<1>{name}", body)
    result = f"needs.{before}.result"
    later, needs = re.subn(r"^(    needs: \[.*)\]$", rf"\1, {name}]", body, flags=re.MULTILINE)
    later, conditions = re.subn(
        rf"^( *)&& \({re.escape(result)} == .*\)$",
        lambda line: f"{line[0]}\n{line[0].replace(result, f'needs.{name}.result')}",
        later,
        flags=re.MULTILINE,
    )
    if (needs, conditions) != (1, 1) or own.count(name) < 2:
        return None
    return Jobs(last, f"  {name}:\n{own}\n  {last}:\n{later}")


def _environments(workflow: str) -> list[re.Match[str]]:
    jobs = workflow.partition("\njobs:\n")[2]
    return [job for job in _JOB.finditer(jobs) if "uses: ./.github/workflows/up.yml" in job["body"]]
