#!/usr/bin/env bash
# librosa.resample from 44.1 kHz to 48 or 24 kHz returns one sample too many for every whole second, and it is a zero.
#
# Expected: one second at 44100 Hz becomes 48000 samples at 48 kHz, and 10 ms (441 samples) become 480.
# Instead:  48001 and 481. The length is ceil(n * (target / origin)) with the quotient rounded first: 44100 * (48000 /
#   44100) is 48000.00000000001 in floats, so its ceiling is one too high. The resampler (soxr) gives the right count;
#   librosa pads that to its own with a zero: a step from full level to 0 at the end of a clip, and a shape that doesn't
#   fit what another resampler makes of the same clip. Of clips of 10, 20, ... ms about two in three are hit.
#   librosa.load(sr=48000) takes the same way. scipy.signal.resample_poly, which counts in whole numbers, gives 48000.
# Versions: librosa 0.11.0 (soxr 1.1.0, scipy 1.17.1, numpy 2.4.6).
# Documentation: librosa.resample, parameter fix: the length is "exactly ceil(target_sr * len(y) / orig_sr)"; that
#   order of operations would be right for these rates.
# Instead do: cut to -(-n * target // origin) samples, or call soxr.resample or resample_poly.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    librosa==0.11.0 soxr==1.1.0 scipy==1.17.1 numpy==2.4.6 numba==0.68.1 scikit-learn==1.9.1
venv/bin/python - <<'EOF'
import math
import sys

import librosa
import numpy as np
import scipy.signal
import soxr

print("librosa", librosa.__version__, "soxr", soxr.__version__)
changed = []
for origin, target, n in [(44100, 48000, 44100), (44100, 48000, 441), (44100, 24000, 44100), (44100, 48000, 441000)]:
    y = np.ones(n, dtype=np.float32)
    exact = -(-n * target // origin)
    documented = math.ceil(target * n / origin)
    made = librosa.resample(y, orig_sr=origin, target_sr=target)
    inner = soxr.resample(y, origin, target)
    poly = scipy.signal.resample_poly(y, target, origin)
    print(f"{n} samples, {origin} -> {target} Hz: exact {exact}, documented {documented}, librosa {len(made)}", end=" ")
    print(f"(ends in {made[-2:].round(3).tolist()}), soxr {len(inner)}, resample_poly {len(poly)}")
    if (documented, len(inner), len(poly)) != (exact, exact, exact):
        changed.append("another resampler's length")
    if len(made) != exact + 1 or made[-1] != 0 or abs(made[-2]) < 0.1:
        changed.append(f"librosa's length for {n} samples, {origin} -> {target}")
hit = sum(len(librosa.resample(np.ones(441 * k, np.float32), orig_sr=44100, target_sr=48000)) != 480 * k
          for k in range(1, 101))
print(f"of the 100 lengths of 10, 20, ... 1000 ms at 44.1 kHz, {hit} become one sample too long at 48 kHz")
if hit < 50:
    changed.append("how many lengths are hit")
if changed:
    sys.exit("changed: " + "; ".join(changed))
print("as stated")
EOF
