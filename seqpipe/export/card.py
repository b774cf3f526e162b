"""The card of a model on the Hub, every number of which stands in the run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqpipe.config.plain_yaml import dump_yaml
from seqpipe.core.feature import Reader
from seqpipe.evaluation.scores.evaluate import Evaluation
from seqpipe.inference.calibration_file import CalibrationFile
from seqpipe.pipeline import Pipeline

TASKS = {
    ("second", "CTCHead"): "automatic-speech-recognition",
    ("second", "AttentionHead"): "automatic-speech-recognition",
    ("second", "ClassifierHead"): "audio-classification",
    ("token", "ClassifierHead"): "text-classification",
    ("token", "MultiLabelHead"): "text-classification",
    ("token", "TaggerHead"): "token-classification",
    ("token", "AttentionHead"): "translation",
    ("token", "LanguageModelHead"): "text-generation",
    ("pixel", "CTCHead"): "image-to-text",
    ("pixel", "AttentionHead"): "image-to-text",
}
"""The Hub's names of tasks, by what inputs are measured in and the class of the head."""


def model_card(
    name: str,
    run: Path,
    pipeline: Pipeline,
    *,
    language: Sequence[str],
    licence: str | None,
    evaluation: Evaluation | None,
    calibration: CalibrationFile | None,
    exported: Mapping[str, Any] | None,
) -> str:
    """README.md of a repository: YAML for the Hub, then text.

    Args:
        name: ``owner/name``.
        run: directory, whose ``metrics.json`` is shown.
        pipeline: of the run.
        language: of the model, as ISO 639 codes; none where it has none.
        licence: as the Hub names it.
        evaluation: on dev, if the rows are here; else the scores of the run's end, without intervals.
        calibration: of the run.
        exported: the verification of the exported model that lies beside, if one does.
    """
    metrics = json.loads((run / "metrics.json").read_bytes())
    head, reader = type(pipeline.head).__name__, pipeline.features.reader
    task = TASKS.get((reader.measure.name, head))
    scores = _scores(metrics, evaluation)
    front: dict[str, Any] = {"library_name": "seqpipe", "tags": ["seqpipe", "lstm", *(["onnx"] if exported else [])]}
    if language:
        front["language"] = list(language)
    if licence:
        front["license"] = licence
    if task:
        front["pipeline_tag"] = task
        results = [{"type": kind, "value": round(value, 4)} for kind, (value, _) in scores.items()]
        dataset = {"name": f"dev rows (fingerprint {metrics['data']})", "type": "private"}
        front["model-index"] = [
            {"name": name, "results": [{"task": {"type": task}, "dataset": dataset, "metrics": results}]}
        ]
    lines = ["---", dump_yaml(front).rstrip(), "---", "", f"# {name}", ""]
    lines += [f"{_what(reader, head)}, {metrics['parameters']:,} parameters, trained with seqpipe.", ""]
    lines += ["## Use", "", "```python", "import seqpipe", "", f'model = seqpipe.load("hub:{name}")']
    lines += ["for answer in model.predict([...]):", "    print(answer.to_json())", "```", ""]
    if exported:
        lines += ["Without torch, by the folder `onnx/` here: `seqpipe-run onnx INPUT... --output NAME`.", ""]
    lines += [
        "## Scores",
        "",
        f"On {metrics['rows']['dev']:,} dev rows, which never trained; {metrics['scoring']}.",
        "",
    ]
    lines += ["| score | value | 95 % interval |", "|---|---|---|"]
    lines += [f"| {kind} | {value:.2f} | {_interval(interval)} |" for kind, (value, interval) in scores.items()]
    lines += ["", "## Training", ""]
    lines += _training(metrics)
    lines += ["", "## Confidence", "", *_calibrated(calibration)]
    if exported:
        told = (
            f"{exported['rows']:,} dev rows were answered by both: {exported['different_answers']} answers differ, "
            f"{exported['score']} is {exported['model_score']:.2f} and {exported['exported_score']:.2f}."
        )
        lines += ["", "## ONNX", "", told]
    lines += ["", "## Limits", "", *_limits(metrics)]
    return "\n".join(lines) + "\n"


def _what(reader: Reader, head: str) -> str:
    return f"A recurrent model over {reader.measure.kind} with {head}"


def _scores(
    metrics: Mapping[str, Any], evaluation: Evaluation | None
) -> dict[str, tuple[float, tuple[float, float] | None]]:
    if evaluation is not None:
        return {kind: (value, evaluation.intervals[kind]) for kind, value in evaluation.scores.items()}
    return {kind: (value, None) for kind, value in metrics["dev"].items() if kind != "loss"}


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"


def _training(metrics: Mapping[str, Any]) -> list[str]:
    rows, versions = metrics["rows"], metrics["versions"]
    machine = metrics.get("machine") or {}
    where = machine.get("gpu") or machine.get("processor") or ""
    return [
        f"- {rows['train']:,} rows; fingerprint of the data {metrics['data']}",
        f"- {metrics['epochs']} epochs, seed {metrics['seed']}, {metrics['seconds']:,.0f} s"
        + (where and f" on {where}"),
        f"- seqpipe {versions['seqpipe']}, torch {versions['torch']}",
        "- all options stand in `recipe.yaml`",
    ]


def _calibrated(calibration: CalibrationFile | None) -> list[str]:
    if calibration is None or not calibration.fits:
        return ["Confidences are as the model has them; they were not calibrated."]
    lines = []
    for fit in calibration.fits:
        for kind, figures in fit.figures.items():
            lines.append(
                f"- {kind}: expected calibration error {figures.before:.2f} % before, {figures.after:.2f} % after, on "
                f"rows that the fit had not seen ({fit.rows:,} of {fit.source})"
            )
    return lines


def _limits(metrics: Mapping[str, Any]) -> list[str]:
    return [
        f"The scores are those of rows like the {metrics['rows']['train']:,} that it has learnt from, and say nothing "
        "of others. Whether it treats people unequally was not looked into.",
    ]
