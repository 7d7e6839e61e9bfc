"""A kubeconfig's client certificate, given to a TLS context as kubectl would present it."""

from __future__ import annotations

import base64
import pathlib
import ssl
import tempfile
from collections.abc import Mapping
from typing import Any


def present(user: Mapping[str, Any], folder: pathlib.Path, context: ssl.SSLContext) -> bool:
    """Load certificate and key of a kubeconfig's user; False: it has none.

    Args:
        user: the user's part of the kubeconfig.
        folder: where its relative paths begin.
        context: what to load them into.

    Raises:
        ValueError: the data is no base64, or certificate and key are none, or do not belong together.
        OSError: a file cannot be read.
    """
    certificate, key = (_content(user, name, folder) for name in ("client-certificate", "client-key"))
    if certificate is None or key is None:
        return False
    # The module ssl reads files only. This one is in a folder of ours alone, and gone at once.
    with tempfile.TemporaryDirectory() as private:
        file = pathlib.Path(private) / "pair.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate + b"\n" + key)
        try:
            # A password, or it would be asked for on the terminal; kubectl knows no encrypted keys either.
            context.load_cert_chain(file, password="")
        except ssl.SSLError as error:
            raise ValueError(f"certificate and key do not fit ({error.reason})") from None
    return True


def _content(user: Mapping[str, Any], name: str, folder: pathlib.Path) -> bytes | None:
    if user.get(f"{name}-data"):
        return base64.b64decode(str(user[f"{name}-data"]), validate=True)
    return (folder / str(user[name])).read_bytes() if user.get(name) else None
