#!/usr/bin/env bash
# sclite counts a word of over 500 bytes in a CTM file as an error though the reference has the same.
#
# Expected: equal words are correct, whatever their length; or an error that says which length is allowed.
# Instead:  with --hyp in CTM and --ref in STM, a word of up to 500 bytes is correct, and one of 501 bytes a substitution.
#   No message, status 0. Between two files in TRN the same words are correct. 500 bytes are 166 Japanese, Chinese or Thai
#   characters: a sentence or two, where a recogniser writes what it hears without blanks.
# Versions: sctk 2.4.10-20151007-1312Z+dfsg2-3.1 (Debian 12), amd64.
# Documentation: NIST SCTK, infmts.htm, "CTM format" and "STM format" give no limit on words.
# Instead do: score characters, each as a word of its own (blanks between them), as is usual for such languages.
# Needs: apt-get and dpkg (Debian or Ubuntu) with Debian 12's package lists; nothing is installed in the system.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
version='2.4.10-20151007-1312Z+dfsg2-3.1'
apt-get download -qq "sctk=$version" 2>/dev/null
dpkg -x sctk_*.deb .
sclite=usr/lib/sctk/bin/sclite
echo "sctk $version"
# Writes the four files of one case: three words, the second of which is given.
write() {
  printf 'a 1 s 0.0 3.0 hello %s world\n' "$1" >ref.stm
  printf 'a 1 0.1 0.2 hello\na 1 0.5 0.2 %s\na 1 1.0 0.2 world\n' "$1" >hyp.ctm
  printf 'hello %s world (s_1)\n' "$1" | tee ref.trn >hyp.trn
}
# Substitutions in per cent: the fifth field of the line of sums.
errors() { "$sclite" "$@" -e utf-8 -o sum stdout | awk '/Sum\/Avg/ {gsub(/[|]/, " "); print $5}'; }
seen=""
for characters in 166 167; do
  write "$(printf 'あ%.0s' $(seq "$characters"))"
  times=$(errors -r ref.stm stm -h hyp.ctm ctm)
  plain=$(errors -r ref.trn trn -h hyp.trn trn -i rm)
  echo "$characters characters, $((3 * characters)) bytes: $times % wrong in CTM, $plain % in TRN"
  seen="$seen$times $plain;"
done
stated="0.0 0.0;33.3 0.0;"
if [ "$seen" != "$stated" ]; then
  echo "changed: stated $stated, seen $seen"
  exit 1
fi
echo "as stated"
