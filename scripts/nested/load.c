/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>
#include <string.h>

#include "nested.h"

#define PVH_ENTRY_NOTE 18

/* The entry that the Xen note names, or 0. */
static uint32_t entry_of(const uint8_t *notes, size_t bytes)
{
	const uint8_t *end = notes + bytes;

	while (notes + sizeof(Elf64_Nhdr) <= end) {
		const Elf64_Nhdr *note = (const void *)notes;
		const uint8_t *name = notes + sizeof(*note);
		const uint8_t *content = name + ((note->n_namesz + 3) & ~3u);

		if (note->n_type == PVH_ENTRY_NOTE && !memcmp(name, "Xen", 4))
			return *(const uint32_t *)content;
		notes = content + ((note->n_descsz + 3) & ~3u);
	}
	return 0;
}

uint32_t image_load(const struct guest *guest, uint8_t *memory, uint64_t room)
{
	const Elf64_Ehdr *elf = (const void *)guest->file;
	const Elf64_Phdr *header = (const void *)(guest->file + elf->e_phoff);
	uint32_t entry = 0;

	if (guest->file_bytes < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) ||
	    elf->e_ident[EI_CLASS] != ELFCLASS64)
		guest_ended("the monitor failed: the image is no ELF64 file");
	for (unsigned i = 0; i < elf->e_phnum; i++) {
		const uint8_t *content = guest->file + header[i].p_offset;

		if (header[i].p_offset + header[i].p_filesz > guest->file_bytes ||
		    header[i].p_paddr + header[i].p_memsz > room)
			guest_ended("the monitor failed: the image does not fit");
		if (header[i].p_type == PT_LOAD)
			memcpy(memory + header[i].p_paddr, content, header[i].p_filesz);
		else if (header[i].p_type == PT_NOTE)
			entry = entry_of(content, header[i].p_filesz);
	}
	if (!entry)
		guest_ended("the monitor failed: the image has no PVH note");
	return entry;
}
