"""Lines of a list that somebody pasted, or sent as a file."""

from __future__ import annotations

from starlette.datastructures import UploadFile
from starlette.requests import Request

from web.guard import MOST_FIELDS, MOST_FILES


class NotText(Exception):
    """The file is no text that we can read; the message says what to do."""


async def lines_in(request: Request) -> str:
    """The file of the form, else what was pasted. Raises NotText. Its size was limited at the door."""
    form = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
    sent = form.get("file")
    if isinstance(sent, UploadFile) and sent.filename:
        content = await sent.read()
        await sent.close()
        try:
            return content.decode("utf-8-sig").replace("\0", "")
        except UnicodeDecodeError:
            raise NotText("the file is no text in UTF-8: save it as “CSV UTF-8” and send it again") from None
    return str(form.get("text", ""))
