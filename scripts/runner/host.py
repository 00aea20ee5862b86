# SPDX-License-Identifier: BSD-2-Clause
"""What kind of machine this is: without that two reports cannot be compared."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Dict

from .kernel_log import DEVICE, KernelLog

_PARAMETERS = {
    "kvm": ("tdp_mmu", "nx_huge_pages", "flush_on_reuse", "mmio_caching"),
    "kvm_intel": ("ept", "eptad", "unrestricted_guest", "vpid", "pml", "nested"),
    "kvm_amd": ("npt", "avic", "nested"),
    "kvm_pvm": ("nested",),
}
_CPUINFO = {"model name": "cpu", "microcode": "microcode"}


def context(root: Path = Path("/")) -> Dict[str, str]:
    """CPU, microcode, kernel, and the parameters of KVM's modules that change its MMU."""
    system = platform.uname()
    found = {"kernel": f"{system.system} {system.release} {system.machine}"}
    found.update(_cpu(_read(root / "proc/cpuinfo")))
    found["cpus"] = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0)
    memory = re.search(r"^MemTotal:\s*(\d+)", _read(root / "proc/meminfo"), re.MULTILINE)
    if memory:
        found["memory_mib"] = str(int(memory.group(1)) // 1024)
    for module, parameters in _PARAMETERS.items():
        folder = root / "sys/module" / module
        if folder.is_dir():
            found[module] = "loaded"
        for parameter in parameters:
            value = _read(folder / "parameters" / parameter).strip()
            if value:
                found[f"{module}.{parameter}"] = value
    log = KernelLog(root / DEVICE.relative_to("/"))
    found["kernel_log"] = "watched under KVM" if log.readable else "not readable"
    log.close()
    return found


def _cpu(text: str) -> Dict[str, str]:
    """Of the first processor; and whether this is itself a guest."""
    found: Dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        name = _CPUINFO.get(key.strip())
        if name and name not in found:
            found[name] = " ".join(value.split())
        elif key.strip() == "flags":
            flags = value.split()
            found["virtualisation"] = next((f for f in ("vmx", "svm") if f in flags), "none")
            if "hypervisor" in flags:
                found["in_a_guest"] = "yes"
            break
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
