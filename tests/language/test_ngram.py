"""Look-ups in arrays are those of KenLM, of dictionaries, and of each other."""

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from seqpipe.core.language_model import LanguageModel, State
from seqpipe.core.language_model_files import load_language_model
from seqpipe.errors import ConfigError, InputError
from seqpipe.language.kneser_ney import estimate
from seqpipe.language.ngram import NGramModel

WITH_UNKNOWN = """\\data\\
ngram 1=6
ngram 2=6
ngram 3=4

\\1-grams:
-1.2\t<unk>\t-0.05
-99\t<s>\t-0.4
-0.9\t</s>
-0.7\ta\t-0.3
-0.8\tb
-1.1\tc\t-0.25

\\2-grams:
-0.3\t<s> a\t-0.15
-0.5\ta b\t-0.2
-0.6\tb a
-0.45\tb </s>
-0.7\tc a\t-0.1
-0.55\ta <unk>\t-0.35

\\3-grams:
-0.2\t<s> a b
-0.15\ta b a
-0.25\tc a c
-0.1\ta <unk> b

\\end\\
"""
"""Back-off weights are missing, and so are the endings of two 3-grams: a c, <unk> b."""
WITHOUT_UNKNOWN = WITH_UNKNOWN
for was, new in [
    ("ngram 1=6", "ngram 1=5"),
    ("ngram 2=6", "ngram 2=5"),
    ("ngram 3=4", "ngram 3=3"),
    ("-1.2\t<unk>\t-0.05\n", ""),
    ("-0.55\ta <unk>\t-0.35\n", ""),
    ("-0.1\ta <unk> b\n", ""),
]:
    WITHOUT_UNKNOWN = WITHOUT_UNKNOWN.replace(was, new)

KNOWN = {
    "": [-1.3],
    "a": [-0.3, -1.35],
    "a b a": [-0.3, -0.2, -0.15, -1.2],
    "a b a b": [-0.3, -0.2, -0.15, -0.5, -0.65],
    "c a c b": [-1.5, -0.7, -0.25, -1.05, -0.45],
    "b a c a c": [-1.2, -0.6, -1.4, -0.7, -0.25, -1.15],
    "b b c a": [-1.2, -0.8, -1.1, -0.7, -1.3],
    "a b c a c a b": [-0.3, -0.2, -1.3, -0.7, -0.25, -0.7, -0.6, -0.65],
}
UNKNOWN = {"a x b": [-0.3, -0.7, -0.1, -0.45], "x y": [-1.6, -1.25, -0.95]}
MISSING_UNKNOWN = {"a x b": [-0.3, -100.450005, -0.8, -0.45], "x y": [-100.400002, -100.0, -0.9]}
"""log10 of each word and the end, by kenlm 0.3.0: ``[p for p, _, _ in kenlm.Model(path).full_scores(text)]``."""


def written(folder: Path, text: str, name: str = "model.arpa") -> Path:
    (folder / name).write_text(text)
    return folder / name


def log10_of(model: LanguageModel, words: Sequence[str]) -> list[float]:
    numbers = {word: number for number, word in enumerate(model.vocabulary)}
    state, found = model.initial_state(1), []
    for number in [*(numbers.get(word, -1) for word in words), len(numbers)]:
        unit = np.array([number])
        found.append(float(model.scores_of(state, unit)[0]) / math.log(10))
        state = model.advance(state, unit)
    return found


@pytest.mark.parametrize("sentence", [*KNOWN, *UNKNOWN])
def test_scores_are_those_of_kenlm(tmp_path: Path, sentence: str) -> None:
    model = NGramModel.load(written(tmp_path, WITH_UNKNOWN))
    assert log10_of(model, sentence.split()) == pytest.approx({**KNOWN, **UNKNOWN}[sentence], abs=1e-6)
    model = NGramModel.load(written(tmp_path, WITHOUT_UNKNOWN))
    assert log10_of(model, sentence.split()) == pytest.approx({**KNOWN, **MISSING_UNKNOWN}[sentence], abs=2e-5)


