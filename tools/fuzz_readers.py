"""What `fuzz.py` feeds with broken inputs: each reader, with a small model behind it that has learnt nothing."""

from __future__ import annotations

import io
import json
import random
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from fuzz_targets import RUN, SMALL, TEXTS, FaultError, Target, finite

from seqpipe.answers.failure import Failure
from seqpipe.config.recipe import DataConfig, Recipe
from seqpipe.data.rows import Row
from seqpipe.pipeline import Pipeline

CAUGHT_LATE = ("is not an input that can be decoded", "the model's answer holds values that are no finite numbers")
"""What failures say that no reader knew of: the last nets of `infer`, which are there for stages of users' own."""


class ReaderTarget(Target):
    """Files that are inputs of a model: as `infer` finds, reads and answers them, in this process."""

    recipe: ClassVar[dict[str, Any]]
    beside: dict[str, bytes]

    def __init__(self) -> None:
        self.beside = {}

    def make(self, folder: Path) -> None:
        super().make(folder)
        pipeline = Pipeline(Recipe.model_validate({"data": {"train": ""}, **self.recipe}))
        pipeline.fit(self.rows())
        pipeline.save(folder / RUN)

    @abstractmethod
    def rows(self) -> list[Row]:
        """What the model learns its units or classes from."""

    def open(self, folder: Path) -> None:
        from seqpipe.inference.predictor import load

        super().open(folder)
        self.predictor = load(folder / RUN, device="cpu", threads=1, workers=1)
        self.config: DataConfig = self.predictor.pipeline.recipe.data
        self.suffixes = self.predictor.pipeline.features.reader.suffixes

    def run(self, name: str, data: bytes, scratch: Path, draw: random.Random | None = None) -> str:
        from seqpipe.inference.inputs import check_inputs, expand_inputs

        for other, content in self.beside.items():
            (scratch / other).write_bytes(content)
        path = scratch / name
        path.write_bytes(data)
        check_inputs([str(path)], self.config, suffixes=self.suffixes)
        rows = list(expand_inputs([str(path)], self.config, suffixes=self.suffixes))
        answers = list(self.predictor.predict(rows))
        if len(answers) < len(rows):  # more of files that hold several inputs
            raise FaultError(f"{len(answers)} answers to {len(rows)} inputs")
        for answer in answers:
            finite(answer.to_json())
            if isinstance(answer, Failure) and any(words in answer.message for words in CAUGHT_LATE):
                raise FaultError(answer.message)
        failures = sum(isinstance(answer, Failure) for answer in answers)
        return "answered" if failures < len(answers) else "failed" if failures else "empty"


class Audio(ReaderTarget):
    """Recordings in the formats that libsndfile writes."""

    recipe: ClassVar[dict[str, Any]] = {
        "pipeline": {
            "features": [{"stage": "Waveform", "sample_rate": 8000}, {"stage": "LogMel", "n_mels": 8}],
            "encoder": SMALL,
            "head": {"stage": "CTCHead"},
        }
    }

    def rows(self) -> list[Row]:
        return [Row(str(number), None, text) for number, text in enumerate(TEXTS)]

    def inputs(self) -> dict[str, bytes]:
        import soundfile

        tone = 0.3 * np.sin(2 * np.pi * 440 / 8000 * np.arange(2400)).astype(np.float32)
        stereo = np.stack([tone, tone[::-1]], axis=1)
        found = {}
        for name, samples, rate, format_, subtype in (
            ("a.wav", tone, 8000, "WAV", "PCM_16"),
            ("float.wav", tone, 8000, "WAV", "FLOAT"),
            ("stereo.wav", stereo, 16000, "WAVEX", "PCM_24"),
            ("law.wav", tone, 8000, "WAV", "ULAW"),
            ("adpcm.wav", tone, 8000, "WAV", "IMA_ADPCM"),
            ("a.flac", stereo, 8000, "FLAC", "PCM_16"),
            ("a.ogg", tone, 8000, "OGG", "VORBIS"),
            ("a.opus", tone, 8000, "OGG", "OPUS"),
            ("a.mp3", tone, 8000, "MP3", "MPEG_LAYER_III"),
            ("a.aiff", tone, 11025, "AIFF", "PCM_16"),
            ("a.au", tone, 8000, "AU", "PCM_16"),
            ("a.w64", tone, 8000, "W64", "PCM_16"),
            ("a.sph", tone, 8000, "NIST", "PCM_16"),
        ):
            written = io.BytesIO()
            soundfile.write(written, samples, rate, format=format_, subtype=subtype)
            found[name] = written.getvalue()
        return found


