"""Turn a public copy of the Cornell movie-review snippets into one TSV a split, none of which SST's test leaks into.

The Stanford Sentiment Treebank (SST) is made of the same sentences, so its splits rule: whoever trains on one of the
two and tests on the other must not have seen the sentence. Where SST has no say, a hash of the snippet decides.
"""

import argparse
import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from preparing import PreparationError, finished_folder, read_lines, run, write_lines

SNIPPETS = 5_331  # of each label
PUBLISHED_ROWS = {"train": 7_542, "dev": 1_066, "test": 2_050}
SST_SENTENCES = {"train": 8_541, "dev": 1_101, "test": 2_210}
LEAST_CONTAINED = 20  # letters: of a shorter sentence, to be contained says nothing
SAME_ENDS = 30  # letters
COMMIT = "18762b459e21d9c70e5c242f8d43fc4e6db37a0d"

DESCRIPTION = f"""\
Turn a public copy of the Cornell movie-review snippets (MR, rt-polarity 1.0) into one TSV a split.

source   https://github.com/dennybritz/cnn-text-classification-tf (data/rt-polaritydata/)
licence  Creative Commons Attribution 4.0 (so listed by nltk_data, packages/corpora/sentence_polarity.xml)
splits   a snippet goes to the split of the SST sentence that it equals, else to test or dev if it contains
         a sentence of theirs of {LEAST_CONTAINED} letters or more; else sha1 of its letters, mod 10, decides: 0 test,
         1 dev, others train. One that SST doesn't have in train or dev, and that begins or ends with the
         same {SAME_ENDS} letters as an SST test sentence, moves to test; one of test that equals an SST train or
         dev sentence is dropped. Letters: NFKD, in lower case, a to z and 0 to 9 alone
output   OUTPUT_DIR/{{train,dev,test}}.tsv: label (1 positive, 0 negative), text; positive snippets first, in
         their order
"""

EXAMPLE = f"""\
example:
  git clone https://github.com/dennybritz/cnn-text-classification-tf downloads/mr
  git -C downloads/mr checkout {COMMIT}
  python tools/prepare_mr.py downloads/mr data/sst data/mr       (data/sst: from prepare_sst.py)
"""


def letters(text: str) -> str:
    """What is compared and hashed of a text: MR and SST divide it into words in different ways.

    Example:
        >>> letters("It 's Séance-like , 100 % !")
        'itsseancelike100'
    """
    return re.sub("[^a-z0-9]", "", unicodedata.normalize("NFKD", text).lower())


class Splitter:
    """Says where a snippet goes; see DESCRIPTION.

    Args:
        sentences: of each split of SST.
    """

    def __init__(self, sentences: Mapping[str, Iterable[str]]) -> None:
        self.sst = {split: {letters(text) for text in sentences[split]} for split in ("test", "dev", "train")}
        self.long = {split: [text for text in self.sst[split] if len(text) >= LEAST_CONTAINED] for split in self.sst}
        ends = [text for text in self.sst["test"] if len(text) >= SAME_ENDS]
        self.starts, self.ends = {text[:SAME_ENDS] for text in ends}, {text[-SAME_ENDS:] for text in ends}

    def split(self, snippet: str) -> str | None:
        """``train``, ``dev``, ``test``, or None where it is dropped."""
        key = letters(snippet)
        split = self._counterpart(key)
        if split is None:
            digest = int(hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest(), 16)
            split = {0: "test", 1: "dev"}.get(digest % 10, "train")
        if split != "test" and key not in self.sst[split]:
            same_ends = key[:SAME_ENDS] in self.starts or key[-SAME_ENDS:] in self.ends
            split = "test" if same_ends else split
        return None if split == "test" and (key in self.sst["train"] or key in self.sst["dev"]) else split

    def _counterpart(self, key: str) -> str | None:
        for split, known in self.sst.items():
            if key in known:
                return split
        return next((split for split in ("test", "dev") if any(text in key for text in self.long[split])), None)


def read_snippets(download: Path) -> list[tuple[str, str]]:
    """Label and text of all snippets, in the order of the files.

    Raises:
        PreparationError: a file is missing, is no UTF-8, or holds another number of snippets.
    """
    rows = []
    for label, ending in (("1", "pos"), ("0", "neg")):
        path = download / "data" / "rt-polaritydata" / f"rt-polarity.{ending}"
        snippets = read_lines(path)
        if len(snippets) != SNIPPETS:
            raise PreparationError(
                f"{path}: holds {len(snippets)} snippets, where there should be {SNIPPETS}; check out commit {COMMIT}"
            )
        if odd := [number for number, snippet in enumerate(snippets, 1) if "\t" in snippet]:
            raise PreparationError(f"{path}: a tab stands in snippet {odd[0]}; check out commit {COMMIT}")
        rows += [(label, re.sub(" +", " ", snippet)) for snippet in snippets]
    return rows


def read_sst(folder: Path) -> dict[str, list[str]]:
    """The sentences of each split of SST, as ``prepare_sst.py`` wrote them.

    Raises:
        PreparationError: a table is missing, or isn't that of all sentences.
    """
    sentences = {}
    for split, count in SST_SENTENCES.items():
        path = folder / f"{split}.fine.tsv"
        if not path.is_file():
            raise PreparationError(f"{path}: no such file; give the folder that tools/prepare_sst.py wrote")
        header, *rows = read_lines(path)
        if header != "label\ttext" or len(rows) != count:
            raise PreparationError(
                f"{path}: should have the columns label, text and {count} rows; found {header!r} and {len(rows)}; "
                "write it again with tools/prepare_sst.py"
            )
        sentences[split] = [row.partition("\t")[2] for row in rows]
    return sentences


def prepare(download: Path, sst: Path, output: Path) -> None:
    """Check that ``download`` and ``sst`` are whole, write ``output``; see DESCRIPTION."""
    snippets, splitter = read_snippets(download), Splitter(read_sst(sst))
    splits: dict[str, list[str]] = {split: [] for split in PUBLISHED_ROWS}
    for label, text in snippets:
        if (split := splitter.split(text)) is not None:
            splits[split].append(f"{label}\t{text}")
    with finished_folder(output) as folder:
        for split, rows in splits.items():
            write_lines(folder / f"{split}.tsv", ["label\ttext", *rows])
            print(f"{split}: {len(rows)} snippets", file=sys.stderr)
    print(f"written to {output}", file=sys.stderr)
    found = {split: len(rows) for split, rows in splits.items()}
    if found != PUBLISHED_ROWS:
        print(f"note: the splits that figures were published for have {PUBLISHED_ROWS} rows", file=sys.stderr)


def main() -> int:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("download", metavar="DOWNLOAD_DIR", type=Path, help="the checkout, which holds data/")
    parser.add_argument("sst", metavar="SST_DIR", type=Path, help="the folder that prepare_sst.py wrote")
    parser.add_argument("output", metavar="OUTPUT_DIR", type=Path, help="the folder to make; if it exists, empty")
    arguments = parser.parse_args()
    return run("prepare_mr", lambda: prepare(arguments.download, arguments.sst, arguments.output))


if __name__ == "__main__":
    sys.exit(main())
