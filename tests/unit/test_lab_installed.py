"""How an installed provider plugin gets into a lab's Pulumi home. That the engine then runs it: `tests/lab`."""

from __future__ import annotations

import errno
import os
import pathlib

import pytest

from lab import installed

NAME = "resource-aws-v7.1.0"
PROGRAM = "pulumi-resource-aws"


@pytest.fixture
def theirs(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of plugins, with one that has a program, a file beside it and a link."""
    folder = tmp_path / "theirs"
    install(folder, "first")
    (folder / NAME / "more").mkdir()
    (folder / NAME / "more" / "schema.json").write_text("{}")
    (folder / NAME / "schema.json").symlink_to("more/schema.json")
    return folder


@pytest.fixture
def ours(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "home" / "plugins"


def install(folder: pathlib.Path, content: str) -> None:
    (folder / NAME).mkdir(parents=True, exist_ok=True)
    program = folder / NAME / PROGRAM
    program.unlink(missing_ok=True)
    program.write_text(content)
    program.chmod(0o755)


def bring(theirs: pathlib.Path, ours: pathlib.Path) -> pathlib.Path | None:
    return installed.bring("aws", "7.1.0", theirs, ours)


def elsewhere(source: object, target: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.mark.parametrize("linked", [True, False])
def test_it_is_a_folder_of_its_own_with_all_that_belongs_to_it(
    theirs: pathlib.Path, ours: pathlib.Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    if not linked:
        monkeypatch.setattr(os, "link", elsewhere)
    assert bring(theirs, ours) == ours / NAME
    assert not (ours / NAME).is_symlink(), "the engine passes over links"
    assert os.access(ours / NAME / PROGRAM, os.X_OK)
    assert (ours / NAME / PROGRAM).samefile(theirs / NAME / PROGRAM) == linked, "no second copy of 100 MB"
    assert (ours / NAME / "schema.json").read_text() == (ours / NAME / "more" / "schema.json").read_text() == "{}"
    assert [entry.name for entry in ours.iterdir()] == [NAME], "nothing else is left there"


@pytest.mark.parametrize("linked", [True, False])
def test_it_is_made_again_only_when_it_has_been_installed_again(
    theirs: pathlib.Path, ours: pathlib.Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    if not linked:
        monkeypatch.setattr(os, "link", elsewhere)
    bring(theirs, ours)
    made = (ours / NAME).stat().st_ino
    bring(theirs, ours)
    assert (ours / NAME).stat().st_ino == made
    install(theirs, "second")
    bring(theirs, ours)
    assert (ours / NAME / PROGRAM).read_text() == "second"


def test_a_link_that_an_earlier_lab_left_becomes_a_folder(theirs: pathlib.Path, ours: pathlib.Path) -> None:
    ours.mkdir(parents=True)
    (ours / NAME).symlink_to(theirs / NAME)
    bring(theirs, ours)
    assert not (ours / NAME).is_symlink()
    assert (theirs / NAME / PROGRAM).exists(), "what the user has installed stays"


def test_one_that_is_not_there_or_not_there_whole_is_not_used(theirs: pathlib.Path, ours: pathlib.Path) -> None:
    assert installed.bring("aws", "7.2.0", theirs, ours) is None, "another version is not the SDK's"
    (theirs / f"{NAME}.partial").touch()
    assert bring(theirs, ours) is None, "the engine takes it for half installed"
    (theirs / f"{NAME}.partial").unlink()
    (theirs / NAME / PROGRAM).unlink()
    assert bring(theirs, ours) is None
    assert not ours.exists()
