"""Writes ascii_fold_table.inc: generate_ascii_fold.py > ascii_fold_table.inc

The characters beyond ASCII whose compatibility case folding (NFKC_Casefold of
Unicode, 3.13) is ASCII, by the Unicode version of the Python that runs it.
"""

import unicodedata

# Default_Ignorable_Code_Point (DerivedCoreProperties.txt), which Python does not
# know: NFKC_Casefold drops them.
IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)


def ignorable(code):
    return any(first <= code <= last for first, last in IGNORABLE)


def fold(code):
    """NFKC_Casefold of one character."""
    text = chr(code)
    while True:
        before = text
        text = unicodedata.normalize("NFKC", text).casefold()
        text = "".join(c for c in text if not ignorable(ord(c)))
        text = unicodedata.normalize("NFC", text)
        if text == before:
            return text


def entries():
    """(first, last, text) in order; texts of one letter count up in a range."""
    out = []
    for code in range(0x80, 0x110000):
        if 0xD800 <= code <= 0xDFFF:
            continue
        text = fold(code)
        if not text.isascii():
            continue
        if out and out[-1][1] == code - 1:
            first, _, start = out[-1]
            if (text == start == "") or (
                len(text) == len(start) == 1 and ord(text) == ord(start) + code - first
            ):
                out[-1] = (first, code, start)
                continue
        out.append((code, code, text))
    return out


def main():
    print("// Made by generate_ascii_fold.py of Unicode %s." % unicodedata.unidata_version)
    for first, last, text in entries():
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        print('{0x%04x, 0x%04x, "%s"},' % (first, last, quoted))


if __name__ == "__main__":
    main()
