"""Tag schemes: what they allow, and that a constrained decoding keeps to it."""

import re
from itertools import pairwise, product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.decoding.crf import n_best, viterbi
from seqpipe.decoding.spans import spans_of
from seqpipe.decoding.tag_schemes import Scheme, allowed_tags, check_tags, convert
from seqpipe.errors import ConfigError, InputError

BIO = ["O", "B-x", "I-x", "B-y", "I-y"]
BIOES = ["I-x", "O", "B-x", "E-x", "S-x", "S-y", "B-y", "E-y"]
# The same said another way: what a valid sequence looks like
GRAMMAR = {
    "bio": r"((O|B-x( I-x)*|B-y( I-y)*)( |$))+",
    "bioes": r"((O|S-[xy]|B-x( I-x)* E-x|B-y E-y)( |$))+",
}


def is_valid(tags: tuple[str, ...] | list[str], scheme: str) -> bool:
    return re.fullmatch(GRAMMAR[scheme], " ".join(tags)) is not None


@pytest.mark.parametrize(("tags", "scheme"), [(BIO, "bio"), (BIOES, "bioes")])
def test_what_is_allowed_is_the_grammar_of_the_scheme(tags: list[str], scheme: Scheme) -> None:
    allowed = allowed_tags(tags, scheme)
    for length in (1, 2, 3, 4):
        for numbers in product(range(len(tags)), repeat=length):
            valid = is_valid([tags[number] for number in numbers], scheme)
            pairs = [allowed.transitions[pair] for pair in pairwise(numbers)]
            assert all([allowed.start[numbers[0]], *pairs, allowed.end[numbers[-1]]]) == valid


@pytest.mark.parametrize(("tags", "scheme"), [(BIO, "bio"), (BIOES, "bioes")])
def test_a_constrained_decoding_never_gives_an_invalid_sequence(tags: list[str], scheme: Scheme) -> None:
    generator = torch.Generator().manual_seed(0)
    size, lengths = len(tags), torch.randint(1, 9, (300,), generator=generator)
    emissions = 50 * torch.randn(300, 8, size, generator=generator)
    scores = [50 * torch.randn(shape, generator=generator) for shape in ((size, size), (size,), (size,))]
    free, _ = viterbi(emissions, lengths, *scores)
    constrained = allowed_tags(tags, scheme).constrain(*scores)
    best, best_scores = viterbi(emissions, lengths, *constrained)
    assert bool(best_scores.isfinite().all())

    def named(path: list[int]) -> list[str]:
        return [tags[number] for number in path]

    rows = list(zip(best.tolist(), lengths.tolist(), strict=True))
    assert all(is_valid(named(path[:length]), scheme) for path, length in rows)
    assert not all(is_valid(named(path[: lengths[row]]), scheme) for row, path in enumerate(free.tolist()))
    for paths in n_best(emissions, lengths, *constrained, 5):
        assert paths
        assert all(is_valid(named(path), scheme) for path, _ in paths)


def test_none_allows_everything() -> None:
    allowed = allowed_tags(["NN", "VB"], "none")
    assert allowed.start.tolist() == allowed.end.tolist() == [True, True]
    assert bool(allowed.transitions.all())
    scores = (torch.randn(2, 2), torch.randn(2), torch.randn(2))
    assert all(torch.equal(own, other) for own, other in zip(allowed.constrain(*scores), scores, strict=True))


def test_constraints_let_gradients_through_where_they_allow() -> None:
    transitions, start, end = (torch.zeros(shape, requires_grad=True) for shape in ((5, 5), (5,), (5,)))
    allowed = allowed_tags(BIO, "bio")
    constrained = allowed.constrain(transitions, start, end)
    constrained[0].masked_fill(~allowed.transitions, 0.0).sum().backward()
    assert transitions.grad is not None
    assert torch.equal(transitions.grad.bool(), allowed.transitions)


