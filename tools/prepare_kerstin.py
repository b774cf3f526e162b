"""Turn the public download of the voice of Kerstin into FLAC files of 16 kHz and one TSV a split.

The splits go by the sentence, so that one that was read twice is in one split alone.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from preparing import PreparationError, Recording, finished_folder, main, name_some, read_lines, write_splits
from scipy.signal import resample_poly

RECORDED_RATE, SAMPLE_RATE = 48_000, 16_000  # hertz
COLUMNS = ("path", "utt_id", "samples", "text")
SHARES = 20  # sentences are dealt out to so many by their hash
SPLITS = {0: "test", 1: "test", 2: "dev"}  # of these shares; the others are train
COMMIT = "f73127135cf80d6ef52aef6af58c49774f4fd625"

DESCRIPTION = f"""\
Turn the public download of the voice of Kerstin into FLAC files of 16 kHz and {{train,dev,test}}.tsv.

source   https://github.com/rhasspy/dataset-voice-kerstin (verified/*.flac, metadata.csv)
licence  CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0)
splits   by the SHA-1 of the sentence with single spaces, modulo {SHARES}: 0 and 1 are test, 2 is dev, the rest is train
output   OUTPUT_DIR/{{split}}/{{utt_id}}.flac (16 bits, resampled from 48 kHz by a polyphase filter),
         OUTPUT_DIR/{{split}}.tsv ({", ".join(COLUMNS)})
"""

EXAMPLE = f"""\
example:
  git clone https://github.com/rhasspy/dataset-voice-kerstin downloads/kerstin
  git -C downloads/kerstin checkout {COMMIT}
  python tools/prepare_kerstin.py downloads/kerstin data/kerstin_de
"""


def split_of(text: str) -> str:
    """The split of a sentence, whatever its white space."""
    digest = hashlib.sha1(" ".join(text.split()).encode(), usedforsecurity=False).hexdigest()
    return SPLITS.get(int(digest, 16) % SHARES, "train")


def read_resampled(source: Path) -> NDArray[np.int16]:
    """Read a recording of 48 kHz, and give its samples ``[S]`` at 16 kHz.

    Raises:
        PreparationError: libsndfile can't read it, or it is not mono of 48 kHz.
    """
    try:
        samples, rate = soundfile.read(source, dtype="float64", always_2d=True)
    except soundfile.SoundFileError as error:
        raise PreparationError(f"{source}: not readable as audio ({error})") from error
    if rate != RECORDED_RATE or samples.shape[1] != 1:
        raise PreparationError(
            f"{source}: {rate} Hz, {samples.shape[1]} channel(s), where {RECORDED_RATE} Hz, 1 channel is published"
        )
    resampled = resample_poly(samples[:, 0], 1, RECORDED_RATE // SAMPLE_RATE)
    return np.clip(np.round(resampled * 32768), -32768, 32767).astype(np.int16)


def prepare(download: Path, output: Path) -> None:
    """Check that ``download`` holds a recording of each sentence, write ``output``; see DESCRIPTION."""
    splits: dict[str, list[Recording]] = {"train": [], "dev": [], "test": []}
    metadata, missing, seen = download / "metadata.csv", [], set()
    for number, line in enumerate(read_lines(metadata), start=1):
        utt_id, bar, text = line.partition("|")
        text = " ".join(text.split())
        if not (utt_id and bar and text):
            raise PreparationError(f"{metadata}, line {number}: {line[:60]!r} is not ID|SENTENCE; download it again")
        if utt_id in seen:
            raise PreparationError(f"{metadata}, line {number}: {utt_id} stands there twice; download it again")
        seen.add(utt_id)
        source = download / "verified" / f"{utt_id}.flac"
        if not source.is_file():
            missing.append(source.name)
        split = split_of(text)
        splits[split].append(Recording(source, f"{split}/{utt_id}.flac", {"utt_id": utt_id, "text": text}))
    if missing:
        raise PreparationError(
            f"{download / 'verified'}: {len(missing)} of {len(seen)} recordings are missing: {name_some(missing)}; "
            f"check out commit {COMMIT}"
        )
    with finished_folder(output) as folder:
        write_splits(folder, COLUMNS, splits, SAMPLE_RATE, read_resampled)
    print(f"written to {output}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main("prepare_kerstin", prepare, DESCRIPTION, EXAMPLE, download="the checkout, which holds verified/"))
