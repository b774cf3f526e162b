"""The real server, asked by real clients over loopback."""

import http.client
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import seqpipe.runtime
from seqpipe.export.export import export
from seqpipe.runtime.model import Model

BOUNDARY = "b0undary"


class Served(NamedTuple):
    port: int
    process: subprocess.Popen[str]


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(scope="module")
def exported(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "tones"
    export(trained_run, folder)
    return folder


@pytest.fixture(scope="module")
def model(exported: Path) -> Model:
    return seqpipe.runtime.load(exported, threads=1)


def start(*arguments: object) -> Served:
    command = [sys.executable, "-m", "seqpipe", "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
    assert found, said + process.stderr.read()
    served = Served(int(found[1]), process)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            assert ask(served.port, "GET", "/healthz").status == 200
            return served
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the server doesn't answer")


def stop(served: Served) -> None:
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(30) == 0


@pytest.fixture(scope="module")
def server(exported: Path) -> Iterator[Served]:
    served = start(exported, "--threads", 2, "--max-seconds", 30, "--max-upload-mb", 1)
    yield served
    stop(served)


def ask(port: int, method: str, path: str, body: bytes = b"", kind: str = "") -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        found = connection.getresponse()
        return Response(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
    finally:
        connection.close()


def form(*parts: tuple[str, bytes], file: str = "file", **fields: str) -> tuple[bytes, str]:
    lines = io.BytesIO()
    for name, value in fields.items():
        name = name.replace("granularities", "granularities[]")
        lines.write(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, content in parts:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{file}"; filename="{name}"\r\n\r\n'
        lines.write(head.encode() + content + b"\r\n")
    lines.write(f"--{BOUNDARY}--\r\n".encode())
    return lines.getvalue(), f"multipart/form-data; boundary={BOUNDARY}"


def transcribe(port: int, content: bytes, name: str = "a.wav", **fields: str) -> Response:
    return ask(port, "POST", "/v1/audio/transcriptions", *form((name, content), **fields))


@pytest.fixture(scope="module")
def recordings(tone_data: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((tone_data / "dev").glob("*.wav"))]


def test_transcriptions_in_every_format(server: Served, model: Model, recordings: list[bytes]) -> None:
    (answer,) = model.predict([seqpipe.FileSpan(recordings[0])])
    assert transcribe(server.port, recordings[0]).json == {"text": answer.text}
    assert transcribe(server.port, recordings[0], response_format="text").body.decode() == answer.text + "\n"
    srt = transcribe(server.port, recordings[0], response_format="srt").body.decode()
    assert srt.startswith("1\n00:00:0")
    assert srt.endswith(answer.text + "\n")
    vtt = transcribe(server.port, recordings[0], response_format="vtt")
    assert vtt.body.startswith(b"WEBVTT\n\n00:00:0")
    assert vtt.headers["content-type"].startswith("text/vtt")
    whole = transcribe(server.port, recordings[0], response_format="verbose_json", timestamp_granularities="word").json
    assert whole["text"] == answer.text
    assert whole["duration"] == pytest.approx(model.reader.length(seqpipe.FileSpan(recordings[0])) / 8000, abs=1e-3)
    assert [word["word"] for word in whole["words"]] == [word.text for word in answer.words]
    assert [word["start"] for word in whole["words"]] == [round(word.start, 4) for word in answer.words]
    assert "segments" not in whole
    segments = transcribe(server.port, recordings[0], response_format="verbose_json").json["segments"]
    assert " ".join(segment["text"] for segment in segments) == answer.text


def test_predictions_of_several_files(server: Served, recordings: list[bytes], model: Model) -> None:
    files = [("a.wav", recordings[0]), ("no.wav", b"nothing"), ("b.wav", recordings[1])]
    found = ask(server.port, "POST", "/v1/predict", *form(*files)).json["predictions"]
    answers = list(model.predict([seqpipe.FileSpan(recording) for recording in recordings[:2]]))
    assert [each["id"] for each in found] == ["a.wav", "no.wav", "b.wav"]
    assert [found[0]["text"], found[2]["text"]] == [answer.text for answer in answers]
    assert found[1]["error"] == "undecodable"
    assert "no.wav" in found[1]["message"]


def test_what_there_is_to_ask(server: Served) -> None:
    document = ask(server.port, "GET", "/openapi.json").json
    assert document["openapi"] == "3.1.0"
    for path, methods in document["paths"].items():
        for method in methods:
            assert ask(server.port, method.upper(), path).status != 404
    assert ask(server.port, "GET", "/v1/models").json["data"][0]["id"] == "tones"
    metrics = ask(server.port, "GET", "/metrics").body.decode()
    assert re.search(r'^seqpipe_requests_total\{endpoint="/v1/models",status="200"\} [1-9]', metrics, re.MULTILINE)


@pytest.mark.parametrize(
    ("path", "parts", "fields", "status", "code", "said"),
    [
        ("/v1/audio/transcriptions", [("a.wav", b"no audio")], {}, 422, "undecodable", "a.wav"),
        ("/v1/audio/transcriptions", [("a.wav", b"")], {}, 400, "empty", "a.wav is empty"),
        ("/v1/audio/transcriptions", [], {}, 400, "missing", "file"),
        ("/v1/audio/transcriptions", [("a.wav", b"x")], {"model": "whisper-1"}, 404, "model_not_found", "tones is"),
        ("/v1/audio/transcriptions", [("a.wav", b"x")], {"response_format": "pdf"}, 400, "bad_value", "verbose_json"),
        ("/v1/audio/transcriptions", [("a.wav", b"x")], {"timestamp_granularities": "word"}, 400, "bad_value", "goes"),
        ("/v1/audio/transcriptions", [("a.wav", b"0" * 1_100_000)], {}, 413, "too_large", "1 MB"),
        ("/v1/predict", [], {}, 400, "missing", "file"),
        ("/v1/predict", [("a.wav", b"x")], {"model": "other"}, 404, "model_not_found", "'other' isn't loaded"),
        ("/v1/translations", [], {}, 404, "not_found", "openapi.json"),
    ],
)  # fmt: skip
def test_refusals(
    server: Served,
    path: str,
    parts: list[tuple[str, bytes]],
    fields: dict[str, str],
    status: int,
    code: str,
    said: str,
) -> None:
    refused = ask(server.port, "POST", path, *form(*parts, **fields))
    assert (refused.status, refused.json["error"]["code"]) == (status, code)
    assert said in refused.json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (b'{"inputs": ["/etc/hostname"]}', "application/json", 400, "multipart/form-data"),
        (b'{"inputs": []}', "application/json", 400, "at least one"),
        (b"[" * 100_000, "application/json", 400, "no JSON"),
        (b"{", "application/json", 400, "no JSON"),
        (b'{"inputs": [1]}', "application/json", 400, "inputs[0]"),
        (b'{"inputs": [{}], "model": "other"}', "application/json", 404, "'other' isn't loaded here; tones is"),
        (b"x", "text/plain", 415, "text/plain"),
        (b"x", "", 415, "no content-type"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 400, ""),
    ],
)
def test_wrong_bodies(server: Served, body: bytes, kind: str, status: int, said: str) -> None:
    refused = ask(server.port, "POST", "/v1/predict", body, kind)
    assert refused.status == status
    assert said in refused.json["error"]["message"]


def test_recordings_that_are_too_long(server: Served) -> None:
    import numpy as np
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.zeros(31 * 8000), 8000, format="FLAC")
    refused = transcribe(server.port, file.getvalue(), "long.flac")
    assert (refused.status, refused.json["error"]["code"]) == (413, "too_long")


def test_answers_under_load_are_those_of_inputs_alone(server: Served, recordings: list[bytes], model: Model) -> None:
    wanted = [next(model.predict([seqpipe.FileSpan(recording)])) for recording in recordings]
    order = [number % len(recordings) for number in range(150)]
    with ThreadPoolExecutor(16) as clients:
        found = list(
            clients.map(
                lambda number: transcribe(server.port, recordings[number], response_format="verbose_json"), order
            )
        )
    assert {response.status for response in found} <= {200, 503}
    assert sum(response.status == 200 for response in found) > 100
    for number, response in zip(order, found, strict=True):
        if response.status == 503:
            assert int(response.headers["retry-after"]) >= 1
        else:
            assert response.json["text"] == wanted[number].text
            assert response.json["confidence"] == pytest.approx(wanted[number].confidence, abs=1e-4)


def test_clients_that_go_away_harm_nobody(server: Served, recordings: list[bytes], model: Model) -> None:
    body, kind = form(("a.wav", recordings[0]))
    head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    for cut in (len(body) // 2, len(body)):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(head.encode() + body[:cut])
    (answer,) = model.predict([seqpipe.FileSpan(recordings[0])])
    assert transcribe(server.port, recordings[0]).json["text"] == answer.text
    assert "seqpipe_queue_inputs 0" in ask(server.port, "GET", "/metrics").body.decode()


def test_a_full_queue_says_when_to_come_again(exported: Path, recordings: list[bytes]) -> None:
    served = start(exported, "--threads", 1, "--queue", 1)
    try:
        many = form(*((f"{number}.wav", recording) for number, recording in enumerate(recordings * 4)))
        with ThreadPoolExecutor(6) as clients:
            found = list(clients.map(lambda _: ask(served.port, "POST", "/v1/predict", *many), range(6)))
        assert sorted({response.status for response in found}) == [200, 503]
        refused = next(response for response in found if response.status == 503)
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json["error"]["code"] == "busy"
    finally:
        stop(served)


def test_two_servers_on_one_port(server: Served, exported: Path) -> None:
    command = [sys.executable, "-m", "seqpipe", "serve", str(exported), "--port", str(server.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"--port {server.port}" in done.stderr
    assert "name another port" in done.stderr


def test_a_run_directory_is_exported_first(trained_run: Path, recordings: list[bytes], model: Model) -> None:
    served = start(trained_run)
    try:
        (answer,) = model.predict([seqpipe.FileSpan(recordings[0])])
        assert transcribe(served.port, recordings[0]).json["text"] == answer.text
    finally:
        stop(served)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "seqpipe", "serve", str(tmp_path), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert "exported model" in done.stderr


def test_a_page_beside_the_model_is_served_too(exported: Path, recordings: list[bytes], tmp_path: Path) -> None:
    folder = tmp_path / "page"
    shutil.copytree(exported, folder)
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (tmp_path / "secret.txt").write_text("no part of it")
    served = start(folder)
    try:
        page = ask(served.port, "GET", "/")
        assert page.body == b"<!doctype html><title>page</title>"
        assert page.headers["content-type"].startswith("text/html")
        assert ask(served.port, "GET", "/model.onnx").body == (exported / "model.onnx").read_bytes()
        for outside in ("/../secret.txt", "/%2e%2e/secret.txt", "/nothing"):
            assert ask(served.port, "GET", outside).status == 404
        assert transcribe(served.port, recordings[0]).status == 200
    finally:
        stop(served)
