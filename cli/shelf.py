"""The protocols, scenarios, rota and directory of this installation, found by name or by path."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from cli.configuration import settings
from cli.output import USAGE, Trouble, warn
from protocol.findings import did_you_mean
from protocol.spec import ProtocolSpec
from protocol_specs.loader import NOT_PROTOCOLS, Document, load, load_protocol, read_file

if TYPE_CHECKING:
    from protocol.directory import Directory
    from protocol.rota import Person, Rota
    from rehearsal.scenario import Scenario
    from settings import Settings

PATHS_END_IN = (".yaml", ".yml", ".zip")


def protocol_files(folder: Path) -> list[Path]:
    """The protocols of a folder, by name."""
    return sorted(path for path in folder.glob("*.yaml") if path.stem not in NOT_PROTOCOLS)


def find_protocol(named: str, folder: Path) -> Path:
    """The file of a protocol given by path or by name. Raises Trouble."""
    path = Path(named)
    if path.is_file():
        return path
    known = {path.stem: path for path in protocol_files(folder)}
    if named in known:
        return known[named]
    must_be_no_path(named)
    mend = f"name its file: {named}.yaml" if path.with_suffix(".yaml").is_file() else did_you_mean(named, known)
    raise Trouble(f"there is no protocol {named}", mend, USAGE)


def protocol_file(named: str) -> Path:
    """The file of a protocol of this installation, or of any by its path. Raises Trouble."""
    path = Path(named)
    return path if path.is_file() else find_protocol(named, settings().protocols)


def must_be_no_path(named: str) -> None:
    """Raises Trouble for what is written like a path: no file lies there, and no name is like it."""
    if Path(named).is_dir():
        raise Trouble(f"{named} is a folder", "name the file in it", USAGE)
    if "/" in named or Path(named).suffix in PATHS_END_IN:
        near = get_close_matches(Path(named).name, _beside(Path(named)), 1)
        mend = f"did you mean `{Path(named).with_name(near[0])}`?" if near else "check the name and the folder"
        raise Trouble(f"there is no file {named}", mend, USAGE)


def _beside(path: Path) -> list[str]:
    """The names of what lies where a file was looked for."""
    return sorted(one.name for one in path.parent.glob("*") if one.is_file()) if path.parent.is_dir() else []


def read_protocol(named: str, folder: Path) -> ProtocolSpec:
    """A protocol given by path or by name. Raises Trouble, or SpecErrors with every error."""
    return load_protocol(find_protocol(named, folder))


def scenario_files(protocol_file: Path, named: list[str]) -> list[Path]:
    """The scenarios beside a protocol, in `scenarios/<protocol>/`: all, or those given by path or by name."""
    beside = {
        path.stem: path for path in sorted((protocol_file.parent / "scenarios" / protocol_file.stem).glob("*.yaml"))
    }
    return [_scenario(name, beside) for name in named] if named else list(beside.values())


def _scenario(named: str, beside: dict[str, Path]) -> Path:
    path = Path(named)
    if path.is_file():
        return path
    if named in beside:
        return beside[named]
    must_be_no_path(named)
    none_yet = "this protocol has none yet; `holdfast protocol simulate` saves one"
    raise Trouble(f"there is no scenario {named}", did_you_mean(named, beside) if beside else none_yet, USAGE)


def read_scenario(path: Path) -> tuple[Document, Scenario]:
    """A scenario with the places of its parts. Raises SpecErrors."""
    from rehearsal.scenario import Scenario

    document = read_file(path)
    return document, document.validate(Scenario)


def read_directory(settings: Settings) -> Directory:
    """The emergency resources. Raises SpecErrors."""
    from protocol.directory import Directory

    return load(settings.directory, Directory)


def numbers_in_use(settings: Settings) -> Directory:
    """The same with the changes that two people approved in the web application.

    Where the records can't be asked it is the file alone, and a line says so. Raises SpecErrors.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    from audit.database import connect_sync
    from practice.numbers import changes, overlaid

    directory, address = read_directory(settings), make_url(settings.database_url.get_secret_value())
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").exists():
        return directory  # nothing was ever recorded here
    engine = connect_sync(settings.database_url.get_secret_value())
    try:
        with engine.connect() as connection:
            return overlaid(directory, changes(connection, approved=True))
    except SQLAlchemyError:
        warn("the records don't answer: a number that was changed there since is not shown")
        return directory
    finally:
        engine.dispose()


def read_rota(settings: Settings) -> Rota:
    """Staff, shifts and leave. Raises SpecErrors."""
    from protocol.rota import Rota

    return load(settings.rota, Rota)


def find_person(
    rota: Rota, name: str, role: str | None, spec: ProtocolSpec, *, unlicensed: bool = False
) -> tuple[Person, str]:
    """Who acts, and in which role of the protocol; `unlicensed`: for an act that must not wait for a licence.

    Raises Trouble for somebody unknown, an unclear role, or one that needs a licence the person does not have.
    """
    person = rota.by_id.get(name)
    if person is None:
        mend = f"{did_you_mean(name, rota.by_id)} (the staff stands in the rota, {_rota_setting()})"
        raise Trouble(f"{name} is not on the staff", mend, USAGE)
    usable = [one for one in person.roles if one in spec.roles]
    if role is not None:
        if role not in person.roles:
            raise Trouble(f"{name} is no {role}", f"use one of their roles: {', '.join(usable)}", USAGE)
        return person, role if unlicensed else _licensed(rota, person, role, spec)
    if not usable:
        roles = ", ".join(spec.roles)
        raise Trouble(f"{name} has no role in {spec.protocol}", f"it has the roles {roles}; add one in the rota", USAGE)
    return person, usable[0] if unlicensed else _licensed(rota, person, usable[0], spec)


def _licensed(rota: Rota, person: Person, role: str, spec: ProtocolSpec) -> str:
    """The role, where the person may take it. Raises Trouble without the licence that it needs."""
    if role in spec.roles and spec.roles[role].licensed and not rota.licensed_here(person):
        mend = f"name another role with --role, or add {rota.state} to `licensed_in` in the rota ({_rota_setting()})"
        raise Trouble(f"{person.id} has no licence in {rota.state}, which a {role} needs", mend, USAGE)
    return role


def _rota_setting() -> str:
    """The variable that says where the rota lies; the settings are not loaded to check a file."""
    from settings import variable

    return variable("rota")


def find_owner(rota: Rota, name: str, spec: ProtocolSpec) -> Person:
    """Somebody to whom an episode may be handed over. Raises Trouble for somebody unknown or without such a role."""
    from protocol.rota import able_to_own

    person, _ = find_person(rota, name, None, spec)
    able = [one.id for one in able_to_own(rota, spec.owning_roles)]
    if person.id not in able:
        mend = f"an episode goes to a {' or '.join(spec.owning_roles)}, such as {', '.join(able[:5]) or 'nobody yet'}"
        raise Trouble(f"{name} may not own an episode", mend, USAGE)
    return person
