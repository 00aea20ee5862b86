# SPDX-License-Identifier: BSD-2-Clause
"""Ways to break what lib/model knows of features beyond plain paging, as in mutations.py."""

from __future__ import annotations

from typing import Dict, Tuple

FEATURES: Dict[str, Dict[str, Tuple[str, str]]] = {
    "lib/model/linear.c": {
        "LAM_SUP is always on": ("if (!processor->lam_sup)", "if (false)"),
        "LAM_SUP is never on": ("if (!processor->lam_sup)", "if (true)"),
        "supervisor pointers have 48 bits": (
            "return processor->format->linear_bits;",
            "return 48;",
        ),
        "LAM_U57 is ignored": ("if (processor->lam_u57)", "if (false)"),
        "LAM_U57 needs LAM_U48 = 0": (
            "if (processor->lam_u57)",
            "if (processor->lam_u57 && !processor->lam_u48)",
        ),
        "LAM_U57 masks bit 56 too": ("return 57;", "return 56;"),
        "LAM_U48 masks bit 47 too": ("lam_u48 ? 48", "lam_u48 ? 47"),
        "LAM_U48 is always on": ("processor->lam_u48 ? 48 : 63", "48"),
        "user control bits are for supervisor pointers": (
            "if (pointer & POINTER_IS_SUPERVISOR)",
            "if (false)",
        ),
        "the bit below the metadata is not checked": ("& 1) != upper)", "& 1) > 1)"),
        "supervisor pointers get user addresses": ("upper ? *pointer | metadata :", ""),
        "metadata of user pointers stays": (": *pointer & ~metadata", ": *pointer"),
        "LAM is for fetches too": ("if (!access->fetch &&", "if ("),
        "masked addresses need not be canonical": (
            "return is_canonical(processor->format, *linear);",
            "return true;",
        ),
        "compatibility mode keeps upper halves": (
            "*linear = (uint32_t)access->linear;",
            "*linear = access->linear;",
        ),
        "compatibility mode has LAM": (
            "if (access->compatibility) {",
            "if (access->compatibility && !processor->lam_sup) {",
        ),
        "operands do not wrap": ("? (uint32_t)linear : linear", "? linear : linear"),
        "operands wrap in 64-bit mode": (
            "? (uint32_t)linear : linear",
            "? linear : (uint32_t)linear",
        ),
    },
}
