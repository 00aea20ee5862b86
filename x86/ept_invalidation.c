/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which change of EPT needs which INVEPT, and what INVEPT and violations drop.
 *
 * What the processor caches of EPT (guest-physical and combined mappings) is tagged with bits 51:12
 * of the EPT pointer, lives across VM exits, and is dropped by INVEPT: single-context for one EPT
 * pointer, all-context for all (SDM Vol. 3, "Information That May Be Cached", "Operations that
 * Invalidate Cached Mappings", "Guidelines for Use of the INVEPT Instruction"). A violation drops
 * what was cached for its address, so after rights were widened an access succeeds at once or after
 * one violation.
 *
 * Caught here: a widened right that is never seen, so that L2 violates for ever (KN26, AC02); a
 * reduced right or a moved page that an INVEPT did not reach (KN05, XS33, HV01, XS37), above all in
 * a context that is not the current one; a violation that leaves the old translation in place, so
 * that the same access succeeds when it is made again (BX07); INVEPT that takes operands it must
 * refuse (NV02). Found in hypervisors that shadow EPT, and in emulators' TLBs.
 *
 * VPID is on, so that VM exits themselves drop nothing. Never checked: that a stale translation is
 * still there. A machine that drops everything at each VM entry, as emulators do, cannot fail but
 * in whether a change is seen at all.
 */
#include "test.h"

SUBJECT(ept_invalidation, "INVEPT: what it must drop, what it must refuse, and what needs none");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate Cached Mappings\""
#define GUIDE  "SDM Vol. 3, \"Guidelines for Use of the INVEPT Instruction\""
#define NEEDS  "vmx vmx_allowed ept ept_4level invept invept_single invept_all"
#define TAG    7

static struct l2 *start(void)
{
	return l2_start(L2_4LEVEL, .alone = maxphyaddr() > 39 ? ALONE_PAGE : 0,
			.tag = has_vmx(VMX_FEATURE_vpid) ? TAG : 0);
}

static unsigned top_of_own(void)
{
	return maxphyaddr() > 39 ? PML4 : PDPT;
}

static struct access access_for(unsigned right, linear_t linear)
{
	if (right == SECOND_WRITE)
		return write_access(linear, 8, frame_word(71));
	return right == SECOND_EXECUTE ? fetch_access(linear) : read_access(linear, 8);
}

static bool completes(const struct l2_outcome *outcome)
{
	return !outcome->exited && outcome->outcome.vector == NO_VECTOR;
}

/* Succeeds at once, or after one violation with the old rights. */
static void expect_after_widening(struct l2 *l2, struct access access, gpa_t gpa)
{
	struct l2_outcome outcome = l2_attempt(l2, access);

	if (!completes(&outcome)) {
		expect(outcome.exited && outcome.exit.kind == L2_VIOLATION &&
			       outcome.exit.gpa == gpa.value,
		       "exit kind %u at 0x%llx", outcome.exit.kind,
		       (unsigned long long)outcome.exit.gpa);
		expect_l2_completes(l2, access);
	} else {
		count_check();
	}
}

/* Rights without R are no rights to write, and without execute-only none to fetch. */
static bool is_allowed(unsigned rights)
{
	if (rights & SECOND_READ || !rights)
		return true;
	return rights == SECOND_EXECUTE && has_vmx(VMX_FEATURE_ept_execute_only);
}

static void try_widening(unsigned from, unsigned right, enum level level, bool used)
{
	struct l2 *l2 = start();
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 71);

	second_allow(&l2->second, page.gpa, level, from, SECOND_FLUSH_ALL);
	if (from & SECOND_READ)
		expect_l2_completes(l2, read_access(page.linear, 8));
	if (used)
		expect_l2_violation(l2, access_for(right, page.linear), page.gpa);
	second_allow(&l2->second, page.gpa, level, from | right, SECOND_NO_FLUSH);
	expect_after_widening(l2, access_for(right, page.linear), page.gpa);
}

TEST(widened_rights_need_no_invept,
     "after a right was added without INVEPT the access succeeds at once or after one violation",
     GUIDE, NEEDS)
{
	for (unsigned level = PT; level <= top_of_own(); level++)
		for (unsigned from = 0; from < 8; from++)
			for (unsigned right = 1; right < 8; right <<= 1)
				for (unsigned used = 0; used < 2; used++)
					if (!(from & right) && is_allowed(from) &&
					    is_allowed(from | right))
						try_widening(from, right, level, used);
}

static void try_reduction(unsigned right, enum level level, enum second_invalidation how)
{
	struct l2 *l2 = start();
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 72);
	struct access access = access_for(right, page.linear);
	unsigned rest = SECOND_ALL & ~right;

	expect_l2_completes(l2, access);
	if (right == SECOND_READ)
		rest = is_allowed(SECOND_EXECUTE) ? SECOND_EXECUTE : 0;
	second_allow(&l2->second, page.gpa, level, rest, how);
	for (unsigned again = 0; again < 3; again++)
		expect_l2_violation(l2, access, page.gpa);
}

TEST(reduced_rights_hold_after_invept,
     "after a right was removed and INVEPT the access is a violation, however often it is resumed",
     MANUAL, NEEDS)
{
	for (unsigned level = PT; level <= top_of_own(); level++) {
		for (unsigned right = 1; right < 8; right <<= 1) {
			try_reduction(right, level, SECOND_FLUSH);
			try_reduction(right, level, SECOND_FLUSH_ALL);
		}
	}
}

