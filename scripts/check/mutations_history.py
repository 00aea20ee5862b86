# SPDX-License-Identifier: BSD-2-Clause
"""Ways to break what the oracle knows of time, as in mutations.py."""

from __future__ import annotations

from typing import Dict, Tuple

HISTORY: Dict[str, Dict[str, Tuple[str, str]]] = {
    "lib/model/history_cache.c": {
        "a cached upper level serves all addresses": (
            "return history_in_one(history, prefix->level, prefix->linear, linear);",
            "return true;",
        ),
        "entries with A = 0 are cached": ("if (!(step->entry & A) || (last", "if ((last"),
        "entries that are not present are cached": (
            "|| (last && walk->end != WALK_MAPPED)",
            "|| (last && walk->end == WALK_RESERVED)",
        ),
        "entries with reserved bits are cached": (
            "|| (last && walk->end != WALK_MAPPED)",
            "|| (last && walk->end == WALK_NOT_PRESENT)",
        ),
        "translations are global while PGE is 0": ("history->controls.pge &&", "true &&"),
        "no translation is global": ("history->controls.pge &&", "false &&"),
        "translations are cached with D": (".dirty = step->entry & D", ".dirty = true"),
        "translations are cached without D": (".dirty = step->entry & D", ".dirty = false"),
        "D that was set later is not cached": ("known->dirty |= found->dirty;", ";"),
        "cached rights of the last entry alone": (
            "rights & entry & (RW | US)",
            "entry & (RW | US)",
        ),
        "cached rights of any entry": (
            "rights & entry & (RW | US)",
            "(rights | entry) & (RW | US)",
        ),
        "XD of upper levels is not cached": ("((rights | entry) & XD)", "(entry & XD)"),
        "XD is not cached": ("((rights | entry) & XD)", "0"),
        "upper levels of all PCIDs are walked": ("prefix->pcid != history->pcid ||\n\t\t    ", ""),
        "nothing is cached behind cached upper levels": (
            "i < known; i++",
            "i < 0; i++",
        ),
        "a prefix is walked at the wrong level": (
            "prefix->level - 1, prefix",
            "prefix->level - 2, prefix",
        ),
        "one page alone is looked at": ("i < history->pages; i++", "i < 1; i++"),
        "the first cached translation alone is kept": (
            "\t\tif (same_translation(known, found)) {",
            "\t\tif (known->linear == found->linear) {",
        ),
        "the first cached upper level alone is kept": (
            "a->level == b->level && a->table == b->table && a->entry == b->entry &&",
            "a->level == b->level &&",
        ),
    },
    "lib/model/history.c": {
        "edits forget what was cached before": (
            "void history_edit(struct history *history)\n{\n\thistory_look(history);",
            "void history_edit(struct history *history)\n{\n",
        ),
        "INVLPG keeps global translations": (".globals = GLOBALS_GO,", ".globals = GLOBALS_STAY,"),
        "INVLPG keeps global translations of other PCIDs": (
            ".globals = GLOBALS_GO,",
            ".globals = GLOBALS_OF_PCID,",
        ),
        "INVLPG drops one piece": (
            ".whole_page = true,\n\t\t\t\t      .every_prefix",
            ".every_prefix",
        ),
        "INVLPG drops all addresses": (
            ".globals = GLOBALS_GO,\n\t\t\t\t      .one_address = true,",
            ".globals = GLOBALS_GO,",
        ),
        "INVLPG keeps upper levels of other addresses": (
            ".whole_page = true,\n\t\t\t\t      .every_prefix = true});",
            ".whole_page = true});",
        ),
        "INVLPG acts on all PCIDs": (
            "&(struct scope){.pcid = history->pcid,\n\t\t\t\t      .globals = GLOBALS_GO,",
            "&(struct scope){.every_pcid = true, .pcid = history->pcid,\n.globals = GLOBALS_GO,",
        ),
        "INVPCID type 0 drops one piece": (
            ".linear = linear,\n\t\t\t\t\t      .whole_page = true});",
            ".linear = linear});",
        ),
        "INVPCID type 0 drops the PCID": (
            ".one_address = true,\n\t\t\t\t\t      .linear = linear,\n\t\t\t\t\t      .whole",
            ".linear = linear,\n\t\t\t\t\t      .whole",
        ),
        "INVPCID type 1 acts on the current PCID": (
            "type == 1)\n\t\tdrop(history, &(struct scope){.pcid = pcid,",
            "type == 1)\n\t\tdrop(history, &(struct scope){.pcid = history->pcid,",
        ),
        "INVPCID types 1 and 3 are mixed up": ("else if (type == 1)", "else if (type == 3)"),
        "INVPCID types 2 and 3 are mixed up": ("else if (type == 2)", "else if (type == 3)"),
        "INVPCID type 3 drops the current PCID": (
            "else\n\t\tdrop(history, &(struct scope){.every_pcid = true, .every",
            "else\n\t\tdrop(history, &(struct scope){.pcid = history->pcid, .every",
        ),
        "MOV to CR3 always drops": ("\tif (!keeps)\n", "\tif (true)\n"),
        "MOV to CR3 never drops": ("\tif (!keeps)\n", "\tif (false)\n"),
        "PCIDs count without PCIDE": (
            "history->controls.pcide ? (unsigned)(value & PCID_MASK) : 0",
            "(unsigned)(value & PCID_MASK)",
        ),
        "MOV to CR3 drops the PCID that it leaves": (
            "bool keeps = history->controls.pcide && (value & "
            "NO_FLUSH);\n\n\thistory_look(history);",
            "bool keeps = history->controls.pcide && (value & "
            "NO_FLUSH);\n\n\thistory_look(history);\n"
            "\tdrop(history, &(struct scope){.pcid = history->pcid, .every_prefix = true});",
        ),
        "MOV to CR3 keeps the old root": ("history->processor.root = value & ENTRY_ADDRESS;", ";"),
        "PGE from 1 to 0 alone drops": ("were.pge != controls.pge", "(were.pge && !controls.pge)"),
        "PGE drops nothing": ("were.pge != controls.pge ||", "false ||"),
        "PCIDE from 1 to 0 keeps": (
            "    (were.pcide && !controls.pcide))\n\t\tdrop_everything",
            "    false)\n\t\tdrop_everything",
        ),
        "PG from 1 to 0 keeps": ("(were.paging && !controls.paging) || were", "were"),
        "SMEP drops nothing": ("|| (!old.smep && processor->smep))", ")"),
        "SMEP drops when it is cleared": (
            "(!old.smep && processor->smep)",
            "(old.smep != processor->smep)",
        ),
        "page faults drop nothing": (
            "drop(history, &(struct scope){.pcid = history->pcid,\n\t\t\t\t      .globals = "
            "GLOBALS_OF",
            "(void)(&(struct scope){.pcid = history->pcid,\n\t\t\t\t      .globals = GLOBALS_OF",
        ),
        "page faults drop global translations of all PCIDs": (
            ".globals = GLOBALS_OF_PCID,",
            ".globals = GLOBALS_GO,",
        ),
        "page faults keep global translations": (
            ".globals = GLOBALS_OF_PCID,",
            ".globals = GLOBALS_STAY,",
        ),
        "page faults drop all of a large page": (
            ".one_address = true,\n\t\t\t\t      .linear = linear});",
            ".one_address = true,\n\t\t\t\t      .whole_page = true,\n\t\t\t\t      .linear "
            "= linear});",
        ),
        "pieces go though the page is smaller by now": (
            "return !walk.count || walk.step[walk.count - 1].level >= cached->level;",
            "return true;",
        ),
        "pieces stay if the page is not mapped": (
            "return !walk.count || walk.step[walk.count - 1].level >= cached->level;",
            "return walk.end == WALK_MAPPED && walk.step[walk.count - 1].level >= cached->level;",
        ),
        "pieces are those under the current root": ("if (pcid == history->pcid) {", "if (true) {"),
        "upper levels of all PCIDs are dropped": (
            "if (!scope->every_pcid && cached->pcid != scope->pcid)\n\t\treturn "
            "false;\n\treturn scope",
            "return scope",
        ),
    },
    "lib/model/history_answer.c": {
        "global translations need their PCID": ("(cached->global || cached->pcid", "(cached->pcid"),
        "translations serve all PCIDs": (
            "(cached->global || cached->pcid == history->pcid)",
            "true",
        ),
        "upper levels serve all PCIDs": (
            "prefix->pcid != history->pcid ||\n\t\t    !history",
            "!history",
        ),
        "cached upper levels are not used": ("i < history->prefixes; i++", "i < 0; i++"),
        "cached translations are not used": ("i < history->translations; i++", "i < 0; i++"),
        "translations serve all addresses": (
            "cached->linear == (access->linear & ~PAGE_OFFSET) &&",
            "",
        ),
        "writes need no D": ("if (access->write && !cached->dirty &&", "if (false &&"),
        "writes that are denied walk again": (
            "!cached->dirty && permitted.vector == MODEL_COMPLETES",
            "!cached->dirty",
        ),
        "reads of clean pages walk again": (
            "if (access->write && !cached->dirty",
            "if (!cached->dirty",
        ),
        "the offset is lost": (
            "cached->physical | (access->linear & PAGE_OFFSET)",
            "cached->physical",
        ),
        "walks in vain set no A": (
            "answer->entry[n].may |= (permitted.must[i] | permitted.may[i]) & A;",
            ";",
        ),
        "A need not be set": ("outcome.must_a |= permitted.must[i] & A ? BIT(n) : 0;", ";"),
        "D need not be set": ("outcome.must_d |= permitted.must[i] & D ? BIT(n) : 0;", ";"),
        "D may be set by all": (
            "answer->entry[n].may |= (permitted.must[i] | permitted.may[i]) & A;",
            "answer->entry[n].may |= A | D;",
        ),
        "outcomes that differ in the frame are one": ("a->physical == b->physical &&", ""),
        "outcomes that differ in flags are one": (
            "a->must_a == b->must_a && a->must_d == b->must_d",
            "1",
        ),
        "the judge takes every frame": (
            "else if (!(seen->reached & BIT(index)))",
            "else if (false)",
        ),
        "the judge takes every error code": (
            "if ((seen->error_code ^ outcome->error_code) & mask & ~outcome->open_code)",
            "if (false)",
        ),
        "the judge takes every CR2": ("return MODEL_WRONG_CR2;", "return MODEL_FITS;"),
        "the judge takes every vector": ("if (seen->vector != outcome->vector)", "if (false)"),
        "the judge misses flags": ("return MODEL_FLAG_MISSING;", "return MODEL_FITS;"),
        "the judge takes changed entries": ("return MODEL_ENTRY_CHANGED;", "return MODEL_FITS;"),
        "the judge takes flags of others": (
            "changed & ~(must | may) ? MODEL_FLAG_FORBIDDEN : MODEL_FITS",
            "MODEL_FITS",
        ),
        "stale is said of memory": ("verdict.stale = i > 0;", "verdict.stale = true;"),
    },
}
