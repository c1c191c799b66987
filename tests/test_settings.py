"""The environment is read once, strictly, and repeats no secret."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import settings
from settings import SECRETS, Key, Settings, SettingsError, load, parse_keys

ROOT = Path(__file__).parent.parent
SECRET = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()
PRODUCTION = {
    "HOLDFAST_MODE": "production",
    "HOLDFAST_DATABASE_URL": "postgresql+psycopg://app:hunter2@db/records",
    "HOLDFAST_PAYLOAD_KEYS": f"k2:{SECRET},k1:{OTHER}",
    "HOLDFAST_RECORD_KEYS": f"r1:{OTHER}",
}


KEYS = ("payload_keys", "record_keys", "signing_keys")


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return str(caught.value)


def test_nothing_given_is_a_usable_embedded_configuration(tmp_path: Path):
    found = load({"HOLDFAST_VAR": str(tmp_path)})
    assert found.mode == "embedded"
    assert found.database_url.get_secret_value() == f"sqlite:///{tmp_path}/holdfast.db"
    assert len(found.payload_keys) == len(found.record_keys) == 1
    assert found.payload_keys[0].secret != found.record_keys[0].secret


def test_embedded_keys_are_made_once_and_readable_by_their_owner_only(tmp_path: Path):
    var = tmp_path / "var"
    first, second = load({"HOLDFAST_VAR": str(var)}), load({"HOLDFAST_VAR": str(var)})
    assert not var.exists(), "whoever asks for no key leaves no trace"
    for name in KEYS:
        assert getattr(first, name) == getattr(second, name) == getattr(first, name)
    assert first == second == load({"HOLDFAST_VAR": str(var)})
    assert sorted(file.name for file in (var / "keys").iterdir()) == [f"{name}.txt" for name in sorted(KEYS)]
    for file in (var / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for folder in (var, var / "keys"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_processes_that_race_for_the_first_key_agree_on_one(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(lambda: load({"HOLDFAST_VAR": str(tmp_path)}).payload_keys) for _ in range(16)]
    assert len({one.result()[0].secret for one in asked}) == 1
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["payload_keys.txt"]


def test_a_damaged_key_file_refuses_the_start_and_is_not_replaced(tmp_path: Path):
    assert load({"HOLDFAST_VAR": str(tmp_path)}).payload_keys
    kept = tmp_path / "keys" / "payload_keys.txt"
    kept.write_text("embedded:AAAA\n")
    assert "payload_keys.txt" in refusal({"HOLDFAST_VAR": str(tmp_path)})
    assert kept.read_text() == "embedded:AAAA\n"


def test_values_are_typed(tmp_path: Path):
    found = load(
        {
            "HOLDFAST_VAR": str(tmp_path),
            "HOLDFAST_TEMPORAL_TLS": "true",
            "HOLDFAST_SMTP_PORT": "25",
            "HOLDFAST_DRAIN_SECONDS": "2.5",
            "PATH": "/bin",
        }
    )
    assert (found.uses_tls, found.smtp_port, found.drain_seconds) == (True, 25, 2.5)


def test_the_first_key_is_the_active_one():
    assert [key.id for key in load(PRODUCTION).payload_keys] == ["k2", "k1"]


@pytest.mark.parametrize("name", ["HOLDFAST_PAYLOAD_KEYS", "HOLDFAST_RECORD_KEYS", "HOLDFAST_DATABASE_URL"])
@pytest.mark.parametrize("left_out", [None, ""])
def test_production_refuses_to_start_without_a_key_or_a_database(name: str, left_out: str | None):
    environ = {key: value for key, value in PRODUCTION.items() if key != name}
    if left_out is not None:
        environ[name] = left_out
    assert name in refusal(environ)


def test_production_makes_no_files(tmp_path: Path):
    load(PRODUCTION | {"HOLDFAST_VAR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_production_refuses_a_mail_password_in_clear():
    message = refusal(PRODUCTION | {"HOLDFAST_SMTP_USERNAME": "u", "HOLDFAST_SMTP_PASSWORD": "hunter3"})
    assert "HOLDFAST_SMTP_SECURITY" in message


@pytest.mark.parametrize(
    ("name", "value", "near"),
    [
        ("HOLDFAST_TEMPRAL_ADDRESS", "x:1", "HOLDFAST_TEMPORAL_ADDRESS"),
        ("HOLDFAST_SMTP_PASWORD_FILE", "x", "HOLDFAST_SMTP_PASSWORD_FILE"),
        ("HOLDFAST_QQQQQQQQQ", "x", "docs/settings.md"),
        ("HOLDFAST_MODE_FILE", "x", "HOLDFAST_MODE"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name: str, value: str, near: str):
    assert near in refusal({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOLDFAST_TEMPORAL_ADDRESS", "localhost"),
        ("HOLDFAST_TEMPORAL_ADDRESS", "localhost:99999"),
        ("HOLDFAST_SMTP_PORT", "0"),
        ("HOLDFAST_SMTP_PORT", "twenty"),
        ("HOLDFAST_MODE", "prod"),
        ("HOLDFAST_BASE_URL", "ftp://x"),
        ("HOLDFAST_BASE_URL", "http://user:pw@x"),
        ("HOLDFAST_WEBHOOK_SECRET", "whsec_short"),
        ("HOLDFAST_PAYLOAD_KEYS", "noid"),
        ("HOLDFAST_PAYLOAD_KEYS", "a:!!!"),
        ("HOLDFAST_PAYLOAD_KEYS", f"a:{SECRET},a:{OTHER}"),
        ("HOLDFAST_DRAIN_SECONDS", "nan"),
        ("HOLDFAST_DRAIN_SECONDS", "inf"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str):
    assert name in refusal({name: value})


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        ("HOLDFAST_TEMPORAL_TLS_CERT", "HOLDFAST_TEMPORAL_TLS_KEY", "/x.pem"),
        ("HOLDFAST_WEBHOOK_URL", "HOLDFAST_WEBHOOK_SECRET", "https://pager.example/in"),
        ("HOLDFAST_SMTP_USERNAME", "HOLDFAST_SMTP_PASSWORD", "u"),
    ],
)
def test_what_goes_together_is_asked_for_together(one: str, other: str, value: str):
    assert other in refusal({one: value})


def test_all_wrong_values_are_told_at_once():
    message = refusal({"HOLDFAST_MODE": "prod", "HOLDFAST_SMTP_PORT": "x"})
    assert "HOLDFAST_MODE" in message
    assert "HOLDFAST_SMTP_PORT" in message


def test_a_secret_may_come_from_a_file(tmp_path: Path):
    file = tmp_path / "keys"
    file.write_text(f"k9:{SECRET}\n")
    environ = {name: value for name, value in PRODUCTION.items() if name != "HOLDFAST_PAYLOAD_KEYS"}
    assert load(environ | {"HOLDFAST_PAYLOAD_KEYS_FILE": str(file)}).payload_keys[0].id == "k9"
    assert "both set" in refusal(PRODUCTION | {"HOLDFAST_PAYLOAD_KEYS_FILE": str(file)})
    assert "cannot be read" in refusal(environ | {"HOLDFAST_PAYLOAD_KEYS_FILE": str(tmp_path / "none")})


def test_no_secret_is_ever_shown():
    whsec = "whsec_" + base64.b64encode(b"w" * 24).decode()
    found = load(PRODUCTION | {"HOLDFAST_WEBHOOK_URL": "https://p.example/in", "HOLDFAST_WEBHOOK_SECRET": whsec})
    for shown in (repr(found), str(found), repr(found.payload_keys), repr(found.payload_keys[0])):
        for secret in ("hunter2", SECRET, OTHER, whsec, "kkkk", "oooo"):
            assert secret not in shown


@given(st.text(max_size=60), st.sampled_from(["bad:", ",", f"k:{SECRET[:-8]}", "a b:"]))
def test_an_error_about_keys_repeats_no_key(text: str, wrong: str):
    with pytest.raises(ValueError, match=r"entry|same id") as caught:
        parse_keys(f"id1:{SECRET},{wrong}{text}")
    assert SECRET[:-8] not in str(caught.value)


def test_public_keys_are_read_as_they_are_printed():
    found = load(PRODUCTION | {"HOLDFAST_VERIFY_KEYS": f"s2:{'ab' * 32},s1:{'cd' * 32}"})
    assert [(key.id, key.public) for key in found.verify_keys] == [("s2", b"\xab" * 32), ("s1", b"\xcd" * 32)]
    for wrong, said in (("s1", "entry 1"), (f"s1:{'AB' * 32}", "entry 1"), (f"s:{'ab' * 32},s:{'cd' * 32}", "same id")):
        assert said in refusal(PRODUCTION | {"HOLDFAST_VERIFY_KEYS": wrong})


def test_secrets_are_the_fields_that_hide_their_value():
    hiding = {
        name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation) or not field.repr
    }
    assert hiding == set(SECRETS)


def test_every_setting_is_explained():
    assert all(field.description for field in Settings.model_fields.values())


def test_the_settings_page_is_up_to_date():
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings.reference(), (
        "python settings.py > docs/settings.md"
    )


def test_keys_may_be_given_as_objects():
    key = Key(id="a", secret=b"x" * 32)
    assert Settings(payload_keys=(key,)).payload_keys == (key,)
