from pathlib import Path

import pytest
import yaml

import seqpipe
from seqpipe import ConfigError, cli
from seqpipe.answers.transcript import Transcript
from seqpipe.config.recipe import override_decoding
from seqpipe.errors import DataError
from seqpipe.evaluation.scores.tune_decoding import tune_decoding
from seqpipe.pipeline import Pipeline


def lexicon(folder: Path, tone_data: Path) -> Path:
    """The words of dev."""
    rows = (tone_data / "dev.tsv").read_text().splitlines()[1:]
    path = folder / "words.txt"
    path.write_text("\n".join(sorted({word for row in rows for word in row.split("\t")[2].split()})))
    return path


def test_the_first_trial_is_what_was_given_and_the_best_is_written(
    trained_run: Path, tone_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, out = lexicon(tmp_path, tone_data), tmp_path / "best.yaml"
    command = ["tune-decoding", str(trained_run), "--trials", "4", "--out", str(out), "--device", "cpu"]
    assert cli.main([*command, f"decoding.lexicon={words}", "decoding.beam=8", "decoding.insertion_bonus=0.5"]) == 0
    said = capsys.readouterr().out
    written = yaml.safe_load(out.read_text())
    assert "best of 4 on 16 rows of " in said
    assert f"decoding.insertion_bonus={written['decoding']['insertion_bonus']}" in said
    found = tune_decoding(
        trained_run,
        decoding={"lexicon": str(words), "beam": 8, "insertion_bonus": 0.5},
        trials=4,
        device="cpu",
    )
    assert found.trials[0].weights == {"insertion_bonus": 0.5}
    assert found.options == written["decoding"]
    assert found.best.scores == written["scores"]
    assert found.best.scores["wer"] == min(trial.scores["wer"] for trial in found.trials)
    options = override_decoding(Pipeline.load(trained_run).recipe, written["decoding"])
    assert options.method == "beam"


def test_of_greedy_decoding_the_blank_penalty_is_searched(trained_run: Path) -> None:
    found = tune_decoding(trained_run, decoding={"method": "greedy"}, trials=5, device="cpu")
    assert [list(trial.weights) for trial in found.trials] == [["blank_penalty"]] * 5
    assert found.trials[0].weights["blank_penalty"] == 0
    assert found.best.scores == dict(
        seqpipe.evaluate(trained_run, decoding={"method": "greedy", **found.best.weights}, device="cpu").scores
    )
    searched = tune_decoding(trained_run, decoding={"blank_penalty": 0.5, "beam": 4}, trials=1, device="cpu")
    assert list(searched.trials[0].weights) == ["insertion_bonus", "blank_penalty"]


def test_what_can_not_be_searched_is_told(trained_run: Path) -> None:
    with pytest.raises(ConfigError, match="--trials should be at least 1; received 0"):
        tune_decoding(trained_run, trials=0)
    with pytest.raises(ConfigError, match=r"without any: give decoding\.hot_words"):
        tune_decoding(trained_run, hot_word_weight=True, device="cpu")
    with pytest.raises(ConfigError, match="the run's recipe names no test part; give --data SOURCE"):
        tune_decoding(trained_run, part="test", device="cpu")


def test_a_loaded_run_searches_with_a_lexicon(trained_run: Path, tone_data: Path, tmp_path: Path) -> None:
    words = lexicon(tmp_path, tone_data)
    inputs = sorted((tone_data / "dev").glob("*.wav"))[:6]
    predictor = seqpipe.load(
        trained_run, device="cpu", decoding={"method": "beam", "lexicon": str(words), "n_best": 3, "beam": 10}
    )
    answers = list(predictor.predict(inputs))
    predictor.close()
    known = set(words.read_text().split())
    for answer in answers:
        assert isinstance(answer, Transcript)
        assert set(answer.text.split()) <= known
        assert answer.score is not None
        assert answer.alternatives[0].text == answer.text
        assert [word.text for word in answer.words] == answer.text.split()


def test_what_a_search_lacks_is_told_before_anything_is_read(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"words\.txt: no such file"):
        seqpipe.load(trained_run, decoding={"method": "beam", "lexicon": str(tmp_path / "words.txt")})
    (tmp_path / "words.txt").write_text("a\nxyz\n")
    with pytest.raises(DataError, match=r"words\.txt, line 2: can't be spelt: 'xyz' holds 'x', 'y', 'z'"):
        seqpipe.load(trained_run, decoding={"method": "beam", "lexicon": str(tmp_path / "words.txt")})
    with pytest.raises(ConfigError, match=r"decoding\.beam .*received 0"):
        seqpipe.load(trained_run, decoding={"method": "beam", "beam": 0})
    with pytest.raises(ConfigError, match=r"decoding\.hot_words is for method beam, not greedy"):
        seqpipe.load(trained_run, decoding={"hot_words": ["a"]})
