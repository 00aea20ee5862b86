# SPDX-License-Identifier: BSD-2-Clause
"""Ways to break the formats of 32-bit and PAE paging, as in mutations.py."""

from __future__ import annotations

from typing import Dict, Tuple

LEGACY_FORMATS: Dict[str, Dict[str, Tuple[str, str]]] = {
    "lib/paging/format_legacy.c": {
        "PSE-36 has no upper limit": (
            "rules->maxphyaddr < PSE36_TOP ? rules->maxphyaddr : PSE36_TOP",
            "rules->maxphyaddr < 41 ? rules->maxphyaddr : 41",
        ),
        "PSE-36 ignores MAXPHYADDR": (
            "rules->maxphyaddr < PSE36_TOP ? rules->maxphyaddr : PSE36_TOP",
            "PSE36_TOP",
        ),
        "PSE-36 is always there": ("if (!rules->pse36)", "if (false)"),
        "PSE-36 is never there": ("if (!rules->pse36)", "if (true)"),
        "PSE-36 bits are off by one": ("<< 19;", "<< 20;"),
        "4-KByte pages have the PSE-36 bits": ("return level == PT ? address :", "return"),
        "entries without a page have reserved bits": (
            "!maps_page(&paging_32bit, rules, level, entry)",
            "false",
        ),
        "PS counts without PSE": (
            '[PD] = {.entry_name = "PDE", .shift = 22, .index_bits = 10}},',
            '[PD] = {.entry_name = "PDE", .shift = 22, .index_bits = 10, .can_map_page = true}},',
        ),
        "PAE ignores bits 62:52": ("BITS(62, 52)", "0"),
        "PAE ignores bit 62": ("BITS(62, 52)", "BITS(61, 52)"),
        "PAE reserves XD": ("BITS(62, 52)", "BITS(63, 52)"),
        "2-MByte pages have no reserved bits": (".reserved_of_page = BITS(20, 13)", ""),
        "PAT of 2-MByte pages is reserved": ("= BITS(20, 13)}}", "= BITS(20, 12)}}"),
        "bits 2:1 of PDPTEs are ignored": ("(BITS(2, 1) | BITS(8, 5)", "(BITS(8, 5)"),
        "bit 8 of PDPTEs is ignored": ("BITS(8, 5)", "BITS(7, 5)"),
        "bits of PDPTEs that are not present count": ("if (!(entry & P))", "if (false)"),
        "PDPTEs may hold addresses beyond MAXPHYADDR": (
            "~((1ull << rules->maxphyaddr) - 1)",
            "XD",
        ),
    },
}
