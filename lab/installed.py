"""Provider plugins that the user has installed, brought into a lab's Pulumi home.

The engine takes real folders only: it passes over a link to one without a word, and over one that is not installed to
its end (`<folder>.partial`, `<folder>.tmp<digits>`). Plugins are large (100 MB and more), so their files become
hard links; they are copied where the home is on another file system or the files belong to somebody else.
https://github.com/pulumi/pulumi/blob/v3.259.0/sdk/go/common/workspace/plugins.go (`tryPlugin`)
"""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile


def bring(plugin: str, version: str, theirs: pathlib.Path, ours: pathlib.Path) -> pathlib.Path | None:
    """The plugin's folder in the folder of plugins `ours`, the same as in `theirs`; None where it is not installed.

    It is made anew only when the one in `theirs` has been installed again since.
    """
    name, program = f"resource-{plugin}-v{version}", f"pulumi-resource-{plugin}"
    source, target = theirs / name, ours / name
    if not (source / program).is_file() or (theirs / f"{name}.partial").exists():
        return None
    if not target.is_symlink() and _same(source / program, target / program):
        return target
    ours.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(prefix=f".{name}-", dir=ours))
    try:
        shutil.copytree(source, made / name, copy_function=_link)
        _remove(target)
        (made / name).rename(target)
    except OSError:
        # Another command of this lab may have been faster.
        if not _same(source / program, target / program):
            raise
    finally:
        shutil.rmtree(made)
    return target


def _same(one: pathlib.Path, other: pathlib.Path) -> bool:
    """Whether two programs are one file, or one is a copy of the other."""
    try:
        first, second = one.stat(), other.stat()
    except OSError:
        return False
    return os.path.samestat(first, second) or (first.st_size, first.st_mtime_ns) == (
        second.st_size,
        second.st_mtime_ns,
    )


def _link(source: str, target: str) -> str:
    try:
        # A link in the folder may point to somewhere else: what it stands for is taken, as the copy does.
        os.link(pathlib.Path(source).resolve(), target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _remove(folder: pathlib.Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
