import itertools
import json
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqpipe import ConfigError, DataError, InputError, PaddedSequence, TaggerHead, Tagging
from seqpipe.answers.tagging import Span, TaggedWord, TagSequence
from seqpipe.core.measure import seconds
from seqpipe.core.metric import score
from seqpipe.decoding.spans import spans_of
from seqpipe.decoding.tag_schemes import allowed_tags, convert
from seqpipe.heads.class_weights import class_weights
from seqpipe.heads.tagger import TaggerDecoding, TagPath
from seqpipe.inference.formats.choose import check_format
from seqpipe.text.splitting import joined

D = 6
TAGS = [
    ["B-LOC", "I-LOC", "O", "B-PER"],
    ["B-LOC", "O", "B-PER", "I-PER", "I-PER", "O"],
    ["O"],
    ["B-LOC", "I-LOC", "I-LOC"],
]
WORDS = [["DET", "NOUN"], ["VERB", "DET", "NOUN"]]
KINDS = [
    {"decoder": decoder, "scheme": scheme} for decoder in ("softmax", "crf") for scheme in ("none", "bio", "bioes")
]
Encoded = Callable[..., PaddedSequence]


def fitted(targets: Any = TAGS, **options: Any) -> TaggerHead:
    """A head that is sure of something: random transitions, emissions far from each other."""
    torch.manual_seed(options.pop("seed", 0))
    head = TaggerHead(input_size=D, **options)
    head.fit(targets)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return head.eval()


def bio(tag: str) -> str:
    prefix, hyphen, kind = tag.partition("-")
    return {"E": "I", "S": "B"}.get(prefix, prefix) + hyphen + kind


def enumerated(head: TaggerHead, steps: Tensor) -> dict[tuple[str, ...], float]:
    """Every answer to one row ``[T, D]`` with its probability, from the parameters alone."""
    names, scores = head.classes.names, head(PaddedSequence.pad([steps])).values[0].double()
    if head.decoder == "crf":
        transitions, start, end = (part.detach().double() for part in (head.transitions, head.start, head.end))
    else:
        size = len(names)
        transitions, start, end = torch.zeros(size, size), torch.zeros(size), torch.zeros(size)
    rules = allowed_tags(names, head.scheme)
    found: dict[tuple[str, ...], float] = {}
    for path in itertools.product(range(len(names)), repeat=len(scores)):
        pairs = [rules.transitions[pair] for pair in itertools.pairwise(path)]
        if not all([rules.start[path[0]], *pairs, rules.end[path[-1]]]):
            continue
        total = start[path[0]] + end[path[-1]] + sum(scores[step, tag] for step, tag in enumerate(path))
        total = total + sum(transitions[one, two] for one, two in itertools.pairwise(path))
        found[tuple(names[tag] if head.scheme == "none" else bio(names[tag]) for tag in path)] = float(total)
    highest = max(found.values())
    whole = math.fsum(math.exp(total - highest) for total in found.values())
    return {tags: math.exp(total - highest) / whole for tags, total in found.items()}


