"""Tagging from beginning to end: check the data, train, evaluate, tag sentences with their places.

    python recipes/tagging/run.py wnut17 data.root=data/wnut17
    python recipes/tagging/run.py ewt_upos data.root=data/ewt training.epochs=4

DATASET names a recipe beside this file (README.md says where each data set comes from). This script is also the
tutorial of the Python API: every line of it is public.
"""

import sys
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

    print("\nraw text, with character offsets:")
    text = "Ada Lovelace moved to  London , says the museum 's web site ."
    (answer,) = predictor.predict([text])
    print("  " + " ".join(f"{word.text}/{word.tag}" for word in answer.words))
    for span in answer.spans:
        print(f"  {span.type}: {text[span.start : span.end]!r}, characters {span.start} to {span.end}")
    print(f"\nwhy it errs where it does: {out}/report.html")
    print(f"the run lies in {out}; try: seqpipe infer {out} sentences.txt --output answers.jsonl")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: python {sys.argv[0]} DATASET [key.path=value ...]; DATASET: ewt_upos, wnut17")
    try:
        main(sys.argv[1], sys.argv[2:])
    except seqpipe.SeqpipeError as error:
        sys.exit(f"error: {error}")
