"""How a process of ours ends.

Temporal's client has threads that may still call into Python while Python is being taken down. A short command
that has just spoken with Temporal then aborts, about once in six, its work done and its exit code wrong
(temporalio/sdk-python#300).
"""

import os
import sys
from collections.abc import Callable
from typing import NoReturn


def run_and_leave(work: Callable[[], int | None]) -> NoReturn:
    """Do the work, write out what it printed, and end at once with its answer as exit code (None is 0).

    What the work raises ends as it would have ended without us.
    """
    code = 0
    try:
        code = work() or 0
    except SystemExit as ending:
        code = _exit_code(ending.code)
    except BaseException as error:
        code = 130 if isinstance(error, KeyboardInterrupt) else 1
        sys.excepthook(type(error), error, error.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # the reader has gone away
            code = code or 1
    os._exit(code)


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    sys.stderr.write(f"{code}\n")
    return 1
