# SPDX-License-Identifier: BSD-2-Clause
"""Machines that get nowhere are asked why; and what the host's kernel says meanwhile."""

from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path

from support import Bench

from runner import session
from runner.kernel_log import KernelLog

_GOOD = 'boot(2); case(1, "one"); case(2, "two"); end()'
# Speaks QMP on the socket whose path stands in the fifth word.
_MONITOR = """
import json, socket, threading
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[4]); server.listen(1)
REGISTERS = "RAX=1 RIP=0000000000100080 RFL=2\\r\\nRSP=9000 RBP=0000000000009000 CR2=0 CR3=5000"
def answer(line):
    command = line.get("arguments", {}).get("command-line", "")
    if line["execute"] == "query-status": return {"status": "running"}
    if not command: return {}
    if command == "x/2gx 0x9000": return "9000: 0x0000000000009100 0x0000000000100123"
    if command.startswith("x/16i"): return "0x00100080:  90  nop\\r\\n0x00100081:  eb fe  jmp"
    return REGISTERS if command.startswith("info registers") else "(" + command + ")"
def serve():
    peer = server.accept()[0]; file = peer.makefile("rw")
    def put(value): file.write(json.dumps(value) + "\\n"); file.flush()
    put({"QMP": {}})
    for text in file:
        put({"event": "RESUME"})
        put({"return": answer(json.loads(text))})
threading.Thread(target=serve, daemon=True).start()
"""
_HANG = "boot(1)\nbegin(1, 'one')\ntime.sleep(61)"


class Monitors(Bench):
    def setUp(self) -> None:
        super().setUp()
        self.adapter("fake", "monitor = ['{monitor}']")

    def test_a_hang_is_examined(self) -> None:
        self.image("image", ["one"], _MONITOR + _HANG, "silence = 1")
        words = ["HUNG image/one", "machine:    running: RIP=0000000000100080 RSP=9000 CR2=0"]
        self.expect(1, [*words, "0x00100080:  90  nop", "machine.log beside the log"])
        folder = self.root / "logs" / "last" / "image@fake"
        text = (folder / "machine.log").read_text(encoding="utf-8")
        for needle in ("== info tlb\n(info tlb)", "== info mem", "== return addresses\n0x100123"):
            self.assertIn(needle, text)
        self.assertFalse((folder / "monitor").exists())

    def test_a_monitor_that_is_mute_or_not_there(self) -> None:
        mute = "import socket\nserver = socket.socket(socket.AF_UNIX)\n"
        mute += "server.bind(sys.argv[4]); server.listen(1)\n"
        self.image("mute", ["one"], mute + _HANG, "silence = 1")
        self.image("gone", ["one"], _HANG, "silence = 1")
        out = self.expect(1, ["HUNG mute/one", "HUNG gone/one"])
        self.assertNotIn("machine:", out)

    def test_a_folder_with_a_long_name(self) -> None:
        self.root = self.root / ("long" * 30)
        for name in ("x86", "hypervisors"):
            (self.root / name).mkdir(parents=True)
        self.config = self.root / "unittests.cfg"
        self.adapter("fake", "monitor = ['{monitor}']")
        self.image("image", ["one"], _MONITOR + _HANG, "silence = 1")
        self.expect(1, ["machine:    running"])

    def test_a_good_end_is_not_examined(self) -> None:
        self.image("image", ["one", "two"], _MONITOR + _GOOD)
        self.expect(0, [])
        self.assertFalse((self.root / "logs" / "last" / "image@fake" / "machine.log").exists())


class Kernel(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="shadowbox-test-")
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "kmsg"
        self.path.write_text("4,1,1,-;WARNING: an old one\n", encoding="utf-8")

    def say(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)

    def test_only_new_warnings_count(self) -> None:
        log = KernelLog(self.path)
        self.addCleanup(log.close)
        self.say("6,2,1,-;kvm: a guest did this and that\n SUBSYSTEM=x\n")
        self.assertEqual(log.alarms(), [])
        self.say(
            "4,3,1,-;WARNING: CPU: 0 PID: 1 at arch/x86/kvm/mmu/mmu.c:1\n4,4,1,-;Call Trace:\n"
        )
        self.assertEqual(log.alarms()[0], "WARNING: CPU: 0 PID: 1 at arch/x86/kvm/mmu/mmu.c:1")
        self.assertEqual(log.alarms(), [])

    def test_no_log(self) -> None:
        log = KernelLog(self.path / "nothing")
        self.assertFalse(log.readable)
        self.assertEqual(log.alarms(), [])


class KernelWarnings(Bench):
    def test_a_warning_fails_the_image_that_ran(self) -> None:
        self.adapter("fake", "watch_kernel = true")
        path = self.root / "kmsg"
        path.write_text("", encoding="utf-8")
        warn = f"open({str(path)!r}, 'a').write('4,3,1,-;WARNING: CPU: 0 at mmu.c:1\\n')\n"
        self.image("bad", ["one", "two"], warn + _GOOD)
        self.image("good", ["one", "two"], _GOOD)
        device = session.KERNEL_LOG
        self.addCleanup(setattr, session, "KERNEL_LOG", device)
        session.KERNEL_LOG = path
        self.expect(1, ["KERNEL WARNING bad", "WARNING: CPU: 0 at mmu.c:1"], "-j1")
        self.expect(0, [], "good")


class Versions(Bench):
    def test_too_old(self) -> None:
        text = "version = ['/bin/echo', 'version 5.2.1']\noldest = '6.0'"
        self.adapter("fake", text)
        self.image("image", ["one", "two"], _GOOD)
        words = ["fake cannot be used here", "5.2.1 is too old: 6.0 or later is needed"]
        self.assertEqual(self.expect(2, words, "--on", "fake").count("\n"), 1)
        self.expect(2, ["no hypervisor can be used here", "5.2.1 is too old"])

    def test_another_program(self) -> None:
        """The environment names one: it is asked once, and nothing is launched with it."""
        count = self.root / "asked"
        other = self.root / "other"
        other.write_text(f"#!/bin/sh\necho x >>{count}\necho other 9.1\n", encoding="utf-8")
        other.chmod(0o755)
        text = "version = ['{program}', '--version']\nsays = 'VMM version'\noverride = 'QEMU'"
        self.adapter("fake", text)
        self.adapter("good", auto=20)
        self.image("image", ["one", "two"], _GOOD)
        os.environ["QEMU"] = str(other)
        self.addCleanup(os.environ.pop, "QEMU", None)
        wrong = f"{other} (from $QEMU) is another program: asked --version, it prints 'other 9.1',"
        out = self.expect(2, [f"fake cannot be used here: {wrong}"], "--on", "fake")
        self.assertEqual(out.count("\n"), 1)
        self.assertEqual(count.read_text(encoding="utf-8"), "x\n")
        self.expect(0, ["on good", f"(not fake: {wrong}"])
        self.expect(1, [f"missing: {wrong}"], "doctor", "fake")
        other.write_text("", encoding="utf-8")
        self.expect(2, ["(from $QEMU)", "it prints nothing, not 'VMM version'"], "--on", "fake")


if __name__ == "__main__":
    unittest.main()
