"""Writes the files of web/ as C++. Usage: embed.py OUT FILE..."""

import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEAD = """\
// Written by embed.py.
#include "config_service/console/assets.h"

namespace sallyport::console {
namespace {

constexpr Asset kAssets[] = {
"""
TAIL = """\
};

}  // namespace

const Asset* FindAsset(absl::string_view path) {
  for (const Asset& asset : kAssets) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

}  // namespace sallyport::console
"""


def literal(content):
    """C++ string literals; three octal digits never take in what follows."""
    lines = []
    for line in content.splitlines(keepends=True):
        text = "".join(
            chr(b) if 32 <= b < 127 and b not in b'"\\?' else "\\%03o" % b for b in line)
        lines.append('     "%s"' % text)
    return "\n".join(lines) or '     ""'


def main(out, *files):
    parts = [HEAD]
    for file in sorted(files):
        content = pathlib.Path(file).read_bytes()
        name = file.split("/web/", 1)[1]
        parts.append('    {"%s", "%s", "\\"%s\\"",\n     absl::string_view(\n%s, %d)},\n' % (
            name, TYPES[pathlib.PurePath(name).suffix],
            hashlib.sha256(content).hexdigest()[:32], literal(content), len(content)))
    parts.append(TAIL)
    pathlib.Path(out).write_text("".join(parts), encoding="ascii")


main(*sys.argv[1:])
