"""The commands that tests run, read out of their source without running it.

A call such as `engine.pulumi("destroy --yes")` is followed into the helper that it names, here or in tests/lab, until
words stand there that begin with a program. What is computed is `COMPUTED`, which equals no word.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import pathlib
import re

from tests import documented, sources

COMPUTED = "…"
PROGRAMS = ("python", "pulumi", "make", "kubectl", "kubeseal", "helm", "cmctl", "zensical")
GROUPS = {
    "python -m ops": ("access", "config"),
    "pulumi": ("config", "plugin", "stack", "state"),
}
"""Programs with commands that have commands of their own."""
NOT_RUN = {
    **dict.fromkeys(("make test", "make unit"), "it is what runs the tests"),
    "make lint": "CI runs it on every pull request",
    "make help": "it prints the Makefile's own comments",
    "make bench": "it measures for some ten minutes",
    "python -m tests.charts": "asks the charts' own repositories",
    "kubectl describe": "it shows to people what other commands of kubectl show to tests",
    "helm uninstall --no-hooks --wait": "no test goes this way out: in theirs the cause is repaired",
    "cmctl renew": "the lab has no cmctl",
    "pulumi login": "needs a bucket at a cloud",
    "pulumi stack init --secrets-provider": "needs a key at AWS",
}
"""Commands that a sentence names and no test runs, each with the reason."""
DEPTH = 6
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True)
class Command:
    """What of a command has to stand in a test: program with subcommands, and the names of long options."""

    words: tuple[str, ...]
    options: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return " ".join([*self.words, *sorted(self.options)])

    def in_(self, argv: tuple[str, ...]) -> bool:
        """Whether a test's words are this command: its own words in their order, from the first on, and its options."""
        rest = iter(argv)
        here = argv[:1] == self.words[:1] and all(word in rest for word in self.words)
        return here and self.options <= {word.split("=")[0] for word in argv}


def command(argv: list[str]) -> Command | None:
    """The command that a page's words are; None for what is not one of `PROGRAMS`: a shell's own, jq."""
    name = pathlib.Path(argv[0]).name
    if name == "python3":
        name = "python"
    if name not in PROGRAMS:
        return None
    length = 3 if name == "python" and argv[1:2] == ["-m"] else 1
    words = [name, *argv[1:length]]
    rest = argv[length : argv.index("--")] if "--" in argv else argv[length:]
    take = 2 if rest[:1] and rest[0] in GROUPS.get(" ".join(words), ()) else 1
    if name == "make":
        words += rest
    else:
        words += [word for word in rest[:take] if re.fullmatch(r"[a-z][a-z-]*", word)]
    options = {word.split("=")[0] for word in rest if re.match(r"--[a-z]", word)}
    return Command(tuple(words), frozenset(options))


def recipe(target: str) -> list[Command]:
    """What `make <target>` runs, as the Makefile says; at least one command."""
    # Words of the shell and of $(if …) are not looked at: only what begins with a program counts.
    makefile = (documented.PROJECT / "Makefile").read_text()
    found = re.search(rf"^{re.escape(target)}:.*\n((?:\t.*\n)*)", makefile, re.MULTILINE)
    assert found, f"no target {target}"
    text = re.sub(r"\$\(RUN\)", "python", found[1]).replace("$(VENV)/bin/", "").replace("\t@", "")
    text = re.sub(r"\$\((?:[^()]|\([^()]*\))*\)", "", text)
    run = [one for line in text.splitlines() for argv in documented.simple(line) if (one := command(argv))]
    assert run, f"make {target} runs nothing that is known here: say in NOT_RUN why no test runs it"
    return run


def wanted(argv: list[str]) -> list[Command]:
    """What a test has to run for a page's words: for `make`, what its targets run. Without those in `NOT_RUN`."""
    one = command(argv)
    found = [one] if one else []
    if one and one.words[0] == "make":
        targets = [word for word in argv[1:] if "=" not in word and not word.startswith("-")]
        found = [each for target in targets if f"make {target}" not in NOT_RUN for each in recipe(target)]
    return [each for each in found if str(each) not in NOT_RUN]


@functools.cache
def of(file: str) -> frozenset[tuple[str, ...]]:
    """The words of every command that a test file runs, by itself or by its helpers."""
    path = documented.PROJECT / file
    return frozenset(_Reader(path).commands()) if path.is_file() else frozenset()


