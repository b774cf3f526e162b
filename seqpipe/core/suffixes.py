"""Endings of the files that inputs are, or that list them: what a folder gives to which first stage."""

AUDIO_SUFFIXES = frozenset(
    {
        ".8svx",
        ".aif",
        ".aifc",
        ".aiff",
        ".au",
        ".avr",
        ".bwf",
        ".caf",
        ".fap",
        ".flac",
        ".gsm",
        ".htk",
        ".ircam",
        ".mp1",
        ".mp2",
        ".mp3",
        ".nist",
        ".oga",
        ".ogg",
        ".opus",
        ".paf",
        ".pvf",
        ".rf64",
        ".sd2",
        ".sds",
        ".sf",
        ".snd",
        ".sph",
        ".svx",
        ".voc",
        ".vox",
        ".w64",
        ".wav",
        ".wave",
        ".wve",
        ".xi",
    }
)
"""All that libsndfile 1.2.2 reads, but ``.iff`` and ``.mat``, which mostly hold something else, and ``.raw``, which
states no rate."""
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
INK_SUFFIXES = frozenset({".inkml"})
TEXT_SUFFIXES = frozenset({".txt"})
"""Of the files that a folder gives where inputs are text."""
MANIFEST_KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",  # what NeMo's manifests end with
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
"""What a file that lists inputs is read as, by its ending."""
FILE_SUFFIXES = AUDIO_SUFFIXES | IMAGE_SUFFIXES | INK_SUFFIXES
"""Of all files that are an input each."""
Suffixes = frozenset[str]
"""Endings of names, in lower case."""
