"""A language model from beginning to end: check the texts, train, evaluate, go on with a text, answer a message.

    python recipes/language/run.py starter
    python recipes/language/run.py tiny_shakespeare data.root=data/tiny_shakespeare

DATASET names a recipe beside this file (README.md says where each data set comes from). This script is also the
tutorial of the Python API: every line of it is public.
"""

import sys
from pathlib import Path

import seqpipe
from seqpipe.evaluation.scores.table import render
from seqpipe.generation.run_model import load_text_model

PROMPTS = {
    "starter": "Shall we meet at ",
    "tiny_shakespeare": "ROMEO:\n",
    "an4_text": "",
    "peraire_text": "La ",
}


def main(dataset: str, overrides: list[str]) -> None:
    """Run the recipe ``dataset`` with ``key.path=value`` overrides."""
    recipe = seqpipe.load_recipe(Path(__file__).with_name(f"{dataset}.yaml"), overrides)
    out = Path("runs") / dataset

    for part, findings in seqpipe.check(recipe).items():
        print(findings.report(part))
        findings.enforce(recipe.data.max_bad_share)

    metrics = seqpipe.train(recipe, out, resume=True)
    print(f"trained {metrics['parameters'] / 1e6:.1f} M parameters in {metrics['seconds'] / 60:.1f} minutes")

    report = render(seqpipe.evaluate(out))
    (out / "evaluation.txt").write_text(report + "\n", encoding="utf-8")
    print(report)

    model, prompt = load_text_model(out), PROMPTS[dataset]
    print(f"\nhow it goes on with {prompt!r}:")
    for piece in seqpipe.stream_text(model, prompt, temperature=0.8, max_units=300):
        print(piece, end="", flush=True)
    print("\n\nand in other ways:")
    for found in seqpipe.generate(model, prompt, n=3, temperature=0.8, seed=2, stop="sentence", max_units=80):
        print(f"  {prompt}{found.text}".replace("\n", " / "))

    if dataset == "starter":
        message = "Shall we meet at noon on Friday?"
        print(f"\nwhat may be answered to {message!r}:")
        for reply in seqpipe.best_replies(model, message, ["Yes, noon is fine.", "You're welcome!", "Get well soon!"]):
            print(f"  {reply.probability:.3f} of the list: {reply.text}")
        for reply in seqpipe.written_replies(model, message):
            print(f"  {reply.probability:.3f} of all: {reply.text}")
    print(f"\nthe run lies in {out}; try: seqpipe generate {out} --n 3 --temperature 0.8")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PROMPTS:
        sys.exit(f"usage: python {sys.argv[0]} DATASET [key.path=value ...]; DATASET: {', '.join(PROMPTS)}")
    try:
        main(sys.argv[1], sys.argv[2:])
    except seqpipe.SeqpipeError as error:
        sys.exit(f"error: {error}")
