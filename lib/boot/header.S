/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What loaders look for: a Multiboot 1 header with load addresses (flag bit 16, so that the ELF class does not
 * matter) within the first 8 KBytes of the file, and one PVH note, the only content of the only PT_NOTE.
 */
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00010003	/* page-aligned modules, memory information, addresses below */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

	.section .head.multiboot, "a"
	.balign 4
multiboot:
	.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	.long multiboot, _load, _edata, _end, start

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long start

	.section .note.GNU-stack, "", @progbits
