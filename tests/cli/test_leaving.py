"""A command that spoke with Temporal ends with its own exit code, never with a crash on the way out."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def ended(code: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys\nfrom cli.leaving import run_and_leave\ndef work():\n    {code}\nrun_and_leave(work)"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    ("code", "exit_code", "out", "err"),
    [
        ("print('done')", 0, "done", ""),
        ("print('no', file=sys.stderr); sys.exit(3)", 3, "", "no"),
        ("return 4", 4, "", ""),
        ("sys.exit()", 0, "", ""),
        ("sys.exit('because')", 1, "", "because"),
        ("raise ValueError('broken')", 1, "", "ValueError: broken"),
        ("raise KeyboardInterrupt", 130, "", "KeyboardInterrupt"),
    ],
)
def test_the_exit_code_and_the_output_are_those_of_the_work(code: str, exit_code: int, out: str, err: str):
    answer = ended(code)
    assert answer.returncode == exit_code
    assert out in answer.stdout
    assert err in answer.stderr


def test_python_is_not_taken_down():
    answer = ended("import atexit; atexit.register(print, 'taken down'); print('done')")
    assert (answer.returncode, answer.stdout) == (0, "done\n")
