"""Runs that go to a Hub and come back; the Hub is a small one of our own on loopback, asked by the real client."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

import seqpipe
from seqpipe.config.plain_yaml import parse_yaml
from seqpipe.data.source import read_rows
from seqpipe.errors import RunError
from seqpipe.hub.fetch import hub_name

TOKEN = "hf_test"


class FakeHub(BaseHTTPRequestHandler):
    """As much of the Hub's interface as pushing a folder and fetching it take."""

    protocol_version = "HTTP/1.1"
    repositories: ClassVar[dict[str, dict[str, bytes]]] = {}

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_POST(self) -> None:
        path, content = self._asked()
        if path == "/api/validate-yaml":
            self._reply(200, {"errors": [], "warnings": []})
        elif self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._reply(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            wanted = json.loads(content)
            name = f"{wanted['organization']}/{wanted['name']}"
            known = name in self.repositories
            self.repositories.setdefault(name, {})
            self._reply(409 if known else 200, {"url": f"{self._here}/{name}"})
        elif "/preupload/" in path:
            files = [{**each, "uploadMode": "regular", "shouldIgnore": False} for each in json.loads(content)["files"]]
            self._reply(200, {"files": files})
        elif "/commit/" in path:
            name = path.removeprefix("/api/models/").partition("/commit/")[0]
            for line in content.splitlines():
                given = json.loads(line)
                if given["key"] == "file":
                    self.repositories[name][given["value"]["path"]] = base64.b64decode(given["value"]["content"])
            self._reply(200, {"commitUrl": f"{self._here}/{name}/commit/1", "commitOid": "1" * 40, "success": True})
        else:
            self._reply(404, {"error": path})

    def do_GET(self) -> None:
        path, _ = self._asked()
        if "/tree/" in path:
            files = self.repositories[path.removeprefix("/api/models/").partition("/tree/")[0]]
            sizes = [
                {"type": "file", "path": name, "size": len(files[name]), "oid": "0" * 40} for name in sorted(files)
            ]
            self._reply(200, sizes)
        elif path.startswith("/api/models/"):
            name, _, revision = path.removeprefix("/api/models/").partition("/revision/")
            files = self.repositories.get(name)
            if files is None:
                self._reply(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            elif revision not in ("main", "1" * 40):
                self._reply(404, {"error": "Invalid rev"}, {"X-Error-Code": "RevisionNotFound"})
            else:
                said = {"id": name, "sha": "1" * 40, "siblings": [{"rfilename": each} for each in sorted(files)]}
                self._reply(200, said)
        elif "/resolve/" in path:
            name, _, rest = path.removeprefix("/").partition("/resolve/")
            content = self.repositories[name].get(rest.partition("/")[2])
            if content is None:
                self._reply(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            else:
                digest = hashlib.sha256(content).hexdigest()
                self._reply(200, content, {"ETag": f'"{digest}"', "X-Repo-Commit": "1" * 40})
        else:
            self._reply(404, {"error": path})

    do_HEAD = do_GET

    @property
    def _here(self) -> str:
        return f"http://{self.headers['host']}"

    def _asked(self) -> tuple[str, bytes]:
        size = int(self.headers.get("content-length") or 0)
        content = self.rfile.read(size)
        if self.headers.get("transfer-encoding") == "chunked":
            while part := int(self.rfile.readline(), 16):
                content += self.rfile.read(part)
                self.rfile.readline()
            self.rfile.readline()
        return urllib.parse.unquote(urllib.parse.urlparse(self.path).path), content

    def _reply(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = tmp_path_factory.mktemp("hub")
    yield {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": TOKEN,
    }
    server.shutdown()


def run(environment: dict[str, str], *words: object, **changed: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seqpipe", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, env={**environment, **changed}, timeout=200, check=False
    )


@pytest.fixture(scope="module")
def pushed(environment: dict[str, str], trained_run: Path) -> dict[str, bytes]:
    done = run(environment, "push", trained_run, "anna/tones", "--language", "en", "de", "--licence", "mit")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/anna/tones")
    return FakeHub.repositories["anna/tones"]


def test_what_lies_on_the_hub(pushed: dict[str, bytes], trained_run: Path) -> None:
    for name in ("model.safetensors", "recipe.yaml", "metrics.json", "assets/head/characters.json"):
        assert pushed[name] == (trained_run / name).read_bytes()
    assert {"onnx/model.json", "onnx/model.onnx", "README.md"} <= pushed.keys()
    assert not any(name.endswith((".pt", ".ckpt", ".pkl", ".bin")) for name in pushed)
    assert not any("checkpoint" in name for name in pushed)


def test_every_figure_of_the_card_is_the_runs(pushed: dict[str, bytes], trained_run: Path) -> None:
    card = pushed["README.md"].decode()
    _, front, text = card.split("---\n", 2)
    said, metrics = parse_yaml(front), json.loads((trained_run / "metrics.json").read_bytes())
    assert (said["language"], said["license"]) == (["en", "de"], "mit")
    assert said["pipeline_tag"] == "automatic-speech-recognition"
    results = said["model-index"][0]["results"][0]
    assert metrics["data"] in results["dataset"]["name"]
    evaluation = seqpipe.evaluate(trained_run, part="dev", device="cpu")
    assert {each["type"]: each["value"] for each in results["metrics"]} == pytest.approx(evaluation.scores, abs=1e-3)
    low, high = evaluation.intervals["wer"]
    assert f"| wer | {evaluation.scores['wer']:.2f} | {low:.2f} to {high:.2f} |" in text
    assert f"{metrics['parameters']:,} parameters" in text
    assert 'seqpipe.load("hub:anna/tones")' in text
    assert "not calibrated" in text


def test_a_run_comes_back_and_answers_as_before(
    pushed: dict[str, bytes], environment: dict[str, str], trained_run: Path, tone_data: Path, tmp_path: Path
) -> None:
    predictor = seqpipe.load(trained_run, device="cpu")
    rows = list(read_rows("dev.tsv", predictor.pipeline.recipe.data, suffixes=frozenset({".wav"}), root=tone_data))
    wanted = [answer.to_json() for answer in predictor.predict(rows)]
    outputs = []
    for name, changed in (("hub:anna/tones", {}), ("hub:anna/tones@main", {"HF_HUB_OFFLINE": "1"})):
        output = tmp_path / f"{len(outputs)}.jsonl"
        done = run(
            environment, "infer", name, tone_data / "dev.tsv", "--output", output, "--set", "data.id=name", **changed
        )
        assert done.returncode == 0, done.stderr
        outputs.append([json.loads(line) for line in output.read_text().splitlines()])
    assert [answer["text"] for answer in outputs[0]] == [answer["text"] for answer in wanted]
    assert outputs[0] == outputs[1]


def test_training_begins_with_a_run_of_the_hub(
    pushed: dict[str, bytes], environment: dict[str, str], tone_data: Path, tmp_path: Path
) -> None:
    settings = ["training.init_from=hub:anna/tones", "training.epochs=1", "training.learning_rate=1.0e-9"]
    done = run(
        environment, "train", tone_data / "tones.yaml", "--out", tmp_path / "run", "training.report=false", *settings
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run/metrics.json").read_bytes())["dev"]["wer"] < 20


def test_without_login(environment: dict[str, str], trained_run: Path) -> None:
    done = run(environment, "push", trained_run, "anna/other", "--precision", "none", HF_TOKEN="hf_wrong")
    assert done.returncode == 1
    assert "anna/other" in done.stderr
    assert "logged in" in done.stderr


def test_what_is_not_there(pushed: dict[str, bytes], environment: dict[str, str]) -> None:
    wanted = {
        "hub:anna/nothing": "no such repository",
        "hub:anna/tones@v9": "no revision v9",
        "hub:tones": "hub:OWNER/NAME",
    }
    code = f"""
from seqpipe.errors import RunError
from seqpipe.hub.fetch import local_run
for name in {list(wanted)!r}:
    try:
        local_run(name)
    except RunError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line, (name, said) in zip(lines, wanted.items(), strict=True):
        assert name in line
        assert said in line


def test_a_folder_to_look_at(trained_run: Path, environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment, "push", trained_run, "anna/looked", "--precision", "none", "--folder", tmp_path / "card")
    assert done.returncode == 0, done.stderr
    assert "anna/looked" not in FakeHub.repositories
    assert (tmp_path / "card/README.md").is_file()
    assert not (tmp_path / "card/onnx").exists()


def test_names() -> None:
    assert hub_name("hub:a/b-c.d@refs/pr/1") == ("a/b-c.d", "refs/pr/1")
    for name in ("hub:", "hub:a", "hub:a/b/c", "hub:a/b@", "hub:a /b"):
        with pytest.raises(RunError, match="should be hub:OWNER/NAME"):
            hub_name(name)
