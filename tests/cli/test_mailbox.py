"""The mail catcher keeps each mail as it came."""

import stat
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import Envelope

from cli.mailbox import Mailbox


async def test_each_mail_becomes_a_file_of_its_own(tmp_path: Path):
    mailbox: Any = Mailbox(tmp_path / "mail")
    for number in range(3):
        envelope = Envelope()
        envelope.original_content = f"Subject: {number}\r\n\r\n\xe9".encode("latin-1")
        assert (await mailbox.handle_DATA(None, None, envelope)).startswith("250")
    kept = sorted((tmp_path / "mail").glob("*.eml"))
    assert [file.read_bytes() for file in kept] == [f"Subject: {n}\r\n\r\n\xe9".encode("latin-1") for n in range(3)]
    assert len(list((tmp_path / "mail").iterdir())) == 3
    assert stat.S_IMODE((tmp_path / "mail").stat().st_mode) == 0o700