@torch.no_grad()
@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize(("seed", "temperature"), [(0, 1.0), (1, 1.0), (1, 2.5)])
def test_confidences_are_what_enumeration_says(
    options: dict[str, Any], seed: int, temperature: float, encoded: Encoded
) -> None:
    targets = [row[:3] for row in TAGS]
    head = fitted(targets, seed=seed, **options)
    head.temperature = temperature
    batch = encoded([3, 1, 4, 2], seed=seed)
    answers = head.decode(batch, TaggerDecoding(n_best=4))
    for steps, path in zip(batch.rows(), answers, strict=True):
        flat = {tags: share ** (1 / temperature) for tags, share in enumerated(head, steps).items()}
        known = {tags: share / sum(flat.values()) for tags, share in flat.items()}
        best = sorted(known.items(), key=lambda item: -item[1])
        assert tuple(path.tags) == best[0][0]
        assert path.confidence == pytest.approx(best[0][1], abs=1e-6)
        for place, (tag, confidence) in enumerate(zip(path.tags, path.confidences, strict=True)):
            assert confidence == pytest.approx(
                sum(share for tags, share in known.items() if tags[place] == tag), abs=1e-6
            )
        wanted = spans_of(path.tags) if head.scheme != "none" else []
        assert [span[:3] for span in path.spans] == wanted
        for *span, confidence in path.spans:
            expected = sum(share for tags, share in known.items() if tuple(span) in spans_of(tags))
            assert confidence == pytest.approx(expected, abs=1e-6)
        assert [tuple(tags) for tags, _ in path.alternatives] == [tags for tags, _ in best[:4]]
        assert [share for _, share in path.alternatives] == pytest.approx([share for _, share in best[:4]], abs=1e-6)
    posteriors = head.posteriors(batch, [head.encode_target(path.tags) for path in answers])
    assert posteriors == pytest.approx([path.confidence for path in answers], abs=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("options", [kind for kind in KINDS if kind["scheme"] != "none"])
@pytest.mark.parametrize("seed", range(4))
def test_answers_are_valid_sequences_whatever_the_emissions(
    options: dict[str, Any], seed: int, encoded: Encoded
) -> None:
    head = fitted(seed=seed, **options)
    answers = head.decode(encoded([20, 1, 2, 7, 40], seed=seed), TaggerDecoding(n_best=5))
    begun = 0
    for path in answers:
        for tags in (path.tags, *(tags for tags, _ in path.alternatives)):
            assert convert(tags, "bio") == tags
            begun += sum(tag.startswith("I-") for tag in tags)
    assert begun > 0
    with_rules_only_between = fitted(seed=seed, decoder="softmax", scheme="none")
    unruled = [path.tags for path in with_rules_only_between.decode(encoded([20, 1, 2, 7, 40], seed=seed))]
    assert any(convert(tags, "bio") != tags for tags in unruled)  # the emissions alone break the rules


@pytest.mark.parametrize("scheme", ["none", "bio", "bioes"])
def test_the_loss_of_a_crf_is_what_the_posteriors_say(scheme: Any, encoded: Encoded) -> None:
    head = fitted(decoder="crf", scheme=scheme)
    batch = encoded([4, 6, 1, 3])
    targets = [head.encode_target(tags) for tags in TAGS]
    total, count = head.loss(batch, targets)
    assert float(count) == 14
    expected = -sum(math.log(share) for share in head.posteriors(batch, targets))
    assert total.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("options", [{}, {"class_weights": {"NOUN": 3.0}}, {"label_smoothing": 0.1}])
def test_the_loss_of_softmax_is_torch_s_cross_entropy_over_words(options: dict[str, Any], encoded: Encoded) -> None:
    head = fitted(WORDS, **options)
    batch = encoded([2, 3])
    targets = [head.encode_target(tags) for tags in WORDS]
    total, count = head.loss(batch, targets)
    criterion = nn.CrossEntropyLoss(
        weight=class_weights(head.classes, options.get("class_weights", "none")),
        label_smoothing=options.get("label_smoothing", 0.0),
    )
    emissions = head(batch)
    expected = criterion(emissions.values[emissions.mask()], torch.cat(targets))
    assert (total / count).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("options", KINDS)
def test_gradients_reach_every_parameter(options: dict[str, Any], encoded: Encoded) -> None:
    head = fitted(hidden_sizes=[5], **options).train()
    head.loss(encoded([4, 6, 1, 3]), [head.encode_target(tags) for tags in TAGS])[0].backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name
        assert bool(torch.isfinite(parameter.grad).all()), name


def test_targets_are_lists_of_tags_or_texts_of_them() -> None:
    head = fitted(WORDS)
    assert head.encode_target("DET  NOUN\tDET").tolist() == head.encode_target(["DET", "NOUN", "DET"]).tolist()
    assert fitted([[0, 1.0], ["0"]]).encode_target(np.array([1.0, 0])).tolist() == [1, 0]  # of a list with gaps
    for raw in ("", "  ", [], None, 5, [0.5], ["DET", ""], ["DET", None], {"DET": 1}):
        with pytest.raises(InputError, match="should be a tag for each word") as caught:
            head.encode_target(raw)
        assert caught.value.kind == "bad value"
    with pytest.raises(InputError, match=r"'NOUM' is none of the classes .*did you mean NOUN\?") as caught:
        head.encode_target(["DET", "NOUM"])
    assert caught.value.kind == "unknown label"
    with pytest.raises(DataError, match="the only one is 'DET'"):
        fitted(["DET", ["DET", "DET"], None])
    with pytest.raises(ConfigError, match="no tags yet"):
        TaggerHead(input_size=D)(PaddedSequence.pad([torch.zeros(1, D)]))


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_a_span_that_begins_with_i_is_one_that_begins_with_b(scheme: Any) -> None:
    head = fitted(scheme=scheme)
    for odd, proper in ((["I-LOC", "I-LOC", "O"], ["B-LOC", "I-LOC", "O"]), (["O", "I-PER"], ["O", "B-PER"])):
        assert torch.equal(head.encode_target(odd), head.encode_target(proper))
    counts = head.metric.count([["I-LOC", "I-LOC", "O"]], [tagged(["B-LOC", "I-LOC", "O"])])
    assert head.metric.errors(counts).tolist() == [0.0]


@pytest.mark.parametrize("odd", ["DET", "X-LOC", "O-LOC", "LOC-B"])
def test_tags_that_belong_to_no_scheme_are_refused(odd: str) -> None:
    with pytest.raises(ConfigError, match=f"head.scheme is bioes, and '{odd}' .* set it to none"):
        fitted([[odd, odd], ["O", odd]], scheme="bioes")
    with pytest.raises(InputError, match=f"'{odd}' marks no span of the scheme bio") as caught:
        fitted([*TAGS, [odd]], scheme="bio").encode_target(["O", odd])
    assert caught.value.kind == "bad value"


def test_sentences_outside_of_spans_do_not_hide_that_no_tag_marks_one() -> None:
    for odd, meant in (("B_PER", "B-PER"), ("PER-B", "B-PER"), ("b-per", "B-per"), ("B PER", "B-PER")):
        with pytest.raises(
            ConfigError, match=f"head.scheme is bio, and '{odd}' marks no span .*write {meant} for {odd}"
        ):
            fitted([["O", "O"], ["O", odd]], scheme="bio")
    assert fitted([["O", "O"], ["O", "B_PER"]], scheme="none").classes.names == ["B_PER", "O"]
    with pytest.raises(InputError, match="'B_PER' marks no span"):
        fitted(scheme="bio").metric.count([["B_PER"]], [tagged(["O"])])


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_other_schemes_are_read_too(scheme: Any) -> None:
    head = fitted(scheme=scheme)
    for tags in (["B-LOC", "E-LOC", "O"], ["B-LOC", "L-LOC", "O"], ["I-LOC", "I-LOC", "O"]):
        assert torch.equal(head.encode_target(tags), head.encode_target(["B-LOC", "I-LOC", "O"]))
    assert torch.equal(head.encode_target(["U-PER", "-X-"]), head.encode_target(["B-PER", "O"]))


def tagged(tags: list[str], truncated: int = 0) -> Tagging:
    words = tuple(TaggedWord("w", tag, place, place + 1, 0.5) for place, tag in enumerate(tags))
    return Tagging("r1", 0.5, words, (), (), truncated)


def test_another_number_of_tags_than_of_words_is_refused(encoded: Encoded) -> None:
    for options in KINDS:
        head = fitted(**options)
        with pytest.raises(InputError, match="row 1 of the batch: 3 tags for 2 words") as caught:
            head.loss(encoded([4, 2]), [head.encode_target(tags) for tags in (TAGS[0], TAGS[3])])
        assert caught.value.kind == "wrong number of tags"
        assert head.posteriors(encoded([4, 2]), [head.encode_target(tags) for tags in (TAGS[0], TAGS[3])])[1] == 0.0
        with pytest.raises(InputError, match="r1: 3 tags for 2 words"):
            head.metric.count([TAGS[3]], [tagged(["O", "O"])])
    # What the features have cut off was not answered, and is not scored.
    assert score(head.metric, [TAGS[3]], [tagged(["B-LOC", "I-LOC"], truncated=1)])["accuracy"] == 100


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_spans_without_a_type_are_answered_in_bio_too(scheme: Any, encoded: Encoded) -> None:
    rows = [["B", "I", "O", "B"], ["O", "B", "I", "I", "O"]]
    head = fitted(rows, scheme=scheme)
    for path in head.decode(encoded([9, 4])):
        assert set(path.tags) <= {"B", "I", "O"}
        assert {span[0] for span in path.spans} <= {""}
    assert score(head.metric, rows, [tagged(row) for row in rows])["f1"] == 100


def test_types_with_hyphens_stay_whole() -> None:
    head = fitted([["B-far-away", "I-far-away", "O"]] * 2, scheme="bioes")
    assert "f1_far-away" in head.metric.kinds
    assert score(head.metric, [["B-far-away", "O"]], [tagged(["B-far-away", "O"])])["f1_far-away"] == 100


def test_places_of_words_and_spans_are_those_of_the_text(place: Any) -> None:
    words = ["New", "York", "is", "far"]
    path = TagPath(["B-LOC", "I-LOC", "O", "O"], [0.9, 0.8, 0.7, 0.6], 0.5, [("LOC", 0, 2, 0.75)], [(["O"] * 4, 0.1)])
    found = fitted(scheme="bio").answer("r", path, place(" ".join(words), joined(words), 2))
    assert found.spans == (Span("LOC", "New York", 0, 8, 0.75),)
    assert [(word.text, word.tag, word.start, word.end) for word in found.words][3] == ("far", "O", 12, 15)
    assert found.alternatives == (TagSequence(("O",) * 4, 0.1),)
    assert (found.id, found.confidence, found.truncated) == ("r", 0.5, 2)
    record = json.loads(json.dumps(found.to_json()))
    assert record["spans"] == [{"type": "LOC", "text": "New York", "start": 0, "end": 8, "confidence": 0.75}]
    assert set(record) == {field.name for field in fields(Tagging)}
    assert record["alternatives"] == [{"tags": ["O"] * 4, "confidence": 0.1}]
    for kind in ("jsonl", "csv", "parquet"):
        check_format(kind, Tagging, seconds(16_000))


def test_what_is_compared_is_what_conlleval_reads() -> None:
    head = fitted(scheme="bio")
    targets: list[Any] = [["I-LOC", "O"], "O O"]
    predictions = [tagged(["B-LOC", "O"]), tagged(["B-PER", "O"])]
    assert head.metric.comparable(targets, predictions) == (["B-LOC O", "O O"], ["B-LOC O", "B-PER O"])
    assert head.metric.aligned(targets, predictions)["tags"][1] == [("O", "B-PER"), ("O", "O")]
    assert [(mark.text, mark.start, mark.item) for mark in predictions[1].marks] == [("B-PER", 0, 0), ("O", 1, 1)]
    assert head.metric.main == "f1"
    assert fitted(WORDS).metric.main == "accuracy"


@pytest.mark.parametrize("options", KINDS)
def test_assets_restore_the_tags(options: dict[str, Any], tmp_path: Path, encoded: Encoded) -> None:
    head = fitted(**options)
    head.save_assets(tmp_path)
    other = TaggerHead(input_size=D, **options)
    other.load_assets(tmp_path)
    other.load_state_dict(head.state_dict())
    batch = encoded([3, 8, 1])
    assert other.eval().decode(batch) == head.decode(batch)
    assert other.metric.names == head.metric.names


@torch.no_grad()
@pytest.mark.parametrize("options", KINDS)
def test_an_answer_does_not_depend_on_its_company(options: dict[str, Any], encoded: Encoded) -> None:
    head = fitted(**options)
    batch = encoded([3, 8, 1, 30])
    together = head.decode(batch.extended(64).masked(float("nan")), TaggerDecoding(n_best=2))
    for steps, path in zip(batch.rows(), together, strict=True):
        alone = head.decode(PaddedSequence.pad([steps]), TaggerDecoding(n_best=2))[0]
        assert path.tags == alone.tags
        assert path.confidences == pytest.approx(alone.confidences, abs=1e-5)
        assert path.confidence == pytest.approx(alone.confidence, abs=1e-5)
        assert [span[:3] for span in path.spans] == [span[:3] for span in alone.spans]
        assert [tags for tags, _ in path.alternatives] == [tags for tags, _ in alone.alternatives]
