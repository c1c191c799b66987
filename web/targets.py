"""Where events may be sent: hosts that the settings name, and no other."""

from __future__ import annotations

from urllib.parse import urlsplit

from settings import Settings

LONGEST = 400


def refusal(settings: Settings, url: str) -> str:
    """Why nothing may be sent there; empty when it may."""
    try:
        parts = urlsplit(url)
        host = parts.netloc if parts.port else parts.hostname or ""
    except ValueError:
        return "this is no address"
    if len(url) > LONGEST or not url.isprintable() or " " in url:
        return "this is no address"
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.webhook_inside):
        return "an address starts with https://"
    if parts.username or parts.password or parts.fragment:
        return "an address has no user, password or fragment"
    if host.lower() not in {one.lower() for one in settings.webhook_targets}:
        return "the host is not among HOLDFAST_WEBHOOK_TARGETS; ask whoever runs this installation"
    return ""
