"""The process that serves the web application until it is told to stop."""

from __future__ import annotations

import sys

import uvicorn

import heap
import logs
from settings import Settings, SettingsError, load
from web.app import create_app

GRACE_SECONDS = 5


def main() -> int:
    """Serve; the exit code."""
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(settings.log_level, settings.log_format)
    serving = server(settings)
    heap.settle()
    serving.run()
    return 0


def server(settings: Settings) -> uvicorn.Server:
    """A server for these settings, not yet running. No access log: addresses are nobody's business."""
    host, _, port = settings.web_address.rpartition(":")
    return uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            host=host.strip("[]"),
            port=int(port),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=settings.web_proxies is not None,
            forwarded_allow_ips=settings.web_proxies or "",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
