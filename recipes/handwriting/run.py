"""Handwriting from beginning to end: check the data, train, evaluate, show what was read where.

    python recipes/handwriting/run.py starter
    python recipes/handwriting/run.py peraire data.root=data/peraire training.epochs=10

DATASET names a recipe beside this file (README.md says where each data set comes from). This script is also the
tutorial of the Python API: every line of it is public.
"""

import sys
from itertools import islice
from pathlib import Path

import seqpipe
from seqpipe.evaluation.scores.table import render


def main(dataset: str, overrides: list[str]) -> None:
    """Run the recipe ``dataset`` with ``key.path=value`` overrides."""
    recipe = seqpipe.load_recipe(Path(__file__).with_name(f"{dataset}.yaml"), overrides)
    out = Path("runs") / dataset

    for part, findings in seqpipe.check(recipe).items():
        print(findings.report(part))
        findings.enforce(recipe.data.max_bad_share)

    metrics = seqpipe.train(recipe, out, resume=True)
    print(f"trained {metrics['parameters'] / 1e6:.1f} M parameters in {metrics['seconds'] / 60:.1f} minutes")

    predictor = seqpipe.load(out)
    evaluation = seqpipe.evaluate(predictor)
    report = render(evaluation)
    (out / "evaluation.txt").write_text(report + "\n", encoding="utf-8")
    print(report)

    print("\nsome of the rows:")
    for row, answer in islice(zip(evaluation.rows, predictor.predict(evaluation.rows), strict=True), 5):
        place = row.columns[recipe.data.input]  # the path of an image; strokes have none
        print(f"  {place if isinstance(place, str) else row.id} (confidence {answer.confidence:.2f})")
        print(f"    written: {row.target}")
        print(f"    read:    {answer.text if isinstance(answer, seqpipe.Transcript) else answer.label}")
        if isinstance(answer, seqpipe.Transcript):  # and from where on: columns of pixels, or points of the pen
            print("    " + " ".join(f"{word.text}@{word.start:.0f}" for word in answer.words))
    print(f"\nwhy it errs where it does: {out}/report.html")
    print(f"the run lies in {out}; try: seqpipe infer {out} your_line.png --output answers.jsonl")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        names = "starter, peraire, testaments, unipen_words, unipen_chars"
        sys.exit(f"usage: python {sys.argv[0]} DATASET [key.path=value ...]; DATASET: {names}")
    try:
        main(sys.argv[1], sys.argv[2:])
    except seqpipe.SeqpipeError as error:
        sys.exit(f"error: {error}")