class Image(ReaderTarget):
    """Images of lines."""

    recipe: ClassVar[dict[str, Any]] = {
        "pipeline": {
            "features": [{"stage": "LineImage", "height": 16}],
            "frontend": {"stage": "Conv2dFrontEnd", "channels": [4, 4]},
            "encoder": SMALL,
            "head": {"stage": "CTCHead"},
        }
    }

    def rows(self) -> list[Row]:
        return [Row(str(number), self.pixels(), text) for number, text in enumerate(TEXTS)]

    @staticmethod
    def pixels(height: int = 24, width: int = 60) -> np.ndarray[Any, Any]:
        pixels = np.full((height, width), 230, np.uint8)
        pixels[height // 3 : -height // 3, 5:-5:4] = 30
        return pixels

    def inputs(self) -> dict[str, bytes]:
        from PIL import Image as Images

        grey = Images.fromarray(self.pixels())
        found = {}
        for name, image, options in (
            ("grey.png", grey, {}),
            ("colour.png", grey.convert("RGBA"), {}),
            ("palette.png", grey.convert("P"), {}),
            ("deep.png", Images.fromarray(self.pixels().astype(np.uint16) * 200), {}),
            ("bits.tif", grey.convert("1"), {"compression": "group4"}),
            ("a.tiff", grey.convert("RGB"), {"compression": "tiff_lzw"}),
            ("plain.tif", grey, {}),
            ("pages.tif", grey, {"save_all": True, "append_images": [grey.convert("1"), grey]}),
            ("a.jpg", grey.convert("RGB"), {}),
            ("grey.jpeg", grey, {"progressive": True}),
        ):
            written = io.BytesIO()
            kind = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG"}.get(name.split(".")[1], "TIFF")
            image.save(written, kind, **options)
            found[name] = written.getvalue()
        return found


class Ink(ReaderTarget):
    """Pen strokes in InkML."""

    recipe: ClassVar[dict[str, Any]] = {
        "pipeline": {
            "features": [{"stage": "PenStrokes"}, {"stage": "StrokeFeatures"}],
            "encoder": SMALL,
            "head": {"stage": "CTCHead"},
        }
    }

    def rows(self) -> list[Row]:
        return [Row(str(number), None, text) for number, text in enumerate(TEXTS)]

    def inputs(self) -> dict[str, bytes]:
        traces = "".join(f"<trace>{x} 0, {x + 3} 40, {x + 9} 20, {x + 12} 44</trace>" for x in range(0, 200, 30))
        differences = "<trace>1125 18432,'23'43,\"7\"-8,3-5,7 -3,6 2,6 8,3 6</trace>"
        channels = "".join(f'<channel name="{name}" type="decimal"/>' for name in "YFTX")
        start = '<?xml version="1.0"?><ink xmlns="http://www.w3.org/2003/InkML">'
        form = f'<definitions><brush xml:id="b"/></definitions><traceGroup><traceFormat>{channels}</traceFormat>'
        timed = "".join(f"<trace>{y} .5 {y} 7, {2 * y} .3 {y + 1} 19, 3 0 9 {y}</trace>" for y in range(1, 30, 4))
        return {
            "a.inkml": f"{start}{traces}</ink>".encode(),
            "differences.inkml": f"{start}{differences}</ink>".encode(),
            "channels.inkml": f"{start}{form}{timed}</traceGroup></ink>".encode(),
        }


class Page(Image):
    """Pages in ALTO and PAGE, with their image beside them."""

    recipe: ClassVar[dict[str, Any]] = {**Image.recipe, "data": {"train": "", "format": "pages"}}

    def inputs(self) -> dict[str, bytes]:
        from PIL import Image as Images

        written = io.BytesIO()
        Images.fromarray(self.pixels(120, 200)).save(written, "PNG")
        self.beside = {"scan.png": written.getvalue()}
        alto = "".join(
            f'<TextLine ID="l{y}" HPOS="10" VPOS="{y}" WIDTH="150" HEIGHT="24" BASELINE="10,{y + 20} 160,{y + 20}">'
            f'<Shape><Polygon POINTS="10,{y} 160,{y} 160,{y + 24} 10,{y + 24}"/></Shape>'
            '<String CONTENT="cat"/></TextLine>'
            for y in (10, 45, 80)
        )
        page = "".join(
            f'<TextLine id="l{y}"><Coords points="10,{y} 160,{y} 160,{y + 24} 10,{y + 24}"/>'
            f'<Baseline points="10,{y + 20} 160,{y + 18}"/><TextEquiv index="0">'
            "<Unicode>cat</Unicode></TextEquiv></TextLine>"
            for y in (10, 45, 80)
        )
        return {
            "alto.xml": (
                '<?xml version="1.0"?><alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Description><MeasurementUnit>'
                "pixel</MeasurementUnit><sourceImageInformation><fileName>scan.png</fileName></sourceImageInformation>"
                '</Description><ReadingOrder><OrderedGroup ID="o"><ElementRef ID="r" REF="l45 b"/></OrderedGroup>'
                '</ReadingOrder><Layout><Page ID="p" WIDTH="200" HEIGHT="120"><PrintSpace HPOS="0" VPOS="0" '
                f'WIDTH="200" HEIGHT="120"><TextBlock ID="b">{alto}</TextBlock></PrintSpace></Page></Layout></alto>'
            ).encode(),
            "page.xml": (
                '<?xml version="1.0"?><PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">'
                '<Page imageFilename="scan.png" imageWidth="200" imageHeight="120"><ReadingOrder><OrderedGroup id="o">'
                '<RegionRefIndexed index="0" regionRef="r"/></OrderedGroup></ReadingOrder><TextRegion id="r"><Coords '
                f'points="0,0 200,0 200,120 0,120"/>{page}</TextRegion></Page></PcGts>'
            ).encode(),
        }

    def open(self, folder: Path) -> None:
        super().open(folder)
        self.inputs()


class Text(ReaderTarget):
    """Texts, and lists of them: manifests and column files."""

    recipe: ClassVar[dict[str, Any]] = {
        "data": {"train": "", "format": "columns", "columns": ["text", "tag"], "input": "text", "target": "tag"},
        "pipeline": {
            "features": [{"stage": "Tokens", "characters": 8}, {"stage": "Embedding", "size": 4}],
            "encoder": SMALL,
            "head": {"stage": "TaggerHead", "scheme": "bio"},
        },
    }

    def rows(self) -> list[Row]:
        return [Row(text, text.split(), ["B-X", "I-X", "O", "O", "B-Y"]) for text in TEXTS]

    def inputs(self) -> dict[str, bytes]:
        import pyarrow
        import pyarrow.parquet

        rows = [{"id": f"r{number}", "text": text, "speaker": "x"} for number, text in enumerate(TEXTS[:5])]
        parquet, typed = io.BytesIO(), io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), parquet)
        words = pyarrow.Table.from_pylist([{"text": text.split(), "n": 1.5} for text in TEXTS[:5]])
        pyarrow.parquet.write_table(words, typed, compression="zstd")
        table = [list(rows[0]), *(list(row.values()) for row in rows)]
        sentences = "\n\n".join("\n".join(f"{word}\tO" for word in text.split()) for text in TEXTS[:5])
        return {
            "a.txt": "\n".join(TEXTS[:6]).encode(),
            "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
            "words.jsonl": "".join(json.dumps({"text": text.split()}) + "\n" for text in TEXTS[:5]).encode(),
            "a.tsv": "\n".join(map("\t".join, table)).encode(),
            "a.csv": "\n".join(f'{cells[0]},"{cells[1]}",{cells[2]}' for cells in table).encode(),
            "a.parquet": parquet.getvalue(),
            "words.parquet": typed.getvalue(),
            "a.conll": f"# sent_id = 1\n{sentences}\n".encode(),
        }
