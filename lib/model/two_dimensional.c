/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/two_dimensional.h"

#include "paging/entry.h"

#define VECTOR_PAGE_FAULT 14

/* "Exit Qualification for EPT Violations". */
#define BIT_READ	  (1ull << 0)
#define BIT_WRITE	  (1ull << 1)
#define BIT_FETCH	  (1ull << 2)
#define RIGHTS_SHIFT	  3
#define BIT_LINEAR_VALID  (1ull << 7)
#define BIT_FINAL	  (1ull << 8)
#define BIT_USER_ADDRESS  (1ull << 9)
#define BIT_WRITABLE	  (1ull << 10)
#define BIT_NO_EXECUTE	  (1ull << 11)
#define ADVANCED_BITS	  (7ull << 9)
#define ALWAYS_DEFINED	  (0x3full | BIT_LINEAR_VALID | BIT_FINAL)

/* EXITINFO1 of #NPF: APM Vol. 2, "Nested versus Guest Page Faults, Fault Ordering". */
#define NPF_P		  (1ull << 0)
#define NPF_W		  (1ull << 1)
#define NPF_U		  (1ull << 2)
#define NPF_RSV		  (1ull << 3)
#define NPF_ID		  (1ull << 4)
#define NPF_FINAL	  (1ull << 32)
#define NPF_TABLE	  (1ull << 33)

/* A translation under way: what the callback that reads guest entries needs. */
struct translation {
	struct model_l2_answer *answer;
	const struct model_second_level *second;
	read_entry_fn *read_entry;
	const void *memory;
	bool stopped; /* by the second level */
};

static uint64_t rights_of(const struct walk *walk)
{
	uint64_t rights = EPT_RWX;

	for (unsigned i = 0; i < walk->count; i++)
		rights &= walk->step[i].entry;
	return rights;
}

static struct model_l2_outcome *add_outcome(struct model_l2_answer *answer, enum model_l2_kind kind,
					    const char *why)
{
	struct model_l2_outcome *outcome = &answer->outcome[answer->count++];

	*outcome = (struct model_l2_outcome){.kind = kind, .why = why};
	return outcome;
}

/* Entries that were read may have been marked as accessed before the exit (P22). */
static void may_mark_guest(struct model_l2_outcome *outcome, const struct walk *guest)
{
	for (unsigned i = 0; i < guest->count; i++)
		outcome->may[i] = A;
}

static struct model_reference *new_reference(struct translation *t, enum level guest_level,
					     uint64_t gpa)
{
	struct model_reference *reference = &t->answer->reference[t->answer->references++];

	reference->guest_level = guest_level;
	walk_linear(&reference->walk, t->second->format, &t->second->rules, t->second->root, gpa,
		    t->read_entry, t->memory);
	return reference;
}

/* Ordinary paging's rights for a user access, whatever the guest's privilege level and the host's
 * CR0.WP. */
static bool nested_rights_deny(const struct translation *t, const struct walk *walk, uint64_t wants)
{
	uint64_t all = ~0ull, any = 0;

	for (unsigned i = 0; i < walk->count; i++) {
		all &= walk->step[i].entry;
		any |= walk->step[i].entry;
	}
	return !(all & US) || ((wants & BIT_WRITE) && !(all & RW)) ||
	       ((wants & BIT_FETCH) && t->second->rules.execute_disable && (any & XD));
}

/* stops() for SVM's nested tables. That a fetch shows in EXITINFO1 is compared where the host's
 * EFER.NXE lets page faults say so. */
static bool stops_nested(struct translation *t, const struct model_reference *reference,
			 uint64_t wants)
{
	const struct walk *walk = &reference->walk;
	struct model_l2_outcome *outcome;

	if (walk->end == WALK_RESERVED)
		outcome = add_outcome(t->answer, MODEL_L2_MISCONFIGURATION,
				      "a reserved bit is set in a nested entry");
	else if (walk->end == WALK_NOT_PRESENT)
		outcome =
			add_outcome(t->answer, MODEL_L2_VIOLATION, "a nested entry is not present");
	else if (nested_rights_deny(t, walk, wants))
		outcome = add_outcome(t->answer, MODEL_L2_VIOLATION,
				      "the nested tables lack a right");
	else
		return false;
	outcome->gpa = walk->linear;
	outcome->qualification = NPF_U | (reference->guest_level ? NPF_TABLE : NPF_FINAL);
	outcome->qualification |= walk->end == WALK_NOT_PRESENT ? 0 : NPF_P;
	outcome->qualification |= walk->end == WALK_RESERVED ? NPF_RSV : 0;
	outcome->qualification |= wants & BIT_WRITE ? NPF_W : 0;
	outcome->qualification |= wants & BIT_FETCH ? NPF_ID : 0;
	outcome->defined = ~(t->second->rules.execute_disable ? 0 : NPF_ID);
	return true;
}

