"""Turn the public download of CMU AN4 into FLAC files and one TSV a split: train, dev and test.

The official training part is cut by speaker: of its speakers in sorted order every tenth, beginning with the first, is
dev. The official test part is test. The order of the lists in ``etc/`` plays no part: rows are sorted by path.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from preparing import PreparationError, Recording, finished_folder, name_some, read_pcm16, run, write_splits

SAMPLE_RATE = 16_000  # hertz
# Of the Git repository, the SPHERE archive and the raw archives; where an utterance has several, the first is read.
AUDIO_SUFFIXES = (".wav", ".sph", ".raw")
COLUMNS = ("path", "utt_id", "speaker", "samples", "text")
DEV_EVERY = 10  # speakers of the sorted list
PUBLISHED_ROWS = {"train": 850, "dev": 98, "test": 130}
SILENCES = {"<S>", "</S>", "<SIL>"}  # Sphinx's words for silence: no one said them

ByteOrder = Literal["big", "little"]

DESCRIPTION = f"""\
Turn the public download of CMU AN4 (census) into FLAC files and {{train,dev,test}}.tsv.

source   https://github.com/cmusphinx/an4 (.wav), or the archives an4_sphere.tar.gz (.sph),
         an4_raw.bigendian.tar.gz and an4_raw.littleendian.tar.gz (.raw)
licence  CMU AN4: free for any use under BSD-style terms; the notice, copied to
         OUTPUT_DIR/LICENSE.txt, must stay with the data
splits   the official training part by speaker: of its sorted speakers every {DEV_EVERY}th, beginning
         with the first, is dev, the others train; the official test part is test
output   OUTPUT_DIR/{{split}}/{{speaker}}/{{utt_id}}.flac (16 bits, the same samples), OUTPUT_DIR/{{split}}.tsv
         ({", ".join(COLUMNS)}), lexicon.dic, LICENSE.txt
"""

EXAMPLE = """\
example:
  git clone https://github.com/cmusphinx/an4 downloads/an4
  git -C downloads/an4 checkout b567d132f43304e70a2b2eca6077f22255311812
  python tools/prepare_an4.py downloads/an4 data/an4
"""


@dataclass(frozen=True)
class Utterance:
    """What the lists of AN4 say of one recording."""

    utt_id: str
    speaker: str
    source: Path
    text: str


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines of a list that hold something, with their numbers from 1."""
    # An odd byte shows up as an odd word of its line, which is then named.
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def read_fileids(path: Path, faults: list[str]) -> dict[str, tuple[str, str]]:
    """Read a control file, one ``an4_clstk/SPEAKER/UTTERANCE`` a line.

    Args:
        path: the file.
        faults: gets what is wrong, with the number of the line.

    Returns:
        utterance -> (its line, speaker).
    """
    fileids: dict[str, tuple[str, str]] = {}
    for number, line in numbered_lines(path):
        if not (match := re.fullmatch(r"\w+/(\w+)/([\w-]+)", line)):
            faults.append(f"line {number}: expected PART/SPEAKER/UTTERANCE, got {line!r}")
        elif match[2] in fileids:
            faults.append(f"line {number}: utterance {match[2]} a second time")
        else:
            fileids[match[2]] = (line, match[1])
    return fileids


def read_transcription(path: Path, faults: list[str]) -> dict[str, str]:
    """Read a transcription file, one ``<s> WORDS </s> (UTTERANCE)`` a line.

    Args:
        path: the file.
        faults: gets what is wrong, with the number of the line.

    Returns:
        utterance -> words, in upper case, without Sphinx's words for silence.
    """
    texts: dict[str, str] = {}
    for number, line in numbered_lines(path):
        if not (match := re.fullmatch(r"(.*)\(([\w-]+)\)", line)):
            faults.append(f"line {number}: expected WORDS (UTTERANCE), got {line!r}")
            continue
        words = [word for word in match[1].upper().split() if word not in SILENCES]
        if match[2] in texts:
            faults.append(f"line {number}: utterance {match[2]} a second time")
        elif not words:
            faults.append(f"line {number}: utterance {match[2]} has no words")
        elif odd := [word for word in words if not re.fullmatch("[A-Z]+", word)]:
            faults.append(f"line {number}: expected words of letters A to Z, got {name_some(odd)}")
        texts.setdefault(match[2], " ".join(words))
    return texts


def read_part(download: Path, part: str) -> tuple[list[Utterance], list[str]]:
    """Join the lists and the audio files of one official part.

    Args:
        download: the folder that holds ``etc/`` and ``wav/``.
        part: ``train`` or ``test``, as the file names in ``etc/`` have it.

    Returns:
        The utterances that are complete, and what is wrong with the others, a line for each kind of fault.
    """
    listed, transcribed = f"etc/an4_{part}.fileids", f"etc/an4_{part}.transcription"
    listed_faults: list[str] = []
    transcribed_faults: list[str] = []
    fileids = read_fileids(download / listed, listed_faults)
    texts = read_transcription(download / transcribed, transcribed_faults)
    faults = []
    for name, found in ((listed, listed_faults), (transcribed, transcribed_faults)):
        if found:
            faults.append(f"{len(found)} of the lines of {name} not as expected: {name_some(found)}")
    if len(fileids) != len(texts):
        faults.append(f"{listed} lists {len(fileids)} utterances, {transcribed} {len(texts)}")
    if without_text := [utt_id for utt_id in fileids if utt_id not in texts]:
        faults.append(f"{len(without_text)} of {listed} without transcript: {name_some(without_text)}")
    if unlisted := [utt_id for utt_id in texts if utt_id not in fileids]:
        faults.append(f"{len(unlisted)} of {transcribed} not in {listed}: {name_some(unlisted)}")

    utterances, without_audio = [], []
    for utt_id, (line, speaker) in fileids.items():
        candidates = [download / "wav" / (line + suffix) for suffix in AUDIO_SUFFIXES]
        source = next((candidate for candidate in candidates if candidate.is_file()), None)
        if source is None:
            without_audio.append(f"wav/{line}")
        elif utt_id in texts:
            utterances.append(Utterance(utt_id, speaker, source, texts[utt_id]))
    if without_audio:
        suffixes = " or ".join(AUDIO_SUFFIXES)
        faults.append(f"{len(without_audio)} of {listed} without audio file ({suffixes}): {name_some(without_audio)}")
    return utterances, faults


