"""Registers: places that hold one small text, which is replaced only if nobody has replaced it meanwhile.

The table of leases is kept in a register. ``FolderRegister`` is a register on a disk that machines share,
``s3_register.S3Register`` one on S3.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from analytics_platform.files import write_atomically
from analytics_platform.storage.partitions import StoreUnreachableError

KEPT_STATES = 50
"""States of a folder register that stay; a reader that lists the folder has this many replacements time to open one."""

_STATE = re.compile(r"days\.(\d{12})\.json")
_TRIES = 20


class LeasesUnreachableError(StoreUnreachableError):
    """The leases of a lake cannot be read or written; the message names the place and the reason."""


class Register(Protocol):
    """One text that is replaced by compare-and-swap."""

    @property
    def place(self) -> str:
        """Where the text is, for messages."""
        ...

    def read(self) -> tuple[bytes | None, str]:
        """Return the text, None if there is none, and the version of this state.

        Raises:
            LeasesUnreachableError: If the store does not answer.
        """
        ...

    def replace(self, content: bytes, version: str) -> str | None:
        """Replace the text if its version is still ``version``; return the new version, or None if it is another one.

        A text must differ from every other text, so that a writer recognises its own.

        Raises:
            LeasesUnreachableError: If the store does not answer; the text may have been replaced.
        """
        ...

    def overwrite(self, content: bytes) -> None:
        """Replace the text whatever its version, in a store that does not keep writers apart.

        Raises:
            LeasesUnreachableError: If the store does not answer.
        """
        ...

    def fault(self) -> str | None:
        """Try the store; return why it does not keep two writers apart, or None if it does.

        Raises:
            LeasesUnreachableError: If the store does not answer.
        """
        ...


@dataclass(frozen=True)
class FolderRegister:
    """A register in a folder that machines share.

    Each state is a file ``days.<number>.json``, and the highest number counts. A state is made by ``link``, which
    fails, also on NFS, if the file exists. So one of two writers that saw the same state fails.

    Args:
        folder: The folder; made when missing.
    """

    folder: Path

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.folder)

    def read(self) -> tuple[bytes | None, str]:
        """Return the text of the highest state, and its number."""
        with self._unreachable("read"):
            for _ in range(_TRIES):
                number = max(self._numbers(), default=0)
                if number == 0:
                    return None, "0"
                with contextlib.suppress(FileNotFoundError):  # many states were made meanwhile, and this one removed
                    return self._state(number).read_bytes(), str(number)
        raise LeasesUnreachableError(f"{self.place}: cannot be read (its files are removed while they are read)")

    def replace(self, content: bytes, version: str) -> str | None:
        """Make the next state."""
        number = int(version) + 1
        with self._unreachable("written"):
            self.folder.mkdir(parents=True, exist_ok=True)
            staged = self.folder / f".{uuid.uuid4().hex}.tmp"
            try:
                with staged.open("xb") as file:
                    file.write(content)
                try:
                    os.link(staged, self._state(number))
                except FileExistsError:
                    return None
            finally:
                staged.unlink(missing_ok=True)
            numbers = self._numbers()
            # The number may have been free again, because the caller saw a state whose successors are removed. A caller
            # that merely stood still for so many states is refused, too: it reads again and finds its text taken up.
            if max(numbers) - number >= KEPT_STATES:
                self._state(number).unlink(missing_ok=True)
                return None
            for old in (one for one in numbers if one <= number - KEPT_STATES):
                self._state(old).unlink(missing_ok=True)
        return str(number)

    def overwrite(self, content: bytes) -> None:
        """Make the next state by a rename."""
        with self._unreachable("written"):
            write_atomically(self._state(max(self._numbers(), default=0) + 1), content)

    def fault(self) -> str | None:
        """Try a link to an existing name."""
        with self._unreachable("written"):
            self.folder.mkdir(parents=True, exist_ok=True)
            first, second = (self.folder / f".{uuid.uuid4().hex}.tmp" for _ in range(2))
            try:
                for one in (first, second):
                    one.touch()
                os.link(first, second)
            except FileExistsError:
                return None
            except OSError as error:
                return f"the file system has no hard links ({error.strerror})"
            finally:
                for one in (first, second):
                    one.unlink(missing_ok=True)
        return "the file system replaces a file that a link must not replace"

    def _state(self, number: int) -> Path:
        return self.folder / f"days.{number:012}.json"

    def _numbers(self) -> list[int]:
        try:
            names = os.listdir(self.folder)  # noqa: PTH208  (names alone)
        except FileNotFoundError:
            return []
        return [int(match[1]) for match in map(_STATE.fullmatch, names) if match]

    @contextlib.contextmanager
    def _unreachable(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LeasesUnreachableError(
                f"{self.place}: cannot be {done} ({error.strerror}); the leases on days of this lake are kept there"
            ) from error
