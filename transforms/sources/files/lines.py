"""Lines of a text file, gzipped or not, in bounded memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from transforms.wire.raw import WHOLE, Bad, Limits, Range

GZIP: Final = b"\x1f\x8b"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
UNREADABLE: Final = (OSError, EOFError, zlib.error)
BLOCK: Final = 1 << 20


def lines(path: Path, limits: Limits, within: Range = WHOLE) -> Iterator[tuple[int, bytes] | Bad]:
    """Yield each line without its end, numbered from 1; a line that is too long is bad."""
    number = within.before
    try:
        with path.open("rb") as packed:
            is_gzip = packed.read(len(GZIP)) == GZIP
            packed.seek(within.start)
            if is_gzip and path.suffix != ".gz":
                yield Bad(str(path), 1, "unreadable", f"it is gzip; name it {path.name}.gz")
                return
            text = _unpacked(packed) if path.suffix == ".gz" else packed
            for number, line in _numbered(text, limits.line, within):
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


def _numbered(text: BinaryIO, limit: int, within: Range) -> Iterator[tuple[int, bytes | None]]:
    number, last = within.before, within.last
    while number < last and (line := text.readline(limit + 1)):
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


def ranges(path: Path, count: int, without: bytes) -> list[Range]:
    """Divide an unpacked file into ranges of whole lines, of about the same size.

    Return none if the file has the bytes ``without``, with which lines depend on earlier ones, has
    a line over 1 MB, or cannot be read.
    """
    found: list[Range] = []
    before = 0
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            for n in range(1, count + 1):
                start, first, end = file.tell(), before, size * n // count
                while block := file.read(min(BLOCK, max(0, end - file.tell()))):
                    block += b"" if block.endswith(b"\n") else file.readline(BLOCK)
                    too_long = not block.endswith(b"\n") and file.tell() < size
                    if too_long or block.startswith(GZIP) or (without and without in block):
                        return []
                    before += block.count(b"\n")
                if before > first:
                    found.append(Range(start, first, before))
    except OSError:
        return []
    # The last line may have no end.
    return [*found[:-1], Range(found[-1].start, found[-1].before)] if found else []


def describe(error: Exception) -> str:
    """Describe an error of a file, without its path and contents."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, gzip.BadGzipFile):
        return "it is not gzip, or damaged; if it is not compressed, name it without .gz"
    if isinstance(error, EOFError):
        return "it ends too early"
    return "it is damaged"