/* Adds the exit that a reference causes which wants these bits of the exit qualification (which are
 * at the same place as the rights in an entry); false when the second level allows it. */
static bool stops(struct translation *t, const struct model_reference *reference, uint64_t wants)
{
	const struct walk *walk = &reference->walk;
	uint64_t rights = rights_of(walk);
	struct model_l2_outcome *outcome;

	if (t->second->nested_paging)
		return stops_nested(t, reference, wants);
	if (walk->end == WALK_RESERVED) {
		outcome = add_outcome(t->answer, MODEL_L2_MISCONFIGURATION,
				      "an entry of the second level is misconfigured");
	} else if (walk->end == WALK_NOT_PRESENT || (wants & ~rights)) {
		outcome = add_outcome(t->answer, MODEL_L2_VIOLATION,
				      walk->end == WALK_NOT_PRESENT
					      ? "an entry of the second level is not present"
					      : "the second level lacks a right");
	} else {
		return false;
	}
	outcome->gpa = walk->linear;
	outcome->qualification = wants | rights << RIGHTS_SHIFT | BIT_LINEAR_VALID;
	outcome->defined = outcome->kind == MODEL_L2_VIOLATION ? ALWAYS_DEFINED : 0;
	return true;
}

/* What a read of a guest paging-structure entry wants. */
static uint64_t table_wants(const struct model_second_level *second)
{
	return BIT_READ | (second->accessed_dirty || second->nested_paging ? BIT_WRITE : 0);
}

/* walk_linear()'s way to read a guest entry: through the second level. After an exit it answers
 * with an entry that ends the walk. */
static uint64_t read_guest_entry(const void *memory, uint64_t gpa)
{
	struct translation *t = (struct translation *)(uintptr_t)memory;
	struct model_l2_answer *answer = t->answer;
	enum level level = answer->guest.step[answer->guest.count - 1].level;
	struct model_reference *reference = new_reference(t, level, gpa);
	uint64_t entry;

	reference->written = table_wants(t->second) & BIT_WRITE;
	if (stops(t, reference, table_wants(t->second))) {
		t->stopped = true;
		return 0;
	}
	entry = t->read_entry(t->memory, reference->walk.physical);
	return answer->guest.format->entry_bytes == 4 ? (uint32_t)entry : entry;
}

/* Flags of guest entries that have to be set where the second level forbids the write: a violation
 * of its own, which may come before whatever else happens. A lone D of the page counts only for
 * writes. */
static bool add_flag_update_violations(struct translation *t, unsigned steps, uint64_t last_flags)
{
	struct model_l2_answer *answer = t->answer;
	bool found = false;

	for (unsigned i = 0; i < steps; i++) {
		const struct model_reference *reference = &answer->reference[i];
		uint64_t flags = i + 1 == steps ? last_flags : A;

		if (!(flags & ~answer->guest.step[i].entry))
			continue;
		if (!stops(t, reference, BIT_WRITE))
			continue;
		found = true;
		answer->outcome[answer->count - 1].why =
			"the second level forbids to set a flag in L2's entry";
		/* An update is a read and a write: bit 0 is the implementation's choice. */
		answer->outcome[answer->count - 1].defined &= ~BIT_READ;
		may_mark_guest(&answer->outcome[answer->count - 1], &answer->guest);
	}
	return found;
}

static uint64_t access_wants(const struct model_access *access)
{
	if (access->fetch)
		return BIT_FETCH;
	return access->write ? BIT_WRITE : BIT_READ;
}

/* Bits 11:9: what L2's own structures say of the linear address. */
static uint64_t advanced_bits(const struct model_l2_answer *answer,
			      const struct model_processor *guest)
{
	uint64_t all = ~0ull, any = 0;

	if (!answer->paged)
		return BIT_USER_ADDRESS | BIT_WRITABLE;
	for (unsigned i = 0; i < answer->guest.count; i++) {
		all &= answer->guest.step[i].entry;
		any |= answer->guest.step[i].entry;
	}
	return (all & US ? BIT_USER_ADDRESS : 0) | (all & RW ? BIT_WRITABLE : 0) |
	       (guest->rules.execute_disable && (any & XD) ? BIT_NO_EXECUTE : 0);
}

