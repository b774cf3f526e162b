"""Cut the public "tiny Shakespeare" into the parts that figures are published for."""

import sys
from pathlib import Path

from preparing import PreparationError, finished_folder, main

COMMIT = "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"
PARTS = {"train": 1_003_854, "dev": 55_770, "test": 55_770}
CHARACTERS = sum(PARTS.values())

DESCRIPTION = """\
Cut tiny Shakespeare into train, dev and test, each one file of running text.

source   https://github.com/karpathy/char-rnn (data/tinyshakespeare/input.txt)
licence  the texts are in the public domain, the repository's licence is MIT
parts    the first 90 % of the characters are train, the next 5 % dev, the last 5 % test
output   OUTPUT_DIR/{train,dev,test}.txt
"""

EXAMPLE = f"""\
example:
  git clone https://github.com/karpathy/char-rnn downloads/char-rnn
  git -C downloads/char-rnn checkout {COMMIT}
  python tools/prepare_shakespeare.py downloads/char-rnn data/tiny_shakespeare
"""


def prepare(download: Path, output: Path) -> None:
    """Check that ``download`` is whole, write ``output``; see DESCRIPTION."""
    source = download / "data" / "tinyshakespeare" / "input.txt"
    if not source.is_file():
        raise PreparationError(f"{source}: there is no such file; give the checkout of char-rnn")
    text = source.read_bytes().decode("ascii", errors="replace")
    if len(text) != CHARACTERS or "\ufffd" in text:
        raise PreparationError(
            f"{source}: has {len(text):,} characters; {CHARACTERS:,} of ASCII are expected: check out {COMMIT}"
        )
    begin = 0
    with finished_folder(output) as folder:
        for part, count in PARTS.items():
            (folder / f"{part}.txt").write_bytes(text[begin : begin + count].encode())
            print(f"{part}: {count:,} characters", file=sys.stderr)
            begin += count
    print(f"written to {output}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main("prepare_shakespeare", prepare, DESCRIPTION, EXAMPLE, download="the checkout, which holds data/"))
