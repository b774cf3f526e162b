"""seqpipe: labelled sequences in, small and fast recurrent models out.

Everything public is importable from here; each name is loaded from its module at first use (PEP 562), so that
``import seqpipe`` and ``seqpipe -h`` cost next to nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

STAGES = {
    "Waveform": "seqpipe.features.waveform",
    "TrimSilence": "seqpipe.features.trim_silence",
    "SpeedPerturbation": "seqpipe.features.speed",
    "TempoPerturbation": "seqpipe.features.tempo",
    "PitchShift": "seqpipe.features.pitch_shift",
    "Reverberation": "seqpipe.features.reverberation",
    "Equalization": "seqpipe.features.equalization",
    "AddNoise": "seqpipe.features.noise",
    "Gain": "seqpipe.features.gain",
    "AddSilence": "seqpipe.features.silence",
    "LevelNormalization": "seqpipe.features.level",
    "LogMel": "seqpipe.features.log_mel",
    "MFCC": "seqpipe.features.mfcc",
    "Pitch": "seqpipe.features.pitch",
    "Chroma": "seqpipe.features.chroma",
    "Deltas": "seqpipe.features.deltas",
    "Concatenation": "seqpipe.features.concatenation",
    "Normalization": "seqpipe.features.normalization",
    "SpecAugment": "seqpipe.features.spec_augment",
    "FeatureDropout": "seqpipe.features.feature_dropout",
    "LineImage": "seqpipe.features.line_image",
    "LineDistortion": "seqpipe.features.line_distortion",
    "StrokeThickness": "seqpipe.features.stroke_thickness",
    "InkIntensity": "seqpipe.features.ink_intensity",
    "ImageBlur": "seqpipe.features.image_blur",
    "ImageNoise": "seqpipe.features.image_noise",
    "RandomErasing": "seqpipe.features.random_erasing",
    "Tokens": "seqpipe.features.tokens",
    "Embedding": "seqpipe.features.embedding",
    "OneHot": "seqpipe.features.embedding",
    "CharacterFeatures": "seqpipe.features.character_features",
    "AffixFeatures": "seqpipe.features.affix_features",
    "NGramFeatures": "seqpipe.features.ngram_features",
    "LogRatioFeatures": "seqpipe.features.log_ratio_features",
    "PenStrokes": "seqpipe.features.pen_strokes",
    "StrokeDistortion": "seqpipe.features.stroke_distortion",
    "StrokeFeatures": "seqpipe.features.stroke_features",
    "FeatureChain": "seqpipe.features.chain",
    "Conv2dFrontEnd": "seqpipe.frontends.conv2d",
    "Conv1dFrontEnd": "seqpipe.frontends.conv1d",
    "FrontEndChain": "seqpipe.frontends.chain",
    "RecurrentEncoder": "seqpipe.encoders.recurrent",
    "Bypass": "seqpipe.encoders.bypass",
    "Parallel": "seqpipe.encoders.parallel",
    "CTCHead": "seqpipe.heads.ctc",
    "ClassifierHead": "seqpipe.heads.classifier",
    "MultiLabelHead": "seqpipe.heads.multi_label",
    "RegressionHead": "seqpipe.heads.regression",
    "TaggerHead": "seqpipe.heads.tagger",
    "AttentionHead": "seqpipe.heads.attention",
}
"""Built-in stages by class name, and the module that holds each."""

EXPORTS = {
    **STAGES,
    "PaddedSequence": "seqpipe.sequence",
    "Stage": "seqpipe.stage",
    "StageConfig": "seqpipe.stage",
    "InputSize": "seqpipe.stage",
    "InputRate": "seqpipe.stage",
    "Draw": "seqpipe.randomness",
    "Recipe": "seqpipe.recipe",
    "load_recipe": "seqpipe.recipe",
    "Pipeline": "seqpipe.pipeline",
    "Row": "seqpipe.data.rows",
    "read_rows": "seqpipe.data.source",
    "FileSpan": "seqpipe.data.rows",
    "PageLine": "seqpipe.data.page_line",
    "Piece": "seqpipe.data.rows",
    "train": "seqpipe.training.train",
    "evaluate": "seqpipe.evaluation.evaluate",
    "Evaluation": "seqpipe.evaluation.evaluate",
    "write_report": "seqpipe.evaluation.report.write",
    "compare": "seqpipe.evaluation.compare",
    "Comparison": "seqpipe.evaluation.compare",
    "check": "seqpipe.evaluation.check",
    "crossval": "seqpipe.evaluation.crossval",
    "CrossValidation": "seqpipe.evaluation.crossval",
    "tune": "seqpipe.evaluation.tune",
    "SearchReport": "seqpipe.evaluation.search_report",
    "load": "seqpipe.inference.predictor",
    "Predictor": "seqpipe.inference.predictor",
    "Transcript": "seqpipe.heads.transcript",
    "Classification": "seqpipe.heads.classification",
    "MultiClassification": "seqpipe.heads.classification",
    "Regression": "seqpipe.heads.regression_answer",
    "Tagging": "seqpipe.heads.tagging",
    "GeneratedText": "seqpipe.heads.generated_text",
    "Failure": "seqpipe.inference.failure",
    "SeqpipeError": "seqpipe.errors",
    "ConfigError": "seqpipe.errors",
    "DataError": "seqpipe.errors",
    "InputError": "seqpipe.errors",
    "RunError": "seqpipe.errors",
}

__all__ = sorted(EXPORTS)


def __getattr__(name: str) -> Any:
    if name in EXPORTS:
        value = getattr(importlib.import_module(EXPORTS[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'seqpipe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *EXPORTS])
