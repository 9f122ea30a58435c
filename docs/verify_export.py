#!/usr/bin/env python3
"""Verifies an export of the log of events offline, with Python's standard library alone (3.8 or later):

    python3 verify_export.py EXPORT.json [--chain-key ID:SECRET]... [--fingerprint AB:CD:...]

Right (exit code 0) means: every event is as it was stored, no event is missing between two of one chain whose numbers follow
one another, and who has the export key has signed this file. --chain-key takes an entry of the variable `chain_key`; without the
secret of a key nobody can tell whether its events were changed. --fingerprint is what the export key is known by; without it
the file only vouches for itself.
"""
import base64
import hashlib
import hmac
import json
import sys
from decimal import Decimal

# The chain: begin. RFC 8785 and the hashes.

NOT_SEALED = {"event_hash", "legal_hold", "legal_hold_reason", "legal_hold_placed_by", "legal_hold_placed_at",
              "hash_chain_valid", "redacted"}


def number(value):
    """As ECMAScript prints the double."""
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + exponent
    if text == "0":
        return "0"
    if len(text) <= point <= 21:
        text += "0" * (point - len(text))
    elif 0 < point <= 21:
        text = text[:point] + "." + text[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + text
    else:
        text = text[0] + ("." + text[1:]) * (len(text) > 1) + "e%+d" % (point - 1)
    return "-" * sign + text


def canonical(value):
    """The text of RFC 8785."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, (str, bool)) or value is None:
        return json.dumps(value, ensure_ascii=False)
    return number(value)


def chain_faults(events, keys):
    """What is wrong with the events, which are in the order of the log."""
    last = {}
    for event in events:
        name, chain = "event " + str(event["event_id"]), event["correlation_id"]
        text = canonical({member: event[member] for member in event if member not in NOT_SEALED}).encode()
        algorithm, key = event["hash_algorithm"], keys.get(event.get("chain_key_id"))
        if event.get("redacted"):
            pass  # What was taken out cannot be hashed. The links around it can be followed.
        elif algorithm == "HMAC-SHA256" and key is None:
            yield name + ": its hash needs --chain-key " + str(event.get("chain_key_id"))
        elif event["event_hash"] != (hmac.new(key, text, hashlib.sha256) if algorithm == "HMAC-SHA256"
                                     else hashlib.sha256(text)).hexdigest():
            yield name + ": it is not what was hashed"
        before = last.get(chain)
        if event["chain_sequence"] == 1:
            before = {"chain_sequence": 0, "event_hash": "0" * 64, "hash_algorithm": algorithm}
        if before and event["chain_sequence"] <= before["chain_sequence"] or chain in last and event["chain_sequence"] == 1:
            yield name + ": it is out of order"
        elif before and event["chain_sequence"] == before["chain_sequence"] + 1:
            if event["previous_event_hash"] != before["event_hash"]:
                yield name + ": it does not follow the event before it"
            if (algorithm, before["hash_algorithm"]) == ("SHA-256", "HMAC-SHA256"):
                yield name + ": its hash needs no key, and that of the event before it does"
        last[chain] = event

# The chain: end. Ed25519 (RFC 8032), slow and simple: there is no secret here.


P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def point(octets):
    """The point that 32 octets stand for."""
    y = int.from_bytes(octets, "little")
    odd, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and odd):
        raise ValueError("no point of the curve")
    return (P - x if x & 1 != odd else x), y


def add(one, other):
    (a, b), (c, d) = one, other
    mixed = D * a * b * c * d
    return ((a * d + b * c) * pow(1 + mixed, -1, P) % P, (b * d + a * c) * pow(1 - mixed, -1, P) % P)


def times(count, of):
    total = (0, 1)
    while count:
        if count & 1:
            total = add(total, of)
        of, count = add(of, of), count >> 1
    return total


def signed(message, signature, public):
    """Whether this is the signature of the message by the owner of the public key."""
    if len(signature) != 64 or len(public) != 32 or int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    try:
        nonce, owner = point(signature[:32]), point(public)
    except ValueError:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    return times(int.from_bytes(signature[32:], "little"), base) == add(nonce, times(challenge, owner))


# The file.

NOT_SIGNED = {"signature", "signature_algorithm", "certificate_fingerprint", "public_key"}


def signature_faults(export, fingerprint):
    metadata = export["export_metadata"]
    if metadata["signature_algorithm"] != "Ed25519":
        yield "the export is not signed"
        return
    public = base64.b64decode(metadata["public_key"])
    own = hashlib.sha256(public).hexdigest()
    for said in (metadata["certificate_fingerprint"], fingerprint or own):
        if said.replace(":", "").lower() != own:
            yield "the public key is another one than that of " + said
    text = {"events": export["events"],
            "export_metadata": {name: metadata[name] for name in metadata if name not in NOT_SIGNED}}
    if not signed(canonical(text).encode(), base64.b64decode(metadata["signature"]), public):
        yield "the signature is not that of this file"


def once(members):
    """A member that is there twice would be two things to two readers."""
    if len(dict(members)) != len(members):
        raise ValueError("a member is there twice")
    return dict(members)


def main(arguments):
    keys, fingerprint, files = {}, None, []
    while arguments:
        argument = arguments.pop(0)
        if argument == "--chain-key":
            for entry in arguments.pop(0).split(","):
                name, _, secret = entry.partition(":")
                keys[name] = secret.encode()
        elif argument == "--fingerprint":
            fingerprint = arguments.pop(0)
        else:
            files.append(argument)
    if len(files) != 1:
        sys.exit(__doc__)
    try:
        with open(files[0], encoding="utf-8") as file:
            export = json.load(file, object_pairs_hook=once)
        faults = list(chain_faults(export["events"], keys)) + list(signature_faults(export, fingerprint))
        if len(export["events"]) != export["export_metadata"]["total_events"]:
            faults.append("there are not as many events as the file says")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        faults = ["this is no export: %r" % error]
    for fault in faults:
        print(fault)
    if faults:
        sys.exit(1)
    redacted = sum(bool(event.get("redacted")) for event in export["events"])
    print("%d events are as they were stored, %d of them redacted, signed by %s"
          % (len(export["events"]), redacted, export["export_metadata"]["certificate_fingerprint"]))


if __name__ == "__main__":
    main(sys.argv[1:])
