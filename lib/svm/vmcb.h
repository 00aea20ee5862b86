/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The virtual machine control block by the manual's names (APM Vol. 2, appendix "Layout of VMCB").
 * Names of the state save area are those of the registers.
 */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include <stdint.h>

struct vmcb_control {
	uint16_t intercept_cr_reads, intercept_cr_writes;
	uint16_t intercept_dr_reads, intercept_dr_writes;
	uint32_t intercept_exceptions;
	uint32_t intercept_3; /* at offset 00CH: VMCB_INTERCEPT_3_... */
	uint32_t intercept_4; /* at offset 010H */
	uint8_t reserved_014[0x3c - 0x14];
	uint16_t pause_filter_threshold, pause_filter_count;
	uint64_t iopm_base_pa, msrpm_base_pa, tsc_offset;
	uint32_t guest_asid;
	uint8_t tlb_control;
	uint8_t reserved_05d[3];
	uint64_t v_intr;
	uint64_t interrupt_shadow;
	uint64_t exitcode, exitinfo1, exitinfo2, exitintinfo;
	uint64_t np_enable; /* bit 0; SEV's in the others */
	uint64_t avic_apic_bar, ghcb;
	uint64_t eventinj;
	uint64_t n_cr3;
	uint64_t lbr_virtualization_enable;
	uint32_t clean_bits, reserved_0c4;
	uint64_t nrip;
	uint8_t bytes_fetched, instruction_bytes[15];
	uint8_t reserved_0e0[0x400 - 0xe0];
};

struct vmcb_segment {
	uint16_t selector;
	uint16_t attrib; /* of the descriptor: bits 55:52 in 11:8, bits 47:40 in 7:0 */
	uint32_t limit;
	uint64_t base;
};

struct vmcb_state {
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_0a0[0xcb - 0xa0];
	uint8_t cpl;
	uint32_t reserved_0cc;
	uint64_t efer;
	uint8_t reserved_0d8[0x148 - 0xd8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_180[0x1d8 - 0x180];
	uint64_t rsp, s_cet, ssp, isst_addr, rax;
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t cr2;
	uint8_t reserved_248[0x268 - 0x248];
	uint64_t g_pat, dbgctl;
	uint8_t reserved_278[0xc00 - 0x278];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_state state;
};

_Static_assert(__builtin_offsetof(struct vmcb, control.guest_asid) == 0x058, "GUEST_ASID");
_Static_assert(__builtin_offsetof(struct vmcb, control.exitcode) == 0x070, "EXITCODE");
_Static_assert(__builtin_offsetof(struct vmcb, control.eventinj) == 0x0a8, "EVENTINJ");
_Static_assert(__builtin_offsetof(struct vmcb, control.n_cr3) == 0x0b0, "N_CR3");
_Static_assert(__builtin_offsetof(struct vmcb, control.nrip) == 0x0c8, "nRIP");
_Static_assert(__builtin_offsetof(struct vmcb, state.cpl) == 0x4cb, "CPL");
_Static_assert(__builtin_offsetof(struct vmcb, state.efer) == 0x4d0, "EFER");
_Static_assert(__builtin_offsetof(struct vmcb, state.rip) == 0x578, "RIP");
_Static_assert(__builtin_offsetof(struct vmcb, state.rax) == 0x5f8, "RAX");
_Static_assert(__builtin_offsetof(struct vmcb, state.cr2) == 0x640, "CR2");
_Static_assert(__builtin_offsetof(struct vmcb, state.g_pat) == 0x668, "G_PAT");
_Static_assert(sizeof(struct vmcb) == 4096, "a VMCB is a page");

/* Offset 00CH. */
#define VMCB_INTERCEPT_3_INTR	      (1u << 0)
#define VMCB_INTERCEPT_3_NMI	      (1u << 1)
#define VMCB_INTERCEPT_3_INIT	      (1u << 3)
#define VMCB_INTERCEPT_3_HLT	      (1u << 24)
#define VMCB_INTERCEPT_3_INVLPG	      (1u << 25)
#define VMCB_INTERCEPT_3_INVLPGA      (1u << 26)
#define VMCB_INTERCEPT_3_SHUTDOWN     (1u << 31)

/* Of lbr_virtualization_enable. */
#define VMCB_VIRTUALIZE_VMLOAD	      (1ull << 1) /* and VMSAVE */

/* Offset 010H. */
#define VMCB_INTERCEPT_4_VMRUN	      (1u << 0) /* must be set */
#define VMCB_INTERCEPT_4_VMMCALL      (1u << 1)
#define VMCB_INTERCEPT_4_VMLOAD	      (1u << 2)
#define VMCB_INTERCEPT_4_VMSAVE	      (1u << 3)
#define VMCB_INTERCEPT_4_STGI	      (1u << 4)
#define VMCB_INTERCEPT_4_CLGI	      (1u << 5)
#define VMCB_INTERCEPT_4_SKINIT	      (1u << 6)

#define VMCB_NP_ENABLE		      (1ull << 0)

/* "TLB Flush": what VMRUN does to the TLB. */
#define TLB_CONTROL_NOTHING	      0
#define TLB_CONTROL_FLUSH_ALL	      1
#define TLB_CONTROL_FLUSH_ASID	      3 /* with FlushByAsid */
#define TLB_CONTROL_FLUSH_NON_GLOBALS 7

/* Appendix "SVM Intercept Exit Codes". */
#define VMEXIT_CR_WRITE		      0x10 /* + the register's number */
#define VMEXIT_EXCEPTION	      0x40 /* + the vector */
#define VMEXIT_INTR		      0x60
#define VMEXIT_INVLPG		      0x79
#define VMEXIT_SHUTDOWN		      0x7f
#define VMEXIT_VMMCALL		      0x81
#define VMEXIT_VMLOAD		      0x82
#define VMEXIT_VMSAVE		      0x83
#define VMEXIT_NPF		      0x400
#define VMEXIT_INVALID		      (~0ull)

/* EXITINFO1 of VMEXIT_NPF ("Nested versus Guest Page Faults, Fault Ordering"). */
#define NPF_P			      (1ull << 0)
#define NPF_W			      (1ull << 1)
#define NPF_U			      (1ull << 2)
#define NPF_RSV			      (1ull << 3)
#define NPF_ID			      (1ull << 4)
#define NPF_FINAL		      (1ull << 32) /* translating the final physical address */
#define NPF_TABLE		      (1ull << 33) /* translating the guest's paging structures */

#endif
