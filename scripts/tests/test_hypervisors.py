# SPDX-License-Identifier: BSD-2-Clause
"""The tree's hypervisors: their commands, their lists, and what README says about them."""

from __future__ import annotations

import re
import shlex
import unittest
from pathlib import Path
from typing import Dict, List

from support import Bench

from runner import adapter, catalog, media, media_bzimage, session
from runner.choose import choose
from runner.errors import UserError
from runner.flavour import Flavour
from runner.hypervisor import Adapter
from runner.image import Image

_ROOT = Path(__file__).resolve().parents[2]
_GOOD = 'boot(2); case(1, "one"); case(2, "two"); end()'
# Words of each unproven hypervisor's command, or of the files that it is given.
_WORDS: Dict[str, List[str]] = {
    "qemu-whpx": ["-accel whpx", "-kernel IMAGE", "-append 'a=1 b'"],
    "qemu-hvf": ["-accel hvf", "-smp 2"],
    "qemu-nvmm": ["-accel nvmm", "-m 300"],
    "qemu-mshv": ["-accel mshv", "-serial stdio"],
    "qemu-xen": ["launch.sh", 'device_model_version = "qemu-xen"', "create -F", "vcpus = 2"],
    "xen-pvh": ["launch.sh", 'type = "pvh"', "hap = 1", 'kernel = "IMAGE"', 'cmdline = "a=1 b"'],
    "xen-pvh-shadow": ['type = "pvh"', "hap = 0", "memory = 300", "vcpus = 2"],
    "xen-hvm": ["create -F", 'type = "hvm"', "hap = 1", "IMAGE,raw,hdc", "console.fifo"],
    "xen-hvm-shadow": ['type = "hvm"', "hap = 0", 'on_reboot = "destroy"'],
    "cloud-hypervisor": ["--kernel IMAGE", "--cmdline 'a=1 b'", "size=300M", "boot=2"],
    "firecracker": ["--no-api", '"kernel_image_path": "IMAGE"', '"mem_size_mib": 300'],
    "crosvm": ["--serial type=stdout,hardware=serial,num=1", "--params 'a=1 b' IMAGE"],
    "kvmtool": ["--kernel IMAGE", "--console serial", "--mem 300", "--cpus 2"],
    "libkrun": ["launch.py 2 300 IMAGE 'a=1 b'", "krun.so.1"],
    "virtualbox": ["--uart1 0x3F8 4", '--medium "IMAGE"', "--memory 300"],
    "vmware": ['memsize = "300"', 'ide1:0.fileName = "IMAGE"', "nogui"],
    "bhyve": ["-s 3,ahci-cd,IMAGE", "-m 556M", "-l com1,stdio"],
    "hyper-v": ["-MemoryStartupBytes 300MB", "-Generation 1", "\\\\.\\pipe\\shadowbox-"],
    "openvmm": ["--uefi", "--disk file:IMAGE,dvd", "--com1 file="],
    "serial": ['$SHADOWBOX_BOOT "IMAGE"', "115200 raw"],
}