def test_an_unknown_unit_in_capitals_is_one_too(tmp_path: Path) -> None:
    model = NGramModel.load(written(tmp_path, WITH_UNKNOWN.replace("<unk>", "<UNK>")))
    assert log10_of(model, ["x", "y"]) == pytest.approx(UNKNOWN["x y"], abs=1e-6)
    assert list(model.vocabulary) == ["a", "b", "c"]


def random_arpa(seed: int, order: int) -> tuple[str, dict[tuple[str, ...], tuple[float, float]]]:
    """N-grams whose first words are n-grams too, and whose last words need not be."""
    generator = np.random.default_rng(seed)
    words = list("abcdef")
    grams = [[(word,) for word in ["</s>", *words, "<s>", "<unk>"]]]
    for _ in range(order - 1):
        contexts = [gram for gram in grams[-1] if gram[-1] != "</s>"]
        longer = {(*contexts[i], [*words, "</s>", "<unk>"][generator.integers(8)]) for i in
                  generator.integers(0, len(contexts), 40)}  # fmt: skip
        grams.append([sorted(longer)[i] for i in generator.permutation(len(longer))])
    lines, values = ["\\data\\"], {}
    lines += [f"ngram {n}={len(each)}" for n, each in enumerate(grams, 1)]
    for n, each in enumerate(grams, 1):
        lines += ["", f"\\{n}-grams:"]
        for gram in each:
            backoff = float(generator.uniform(-1, 0.2)) if n < order and generator.random() < 0.6 else 0.0
            values[gram] = (float(generator.uniform(-3, 0)), backoff)
            lines.append(f"{values[gram][0]}\t{' '.join(gram)}" + (f"\t{backoff}" if backoff else ""))
    return "\n".join([*lines, "", "\\end\\", ""]), values


def by_dictionary(
    values: dict[tuple[str, ...], tuple[float, float]], order: int, history: list[str], word: str
) -> float:
    context = tuple(history[-(order - 1) :]) if order > 1 else ()
    total = 0.0
    while (*context, word) not in values:
        total += values.get(context, (0.0, 0.0))[1]
        context = context[1:]
    return total + values[(*context, word)][0]


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_scores_are_those_of_dictionaries_over_the_whole_history(tmp_path: Path, order: int) -> None:
    for seed in range(5):
        text, values = random_arpa(seed, order)
        model = NGramModel.load(written(tmp_path, text))
        generator = np.random.default_rng(seed)
        for _ in range(15):
            sentence = [str(word) for word in generator.choice([*"abcdef", "zzz"], 12)]
            history, expected = ["<s>"], []
            for word in [*("<unk>" if word == "zzz" else word for word in sentence), "</s>"]:
                expected.append(by_dictionary(values, order, history, word))
                history.append(word)
            assert log10_of(model, sentence) == pytest.approx(expected, abs=1e-5)


@pytest.fixture(scope="module")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = np.random.default_rng(7)
    texts = [[f"w{min(generator.integers(0, 40, 2))}" for _ in range(generator.integers(0, 9))] for _ in range(300)]
    path = tmp_path_factory.mktemp("models") / "model.arpa"
    estimate(texts, path, order=4, prune=(0, 0, 1))
    return path


def walked(model: NGramModel, count: int, seed: int) -> State:
    """States behind texts of random lengths and units, unknown ones too."""
    generator = np.random.default_rng(seed)
    state = model.initial_state(count)
    for _ in range(6):
        units = generator.integers(-1, len(model.vocabulary), count)
        state = tuple(
            np.where(generator.random(count) < 0.8, after, before)
            for after, before in zip(model.advance(state, units), state, strict=True)
        )
    return state


