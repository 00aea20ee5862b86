# SPDX-License-Identifier: BSD-2-Clause
"""One hypervisor process: starts it, streams its console, and sees to it that it ends.

Whatever happens, the process and all its children are gone when `run` returns: each runs in a
session of its own, which is killed as a group.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from typing import BinaryIO, Callable, Dict, List, Tuple

from . import forensics
from .errors import UserError
from .launch import Ending, Launch, Limits
from .processes import cpu_seconds, forget, interrupted, kill_group, queued_seconds, remember

FLOOD = 16 * 1024 * 1024
_STDERR_KEPT = 1024 * 1024
_GRACE = 0.5  # seconds for a hypervisor to go after the image's last word
_DRAIN = 0.3  # seconds for the console of a process that has ended
_QUIET = 0.2  # seconds in which nothing more comes from an end that does not end
_CLEAN = 20.0  # seconds for a command that removes what is left
_CHUNK = 64 * 1024
_PATIENCE = 9  # times a limit that it may be prolonged on a busy host


class Machine:
    """Runs one launch. `feed` takes console bytes and returns what ends the launch, or ''."""

    def __init__(self, launch: Launch, limits: Limits, feed: Callable[[bytes], str]) -> None:
        self._launch = launch
        self._limits = limits
        self._feed = feed
        self._ending = Ending()
        self._stderr = b""
        self._selector = selectors.DefaultSelector()
        self._open: Dict[int, str] = {}  # file descriptor -> "console" or "stderr"
        self._close: List[int] = []
        self._heard = 0.0
        self._queued_when_heard = 0.0  # looked up now and then: it may be some time ago
        self._looked_up = 0.0
        self._started = 0.0
        self._pid = 0
        self._finished = 0.0  # when the image said its last word
        self._listening = True

    def run(self) -> Ending:
        """From start to end."""
        folder = self._launch.folder
        started = time.monotonic()
        self._heard = self._started = started
        with (folder / "console.log").open("wb") as console:
            with (folder / "stderr.log").open("wb") as errors:
                try:
                    process = self._start()
                    try:
                        self._watch(process, started, {"console": console, "stderr": errors})
                        self._examine(process)
                    finally:
                        self._stop(process)
                finally:
                    self._cleanup()
        self._ending.seconds = time.monotonic() - started
        self._ending.stderr = self._telling_stderr()
        self._after_exit()
        return self._ending

    def clock(self) -> Tuple[float, float]:
        """Seconds since the launch: of wall time, and of the hypervisor's CPU time."""
        return time.monotonic() - self._started, cpu_seconds(self._pid)

    def _start(self) -> "subprocess.Popen[bytes]":
        launch = self._launch
        stdin, stdout = subprocess.DEVNULL, subprocess.PIPE
        if launch.console == "pty":
            try:
                master, slave = os.openpty()
            except OSError as error:
                raise UserError(f"cannot open a pty (is /dev/pts mounted?): {error}") from None
            self._listen(master, "console")
            self._close.append(slave)
            stdin = stdout = slave
        elif launch.console == "fifo":
            # Opened for writing too, so that it has no end before the hypervisor opens it.
            path = launch.folder / "console.fifo"
            os.mkfifo(path)
            self._listen(os.open(path, os.O_RDWR | os.O_NONBLOCK), "console")
        try:
            process = subprocess.Popen(
                launch.command,
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise UserError(f"cannot start {launch.command[0]}: {error.strerror}") from None
        self._pid = process.pid
        remember(process.pid)
        if process.stdout is not None:
            name = "console" if launch.console == "stdout" else "stderr"
            self._listen(os.dup(process.stdout.fileno()), name)
            process.stdout.close()
        if process.stderr is not None:
            self._listen(os.dup(process.stderr.fileno()), "stderr")
            process.stderr.close()
        return process

    def _listen(self, fd: int, name: str) -> None:
        os.set_blocking(fd, False)
        self._open[fd] = name
        self._close.append(fd)
        self._selector.register(fd, selectors.EVENT_READ)

    def _watch(
        self, process: "subprocess.Popen[bytes]", started: float, logs: Dict[str, BinaryIO]
    ) -> None:
        pidfd = self._listen_for_exit(process.pid)
        while True:
            if interrupted.is_set():
                self._end("interrupted", "interrupted")
            if self._ending.kind not in ("", "finished"):
                self._read_last_words(process, logs)
                return
            wait = self._until_limit(started)
            if wait <= 0:
                return
            self._read(wait if pidfd >= 0 else min(wait, 0.05), logs)
            if process.poll() is not None:
                if pidfd >= 0:
                    self._selector.unregister(pidfd)
                self._drain(process, logs)
                return

    def _listen_for_exit(self, pid: int) -> int:
        """Where the system can, an exit wakes us at once; elsewhere (-1) we look every 50 ms."""
        if not hasattr(os, "pidfd_open"):
            return -1
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return -1
        self._close.append(fd)
        self._selector.register(fd, selectors.EVENT_READ)
        return fd

    def _until_limit(self, started: float) -> float:
        """Seconds to the nearest limit; when one is passed, says so."""
        now = time.monotonic()
        if self._finished:
            return self._finished + _GRACE - now if self._listening else 0.0
        limits = self._limits
        left = 1.0  # look at the interrupt flag now and then
        if limits.total:
            left = min(left, self._prolonged(started + limits.total, limits.total, 0.0) - now)
            if left <= 0:
                self._end("time", f"still running after its time limit of {limits.total:g} s")
        if limits.silence and left > 0:
            end, before = self._heard + limits.silence, self._queued_when_heard
            left = min(left, self._prolonged(end, limits.silence, before) - now)
            if left <= 0:
                self._end("hung", f"silent for {limits.silence:g} s")
        return left

    def _prolonged(self, end: float, limit: float, queued_before: float) -> float:
        """Limits are for the machine's own time, not for that in which others had the CPUs."""
        if time.monotonic() < end:
            return end
        queued = queued_seconds(self._pid) - queued_before
        return end + min(max(queued, 0.0), _PATIENCE * limit)

    def _hear(self) -> None:
        self._heard = time.monotonic()
        if self._heard - self._looked_up > 0.5:
            self._looked_up = self._heard
            self._queued_when_heard = queued_seconds(self._pid)

    def _read(self, wait: float, logs: Dict[str, BinaryIO]) -> bool:
        """Reads what is there; True when something was."""
        got = False
        for key, _ in self._selector.select(wait):
            name = self._open.get(key.fd)
            if name is None:
                continue
            try:
                data = os.read(key.fd, _CHUNK)
            except BlockingIOError:
                continue
            except OSError:  # a pty whose other end is closed
                data = b""
            if not data:
                self._selector.unregister(key.fd)
                del self._open[key.fd]
                continue
            got = True
            if name == "console":
                self._take_console(data, logs[name])
            else:
                self._take_stderr(data, logs[name])
        return got

    def _read_last_words(
        self, process: "subprocess.Popen[bytes]", logs: Dict[str, BinaryIO]
    ) -> None:
        """A hypervisor that gives up goes on to print the registers, which are worth having."""
        if self._ending.kind == "interrupted":
            self._drain(process, logs)
        until = time.monotonic() + _DRAIN
        while self._ending.kind == "crashed" and time.monotonic() < until:
            if not self._read(0.05, logs):
                return

    def _drain(self, process: "subprocess.Popen[bytes]", logs: Dict[str, BinaryIO]) -> None:
        """The process is gone: read what it left behind.

        A pipe ends once nobody holds it, so children go first. A FIFO and a pty have no end, and
        the kernel hands on what was written to a pty when it comes to it: of a report that lacks
        its end it is waited for.
        """
        kill_group(process.pid)
        endless = self._launch.console != "stdout"
        heard = time.monotonic()
        until = heard + _DRAIN
        while self._open and self._ending.kind in ("", "finished", "interrupted"):
            now = time.monotonic()
            quiet = heard + (0.0 if self._finished else _QUIET) if endless else until
            if self._read(max(0.0, min(quiet, until) - now), logs):
                heard = time.monotonic()
            elif now >= min(quiet, until):
                return

    def _take_console(self, data: bytes, log: BinaryIO) -> None:
        ending = self._ending
        room = FLOOD - ending.console_bytes
        ending.console_bytes += len(data)
        self._hear()
        log.write(data[:room])
        log.flush()
        if len(data) > room:
            self._end("flood", f"more than {FLOOD >> 20} MiB on the console")
            return
        verdict = self._feed(data)
        if verdict == "finished" and not self._finished:
            self._finished = self._heard
            ending.kind = "finished"
        elif verdict == "enough":
            self._end("enough", "nobody wants to know more")
        elif verdict == "reset":
            self._end("reset", "the guest was reset and booted a second time")

    def _take_stderr(self, data: bytes, log: BinaryIO) -> None:
        room = max(0, _STDERR_KEPT - len(self._stderr))
        self._stderr += data[:room]
        log.write(data[:room])
        log.flush()
        text = self._stderr.decode("utf-8", "replace")
        self._look_for("stderr", text)

    def _look_for(self, where: str, text: str) -> None:
        """Symptoms come in the order of the adapter file; the line says more than its kind."""
        for symptom in self._launch.symptoms:
            match = symptom.pattern.search(text) if symptom.where == where else None
            if match is None:
                continue
            start = text.rfind("\n", 0, match.start()) + 1
            line = text[start:].partition("\n")[0].strip()
            if where == "end" or line.lower() == symptom.text.lower():
                line = symptom.text
            elif not line.lower().startswith(symptom.text.lower()):
                line = f"{symptom.text}: {line}"
            self._end(symptom.kind, line)

    def _end(self, kind: str, text: str) -> None:
        """The first reason counts; after the image's last word nothing does but a second boot."""
        ending = self._ending
        if ending.kind == "" or (ending.kind == "finished" and kind == "interrupted"):
            ending.kind, ending.text = kind, text
        elif ending.kind == "finished" and kind in ("flood", "reset"):
            self._listening = False  # the verdict is there

    def _examine(self, process: "subprocess.Popen[bytes]") -> None:
        """A machine that is still there and got nowhere can be asked why."""
        monitor = self._launch.monitor
        stuck = self._ending.kind in ("hung", "time", "crashed")
        if monitor is not None and stuck and process.poll() is None:
            self._ending.state = forensics.collect(monitor, self._launch.folder)

    def _stop(self, process: "subprocess.Popen[bytes]") -> None:
        exited = process.poll()
        kill_group(process.pid)
        process.wait()
        self._ending.status = exited
        if self._launch.cleanup:
            self._clean_up()
        forget(process.pid)

    def _clean_up(self) -> None:
        """Ends a machine that does not live in the process which was killed."""
        try:
            with (self._launch.folder / "cleanup.log").open("wb") as log:
                nothing = subprocess.DEVNULL
                command = self._launch.cleanup
                subprocess.run(
                    command, stdin=nothing, stdout=log, stderr=log, timeout=_CLEAN, check=False
                )
        except (OSError, subprocess.TimeoutExpired):
            pass  # there is nothing left to try

    def _cleanup(self) -> None:
        self._selector.close()
        for fd in self._close:
            os.close(fd)
        if self._launch.console == "fifo":
            (self._launch.folder / "console.fifo").unlink(missing_ok=True)
        if self._launch.monitor is not None:
            self._launch.monitor.unlink(missing_ok=True)

    def _after_exit(self) -> None:
        """What the hypervisor's own log and its status say about an unexpected end."""
        ending = self._ending
        if ending.kind != "":
            return
        if interrupted.is_set():
            self._end("interrupted", "interrupted")
        self._look_for("log", self._read_log())
        self._look_for("end", ending.how())

    def _telling_stderr(self) -> str:
        lines = self._stderr.decode("utf-8", "replace").strip().splitlines()
        noise = self._launch.noise
        return "\n".join(line for line in lines if noise is None or not noise.search(line))

    def _read_log(self) -> str:
        if self._launch.log is None:
            return ""
        try:
            with self._launch.log.open("rb") as file:
                return file.read(8 * _STDERR_KEPT).decode("utf-8", "replace")
        except OSError:
            return ""
