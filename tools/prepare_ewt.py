"""Turn the public download of UD English EWT into one column file a split: word, universal and Penn part of speech."""

import shutil
import sys
from pathlib import Path

from preparing import PreparationError, finished_folder, main, write_lines

from seqpipe.config.recipe import DataConfig
from seqpipe.data.formats.column_file import CONLLU, read_column_file
from seqpipe.errors import InputError

COLUMNS = ("form", "upos", "xpos")
PUBLISHED = {"train": (12_544, 204_577), "dev": (2_001, 25_147), "test": (2_077, 25_094)}  # sentences, words
COMMIT = "15d613d8447b3478787d4c278730a1e48a945efb"

DESCRIPTION = f"""\
Turn the public download of Universal Dependencies English EWT into one column file a split.

source   https://github.com/UniversalDependencies/UD_English-EWT
licence  Creative Commons Attribution-ShareAlike 4.0 (https://creativecommons.org/licenses/by-sa/4.0/);
         the notice is copied to OUTPUT_DIR/LICENSE.txt
splits   the official ones: {", ".join(f"{split} {count[0]} sentences" for split, count in PUBLISHED.items())}
output   OUTPUT_DIR/{{train,dev,test}}.tsv: a word a line, an empty line between sentences; columns without
         header: {", ".join(COLUMNS)}. Words are the syntactic ones: lines of multi-word tokens ("can't" beside
         "ca" and "n't") and empty nodes are left out
"""

EXAMPLE = f"""\
example:
  git clone https://github.com/UniversalDependencies/UD_English-EWT downloads/ewt
  git -C downloads/ewt checkout {COMMIT}
  python tools/prepare_ewt.py downloads/ewt data/ewt
"""


def read_split(path: Path) -> tuple[list[str], int, int]:
    """Lines of a split's column file, and how many sentences and words they hold.

    Raises:
        PreparationError: the file is missing, or a sentence is damaged.
    """
    if not path.is_file():
        raise PreparationError(f"{path}: no such file; give the checkout of the repository, which holds it")
    lines: list[str] = []
    sentences = words = 0
    config = DataConfig(format="columns", columns=list(CONLLU), input="form", target="upos")
    for _, columns, _ in read_column_file(path, config, needs_target=True):
        if isinstance(columns, InputError):
            raise PreparationError(f"{columns}; download it again")
        tokens = list(zip(*(columns[name] for name in COLUMNS), strict=True))
        lines += [*([""] if lines else ()), *("\t".join(token) for token in tokens)]
        sentences += 1
        words += len(tokens)
    return lines, sentences, words


def prepare(download: Path, output: Path) -> None:
    """Check that ``download`` holds the published splits, write ``output``; see DESCRIPTION."""
    licence = download / "LICENSE.txt"
    if not licence.is_file():
        raise PreparationError(f"{licence}: no such file; give the checkout of the repository, which holds it")
    with finished_folder(output) as folder:
        for split, published in PUBLISHED.items():
            path = download / f"en_ewt-ud-{split}.conllu"
            lines, *found = read_split(path)
            if tuple(found) != published:
                raise PreparationError(
                    f"{path}: holds {found[0]} sentences of {found[1]} words, where {published[0]} of {published[1]} "
                    f"are published; check out commit {COMMIT}"
                )
            write_lines(folder / f"{split}.tsv", lines)
            print(f"{split}: {found[0]} sentences, {found[1]} words", file=sys.stderr)
        shutil.copyfile(licence, folder / "LICENSE.txt")
    print(f"written to {output}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main("prepare_ewt", prepare, DESCRIPTION, EXAMPLE, download="the checkout, which holds the .conllu"))
