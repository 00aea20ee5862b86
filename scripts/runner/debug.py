# SPDX-License-Identifier: BSD-2-Clause
"""--gdb: a guest that is stopped at its entry, and a debugger that knows its symbols.

That is gdb, or the hypervisor's own debugger where it speaks to no other.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Callable, List

from . import image, session
from .errors import UserError
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


def own_command(job: Job, folder: Path) -> List[str]:
    """The hypervisor's own debugger with everything that it reads, the image's symbols too."""
    job = replace(job, adapter=replace(job.adapter, command=job.adapter.debugger))
    launch = session.prepare(job, folder, 0)
    names = image.symbols(job.entry.file).items()
    lines = [f"{address:x} {name}\n" for name, address in sorted(names, key=lambda item: item[1])]
    (folder / "symbols").write_text("".join(lines), encoding="utf-8")
    return launch.command


def commands(job: Job, folder: Path) -> List[List[str]]:
    """All that --gdb starts."""
    if not job.adapter.gdb:
        return [own_command(job, folder)]
    return [session.prepare(job, folder, 0).command, gdb_command(job)]


def run_own(job: Job, folder: Path, say: Callable[[str], None]) -> int:
    """Gives it the terminal; the report is for the reader only."""
    command = own_command(job, folder)
    say(f"its own debugger, with the image's symbols:\n  {shlex.join(command)}")
    signal.signal(signal.SIGINT, lambda _signal, _frame: None)
    try:
        subprocess.run(command, check=False)
    except OSError as error:
        raise UserError(f"cannot start {command[0]}: {error.strerror}") from None
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return 0
