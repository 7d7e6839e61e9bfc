"""The commands that the documentation shows: where each stands, and how a lab runs it."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shlex
import shutil
import subprocess

PROJECT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [*sorted((PROJECT / "docs").rglob("*.md")), PROJECT / "README.md", PROJECT / "lab" / "README.md"]
RUN_HERE = "a lab test runs this"
"""The note before a block that tests/lab runs as it is written."""
NOT_RUN = (
    "needs accounts at IONOS Cloud and AWS",
    "asks the charts' own repositories",
    "it is what runs the tests",
)
"""Why a block may be run by no test; its note is `not run: <one of these>`."""


@dataclasses.dataclass(frozen=True)
class Block:
    """A shell block of a page."""

    page: str
    line: int
    text: str
    note: str = ""
    """The comment on the line before it."""

    @property
    def run(self) -> bool:
        """Whether a lab runs it whole."""
        return self.note == RUN_HERE

    @property
    def tests(self) -> list[str]:
        """The test files that run the same commands, as its note says."""
        named = re.fullmatch(r"run by (.+)", self.note)
        return re.split(r", | and ", named[1]) if named else []

    @property
    def excused(self) -> bool:
        """Whether it has a reason to be run by no test."""
        return self.note in [f"not run: {reason}" for reason in NOT_RUN]

    def commands(self) -> list[list[str]]:
        """Its simple commands as words, without redirections, assignments and comments."""
        joined = re.sub(r"\\\n\s*", " ", typed(self.text))
        return [command for line in joined.splitlines() for command in simple(line)]


def copy_of_the_project(folder: pathlib.Path) -> None:
    """Fill a new folder with the project's files and a Git repository that has them as `origin/main`.

    What is written there stays there; only the virtual environment is a link. (A link per file would let a redirection
    write through it.)
    """
    left_out = shutil.ignore_patterns(".git", ".venv", ".lab", "site", ".*_cache", ".cache", ".hypothesis")
    shutil.copytree(PROJECT, folder, ignore=left_out, ignore_dangling_symlinks=True)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", "all")
    _git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")


def as_copied(folder: pathlib.Path) -> None:
    """Take everything out of a copy that was written there since; quicker than another copy."""
    _git(folder, "checkout", "--quiet", ".")
    _git(folder, "clean", "-ffdxq", "--exclude=.venv", "--exclude=__pycache__")


def _git(folder: pathlib.Path, *arguments: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def typed(text: str) -> str:
    """What somebody types of a block: where it has prompts, the lines behind them; the others are output."""
    prompted = re.findall(r"^\$ (.*(?:\\\n.*)*)", text, re.MULTILINE)
    return "\n".join(prompted) if prompted else text


def blocks() -> list[Block]:
    """Every block of shell commands, page by page."""
    found: list[Block] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in re.finditer(r"^( *)```(?:sh|shell|bash|console)\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL):
            before = text[: match.start()].rstrip().rsplit("\n", 1)[-1]
            line = text[: match.start()].count("\n") + 2
            note = re.fullmatch(r" *<!-- (.*) -->", before)
            found.append(Block(str(page.relative_to(PROJECT)), line, match[2], note[1] if note else ""))
    return found


def inline() -> list[Block]:
    """Commands inside of sentences and tables, each as a block."""
    found: list[Block] = []
    for page in PAGES:
        fenced = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
        text = fenced.sub(lambda match: re.sub(r"[^\n]", "", match[0]), page.read_text("utf-8"))
        name = str(page.relative_to(PROJECT))
        spans = re.finditer(r"`((?:[A-Z_]+=\S+ )*(?:python -m|make|pulumi|kubectl|helm|kubeseal|cmctl)\s[^`]+)`", text)
        found += [Block(name, text[: span.start()].count("\n") + 1, re.sub(r"\s+", " ", span[1])) for span in spans]
    return found


def subcommands() -> list[Block]:
    """`python -m ops access issue` and its like wherever it stands on a page, inside of other text as well."""
    found: list[Block] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        name = str(page.relative_to(PROJECT))
        spans = re.finditer(r"python -m (?:ops|lab)(?: [a-z][a-z-]*){1,2}", text)
        found += [Block(name, text[: span.start()].count("\n") + 1, span[0]) for span in spans]
    return found


def ci() -> list[Block]:
    """What workflows, actions and forms say of `pulumi`, each as a block."""
    found: list[Block] = []
    for file in sorted(path for path in (PROJECT / ".github").rglob("*") if path.is_file()):
        text = re.sub(r"\\\n\s*", " ", file.read_text("utf-8"))
        spans = re.finditer(r"(?<![\w/.-])pulumi [a-z][^|;>&`,\n]*", text)
        name = str(file.relative_to(PROJECT))
        found += [Block(name, text[: span.start()].count("\n") + 1, span[0].replace("'", "")) for span in spans]
    return found


def simple(line: str) -> list[list[str]]:
    """`A=1 b --c | d > e` -> `[[b, --c], [d]]`. What is inside of `$(…)` or `<(…)` counts as commands of its own.

    `<stack>` is a word to fill in, no redirection.
    """
    line = re.sub(r"<([a-z][a-z -]*)>", lambda found: found[1].replace(" ", "-"), line)
    inner = [found for inside in re.findall(r"[$<]\(([^()]*)\)", line) for found in simple(inside)]
    lexer = shlex.shlex(re.sub(r"[$<]\([^()]*\)", "substituted", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    commands: list[list[str]] = [[]]
    redirected = False
    for word in lexer:
        if word.startswith("#"):
            break
        if set(word) <= set("<>") and word:
            redirected = True
        elif set(word) <= set("();<>|&"):
            commands.append([])
        elif redirected:
            redirected = False
        elif commands[-1] or not re.fullmatch(r"[A-Za-z_]\w*=.*", word):
            commands[-1].append(word)
    return [*(command for command in commands if command), *inner]
