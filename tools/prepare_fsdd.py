"""Turn the public download of the Free Spoken Digit Dataset into FLAC files and one TSV a split.

The splits are fixed by speaker and index, so a download with other speakers or indices (the data set is open and may
grow) is refused rather than cut in a way that no published figure belongs to.
"""

import sys
from pathlib import Path

from preparing import PreparationError, Recording, finished_folder, main, name_some, read_pcm16, write_splits

SAMPLE_RATE = 8_000  # hertz
COLUMNS = ("path", "digit", "text", "speaker", "index", "samples")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "yweweler")
HELD_OUT_SPEAKER = "theo"
INDICES = {"train": range(10, 50), "dev": range(5, 10), "test": range(0, 5)}  # of each digit of each of SPEAKERS
COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"

DESCRIPTION = f"""\
Turn the public download of the Free Spoken Digit Dataset (FSDD) into FLAC files and one TSV a split.

source   https://github.com/Jakobovski/free-spoken-digit-dataset
licence  Creative Commons Attribution-ShareAlike 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)
splits   of {", ".join(SPEAKERS)}:
         train: recordings 10-49 of each digit; dev: 5-9; test: 0-4 (the official test rule)
         test_speaker: all of {HELD_OUT_SPEAKER}, who is in no other split
output   OUTPUT_DIR/{{split}}/{{digit}}_{{speaker}}_{{index}}.flac (16 bits, the same samples),
         OUTPUT_DIR/{{split}}.tsv ({", ".join(COLUMNS)})
"""

EXAMPLE = f"""\
example:
  git clone https://github.com/Jakobovski/free-spoken-digit-dataset downloads/fsdd
  git -C downloads/fsdd checkout {COMMIT}
  python tools/prepare_fsdd.py downloads/fsdd data/fsdd
"""


def plan(recordings: Path) -> dict[str, list[Recording]]:
    """Name every recording that the splits need, by split, whether or not it is there."""
    parts = {split: [(speaker, index) for speaker in SPEAKERS for index in INDICES[split]] for split in INDICES}
    parts["test_speaker"] = [(HELD_OUT_SPEAKER, index) for index in range(50)]
    return {
        split: [
            Recording(
                source=recordings / f"{digit}_{speaker}_{index}.wav",
                path=f"{split}/{digit}_{speaker}_{index}.flac",
                fields={"digit": str(digit), "text": word, "speaker": speaker, "index": str(index)},
            )
            for digit, word in enumerate(WORDS)
            for speaker, index in pairs
        ]
        for split, pairs in parts.items()
    }


def prepare(download: Path, output: Path) -> None:
    """Check that ``download`` holds exactly the recordings of the splits, write ``output``; see DESCRIPTION."""
    recordings = download / "recordings"
    if not recordings.is_dir():
        raise PreparationError(f"{recordings}: no such folder; give the checkout of the repository, which holds it")
    splits = plan(recordings)
    expected = {recording.source.name for part in splits.values() for recording in part}
    present = {path.name for path in recordings.glob("*.wav")}
    faults = []
    if missing := sorted(expected - present):
        faults.append(f"{len(missing)} of {len(expected)} missing: {name_some(missing)}")
    if unknown := sorted(present - expected):
        faults.append(f"{len(unknown)} that belong to no split: {name_some(unknown)}")
    if faults:
        raise PreparationError(
            f"{recordings}: not the recordings that the splits are made of; check out commit {COMMIT}:\n  "
            + "\n  ".join(faults)
        )
    with finished_folder(output) as folder:
        write_splits(folder, COLUMNS, splits, SAMPLE_RATE, lambda source: read_pcm16(source, SAMPLE_RATE))
    print(f"written to {output}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main("prepare_fsdd", prepare, DESCRIPTION, EXAMPLE, download="the checkout, which holds recordings/"))
