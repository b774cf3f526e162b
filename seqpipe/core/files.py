"""Files that are there whole or not at all, also after a loss of power; and a lock on one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from seqpipe.errors import ConfigError


@contextmanager
def draft_file(output: Path) -> Iterator[BinaryIO]:
    """A file beside the output, which becomes it when all went well and is removed otherwise; a link stays one."""
    output = target_of(output)
    draft = companion(output, ".draft", ".")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        move(draft, output)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def draft_folder(output: Path) -> Iterator[Path]:
    """A new folder beside the output, which becomes it when all went well and is removed otherwise."""
    output = target_of(output)  # a link to a folder can't be renamed onto; what it leads to can
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = companion(output, ".draft", ".")
    if draft.exists():  # of a process that was killed
        shutil.rmtree(draft)
    draft.mkdir()
    try:
        yield draft
        # Once for all: 1,000 files took 3 s with an fsync each, and 0.1 s so (ext4). Linux waits until all is written.
        os.sync()
        move(draft, output)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def target_of(path: Path) -> Path:
    """What a link leads to in the end; the path itself if it is none.

    Raises:
        ConfigError: it leads to itself, or into a folder that isn't there.
    """
    if not path.is_symlink():
        return path
    try:
        found = path.resolve()
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"{path}: is a link that leads nowhere ({error}); remove it, or give another name") from None
    if not found.parent.is_dir():
        raise ConfigError(f"{path}: is a link to {found}, and there is no such folder; make it, or give another name")
    return found


def companion(path: Path, end: str, start: str = "") -> Path:
    """The name of a file that stands beside another one while that one is written.

    Raises:
        ConfigError: the file system takes no names of so many bytes.
    """
    name = f"{start}{path.name}{end}"
    existing = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    limit = os.pathconf(existing, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    if len(os.fsencode(name)) > limit:
        size, added = len(os.fsencode(path.name)), len(os.fsencode(name)) - len(os.fsencode(path.name))
        raise ConfigError(
            f"{path}: the name has {size} bytes, and {start}NAME{end} stands beside it while it is written; the file "
            f"system takes names of {limit} bytes, so give one of at most {limit - added}"
        )
    return path.parent / name


def file_identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from others, whatever it is called; None if there is no such file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def check_place(option: str, path: Path) -> None:
    """See that a file can be there, before what is to stand in it is worked out.

    Raises:
        ConfigError: there is a folder of its name, or none that it could lie in.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; {option} names a file")
    if not path.parent.is_dir():
        raise ConfigError(f"{option} {path}: there is no folder {path.parent}; make it, or give another name")


def check_replaced(option: str, outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """See that no output replaces what the command reads, by whatever names both go.

    Args:
        option: that names the outputs, for the message.
        outputs: files that will be replaced if they are there, and folders with all in them.
        inputs: files that are read; none is looked at where no output is there.

    Raises:
        ConfigError: an output is an input.
    """
    files = (path for output in outputs for path in ([output] if not output.is_dir() else output.rglob("*")))
    replaced = {found: path for path in files if (found := file_identity(path)) is not None}
    for path in inputs if replaced else ():
        found = file_identity(path)
        if found in replaced:
            raise ConfigError(
                f"{option} {replaced[found]}: is {path}, which this command reads and would replace; give another name"
            )


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def expand_home(path: str | Path) -> Path:
    """A path whose ``~`` is the home folder; as it stands where there is no such user, as shells have it."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - that of Path raises RuntimeError instead


def move(draft: Path, output: Path) -> None:
    """Rename, lastingly: the name is written to the disk before this returns."""
    draft.replace(output)
    sync(output.parent)


def sync(path: Path) -> None:
    """Wait until a file that was written, or new names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with draft_file(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file for people, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def lock(file: IO[Any]) -> bool:
    """Keep other processes out of an open file until it is closed; whether none was there before."""
    try:
        import fcntl
    except ModuleNotFoundError:  # not on Windows
        return True
    try:
        # lockf, not flock: a child process that outlives a killed one must not hold the lock.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
