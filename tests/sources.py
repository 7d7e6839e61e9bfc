"""Python sources, read without running them."""

from __future__ import annotations

import ast
import functools
import gc
import pathlib


@functools.cache
def parsed(path: pathlib.Path) -> ast.Module:
    """The syntax tree of a file."""
    # CPython 3.11 fails ("AST constructor recursion depth mismatch") when a task that is collected meanwhile, one of
    # Pulumi's with an exception that nobody asked for, prints its traceback, for which 3.11 parses as well.
    gc.disable()
    try:
        return ast.parse(path.read_text("utf-8"))
    finally:
        gc.enable()
