from seqpipe.data.rows import Row
from seqpipe.inference.slot import make_slot


def test_keys_tell_words_from_the_same_letters_divided_otherwise() -> None:
    inputs = ["a b", ["a", "b"], ["a b"], ["b", "a"], ["ab"], ["a", "b", ""], [], "", ["1 words"], "\ud800", ["\ud800"]]
    keys = [make_slot(Row("x", given), 1).key for given in inputs]
    assert len(set(keys)) == len(keys)
    assert make_slot(Row("x", ("a", "b")), 1).key == keys[1]
    assert make_slot(Row("y", ["a", "b"]), 1).key != keys[1]
