# SPDX-License-Identifier: BSD-2-Clause
"""Ways to break the rules of mode changes; see mutations.py."""

from __future__ import annotations

from typing import Dict, Tuple

MODES: Dict[str, Dict[str, Tuple[str, str]]] = {
    "lib/model/modes.c": {
        "paging needs no protection": ("if ((value & PG) && !(value & PE))", "if (false)"),
        "NW needs no CD": ("if ((value & NW) && !(value & CD))", "if (false)"),
        "IA-32e mode needs no PAE": (
            "(registers->efer & LME) &&\n\t    !(registers->cr4 & PAE)",
            "false",
        ),
        "paging may be left under PCIDE": ("!(value & PG) && (registers->cr4", "false && (value"),
        "PAE may be cleared in IA-32e mode": ("(!(value & PAE) || (changed", "((changed"),
        "LA57 may change in IA-32e mode": (" || (changed & LA57)", ""),
        "LA57 may never change": ("(registers->efer & LMA) && (!", "(!"),
        "PCIDE outside IA-32e mode": ("(!(registers->efer & LMA) || (registers", "((registers"),
        "PCIDE under any PCID": (" || (registers->cr3 & PCID)", ""),
        "PCIDE may not be cleared": ("(changed & value & PCIDE)", "(changed & PCIDE)"),
        "LME may change under paging": (
            "if (((value ^ registers->efer) & LME) && (registers->cr0 & PG))",
            "if (false)",
        ),
        "LMA stays when paging is left": ("registers->efer &= ~LMA;", ""),
        "LMA without paging": (
            "(registers->efer & LME) && (registers->cr0 & PG))\n\t\treg",
            "registers->efer & LME)\n\t\treg",
        ),
        "bit 63 of CR3 is kept": ("value & ~NO_FLUSH", "value"),
        "bit 63 of CR3 without PCIDE": ("(value & NO_FLUSH) && !(registers->cr4 & PCIDE)", "false"),
        "a format without paging": ("if (!(registers->cr0 & PG))", "if (false)"),
        "LA57 in 4-level paging": ("registers->cr4 & LA57 ?", "false ?"),
        "the format is told by LA57 without LMA": (
            "registers->efer & LMA)\n\t\treturn",
            "registers->cr4 & LA57)\n\t\treturn",
        ),
        "32-bit paging under PAE": ("if (registers->cr4 & PAE)", "if (false)"),
        "PSE is always on": ("registers->cr4 & PSE ?", "true ?"),
    },
}
