"""``seqpipe serve``."""

from __future__ import annotations

import argparse

SUMMARY = "Serve a model over HTTP: transcriptions as OpenAI's interface has them, and predictions of any task."
EXAMPLE = "seqpipe serve exported/an4 --port 8000"
LIST = "overrides"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="RUN|MODEL", help="an exported model; or a run directory, exported first")
    parser.add_argument("overrides", nargs="*", metavar="decoding.KEY=VALUE")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free (default: 8000)")
    parser.add_argument("--name", help="what requests call the model (default: the folder's name)")
    parser.add_argument("--threads", type=int, metavar="N", help="inputs answered at once (default: the cores)")
    parser.add_argument("--queue", type=int, default=64, metavar="N", help="inputs that may wait (default: 64)")
    parser.add_argument("--max-upload-mb", type=float, default=25.0, metavar="MB", help="of a request (default: 25)")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="longer recordings are refused (default: 6 h)")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longer texts are refused (default: 100000)")
    parser.add_argument("--max-steps", type=int, metavar="N", help="longer images are refused (default: 100000)")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "int8"], help="of a run that is exported")


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from seqpipe.serve.run import serve
    from seqpipe.verbs.shared import chosen_for_a_run

    limits = {name: getattr(options, name) for name in ("max_seconds", "max_tokens", "max_steps")}
    serve(
        options.model,
        host=options.host,
        port=options.port,
        name=options.name,
        threads=options.threads,
        queue=options.queue,
        most_bytes=round(options.max_upload_mb * 1e6),
        precision=options.precision,
        decoding=chosen_for_a_run(options.overrides, "decoding").get("decoding", {}),
        **{name: value for name, value in limits.items() if value is not None},
    )
    return 0
