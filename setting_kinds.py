"""The kinds of values that settings have: addresses, signing secrets, groups of an identity provider."""

import base64
import os
import secrets
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from named_keys import KEY_BYTES, Key, parse_keys


class SettingsError(Exception):
    """The environment does not make a usable configuration; the message says what to change."""


def _signing_secret(value: SecretStr) -> SecretStr:
    prefix, _, encoded = value.get_secret_value().partition("_")
    try:
        usable = prefix == "whsec" and len(base64.b64decode(encoded, validate=True)) >= 24
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("a signing secret is whsec_ and the base64 of at least 24 random bytes")
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address starts with http:// or https:// and a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address has no user, password, query or fragment")
    return value.rstrip("/")


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("an address is written host:port")
    return value


SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
HostAndPort = Annotated[str, AfterValidator(_host_and_port)]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
RoleName = Literal["therapist", "on_call", "supervisor", "clinical_operations", "auditor", "administrator"]
ROLE_NAMES: tuple[RoleName, ...] = get_args(RoleName)


def _groups(value: object) -> object:
    """`therapist=Group A; supervisor=Group B` to pairs; a role may stand there several times."""
    if not isinstance(value, str):
        return value
    pairs: list[tuple[str, str]] = []
    for place, entry in enumerate(value.split(";"), start=1):
        role, equals, group = (part.strip() for part in entry.partition("="))
        if not equals or not group or role not in ROLE_NAMES:
            raise ValueError(f"entry {place}: write role=group, the role one of {', '.join(ROLE_NAMES)}")
        pairs.append((role, group))
    return tuple(pairs)


def _roles(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _words(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


RoleGroups = Annotated[tuple[tuple[RoleName, str], ...], BeforeValidator(_groups)]
Roles = Annotated[tuple[RoleName, ...], BeforeValidator(_roles)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


def key_kept_in(path: Path) -> Key:
    """The key in the file; made on first use, readable by its owner only, even when two processes race.

    Raises SettingsError when the file holds no key.
    """
    if not path.exists():
        path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        encoded = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"embedded:{encoded}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # fails when another process was first; its key is the one
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        return parse_keys(path.read_text(encoding="utf-8").strip())[0]
    except ValueError as error:
        raise SettingsError(
            f"{path}: {error}. What this key sealed is lost without it: restore the file from a backup."
        ) from None
