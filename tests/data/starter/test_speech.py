import hashlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("espeakng_loader")

import soundfile

from seqpipe.data.starter.espeak import ACCENTS, Espeak
from seqpipe.data.starter.speech import (
    COMMANDS,
    SAMPLE_RATE,
    SIZES,
    SPEAKERS,
    VOCABULARY,
    Utterance,
    make_utterance,
    starter_speech,
    write_recordings,
)

SMALL = {"train": 4, "dev": 2, "test": 3}
SOME = [(split, index) for split in SIZES for index in range(5)]


def digests(which: list[tuple[str, int]], *, fork: bool = True) -> dict[tuple[str, int], str]:
    """At module level, so that another process can be told to call it."""
    with Espeak(fork=fork) as espeak:
        made = {where: make_utterance(*where, espeak) for where in which}
    return {
        where: hashlib.sha256(repr((u.name, u.voice, u.text, u.snr)).encode() + u.samples.tobytes()).hexdigest()
        for where, u in made.items()
    }


@pytest.fixture(scope="module")
def espeak():
    with Espeak() as espeak:
        yield espeak


@pytest.fixture(scope="module")
def utterances(espeak: Espeak) -> list[Utterance]:
    return [make_utterance(split, index, espeak) for split in SIZES for index in range(60)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("starter") / "speech"
    write_recordings(folder, SMALL)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestSameEverywhere:
    def test_order_changes_nothing(self) -> None:
        assert digests(SOME) == digests(SOME[::-1])

    def test_an_utterance_does_not_depend_on_which_others_are_made(self) -> None:
        assert digests(SOME[7:8]).items() <= digests(SOME).items()

    def test_another_process_makes_the_same(self) -> None:
        # What Python 3.14 does by default where it can, and what it does where it can't.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply(digests, (SOME,)) == digests(SOME)

    def test_a_worker_that_cannot_fork_makes_the_same(self) -> None:
        assert digests(SOME[4:7], fork=False) == digests(SOME[4:7])

    def test_no_utterance_is_another(self) -> None:
        assert len(set(digests(SOME).values())) == len(SOME)

    def test_files_do_not_depend_on_threads_or_sizes(self, folder: Path, tmp_path: Path) -> None:
        write_recordings(tmp_path, {**SMALL, "train": 6})
        again = contents(tmp_path)
        recordings = {name: data for name, data in contents(folder).items() if not name.startswith("train.")}
        assert recordings.items() <= again.items()


class TestVoices:
    def test_no_speaker_is_in_two_splits_or_twice_in_one(self) -> None:
        speakers = [name for split in SPEAKERS.values() for group in split.values() for name in group]
        assert len(speakers) == len(set(speakers))
        assert set(SPEAKERS) == set(SIZES)

    def test_each_speaker_and_each_accent_is_heard(self, espeak: Espeak) -> None:
        # A variant that espeak-ng doesn't know silently gives the voice without one.
        speakers = [f"+{name}" for split in SPEAKERS.values() for group in split.values() for name in group]
        voices = [f"en-us{speaker}" for speaker in ["", *speakers]] + [f"{accent}+m3" for accent in ACCENTS]
        voices = list(dict.fromkeys(voices))
        said = {
            espeak.speak(
                "turn off the bathroom light seven oh three four nine",
                voice,
                words_per_minute=170,
                pitch=50,
                pitch_range=50,
            ).tobytes()
            for voice in voices
        }
        assert len(said) == len(voices)

    @pytest.mark.parametrize("voice", ["en-us+nobody", "en-nowhere", "+m3"])
    def test_an_unknown_voice_is_an_error_that_names_it(self, espeak: Espeak, voice: str) -> None:
        with pytest.raises(ValueError, match=re.escape(repr(voice))):
            espeak.speak("yes", voice, words_per_minute=170, pitch=50, pitch_range=50)

    @pytest.mark.parametrize(("name", "value"), [("words_per_minute", 10), ("pitch", 100), ("pitch_range", -1)])
    def test_a_number_out_of_range_is_an_error_that_names_it(self, espeak: Espeak, name: str, value: int) -> None:
        arguments = {"words_per_minute": 170, "pitch": 50, "pitch_range": 50} | {name: value}
        with pytest.raises(ValueError, match=f"{name} .* not {value}"):
            espeak.speak("yes", "en-us", **arguments)

    def test_a_worker_that_dies_is_an_error_and_is_replaced(self) -> None:
        arguments = {"words_per_minute": 170, "pitch": 50, "pitch_range": 50}
        with Espeak() as espeak:
            before = espeak.speak("yes", "en-us", **arguments)
            assert espeak._worker is not None
            espeak._worker.kill()
            espeak._worker.wait()
            with pytest.raises(RuntimeError, match=r"'yes' in the voice 'en-us'"):
                espeak.speak("yes", "en-us", **arguments)
            np.testing.assert_array_equal(espeak.speak("yes", "en-us", **arguments), before)

    def test_without_the_extra_the_error_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(
            sys.modules, "espeakng_loader", None
        )  # how Python itself marks a module that can't be found
        with pytest.raises(ImportError, match=r"pip install 'seqpipe\[demo\]'"):
            Espeak()


class TestUtterances:
    def test_texts_are_of_the_vocabulary_and_of_letters(self, utterances: list[Utterance]) -> None:
        assert 40 <= len(VOCABULARY) <= 80
        for utterance in utterances:
            assert re.fullmatch("[a-z]+( [a-z]+)*", utterance.text)
            assert set(utterance.text.split()) <= VOCABULARY

    def test_digits_and_commands_are_both_common(self, utterances: list[Utterance]) -> None:
        digits = {"zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
        strings = [u.text.split() for u in utterances if set(u.text.split()) <= digits]
        assert 0.35 < len(strings) / len(utterances) < 0.65
        assert {len(words) for words in strings} == {3, 4, 5, 6, 7}
        assert not any({"oh", "zero"} <= set(words) for words in strings)
        assert len(COMMANDS) > 5

    def test_voices_belong_to_the_split(self, utterances: list[Utterance]) -> None:
        for utterance in utterances:
            accent, speaker = utterance.voice.split("+")
            assert accent in ACCENTS
            assert any(speaker in group for group in SPEAKERS[utterance.name.split("-")[0]].values())

    def test_length_fits_the_text(self, utterances: list[Utterance]) -> None:
        for utterance in utterances:
            seconds = len(utterance.samples) / SAMPLE_RATE
            words = len(utterance.text.split())
            # 0.1 to 0.6 s of silence; the shortest words ("to the") take about 0.1 s, the longest digits about 0.6 s.
            assert 0.1 + 0.12 * words < seconds < 0.6 + 0.65 * words, utterance

    def test_level_is_neither_clipped_nor_lost(self, utterances: list[Utterance]) -> None:
        peaks = 20 * np.log10([np.abs(u.samples.astype(int)).max() / 32767 for u in utterances])
        assert -20.1 < peaks.min() < -17
        assert -4 < peaks.max() < -0.9

    def test_noise_has_the_stated_power(self, utterances: list[Utterance]) -> None:
        errors = []
        for utterance in utterances:
            assert 10 <= utterance.snr <= 35
            samples = utterance.samples.astype(float)
            edge = round(0.05 * SAMPLE_RATE)  # at least so much noise alone stands at either end
            noise = np.mean(np.concatenate([samples[:edge], samples[-edge:]]) ** 2)
            # The mean over all includes up to 0.6 s without speech, about a third.
            errors.append(10 * np.log10(np.mean(samples**2) / noise - 1) - utterance.snr)
        assert -2.5 < np.median(errors) < 0.5
        assert np.max(np.abs(errors)) < 9


class TestFolder:
    def test_each_row_has_its_recording(self, folder: Path) -> None:
        for split, size in SMALL.items():
            header, *rows = (folder / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
            assert header == "path\tid\tvoice\tseconds\ttext"
            assert len(rows) == size
            for row in rows:
                path, name, voice, seconds, text = row.split("\t")
                info = soundfile.info(folder / path)
                assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
                assert info.frames / 16000 == pytest.approx(float(seconds), abs=1e-4)
                assert path == f"{split}/{name}.flac"
                assert voice.split("+")[0] in ACCENTS
                assert set(text.split()) <= VOCABULARY

    def test_recordings_hold_the_samples(self, folder: Path, espeak: Espeak) -> None:
        samples, _ = soundfile.read(folder / "dev/dev-0001.flac", dtype="int16")
        np.testing.assert_array_equal(samples, make_utterance("dev", 1, espeak).samples)

    def test_nothing_else_is_there(self, folder: Path) -> None:
        assert len(contents(folder)) == sum(SMALL.values()) + len(SMALL)

    def test_progress_counts_to_the_end(self, tmp_path: Path) -> None:
        calls: list[tuple[int, int]] = []
        write_recordings(tmp_path, SMALL, progress=lambda done, total: calls.append((done, total)))
        assert calls == [(done, 9) for done in range(1, 10)]


class TestCache:
    def test_it_is_made_once(self, tmp_path: Path) -> None:
        calls: list[int] = []
        first = starter_speech(tmp_path / "new", sizes=SMALL, progress=lambda done, _: calls.append(done))
        again = starter_speech(tmp_path / "new", sizes=SMALL, progress=lambda done, _: calls.append(done))
        assert first == again == tmp_path / "new" / "starter-speech-v2"
        assert len(calls) == 9
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["starter-speech-v2"]

    def test_two_at_once_are_harmless(self, tmp_path: Path, folder: Path) -> None:
        with ThreadPoolExecutor(2) as threads:
            made = list(threads.map(lambda cache: starter_speech(cache, sizes=SMALL), [tmp_path, tmp_path]))
        assert made == [tmp_path / "starter-speech-v2"] * 2
        assert [path.name for path in tmp_path.iterdir()] == ["starter-speech-v2"]
        assert contents(tmp_path / "starter-speech-v2") == contents(folder)

    def test_an_interrupt_leaves_nothing_and_does_not_wait_for_the_rest(self, tmp_path: Path) -> None:
        def interrupt(done: int, total: int) -> None:
            if done == 3:
                raise KeyboardInterrupt

        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            starter_speech(tmp_path, progress=interrupt)
        assert time.monotonic() - start < 5
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
    def test_a_killed_generation_is_not_taken_as_finished(self, tmp_path: Path, folder: Path) -> None:
        program = (
            "import os, signal, sys, pathlib\n"
            "from seqpipe.data.starter.speech import starter_speech\n"
            "kill = lambda done, total: os.kill(os.getpid(), signal.SIGKILL) if done == 3 else None\n"
            f"starter_speech(pathlib.Path(sys.argv[1]), sizes={SMALL}, progress=kill)\n"
        )
        killed = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], check=False, cwd=Path(__file__).parents[3]
        )
        assert killed.returncode == -signal.SIGKILL
        assert any(tmp_path.rglob("*.flac"))
        assert not (tmp_path / "starter-speech-v2").exists()
        assert contents(starter_speech(tmp_path, sizes=SMALL)) == contents(folder)

    def test_something_else_in_its_place_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        place = tmp_path / "starter-speech-v2"
        place.mkdir()
        with pytest.raises(RuntimeError, match=re.escape(str(place))):
            starter_speech(tmp_path, sizes=SMALL)

    @pytest.mark.parametrize(
        ("variables", "expected"),
        [
            ({"SEQPIPE_CACHE": "{0}/own", "XDG_CACHE_HOME": "{0}/xdg", "HOME": "{0}"}, "own"),
            ({"SEQPIPE_CACHE": "", "XDG_CACHE_HOME": "{0}/xdg", "HOME": "{0}"}, "xdg/seqpipe"),
            ({"SEQPIPE_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "{0}"}, ".cache/seqpipe"),
        ],
    )
    @pytest.mark.skipif(os.name == "nt", reason="the home folder isn't $HOME there")
    def test_where_it_is_kept(
        self, variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(tmp_path))
        place = tmp_path / expected / "starter-speech-v2"
        place.mkdir(parents=True)
        for split in SIZES:
            (place / f"{split}.tsv").touch()
        assert starter_speech() == place


def test_words_have_their_places_in_the_recording(utterances: list[Utterance]) -> None:
    joined = 0
    for made in utterances:
        assert len(made.begins) == len(made.text.split())
        assert made.begins[0] is not None
        known = [begin for begin in made.begins if begin is not None]
        joined += len(made.begins) - len(known)
        assert sorted({*known, made.end}) == [*known, made.end]
        assert known[0] >= 0.05
        assert made.end <= len(made.samples) / SAMPLE_RATE
    assert joined < 0.05 * sum(len(made.begins) for made in utterances)


def test_events_are_where_the_sound_changes(espeak: Espeak) -> None:
    """Between a closed "p" and the noise of an "s"."""
    samples, words = espeak.speak_with_words("stop stop", "en-us", words_per_minute=150, pitch=50, pitch_range=50)
    assert [word.offset for word in words] == [0, 5]
    border, span = words[1].start, SAMPLE_RATE // 50
    after = np.abs(np.diff(np.sign(samples[border + span // 2 : border + 2 * span].astype(float)))).mean()
    assert words[0].start < border < len(samples)
    assert after > 0.2
