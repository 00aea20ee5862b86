# SPDX-License-Identifier: BSD-2-Clause
"""Ways to break the oracle's second dimension and EPT's formats, as in mutations.py."""

from __future__ import annotations

from typing import Dict, Tuple

SECOND_DIMENSION: Dict[str, Dict[str, Tuple[str, str]]] = {
    "lib/model/two_dimensional.c": {
        "nested accesses reach supervisor pages": ("return !(all & US) || (", "return ("),
        "nested writes need no RW": ("((wants & BIT_WRITE) && !(all & RW)) ||", ""),
        "nested reads need RW": ("((wants & BIT_WRITE) && !(all & RW))", "!(all & RW)"),
        "nested RW of any entry": (
            "(wants & BIT_WRITE) && !(all & RW)",
            "(wants & BIT_WRITE) && !(any & RW)",
        ),
        "nested walks obey XD": ("(wants & BIT_FETCH) && t->second", "t->second"),
        "nested XD has to be in all entries": (
            "t->second->rules.execute_disable && (any & XD)",
            "t->second->rules.execute_disable && (all & XD)",
        ),
        "nested reserved bits are no fault": (
            "\tif (walk->end == WALK_RESERVED)\n",
            "\tif (false)\n",
        ),
        "bits 32 and 33 swapped": (
            "guest_level ? NPF_TABLE : NPF_FINAL",
            "guest_level ? NPF_FINAL : NPF_TABLE",
        ),
        "bit 32 for walks": (
            "guest_level ? NPF_TABLE : NPF_FINAL",
            "guest_level ? NPF_FINAL : NPF_FINAL",
        ),
        "U of EXITINFO1 is clear": ("= NPF_U | (", "= ("),
        "P of EXITINFO1 is always set": (
            "WALK_NOT_PRESENT ? 0 : NPF_P",
            "WALK_NOT_PRESENT ? NPF_P : NPF_P",
        ),
        "P is clear for reserved bits": (
            "walk->end == WALK_NOT_PRESENT ? 0 : NPF_P",
            "walk->end != WALK_MAPPED ? 0 : NPF_P",
        ),
        "RSV of EXITINFO1 is clear": ("? NPF_RSV : 0", "? 0 : 0"),
        "W of EXITINFO1 is clear": ("? NPF_W : 0", "? 0 : 0"),
        "ID of EXITINFO1 is clear": ("? NPF_ID : 0", "? 0 : 0"),
        "ID is compared without NXE": (
            "~(t->second->rules.execute_disable ? 0 : NPF_ID)",
            "~(t->second->rules.execute_disable ? 0 : 0ull)",
        ),
        "W of read-modify-writes is always compared": ("outcome->defined &= ~NPF_W;", ";"),
        "nested walks are reads": (
            "(second->accessed_dirty || second->nested_paging ? BIT_WRITE : 0)",
            "(second->accessed_dirty ? BIT_WRITE : 0)",
        ),
        "nested flags are not kept": (
            "second->accessed_dirty || second->nested_paging;",
            "second->accessed_dirty;",
        ),
        "EPT rights of any entry": ("rights &= walk->step[i].entry;", "rights |= 0;"),
        "EPT rights of the first entry alone": (
            "rights &= walk->step[i].entry;",
            "rights &= walk->step[0].entry;",
        ),
        "misconfigurations are violations": (
            "if (walk->end == WALK_RESERVED) {",
            "if (false) {",
        ),
        "rights of entries that allow are not looked at": (
            "} else if (walk->end == WALK_NOT_PRESENT || (wants & ~rights)) {",
            "} else if (walk->end == WALK_NOT_PRESENT) {",
        ),
        "bits 5:3 are what is missing": (
            "wants | rights << RIGHTS_SHIFT",
            "wants | (wants & ~rights) << RIGHTS_SHIFT",
        ),
        "walks are reads with flags for EPT": (
            "(second->accessed_dirty || second->nested_paging ? BIT_WRITE : 0)",
            "(second->nested_paging ? BIT_WRITE : 0)",
        ),
        "walks are always writes": (
            "(second->accessed_dirty || second->nested_paging ? BIT_WRITE : 0)",
            "BIT_WRITE",
        ),
        "flags of L2 need no right": (
            "if (!stops(t, reference, BIT_WRITE))",
            "if (true)",
        ),
        "D of L2 needs no right": ("A | (access->write ? D : 0)", "A"),
        "only the last flag of L2 needs a right": (
            "i + 1 == steps ? last_flags : A",
            "i + 1 == steps ? last_flags : 0",
        ),
        "bit 0 of a flag's update is defined": (
            "defined &= ~BIT_READ;\n\t\tmay_mark",
            "defined &= ~0ull;\n\t\tmay_mark",
        ),
        "fetches are reads": ("return BIT_FETCH;", "return BIT_READ;"),
        "writes are reads too": ("? BIT_WRITE : BIT_READ;", "? BIT_WRITE | BIT_READ : BIT_READ;"),
        "the final access is not reported as such": (
            "outcome->qualification |= BIT_FINAL;",
            "outcome->qualification |= 0;",
        ),
        "U/S of any entry": ("(all & US ? BIT_USER_ADDRESS", "(any & US ? BIT_USER_ADDRESS"),
        "unpaged addresses are supervisor's": (
            "return BIT_USER_ADDRESS | BIT_WRITABLE;",
            "return BIT_WRITABLE;",
        ),
        "the page's rights come before L2's": (
            "if (of_guest.vector != MODEL_COMPLETES) {",
            "if (false) {",
        ),
        "an access completes whatever the page's rights": (
            "if (!page_stops && !updates_stop) {",
            "if (!updates_stop) {",
        ),
        "an access completes without its flags": (
            "if (!page_stops && !updates_stop) {",
            "if (!page_stops) {",
        ),
        "the entry that faults is marked": (
            "walk->end == WALK_MAPPED ? walk->count : walk->count - 1",
            "walk->count",
        ),
    },
    "lib/model/judge_l2.c": {
        "nested A is EPT's": ("nested_paging ? A : EPT_A", "nested_paging ? EPT_A : EPT_A"),
        "nested D is EPT's": ("nested_paging ? D : EPT_D", "nested_paging ? EPT_D : EPT_D"),
        "flags of EPT are never wanted": ("*must = flags;", "*may = flags;"),
        "flags of EPT with the feature off": ("if (!answer->second_flags || ended)", "if (ended)"),
        "D in every entry": ("(maps_page && of->written ?", "(maps_page || of->written ?"),
        "D by reads": ("(maps_page && of->written ?", "(maps_page ?"),
        "D never": ("(maps_page && of->written ?", "(false ?"),
        "flags may vanish": ("&& !(before & ~after)", ""),
        "other bits may change": (
            "&& !((before ^ after) & ~(must | may))",
            "&& !((before ^ after) & ~(must | may) & EPT_D)",
        ),
    },
    "lib/paging/format_npt.c": {
        "nested entries have no reserved bits": (
            "return reserved_bits_set(&paging_5level, rules, level, entry);",
            "return 0;",
        ),
    },
    "lib/paging/format_ept.c": {
        "W without R": ("uint64_t bad = EPT_W;", "uint64_t bad = 0;"),
        "X without R never": ("if (!rules->execute_only)", "if (true)"),
        "X without R always": ("if (!rules->execute_only)", "if (false)"),
        "one address bit too few": (
            "(1ull << rules->maxphyaddr) - 1",
            "(2ull << rules->maxphyaddr) - 1",
        ),
        "bit 7 of a PML4E is ignored": ("(BITS_6_3 | EPT_PS));", "BITS_6_3);"),
        "bits 6:3 of a PML4E are ignored": ("(BITS_6_3 | EPT_PS));", "EPT_PS);"),
        "bits 6:3 of tables are ignored": ("return bad | (entry & BITS_6_3);", "return bad;"),
        "1-GByte pages in EPT always": ("if (level == PDPT && !rules->pages_1g)", "if (false)"),
        "bit 12 of a large PDE": ("(0x1ffull << 12)", "(0xffull << 13)"),
        "bit 12 of a large PDPTE": ("(0x3ffffull << 12)", "(0x1ffffull << 13)"),
        "memory type 2": ("type == 2 || type == 3", "type == 3"),
        "memory type 7": ("|| type == 7", ""),
        "memory type 4": ("type == 2 || type == 3", "type == 2 || type == 3 || type == 4"),
    },
}
