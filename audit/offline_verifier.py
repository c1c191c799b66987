"""Checks an export of Holdfast's audit trail. Needs this file, Python 3.11 and the package `cryptography`; no network.

    python offline_verifier.py BUNDLE --key KEY [--key ANOTHER_KEY ...]
    python offline_verifier.py CERTIFICATE.pdf --key KEY      needs CERTIFICATE.pdf.sig beside it

KEY is a public key that you pinned: 64 hexadecimal digits, or a file that holds them. It must come to you by
another way than the bundle. After the practice changed its key, old checkpoints need the old one too.
Exit code: 0 everything holds, 1 something does not, 2 wrong use.

How rows, commitments and checkpoints are computed is written in docs/trail.md of Holdfast; this file shares no code
with it.
"""
# pyright: basic
# It is to be read by people who don't know Holdfast, so it has no annotations to read past.

import argparse
import hashlib
import json
import re
import stat
import sys
import zipfile
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = b"holdfast-bundle-1"
CERTIFICATE = b"holdfast-certificate-1"
TRAIL = "holdfast-trail-1"
CHECKPOINT = "holdfast-checkpoint-1"
SIGNATURE = 128
DIGITS = re.compile(r"\b[0-9a-f]{64}\b")
LONGEST_LINE = 16 * 1024 * 1024
LARGEST = 64 * 1024 * 1024
"""Bytes of an entry that is read at once."""
NAMES = ("rows.ndjson", "episodes.ndjson", "manifest.json", "README.txt", "offline_verifier.py")
PROTOCOL = re.compile(r"protocols/[0-9a-f]{64}\.json")
COLUMNS = ("episode_id", "sequence", "occurred_at", "recorded_at", "actor", "role", "command_id", "kind", "commitment")


class Bad(Exception):
    """Something does not hold; the message says what."""


canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def sha(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()


def signed_by(keys, signature, message):
    """Whether one of the keys made this signature, which is written in hexadecimal digits."""
    for key in keys:
        try:
            key.verify(bytes.fromhex(signature), message)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def check_signature(path, keys):
    """The whole file but its last 128 characters is what was signed."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = file.seek(0, 2) - SIGNATURE
        file.seek(0)
        while left > 0:
            part = file.read(min(left, 1 << 20))
            digest.update(part)
            left -= len(part)
        signature = file.read()
    if not re.fullmatch(rb"[0-9a-f]{128}", signature):
        raise Bad("the file does not end in a signature: it was cut off, or is no bundle")
    if not signed_by(keys, signature.decode(), FORMAT + b"\n" + digest.digest()):
        raise Bad("the signature does not fit: the file was changed, or signed with another key")
    return digest.hexdigest()


def check_certificate(path, keys):
    """The signature of a certificate lies beside it, in a file of its own."""
    digest = hashlib.sha256(path.read_bytes()).digest()
    written = Path(f"{path}.sig").read_bytes()
    found = re.fullmatch(rb"holdfast-certificate-1 [A-Za-z0-9_.-]{1,64} ([0-9a-f]{128})\n", written)
    if found is None:
        raise Bad(f"{path}.sig holds no signature")
    if not signed_by(keys, found[1].decode(), CERTIFICATE + b"\n" + digest):
        raise Bad("the signature does not fit: the certificate was changed, or signed with another key")
    return digest.hex()


def leaves(document, prefix=""):
    for name, value in document.items():
        path = prefix + name.replace("~", "~0").replace("/", "~1")
        if isinstance(value, dict) and value:
            yield from leaves(value, path + "/")
        else:
            yield path, canonical(path) + ":" + canonical(value)


def commitment(row):
    """What the shown values and the hashes of the withheld ones make; None when nothing can be read any more."""
    if "payload" in row:
        texts = [text.encode() for _, text in sorted(leaves(row["payload"]))]
        salts = hashlib.shake_256(bytes.fromhex(row["salt"])).digest(32 * len(texts))
        hashes = [hashlib.sha256(salts[32 * n : 32 * n + 32] + text).digest() for n, text in enumerate(texts)]
    elif "values" in row:
        hashes = [
            hashlib.sha256(bytes.fromhex(one["salt"]) + one["leaf"].encode()).digest()
            if "leaf" in one
            else bytes.fromhex(one["hash"])
            for one in row["values"]
        ]
    else:
        return None
    return sha(b"".join(hashes))


def shown(row, path):
    """The value of a row at a path, None when it is withheld."""
    if "payload" in row:
        found = dict(leaves(row["payload"])).get(path)
    else:
        texts = (one["leaf"] for one in row.get("values", ()) if "leaf" in one)
        found = next((text for text in texts if text.startswith(canonical(path) + ":")), None)
    return None if found is None else json.loads(found[len(canonical(path)) + 1 :])


def check_row(row, sequence, previous, episode_id):
    where = f"episode {episode_id}, row {sequence}"
    if (row["episode_id"], row["sequence"], row["previous_hash"]) != (episode_id, sequence, previous):
        raise Bad(f"{where}: another row stands here, or it does not continue the one before")
    if row["hash"] != sha(canonical([TRAIL, previous, *(row[name] for name in COLUMNS)])):
        raise Bad(f"{where}: the columns do not make the row's hash")
    made = commitment(row)
    if made is not None and made != row["commitment"]:
        raise Bad(f"{where}: the content is not what the row committed to")
    return made is not None


def root(leaf, place, size, proof):
    """The Merkle root to which a leaf leads (RFC 9162, 2.1.3.2)."""
    found, last = leaf, size - 1
    for step in map(bytes.fromhex, proof):
        if place % 2 or place == last:
            found = hashlib.sha256(b"\x01" + step + found).digest()
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + step).digest()
        place, last = place >> 1, last >> 1
    return found.hex()


def check_checkpoint(told, keys, mark):
    said = told["statement"]
    values = [said[name] for name in ("number", "at", "previous", "rows", "size", "root", "key_id")]
    if not signed_by(keys, told["signature"], canonical([CHECKPOINT, *values]).encode()):
        raise Bad(f"checkpoint {said['number']}: not signed with a key of yours; it names {said['key_id']!r}")
    leaf = hashlib.sha256(b"\x00" + canonical(mark).encode()).digest()
    if root(leaf, told["place"], said["size"], told["proof"]) != said["root"]:
        raise Bad(f"episode {mark[0]}: checkpoint {said['number']} does not vouch for its row {mark[1]}")


def lines(archive, name):
    with archive.open(name) as file:
        while line := file.readline(LONGEST_LINE):
            yield json.loads(line)


def check_episode(told, rows, keys, count):
    """Reads the rows of one episode; which protocols they name."""
    episode_id, mark = told["episode_id"], told["checkpoint"]
    previous, protocols, vouched = sha(canonical([TRAIL, episode_id])), set(), 0
    for sequence in range(1, told["rows"] + 1):
        row = next(rows, None)
        if row is None:
            raise Bad(f"episode {episode_id}: rows are missing from {sequence} on")
        count["unreadable"] += not check_row(row, sequence, previous, episode_id)
        count["withheld"] += sum("hash" in one for one in row.get("values", ()))
        if mark is not None and sequence == mark["sequence"]:
            check_checkpoint(mark, keys, [episode_id, sequence, row["hash"]])
            vouched = sequence
        if sequence == 1 or row["kind"] == "Migrated":
            protocols.add(shown(row, "event/protocol_hash"))
        previous = row["hash"]
    if mark is not None and not vouched:
        cut = f"the bundle has {told['rows']} rows: the end was cut off"
        raise Bad(f"episode {episode_id}: a checkpoint vouches for row {mark['sequence']}, {cut}")
    if previous != told["head"]:
        raise Bad(f"episode {episode_id}: the last row is not the one that the bundle names")
    count["rows"] += told["rows"]
    count["uncovered"] += told["rows"] - vouched
    return protocols - {None}


def check_entries(archive):
    """Each entry once, under a name of ours: whoever unpacks the file gets what was checked here, and nothing else."""
    entries = archive.infolist()
    if len({one.filename for one in entries}) != len(entries):
        raise Bad("two entries of the file have the same name")
    for one in entries:
        known = one.filename in NAMES or PROTOCOL.fullmatch(one.filename)
        if not known or stat.S_IFMT(one.external_attr >> 16) not in (0, stat.S_IFREG):
            raise Bad(f"the file has an entry that no export has: {one.filename!r}")
        if not one.filename.endswith(".ndjson") and one.file_size > LARGEST:
            raise Bad(f"{one.filename} is larger than any that an export has")


def check_contents(path, keys):
    """What the bundle holds, counted. Raises Bad."""
    count = dict.fromkeys(("episodes", "rows", "unreadable", "withheld", "uncovered"), 0)
    with zipfile.ZipFile(path) as archive:
        check_entries(archive)
        manifest = json.loads(archive.read("manifest.json"))
        protocols = {
            name[10:-5]: sha(archive.read(name)) for name in archive.namelist() if name.startswith("protocols/")
        }
        wrong = [name for name, found in protocols.items() if name != found]
        if wrong:
            raise Bad(f"the protocol {wrong[0]} does not have this hash")
        rows = lines(archive, "rows.ndjson")
        for told in lines(archive, "episodes.ndjson"):
            for protocol in check_episode(told, rows, keys, count) - protocols.keys():
                raise Bad(f"episode {told['episode_id']}: the protocol {protocol} is not in the bundle")
            count["episodes"] += 1
        if next(rows, None) is not None:
            raise Bad("there are rows of no episode")
    if any(manifest[name] != count[name] for name in ("episodes", "rows", "withheld")):
        raise Bad("the manifest counts other episodes, rows or withheld values")
    return manifest, count, protocols


def printable(line):
    """One line stays one: what people typed into it can neither end it nor steer the terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def say(manifest, count, protocols, digest):
    rows, covered = count["rows"], count["rows"] - count["uncovered"]
    yield f"Bundle {digest}"
    yield f"made {manifest['made_at']} by {manifest['by']}, for {manifest['to']}: {manifest['purpose']}"
    yield "GOOD  The signature is of a key of yours, and nothing in the file was changed since."
    yield f"GOOD  {count['episodes']} episodes, {rows} rows: each continues the one before; none was edited,"
    yield "      none is missing in between, and each chain ends where the bundle says."
    yield f"GOOD  What {rows - count['unreadable']} rows say is what they committed to when they were written."
    yield f"GOOD  {len(protocols)} protocols are those under which the episodes ran."
    if covered:
        yield f"GOOD  Signed checkpoints vouch for {covered} of the rows."
    if count["uncovered"]:
        yield f"NOTE  {count['uncovered']} rows are newer than the last checkpoint: only this bundle vouches for them."
    if count["unreadable"]:
        yield f"NOTE  {count['unreadable']} rows can't be read: the client's key was destroyed. Their chain holds."
    if count["withheld"]:
        yield f"NOTE  {count['withheld']} values are withheld from you. What is shown was not changed by that."
    yield "NOTE  Not checked here: whether the protocol asked for what was done. `holdfast audit replay` does."
    yield f"NOTICE  {manifest['notice']} ({manifest['notice_source']})"


def say_certificate(digest):
    yield f"Certificate {digest}"
    yield "GOOD  The signature is of a key of yours, and not a bit of the certificate was changed since."
    yield "NOTE  It names the bundle that proves what it tells, by hash: check that too, and compare the hash."


def check(path, keys):
    """What there is to say of a bundle or a certificate, line by line. Raises Bad."""
    with path.open("rb") as file:
        is_certificate = file.read(5) == b"%PDF-"
    if is_certificate:
        said = say_certificate(check_certificate(path, keys))
    else:
        digest = check_signature(path, keys)
        said = say(*check_contents(path, keys), digest)
    return map(printable, said)


def read_key(text):
    found = DIGITS.search(text) or DIGITS.search(Path(text).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("no key")
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(found[0]))


def main(arguments=None):
    options = argparse.ArgumentParser(description="Check an export of Holdfast's audit trail.")
    options.add_argument("bundle", type=Path)
    options.add_argument(
        "--key", required=True, action="append", help="a pinned public key: 64 hexadecimal digits, or a file with them"
    )
    given = options.parse_args(arguments)
    try:
        keys = [read_key(text) for text in given.key]
    except (ValueError, OSError):
        sys.stderr.write("--key: give 64 hexadecimal digits, or a file that holds them\n")
        return 2
    try:
        said = [*check(given.bundle, keys)]
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 2
    except Bad as bad:
        sys.stdout.write(printable(f"BAD   {bad}") + "\n")
        return 1
    except Exception as error:  # signed, and yet not as we write it: never good
        sys.stdout.write(f"BAD   the file can't be read: {type(error).__name__}\n")
        return 1
    sys.stdout.write("\n".join([*said, "EVERYTHING HOLDS", ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
