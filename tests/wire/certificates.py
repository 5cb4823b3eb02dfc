"""An authority of the tests' own, and what it vouches for, as files that the equipment reads.

| file | what is in it |
|---|---|
| `ca.pem` | the authority's certificate |
| `server.pem`, `server.key`, `both.pem` | a certificate for 127.0.0.1, localhost and `NAME`, its key, and both |
| `client.pem`, `client.key` | a client's |
| `stranger.pem`, `stranger.key` | for 127.0.0.1, by an authority that no one has heard of |
"""

from __future__ import annotations

from pathlib import Path

import trustme

from tests.wire.equipment import NAME


def write_certificates(folder: Path) -> Path:
    """Write them all into a folder, and return it."""
    folder.mkdir(mode=0o755, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = authority.issue_cert("127.0.0.1", "localhost", NAME)
    _write(folder, "server", server)
    server.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    _write(folder, "client", authority.issue_cert("client@example.test", common_name="client"))
    _write(folder, "stranger", trustme.CA().issue_cert("127.0.0.1"))
    return folder


def _write(folder: Path, name: str, issued: trustme.LeafCert) -> None:
    (folder / f"{name}.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(folder / f"{name}.key")