/* What the exit qualification of an EPT violation adds for the access itself. */
static void qualify_final_access(const struct translation *t, struct model_l2_outcome *outcome,
				 const struct model_processor *guest,
				 const struct model_access *access)
{
	outcome->qualification |= BIT_FINAL;
	if (access->write && access->reads)
		outcome->defined &= ~BIT_READ; /* the manual leaves it open */
	if (t->second->advanced_information) {
		outcome->qualification |= advanced_bits(t->answer, guest);
		outcome->defined |= ADVANCED_BITS;
	}
}

/* The access itself, which L2's own structures allow. */
static bool stops_at_page(struct translation *t, const struct model_processor *guest,
			  const struct model_access *access, uint64_t gpa)
{
	struct model_l2_answer *answer = t->answer;
	struct model_reference *reference = new_reference(t, (enum level)0, gpa);
	struct model_l2_outcome *outcome;

	reference->written = access->write;
	if (!stops(t, reference, access_wants(access)))
		return false;
	outcome = &answer->outcome[answer->count - 1];
	if (!t->second->nested_paging && outcome->kind == MODEL_L2_VIOLATION)
		qualify_final_access(t, outcome, guest, access);
	/* Of an instruction that reads first, the read may be what is reported. */
	if (t->second->nested_paging && access->write && access->reads &&
	    (reference->walk.end != WALK_MAPPED ||
	     nested_rights_deny(t, &reference->walk, BIT_READ)))
		outcome->defined &= ~NPF_W;
	may_mark_guest(outcome, &answer->guest);
	if (answer->paged && access->write)
		outcome->may[answer->guest.count - 1] |= D;
	return true;
}

static void add_exception(struct model_l2_answer *answer, const struct model_outcome *of_guest)
{
	struct model_l2_outcome *outcome = add_outcome(answer, MODEL_L2_EXCEPTION, of_guest->why);

	outcome->vector = of_guest->vector;
	outcome->error_code = of_guest->error_code;
	for (unsigned i = 0; i < MOST_LEVELS; i++)
		outcome->may[i] = of_guest->may[i];
}

static void translate_paged(struct translation *t, const struct model_processor *guest,
			    const struct model_access *access)
{
	struct model_l2_answer *answer = t->answer;
	struct walk *walk = &answer->guest;
	struct model_outcome of_guest;
	bool updates_stop, page_stops;

	walk_linear(walk, guest->format, &guest->rules, guest->root, access->linear,
		    read_guest_entry, t);
	if (t->stopped) {
		walk->count--; /* of the entry that could not be read nothing is known */
		may_mark_guest(&answer->outcome[0], walk);
		add_flag_update_violations(t, walk->count, A);
		return;
	}
	of_guest = model_permitted(walk, guest, access, access->write);
	if (of_guest.vector != MODEL_COMPLETES) {
		unsigned used = walk->end == WALK_MAPPED ? walk->count : walk->count - 1;

		add_exception(answer, &of_guest);
		add_flag_update_violations(t, used, A);
		return;
	}
	page_stops = stops_at_page(t, guest, access, walk->physical);
	updates_stop = add_flag_update_violations(t, walk->count, A | (access->write ? D : 0));
	if (!page_stops && !updates_stop) {
		struct model_l2_outcome *outcome =
			add_outcome(answer, MODEL_L2_COMPLETES, "allowed");

		for (unsigned i = 0; i < walk->count; i++)
			outcome->must[i] = of_guest.must[i];
	}
}

void model_translate_l2(struct model_l2_answer *answer, const struct model_processor *guest,
			const struct model_second_level *second, const struct model_access *access,
			read_entry_fn *read_entry, const void *memory)
{
	struct translation t = {answer, second, read_entry, memory, false};

	answer->paged = guest->format;
	answer->guest.count = 0;
	answer->references = 0;
	answer->count = 0;
	answer->nested_paging = second->nested_paging;
	answer->second_flags = second->accessed_dirty || second->nested_paging;
	if (guest->format)
		translate_paged(&t, guest, access);
	else if (!stops_at_page(&t, guest, access, access->linear))
		add_outcome(answer, MODEL_L2_COMPLETES, "allowed");
}
