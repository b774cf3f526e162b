"""How a command ends: its exit status, and what it says of what went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from seqpipe.errors import ConfigError, SeqpipeError

DONE, FAILED, WRONG_USAGE, SOME_FAILED = 0, 1, 2, 3


def run_command(name: str, run: Callable[[], int], again: Callable[[], str | None]) -> int:
    """Run a command; what a user can mend is told on standard error, in the place of a traceback.

    Args:
        name: of the command, for messages.
        run: does it, and gives the exit status.
        again: the command line that goes on with what a signal ended; None of one that leaves nothing.
    """
    try:
        return run()
    except ConfigError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return WRONG_USAGE
    except BrokenPipeError:  # the reader of a pipe has seen enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (SeqpipeError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        command = again()
        print(f"{name}: interrupted{'' if command is None else f'; go on with: {command}'}", file=sys.stderr)
        return FAILED