def split_by_speaker(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    """Cut the official training part into train and dev: every tenth of the sorted speakers, from the first, is dev."""
    dev_speakers = set(sorted({utterance.speaker for utterance in utterances})[::DEV_EVERY])
    splits: dict[str, list[Utterance]] = {"train": [], "dev": []}
    for utterance in utterances:
        splits["dev" if utterance.speaker in dev_speakers else "train"].append(utterance)
    return splits


def read_raw(source: Path, byte_order: ByteOrder) -> NDArray[np.int16]:
    """Read a headerless file of 16-bit samples, ``[S]``."""
    content = source.read_bytes()
    if len(content) % 2:
        raise PreparationError(f"{source}: {len(content)} bytes are no whole number of 16-bit samples")
    return np.frombuffer(content, dtype=">i2" if byte_order == "big" else "<i2").astype(np.int16)


def measure_byte_order(sources: Sequence[Path]) -> ByteOrder:
    """Tell the byte order of headerless files by which reading is smoother.

    Neighbouring samples of speech lie close together. With the bytes swapped the low byte, close to noise, becomes the
    high one, and the mean step between neighbours grows: over the official training part by 24 to 248 times a file,
    by 80 in the median.

    Raises:
        PreparationError: neither reading is at least twice as smooth as the other.
    """
    roughness: dict[ByteOrder, int] = {"big": 0, "little": 0}
    for source in sources:
        for byte_order in roughness:
            samples = read_raw(source, byte_order).astype(np.int64)  # [S]; int16 would overflow in the difference
            roughness[byte_order] += int(np.abs(np.diff(samples)).sum())
    smooth, rough = sorted(roughness, key=lambda byte_order: roughness[byte_order])
    if roughness[rough] <= 2 * roughness[smooth]:
        raise PreparationError(
            f"{sources[0]} and {len(sources) - 1} more: the samples don't tell the byte order of these .raw files; "
            "give it with --raw-byte-order big or little"
        )
    return smooth


def prepare(download: Path, output: Path, raw_byte_order: str) -> None:
    """Read the lists of ``download``, write ``output``; see DESCRIPTION."""
    needed = [f"etc/an4_{part}.{kind}" for part in ("train", "test") for kind in ("fileids", "transcription")]
    needed += ["etc/an4.dic", "LICENSE"]
    if missing := [name for name in needed if not (download / name).is_file()]:
        hint = download / "an4" if (download / "an4" / "etc").is_dir() else "the folder of AN4 that holds etc/ and wav/"
        raise PreparationError(f"{download}: {len(missing)} file(s) missing: {name_some(missing)}; give {hint}")
    training, train_faults = read_part(download, "train")
    test, test_faults = read_part(download, "test")
    if train_faults or test_faults:
        faults = "\n  ".join(train_faults + test_faults)
        raise PreparationError(f"{download}: the lists and files don't agree; download it again:\n  {faults}")

    splits = {
        split: [
            Recording(
                source=utterance.source,
                path=f"{split}/{utterance.speaker}/{utterance.utt_id}.flac",
                fields={"utt_id": utterance.utt_id, "speaker": utterance.speaker, "text": utterance.text},
            )
            for utterance in utterances
        ]
        for split, utterances in {**split_by_speaker(training), "test": test}.items()
    }
    byte_order: ByteOrder = "little" if raw_byte_order == "little" else "big"
    raw = [recording.source for part in splits.values() for recording in part if recording.source.suffix == ".raw"]
    if raw and raw_byte_order == "auto":
        byte_order = measure_byte_order(raw[:20])  # twenty utterances are a minute of speech: enough, and quick
        print(f"{len(raw)} .raw files: {byte_order}-endian by their samples", file=sys.stderr)

    def read(source: Path) -> NDArray[np.int16]:
        return read_raw(source, byte_order) if source.suffix == ".raw" else read_pcm16(source, SAMPLE_RATE)

    with finished_folder(output) as folder:
        write_splits(folder, COLUMNS, splits, SAMPLE_RATE, read)
        shutil.copyfile(download / "etc/an4.dic", folder / "lexicon.dic")
        shutil.copyfile(download / "LICENSE", folder / "LICENSE.txt")
    print(f"written to {output}", file=sys.stderr)
    if (rows := {split: len(recordings) for split, recordings in splits.items()}) != PUBLISHED_ROWS:
        print(f"note: AN4 as published gives {PUBLISHED_ROWS} rows, this download {rows}", file=sys.stderr)


def main() -> int:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("download", metavar="DOWNLOAD_DIR", type=Path, help="the folder that holds etc/ and wav/")
    parser.add_argument("output", metavar="OUTPUT_DIR", type=Path, help="the folder to make; if it exists, empty")
    parser.add_argument(
        "--raw-byte-order",
        choices=("auto", "big", "little"),
        default="auto",
        help="byte order of headerless .raw files (default: told from the samples, and printed)",
    )
    arguments = parser.parse_args()
    return run("prepare_an4", lambda: prepare(arguments.download, arguments.output, arguments.raw_byte_order))


if __name__ == "__main__":
    sys.exit(main())
