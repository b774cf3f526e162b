import pickle

import pytest

from seqpipe import ConfigError, DataError, InputError, RunError, SeqpipeError
from seqpipe.errors import decoding, did_you_mean


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


def test_what_a_library_raises_has_a_kind() -> None:
    def kind(error: Exception) -> str:
        with pytest.raises(InputError) as caught, decoding("a.xyz", "a recording"):
            raise error
        assert str(caught.value).startswith("a.xyz: ")
        return caught.value.kind

    assert kind(PermissionError(13, "Permission denied")) == "unreadable"
    assert kind(OSError("image file is truncated (5 bytes not processed)")) == "truncated"
    assert kind(MemoryError()) == "too large"
    assert kind(ZeroDivisionError()) == "undecodable"
    with pytest.raises(InputError, match="itself"), decoding("a.xyz", "a recording"):
        raise InputError("empty", "itself")  # what was said already stays
    with pytest.raises(KeyboardInterrupt), decoding("a.xyz", "a recording"):
        raise KeyboardInterrupt
