"""Sentiment from beginning to end: check the data, train, evaluate, show what the model is most sure of.

    python recipes/sentiment/run.py starter
    python recipes/sentiment/run.py mr data.root=data/mr training.seed=2

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

    print("\nsome sentences of your own kind:")
    for text in ("An hour that I will never get back.", "I did not expect to like it, but I did!"):
        (answer,) = predictor.predict([text])
        print(f"  {text}  ->  {answer.label}  (probability {answer.confidence:.2f})")
    print(f"\nwhy it errs where it does: {out}/report.html")
    print(f"the run lies in {out}; try: seqpipe infer {out} sentences.txt --output answers.csv")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: python {sys.argv[0]} DATASET [key.path=value ...]; DATASET: starter, mr, sst2, sst5, uci")
    try:
        main(sys.argv[1], sys.argv[2:])
    except seqpipe.SeqpipeError as error:
        sys.exit(f"error: {error}")
