"""The `holdfast` command."""

import typer

from settings import Settings, SettingsError, load

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def holdfast() -> None:
    """A durable engine for crisis protocols."""


@app.command()
def up() -> None:
    """Start Holdfast on this machine: Temporal, mail catcher, worker, fictional people. Ctrl-C stops it."""
    from cli.up import CannotStart, ChildFailed, NoTemporal, run  # heavy: other commands need none of it

    try:
        run(_settings(), typer.echo)
    except (CannotStart, ChildFailed, NoTemporal) as error:
        raise _failure(error) from None


@app.command()
def migrate() -> None:
    """Bring the records database to the newest form; safe to run again and from many places at once."""
    from audit.migrate import upgrade

    settings = _settings()
    upgrade(settings.database_url.get_secret_value(), settings.database_application_role)
    typer.echo("The records are up to date.")


def _settings() -> Settings:
    try:
        return load()
    except SettingsError as error:
        raise _failure(error) from None


def _failure(error: Exception) -> typer.Exit:
    typer.echo(f"holdfast: {error}", err=True)
    return typer.Exit(1)


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
