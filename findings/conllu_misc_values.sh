#!/usr/bin/env bash
# conllu reads a valid CoNLL-U file and writes it back with less in its MISC column.
#
# Expected: conllu.parse() followed by serialize() keeps MISC; values are what stands after the first "=".
# Instead:  a value ends at its own first "=": MGloss=3SG=go becomes MGloss=3SG. "=" is the usual mark of a clitic in
#   glosses (Leipzig Glossing Rules, rule 2), so it is no rarity in treebanks of glossed text. Of an attribute that
#   stands twice only the last is kept. Neither raises nor warns. pyconll keeps the "="; it sorts the attributes, and
#   of one that stands twice it keeps the last as well.
# Versions: conllu 6.0.0, pyconll 3.3.1.
# Documentation: Universal Dependencies, "MISC attributes in CoNLL-U", section "Basic format": Attribute=Value is only
#   recommended, and an attribute may stand several times; nothing bars "=" from a value.
# Instead do: give conllu.parse() its own field_parsers={"misc": lambda line, i: line[i]}, which leaves MISC a string.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check conllu==6.0.0 pyconll==3.3.1
venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import conllu
import pyconll

print("conllu", version("conllu"), "pyconll", version("pyconll"))


def file(misc):
    fields = [["1", "nada=le", "nada", "VERB", "_", "_", "0", "root", "_", misc]]
    return "# sent_id = 1\n" + "\n".join("\t".join(row) for row in fields) + "\n\n"


def misc(text):
    return text.strip().split("\n")[-1].split("\t")[9]


seen = {}
for value in ("MGloss=swim=3SG|SpaceAfter=No", "Ref=4|Ref=7", "Gloss=swims|SpaceAfter=No"):
    text = file(value)
    one = misc(conllu.parse(text)[0].serialize())
    other = misc(pyconll.load_from_string(text)[0].conll())
    plain = conllu.parse(text, field_parsers={"misc": lambda line, i: line[i]})[0].serialize()
    print(f"{value}: conllu writes {one}, pyconll {other}")
    assert plain == text  # what to do instead
    seen[value] = (one, other)
stated = {
    "MGloss=swim=3SG|SpaceAfter=No": ("MGloss=swim|SpaceAfter=No", "MGloss=swim=3SG|SpaceAfter=No"),
    "Ref=4|Ref=7": ("Ref=7", "Ref=7"),
    "Gloss=swims|SpaceAfter=No": ("Gloss=swims|SpaceAfter=No", "Gloss=swims|SpaceAfter=No"),
}
if seen != stated:
    sys.exit(f"changed: stated {stated}")
print("as stated")
EOF
