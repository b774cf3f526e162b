"""``seqpipe reply``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from seqpipe.errors import ConfigError
from seqpipe.verbs.shared import refuse_rest

SUMMARY = "The likeliest replies to a message, out of a list or written freely, with probabilities."
EXAMPLE = "seqpipe reply runs/starter --message Thanks! --replies replies.txt"
LIST = "rest"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(rest=[])
    parser.add_argument("run", help="run directory of the language task, trained on messages with their replies")
    parser.add_argument("--message", required=True, metavar="TEXT", help="to be answered")
    parser.add_argument("--replies", metavar="FILE", help="choose from its lines; else replies are written freely")
    parser.add_argument("--n", type=int, default=3, metavar="N", help="replies; default: 3")
    parser.add_argument("--json", action="store_true", help="a JSON object a reply, nothing else")


def run(options: argparse.Namespace) -> int:
    """Print replies, best first."""
    from seqpipe.generation.reply import best_replies, written_replies

    refuse_rest(options)
    if options.replies is not None:
        path = Path(options.replies)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--replies {path}: can't be read as UTF-8 text ({error})") from None
        replies = [line for line in lines if line.strip()]
        if not replies:
            raise ConfigError(f"--replies {path}: holds no replies; write one a line")
        found = best_replies(options.run, options.message, replies, n=options.n)
    else:
        found = written_replies(options.run, options.message, n=options.n)
    for reply in found:
        if options.json:
            record = {"text": reply.text, "probability": reply.probability, "log_probability": reply.log_probability}
            print(json.dumps(record, ensure_ascii=False))
        else:
            print(f"{reply.probability:7.4f}  {reply.text}")
    return 0
