#!/usr/bin/env bash
# One and the same TIFF page is black on white for Pillow and white on black for tifffile, imageio and scikit-image;
# and at 16 bits a sample Pillow sides with the others.
#
# Expected: a page whose PhotometricInterpretation is 0 (WhiteIsZero, what scanners and fax write for text) comes out
#   with the same pixels everywhere, white the highest.
# Instead:  Pillow turns 1 and 8 bit pages round, so that white is 255 (True); tifffile gives the stored numbers,
#   white 0, and imageio.v3 and scikit-image read TIFF through it by default. Pillow opens 16 bit pages as I;16
#   without turning them, so one library has both. A recogniser trained on pages read the one way sees negatives read
#   the other way.
# Versions: Pillow 13.0.0, tifffile 2026.3.3, imageio 2.38.1, scikit-image 0.26.0, numpy 2.4.6.
# Documentation: TIFF Revision 6.0, section 8, PhotometricInterpretation, 0 = WhiteIsZero: 0 is imaged as white.
# Instead do: look at the tag (262) and turn the page where it is 0: always after tifffile, after Pillow for I;16 only.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    Pillow==13.0.0 tifffile==2026.3.3 imageio==2.38.1 scikit-image==0.26.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import imageio.v3
import numpy as np
import skimage.io
import tifffile
from PIL import Image

print({name: version(name) for name in ("Pillow", "tifffile", "imageio", "scikit-image")})
readers = {
    "Pillow": lambda name: np.asarray(Image.open(name)),
    "tifffile": tifffile.imread,
    "imageio": imageio.v3.imread,
    "scikit-image": skimage.io.imread,
}
stated = {1: (True, False, False, False), 8: (True, False, False, False), 16: (False, False, False, False)}
changed = []
for bits, kind in ((1, bool), (8, np.uint8), (16, np.uint16)):
    full = True if kind is bool else np.iinfo(kind).max
    ink = np.zeros((8, 16), kind)
    ink[:, :4] = full  # WhiteIsZero: the highest number is ink, 0 is paper
    for photometric in ("minisblack", "miniswhite"):
        tifffile.imwrite("page.tif", ink, photometric=photometric)
        assert tifffile.TiffFile("page.tif").pages[0].photometric == (photometric == "minisblack")
        paper = {reader: read("page.tif")[0, 15].item() for reader, read in readers.items()}
        print(f"{bits:2} bit, {photometric}: the columns stored as 0 are read as {paper}")
        bright = tuple(value == full for value in paper.values())
        if bright != (stated[bits] if photometric == "miniswhite" else (False,) * 4):
            changed.append(f"{bits} bit {photometric}")
if changed:
    sys.exit("changed: " + ", ".join(changed))
print("as stated: only Pillow, and only up to 8 bits, shows the paper of a WhiteIsZero page white")
EOF
