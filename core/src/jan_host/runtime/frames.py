"""The wire between host and worker: frames, and how a byte stream is cut into them.

A frame on the wire is its length (4 bytes, big-endian) and a msgpack array whose first item is
the frame's tag. The host sends `HostFrame`, the worker `WorkerFrame`. An id belongs to one
request and is not used twice on a connection; id 0 means the worker itself.

    host                                   worker
    Load(origin, engine, model, ...)  ->
                                      <-   Progress(progress) ...
                                      <-   Ready(capabilities)          or Failed(0, error)
    Request(id, method, body)         ->
                                      <-   Deltas([(id, delta), ...]) ...
                                      <-   Done(id, result)             or Failed(id, error)
    Cancel(id)                        ->                                (Done follows here too)
    UseCores(count)                   ->
    Ping()                            ->
                                      <-   Stats(requests, memory), Pong()
    Unload()                          ->   ends
"""

import struct
from typing import Any

import msgspec

from jan_host.contract.errors import ErrorPayload, ProtocolError
from jan_host.contract.generation import Delta
from jan_host.contract.model import Model
from jan_host.plugins import EngineOrigin

MAX_FRAME_BYTES = 256 * 1024 * 1024
"""Larger than any body that the API accepts, and than the vectors of 2,048 texts with 8,192 numbers each,
so that only a broken peer goes beyond it."""

_LENGTH = struct.Struct(">I")


class Load(msgspec.Struct, array_like=True, tag="load"):
    """Load one model with one engine. The first frame, sent once."""

    origin: EngineOrigin
    engine: str
    model: Model
    folder: str
    """The model's folder; a path as text, since msgpack has none."""
    settings: dict[str, Any]


class Request(msgspec.Struct, array_like=True, tag="request"):
    """Work for the model. `body` is what the method of that name takes, see `methods`."""

    id: int
    method: str
    body: msgspec.Raw


class Cancel(msgspec.Struct, array_like=True, tag="cancel"):
    """Nobody waits for this request any more."""

    id: int


class UseCores(msgspec.Struct, array_like=True, tag="cores"):
    """On how many cores to compute from now on; see `SharesCores.use_cores`."""

    count: int | None


class Ping(msgspec.Struct, array_like=True, tag="ping"):
    """Does the worker's event loop turn?"""


class Unload(msgspec.Struct, array_like=True, tag="unload"):
    """Free the model and end."""


class Progress(msgspec.Struct, array_like=True, tag="progress"):
    """How much of the load is done, from 0 to 1."""

    progress: float


class Ready(msgspec.Struct, array_like=True, tag="ready"):
    """The model is loaded and can do this."""

    capabilities: list[str]


class Deltas(msgspec.Struct, array_like=True, tag="deltas"):
    """All pieces that one step of the engine gave, each with its request's id."""

    items: list[tuple[int, Delta]]


class EncodedDeltas(msgspec.Struct, array_like=True, tag="deltas"):
    """`Deltas` on the side that sends them: each delta is encoded, and so known to be sound."""

    items: list[tuple[int, msgspec.Raw]]


class Done(msgspec.Struct, array_like=True, tag="done"):
    """The request is over. `result` is what its method returns; empty for a generation."""

    id: int
    result: msgspec.Raw = msgspec.Raw(b"\xc0")


class Failed(msgspec.Struct, array_like=True, tag="error"):
    """The request failed; with id 0: the load failed, or a frame could not be read."""

    id: int
    error: ErrorPayload


class Stats(msgspec.Struct, array_like=True, tag="stats"):
    """How the worker is; sent before each `Pong`."""

    requests: int
    memory: int
    """Resident bytes; 0 where the platform does not tell."""


class Pong(msgspec.Struct, array_like=True, tag="pong"):
    """The answer to `Ping`, given by the event loop itself."""


HostFrame = Load | Request | Cancel | UseCores | Ping | Unload
WorkerFrame = Progress | Ready | Deltas | Done | Failed | Stats | Pong


ENCODER = msgspec.msgpack.Encoder()
HOST_FRAMES: msgspec.msgpack.Decoder[HostFrame] = msgspec.msgpack.Decoder(HostFrame)
WORKER_FRAMES: msgspec.msgpack.Decoder[WorkerFrame] = msgspec.msgpack.Decoder(WorkerFrame)


def encode(frame: HostFrame | WorkerFrame | EncodedDeltas) -> bytes:
    """The frame as it stands on the wire, length included.

    Raises:
        ProtocolError: It is larger than `MAX_FRAME_BYTES`.
    """
    payload = ENCODER.encode(frame)
    if len(payload) > MAX_FRAME_BYTES:
        raise ProtocolError(
            f"A message of {len(payload)} bytes is too large: host and worker exchange at most"
            f" {MAX_FRAME_BYTES} bytes at once. Send less in one request."
        )
    return _LENGTH.pack(len(payload)) + payload


class FrameSplitter:
    """Cuts a byte stream into the payloads of its frames, however the bytes arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are complete with `data`.

        Raises:
            ProtocolError: A length beyond `MAX_FRAME_BYTES`: the stream can't be followed any more.
        """
        buffer = self._buffer
        buffer += data
        payloads: list[bytes] = []
        start, end = 0, len(buffer)
        while end - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > MAX_FRAME_BYTES:
                raise ProtocolError(f"A frame claims {length} bytes; at most {MAX_FRAME_BYTES} are allowed.")
            stop = start + _LENGTH.size + length
            if stop > end:
                break
            payloads.append(bytes(buffer[start + _LENGTH.size : stop]))
            start = stop
        if start:
            del buffer[:start]
        return payloads
