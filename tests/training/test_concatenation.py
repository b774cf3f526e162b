"""Training on examples of several rows: which recipes can have them, and that what was stopped goes on as it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

from seqpipe import AttentionHead, CTCHead, TaggerHead
from seqpipe.config.recipe import load_recipe
from seqpipe.core.head import ConcatenatesTargets
from seqpipe.errors import ConfigError
from seqpipe.training.concatenation import targets_fit
from seqpipe.training.preparing import prepare_training
from seqpipe.training.train import train

TrainTones = Callable[..., dict[str, Any]]
TEXTS = ["on the light", "off", "turn it off", "light on light off", "the end of it"]
SOME = "training.concatenation={share: 0.6, most: 3}"


@pytest.mark.parametrize(
    "head",
    [
        CTCHead(input_size=4),
        CTCHead(input_size=4, units="bpe", vocabulary_size=30),
        CTCHead(input_size=4, units="unigram", vocabulary_size=18),
        AttentionHead(input_size=4, units="characters"),
        AttentionHead(input_size=4, units="words"),
        AttentionHead(input_size=4, units="bpe", vocabulary_size=30),
    ],
    ids=lambda head: f"{type(head).__name__} {head.kind}",
)
def test_texts_one_behind_the_other_are_spelt_as_the_text_of_both(head: Any) -> None:
    head.fit(TEXTS)
    assert isinstance(head, ConcatenatesTargets)
    one, other = (head.encode_target(text) for text in TEXTS[2:4])
    joined = torch.cat([one, head.target_separator(), other])
    assert joined.tolist() == head.encode_target(f"{TEXTS[2]} {TEXTS[3]}").tolist()


def test_tags_one_behind_the_other_are_those_of_the_words_of_both() -> None:
    head = TaggerHead(input_size=4, scheme="bioes", decoder="crf")
    tags = [["B-A", "I-A", "O"], ["O", "B-B"]]
    head.fit(tags)
    joined = torch.cat([head.encode_target(tags[0]), head.target_separator(), head.encode_target(tags[1])])
    assert joined.tolist() == head.encode_target([*tags[0], *tags[1]]).tolist()


class Heard(lightning.Callback):
    """Which rows were learnt together."""

    def __init__(self) -> None:
        self.epochs: dict[int, list[tuple[int, ...]]] = {}

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, batch: Any, index: int) -> None:
        own = self.epochs.setdefault(trainer.current_epoch, [])
        own += [batch.rows_of(place) for place in range(len(batch.rows))]


@pytest.mark.parametrize("further", [[], ["training.consistency=0.2", "training.mixup=0.3"]], ids=["alone", "views"])
def test_a_training_hears_each_row_once_and_resumes_with_the_same_bits(
    further: list[str],
    train_tones: TrainTones,
    train_stopped: TrainTones,
    same_weights: Callable[[Path, Path], bool],
    tmp_path: Path,
) -> None:
    heard = Heard()
    whole = train_tones(tmp_path / "whole", SOME, *further, callbacks=[heard])
    assert train_stopped(tmp_path / "stopped", SOME, *further)["dev"] == whole["dev"]
    assert same_weights(tmp_path / "whole", tmp_path / "stopped")
    assert len(heard.epochs) == 2
    for examples in heard.epochs.values():
        assert sorted(row for example in examples for row in example) == list(range(24))
        assert sum(len(example) for example in examples if len(example) > 1) >= 12
    assert heard.epochs[0] != heard.epochs[1]


def test_a_student_learns_from_a_teacher_of_single_rows(
    trained_run: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    found = train_tones(tmp_path / "run", SOME, f"training.distill_from={trained_run}", "data.train=train.tsv")
    assert found["skipped_steps"] == 0


def test_the_command_trains_on_them_and_hears_longer_recordings(
    tone_data: Path, seqpipe_command: Callable[..., Any], speak: Callable[[str, int], Any], tmp_path: Path
) -> None:
    import soundfile

    # The first epochs, in which CTC says nothing but blanks, are more where examples are longer.
    options = ["training.concatenation={share: 0.3, most: 3}", "training.epochs=20", "training.report=false"]
    done = seqpipe_command("train", tone_data / "tones.yaml", "--out", tmp_path / "run", *options)
    assert done.returncode == 0, done.stderr
    assert "concatenation:\n    share: 0.3\n    most: 3\n    pause: null" in (tmp_path / "run/recipe.yaml").read_text()
    assert json.loads((tmp_path / "run/metrics.json").read_text())["dev"]["cer"] < 20
    texts = ["ab c", "cab", "b a"]
    samples = [part for number, text in enumerate(texts) for part in (speak(text, number), torch.zeros(1600).numpy())]
    soundfile.write(tmp_path / "long.wav", torch.cat([torch.from_numpy(part) for part in samples]).numpy(), 8000)
    done = seqpipe_command("infer", tmp_path / "run", tmp_path / "long.wav", "--output", tmp_path / "long.jsonl")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "long.jsonl").read_text())["text"] == " ".join(texts)


def test_whether_targets_fit_is_told_by_the_steps_that_are_left(tone_data: Path) -> None:
    recipe = load_recipe(tone_data / "tones.yaml", ["data.train=few.tsv", SOME])
    prepared = prepare_training(recipe, None, lambda line: None)
    targets = prepared.training.targets
    whole = prepared.batches(recipe.training).concatenation
    assert whole is not None
    own = [target for target in targets[:2] if target is not None]
    needed = prepared.pipeline.head.min_steps(whole.target(own))
    steps = {length: prepared.pipeline.min_encoded_length(length) for length in range(200, 20_000, 40)}
    assert {steps[length] >= needed for length in steps} == {True, False}
    for length, left in steps.items():
        assert targets_fit(prepared.pipeline, targets, whole, [0, 1], length) == (left >= needed)


TEXT_RECIPE = """
data: {train: rows.tsv, input: text, target: label}
pipeline:
  features: [{stage: Tokens}, {stage: Embedding, size: 4}]
  encoder: {stage: RecurrentEncoder, hidden_size: 4, layers: 1}
  head: {stage: HEAD}
