"""Structured logs that cannot carry client information by accident.

A log line has an event (a constant phrase from the code) and named values. Only names on `SAYABLE` are
written as they are; every other value is replaced by its type. So a forgotten `log.info("…", answers=form)`
says `answers=[withheld dict]` instead of what a client told their therapist.
"""

import logging
import sys
from collections.abc import MutableMapping
from traceback import walk_tb
from types import TracebackType
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import Processor

#: Names whose values are opaque identifiers, counts, times or words of our own code.
SAYABLE = frozenset(
    {
        "event", "level", "logger", "timestamp",
        "activity", "address", "attempt", "attempts", "batch", "binary", "cache", "channel", "child",
        "command", "command_id", "component", "count", "delay_seconds", "duration_ms", "effect", "episode_id",
        "error_type", "exit_code", "from_revision", "hash", "kind", "late_seconds", "mode", "namespace",
        "obligation_id", "page_id", "path", "pid", "port", "protocol", "protocol_hash", "reason_code",
        "remedy", "restarts", "revision", "role", "rows", "rung", "sequence", "signal", "stage",
        "task_queue", "to_revision", "url", "version", "workflow_type",
    }
)  # fmt: skip

#: Libraries that tell of each thing they do.
CHATTY = ("alembic", "httpx", "mail", "uvicorn")

_PLAIN = (str, int, float, bool, type(None))
_LONGEST = 300
_DEEPEST = 8


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that moment: it may have been replaced, and the former one closed."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        self.stream = sys.stderr  # `setStream` would flush the former one, which may be closed
        super().emit(record)


def configure(level: str, style: Literal["console", "json"], stream: TextIO | None = None) -> None:
    """Send our logs and those of the libraries through one line of processors to the stream, or to standard error.

    Times are UTC. Called once by each process; calling it again replaces the former set-up.
    """
    colours = style == "console" and (stream or sys.stderr).isatty()
    renderer = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=colours)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        withhold,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_only_the_template, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        use_get_message=False,
    )
    handler = logging.StreamHandler(stream) if stream is not None else StandardError()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library in CHATTY:
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    sys.excepthook = _log_what_nobody_caught


def withhold(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep what is sayable; replace every other value by its type and an exception by its type and place."""
    told: dict[str, Any] = {}
    for name, value in line.items():
        if name in ("exc_info", "exception", "stack_info"):
            told |= _exception(value)
        elif name in ("_record", "_from_structlog") and isinstance(value, logging.LogRecord | bool):
            told[name] = value  # structlog's own, removed before anything is written
        elif name in SAYABLE and isinstance(value, _PLAIN):
            told[name] = value[:_LONGEST] if isinstance(value, str) else value
        else:
            told[name] = f"[withheld {type(value).__name__}]"
    return told


def _only_the_template(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of a library's message keep the constant first line, not the values put into it nor what follows."""
    record: logging.LogRecord = line["_record"]
    template = record.msg if isinstance(record.msg, str) else f"[withheld {type(record.msg).__name__}]"
    # Python's warnings arrive as "file:line: Category: message".
    parts = 2 if record.name == "py.warnings" else None
    line["event"] = ": ".join(template.partition("\n")[0].split(": ")[:parts])
    if record.exc_info:
        line["exc_info"] = record.exc_info
    return line


def _exception(value: object) -> dict[str, Any]:
    """An exception's type and the lines of code it passed; never its message, which may quote a form."""
    error = sys.exc_info()[1] if value is True else cast(object, value[1]) if isinstance(value, tuple) else value
    if not isinstance(error, BaseException):
        return {}
    frames = [f"{frame.f_globals.get('__name__', '?')}:{line}" for frame, line in walk_tb(error.__traceback__)]
    told: dict[str, Any] = {"error_type": type(error).__name__, "raised_at": " > ".join(frames[-_DEEPEST:])}
    if error.__cause__ is not None:
        told["caused_by"] = type(error.__cause__).__name__
    return told


def _log_what_nobody_caught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger("holdfast").critical("stopped by an error nobody caught", exc_info=error)
