"""The QR code that an authenticator app reads."""

from __future__ import annotations

import segno

from practice.accounts import enrolment_address


def picture(secret: str, account_id: str) -> str:
    """The QR code as an address that a page may show: on white with its quiet zone, in a dark page too."""
    return segno.make(enrolment_address(secret, account_id), error="m").svg_data_uri(scale=4, light="white")
