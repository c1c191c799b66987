"""`holdfast audit …`: whether the records are what was recorded, and what they tell."""

from __future__ import annotations

import typer

from cli.access import access, disclosures
from cli.checkpoint import checkpoint
from cli.conformance import conformance
from cli.export import export
from cli.reconcile import reconcile
from cli.replay import replay
from cli.retention import hold, lift, retention
from cli.search import search
from cli.verify import verify

app = typer.Typer()
for command in (
    verify,
    reconcile,
    search,
    replay,
    conformance,
    export,
    access,
    disclosures,
    retention,
    hold,
    lift,
    checkpoint,
):
    app.command()(command)


@app.callback()
def audit() -> None:
    """Check the audit trail, replay an episode from it, export what can be checked without us."""
