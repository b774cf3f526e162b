#!/usr/bin/env bash
# Edit distances of sequences that differ come out as 0, where the hashes of the elements are the same.
#
# Expected: the distance of [-1] and [-2] is 1, and that of the pen movements [(1, -1)] and [(1, -2)] as well.
# Instead:  editdistance compares hash() of the elements, never the elements, and CPython has hash(-1) == hash(-2):
#   the distance is 0, as for 0 and 2**61 - 1. rapidfuzz and Levenshtein provide for -1, and go by the hash for the
#   rest. The hash of a tuple is made of its members': tuples that hold -1 and -2 are equal to all three. Error
#   rates over steps of pitch, stroke deltas, offsets or tuples of such are too low, without a sign.
#   nltk compares elements by == and is right.
# Versions: editdistance 0.8.1, rapidfuzz 3.14.6, Levenshtein 0.27.5, nltk 3.10.4; CPython 3.
# Documentation: Python Language Reference, 3.3.1 "Basic customization", object.__hash__: equal objects must have equal
#   hashes, and no more than that. rapidfuzz.distance.Levenshtein.distance takes any Sequence[Hashable].
# Instead do: number the distinct elements first (0, 1, 2, ... by a dict), and compare the lists of numbers.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    editdistance==0.8.1 rapidfuzz==3.14.6 Levenshtein==0.27.5 nltk==3.10.4
venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import editdistance
import Levenshtein
import nltk
from rapidfuzz.distance import Levenshtein as rapid

functions = {
    "editdistance": editdistance.eval,
    "rapidfuzz": rapid.distance,
    "Levenshtein": Levenshtein.distance,
    "nltk": nltk.edit_distance,
}
print({name: version(name) for name in functions})
cases = [  # two sequences, what each library gave in the order above
    ([-1], [-2], [0, 1, 1, 1]),
    ([-1, 3, -1, 5], [-2, 3, -2, 5], [0, 2, 2, 2]),
    ([0], [2**61 - 1], [0, 0, 0, 1]),
    ([(1, -1), (0, 1)], [(1, -2), (0, 1)], [0, 0, 0, 1]),
]
changed = False
for a, b, seen in cases:
    got = [int(function(a, b)) for function in functions.values()]
    print(a, b, dict(zip(functions, got)))
    changed |= got != seen
    number = {}
    a, b = ([number.setdefault(element, len(number)) for element in sequence] for sequence in (a, b))
    assert len({int(function(a, b)) for function in functions.values()}) == 1  # all agree on numbered elements
if changed:
    sys.exit("changed: a distance is another than stated")
print("as stated; with the elements numbered, all four agree")
EOF
