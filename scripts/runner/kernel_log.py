# SPDX-License-Identifier: BSD-2-Clause
"""What the host's kernel says while an image runs: a warning of KVM's is a failure of that image.

Where the log is not readable nothing is watched; the host's context in the reports says so.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import List

DEVICE = Path("/dev/kmsg")
# How a kernel starts to say that it caught itself at a mistake.
_ALARM = re.compile(
    r"WARNING: |\bBUG: |kernel BUG at|\bOops: |general protection fault|unable to handle page fault"
    r"|detected stalls|soft lockup|blocked for more than"
)
_MOST = 50  # lines kept behind an alarm: its call trace


class KernelLog:
    """What is new since it was opened."""

    def __init__(self, device: Path = DEVICE) -> None:
        self._fd = -1
        try:
            self._fd = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self._fd, 0, os.SEEK_END)
        except OSError:
            self.close()

    @property
    def readable(self) -> bool:
        return self._fd >= 0

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def alarms(self) -> List[str]:
        """The lines of new warnings, each with what follows it; none when all is well."""
        kept: List[str] = []
        for line in self._new_lines():
            if kept or _ALARM.search(line):
                kept.append(line)
        return kept[:_MOST]

    def _new_lines(self) -> List[str]:
        """The device gives one record for each read, a file all there is."""
        chunks: List[str] = []
        while self._fd >= 0 and len(chunks) < 10000:
            try:
                data = os.read(self._fd, 8192)
            except BrokenPipeError:  # records were overwritten before they were read
                continue
            except OSError:  # no more for now
                break
            if not data:
                break
            chunks.append(data.decode("utf-8", "replace"))
        lines = "".join(chunks).splitlines()
        # "6,1234,5678,-;the text", and below it lines that begin with a blank for programs.
        return [line.partition(";")[2] or line for line in lines if line[:1] != " "]