class Tree(Bench):
    def setUp(self) -> None:
        super().setUp()
        self.adapters = adapter.load_all()

    def job(self, chosen: Adapter) -> session.Job:
        text = "[one]\nmemory = 300\ncpus = 2\nargs = a=1 b\n"
        entry = catalog.parse(text, self.config)[0]
        entry.file = self.image("one", ["one"], _GOOD)
        return session.Job(entry, Image(entry.file), chosen, "", session.Options())

    def test_commands_of_the_unproven(self) -> None:
        unproven = {name for name, one in self.adapters.items() if one.unproven}
        self.assertEqual(unproven, set(_WORDS))
        made = media.make
        self.addCleanup(setattr, media, "make", made)
        setattr(media, "make", lambda _kind, image, *_: image)
        for name, words in _WORDS.items():
            job = self.job(self.adapters[name])
            folder = self.root / "logs" / name
            launch = session.prepare(job, folder, 0)
            texts = [shlex.join(launch.command), shlex.join(launch.cleanup)]
            texts += [(folder / file).read_text() for file in job.adapter.files]
            text = "\n".join(texts).replace(str(job.entry.file), "IMAGE")
            for word in words:
                self.assertIn(word, text, name)
            left = re.search(r"\{(?:image|args|tmp|name|memory|cpus?|console|program)\}", text)
            self.assertIsNone(left, name)

    def test_readme_names_them_all(self) -> None:
        text = (_ROOT / "README.md").read_text(encoding="utf-8")
        section = text.partition("## Where it runs")[2].partition("\n## ")[0]
        proven, _, unproven = section.partition("*unproven*")

        def named(part: str) -> List[str]:
            rows = re.findall(r"^\| (`[^|]*) \|", part, re.MULTILINE)
            return sorted(name for row in rows for name in re.findall(r"`([^`]+)`", row))

        tree = self.adapters.values()
        self.assertEqual(named(unproven), sorted(a.name for a in tree if a.unproven))
        self.assertEqual(named(proven), sorted(a.name for a in tree if not a.unproven))

    def test_lists(self) -> None:
        self.adapter("other", "unproven = true")
        self.expect(0, ["fake: pretends", "other (unproven): pretends"], "--list-hypervisors")
        self.adapter("absent", "[[requires]]\nfile = '/nonexistent'\nreason = 'no luck'")
        self.expect(0, ["not here  absent\n          missing: no luck"], "doctor")
        self.expect(1, ["no luck"], "doctor", "absent")
        self.expect(2, ["unknown hypervisor 'x'"], "doctor", "x")
        self.image("one", ["one", "two"], _GOOD)
        self.expect(0, ["unproven: written from its documents"], "one", "--on", "other")

    def test_what_a_command_says(self) -> None:
        lines = ["[[requires]]", "command = ['echo', 'tcg kvm']", "reason = 'no whpx'"]
        self.adapter("without", "\n".join([*lines, "pattern = 'whpx'"]))
        self.adapter("with", "\n".join([*lines, "pattern = 'kvm$'"]))
        out = self.expect(0, ["not here  without"], "doctor")
        self.assertIn("usable    with", out)

    def test_a_file_that_is_not_the_trees(self) -> None:
        self.image("one", ["one", "two"], _GOOD)
        self.adapter("mine")
        mine = self.root / "mine.toml"
        (self.root / "hypervisors" / "mine.toml").rename(mine)
        self.expect(0, ["on mine", "2 passed"], "--hypervisor-file", str(mine))
        words = ["--hypervisor-file", str(mine), "--on", "fake,mine"]
        self.expect(0, ["on fake, mine", "4 passed"], *words)
        mine.rename(self.root / "fake.toml")
        text = "there is another hypervisor with the name fake"
        self.expect(2, [text], "--hypervisor-file", str(self.root / "fake.toml"))
        self.expect(2, ["nowhere.toml"], "--hypervisor-file", "nowhere.toml")

    def test_what_is_left_is_cleaned_up(self) -> None:
        mark = self.root / "mark"
        self.adapter("messy", f"cleanup = ['sh', '-c', 'echo {{name}} >{mark}']")
        self.image("one", ["one", "two"], _GOOD)
        self.expect(0, ["2 passed"], "--on", "messy")
        self.assertIn("shadowbox-", mark.read_text())


