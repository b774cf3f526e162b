"""CTC's beam search without torch, beside the chain that it was exported from."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import seqpipe
from seqpipe.answers.transcript import Transcript
from seqpipe.config.recipe import parse_recipe
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import ConfigError, DataError
from seqpipe.export.decoding_files import carry_files
from seqpipe.export.export import export
from seqpipe.heads.ctc_decoding import CTCDecoding
from seqpipe.inference.predictor import load
from seqpipe.language.kneser_ney import estimate
from seqpipe.pipeline import Pipeline
from seqpipe.runtime import ctc_options
from seqpipe.runtime.cli import main
from seqpipe.runtime.ctc_options import CTCOptions
from seqpipe.runtime.heads import ctc
from seqpipe.runtime.heads.ctc import CTC, posteriors
from seqpipe.runtime.model import Model

Speak = Callable[[str, int], np.ndarray]
BEAM: dict[str, Any] = {"method": "beam", "beam": 30, "n_best": 5}
FILES = {"lm": "words.arpa", "units": "units.arpa.gz", "lexicon": "lexicon.txt", "hot_words": "hot.txt"}


@pytest.fixture(scope="module")
def files(tone_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Language models, a lexicon and hot words out of the training texts, half of whose words it lacks."""
    folder = tmp_path_factory.mktemp("files")
    texts = [line.split("\t")[2] for line in (tone_data / "train.tsv").read_text().splitlines()[1:]]
    estimate((text.split() for text in texts), folder / FILES["lm"], order=2)
    estimate((list(text.replace(" ", "▁")) for text in texts), folder / FILES["units"], order=3)
    words = sorted({word for text in texts for word in text.split()})
    (folder / FILES["lexicon"]).write_text("\n".join([*words[::2], "abc\ta b b c"]) + "\n")
    (folder / FILES["hot_words"]).write_text("abc cab\nbb\n")
    return {name: str(folder / file) for name, file in FILES.items()}


@pytest.fixture(scope="module")
def rows(trained_run: Path, tone_data: Path, speak: Speak) -> list[Row]:
    """Recordings of dev, and what nobody could be sure of."""
    data = seqpipe.load(trained_run, device="cpu").pipeline.recipe.data
    known = list(read_rows("dev.tsv", data, suffixes=AUDIO_SUFFIXES, root=tone_data))[:8]
    noise = np.random.default_rng(0).standard_normal(9000).astype(np.float32)
    samples = [noise * 0.1, speak("abc cab", 1) + 0.25 * noise[: len(speak("abc cab", 1))], noise[:700], np.zeros(1)]
    odd = [{"array": each, "sampling_rate": 8000} for each in samples]
    named = [
        replace(row, columns={**row.columns, "names": "cab; a; é" if n % 2 else None}) for n, row in enumerate(known)
    ]
    return [*named, *(Row(str(n), each, columns={"names": ["bb c", "ca"]}) for n, each in enumerate(odd))]


CASES: dict[str, dict[str, Any]] = {
    "alone": {},
    "less blank": {"blank_penalty": 1.5, "min_probability": 1e-3, "beam_threshold": 9.0, "max_labels": 3},
    "words": {"lm": "lm", "lm_weight": 0.8, "insertion_bonus": 0.5},
    "a closed lexicon and words": {"lm": "lm", "lexicon": "lexicon", "insertion_bonus": 0.5},
    "an open lexicon": {"lexicon": "lexicon", "open_lexicon": True, "oov_penalty": 2.0},
    "units": {"lm": "units", "insertion_bonus": 0.3},
    "hot words": {"hot_words": ["abc cab", "bb"], "hot_word_weight": 1.5},
    "all": {
        "lm": "lm",
        "hot_words": "hot_words",
        "hot_words_column": "names",
        "lexicon": "lexicon",
        "open_lexicon": True,
    },
}


def chosen(case: str, files: dict[str, str]) -> dict[str, Any]:
    named = {name: files.get(value, value) if isinstance(value, str) else value for name, value in CASES[case].items()}
    return {**BEAM, **named}


