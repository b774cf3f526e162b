"""Translation from end to end, with the command as a user runs it: training, scores, report, answers, odd input."""

import html
import json
import math
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe import cli
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.inference.predictor import load

pytestmark = pytest.mark.slow

Command = Callable[..., subprocess.CompletedProcess[str]]

WORDS = {
    "one": "eins",
    "two": "zwei",
    "three": "drei",
    "dogs": "Hunde",
    "cats": "Katzen",
    "run": "laufen",
    "eat": "essen",
}
RECIPE = """
data: {root: ROOT, format: parallel, train: train, dev: dev, input: en, target: de}
pipeline:
  features:
    - {stage: Tokens, units: bpe, vocabulary_size: 60, shared: true, max_length: 30, bpe_dropout: 0.02}
    - {stage: Embedding, size: 24}
  encoder: {stage: RecurrentEncoder, hidden_size: 32, layers: 1}
  head: {stage: AttentionHead, units: shared, embedding_size: 24, hidden_size: 48, tied: all, label_smoothing: 0.05,
         bpe_dropout: 0.02}
training:
  {epochs: 24, batch_steps: 2000, batch_rows: 16, learning_rate: 0.02, workers: 0, threads: 1, device: cpu,
   evaluate_every: 12}
"""


def pair(draw: random.Random) -> tuple[str, str]:
    """A sentence, and its words in the other language from the last to the first."""
    words = draw.choices(list(WORDS), k=draw.randint(2, 5))
    return " ".join(words), " ".join(WORDS[word] for word in reversed(words))


def write(folder: Path, part: str, pairs: list[tuple[str, str]]) -> None:
    for ending, lines in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
        (folder / f"{part}.{ending}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translation")
    draw = random.Random(3)
    write(folder, "train", [pair(draw) for _ in range(500)])
    write(folder, "dev", [pair(draw) for _ in range(40)])
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.replace("ROOT", str(folder)))
    assert cli.main(["train", str(recipe), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def answers(out: Path, *arguments: str) -> list[dict[str, Any]]:
    """What `seqpipe infer` writes of a run and inputs."""
    cli.main(["infer", *arguments, "--output", str(out / "answers.jsonl"), "--overwrite", "--workers", "0", "--quiet"])
    return [json.loads(line) for line in (out / "answers.jsonl").read_text(encoding="utf-8").splitlines()]


def test_it_learns_and_its_scores_are_sacrebleu_s(run: Path) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    found = evaluate(run, device="cpu")
    assert found.scores["bleu"] > 60
    texts = [prediction.text for prediction in found.predictions]
    references = [row.target for row in found.rows]
    assert found.scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(texts, [references]).score)
    assert found.scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(texts, [references]).score)
    record = found.to_json()
    assert "tok:13a" in record["scoring"]
    metrics = json.loads((run / "metrics.json").read_text())["dev"]
    assert metrics["bleu"] == pytest.approx(found.scores["bleu"])
    for name in ("perplexity", "token_accuracy"):
        assert metrics[name] == pytest.approx(record[name], rel=1e-4)
    assert metrics["token_accuracy"] > 80


def test_perplexity_is_that_of_the_references_alone(run: Path) -> None:
    found = evaluate(run, device="cpu")
    head, pipeline = found.pipeline.head, found.pipeline
    assert found.teacher_forced is not None
    total, labels = 0.0, 0
    for row in found.rows:
        with torch.inference_mode():
            encoded = pipeline(PaddedSequence.pad([pipeline.features.prepare(row.input, None)]))
            target = head.encode_target(row.target)  # type: ignore[attr-defined]
            loss, count = head.loss(encoded, [target])  # type: ignore[attr-defined]
        total, labels = total + float(loss), labels + int(count)
    assert found.teacher_forced.labels == labels
    assert found.teacher_forced.missed == pytest.approx(total, rel=1e-4)


def test_the_report_shows_where_it_looked_and_the_best_rows(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    for heading in ("Attention", "The best rows", "The worst rows", "by length of the input"):
        assert heading in text, heading
    assert re.search(r"token accuracy is \d+\.\d %, and perplexity \d+\.\d\d a unit \(\d+ units, ends included", text)
    assert page.count('aria-label="Weights of attention') == 6
    # A map's weights stand in its titles, unit by unit.
    assert re.search(r"<title>[^<:]+: \d+ % on [^<]+</title>", page)


def test_a_batch_answers_as_each_row_by_itself(run: Path) -> None:
    predictor = load(run, device="cpu", decoding={"n_best": 3})
    texts = ["one", "two dogs eat", "three cats run two dogs eat one", "run run run"]
    together = list(predictor.predict(texts))
    for text, answer in zip(texts, together, strict=True):
        (alone,) = predictor.predict([text])
        assert answer.text == alone.text
        assert answer.score == pytest.approx(alone.score, abs=1e-4)
        assert [each.text for each in answer.alternatives] == [each.text for each in alone.alternatives]
        assert len(answer.alternatives) == 3


def test_an_option_that_the_search_would_not_look_at_is_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"decoding\.temperature is for method sample, not beam: set decoding"):
        load(run, device="cpu", decoding={"temperature": 0.5})
    with pytest.raises(ConfigError, match=r"decoding\.n_best is for method beam or sample, not greedy"):
        load(run, device="cpu", decoding={"method": "greedy", "n_best": 2})
    with pytest.raises(ConfigError, match=r"decoding\.ctc_weight needs a head with a CTC loss"):
        load(run, device="cpu", decoding={"ctc_weight": 0.3})
    assert cli.main(["evaluate", str(run), "decoding.top_k=5"]) == 2
    assert "decoding.top_k is for method sample" in capsys.readouterr().err
    load(run, device="cpu", decoding={"method": "sample", "top_k": 5, "n_best": 2, "max_length": 9})