/* A copy of one of L2's structures whose entry for the page leads to `next`. */
static gpa_t copy_structure(const struct l2 *l2, const struct l2_page *page, enum level structure,
			    gpa_t next)
{
	gpa_t copy = frame_alloc();
	uint64_t *entry;

	memcpy(identity(copy), identity(l2_frame_of(l2, page->table[structure])), PAGE_4K);
	entry = identity(gpa_plus(copy, page->entry_gpa[structure] % PAGE_4K));
	*entry = (*entry & ~ENTRY_ADDRESS) | next.value;
	return copy;
}

/* EPT leads to another structure of L2's, with others below that lead to another page. */
static void try_moved_structure(enum level structure, enum second_invalidation how)
{
	struct l2 *l2 = start();
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 74);
	gpa_t next = l2_place(l2, filled_frame(75), PT, false), copy = next;

	expect_l2_read(l2, read_access(page.linear, 8), frame_word(74));
	expect_l2_read(l2, fetch_access(page.linear), 74);
	for (unsigned level = PT; level <= structure; level++) {
		copy = copy_structure(l2, &page, (enum level)level, next);
		next = level < structure ? l2_place(l2, copy, PT, false) : next;
	}
	second_edit(&l2->second, page.table[structure], PT, how, .clear = ENTRY_ADDRESS,
		    .set = copy.value);
	expect_l2_read(l2, read_access(page.linear, 8), frame_word(75));
	expect_l2_read(l2, fetch_access(page.linear), 75);
}

TEST(structures_are_read_where_ept_leads_after_invept,
     "after EPT was changed for one of L2's structures, and INVEPT, L2 walks by the new one",
     MANUAL, NEEDS)
{
	for (unsigned structure = PT; structure <= PML4; structure++) {
		try_moved_structure((enum level)structure, SECOND_FLUSH);
		try_moved_structure((enum level)structure, SECOND_FLUSH_ALL);
	}
}

/* A structure of L2's that loses its rights: cached translations of the page came through it. */
TEST(reduced_rights_of_a_structure_hold_after_invept,
     "after INVEPT a structure of L2's without R stops the walk, however often it is resumed",
     MANUAL, NEEDS)
{
	for (unsigned structure = PT; structure < PML4; structure++) {
		struct l2 *l2 = start();
		struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 73);
		gpa_t gpa = GPA(page.entry_gpa[structure]);

		expect_l2_completes(l2, read_access(page.linear, 8));
		second_allow(&l2->second, gpa, PT, 0, SECOND_FLUSH);
		for (unsigned again = 0; again < 3; again++)
			expect_l2_violation(l2, read_access(page.linear, 8), gpa);
	}
}

/* To another frame, by a change of the entry at `level`; structures below it are new. */
static void move_page(struct l2 *l2, gpa_t gpa, gpa_t to, enum level level)
{
	if (level > PT)
		*second_entry(&l2->second, gpa, level) = 0;
	second_map(&l2->second, gpa, to, PT, SECOND_ALL);
}

TEST(a_moved_page_is_seen_after_invept,
     "after an entry of EPT changed at any level and INVEPT, L2 reads the new frame", MANUAL, NEEDS)
{
	for (unsigned how = SECOND_FLUSH; how <= SECOND_FLUSH_ALL; how++) {
		for (unsigned level = PT; level <= top_of_own(); level++) {
			struct l2 *l2 = start();
			struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 74);
			gpa_t other = frame_alloc();

			frame_fill(other, PAGE_4K, 75);
			expect_l2_read(l2, read_access(page.linear, 8), frame_word(74));
			move_page(l2, page.gpa, other, level);
			second_invalidate(&l2->second, how);
			expect_l2_read(l2, read_access(page.linear, 8), frame_word(75));
		}
	}
}

/* A second set of EPT structures: a copy of the top table is enough. */
static struct second_level copy_of(const struct l2 *l2)
{
	struct second_level copy = l2->second;

	copy.model.root = frame_alloc().value;
	memcpy(identity(GPA(copy.model.root)), identity(GPA(l2->second.model.root)), PAGE_4K);
	return copy;
}

static void use(const struct second_level *second)
{
	vmwrite(VMCS_EPT_POINTER, eptp_of(second));
}

/* L2 ran on A, then on B; A's tables change while B is current. */
static void change_the_other(enum second_invalidation how)
{
	struct l2 *l2 = start();
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 76);
	struct second_level a = l2->second, b = copy_of(l2);
	gpa_t frame = frame_alloc();

	frame_fill(frame, PAGE_4K, 77);
	expect_l2_read(l2, read_access(page.linear, 8), frame_word(76));
	use(&b);
	expect_l2_read(l2, read_access(page.linear, 8), frame_word(76));
	second_edit(&a, page.gpa, PT, SECOND_NO_FLUSH, .clear = ENTRY_ADDRESS, .set = frame.value);
	second_invalidate(&a, how);
	use(&a);
	expect_l2_read(l2, read_access(page.linear, 8), frame_word(77));
	use(&b);
	second_invalidate(&b, how);
	expect_l2_read(l2, read_access(page.linear, 8), frame_word(77));
}

TEST(invept_reaches_a_context_that_is_not_current,
     "INVEPT of an EPT pointer drops what is cached for it while L2's VMCS holds another", MANUAL,
     NEEDS)
{
	change_the_other(SECOND_FLUSH);
	change_the_other(SECOND_FLUSH_ALL);
}