def agree(ours: Sequence[Transcript], theirs: Sequence[Transcript], tolerance: float = 1e-4) -> None:
    """Texts, n-best, spans and times are the same; confidences and scores to the tolerance."""
    for one, other in zip(ours, theirs, strict=True):
        assert (one.text, len(one.tokens), len(one.words)) == (other.text, len(other.tokens), len(other.words))
        assert one.confidence == pytest.approx(other.confidence, abs=tolerance)
        assert one.score == pytest.approx(other.score, abs=1e-3)
        for part, same in zip((*one.tokens, *one.words), (*other.tokens, *other.words), strict=True):
            assert (part.text, part.start, part.end) == (same.text, pytest.approx(same.start), pytest.approx(same.end))
            assert part.confidence == pytest.approx(same.confidence, abs=tolerance)
            assert part.language_score == pytest.approx(same.language_score, abs=tolerance)
        assert [each.text for each in one.alternatives] == [each.text for each in other.alternatives]
        for each, same in zip(one.alternatives, other.alternatives, strict=True):
            assert each.probability == pytest.approx(same.probability, abs=tolerance)
            assert each.score == pytest.approx(same.score, abs=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_answers_are_those_of_the_chain(
    case: str, trained_run: Path, exported: Path, rows: list[Row], files: dict[str, str]
) -> None:
    decoding = chosen(case, files)
    theirs = list(load(trained_run, device="cpu", decoding=decoding).predict(rows))
    model = Model.load(exported, threads=2, decoding=decoding)
    ours = list(model.predict(rows))
    agree(ours, theirs)
    assert any(len(answer.alternatives) > 1 for answer in ours)
    alone = [next(model.predict([row])) for row in rows]
    agree(alone, ours, 1e-5)


def test_a_row_is_the_same_to_the_bit_in_any_company(exported: Path, files: dict[str, str]) -> None:
    model = Model.load(exported, threads=1, decoding=chosen("all", files))
    generator = np.random.default_rng(5)
    logits = [2.0 * generator.standard_normal((length, len(model.head.units) + 1)) for length in (30, 1, 12, 30, 7)]
    outputs = [(row - np.log(np.exp(row).sum(axis=1, keepdims=True))).astype(np.float32) for row in logits]
    columns = [{"names": name} for name in ("ab; c", None, "ca", "ab; c", "b")]
    together = model.head.decode(outputs, columns)
    assert together == [model.head.decode([row], [own])[0] for row, own in zip(outputs, columns, strict=True)]
    assert together == model.head.decode(outputs[::-1], columns[::-1])[::-1]


def test_an_exported_model_carries_the_files_of_its_search(
    trained_run: Path, rows: list[Row], files: dict[str, str], tmp_path: Path
) -> None:
    decoding = chosen("all", files)
    export(trained_run, tmp_path / "exported", decoding=decoding)
    (tmp_path / "exported").rename(tmp_path / "moved")
    manifest = json.loads((tmp_path / "moved" / "model.json").read_text())
    carried = {name: manifest["decoding"][name] for name in ctc_options.FILES}
    assert carried == {
        "lm": "assets/decoding/lm.arpa",
        "lexicon": "assets/decoding/lexicon.txt",
        "hot_words": "assets/decoding/hot_words.txt",
    }
    for name, file in carried.items():
        assert (tmp_path / "moved" / file).read_bytes() == Path(files[name]).read_bytes()
        assert file in manifest["files"]
    theirs = list(load(trained_run, device="cpu", decoding=decoding).predict(rows))
    agree(list(Model.load(tmp_path / "moved", threads=1).predict(rows)), theirs)
    without = Model.load(
        tmp_path / "moved", threads=1, decoding={"lm": files["units"], "lexicon": None, "open_lexicon": False}
    )
    assert without.head.search.lm == files["units"]


def test_what_is_not_searched_by_is_not_carried(files: dict[str, str], tmp_path: Path) -> None:
    told = carry_files(CTCDecoding(lm=files["lm"], hot_words=["a"]), tmp_path)
    assert (told["lm"], told["hot_words"]) == (None, ["a"])
    assert list(tmp_path.iterdir()) == []


def test_a_network_is_refused_by_name(trained_run: Path, exported: Path, tmp_path: Path) -> None:
    tree = {
        "features": [{"stage": "Tokens", "units": "characters"}, {"stage": "Embedding", "size": 4}],
        "encoder": {"stage": "RecurrentEncoder", "bidirectional": False, "hidden_size": 4, "layers": 1},
        "head": {"stage": "LanguageModelHead"},
    }
    network = Pipeline(parse_recipe({"data": {"input": "text"}, "pipeline": tree}, "test"))
    network.fit([Row("abc", "abc cab", "abc cab")])
    network.save(tmp_path / "network")
    decoding = {"method": "beam", "lm": str(tmp_path / "network")}
    said = r"decoding\.lm .*network: is a folder; the network of a run needs torch.*estimate-ngram"
    with pytest.raises(ConfigError, match=said):
        export(trained_run, tmp_path / "exported", decoding=decoding)
    assert not (tmp_path / "exported").exists()
    with pytest.raises(ConfigError, match=said):
        Model.load(exported, decoding=decoding)


def test_a_page_decodes_greedily(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"decoding\.method: pages for browsers decode CTC greedily, not by beam"):
        export(trained_run, tmp_path / "page", form="web", decoding={"method": "beam"})


def test_options_and_defaults_are_those_of_the_head() -> None:
    assert {each.name: each.default for each in fields(CTCOptions)} == CTCDecoding().model_dump()
    assert CTC.of_methods == CTCDecoding.of_methods
    assert CTCDecoding.files == ctc_options.FILES
    options: dict[str, Any] = {"lm": "a.arpa", "lexicon": "words.txt", "hot_words": ["a"], "insertion_bonus": 0.5}
    options |= {"method": "beam", "hot_words_column": "names", "open_lexicon": True, "max_labels": 7, "beam": 9}
    ours, theirs = CTCOptions.of(options), CTCDecoding(**options)
    assert (ours.limits, ours.fusion, ours.columns) == (theirs.limits, theirs.fusion, theirs.columns)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "sample"}, "decoding.method: should be greedy or beam; received 'sample'"),
        ({"beam": 0}, "decoding.beam: should be a whole number of at least 1 and at most 5000; received 0"),
        ({"beam": 2.5}, "decoding.beam: should be a whole number"),
        ({"beam": 5001}, "decoding.beam: should be a whole number of at least 1 and at most 5000; received 5001"),
        ({"beam": 4, "n_best": 5}, "decoding.n_best: should be a whole number of at least 1 and at most 4, the beam"),
        ({"n_best": 0}, "decoding.n_best: should be a whole number of at least 1"),
        ({"max_labels": 0}, "decoding.max_labels: should be a whole number of at least 1; received 0"),
        ({"lm_weight": -0.1}, "decoding.lm_weight: should be at least 0; received -0.1"),
        ({"oov_penalty": -1.0}, "decoding.oov_penalty: should be at least 0"),
        ({"hot_word_weight": float("inf")}, "decoding.hot_word_weight: should be at least 0"),
        ({"insertion_bonus": float("nan")}, "decoding.insertion_bonus: should be finite"),
        ({"min_probability": 1.0}, "decoding.min_probability: should be in 0 to 1"),
        ({"beam_threshold": 0.0}, "decoding.beam_threshold: should be above 0 and at most 600"),
        ({"lm": 3}, "decoding.lm: should be a name, or null; received 3"),
        ({"hot_words": {"a": 1}}, "decoding.hot_words: should be a list of texts, or a file"),
        ({"open_lexicon": True}, "decoding.open_lexicon: says what stands beside a lexicon, which is not given"),
    ],
)
def test_what_the_head_refuses_is_refused(options: dict[str, Any], said: str) -> None:
    options = {"method": "beam", **options}
    with pytest.raises(ValidationError):
        CTCDecoding(**options)
    with pytest.raises(ConfigError) as caught:
        CTCOptions.of(options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"method": "greedy", "lm": "words.arpa"}, ConfigError, "decoding.lm: is for method beam, not greedy: set"),
        ({"lm": "word.arpa"}, ConfigError, r"decoding\.lm word\.arpa: no such file.*did you mean words\.arpa"),
        ({"lm": "lexicon.txt"}, ConfigError, r"decoding\.lm lexicon\.txt: should be an ARPA file"),
        ({"lexicon": "gone.txt"}, ConfigError, "gone.txt: no such file"),
        ({"lexicon": "bad.txt"}, DataError, "bad.txt, line 2: can't be spelt: 'xyz' holds"),
        ({"hot_words": ["ab", " "]}, ConfigError, "decoding.hot_words item 2 of 2 is empty"),
        ({"hot_words": ["xyz"]}, ConfigError, "decoding.hot_words item 1: can't be spelt"),
        ({"hot_words": "gone.txt"}, ConfigError, "decoding.hot_words gone.txt: no such file"),
    ],
)
def test_what_a_search_can_not_use_is_named_before_it(
    exported: Path,
    files: dict[str, str],
    options: dict[str, Any],
    kind: type,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(files["lm"]).parent
    (folder / "bad.txt").write_text("ab\nxyz\n")
    monkeypatch.chdir(folder)
    with pytest.raises(kind, match=said):
        Model.load(exported, decoding={"method": "beam", **options})


def test_many_posteriors_are_those_of_fewer_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    rows = [np.log(generator.dirichlet(np.ones(5), length)) for length in (20, 9, 30, 14)]
    labels = [(1, 2, 2), (4,), (3, 1, 3, 1, 1), ()]
    whole = posteriors(rows, labels)
    monkeypatch.setattr(ctc, "MAX_VALUES", 1)
    assert posteriors(rows, labels) == whole


# As a user runs it


def test_the_command_goes_by_columns_and_files(
    exported: Path, tone_data: Path, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = (tone_data / "dev.tsv").read_text().splitlines()
    table = [f"{lines[0]}\tnames", *(f"{line}\tabc; cab" for line in lines[1:5])]
    Path("list.tsv").write_text("\n".join(table).replace("dev/", f"{tone_data}/dev/"))
    Path("words.txt").write_bytes(Path(files["lexicon"]).read_bytes())
    options = {**BEAM, "lexicon": "words.txt", "open_lexicon": True, "hot_words_column": "names"}
    sets = [word for name, value in options.items() for word in ("--set", f"decoding.{name}={json.dumps(value)}")]
    command = [str(exported), "list.tsv", "--output", "out.jsonl", "--quiet", *sets]
    assert main(command) == 0
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert all(len(record["alternatives"]) > 1 and "score" in record for record in found)
    # A run that was stopped isn't gone on with, where a file or a row's hot words are others.
    assert main([*command, "--resume"]) == 0
    Path("words.txt").write_text("a\n")
    assert main([*command, "--resume"]) == 2
    Path("words.txt").write_bytes(Path(files["lexicon"]).read_bytes())
    Path("list.tsv").write_text(Path("list.tsv").read_text().replace("abc; cab", "bb"))
    assert main([*command, "--resume"]) == 2


FOREIGN = "torch torchaudio lightning pandas librosa pydantic scipy pyarrow datasets sklearn matplotlib numba"


def test_nothing_heavy_is_imported(exported: Path, tone_data: Path, files: dict[str, str]) -> None:
    code = f"""
import json, sys
import seqpipe.runtime
model = seqpipe.runtime.load({str(exported)!r}, decoding={chosen("all", files)!r})
answers = [answer.to_json() for answer in model.predict([{str(tone_data / "dev/000.wav")!r}])]
print(json.dumps({{"answers": answers, "heavy": [name for name in {FOREIGN.split()!r} if name in sys.modules]}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    assert len(found["answers"][0]["alternatives"]) > 1