def test_every_context_sums_to_one(estimated: Path) -> None:
    model = NGramModel.load(estimated)
    (states,) = walked(model, 500, 1)
    states = np.unique(states)
    assert len(states) > 20
    unknown = np.exp(model.scores_of((states,), np.full(len(states), -1)).astype(np.float64))
    sums = np.exp(model.scores((states,)).astype(np.float64)).sum(axis=1) + unknown
    np.testing.assert_allclose(sums, 1.0, atol=1e-5)


def test_a_batch_is_its_rows_to_the_bit_and_all_scores_are_those_of_each(estimated: Path) -> None:
    model = NGramModel.load(estimated)
    state = walked(model, 60, 2)
    scores = model.scores(state)
    assert scores.dtype == np.float32
    assert scores.shape == (60, len(model.vocabulary) + 1)
    units = np.arange(60) % (len(model.vocabulary) + 1)
    units[::7] = -1
    known = units >= 0
    sparse, (following,) = model.scores_of(state, units), model.advance(state, units)
    assert np.array_equal(sparse[known], scores[known, units[known]])
    for row in range(60):
        one = (state[0][row : row + 1],)
        assert np.array_equal(model.scores(one)[0], scores[row])
        assert np.array_equal(model.scores_of(one, units[row : row + 1]), sparse[row : row + 1])
        assert np.array_equal(model.advance(one, units[row : row + 1])[0], following[row : row + 1])


@pytest.mark.parametrize("name", ["again.arpa", "again.arpa.gz"])
def test_a_model_that_is_written_is_read_the_same(estimated: Path, tmp_path: Path, name: str) -> None:
    model = NGramModel.load(estimated)
    model.save(tmp_path / name)
    again = NGramModel.load(tmp_path / name)
    assert again.vocabulary == model.vocabulary
    assert again.counts == model.counts
    state = walked(model, 200, 3)
    assert np.array_equal(again.scores(state), model.scores(state))
    again.save(tmp_path / f"twice-{name}")
    assert (tmp_path / f"twice-{name}").read_bytes() == (tmp_path / name).read_bytes()
    lines = [sorted(path.read_text().splitlines()) for path in (estimated, tmp_path / "again.arpa") if path.exists()]
    assert lines[0] == lines[-1]  # what was estimated, in another order


def test_the_contract_is_kept(estimated: Path) -> None:
    model = load_language_model(estimated)
    assert isinstance(model, LanguageModel)
    assert isinstance(model, NGramModel)


def test_wherever_a_head_is_an_arpa_file_is_a_language_model(tmp_path: Path) -> None:
    path = written(tmp_path, WITH_UNKNOWN)
    code = (
        "import sys; from pathlib import Path; from seqpipe import CTCHead; "
        "from seqpipe.core.language_model_files import load_language_model; "
        "print(*load_language_model(Path(sys.argv[1])).vocabulary)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.stdout == "a b c\n", done.stderr


BAD = {
    "a first word that is no unigram": (("a <unk> b", "d <unk> b"), "line 26: 'd' is no unigram"),
    "first words that are no n-gram": (("-0.15\ta b a", "-0.15\tb c a"), "there is no 2-gram 'b c'"),
    "twice": (("-0.6\tb a", "-0.6\ta b"), "line 17: the 2-gram stands in line 16 already"),
    "a unigram twice": (("-1.1\tc\t", "-1.1\tb\t"), "line 12: the 1-gram stands in line 11 already"),
    "no end": (("</s>", "</S>"), "has no unigram </s>"),
    "no beginning": (("<s>", "<S>"), "has no unigram <s>"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_model_is_named_by_its_line(tmp_path: Path, name: str) -> None:
    (was, new), message = BAD[name]
    path = written(tmp_path, WITH_UNKNOWN.replace(was, new))
    with pytest.raises(InputError) as raised:
        NGramModel.load(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_is_no_language_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"an ARPA file \(\.arpa, \.arpa\.gz\)"):
        load_language_model(written(tmp_path, "", "model.txt"))
    written(tmp_path, "", "words.arpa")
    with pytest.raises(ConfigError, match=r"did you mean words\.arpa"):
        load_language_model(tmp_path / "word.arpa")
