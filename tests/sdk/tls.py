"""A scripted server on loopback that speaks TLS, and can stand as a proxy before itself."""

import contextlib
import socket
import ssl
from pathlib import Path

from tests.sdk.server import Server

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBcDCCARegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPlXDgGsDl0QsVAY
uJbTlUXpYz0VO1WEVc+1lkyiSO1wLx8IpHCRx7UXihQ0wHIKmvjN1477kG0Idqua
8C0dYyKjWDBWMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAPBgNVHRMBAf8EBTADAQH/
MA4GA1UdDwEB/wQEAwIChDAdBgNVHQ4EFgQUg6TtFljNa3i5C1xxSP7sOehuaxIw
CgYIKoZIzj0EAwIDRwAwRAIgIrtEGUl8KCRacNFLKyD7GZ7hc2cklht1+O3B7wxe
FXICIAE97EKo7Wds7NA6qpxi4xEFEPpqbr0D7fYHoZsDMfir
-----END CERTIFICATE-----
"""
"""Of `localhost` (and not 127.0.0.1), signed by itself: a test that trusts it says so."""

# The key of that certificate, made for these tests: it opens nothing.
_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpJq9Mmbk8CdZiDRG
Cp1CJO992DGK3Dmu8loeM9ZjPFGhRANCAAT5Vw4BrA5dELFQGLiW05VF6WM9FTtV
hFXPtZZMokjtcC8fCKRwkce1F4oUNMByCpr4zdeO+5BtCHarmvAtHWMi
-----END PRIVATE KEY-----
"""


class TlsServer(Server):
    """Answers over TLS.

    Args:
        folder: Where the certificate is put, as `certificate`.
        connect_answer: If given, be a proxy first: answer CONNECT with this status, and speak
            TLS after a 200.
    """

    def __init__(self, folder: Path, *, connect_answer: bytes = b"") -> None:
        super().__init__()
        self.certificate = folder / "certificate.pem"
        self.certificate.write_text(CERTIFICATE)
        both = folder / "both.pem"
        both.write_text(_KEY + CERTIFICATE)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(both)
        self._connect_answer = connect_answer
        self.connects: list[bytes] = []

    @property
    def https_origin(self) -> str:
        return self.origin.replace("http://127.0.0.1", "https://localhost")

    def _serve(self, connection: socket.socket) -> None:
        # A client that does not trust us breaks the handshake off.
        with connection, contextlib.suppress(OSError):
            if self._connect_answer:
                self.connects.append(_read_head(connection))
                connection.sendall(b"HTTP/1.1 %b\r\n\r\n" % self._connect_answer)
            if self._connect_answer in {b"", b"200 OK"}:
                self._serve_secured(connection)

    def _serve_secured(self, connection: socket.socket) -> None:
        secured = self._context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        self._connections.add(secured)  # so that the end of the test wakes us up
        with secured:
            secured.do_handshake()
            super()._serve(secured)


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := connection.recv(1)):
            raise ConnectionError
        head += byte
    return head
