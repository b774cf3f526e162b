"""Turn a checkout of the Peraire ground truth into one PNG a line, cut out of its page, and one TSV a split."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from preparing import PreparationError, finished_folder, main, name_some, write_lines

from seqpipe.data.pages.line import PageLine
from seqpipe.data.pages.names import PAGE_SUFFIXES
from seqpipe.data.pages.rows import page_rows
from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.features.image.page_line import crop

HEIGHT = 64  # pixels
LEVELS = 16  # of grey
DARKEST = 0.5  # per cent of a line's pixels that become black
EVERY = 10  # training pages from one dev page to the next
COLUMNS = ("path", "page", "width", "text")
PUBLISHED_ROWS = {"train": 2_051, "dev": 220, "test": 262}
COMMIT = "61b321ed05fc1d40e6c6e4351fd2162fd5bff478"

DESCRIPTION = f"""\
Turn a checkout of the Peraire ground truth (travel notes in French, one hand) into one PNG a line and one TSV a split.

source   https://github.com/alix-tz/peraire-ground-truth (data/train and data/test: images and ALTO 4.2)
licence  Creative Commons Attribution 4.0 (https://creativecommons.org/licenses/by/4.0/);
         holder: Bibliotheque Sebert, Esperanto-France, Paris; cite Chague and Perez 2023, doi 10.5281/zenodo.7185907
splits   pages as in the repository; dev: every {EVERY}th of the training pages in the order of their names, from
         the first on. Lines without transcription are left out
output   OUTPUT_DIR/{{split}}/{{page}}_{{number}}.png ({HEIGHT} pixels high, {LEVELS} levels of grey, paper 255),
         OUTPUT_DIR/{{split}}.tsv ({", ".join(COLUMNS)}; text in NFC)
"""

EXAMPLE = f"""\
example:
  git clone https://github.com/alix-tz/peraire-ground-truth downloads/peraire
  git -C downloads/peraire checkout {COMMIT}
  python tools/prepare_peraire.py downloads/peraire data/peraire
"""


def find_pages(download: Path, part: str) -> list[Path]:
    """Documents of a part of the repository, in the order of their names.

    Raises:
        PreparationError: there are none.
    """
    folder = download / "data" / part
    pages = sorted(path for path in folder.glob("*") if path.suffix in PAGE_SUFFIXES)
    if not pages:
        raise PreparationError(f"{folder}: holds no page (.xml); give the checkout of the repository")
    return pages


def plan(download: Path) -> dict[str, list[Path]]:
    """The pages of each split."""
    pages = find_pages(download, "train")
    return {
        "train": [page for number, page in enumerate(pages) if number % EVERY],
        "dev": pages[::EVERY],
        "test": find_pages(download, "test"),
    }


def scaled(cut: NDArray[np.uint8]) -> Image.Image:
    """A line at its height, from black ink to white paper, in few levels of grey.

    Args:
        cut: as it stands on the page, ``[height, width]``.
    """
    height, width = cut.shape
    image = Image.fromarray(cut).resize(
        (max(1, round(width * HEIGHT / height)), HEIGHT), Image.Resampling.LANCZOS, reducing_gap=3.0
    )
    values = np.asarray(image, dtype=np.float32)
    black, white = np.percentile(values, DARKEST), np.median(values)  # of a line most is paper
    stretched = np.clip((values - black) / max(1.0, float(white - black)), 0, 1)
    step = 255 // (LEVELS - 1)
    return Image.fromarray((np.rint(stretched * (LEVELS - 1)) * step).astype(np.uint8))


def write_split(folder: Path, split: str, pages: list[Path]) -> int:
    """Write the lines of pages and their table; the number of lines.

    Raises:
        PreparationError: lines that can't be used, all counted and the first few named.
    """
    (folder / split).mkdir()
    table = ["\t".join(COLUMNS)]
    unusable: list[str] = []
    numbers: dict[str, int] = {}
    for row in page_rows(pages, needs_target=True):
        name = Path(row.source).stem
        number = numbers[name] = numbers.get(name, -1) + 1
        path = f"{split}/{name}_{number:03d}.png"
        try:
            image = scaled(crop(_line(row)))
        except InputError as error:
            unusable.append(str(error))
            continue
        image.save(folder / path)
        table.append("\t".join((path, name, str(image.width), " ".join(row.target.split()))))
    if unusable:
        raise PreparationError(f"{len(unusable)} line(s) can't be used: {name_some(unusable)}")
    write_lines(folder / f"{split}.tsv", table)
    return len(table) - 1


def _line(row: Row) -> PageLine:
    if row.problem is not None:
        raise row.problem
    line: PageLine = row.input
    return line


def prepare(download: Path, output: Path) -> None:
    """Check that ``download`` holds pages, write ``output``; see DESCRIPTION."""
    splits = plan(download)
    found = {}
    with finished_folder(output) as folder:
        for split, pages in splits.items():
            found[split] = write_split(folder, split, pages)
            print(f"{split}: {found[split]} lines of {len(pages)} pages", file=sys.stderr)
    print(f"written to {output}", file=sys.stderr)
    if found != PUBLISHED_ROWS:
        print(
            f"note: the splits that figures were published for have {PUBLISHED_ROWS} rows; check out commit {COMMIT}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    sys.exit(main("prepare_peraire", prepare, DESCRIPTION, EXAMPLE, download="the checkout, which holds data/"))