def test_files_of_the_source_language_are_inputs_by_name_and_by_folder(run: Path, tmp_path: Path) -> None:
    (tmp_path / "some.en").write_text("two dogs\none cats\n", encoding="utf-8")
    (tmp_path / "some.de").write_text("nicht\nlesen\n", encoding="utf-8")
    named = answers(tmp_path, str(run), str(tmp_path / "some.en"))
    assert [item["text"] for item in named] == [item["text"] for item in answers(tmp_path, str(run), str(tmp_path))]
    assert len(named) == 2
    assert set(named[0]) >= {"id", "text", "confidence", "score"}


def test_odd_sources_have_a_clear_end(run: Path, tmp_path: Path) -> None:
    lines = ["two dogs", "", "  ", "日本 ☃ dogs", "dogs " * 40]
    (tmp_path / "odd.en").write_text("\n".join(lines) + "\n", encoding="utf-8")
    good, empty, blank, unseen, long = answers(tmp_path, str(run), str(tmp_path / "odd.en"))
    assert good["text"]
    assert "empty" in empty["error"]
    assert "empty" in blank["error"]
    assert isinstance(unseen["text"], str)
    (tmp_path / "good.en").write_text("two dogs\n", encoding="utf-8")
    assert good["text"] == answers(tmp_path, str(run), str(tmp_path / "good.en"))[0]["text"]
    assert "30 are allowed (max_length; overflow: truncate drops its end)" in long["message"]


def test_blank_lines_of_standard_input_keep_their_places(run: Path, seqpipe_command: Command) -> None:
    given = "two dogs\n\none cats\n"
    done = seqpipe_command("infer", run, "-", "--output", "-", "--workers", "0", "--quiet", input=given)
    assert ["error" in json.loads(line) for line in done.stdout.splitlines()] == [False, True, False], done.stderr


def test_a_long_source_is_cut_by_choice_and_the_answer_says_so(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = run.parent / "cut.yaml"
    recipe.write_text(
        (run.parent / "recipe.yaml").read_text().replace("max_length: 30", "max_length: 6, overflow: truncate")
    )
    assert cli.main(["train", str(recipe), "--out", str(tmp_path / "cut"), "--quiet", "training.epochs=1"]) == 0
    assert "6 are read" in capsys.readouterr().err
    (tmp_path / "long.en").write_text("dogs " * 20 + "\ndogs\n", encoding="utf-8")
    long, short = answers(tmp_path, str(tmp_path / "cut"), str(tmp_path / "long.en"))
    assert long["truncated"] > 0
    assert short["truncated"] == 0


def test_a_long_source_is_split_by_choice_and_its_parts_are_put_together(run: Path, tmp_path: Path) -> None:
    text = "two dogs run, three cats eat, one cats run"
    pieces = load(run, device="cpu").pipeline.features.reader.split(text, max_length=8)
    parts = [piece.raw for piece in pieces]
    assert len(parts) > 1
    (tmp_path / "long.en").write_text(f"{text}\n", encoding="utf-8")
    (tmp_path / "parts.en").write_text("".join(f"{part}\n" for part in parts), encoding="utf-8")
    several = ["--set", "decoding.n_best=3"]
    (whole,) = answers(tmp_path, str(run), str(tmp_path / "long.en"), "--segment-tokens", "8", *several)
    short = answers(tmp_path, str(run), str(tmp_path / "parts.en"), *several)
    assert whole["text"] == " ".join(answer["text"] for answer in short)
    assert whole["confidence"] == pytest.approx(math.prod(answer["confidence"] for answer in short), abs=1e-4)
    assert whole["alternatives"][0]["text"] == whole["text"]
    scores = [each["score"] for each in whole["alternatives"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    # The second best differs in one part, in that whose second best costs least.
    costs = [answer["alternatives"][0]["score"] - answer["alternatives"][1]["score"] for answer in short]
    assert scores[0] - scores[1] == pytest.approx(min(costs), abs=1e-3)


def test_a_beam_wider_than_the_vocabulary_still_answers(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("two dogs\n", encoding="utf-8")
    (wide,) = answers(
        tmp_path, str(run), str(tmp_path / "a.en"), "--set", "decoding.beam=200", "--set", "decoding.max_length=6"
    )
    (usual,) = answers(tmp_path, str(run), str(tmp_path / "a.en"))
    assert wide["score"] >= usual["score"] - 1e-4


def test_sides_of_different_length_end_training_with_the_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "train", [("a", "b")] * 3)
    (tmp_path / "train.de").write_text("b\nb\n")
    recipe = str(run.parent / "recipe.yaml")
    assert cli.main(["train", recipe, "--out", str(tmp_path / "run"), f"data.root={tmp_path}"]) != 0
    assert "train.de: ends after line 2" in capsys.readouterr().err
