from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from seqpipe.config.overrides import set_value
from seqpipe.config.recipe import recipe_folders
from seqpipe.evaluation.experiments.recipe_text import edited

SHIPPED = sorted({path for folder in recipe_folders() for path in folder.rglob("*.yaml")})

VALUES: dict[str, Any] = {
    "data.root": "/a folder/with: signs # in it",
    "training.learning_rate": 1e-05,
    "training.threads": 2,
    "pipeline.encoder.dropout": 0.35,
}
SPEECH_VALUES: dict[str, Any] = {
    **VALUES,
    "pipeline.features.SpecAugment.time_masks": 3,
    "pipeline.features.LogMel.low_hertz": 50.0,
    "pipeline.frontend.strides": [[2, 2], [1, 2]],
    "pipeline.head.text": ["lowercase"],
    "decoding.method": "greedy",
}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_values_change_and_every_comment_stays(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    values = SPEECH_VALUES if path.parent.name == "speech" else VALUES
    changed = edited(text, values)
    assert changed is not None
    meant = yaml.safe_load(text)
    for key, value in values.items():
        set_value(meant, key, value, key)
    assert yaml.safe_load(changed) == meant
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line and "  root:" not in line]
    assert [
        line.partition("#")[2] for line in changed.splitlines() if "#" in line and "/a folder" not in line
    ] == comments


TEXT = """# mine
pipeline:
  features:
    - {stage: Waveform}   # read
    # faster and slower
    - stage: SpeedPerturbation
      factors:
        - 1.0   # as it is
        - 0.9

      # and then
    - stage: LogMel
  frontend:
  encoder: {stage: RecurrentEncoder, layers: 1}
training: {epochs: 3}
"""

KEYS = [
    "pipeline.features.Waveform.sample_rate",
    "pipeline.features.SpeedPerturbation.factors",
    "pipeline.features.2.n_mels",
    "pipeline.frontend.dropout",
    "pipeline.encoder.layers",
    "pipeline.encoder",
    "training.epochs",
    "training.seed",
    "decoding.method",
]
plain = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9),  # recipes hold no null characters
)


@example({"pipeline.features.Waveform.sample_rate": "0{"})
@example({"pipeline.features.Waveform.sample_rate": "a\x85b"})
@given(st.dictionaries(st.sampled_from(KEYS), st.one_of(plain, st.lists(plain, max_size=3)), min_size=1))
def test_any_plain_value_reads_as_it_was_meant(values: dict[str, Any]) -> None:
    if "pipeline.encoder" in values:
        values.pop("pipeline.encoder.layers", None)
    meant = yaml.safe_load(TEXT)
    for key, value in values.items():
        set_value(meant, key, value, key)
    changed = edited(TEXT, values)
    assert changed is not None
    assert yaml.safe_load(changed) == meant
    assert changed.startswith("# mine\n")


def test_what_can_not_be_edited_is_left_to_others() -> None:
    assert edited("a: [1, 2]\n", {"a.name": 2}) is None
    assert edited("a: 1\n", {"a.x": 2}) is None
