import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"

BAD = """
import os, sys, time
sys.path.insert(0, {tools!r})
import fuzz
from seqpipe.errors import ConfigError

class Bad(fuzz.Target):
    def inputs(self):
        return {{name: b"some 12 words" for name in ("dies", "fills", "nan", "raises", "reads", "refuses", "sleeps")}}

    def run(self, name, data, scratch, draw=None):
        if draw is not None:
            if name == "dies": os._exit(5)
            if name == "fills": bytearray(200 * 2**20)
            if name == "nan": fuzz_targets.finite({{"confidence": float("nan")}})
            if name == "raises": raise KeyError("x")
            if name == "refuses": raise ConfigError("y")
            if name == "sleeps": time.sleep(60)
        return "read"

import fuzz_targets
fuzz.TARGETS = {{"bad": Bad}}
if __name__ == "__main__":
    sys.exit(fuzz.main())
"""


@pytest.mark.slow
def test_each_kind_of_fault_is_seen_counted_and_kept(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD.format(tools=str(TOOLS)))
    options = ["--cases", "20", "--seconds", "2", "--memory", "60", "--json", "found.json", "--out", "kept"]
    command = [sys.executable, str(tmp_path / "bad.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 1, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())["targets"]["bad"]
    kept = {
        int(path.name.split("-")[1]): path.name.split("-")[2] for path in (tmp_path / "kept" / "bad").glob("*.said")
    }
    kinds = {
        fault.split()[0]: {kept[number].removesuffix(".said") for number in numbers}
        for fault, numbers in found["faults"].items()
    }
    assert kinds == {"time": {"sleeps"}, "memory": {"fills"}, "dead": {"dies"}, "KeyError": {"raises"}, "nan": {"nan"}}
    assert set(found["outcomes"]) == {"read", "refused"}
    assert sum(found["outcomes"].values()) + sum(map(len, found["faults"].values())) == 20
    assert "target  cases  as it should  exceptions  time  memory  dead  wrong" in done.stdout

    number = next(numbers for fault, numbers in found["faults"].items() if fault.startswith("KeyError"))[0]
    again = subprocess.run([*command, "--case", str(number)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert again.returncode == 1
    assert "KeyError" in again.stdout


def test_a_case_is_its_seed_and_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from fuzz_mutations import mutate, split

    wave = b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\x04\0\0\0abcd"
    for valid in (b"a: 1\nb: [2, 3]\n" * 5, wave):
        cases = [mutate(valid, [valid], random.Random(f"x {number}")) for number in range(300)]
        assert cases == [mutate(valid, [valid], random.Random(f"x {number}")) for number in range(300)]
        assert len(set(cases)) > 250
        assert b"".join(split(valid)) == valid
    assert split(wave) == [wave[:12], wave[12:36], wave[36:]]


@pytest.mark.slow
def test_a_minute_of_broken_files_finds_nothing(command_environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, str(TOOLS / "fuzz.py"), "--cases", "60", "--seed", "1", "--out", "kept", "--jobs", "1"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=command_environment, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