training: {epochs: 2, batch_steps: 40, workers: 0, threads: 1, device: cpu, report: false}
"""


def text_recipe(folder: Path, head: str, labels: list[str]) -> Path:
    lines = [f"{text}\t{label}" for text, label in zip(TEXTS, labels, strict=True)]
    (folder / "rows.tsv").write_text("text\tlabel\n" + "\n".join(lines * 4) + "\n")
    (folder / "text.yaml").write_text(TEXT_RECIPE.replace("HEAD", head))
    return folder / "text.yaml"


def refused(recipe: Path, out: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        train(load_recipe(recipe, [SOME, *overrides]), out, quiet=True, notice=lambda line: None)
    return str(error.value)


def test_a_tagger_trains_on_them(tmp_path: Path) -> None:
    tags = [" ".join("XY"[len(word) % 2] for word in text.split()) for text in TEXTS]
    heard = Heard()
    recipe = load_recipe(text_recipe(tmp_path, "TaggerHead", tags), [SOME])
    train(recipe, tmp_path / "run", quiet=True, notice=lambda line: None, callbacks=[heard])
    assert any(len(example) > 1 for example in heard.epochs[0])


def test_whole_inputs_classes_are_refused_before_a_row_is_read(tmp_path: Path) -> None:
    recipe = text_recipe(tmp_path, "ClassifierHead", list("abcde"))
    (tmp_path / "rows.tsv").unlink()
    message = refused(recipe, tmp_path / "run")
    assert (
        "training.concatenation doesn't go with ClassifierHead, whose targets don't stand one behind another" in message
    )
    assert not (tmp_path / "run/model.safetensors").exists()


def test_pauses_are_for_recordings(tmp_path: Path) -> None:
    recipe = text_recipe(tmp_path, "TaggerHead", list("abcde"))
    message = refused(recipe, tmp_path / "run", "training.concatenation.pause=[0, 1]")
    assert "training.concatenation.pause is for recordings; Tokens makes no pauses, so leave it out" in message


def test_characters_without_a_space_are_refused(tmp_path: Path) -> None:
    recipe = text_recipe(tmp_path, "AttentionHead, units: characters", ["ab", "b", "cd", "d", "ef"])
    message = refused(recipe, tmp_path / "run")
    assert "training.concatenation writes characters, and no training text has a space" in message


def test_strokes_of_a_pen_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pen.yaml").write_text(
        "data: {train: none.jsonl}\npipeline:\n  features: [PenStrokes, StrokeFeatures]\n  head: CTCHead\n"
    )
    message = refused(tmp_path / "pen.yaml", tmp_path / "run")
    assert "doesn't go with PenStrokes, whose inputs don't go on where another one ends" in message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.concatenation={share: 0}", "training.concatenation.share"),
        ("training.concatenation={share: 1.5}", "training.concatenation.share"),
        ("training.concatenation={most: 1}", "training.concatenation.most"),
        ("training.concatenation={pause: [0.5, 0.1]}", "pause should go from the least to the greatest"),
        ("training.concatenation={pause: [-1, 0.1]}", "training.concatenation.pause"),
        ("training.concatenation={chare: 0.2}", "did you mean share"),
        ("training={chunk_steps: 20, concatenation: {}}", "chunk_steps learns parts of rows, so it can't go with"),
    ],
)
def test_values_that_mean_nothing_are_refused(tone_data: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_recipe(tone_data / "tones.yaml", [override])
    assert message in str(error.value)
