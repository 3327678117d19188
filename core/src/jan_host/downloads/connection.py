"""One HTTP/1.1 connection, used from a thread and ended from anywhere.

The standard library's client reads a body straight into a buffer and keeps the GIL out of it.
Measured on loopback with 500 MB: 0.7 s with the hash and the file, where a stream of httpx
took 2.4 s, and most of that in Python.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from jan_host.contract.errors import DownloadError
from jan_host.downloads.reach import Word
from jan_host.downloads.retries import TransientError


class Answer:
    """The head of an answer, and its body to be read once.

    Args:
        response: From `http.client`.
        connection: It came over this.
    """

    def __init__(self, response: http.client.HTTPResponse, connection: "Connection") -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = MappingProxyType(
            {name.lower(): value for name, value in response.getheaders()}
        )
        self.connection = connection
        self.length = response.length
        """Bytes of body, where the server told."""
        self._response = response
        self._left = response.length

    def read_into(self, buffer: memoryview) -> int:
        """Read what has come, at most as much as fits; 0 at the end.

        Raises:
            TransientError: The connection broke, or the body ended too early.
        """
        try:
            count = self._read(buffer if self._left is None else buffer[: self._left])
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(self.connection.describe(error)) from None
        if self._left is not None:
            if not count and self._left:
                raise TransientError("the connection broke")
            self._left -= count
        return count

    def finish(self) -> bool:
        """Be done with the answer; ``False`` when its connection can't be used again."""
        self._response.close()
        return self._left == 0 and not self._response.will_close

    def _read(self, buffer: memoryview) -> int:
        if self._response.chunked:
            chunk = self._response.read1(len(buffer))
            buffer[: len(chunk)] = chunk
            return len(chunk)
        if not buffer or self._response.fp is None:
            return 0
        # `HTTPResponse.readinto` waits until the whole buffer is full; this takes what there is.
        return self._response.fp.readinto1(buffer)


class Place(NamedTuple):
    """Where a connection leads, and on whose word; only requests to the same place share it."""

    scheme: str
    host: str
    port: int
    word: Word


class Connection:
    """A connection that is already made. `stop` may be called in any thread; the rest blocks.

    Args:
        sock: Connected; it has a time-out.
        place: Where it leads.
        proxy_headers: Sent with each request, when it goes through a proxy in plain sight.
    """

    def __init__(
        self, sock: socket.socket, place: Place, proxy_headers: Mapping[str, str] | None = None
    ) -> None:
        self.place = place
        self.in_plain_sight = proxy_headers is not None
        self.peer = str(sock.getpeername()[0])
        self.stopped = threading.Event()
        self._socket = sock
        self._proxy_headers = proxy_headers
        self._http = http.client.HTTPConnection("unused")
        self._http.auto_open = 0
        self._http.sock = sock

    def tunnel(self, authority: str, headers: Mapping[str, str]) -> None:
        """Ask a proxy to pass everything through to ``host:port`` (RFC 9110, 9.3.6).

        Raises:
            TransientError: It did not.
        """
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            self._socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            response = http.client.HTTPResponse(self._socket, method="CONNECT")
            response.begin()
            response.close()
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(f"the proxy failed: {self.describe(error)}") from None
        if response.status != 200:
            raise TransientError(f"the proxy answered {response.status} {response.reason}")

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from now on, with a server that proves to be `host`.

        Raises:
            ssl.SSLCertVerificationError: It does not.
            TransientError: The connection broke.
        """
        try:
            wrapped = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
            self._socket = self._http.sock = wrapped
            wrapped.do_handshake()
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            raise TransientError(f"no secure connection: {self.describe(error)}") from None

    def request(self, target: str, headers: Mapping[str, str]) -> Answer:
        """Send a GET and read the answer's head.

        Raises:
            TransientError: The connection broke.
        """
        try:
            self._http.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
            for name, value in {**(self._proxy_headers or {}), **headers}.items():
                self._http.putheader(name, value)
            self._http.endheaders()
            answer = Answer(self._http.getresponse(), self)
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(self.describe(error)) from None
        except ValueError:
            raise DownloadError(  # the error's own text would show the header, and it may be a secret
                "The address or a header of the request can't be sent. Look for line breaks or strange"
                " letters in the secrets that it names."
            ) from None
        return answer

    def stop(self) -> None:
        """Break off what another thread does with this connection."""
        self.stopped.set()
        with contextlib.suppress(OSError):  # it is not connected any more, which is what was wanted
            # Of the plain socket, also below TLS: its own method takes the state away from the reader.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the connection. Nobody uses it any more."""
        self._http.close()
        self._socket.close()

    def describe(self, error: Exception) -> str:
        """Why it broke, as a part of a sentence."""
        if isinstance(error, TimeoutError):
            return "the server did not answer in time"
        return "the connection broke"
