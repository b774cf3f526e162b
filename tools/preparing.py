"""What the scripts that prepare public data share.

Of speech: 16-bit audio in, splits of FLAC files and a TSV out. Of text: lines in, lines out. Of both: a folder that is
there when it is whole.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

NAMED = 5  # items that an error names before it only counts them


class PreparationError(Exception):
    """The download or the output folder can't be used; the message says why and what to do."""


@dataclass(frozen=True)
class Recording:
    """One row of a split.

    Args:
        source: the audio file in the download.
        path: where its FLAC file goes, relative to the output folder, with ``/``.
        fields: the other columns of the TSV but ``path`` and ``samples``, by name.
    """

    source: Path
    path: str
    fields: Mapping[str, str]


def name_some(items: Collection[object]) -> str:
    """Name the first few items and count the rest: ``a, b, c, d, e and 7 more``."""
    named = ", ".join(str(item) for item in list(items)[:NAMED])
    return f"{named} and {len(items) - NAMED} more" if len(items) > NAMED else named


def read_pcm16(source: Path, sample_rate: int) -> NDArray[np.int16]:
    """Read a mono 16-bit audio file without changing a sample.

    Args:
        source: a file that libsndfile opens (RIFF wav, NIST SPHERE, …).
        sample_rate: what it must have, in hertz; nothing is resampled.

    Returns:
        The samples, ``[S]``.

    Raises:
        PreparationError: libsndfile can't read it, or it is not mono, 16-bit and of that sample rate.
    """
    try:
        with soundfile.SoundFile(source) as file:
            received = (file.samplerate, file.channels, file.subtype)
            if received != (sample_rate, 1, "PCM_16"):
                raise PreparationError(
                    f"{source}: {file.samplerate} Hz, {file.channels} channel(s), {file.subtype}, "
                    f"where {sample_rate} Hz, 1 channel, PCM_16 is published"
                )
            samples: NDArray[np.int16] = file.read(dtype="int16")
            if len(samples) != file.frames:
                raise PreparationError(f"{source}: ends after {len(samples)} of {file.frames} samples")
            return samples
    except soundfile.SoundFileError as error:
        raise PreparationError(f"{source}: not readable as audio ({error})") from error


@contextmanager
def finished_folder(output: Path) -> Iterator[Path]:
    """Give a folder to write into that becomes ``output`` only when the block ends without an error.

    Args:
        output: the folder to make; it may exist, if it is empty.

    Raises:
        PreparationError: ``output`` is a file or a folder with something in it.
    """
    output = output.resolve()
    if output.exists() and not output.is_dir():
        raise PreparationError(f"{output}: is a file; give a folder that is empty or does not exist")
    if output.exists() and (present := sorted(entry.name for entry in output.iterdir())):
        raise PreparationError(f"{output}: is not empty (it holds {name_some(present)}); give an empty or a new folder")
    # A sibling, since a rename is atomic inside one file system only.
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.unfinished")
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        if output.exists():
            output.rmdir()
        unfinished.rename(output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_splits(
    folder: Path,
    columns: Sequence[str],
    splits: Mapping[str, Collection[Recording]],
    sample_rate: int,
    read: Callable[[Path], NDArray[np.int16]],
) -> None:
    """Write each split as FLAC files of 16 bits and one ``{split}.tsv``, and print a line for each to standard error.

    Rows are sorted by ``path``, character by character (``an100`` stands before ``an99``). The TSV has a header, is
    unquoted and ends each line with a line feed.

    Args:
        folder: where to write.
        columns: names of the columns in order; ``path`` and ``samples`` are filled in here, the others from ``fields``.
        splits: the recordings of each split by its name.
        sample_rate: in hertz, of every recording.
        read: gives the samples ``[S]`` of a source file, or raises PreparationError.

    Raises:
        PreparationError: recordings that can't be read, all counted and the first few named.
    """
    unreadable: list[str] = []
    for split, recordings in splits.items():
        lines = ["\t".join(columns)]
        total = 0
        for recording in sorted(recordings, key=lambda recording: recording.path):
            try:
                samples = read(recording.source)
            except PreparationError as error:
                unreadable.append(str(error))
                continue
            target = folder / recording.path
            target.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(target, samples, sample_rate, format="FLAC", subtype="PCM_16")
            values = {**recording.fields, "path": recording.path, "samples": str(len(samples))}
            lines.append("\t".join(values[column] for column in columns))
            total += len(samples)
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        if not unreadable:
            print(f"{split}: {len(lines) - 1} rows, {total / sample_rate / 60:.1f} minutes", file=sys.stderr)
    if unreadable:
        first = "".join(f"\n  {message}" for message in unreadable[:NAMED])
        more = f"\n  and {len(unreadable) - NAMED} more" if len(unreadable) > NAMED else ""
        raise PreparationError(f"{len(unreadable)} recording(s) can't be used; download them again:{first}{more}")


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file that hold something, without blanks at their ends.

    Raises:
        PreparationError: the file is missing, or is no UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise PreparationError(f"{path}: no such file; give the checkout of the repository, which holds it") from None
    except UnicodeDecodeError as error:
        raise PreparationError(f"{path}: is not UTF-8 text (byte {error.start}: {error.reason})") from None
    # Not splitlines, which takes a line separator inside a text for the end of its line.
    return [line.strip(" \t\r") for line in text.split("\n") if line.strip()]


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines in UTF-8, each with a line feed."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def main(program: str, prepare: Callable[[Path, Path], None], description: str, example: str, *, download: str) -> int:
    """Run a preparation that takes a download and a folder to make from the command line; give the exit status.

    Args:
        program: its name.
        prepare: gets the two.
        description, example: for --help.
        download: what the download is.
    """
    parser = argparse.ArgumentParser(
        description=description, epilog=example, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("download", metavar="DOWNLOAD_DIR", type=Path, help=download)
    parser.add_argument("output", metavar="OUTPUT_DIR", type=Path, help="the folder to make; if it exists, empty")
    arguments = parser.parse_args()
    return run(program, lambda: prepare(arguments.download, arguments.output))


def run(program: str, prepare: Callable[[], None]) -> int:
    """Run a preparation; give the exit status: 0 done, 1 failed, with the reason on standard error."""
    try:
        prepare()
    except (PreparationError, OSError, soundfile.SoundFileError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    return 0
