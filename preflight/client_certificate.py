"""A kubeconfig's client certificate, given to a TLS context as kubectl would present it."""

from __future__ import annotations

import pathlib
import ssl
import tempfile

from kubeconfigs import checking
from kubeconfigs.reading import Context, KubeconfigError


def present(chosen: Context, context: ssl.SSLContext) -> bool:
    """Load certificate and key of a kubeconfig's user into a TLS context; False: it has none.

    Raises:
        KubeconfigError: they cannot be read, are none, or do not belong together.
    """
    if not checking.has(chosen.user, "client-certificate"):
        return False  # a key alone is nothing to kubectl
    names = ("client-certificate", "client-key")
    certificate, key = (checking.content_of(chosen, chosen.user, name) or b"" for name in names)
    # The module ssl reads files only. This one is in a folder of ours alone, and gone at once.
    with tempfile.TemporaryDirectory() as private:
        file = pathlib.Path(private) / "pair.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate + b"\n" + key)
        try:
            # A password, or it would be asked for on the terminal; kubectl knows no encrypted keys either.
            context.load_cert_chain(file, password="")
        except (ssl.SSLError, ValueError):
            problem = f"{chosen.where}: its client certificate and key cannot be read, or are not each other's"
            raise KubeconfigError(problem) from None
    return True