def test_bilou_is_bioes_by_other_letters() -> None:
    allowed, other = (
        allowed_tags(["O", "B-x", "L-x", "U-x"], "bioes"),
        allowed_tags(["O", "B-x", "E-x", "S-x"], "bioes"),
    )
    assert torch.equal(allowed.transitions, other.transitions)
    assert torch.equal(allowed.start, other.start)
    assert torch.equal(allowed.end, other.end)


@pytest.mark.parametrize(
    ("tags", "scheme", "message"),
    [
        (["O", "NN"], "bio", "the tag 'NN' is none of the scheme 'bio'"),
        (["O", "E-x"], "bio", "the tag 'E-x' is none"),
        (["O", "O-x"], "bio", "the tag 'O-x' is none"),
        (["O", "-X-"], "bioes", "the tag '-X-' is none"),
        (["I-x"], "bio", "neither O nor a tag with B-"),
        (["B-x", "E-x"], "bioes", "neither O nor a tag with S-"),
        ([], "bio", "neither O nor a tag with B-"),
        (["O"], "bioe", "did you mean bioes"),
    ],
)
def test_tags_that_a_scheme_cant_hold_are_refused(tags: list[str], scheme: Scheme, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        allowed_tags(tags, scheme)


@pytest.mark.parametrize(
    ("tags", "bio", "bioes"),
    [
        ("B-x I-x I-x O B-y", "B-x I-x I-x O B-y", "B-x I-x E-x O S-y"),
        ("I-x I-x B-x O I-y", "B-x I-x B-x O B-y", "B-x E-x S-x O S-y"),  # IOB1
        ("B-x I-y", "B-x B-y", "S-x S-y"),  # I- of another type starts a span
        ("B-x L-x U-y", "B-x I-x B-y", "B-x E-x S-y"),  # BILOU
        ("B I O", "B I O", "B E O"),  # without types
        ("", "", ""),
    ],
)
def test_conversions(tags: str, bio: str, bioes: str) -> None:
    assert convert(tags.split(), "bio") == bio.split()
    assert convert(tags.split(), "bioes") == bioes.split()
    assert convert(tags.split(), "none") == tags.split()


@given(st.lists(st.sampled_from([*BIO, "E-x", "S-x", "E-y", "S-y"]), min_size=1))
def test_conversions_keep_the_spans_and_go_back_and_forth(tags: list[str]) -> None:
    bio, bioes = convert(tags, "bio"), convert(tags, "bioes")
    assert spans_of(bio) == spans_of(bioes) == spans_of(tags)
    assert is_valid(bio, "bio")
    assert convert(bioes, "bio") == bio
    assert convert(bio, "bioes") == bioes


def test_an_unknown_scheme_is_refused_in_conversions() -> None:
    unknown: Scheme = "iob"  # type: ignore[assignment]
    with pytest.raises(ConfigError, match="did you mean bio"):
        convert(["O"], unknown)


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_tags_of_every_scheme_that_is_read_are_written_well(scheme: Scheme) -> None:
    check_tags(["O", "B-PER", "I-PER", "E-PER", "S-PER", "L-PER", "U-PER", "B", "I", "B-A-B", "-X-", "B-B_C"], scheme)
    check_tags(["B_PER", "DET"], "none")


@pytest.mark.parametrize(
    ("odd", "meant"),
    [
        *(("B_PER", "B-PER"), ("B.PER", "B-PER"), ("B PER", "B-PER"), ("b-per", "B-per"), ("PER-B", "B-PER")),
        *(
            ("per_i", "I-per"),
            ("U/LOC", "U-LOC"),
            ("o", "O"),
            ("0", "O"),
            ("DET", None),
            ("X-LOC", None),
            ("O-PER", None),
        ),
    ],
)
def test_other_tags_are_shown_with_what_they_are_meant_for(odd: str, meant: str | None) -> None:
    with pytest.raises(InputError, match=r"mark no span of the scheme bio: tags are like B-PER, I-PER, O") as caught:
        check_tags(["B-PER", odd, "DET", *(f"X-{number}" for number in range(9))], "bio")
    said = str(caught.value)
    assert said.startswith(repr(odd))
    assert said.count("X-") <= 5
    assert " more " in said
    assert (f"; write {meant} for {odd}" in said) == (meant is not None)
