"""Notices by e-mail: one plain message to each person."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime, localtime

import aiosmtplib

from activities.notices import NotDeliveredError, Notice
from protocol.rota import Person
from settings import Settings

TIMEOUT_SECONDS = 10.0


class Mailer:
    """Sends through the mail server of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def deliver(self, notice: Notice, people: Sequence[Person]) -> None:
        """Hand one message for each person to the mail server. Raises NotDeliveredError."""
        for person in people:
            await self._send(self._message(notice, person))

    def _message(self, notice: Notice, person: Person) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.smtp_from
        message["To"] = person.email
        message["Subject"] = notice.subject
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = f"<{notice.key}.{person.id}@{self._settings.smtp_from.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text)
        return message

    async def _send(self, message: EmailMessage) -> None:
        told = self._settings
        password = told.smtp_password.get_secret_value() if told.smtp_password else None
        try:
            await aiosmtplib.send(
                message,
                hostname=told.smtp_host,
                port=told.smtp_port,
                username=told.smtp_username,
                password=password,
                use_tls=told.smtp_security == "tls",
                start_tls=told.smtp_security == "starttls",
                timeout=TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            final = all(one.code >= 500 for one in refused.recipients)
            raise NotDeliveredError("the mail server refuses the address", final=final) from None
        except aiosmtplib.SMTPResponseException as answer:
            raise NotDeliveredError(f"the mail server answers {answer.code}", final=answer.code >= 500) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotDeliveredError(f"no mail server: {type(error).__name__}", final=False) from None
