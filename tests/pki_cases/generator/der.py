"""DER, written by hand, so that certificates can be wrong on purpose."""

import datetime


def tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    if n < 0x80:
        length = bytes([n])
    else:
        raw = n.to_bytes((n.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(raw)]) + raw
    return bytes([tag]) + length + body


def sequence(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *sorted(parts))


def context(number, *parts, constructed=True):
    return tlv((0xA0 if constructed else 0x80) | number, *parts)


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\x00")


def integer(value):
    n = max(1, (value.bit_length() + 8) // 8) if value >= 0 else (
        (value + 1).bit_length() // 8 + 1)
    return tlv(0x02, value.to_bytes(n, "big", signed=True))


def bit_string(data, unused=0):
    return tlv(0x03, bytes([unused]), data)


def named_bits(*bits):
    """A BIT STRING in which the given bits (0 is the first) are set."""
    top = max(bits)
    data = bytearray(top // 8 + 1)
    for bit in bits:
        data[bit // 8] |= 0x80 >> (bit % 8)
    return bit_string(bytes(data), 7 - top % 8)


def octet_string(data):
    return tlv(0x04, data)


def null():
    return tlv(0x05)


def oid(dotted):
    arcs = [int(a) for a in dotted.split(".")]
    out = bytearray()
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        piece = [arc & 0x7F]
        arc >>= 7
        while arc:
            piece.append(0x80 | (arc & 0x7F))
            arc >>= 7
        out += bytes(reversed(piece))
    return tlv(0x06, bytes(out))


def utf8(text):
    return tlv(0x0C, text.encode())


def printable(text):
    return tlv(0x13, text.encode("ascii"))


def ia5(text):
    return tlv(0x16, text.encode("latin-1"))


def bmp(text):
    return tlv(0x1E, text.encode("utf-16-be"))


def teletex(text):
    return tlv(0x14, text.encode("latin-1"))


def time(value):
    """UTCTime up to 2049, GeneralizedTime after (RFC 5280, 4.1.2.5)."""
    if isinstance(value, bytes):
        return value
    if 1950 <= value.year < 2050:
        return tlv(0x17, value.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, ("%04d" % value.year + value.strftime("%m%d%H%M%SZ")).encode())


def instant(text):
    """2030-06-01 or 2030-06-01T12:00:00Z, always UTC."""
    if len(text) == 10:
        text += "T00:00:00Z"
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def rfc3339(value):
    return "%04d" % value.year + value.strftime("-%m-%dT%H:%M:%SZ")
