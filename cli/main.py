"""The `holdfast` command: its groups, and the one place where errors end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import typer
from typer.exceptions import TyperException

import heap
from cli.configuration import settings
from cli.lazily import group_in
from cli.leaving import run_and_leave
from cli.output import DONE, FOUND, UNEXPECTED, USAGE, AsJson, Trouble, complain, say, say_json
from protocol_specs.located import SpecErrors

GROUPS = {
    "episode": "Open, see and lead episodes.",
    "protocol": "Write, check, try and publish protocols.",
    "directory": "Look up emergency resources, and keep them right.",
    "roster": "Hold the rota against the ladders of the protocols.",
    "audit": "Check the audit trail, replay an episode from it, export what can be checked without us.",
    "keys": "Rotate and destroy the keys that seal what is recorded of a client.",
    "account": "Who may sign in to the web application.",
    "caseload": "Whose clients are whose.",
}
"""Each is the `app` of its module, which is imported when somebody uses it."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for _name, _words in GROUPS.items():
    app.add_typer(group_in(f"cli.{_name}", _words), name=_name)


@app.callback()
def holdfast() -> None:
    """A durable engine for crisis protocols. It never diagnoses and never calls an emergency number by itself.

    Exit codes: 0 done; 1 findings, failed expectations, a refused command; 2 wrong use; 3 the engine or the
    records do not answer; 4 a fault of ours.
    """


@app.command()
def up(as_json: AsJson = False) -> None:
    """Start Holdfast on this machine: Temporal, mail catcher, worker, fictional people. Ctrl-C stops it.

    With --json each message is one line of JSON; the one with `places` says that everything is up.
    """
    from cli.up import CannotStart, ChildFailed, NoTemporal, as_lines, as_text, run  # heavy: for this command alone

    try:
        run(settings(), as_lines(say) if as_json else as_text(say))
    except (CannotStart, ChildFailed, NoTemporal) as error:
        raise Trouble(str(error), "change what is said above and start again; `var/log` has the rest") from None


@app.command()
def worker() -> None:
    """Run the worker alone, against the Temporal server of the settings, until it is told to stop."""
    from worker import main as serve

    raise typer.Exit(serve())


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Play three crisis episodes through the real workflow with skipped time, and tell them."""
    from cli.demo import play_all, show

    show(play_all(), as_json=as_json)


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Bring the records database to the newest form; safe to run again and from many places at once."""
    from audit.migrate import upgrade

    upgrade(settings().database_url.get_secret_value(), settings().database_application_role)
    if as_json:
        say_json({"current": True})
    else:
        say("The records are up to date.")


@app.command()
def health(as_json: AsJson = False) -> None:
    """Exit with 0 when a worker of this host has asked Temporal for work within the last three minutes."""
    import asyncio
    import socket

    from cli.health import worker_polls

    since = datetime.now(UTC) - timedelta(minutes=3)
    polls = asyncio.run(worker_polls(settings(), since, socket.gethostname()))
    if as_json:
        say_json({"worker_polls": polls})
    if not polls:
        raise Trouble("No worker of this host asks Temporal for work", "see the worker's log")
    if not as_json:
        say("A worker of this host asks Temporal for work.")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code. Whatever goes wrong ends in a sentence, never in a traceback."""
    settings.cache_clear()
    try:
        code = app(args=arguments, prog_name="holdfast", standalone_mode=False)
    except Trouble as trouble:
        complain(trouble)
        return trouble.code
    except TyperException as error:
        if message := error.format_message():  # empty: the help was shown instead
            complain(Trouble(message, "add --help to the command to see what it takes"))
        return USAGE
    except SpecErrors as errors:
        say("\n".join(map(str, errors.found)))
        return FOUND
    except (typer.Abort, KeyboardInterrupt):
        return FOUND
    except BrokenPipeError:
        return DONE
    except OSError as error:
        complain(
            Trouble(f"{error.filename or 'a file'}: {error.strerror or error}", "check that it may be read and written")
        )
        return FOUND
    except Exception as error:
        if _debugging():
            raise
        complain(
            Trouble(
                f"{type(error).__name__}: {error}",
                "this should not happen: run it with HOLDFAST_LOG_LEVEL=debug and report it",
            )
        )
        return UNEXPECTED
    return code if isinstance(code, int) else DONE


def _debugging() -> bool:
    try:
        return settings().log_level == "debug"
    except Trouble:
        return False


def main() -> None:
    """Entry point."""
    heap.hurry()
    run_and_leave(run)


if __name__ == "__main__":
    main()
