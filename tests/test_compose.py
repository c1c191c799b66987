"""docker-compose.yml: what it asks for is explained, nothing is open or guessable, and our parts start with it."""

import asyncio
import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from ruamel.yaml import YAML
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from cli.parts import temporal_binary, temporal_server
from cli.processes import Keeper
from settings import load
from tests.cli.test_up import free_ports
from tests.postgresql import postgresql

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = YAML(typ="safe").load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("holdfast")}
ASKED = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[?-])(?P<word>[^}]*))?\}")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")

OPTIONAL = ("HOLDFAST_SMTP_PASSWORD", "HOLDFAST_WEBHOOK_SECRET", "HOLDFAST_OIDC_CLIENT_SECRET", "HOLDFAST_VERIFY_KEYS")
FILLED = {
    "POSTGRES_PASSWORD": "a1",
    "TEMPORAL_DATABASE_PASSWORD": "b2",
    "RECORDS_OWNER_PASSWORD": "c3",
    "RECORDS_WORKER_PASSWORD": "d4",
    "HOLDFAST_PAYLOAD_KEYS": "k1:" + base64.b64encode(b"p" * 32).decode(),
    "HOLDFAST_RECORD_KEYS": "k1:" + base64.b64encode(b"r" * 32).decode(),
    "HOLDFAST_SIGNING_KEYS": "k1:" + base64.b64encode(b"g" * 32).decode(),
    "HOLDFAST_VERIFY_KEYS": "k1:" + "ab" * 32,
    "HOLDFAST_BASE_URL": "https://holdfast.example.org",
    "ROTA_FILE": "./rota.yaml",
    "HOLDFAST_SMTP_HOST": "mail.example.org",
    "HOLDFAST_SMTP_FROM": "holdfast@example.org",
}


def environment(service: str) -> dict[str, str]:
    """A service's environment as compose would fill it in from FILLED."""

    def fill(match: re.Match[str]) -> str:
        value = FILLED.get(match["name"], "")
        if not value and match["how"] == "?":
            raise AssertionError(f"{match['name']} is asked for and not given")
        return value or (match["word"] if match["how"] == "-" else "")

    given: dict[str, Any] = SERVICES[service]["environment"]
    return {name: ASKED.sub(fill, str(value)) for name, value in given.items()}


def test_every_variable_is_explained_and_every_explanation_is_needed():
    explained = set(re.findall(r"^(\w+)=", EXAMPLE, re.MULTILINE))
    assert explained == {match["name"] for match in ASKED.finditer(TEXT)}


def test_the_example_shows_the_defaults():
    shown = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE))
    for match in ASKED.finditer(TEXT):
        assert shown[match["name"]] == (match["word"] if match["how"] == "-" else "")


def test_no_secret_has_a_default():
    for match in ASKED.finditer(TEXT):
        if re.search("PASSWORD|KEYS|SECRET", match["name"]):
            optional = match["name"] in OPTIONAL
            assert match["how"] == ("-" if optional else "?")
            assert not optional or match["word"] == ""


def test_nothing_listens_beyond_this_host():
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert service.get("network_mode") is None


def test_images_are_pinned():
    images = {service["image"] for service in SERVICES.values()}
    assert all(re.fullmatch(r"[\w/-]+:\d[\w.]*", image) for image in images)
    assert f'version = "{OURS["worker"]["image"].partition(":")[2]}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.full
def test_the_cluster_is_the_version_that_the_tests_run_against(tmp_path: Path):
    binary = temporal_binary(load({"HOLDFAST_VAR": str(tmp_path)}))
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    server, ui = re.findall(r"(?:Server|UI) ([\d.]+)", said)
    assert SERVICES["temporal"]["image"] == f"temporalio/server:{server}"
    assert SERVICES["temporal-schema"]["image"] == f"temporalio/admin-tools:{server}"
    assert SERVICES["temporal-namespace"]["image"] == f"temporalio/admin-tools:{server}"
    assert SERVICES["temporal-ui"]["image"] == f"temporalio/ui:{ui}"


def test_what_is_waited_for_exists_and_can_be_reached():
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"].startswith("on-failure")


def test_mounted_files_are_in_the_repository():
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert not source.startswith("./") or (ROOT / source).is_file(), source


def test_our_parts_run_with_no_more_than_they_need():
    for service in OURS.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes" in dockerfile
    assert dockerfile.index("USER 10001") < dockerfile.index("ENTRYPOINT")


