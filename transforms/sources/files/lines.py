"""Lines of a text file, gzipped or not, in bounded memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from transforms.wire.raw import Bad, Limits

GZIP: Final = b"\x1f\x8b"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
UNREADABLE: Final = (OSError, EOFError, zlib.error)


def lines(path: Path, limits: Limits) -> Iterator[tuple[int, bytes] | Bad]:
    """Yield each line without its end, numbered from 1; a line that is too long is bad."""
    number = 0
    try:
        with path.open("rb") as packed:
            is_gzip = packed.read(len(GZIP)) == GZIP
            packed.seek(0)
            if is_gzip and path.suffix != ".gz":
                yield Bad(str(path), 1, "unreadable", f"it is gzip; name it {path.name}.gz")
                return
            text = _unpacked(packed) if path.suffix == ".gz" else packed
            for number, line in _numbered(text, limits.line):
                yield (
                    (number, line)
                    if line is not None
                    else Bad(str(path), number, "too_large", f"a line over {limits.line} bytes")
                )
                if text is not packed and _is_bomb(text.tell(), packed.tell(), limits):
                    detail = f"unpacks to more than {limits.ratio} times its size"
                    yield Bad(str(path), number, "too_large", detail)
                    return
    except UNREADABLE as error:
        yield Bad(str(path), number + 1, "unreadable", describe(error))


def _unpacked(packed: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=packed))


def _numbered(text: BinaryIO, limit: int) -> Iterator[tuple[int, bytes | None]]:
    number = 0
    while line := text.readline(limit + 1):
        number += 1
        if len(line) > limit and not line.endswith(b"\n"):
            _skip(text, limit)
            yield number, None
        else:
            line = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            yield number, line.rstrip(b"\r\n")


def _skip(text: BinaryIO, limit: int) -> None:
    while (rest := text.readline(limit)) and not rest.endswith(b"\n"):
        pass


def _is_bomb(unpacked: int, packed: int, limits: Limits) -> bool:
    return unpacked > limits.ratio_from and unpacked > limits.ratio * packed


def describe(error: Exception) -> str:
    """Describe an error of a file, without its path and contents."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, gzip.BadGzipFile):
        return "it is not gzip, or damaged; if it is not compressed, name it without .gz"
    if isinstance(error, EOFError):
        return "it ends too early"
    return "it is damaged"
