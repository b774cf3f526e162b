from collections.abc import Callable

from seqpipe.checks.part import Part
from seqpipe.checks.targets import compare_classes, find_rare_characters
from seqpipe.heads.ctc import CTCHead
from seqpipe.heads.multi_label import MultiLabelHead
from seqpipe.heads.regression import RegressionHead
from seqpipe.heads.tagger import TaggerHead

MakePart = Callable[..., Part]
Named = Callable[[Part], list[tuple[int, str]]]


def test_a_character_that_hardly_any_row_of_train_has_is_named(make_part: MakePart, named: Named) -> None:
    texts = ["ab"] * 60
    texts[3], texts[5], texts[9], texts[11] = "aXb", "aYb", "aYb", "az"
    train, dev = make_part("train", [*texts, "z", "z"]), make_part("dev", ["aXb"])
    for part in (train, dev):
        find_rare_characters(part, CTCHead(input_size=1))
    assert named(train) == [(4, "rare character"), (6, "rare character"), (10, "rare character")]
    assert named(dev) == []
    assert "'aXb' holds 'X' (in 1 row)" in train.findings.warnings[0][2]
    assert list(train.findings.numbers["characters"].items())[:3] == [("X", 1), ("Y", 2), ("z", 3)]


def test_characters_are_counted_after_the_rules_of_the_head(make_part: MakePart) -> None:
    train = make_part("train", ["ab"] * 60 + ["AB"])
    find_rare_characters(train, CTCHead(input_size=1, text=["lowercase"]))
    assert train.findings.warnings == []


def test_classes_are_counted_and_rare_or_missing_ones_named(make_part: MakePart, named: Named) -> None:
    train = make_part("train", ["cat"] * 30 + ["dog"] * 30 + ["cow"] * 30 + ["cta"])
    dev = make_part("dev", ["cat"] * 10 + ["dog"] * 10 + ["bird"])
    compare_classes([train, dev], CTCHead(input_size=1))
    assert (91, "target with few rows") in named(train)
    assert (61, "target not in dev") in named(train)
    assert len(named(train)) == 2  # that a class of one row is not in dev either is no news
    assert named(dev) == [(21, "target not in train")]
    assert train.findings.numbers["targets"] == {"cat": 30, "dog": 30, "cow": 30, "cta": 1}
    assert train.findings.summary == ["4 different targets (rows): 'cat' 30, 'dog' 30, 'cow' 30, 'cta' 1"]


def test_a_small_part_needn_t_hold_every_class(make_part: MakePart) -> None:
    train, dev = make_part("train", [1] * 20 + [2] * 20), make_part("dev", [1, 1])
    compare_classes([train, dev], CTCHead(input_size=1))
    assert train.findings.warnings == dev.findings.warnings == []


def test_texts_are_no_classes(make_part: MakePart) -> None:
    train = make_part("train", [f"text {number}" for number in range(60)])
    compare_classes([train], CTCHead(input_size=1))
    assert train.findings.warnings == []
    assert train.findings.summary == ["60 different targets"]


def test_the_tags_of_a_sentence_are_classes_and_their_words_are_counted(make_part: MakePart, named: Named) -> None:
    train = make_part("train", [["DET", "NOUN", "NOUN"]] * 30 + ["NOUN"] * 30 + [["VERB", "DET"]] * 9 + [["SYM"]])
    dev = make_part("dev", [["NOUN"]] * 20 + [["NOUN", "X"]] + [["DET"]] * 5)
    compare_classes([train, dev], TaggerHead(input_size=1))
    assert train.findings.summary == ["4 different tags (words): 'NOUN' 90, 'DET' 39, 'VERB' 9, 'SYM' 1"]
    assert named(train) == [(70, "tag with few words"), (61, "tag not in dev")]
    assert named(dev) == [(21, "tag not in train")]
    assert "no training word has the tag 'X' of 1 word" in dev.findings.warnings[0][2]


def test_tags_that_break_their_scheme_are_named_with_their_rows(make_part: MakePart, named: Named) -> None:
    good = ["O B-A I-A I-A", "B-A B-A O", "B-B I-B B-A I-A", "S-A B-B E-B"]
    bad = ["I-A I-A", "O I-A O I-B", "B-A I-B", "B-A O I-A"]
    train = make_part("train", good + bad)
    compare_classes([train], TaggerHead(input_size=1, scheme="bio"))
    assert named(train) == [(number, "broken span") for number in (5, 6, 7, 8)]
    messages = [message for _, _, message in train.findings.warnings]
    assert messages[0].startswith("tag 1 is I-A at the start;")
    assert messages[1].startswith("tag 2 is I-A after O, and 1 more;")
    assert messages[2].startswith("tag 2 is I-B after B-A;")
    free = make_part("train", good + bad)
    compare_classes([free], TaggerHead(input_size=1))
    assert free.findings.warnings == []


def test_a_target_that_is_none_is_left_to_who_encodes_it(make_part: MakePart) -> None:
    train = make_part("train", [["B-A"], [], 7, ["O"]])
    compare_classes([train], TaggerHead(input_size=1, scheme="bio"))
    assert train.findings.numbers["different_targets"] == 2


def test_a_head_says_which_classes_a_target_names(make_part: MakePart) -> None:
    train = make_part("train", ["cat|dog", "", ["dog"]] * 20)
    labels = MultiLabelHead(input_size=1)
    labels.fit([row.target for row in train.rows])
    compare_classes([train], labels)
    assert train.findings.numbers["targets"] == {"dog": 40, "cat": 20}
    train = make_part("train", [1.5, "2", [3]])
    values = RegressionHead(input_size=1)
    values.fit([row.target for row in train.rows])
    compare_classes([train], values)
    assert train.findings.summary == []
