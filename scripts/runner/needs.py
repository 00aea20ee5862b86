# SPDX-License-Identifier: BSD-2-Clause
"""The words with which an image asks for something and a hypervisor offers it.

They speak about what has to be there before an image is launched. What a single case needs, the
guest finds out for itself from CPUID, and skips the case with a reason.
"""

from __future__ import annotations

from typing import Dict, Iterable, List

NEEDS: Dict[str, str] = {
    "64bit": "IA-32e mode: 64-bit code and 4-level paging",
    "32bit": "legacy mode: an image of 32-bit code with 32-bit or PAE paging",
    "la57": "5-level paging",
    "cpus": "more than one processor",
    "guests": "several guests that run at the same time",
    "vmx": "VMX with EPT inside the guest",
    "svm": "SVM with nested paging inside the guest",
    "large_memory": "memory beyond 4 GBytes that costs nothing until it is used",
    "pci": "a PCI bus (machine pc or q35 where the hypervisor has more than one machine)",
}


def unknown_words(words: Iterable[str]) -> List[str]:
    """Those of `words` that are not in the table."""
    return [word for word in words if word not in NEEDS]


def vocabulary() -> str:
    """The table as one line for an error message."""
    return ", ".join(sorted(NEEDS))
