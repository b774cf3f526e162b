"""The command as a user runs it: what it prints where, and its exit status."""

import json
import shutil
from pathlib import Path

import pytest

MY_STAGE = '''
from seqpipe import InputSize, PaddedSequence, Stage


class Halve(Stage):
    """Half of every feature."""

    role = "features"

    def __init__(self, *, input_size: InputSize) -> None:
        super().__init__()
        self.output_size = input_size

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        return PaddedSequence(sequence.values / 2, sequence.lengths)
'''


def test_train_prints_results_alone_to_standard_output(training_command):
    _, done = training_command
    assert done.stdout.splitlines()[0].startswith("dev wer ")
    assert all(line.startswith(("dev ", "run ")) for line in done.stdout.splitlines())
    assert "epoch 10/10" in done.stderr


def test_evaluate_as_a_table_and_as_one_json_object(trained_run, tone_data, seqpipe_command):
    table = seqpipe_command("evaluate", trained_run, "--data", tone_data / "dev.tsv")
    assert table.returncode == 0
    assert "WER" in table.stdout
    done = seqpipe_command("evaluate", trained_run, "--data", tone_data / "dev.tsv", "--json")
    scores = json.loads(done.stdout)
    assert {"wer", "cer", "rows"} <= scores.keys()
    assert done.returncode == 0


def test_infer_keeps_the_order_and_goes_on_past_broken_files(trained_run, tone_data, tmp_path, seqpipe_command):
    recordings = sorted((tone_data / "dev").glob("*.wav"))[:4]
    text = tmp_path / "text.wav"
    text.write_text("this is no audio")
    inputs = [recordings[0], text, recordings[1], tmp_path / "gone.wav", recordings[2], recordings[3]]
    output = tmp_path / "deep" / "out.jsonl"
    done = seqpipe_command("infer", trained_run, *inputs, "--output", output)
    assert done.returncode == 3
    assert done.stdout == ""
    answers = [json.loads(line) for line in output.read_text().splitlines()]
    assert [answer["id"] for answer in answers] == [str(path) for path in inputs]
    assert [answer.get("error") for answer in answers] == [None, "undecodable", None, "missing", None, None]
    assert "2 failed" in done.stderr
    assert not output.with_name("out.jsonl.partial").exists()


def test_infer_in_a_pipe(trained_run, tone_data, seqpipe_command):
    one, two = sorted((tone_data / "dev").glob("*.wav"))[:2]
    lines = f"{one}\n" + json.dumps({"path": str(two), "name": "second"}) + "\n"
    done = seqpipe_command("infer", trained_run, "-", "--output", "-", input=lines)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [str(one), "second"]
    assert done.returncode == 0


def test_infer_reads_manifests_folders_and_globs_alike(trained_run, tone_data, seqpipe_command):
    answers = []
    for source in (tone_data / "dev.tsv", tone_data / "dev", tone_data / "dev" / "*.wav"):
        done = seqpipe_command("infer", trained_run, source, "--output", "-")
        answers.append([json.loads(line)["text"] for line in done.stdout.splitlines()])
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]) == 16


def test_check_names_planted_faults(tone_data, tmp_path, seqpipe_command):
    data = tmp_path / "data"
    shutil.copytree(tone_data, data)
    good = seqpipe_command("check", data / "tones.yaml")
    assert good.returncode == 0, good.stdout
    (data / "train/003.wav").write_bytes(b"")
    (data / "train/005.wav").write_text("no audio")
    lines = (data / "dev.tsv").read_text().splitlines()
    lines[2] = lines[2].rsplit("\t", 1)[0] + "\tq"
    lines[4] = lines[4].rsplit("\t", 1)[0] + "\t" + "ab" * 300
    (data / "dev.tsv").write_text("\n".join(lines) + "\n")
    done = seqpipe_command("check", data / "tones.yaml")
    assert done.returncode == 1
    for part in ("empty: 1 of 80", "row 4", "undecodable: 1 of 80", "row 6", "unknown character: 1 of 16",
                 "row 2", "too short for its label: 1 of 16", "row 4"):  # fmt: skip
        assert part in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 2, "required"),
        (("fly",), 2, "invalid choice"),
        (("train", "speech/startr"), 2, "did you mean speech/starter?"),
        (("train", "speech/starter", "training.epoch=3"), 2, "training.epoch is not known; did you mean epochs?"),
        (("train", "speech/starter", "training.epochs=0"), 2, "training.epochs"),
        (("train", "speech/starter", "pipeline.features.LogMell.n_mels=3"), 2, "did you mean LogMel?"),
        (("train", "speech/starter", "pipeline.encoder.stage=os.system"), 2, "not a stage name"),
        (("train", "speech/starter", "data.root=/nowhere"), 1, "/nowhere/train.tsv"),
        (("evaluate", "/nowhere"), 1, "no such run directory"),
        (("infer", "/nowhere", "a.wav", "--output", "-"), 1, "no such run directory"),
        (("infer", "/nowhere", "a.wav"), 2, "--output"),
        (("train", "speech/starter", "--import", "no_such_module"), 2, "no_such_module"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(arguments, status, words, seqpipe_command, tmp_path):
    done = seqpipe_command(*arguments, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("verb", ["train", "evaluate", "infer", "check"])
def test_help_shows_an_example(verb, seqpipe_command):
    done = seqpipe_command(verb, "-h")
    assert done.returncode == 0
    assert f"example: seqpipe {verb} " in done.stdout


def test_a_stage_of_ones_own_is_trained_and_used(tone_data, tmp_path, seqpipe_command):
    (tmp_path / "my_stages.py").write_text(MY_STAGE)
    recipe = (tone_data / "tones.yaml").read_text()
    line = "    - {stage: Normalization, over: utterance}\n"
    assert line in recipe
    (tmp_path / "mine.yaml").write_text(recipe.replace(line, f"{line}    - stage: Halve\n"))
    train = ("train", "mine.yaml", f"data.root={tone_data}", "data.train=few.tsv", "training.epochs=1", "--out", "run")
    assert "--import" in seqpipe_command(*train, cwd=tmp_path).stderr
    done = seqpipe_command(*train, "--import", "my_stages", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    infer = ("infer", "run", tone_data / "dev/000.wav", "--output", "-")
    assert seqpipe_command(*infer, cwd=tmp_path).returncode == 1
    assert seqpipe_command(*infer, "--import", "my_stages", cwd=tmp_path).returncode == 0


def test_an_existing_run_is_not_overwritten(trained_run: Path, tone_data, seqpipe_command):
    before = (trained_run / "model.safetensors").read_bytes()
    done = seqpipe_command("train", tone_data / "tones.yaml", "--out", trained_run)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert (trained_run / "model.safetensors").read_bytes() == before
