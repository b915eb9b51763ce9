"""Files as operators replace them."""

import os
import pathlib


def move_into_place(path, content):
    """Replaces `path` by an atomic move within its folder."""
    path = pathlib.Path(path)
    new = path.with_name(path.name + ".new")
    new.write_text(content, encoding="utf-8")
    os.replace(new, path)
