import pickle

import pytest

from seqpipe import ConfigError, DataError, InputError, RunError, SeqpipeError
from seqpipe.errors import did_you_mean


def test_problems_keep_their_paths_seen_from_further_out() -> None:
    inner = ConfigError([(("layers",), "is wrong"), ((), "is odd")])
    assert str(inner) == "layers is wrong\nis odd"
    outer = inner.within("pipeline", "encoder").within(source="an4.yaml")
    assert outer.problems == [(("pipeline", "encoder", "layers"), "is wrong"), (("pipeline", "encoder"), "is odd")]
    assert str(outer) == "an4.yaml: pipeline.encoder.layers is wrong\nan4.yaml: pipeline.encoder is odd"
    assert ConfigError("no path").problems == [((), "no path")]


def test_an_input_error_travels_between_processes() -> None:
    again = pickle.loads(pickle.dumps(InputError("empty", "a.wav: holds no samples")))
    assert (type(again), again.kind, str(again)) == (InputError, "empty", "a.wav: holds no samples")


@pytest.mark.parametrize("kind", [ConfigError, DataError, InputError, RunError])
def test_all_are_caught_as_one(kind: type[Exception]) -> None:
    assert issubclass(kind, SeqpipeError)
    assert issubclass(kind, ValueError)


@pytest.mark.parametrize(
    ("received", "known", "hint"),
    [
        ("hiden_size", ["hidden_size", "layers"], "; did you mean hidden_size?"),
        ("xyz", ["layers", "cell"], "; known: cell, layers"),
        ("xyz", [], ""),
    ],
)
def test_hints(received: str, known: list[str], hint: str) -> None:
    assert did_you_mean(received, known) == hint
