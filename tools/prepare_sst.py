"""Turn a public mirror of the Stanford Sentiment Treebank into trees and tables of sentences, a set of them a split."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from preparing import PreparationError, finished_folder, main, name_some, read_lines, write_lines

from seqpipe.data.formats.sentiment_trees import parse_tree
from seqpipe.errors import InputError

MIRRORED = {"train": 9_645, "dev": 1_101, "test": 2_210}  # trees; those of train are train and dev
OFFICIAL_TRAIN = 8_544
DROPPED = 3
COMMIT = "12bb731ba9fbdcdf2368b8515a241773f2b97547"

DESCRIPTION = f"""\
Turn a public mirror of the Stanford Sentiment Treebank (SST) into trees and tables of sentences.

source   https://github.com/munikarmanish/RNTN (trees/)
licence  none is stated by its authors (Socher et al. 2013: free download for research)
splits   the official ones. The mirror's train.txt holds train and dev, so the trees of dev are taken out again
         ({OFFICIAL_TRAIN} are left), and then the {DROPPED} that are, but for capitals, sentences of test
output   OUTPUT_DIR/{{train,dev,test}}.trees.txt: a bracketed tree a line, every node with its label
         (recipes read them as trees:train.trees.txt@fine or @binary);
         OUTPUT_DIR/{{split}}.fine.tsv: label (0 very negative to 4 very positive), text of each sentence;
         OUTPUT_DIR/{{split}}.binary.tsv: the same with 0 and 1, neutral sentences left out.
         In the tables brackets are written as brackets
"""

EXAMPLE = f"""\
example:
  git clone https://github.com/munikarmanish/RNTN downloads/sst
  git -C downloads/sst checkout {COMMIT}
  python tools/prepare_sst.py downloads/sst data/sst
"""


Tree = tuple[str, str, str]
"""Its line, and label and text of the sentence."""


def read_trees(path: Path, count: int) -> list[Tree]:
    """Line, label and text of each tree of a file that should hold so many.

    Raises:
        PreparationError: the file is missing, another number of trees is in it, or a line is none.
    """
    trees = []
    faults = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            label, text = parse_tree(line)[0]
        except InputError as error:
            faults.append(f"tree {number} {error}")
        else:
            trees.append((line, label, text))
    if faults:
        raise PreparationError(f"{path}: {len(faults)} trees can't be read; download it again: {name_some(faults)}")
    if len(trees) != count:
        raise PreparationError(f"{path}: holds {len(trees)} trees, where there should be {count}; {_checkout()}")
    return trees


def _checkout() -> str:
    return f"check out commit {COMMIT}"


def without(
    trees: Sequence[tuple[str, str, str]], others: Sequence[tuple[str, str, str]]
) -> list[tuple[str, str, str]]:
    """The trees but for the others, each of which is taken out once: the last of equal ones."""
    left = Counter(line for line, _, _ in others)
    kept = []
    for tree in reversed(trees):
        if left[tree[0]]:
            left[tree[0]] -= 1
        else:
            kept.append(tree)
    return kept[::-1]


def prepare(download: Path, output: Path) -> None:
    """Check that ``download`` holds the trees of the mirror, write ``output``; see DESCRIPTION."""
    splits = {split: read_trees(download / "trees" / f"{split}.txt", count) for split, count in MIRRORED.items()}
    splits["train"] = without(splits["train"], splits["dev"])
    if len(splits["train"]) != OFFICIAL_TRAIN:
        raise PreparationError(
            f"{download}/trees/train.txt: {len(splits['train'])} trees are left without those of dev.txt, where there "
            f"should be {OFFICIAL_TRAIN}: it doesn't hold all of them; {_checkout()}"
        )
    tested = {text.lower() for _, _, text in splits["test"]}
    kept = [tree for tree in splits["train"] if tree[2].lower() not in tested]
    if (dropped := len(splits["train"]) - len(kept)) != DROPPED:
        raise PreparationError(
            f"{download}/trees: {dropped} training sentences are also in test.txt, where {DROPPED} should be; "
            f"{_checkout()}"
        )
    splits["train"] = kept
    with finished_folder(output) as folder:
        for split, trees in splits.items():
            fine = [(label, text) for _, label, text in trees]
            binary = [(str(int(label > "2")), text) for label, text in fine if label != "2"]
            write_lines(folder / f"{split}.trees.txt", (line for line, _, _ in trees))
            for name, rows in (("fine", fine), ("binary", binary)):
                write_lines(folder / f"{split}.{name}.tsv", ["label\ttext", *("\t".join(row) for row in rows)])
            print(f"{split}: {len(fine)} sentences, {len(binary)} of them not neutral", file=sys.stderr)
    print(f"written to {output}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main("prepare_sst", prepare, DESCRIPTION, EXAMPLE, download="the checkout, which holds trees/"))