class Flavours(Bench):
    def setUp(self) -> None:
        super().setUp()
        text = "offers = ['cpus']\ncpu = 'plain'\n[machines]\nany = 'm'\nq35 = 'q'\nmicrovm = 'v'"
        self.adapter("flexible", text)
        self.image("one", ["one", "two"], _GOOD)

    def test_each_with_each(self) -> None:
        words = ["--on", "flexible", "--cpu", "max,-la57", "--cpu", "qemu64"]
        words += ["--machine", "microvm,q35", "--smp", "1,2"]
        out = self.expect(0, ["16 passed"], *words)
        self.assertIn("one@flexible,cpu=max,-la57,machine=q35,smp=2", out)
        folder = self.root / "logs" / "last"
        self.assertTrue((folder / "one@flexible+cpu-qemu64+machine-microvm+smp-1").is_dir())

    def test_a_failure_says_how_to_repeat_it(self) -> None:
        self.image("two", ["one"], 'boot(1); case(1, "one", "fail"); end()')
        words = ["two", "--on", "flexible", "--cpu", "a,+b", "--smp", "2"]
        out = self.expect(1, ["FAILED two/one on flexible,cpu=a,+b,smp=2"], *words)
        self.assertIn("--on flexible --cpu a,+b --smp 2", out)

    def test_what_nobody_has(self) -> None:
        self.expect(2, ["--cpu x: fake: its processor cannot be chosen"], "--on=fake", "--cpu=x")
        words = ["--on", "flexible", "--machine"]
        self.expect(2, ["flexible: it has no machine pc"], *words, "pc")
        self.expect(2, ["'vax' is not one of"], *words, "vax")
        self.expect(2, ["'0' is no number of processors"], "--smp", "1,0")
        self.expect(2, ["'a b' is no model"], "--cpu", "a b")
        self.expect(2, ["not with --on"], "--accel", "tcg", "--on", "fake")
        self.expect(2, ["unknown hypervisor 'qemu-hax'"], "--accel", "hax")
        # Under --on auto those that cannot do it are passed over.
        self.expect(0, ["on flexible,cpu=x"], "--cpu", "x")

    def test_each_hypervisor_in_the_configurations_that_it_has(self) -> None:
        self.adapter("fake", "cpu = 'plain'\n[machines]\nany = 'm'\npc = 'm'")
        self.adapter("boards", "[machines]\nany = 'm'\nq35 = 'q'\npc = 'm'")
        words = ["--on", "flexible,boards,fake", "--machine", "microvm,pc,q35"]
        out = self.expect(0, ["10 passed"], *words)
        names = ["flexible,machine=microvm", "flexible,machine=q35", "boards,machine=pc"]
        names += ["boards,machine=q35", "fake"]
        self.assertEqual(out.splitlines()[0].partition(" (")[0], "on " + ", ".join(names))
        self.assertIn("not flexible,machine=pc: it has no machine pc", out)
        self.assertIn("not boards,machine=microvm: it has no machine microvm", out)
        # One with a single machine is no hypervisor that others' machines concern.
        self.assertNotIn("fake,", out)
        self.expect(2, ["--machine q35: fake: it has no machine q35"], "--on=fake", "--machine=q35")
        # But one that has none of several processors, or machines, cannot do what was asked.
        self.expect(2, ["--smp 2: fake: it offers one"], "--on", "flexible,fake", "--smp", "2")
        words = ["--on", "flexible,boards", "--machine"]
        self.expect(2, ["--machine microvm: boards: it has no"], *words, "microvm")

    def test_an_image_that_wants_something_else(self) -> None:
        self.adapter("flexible", "offers = ['cpus', 'pci']\n[machines]\nany = 'm'\nq35 = 'q'")
        self.image("board", ["one", "two"], _GOOD, "machine = q35")
        self.image("many", ["one", "two"], _GOOD, "cpus = 3")
        words = ["--on", "flexible", "--smp", "2"]
        self.expect(0, ["skipped many: needs 3 processors, not 2"], "many", "one", *words)
        words = ["--on", "flexible", "--machine", "any"]
        self.expect(0, ["skipped board: needs machine q35, not any"], "board", "one", *words)

    def test_names_and_values(self) -> None:
        made = choose("qemu-tcg", adapter.load_all(), [Flavour("qemu64", "q35", 2)])
        only = made.sets[0][0]
        self.assertEqual(
            (only.name, only.base), ("qemu-tcg,cpu=qemu64,machine=q35,smp=2", "qemu-tcg")
        )
        self.assertTrue(only.known)  # what is known of it is known in every configuration


class BzImage(Bench):
    def test_only_images_with_a_segment(self) -> None:
        file = self.image("one", ["one"], _GOOD)
        with self.assertRaises(UserError):
            media_bzimage.bzimage(file.read_bytes())

    @unittest.skipIf(not (_ROOT / "x86" / "invlpg.flat").exists(), "no image is built")
    def test_header(self) -> None:
        """The Linux/x86 Boot Protocol, "The Real-Mode Kernel Header"."""
        data = media_bzimage.bzimage((_ROOT / "x86" / "invlpg.flat").read_bytes())
        self.assertEqual(data[0x1FE:0x202], b"\x55\xaa\xeb\x3e")
        self.assertEqual(data[0x202:0x206], b"HdrS")
        self.assertEqual(int.from_bytes(data[0x214:0x218], "little"), 0x100000)
        after = (data[0x1F1] + 1) * 512
        size = int.from_bytes(data[0x1F4:0x1F8], "little") * 16
        self.assertTrue(0 <= size - (len(data) - after) < 16)
        self.assertNotIn(b"\x02\xb0\xad\x1b", data[:8192])


if __name__ == "__main__":
    unittest.main()
