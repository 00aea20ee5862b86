/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sub-page write permissions: 32 rights to write in one 4-KByte page.
 *
 * Where the EPT entry of a 4-KByte page has W = 0 and bit 61 = 1, a write is looked up in a second
 * tree, the sub-page permission table, by the same guest-physical address; bit 2 * n of its last
 * entry lets writes go to bytes 128 * n to 128 * n + 127. A write that the bit does not let is an
 * EPT violation; an entry of the tree that is not valid is a VM exit of its own, "SPP-related
 * event" (SDM Vol. 3, "Sub-Page Write Permissions").
 *
 * Caught here: the bit's meaning inverted (BX14), the wrong bit for a part of the page, bit 61
 * looked at where W = 1 or for large pages, reads and fetches stopped by it.
 *
 * Not checked: writes that cross from one part into the next, which may be violations whatever the
 * bits say; misconfigured entries of the tree.
 */
#include "test.h"

SUBJECT(ept_sub_page_write, "sub-page write permissions: 32 rights to write in a page");

#define MANUAL		"SDM Vol. 3, \"Sub-Page Write Permissions\""
#define NEEDS		"vmx vmx_allowed ept ept_4level invept ept_sub_page_write"
#define PARTS		32
#define PART_BYTES	128
#define VALID		1ull
#define EXIT_REASON_SPP 66
#define SPP_MISS	(1u << 11) /* exit qualification */

/* The tree has the shape of 4-level tables: three levels of references, then the vector. */
static volatile uint64_t *add_permissions(gpa_t root, gpa_t gpa, uint64_t vector)
{
	volatile uint64_t *entries = identity(root);

	for (unsigned level = PML4; level > PT; level--) {
		unsigned index = level_index(&paging_ept_4level, level, gpa.value);

		if (!entries[index])
			entries[index] = frame_alloc().value | VALID;
		entries = identity(GPA(entries[index] & ENTRY_ADDRESS));
	}
	entries += level_index(&paging_ept_4level, PT, gpa.value);
	*entries = vector;
	return entries;
}

static struct l2 *start(struct l2_page *page, gpa_t *root)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);

	*page = l2_map(l2, PT, P | RW | US | A | D, 35);
	*root = frame_alloc();
	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
			SECONDARY_SUB_PAGE_WRITE);
	vmwrite(VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER, root->value);
	second_edit(&l2->second, page->gpa, PT, SECOND_FLUSH, .clear = EPT_W, .set = EPT_SPP);
	return l2;
}

/* A write into the middle of each part. */
static void try_parts(struct l2 *l2, const struct l2_page *page, uint64_t vector)
{
	for (unsigned part = 0; part < PARTS; part++) {
		uint64_t offset = part * PART_BYTES + 56;
		struct access write = write_access(linear_plus(page->linear, offset), 8, part);

		if (vector >> (2 * part) & 1)
			expect_l2_completes(l2, write);
		else
			expect_l2_violation(l2, write, gpa_plus(page->gpa, offset));
	}
}

TEST(each_part_of_a_page_has_its_own_right,
     "a write completes exactly where the vector's bit for its 128 bytes is 1", MANUAL, NEEDS)
{
	static const uint64_t vectors[] = {0,	       0x5555555555555555, 1,
					   1ull << 62, 0x1111111111111111, 0x0000000055555555};
	struct l2_page page;
	gpa_t root;
	struct l2 *l2 = start(&page, &root);
	volatile uint64_t *entry = add_permissions(root, page.gpa, 0);

	for (unsigned i = 0; i < COUNT_OF(vectors); i++) {
		*entry = vectors[i];
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
		try_parts(l2, &page, vectors[i]);
		expect_l2_completes(l2, read_access(page.linear, 8));
	}
}

/* They read and write by one access, or with LOCK. */
static const enum instruction read_modify_writes[] = {INSTRUCTION_or, INSTRUCTION_xchg,
						      INSTRUCTION_lock_or};

TEST(read_modify_writes_look_at_the_vector,
     "an instruction that reads and writes its operand needs the vector's bit, too", MANUAL, NEEDS)
{
	const uint64_t vector = 0x1111111111111111;
	struct l2_page page;
	gpa_t root;
	struct l2 *l2 = start(&page, &root);

	add_permissions(root, page.gpa, vector);
	for (unsigned i = 0; i < COUNT_OF(read_modify_writes) * PARTS; i++) {
		uint64_t offset = i % PARTS * PART_BYTES + 64;
		struct access access = instruction_access(read_modify_writes[i / PARTS],
							  linear_plus(page.linear, offset), 7);

		if (vector >> (2 * (i % PARTS)) & 1)
			expect_l2_completes(l2, access);
		else
			expect_l2_violation(l2, access, gpa_plus(page.gpa, offset));
	}
}

TEST(the_vector_does_not_matter_to_pages_that_are_writable,
     "with W = 1, and without bit 61, the tree is not looked at", MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t root;
	struct l2 *l2 = start(&page, &root);

	add_permissions(root, page.gpa, 0);
	second_edit(&l2->second, page.gpa, PT, SECOND_FLUSH, .set = EPT_W);
	try_parts(l2, &page, ~0ull);
	add_permissions(root, page.gpa, 0x5555555555555555);
	second_edit(&l2->second, page.gpa, PT, SECOND_FLUSH, .clear = EPT_W | EPT_SPP);
	try_parts(l2, &page, 0);
}

TEST(reads_and_fetches_do_not_look_at_the_vector,
     "sub-page write permissions stop neither reads nor fetches", MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t root;
	struct l2 *l2 = start(&page, &root);

	add_permissions(root, page.gpa, 0);
	expect_l2_read(l2, read_access(page.linear, 8), frame_word(35));
	expect_l2_read(l2, fetch_access(page.linear), 35);
	expect_l2_read(l2, as_user(fetch_access(linear_plus(page.linear, 1024))), 35);
}

TEST(a_missing_entry_is_an_exit_of_its_own,
     "a write whose entry in the tree is not valid is an SPP-related event, reported as a miss",
     MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t root;
	struct l2 *l2 = start(&page, &root);
	struct l2_outcome outcome = l2_attempt(l2, write_access(page.linear, 8, 1));

	expect(outcome.exited && outcome.exit.reason == EXIT_REASON_SPP, "exit reason %llu",
	       (unsigned long long)outcome.exit.reason);
	expect(outcome.exit.qualification & SPP_MISS, "qualification 0x%llx",
	       (unsigned long long)outcome.exit.qualification);
	expect(vmread(VMCS_GUEST_PHYSICAL_ADDRESS) == page.gpa.value, "guest-physical 0x%llx",
	       (unsigned long long)vmread(VMCS_GUEST_PHYSICAL_ADDRESS));
}

TEST(walks_do_not_look_at_the_vector,
     "a structure of L2's without W is a violation under flags for EPT whatever the vector says",
     MANUAL, NEEDS " ept_accessed_dirty")
{
	struct l2_page page;
	gpa_t root, table;
	struct l2 *l2 = start(&page, &root);

	second_edit(&l2->second, page.gpa, PT, SECOND_FLUSH, .set = EPT_W);
	table = page.table[PT];
	add_permissions(root, table, ~0ull / 3);
	second_edit(&l2->second, table, PT, SECOND_FLUSH, .clear = EPT_W, .set = EPT_SPP);
	expect_l2_completes(l2, read_access(page.linear, 8));
	vmwrite(VMCS_EPT_POINTER, eptp_of(&l2->second) | EPTP_ACCESSED_DIRTY);
	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	expect_l2_violation(l2, read_access(page.linear, 8), GPA(page.entry_gpa[PT]));
}
