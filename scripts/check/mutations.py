# SPDX-License-Identifier: BSD-2-Clause
"""Ways to break the oracle, for scripts/mutate-model: file, name, text, replacement.

Each is an error that somebody could make. What would change nothing is left out: to ignore NXE when
XD is combined, for one, since XD is a reserved bit while EFER.NXE = 0.
"""

from __future__ import annotations

from typing import Dict, Tuple

from mutations_features import FEATURES
from mutations_history import HISTORY
from mutations_legacy import LEGACY_FORMATS
from mutations_modes import MODES
from mutations_second import SECOND_DIMENSION

_LAST = "walk->step[walk->count - 1].entry"

MUTATIONS: Dict[str, Dict[str, Tuple[str, str]]] = {
    "lib/model/model.c": {
        "shadow-stack accesses need no shadow stack": ("if (!above || (last", "if (false && (last"),
        "entries above a shadow stack do not matter": ("if (!above || (last", "if ((last"),
        "shadow-stack pages may be clean": ("(RW | D)) != D", "RW) != 0"),
        "shadow-stack pages may be writable": ("(RW | D)) != D", "D) != D"),
        "the last entry of a shadow stack is one above": ("i + 1 < walk->count", "i < walk->count"),
        "shadow stacks are of both modes": (
            "if (rights->user_address != (access->user && !access->implicit))",
            "if (false)",
        ),
        "implicit shadow-stack accesses are of user mode": (
            "if (rights->user_address != (access->user && !access->implicit))",
            "if (rights->user_address != access->user)",
        ),
        "SS is never reported": ("code |= ERROR_SS;", ";"),
        "SS is always reported": ("if (access->shadow_stack)\n\t\tcode", "if (true)\n\t\tcode"),
        "there are rights without paging": ("else if (walk->count) /*", "else /*"),
        "PDPTEs that are not present lead on": (
            "return processor->pdpte[linear >> PDPTE_SHIFT] & P",
            "return true",
        ),
        "the first PDPTE serves all": (
            "processor->pdpte[linear >> PDPTE_SHIFT] & ENTRY",
            "processor->pdpte[0] & ENTRY",
        ),
        "RW of the last entry alone": ("= all & RW", f"= {_LAST} & RW"),
        "US of the last entry alone": ("= all & US", f"= {_LAST} & US"),
        "XD of the last entry alone": ("(any & XD)", f"({_LAST} & XD)"),
        "RW of any entry": ("= all & RW", "= any & RW"),
        "US of any entry": ("= all & US", "= any & US"),
        "XD has to be in all entries": ("(any & XD)", "(all & XD)"),
        "the first entry is not combined": (
            "unsigned i = 0; i < walk->count; i++) {\n\t\tall",
            "unsigned i = 1; i < walk->count; i++) {\n\t\tall",
        ),
        "user mode reaches everything": ("if (!rights->user_address)", "if (false)"),
        "user writes need no RW": (
            'if (write && !rights->writable)\n\t\treturn "user',
            'if (false)\n\t\treturn "user',
        ),
        "user reads need RW": (
            'if (write && !rights->writable)\n\t\treturn "user',
            'if (!rights->writable)\n\t\treturn "user',
        ),
        "user fetches ignore XD": ("access->fetch && rights->no_execute", "false"),
        "user reads obey XD": ("access->fetch && rights->no_execute", "rights->no_execute"),
        "SMEP forbids every fetch": ("rights->user_address && processor->smep", "processor->smep"),
        "SMEP is always on": ("rights->user_address && processor->smep", "rights->user_address"),
        "SMEP is never on": ("rights->user_address && processor->smep", "false"),
        "SMEP acts on supervisor-mode addresses": (
            "rights->user_address && processor->smep",
            "!rights->user_address && processor->smep",
        ),
        "supervisor fetches ignore XD": ("return rights->no_execute ?", "return false ?"),
        "SMAP is always on": ("processor->smap && (access", "(access"),
        "SMAP is never on": ("processor->smap && (access", "false && (access"),
        "SMAP acts on all addresses": (
            "rights->user_address && processor->smap",
            "processor->smap",
        ),
        "SMAP ignores AC": ("(access->implicit || !access->ac)", "true"),
        "SMAP takes AC upside down": ("!access->ac)", "access->ac)"),
        "AC lifts SMAP of implicit accesses": (
            "(access->implicit || !access->ac)",
            "(!access->ac)",
        ),
        "SMAP forbids implicit accesses alone": (
            "(access->implicit || !access->ac)",
            "(access->implicit)",
        ),
        "WP is always on": ("!rights->writable && processor->wp", "!rights->writable"),
        "WP is never on": ("!rights->writable && processor->wp", "false"),
        "WP forbids reads": ("write && !rights->writable && processor->wp", "!rights->writable"),
        "implicit accesses are user accesses": (
            "if (access->user && !access->implicit)\n\t\twhy =",
            "if (access->user)\n\t\twhy =",
        ),
        "keys control fetches": ("if (access->fetch || !(proc", "if (!(proc"),
        "PKE is always on": ("(user_address ? processor->pke :", "(user_address ? true :"),
        "PKE is never on": ("(user_address ? processor->pke :", "(user_address ? false :"),
        "PKS is always on": (": processor->pks))", ": true))"),
        "PKS is never on": (": processor->pks))", ": false))"),
        "PKRU for every address": (
            "(user_address ? processor->pkru :",
            "(true ? processor->pkru :",
        ),
        "PKRU for every access of user mode": (
            "(user_address ? processor->pkru :",
            "(user_access ? processor->pkru :",
        ),
        "the key of the first entry": (
            "step[walk->count - 1].entry >> KEY",
            "step[0].entry >> KEY",
        ),
        "8 keys": ("KEY_SHIFT & 0xf", "KEY_SHIFT & 7"),
        "AD and WD change places": (
            "access_disable = rights & 1;\n\twrite_disable = rights & 2;",
            "access_disable = rights & 2;\n\twrite_disable = rights & 1;",
        ),
        "AD is ignored": ("if (access_disable ||", "if ("),
        "AD forbids writes alone": ("if (access_disable ||", "if ((write && access_disable) ||"),
        "WD is ignored": ("(write && write_disable &&", "(false &&"),
        "WD forbids reads": ("(write && write_disable &&", "(write_disable &&"),
        "WD without WP forbids supervisor writes": (
            "write_disable && (user_access || processor->wp)",
            "write_disable",
        ),
        "WD never forbids supervisor writes": (
            "write_disable && (user_access || processor->wp)",
            "write_disable && user_access",
        ),
        "WD of user writes wants WP": (
            "write_disable && (user_access || processor->wp)",
            "write_disable && processor->wp",
        ),
        "keys deny nothing": ("if (!why && key_verdict", "if (false && key_verdict"),
        "what is open denies": ("rights & 3 ? KEY_IS_OPEN", "rights & 3 ? KEY_DENIES"),
        "nothing is open": ("rights & 3 ? KEY_IS_OPEN", "rights & 3 ? KEY_ALLOWS"),
        "everything is open": ("return rights & 3 ?", "return true ?"),
        "PK never reported": ("code |= ERROR_PK;\n\tif", "code |= 0;\n\tif"),
        "PK not where other rights deny": (
            "if (why && walk->end == WALK_MAPPED)",
            "if (why && why[0] == 't' && walk->end == WALK_MAPPED)",
        ),
        "PK where nothing is mapped": (
            "if (why && walk->end == WALK_MAPPED)",
            "if (why)",
        ),
        "implicit accesses are user accesses for keys": (
            "user_access = access->user && !access->implicit",
            "user_access = access->user",
        ),
        "P in every error code": (
            "if (walk->end != WALK_NOT_PRESENT)\n\t\tcode",
            "if (1)\n\t\tcode",
        ),
        "P missing with RSVD": ("walk->end != WALK_NOT_PRESENT", "walk->end == WALK_MAPPED"),
        "RSVD never reported": ("code |= ERROR_RSVD", "code |= 0"),
        "RSVD for denied rights": (
            "if (walk->end == WALK_RESERVED)\n\t\tcode",
            "if (walk->end == WALK_MAPPED)\n\t\tcode",
        ),
        "W for what the access might do": ("if (write)\n\t\tcode", "if (access->write)\n\t\tcode"),
        "W never reported": ("code |= ERROR_W", "code |= 0"),
        "U for implicit accesses": (
            "if (access->user && !access->implicit)\n\t\tcode",
            "if (access->user)\n\t\tcode",
        ),
        "U says whose address it is": ("code |= ERROR_U;", "code |= 0;"),
        "I/D without NXE and SMEP": (
            "(processor->smep || processor->rules.execute_disable)",
            "true",
        ),
        "I/D not with SMEP": (
            "(processor->smep || processor->rules.execute_disable)",
            "processor->rules.execute_disable",
        ),
        "I/D not with NXE": (
            "(processor->smep || processor->rules.execute_disable)",
            "processor->smep",
        ),
        "I/D for data": ("access->fetch && (processor->smep", "(processor->smep"),
        "A in the last entry alone": (
            "outcome->must[i] = A;",
            "outcome->must[walk->count - 1] = A;",
        ),
        "A not in the last entry": (
            "i < walk->count; i++) {\n\t\toutcome->must",
            "i + 1 < walk->count; i++) {\n\t\toutcome->must",
        ),
        "D by reads": ("if (write && walk->step[i].address", "if (walk->step[i].address"),
        "D never": ("|= D", "|= 0"),
        "D in all entries": ("if (write && walk->step[i].address == mapping)", "if (write)"),
        "D in the first entry": ("walk->step[walk->count - 1].address", "walk->step[0].address"),
        "D at one level of an entry that serves twice": (
            "walk->step[i].address == mapping",
            "i == walk->count - 1",
        ),
        "D replaces A": ("|= D", "= D"),
        "D by faults": ("outcome->may[i] = A", "outcome->may[i] = A | D"),
        "A forbidden by faults": ("outcome->may[i] = A", "outcome->may[i] = 0"),
        "A required by faults": ("outcome->may[i] = A", "outcome->must[i] = A"),
        "A in entries that are not present": (
            "if (walk->end != WALK_MAPPED && walk->count)",
            "if (walk->end == WALK_RESERVED)",
        ),
        "A in entries with reserved bits": (
            "if (walk->end != WALK_MAPPED && walk->count)",
            "if (walk->end == WALK_NOT_PRESENT)",
        ),
        "A above a missing entry forbidden": ("may[walk->count - 1] = 0", "may[0] = 0"),
        "reserved bits ignored": ("else if (walk->end == WALK_RESERVED)", "else if (false)"),
        "absent entries ignored": (
            "if (walk->end == WALK_NOT_PRESENT)\n\t\twhy",
            "if (false)\n\t\twhy",
        ),
        "every address is canonical": (
            "if (!model_linear_address(",
            "if (false && !model_linear_address(",
        ),
        "non-canonical addresses raise #PF": (".vector = VECTOR_GENERAL", ".vector = 14"),
        "conditional writes always write": ("if (access->may_write)", "if (false)"),
        "both answers are the same": ("access, !access->write)", "access, access->write)"),
    },
    "lib/model/judge.c": {
        "missing flags are accepted": ("if (must & ~after)", "if (false)"),
        "any bit may change": ("if (changed & ~(A | D))", "if (false)"),
        "A and D may always be set": ("if (changed & ~(must | may))", "if (false)"),
        "flags may get lost": ("return before & ~after ?", "return false ?"),
        "allowed flags are forbidden": ("~(must | may)", "~must"),
        "an entry has one role only": ("if (i != step &&", "if (false &&"),
        "all entries have all roles": (
            "walk->step[i].address == walk->step[step].address",
            "walk->step[i].address",
        ),
        "vectors are not compared": ("if (seen->vector != outcome->vector)", "if (false)"),
        "error codes are not compared": (
            "(seen->error_code ^ outcome->error_code) & mask",
            "false",
        ),
        "open bits are compared": ("mask & ~outcome->open_code", "mask"),
        "all is open where one bit is": (
            "mask & ~outcome->open_code",
            "mask & (outcome->open_code ? 0 : ~0ull)",
        ),
        "the mask is ignored": ("outcome->error_code) & mask", "outcome->error_code)"),
        "the mask is upside down": ("outcome->error_code) & mask", "outcome->error_code) & ~mask"),
        "CR2 is not compared": ("else if (seen->cr2 != answer->walk.linear)", "else if (false)"),
        "CR2 is compared by page": (
            "seen->cr2 != answer->walk.linear",
            "(seen->cr2 ^ answer->walk.linear) >> 12",
        ),
        "#GP's error code is not compared": (
            "seen->vector != MODEL_COMPLETES && seen->error_code",
            "false && seen->error_code",
        ),
        "the last entry is not looked at": (
            "i < answer->walk.count && verdict",
            "i + 1 < answer->walk.count && verdict",
        ),
        "the first entry is not looked at": (
            "unsigned i = 0; i < answer->walk",
            "unsigned i = 1; i < answer->walk",
        ),
        "the wrong step is named": ("verdict.step = i;", "verdict.step = 0;"),
        "only the first outcome is permitted": ("i < answer->count", "i < 1"),
        "only the second outcome is permitted": (
            "if (verdict.mismatch == MODEL_FITS)\n\t\t\treturn",
            "if (i && verdict.mismatch == MODEL_FITS)\n\t\t\treturn",
        ),
        "the worst outcome is told": (
            "verdict.mismatch > best.mismatch",
            "verdict.mismatch < best.mismatch",
        ),
    },
    "lib/paging/format.c": {
        "bit 20 of a large PDE ignored": ("(0xffull << 13)", "(0x7full << 13)"),
        "PAT of a large PDE reserved": ("(0xffull << 13)", "(0x1ffull << 12)"),
        "bit 13 of a large PDE ignored": ("(0xffull << 13)", "(0xfeull << 13)"),
        "bit 29 of a large PDPTE ignored": ("(0x1ffffull << 13)", "(0xffffull << 13)"),
        "bit 30 of a large PDPTE reserved": ("(0x1ffffull << 13)", "(0x3ffffull << 13)"),
        "PS of a PML4E ignored": (".index_bits = 9, .reserved = PS}", ".index_bits = 9}"),
        "PS of a PML5E ignored": (
            ".index_bits = 9,\n\t\t\t\t\t   .reserved = PS}",
            ".index_bits = 9}",
        ),
        "48-bit addresses with 5 levels": (".linear_bits = 57", ".linear_bits = 48"),
        "47-bit addresses": (".linear_bits = 48", ".linear_bits = 47"),
        "a PML5E covers too little": (".shift = 48", ".shift = 47"),
        "PS maps pages at level PT alone": ("if (!(entry & PS) ||", "if (true ||"),
        "PS maps pages at every level": ("|| !format->level[level].can_map_page", ""),
        "1-GByte pages always": ("level != PDPT || rules->pages_1g", "true"),
        "1-GByte pages never": ("level != PDPT || rules->pages_1g", "level != PDPT"),
        "2-MByte pages need 1-GByte pages": ("level != PDPT || rules->pages_1g", "rules->pages_1g"),
        "one address bit too few reserved": (
            "(1ull << rules->maxphyaddr) - 1",
            "(2ull << rules->maxphyaddr) - 1",
        ),
        "one address bit too many reserved": (
            "(1ull << rules->maxphyaddr) - 1",
            "(1ull << rules->maxphyaddr >> 1) - 1",
        ),
        "address bits never reserved": (
            "reserved |= ENTRY_ADDRESS",
            "reserved |= 0 & ENTRY_ADDRESS",
        ),
        "bits 62:52 reserved": ("reserved |= ENTRY_ADDRESS &", "reserved |= ~XD & ~0xfffull &"),
        "XD never reserved": ("if (!rules->execute_disable)", "if (false)"),
        "XD always reserved": ("if (!rules->execute_disable)", "if (true)"),
        "alignment of large pages ignored": (
            "if (maps_page(format, rules, level, entry))",
            "if (false)",
        ),
        "alignment of large pages for tables": (
            "if (maps_page(format, rules, level, entry))",
            "if (true)",
        ),
        "PS of a PDPTE without 1-GByte pages ignored": (
            "reserved |= entry & PS;",
            "reserved |= 0;",
        ),
    },
    "lib/paging/walk.c": {
        "structures are walked without paging": ("if (format->top) {", "if (true) {"),
        "without paging everything is page 0": ("walk->physical = linear;", "walk->physical = 0;"),
        "the offset in a large page is cut": (
            "(walk->linear & offset_mask)",
            "(walk->linear & 0xfff)",
        ),
        "PAT taken for an address bit": (
            "entry & ENTRY_ADDRESS & ~offset_mask",
            "entry & ENTRY_ADDRESS",
        ),
        "the walk goes on below a page": (
            "if (maps_page(format, rules, level, step->entry))",
            "if (level == PT)",
        ),
        "flags taken for address bits": (
            "table = step->entry & ENTRY_ADDRESS",
            "table = step->entry",
        ),
    },
    **SECOND_DIMENSION,
    **HISTORY,
    **LEGACY_FORMATS,
    **MODES,
    **FEATURES,
}
