"""The heap of a process that runs for months, and of a command."""

import subprocess
import sys

SETTLED = """
import gc
{main}
print(gc.get_freeze_count() > 10_000, gc.get_threshold())
"""


def test_what_is_loaded_is_set_aside_and_never_looked_through_again():
    code = SETTLED.format(main="import protocol.engine, heap\nheap.settle()")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split(maxsplit=1) == ["True", "(10000, 20, 20)\n"]


def test_a_command_looks_for_cycles_rarely():
    code = "import gc\nfrom cli import main\nmain.run_and_leave = lambda run: print(gc.get_threshold())\nmain.main()"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "(100000, 20, 20)\n"
