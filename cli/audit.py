"""`holdfast audit …`: whether the records are what was recorded, and what they tell."""

from __future__ import annotations

import typer

from cli.checkpoint import checkpoint
from cli.replay import replay
from cli.verify import verify

app = typer.Typer(no_args_is_help=True, help="Check the audit trail, and replay an episode from it.")
for command in (verify, replay, checkpoint):
    app.command()(command)


@app.callback()
def audit() -> None:
    """Check the audit trail, and replay an episode from it."""
