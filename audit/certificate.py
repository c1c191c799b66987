"""The certificate of one episode: its history as a readable PDF beside the bundle, bound to it by hash.

Tagged PDF/UA. The same history, bundle and moment make the same bytes. The bundle is what proves; this is to be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import typst

from audit.bundle import Made, Request
from audit.history import History
from audit.redaction import NOTICE, NOTICE_SOURCE
from audit.signatures import SigningKeys
from protocol.account import LATE, Entry
from protocol.breaches import ENDS, Breach
from protocol.canonical import rfc3339
from protocol.local_time import show_span, show_time
from protocol.visible import one_line
from protocol.words import NO_BREAK, Words, person

FORMAT = "holdfast-certificate-1"
SIGNATURE = ".sig"
"""What the name of the file with the signature ends in, after that of the certificate."""
TEMPLATE = Path(__file__).with_name("certificate.typ")


def certificate(told: History, request: Request, made: Made, public_key: str) -> bytes:
    """The PDF. With substance-use records withheld it tells of each entry only when, who and of what kind."""
    document = _document(told, request, made, public_key)
    return typst.compile(
        TEMPLATE,
        sys_inputs={"certificate": json.dumps(document)},
        pdf_standards=["ua-1"],
        ignore_system_fonts=True,
        timestamp=request.made_at.replace(microsecond=0),
    )


def signature_of(page: bytes, keys: SigningKeys) -> str:
    """The detached signature of a certificate, as the file beside it holds it; `offline_verifier.py` checks it."""
    signed = b"\n".join((FORMAT.encode(), sha256(page).digest()))
    return f"{FORMAT} {keys.active} {keys.sign_bytes(signed)}\n"


def _document(told: History, request: Request, made: Made, public_key: str) -> dict[str, Any]:
    words = Words(told.spec)
    return {
        "title": f"Certificate of episode {told.episode_id}",
        "summary": list(_summary(told, request, made)),
        "bound": [list(pair) for pair in _bound(told, request, made, public_key)],
        "check": _check(public_key),
        "breaches": [] if request.redact else [_breach(one, words) for one in told.breaches],
        "times": f"Times are local: {told.spec.time_zone}. Known is when Holdfast took it in.",
        "entries": [_entry(one, words, bare=request.redact) for one in told.entries],
        "notice": f"{NOTICE} ({NOTICE_SOURCE})",
    }


def _summary(told: History, request: Request, made: Made) -> Iterator[str]:
    yield f"Made {rfc3339(request.made_at)} by {request.by}, for {request.to}: {request.purpose}."
    yield f"Protocol: {told.spec.title}, version {told.spec.version}."
    holds = "whole" if told.verdict.fault is None else f"DAMAGED: {told.verdict.fault}"
    yield f"The chain of {told.verdict.rows} entries is {holds}."
    differing = f"{told.differences} entries DIFFER" if told.differences else "every decision comes out the same again"
    yield f"Decided anew with the protocol of that time, {differing}." if told.stopped is None else told.stopped
    if made.proved is None:
        yield "No checkpoint vouches for it yet: only the bundle's signature does."
    if request.redact:
        yield f"{made.withheld} values that may tell of substance use are withheld; so are the missed deadlines' names."


def _bound(told: History, request: Request, made: Made, public_key: str) -> Iterator[tuple[str, str]]:
    yield "Bundle (SHA-256)", made.sha256
    yield "Protocol (SHA-256)", told.spec.content_hash
    yield f"Entry {told.verdict.rows}, the last (SHA-256)", told.verdict.head.hash
    if made.proved is not None:
        said = made.proved.signed.statement
        covered = f"entries 1 to {made.proved.mark.sequence}; checkpoint {said.number} of {rfc3339(said.at)}"
        yield "Vouched for by a checkpoint", f"{covered}, root {said.root}"
    yield "Public key (Ed25519)", public_key
    yield "Made with", f"Holdfast {request.release.version}, rules {request.release.rules}"
    for seen in request.releases:
        yield (
            f"Recorded from {seen.at:%Y-%m-%d} on with",
            f"Holdfast {seen.release.version}, rules {seen.release.rules}",
        )


def _check(public_key: str) -> Sequence[str]:
    return (
        "What this page tells is proved by the bundle alone: its signature covers every byte of it. Run "
        f"python offline_verifier.py BUNDLE --key {public_key} and compare the hash of the bundle that it shows "
        "with the one above. The public key must have reached you by another way. The signature of this page itself "
        "is in the file beside it that ends in .sig; the same program checks it.",
    )


def _breach(one: Breach, words: Words) -> str:
    return _text(f"{one.title}: was due {show_time(one.due_at, words.zone)}; {ENDS[one.end]} (entry {one.missed}).")


def _entry(one: Entry, words: Words, *, bare: bool) -> dict[str, Any]:
    who = "Holdfast" if one.role == "system" else f"{person(one.actor)}, {words.role(one.role)}"
    rule = "" if bare or one.rule is None else f"{one.rule.name}: {one.rule.because} {one.rule.source}"
    late = one.known_at - one.happened_at
    happened = f"happened {show_time(one.happened_at, words.zone)}, {show_span(late)} earlier" if late > LATE else ""
    differs = "".join(f" DIFFERS: {text}." for text in one.differences)
    differs += f" NOT DECIDED ANEW: {one.undecided}." if one.undecided else ""
    said = f"{one.line.label}: {one.line.text}" if one.line.label else one.line.text
    deed = f"{one.deed} → " if one.sequence == one.step and one.role != "system" else ""
    what = one.event.kind if bare else f"{deed}{said}{differs}"
    return {
        "number": one.sequence,
        "known": _text(show_time(one.known_at, words.zone)),
        "who": _text(who),
        "what": _text(what),
        "happened": "" if one.role == "system" else happened,
        "rule": _text(rule),
    }


def _text(text: str) -> str:
    return one_line(text.replace(NO_BREAK, " "))
