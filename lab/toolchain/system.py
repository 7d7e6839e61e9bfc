"""The programs from the system's packages: installed where that needs no question, asked for elsewhere."""

import os
import shutil
import subprocess

from lab.toolchain import cache, errors, model, onpath, table

INSTALL = ("apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "--no-install-recommends")
QUIET = ("env", "DEBIAN_FRONTEND=noninteractive")
TAIL_LINES = 15
Tools = tuple[model.SystemTool, ...]


def missing(wanted: Tools = table.SYSTEM_TOOLS) -> list[model.SystemTool]:
    """Return the system tools of which this machine has no copy that will do."""
    return [tool for tool in wanted if not onpath.system(tool)]


def ensure(report: cache.Report, wanted: Tools = table.SYSTEM_TOOLS) -> None:
    """Install what is missing with apt-get, as root or by a sudo that asks nothing, and check that the sandbox works.

    No service is started or enabled: no package has one.
    """
    if lacking := missing(wanted):
        packages = [tool.package for tool in lacking]
        names = ", ".join(f"{tool.name} ({tool.fit})" for tool in lacking)
        prefix = _privilege()
        if prefix is None or not shutil.which("apt-get"):
            raise errors.ToolchainError(
                f"this machine lacks {names}; install the packages that have them and run the command again, "
                f"on Debian or Ubuntu: sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
            )
        report(f"installing the system packages {', '.join(packages)}")
        _run([*prefix, *QUIET, "apt-get", "update"])
        _run([*prefix, *QUIET, *INSTALL, *packages])
        if lacking := missing(wanted):
            names = ", ".join(f"{tool.name} ({tool.fit})" for tool in lacking)
            raise errors.ToolchainError(f"the packages are installed, but PATH still has no {names}")
    _check_sandbox()


def _privilege() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        tail = "\n".join(f"    {line}" for line in done.stdout.splitlines()[-TAIL_LINES:])
        raise errors.ToolchainError(f"`{' '.join(command)}` failed (exit {done.returncode}):\n{tail}")


def _check_sandbox() -> None:
    bwrap = onpath.system(next(tool for tool in table.SYSTEM_TOOLS if tool.name == "bwrap"))
    command = [str(bwrap), "--ro-bind", "/", "/", "--unshare-pid", "--die-with-parent", "true"]
    tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise errors.ToolchainError(
            f"bwrap cannot make a sandbox on this machine: {tried.stderr.strip()}\n"
            "  it needs unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1, and where AppArmor "
            "restricts them (Ubuntu 24.04 and newer) kernel.apparmor_restrict_unprivileged_userns=0"
        )
