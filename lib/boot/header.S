/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What loaders look for: a Multiboot 1 header with load addresses (flag bit 16, so that the ELF class does not
 * matter) within the first 8 KBytes of the file, a Multiboot 2 header that asks for nothing within the first 32,
 * and one PVH note, the only content of the only PT_NOTE.
 */
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00010003	/* page-aligned modules, memory information, addresses below */
#define MULTIBOOT2_MAGIC 0xe85250d6
#define MULTIBOOT2_I386 0
#define MULTIBOOT2_BYTES (multiboot2_end - multiboot2)
#define XEN_ELFNOTE_PHYS32_ENTRY 18

	.section .head.multiboot, "a"
	.balign 4
multiboot:
	.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	.long multiboot, _load, _edata, _end, start

	.balign 8
multiboot2:
	.long MULTIBOOT2_MAGIC, MULTIBOOT2_I386, MULTIBOOT2_BYTES
	.long -(MULTIBOOT2_MAGIC + MULTIBOOT2_I386 + MULTIBOOT2_BYTES)
	.short 0, 0			/* the tag behind the last */
	.long 8
multiboot2_end:

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long start

	.section .note.GNU-stack, "", @progbits
