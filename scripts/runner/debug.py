# SPDX-License-Identifier: BSD-2-Clause
"""--gdb: a guest that is stopped at its entry, and a gdb that knows its symbols."""

from __future__ import annotations

import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from typing import Callable, List

from .failure import relative
from .processes import kill_all
from .session import Job


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def gdb_command(job: Job) -> List[str]:
    """gdb, connected, with the guest at the entry point that its file names.

    The breakpoint is a hardware one, since the image is not in memory when the machine starts.
    """
    steps = [
        f"target remote 127.0.0.1:{job.gdb_port}",
        f"thbreak *{job.image.entry:#x}",
        "continue",
    ]
    words = ["gdb", relative(job.entry.file)]
    for step in steps:
        words += ["-ex", step]
    return words


def run(job: Job, say: Callable[[str], None], guest: Callable[[], None]) -> None:
    """Starts the guest, and gdb too where somebody can type into it."""
    command = gdb_command(job)
    say(f"the guest waits for gdb:\n  {shlex.join(command)}")
    if not sys.stdin.isatty() or shutil.which("gdb") is None:
        guest()
        return
    thread = threading.Thread(target=guest)
    thread.start()
    # Ctrl-C is for gdb. A handler, unlike ignoring it, does not pass on to gdb.
    signal.signal(signal.SIGINT, lambda _signal, _frame: None)
    try:
        subprocess.run(command, check=False)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        kill_all()
        thread.join()