def test_the_image_has_every_room_and_the_context_lets_it_in():
    dockerfile, ignored = (ROOT / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text()
    wheel = re.search(r"include = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert wheel is not None
    for room in re.findall(r'"([\w.]+)"', wheel[1]):
        assert re.search(rf"\b{re.escape(room)}\b", dockerfile), room
        assert re.search(rf"^!{re.escape(room)}/?$", ignored, re.MULTILINE), room


@pytest.mark.parametrize("service", OURS)
def test_our_parts_understand_their_environment(service: str):
    settings = load(environment(service))
    assert settings.mode == "production"


def test_only_the_migration_knows_the_owner():
    assert "holdfast_owner" in environment("migrate")["HOLDFAST_DATABASE_URL"]
    for name in SERVICES.keys() - {"migrate", "postgres"}:
        assert FILLED["RECORDS_OWNER_PASSWORD"] not in str(environment(name))


def test_a_stop_leaves_the_worker_the_time_it_drains():
    grace = float(OURS["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > load(environment("worker")).drain_seconds


@pytest.fixture
def records() -> Iterator[Path]:
    """The socket folder of a PostgreSQL whose roles and databases were made by the script that compose mounts."""
    with postgresql() as server:
        (sockets,) = parse_qs(urlsplit(server.get_uri()).query)["host"]
        passwords_count = "local all postgres trust\nlocal all all scram-sha-256\n"
        (server.pgdata / "pg_hba.conf").write_text(passwords_count)
        server.psql("SELECT pg_reload_conf()")
        assert server.bin_path is not None
        subprocess.run(
            ["sh", str(ROOT / "deploy/postgres/roles.sh")],
            env=environment("postgres") | {"PATH": f"{server.bin_path}:{os.environ['PATH']}", "PGHOST": sockets},
            check=True,
            timeout=60,
        )
        yield Path(sockets)


def started(service: str, records: Path, **other: str) -> subprocess.Popen[str]:
    """The service's command with exactly its environment, but for where PostgreSQL, Temporal and files are."""
    given = environment(service) | other
    given["HOLDFAST_DATABASE_URL"] = at(given["HOLDFAST_DATABASE_URL"], records)
    return subprocess.Popen(
        [sys.executable, *OURS[service]["command"]],
        cwd=ROOT,
        env=given | {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def at(url: str, folder: Path) -> str:
    """An address of the records, on the local PostgreSQL instead of compose's."""
    return url.replace("@postgres:5432/holdfast", f"@/holdfast?host={folder}")


def migrated(records: Path) -> None:
    for _ in range(2):
        with started("migrate", records) as process:
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output


@pytest.mark.full
def test_the_workers_role_cannot_change_the_trail(records: Path):
    migrated(records)
    engine = create_engine(at(environment("worker")["HOLDFAST_DATABASE_URL"], records))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM trail")) == 0
    for statement in (
        "UPDATE trail SET sequence = 1",
        "DELETE FROM trail",
        "TRUNCATE trail",
        "ALTER TABLE trail ADD COLUMN note text",
        "DROP TABLE trail",
        "CREATE TABLE mine (id int)",
    ):
        with engine.connect() as connection, pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            connection.execute(text(statement))
    engine.dispose()
    wrong = create_engine(at(environment("worker")["HOLDFAST_DATABASE_URL"], records).replace(":d4@", ":guess@"))
    with pytest.raises(OperationalError, match="password authentication failed"):
        wrong.connect()


@pytest.mark.full
async def test_the_worker_comes_up_and_says_that_it_is_well(records: Path, tmp_path: Path):
    await asyncio.to_thread(migrated, records)
    port, ui = free_ports(2)
    place = {"HOLDFAST_TEMPORAL_ADDRESS": f"127.0.0.1:{port}", "HOLDFAST_ROTA": str(ROOT / "protocol_specs/rota.yaml")}
    server = load(environment("worker") | place | {"HOLDFAST_VAR": str(tmp_path), "HOLDFAST_TEMPORAL_UI_PORT": str(ui)})
    keeper = Keeper(temporal_server(server), tmp_path, print)
    await keeper.start()
    try:
        health = OURS["worker"]["healthcheck"]["test"][2:]
        assert await asyncio.to_thread(well, health, place) == 1
        with started("worker", records, **place) as worker:
            while (code := await asyncio.to_thread(well, health, place)) and worker.poll() is None:
                pass
            worker.terminate()
            output, _ = await asyncio.to_thread(worker.communicate, timeout=40)
        assert (code, worker.returncode) == (0, 0), output
    finally:
        await keeper.stop()


@pytest.mark.full
def test_the_watchdog_watches_with_nothing_but_the_records(records: Path):
    migrated(records)
    with started("watchdog", records, HOLDFAST_ROTA=str(ROOT / "protocol_specs/rota.yaml")) as watchdog:
        assert watchdog.stdout is not None
        assert "watchdog ready" in watchdog.stdout.readline()
        watchdog.terminate()
        rest, _ = watchdog.communicate(timeout=30)
    assert watchdog.returncode == 0, rest
    assert "records not read" not in rest


@pytest.mark.full
def test_one_signs_in_to_the_web_application_with_an_account_made_on_the_command_line(records: Path):
    migrated(records)
    (port,) = free_ports(1)
    rota, base = str(ROOT / "protocol_specs/rota.yaml"), f"http://127.0.0.1:{port}"
    place = {"HOLDFAST_ROTA": rota, "HOLDFAST_WEB_ADDRESS": f"127.0.0.1:{port}", "HOLDFAST_BASE_URL": base}
    given = environment("web") | {"PATH": os.environ["PATH"]}
    given["HOLDFAST_DATABASE_URL"] = at(given["HOLDFAST_DATABASE_URL"], records)
    made = [sys.executable, "-m", "cli.main", "account", "add", "abel", "--role", "administrator"]
    subprocess.run(made, cwd=ROOT, env=given, input="a long sentence\n", text=True, check=True, timeout=60)
    with started("web", records, **place) as web:
        with httpx.Client(base_url=base, timeout=10) as browser:
            while web.poll() is None:
                try:
                    assert browser.get("/health").json()["records"] is True
                    break
                except httpx.ConnectError:
                    continue
            answer = browser.post("/sign-in", data={"account": "abel", "password": "a long sentence"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            assert "Abel" not in browser.get("/accounts").text
            assert "abel" in browser.get("/accounts").text
        web.terminate()
        output, _ = web.communicate(timeout=30)
    assert web.returncode in (0, -15), output


def well(command: list[str], place: dict[str, str]) -> int:
    """Exit code of the worker's health check."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment("worker") | place | {"PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=30,
    ).returncode
