"""seqpipe: labelled sequences in, small and fast recurrent models out.

Everything public is importable from here; each name is loaded from its module at first use (PEP 562), so that
``import seqpipe`` and ``seqpipe -h`` cost next to nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

STAGES = {
    "Waveform": "seqpipe.features.speech.waveform",
    "TrimSilence": "seqpipe.features.speech.trim_silence",
    "SpeedPerturbation": "seqpipe.features.speech.augmentation.speed",
    "TempoPerturbation": "seqpipe.features.speech.augmentation.tempo",
    "PitchShift": "seqpipe.features.speech.augmentation.pitch_shift",
    "Reverberation": "seqpipe.features.speech.augmentation.reverberation",
    "Equalization": "seqpipe.features.speech.augmentation.equalization",
    "AddNoise": "seqpipe.features.speech.augmentation.noise",
    "Gain": "seqpipe.features.speech.augmentation.gain",
    "AddSilence": "seqpipe.features.speech.augmentation.silence",
    "LevelNormalization": "seqpipe.features.speech.level",
    "LogMel": "seqpipe.features.speech.log_mel",
    "MFCC": "seqpipe.features.speech.mfcc",
    "Pitch": "seqpipe.features.speech.pitch",
    "Chroma": "seqpipe.features.speech.chroma",
    "Deltas": "seqpipe.features.deltas",
    "Concatenation": "seqpipe.features.concatenation",
    "Normalization": "seqpipe.features.normalization",
    "SpecAugment": "seqpipe.features.speech.augmentation.spec_augment",
    "FeatureDropout": "seqpipe.features.feature_dropout",
    "LineImage": "seqpipe.features.image.line_image",
    "LineDistortion": "seqpipe.features.image.augmentation.line_distortion",
    "StrokeThickness": "seqpipe.features.image.augmentation.stroke_thickness",
    "InkIntensity": "seqpipe.features.image.augmentation.ink_intensity",
    "ImageBlur": "seqpipe.features.image.augmentation.image_blur",
    "ImageNoise": "seqpipe.features.image.augmentation.image_noise",
    "RandomErasing": "seqpipe.features.image.augmentation.random_erasing",
    "Tokens": "seqpipe.features.text.tokens",
    "Embedding": "seqpipe.features.text.embedding",
    "OneHot": "seqpipe.features.text.embedding",
    "CharacterFeatures": "seqpipe.features.text.character_features",
    "AffixFeatures": "seqpipe.features.text.affix_features",
    "NGramFeatures": "seqpipe.features.text.ngram_features",
    "LogRatioFeatures": "seqpipe.features.text.log_ratio_features",
    "PenStrokes": "seqpipe.features.pen.pen_strokes",
    "StrokeDistortion": "seqpipe.features.pen.augmentation.stroke_distortion",
    "StrokeFeatures": "seqpipe.features.pen.stroke_features",
    "FeatureChain": "seqpipe.core.chain",
    "Conv2dFrontEnd": "seqpipe.frontends.conv2d",
    "Conv1dFrontEnd": "seqpipe.frontends.conv1d",
    "Chain": "seqpipe.core.chain",
    "PyramidalEncoder": "seqpipe.encoders.pyramidal",
    "RecurrentEncoder": "seqpipe.encoders.recurrent",
    "Bypass": "seqpipe.encoders.bypass",
    "Parallel": "seqpipe.encoders.parallel",
    "CTCHead": "seqpipe.heads.ctc",
    "ClassifierHead": "seqpipe.heads.classifier",
    "MultiLabelHead": "seqpipe.heads.multi_label",
    "RegressionHead": "seqpipe.heads.regression",
    "TaggerHead": "seqpipe.heads.tagger",
    "AttentionHead": "seqpipe.heads.attention",
    "LanguageModelHead": "seqpipe.heads.language_model",
}
"""Built-in stages by class name, and the module that holds each."""

LANGUAGE_MODELS = ("seqpipe.generation.search_model", "seqpipe.language.arpa_files")
"""Modules that let `seqpipe.core.language_model_files.load_language_model` read a kind of file or folder."""

EXPORTS = {
    **STAGES,
    "PaddedSequence": "seqpipe.core.sequence",
    "Stage": "seqpipe.core.stage",
    "Feature": "seqpipe.core.feature",
    "Reader": "seqpipe.core.feature",
    "Measure": "seqpipe.core.measure",
    "Head": "seqpipe.core.head",
    "Encoded": "seqpipe.core.head",
    "Location": "seqpipe.core.source",
    "Source": "seqpipe.core.source",
    "Metric": "seqpipe.core.metric",
    "BaseMetric": "seqpipe.core.metric",
    "ScoreKind": "seqpipe.core.metric",
    "Answer": "seqpipe.core.answer",
    "StageConfig": "seqpipe.core.stage",
    "InputSize": "seqpipe.core.options",
    "InputRate": "seqpipe.core.options",
    "RowKey": "seqpipe.core.randomness",
    "Recipe": "seqpipe.config.recipe",
    "load_recipe": "seqpipe.config.recipe",
    "Pipeline": "seqpipe.pipeline",
    "Row": "seqpipe.data.rows",
    "read_rows": "seqpipe.data.source",
    "FileSpan": "seqpipe.core.input",
    "PageLine": "seqpipe.data.pages.line",
    "Segment": "seqpipe.core.input",
    "train": "seqpipe.training.train",
    "evaluate": "seqpipe.evaluation.scores.evaluate",
    "Evaluation": "seqpipe.evaluation.scores.evaluate",
    "write_report": "seqpipe.evaluation.report.write",
    "compare": "seqpipe.evaluation.scores.compare",
    "calibrate": "seqpipe.evaluation.calibration.calibrate",
    "Comparison": "seqpipe.evaluation.scores.compare",
    "check": "seqpipe.checks.check",
    "crossval": "seqpipe.evaluation.experiments.crossval",
    "CrossValidation": "seqpipe.evaluation.experiments.crossval",
    "tune": "seqpipe.evaluation.experiments.tune",
    "SearchReport": "seqpipe.evaluation.experiments.search_report",
    "load": "seqpipe.inference.predictor",
    "Predictor": "seqpipe.inference.predictor",
    "Transcript": "seqpipe.answers.transcript",
    "Classification": "seqpipe.answers.classification",
    "MultiClassification": "seqpipe.answers.classification",
    "Regression": "seqpipe.answers.regression",
    "Tagging": "seqpipe.answers.tagging",
    "GeneratedText": "seqpipe.answers.generated_text",
    "ScoredText": "seqpipe.answers.scored_text",
    "generate": "seqpipe.generation.generate",
    "stream_text": "seqpipe.generation.generate",
    "best_replies": "seqpipe.generation.reply",
    "written_replies": "seqpipe.generation.reply",
    "TextModel": "seqpipe.generation.run_model",
    "Failure": "seqpipe.answers.failure",
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