def _functions(tree: ast.Module) -> dict[str, Function]:
    return {node.name: node for node in ast.walk(tree) if isinstance(node, Function)}


class _Reader:
    def __init__(self, path: pathlib.Path) -> None:
        self._tree = sources.parsed(path)
        self._functions: dict[str, Function] = {}
        self._modules: dict[str, str] = {}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    helper = path.parent / f"{alias.name}.py"
                    if helper.is_file():
                        self._functions |= _functions(sources.parsed(helper))
            elif isinstance(node, ast.ImportFrom):
                self._modules |= {
                    alias.asname or alias.name: str(node.module) for alias in node.names if alias.name == "__main__"
                }
        self._functions |= _functions(self._tree)

    def commands(self) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        for statement in self._tree.body:
            self._visit(statement, self._written(statement), DEPTH, found)
        return found

    def _written(self, node: ast.AST) -> dict[str, list[str]]:
        """Names that are given literal words inside of a function."""
        return {
            each.targets[0].id: self._of(each.value, {})
            for each in ast.walk(node)
            if isinstance(each, ast.Assign)
            and isinstance(each.targets[0], ast.Name)
            and isinstance(each.value, ast.Tuple | ast.List | ast.Constant)
        }

    def _visit(self, node: ast.AST, known: dict[str, list[str]], depth: int, found: set[tuple[str, ...]]) -> None:
        for call in ast.walk(node):
            if isinstance(call, ast.Constant) and isinstance(call.value, str):
                found |= _script(call.value)
            if not isinstance(call, ast.Call):
                continue
            words = self._words(call.args, known)
            function = call.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name == "main" and isinstance(function, ast.Attribute):
                words = [*self._module(function.value), *words]
            if words and words[0] in PROGRAMS:
                found.add(tuple(words))
            if depth and name in self._functions:
                inside = self._functions[name]
                self._visit(inside, self._written(inside) | self._bound(inside, call, known), depth - 1, found)

    def _bound(self, inside: Function, call: ast.Call, known: dict[str, list[str]]) -> dict[str, list[str]]:
        """What a function's parameters are in this call, as far as it is written there."""
        names = [each.arg for each in inside.args.args]
        if names[:1] == ["self"]:
            names = names[1:]
        bound = {name: self._words([value], known) for name, value in zip(names, call.args, strict=False)}
        if inside.args.vararg:
            bound[inside.args.vararg.arg] = self._words(call.args[len(names) :], known)
        return bound | {each.arg: self._words([each.value], known) for each in call.keywords if each.arg}

    def _words(self, nodes: list[ast.expr], known: dict[str, list[str]]) -> list[str]:
        return [word for node in nodes for word in self._of(node, known)]

    def _of(self, node: ast.expr, known: dict[str, list[str]]) -> list[str]:
        match node:
            case ast.Constant(value=str(text)):
                words = text.split()
                # A sentence such as an error's that begins with a program is no call of it.
                return [COMPUTED] if len(words) > 1 and words[0] in PROGRAMS else words
            case ast.IfExp(test=ast.Name(id=name), body=body, orelse=other):
                return self._of(body if name in known else other, known)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return self._words(elements, known)
            case ast.Starred(value=value) | ast.Call(func=ast.Attribute(value=value, attr="split")):
                return self._of(value, known)
            case ast.Call(func=ast.Name(id="list" | "tuple"), args=arguments):
                return self._words(arguments, known)
            case ast.Name(id=name):
                return known.get(name, [COMPUTED])
            case ast.Attribute(value=ast.Name(id="sys"), attr="executable"):
                return ["python"]
            case ast.Attribute(value=value, attr="app"):
                return self._module(value) or [COMPUTED]
            case _:
                return [COMPUTED]

    def _module(self, node: ast.expr) -> list[str]:
        """`python -m ops` for the name under which `ops.__main__` was imported."""
        module = self._modules.get(getattr(node, "id", ""))
        return ["python", "-m", module] if module else []


def _script(text: str) -> set[tuple[str, ...]]:
    """The commands of a shell script of this project, when a text is the path of one."""
    if not re.fullmatch(r"[\w/.-]+\.sh", text) or not (documented.PROJECT / text).is_file():
        return set()
    lines = (documented.PROJECT / text).read_text("utf-8").splitlines()
    return {tuple(argv) for line in lines if not line.startswith("#") for argv in documented.simple(line)}
