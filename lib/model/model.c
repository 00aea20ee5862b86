/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/model.h"

#include "model/linear.h"
#include "paging/entry.h"

#define VECTOR_PAGE_FAULT 14
#define VECTOR_GENERAL	  13

#define ERROR_P		  (1u << 0)
#define ERROR_W		  (1u << 1)
#define ERROR_U		  (1u << 2)
#define ERROR_RSVD	  (1u << 3)
#define ERROR_ID	  (1u << 4)
#define ERROR_PK	  (1u << 5)
#define ERROR_SS	  (1u << 6)

#define KEY_SHIFT	  59

struct rights {
	bool user_address; /* U/S = 1 in every entry */
	bool writable;	   /* R/W = 1 in every entry */
	bool no_execute;   /* XD = 1 in some entry and EFER.NXE = 1 */
};

/* "Determination of Access Rights": the rights of all entries that translate are combined. */
static struct rights combined_rights(const struct walk *walk, const struct paging_rules *rules)
{
	uint64_t all = ~0ull, any = 0;

	for (unsigned i = 0; i < walk->count; i++) {
		all &= walk->step[i].entry;
		any |= walk->step[i].entry;
	}
	return (struct rights){
		.user_address = all & US,
		.writable = all & RW,
		.no_execute = rules->execute_disable && (any & XD),
	};
}

enum key_verdict { KEY_ALLOWS, KEY_DENIES, KEY_IS_OPEN };

/* "Protection Keys": the last entry's key selects two bits of the register for its mode of address.
 * What IA32_PKRS does to user-mode accesses, which are denied anyway, no manual says. */
static enum key_verdict key_verdict(const struct walk *walk,
				    const struct model_processor *processor,
				    const struct model_access *access, bool write)
{
	bool user_address;
	bool user_access = access->user && !access->implicit;
	unsigned key = walk->step[walk->count - 1].entry >> KEY_SHIFT & 0xf;
	bool access_disable, write_disable;
	uint32_t rights;

	if (access->fetch || !(processor->pke || processor->pks))
		return KEY_ALLOWS;
	user_address = combined_rights(walk, &processor->rules).user_address;
	if (!(user_address ? processor->pke : processor->pks))
		return KEY_ALLOWS;
	rights = (user_address ? processor->pkru : processor->pkrs) >> 2 * key;
	access_disable = rights & 1;
	write_disable = rights & 2;
	if (user_access && !user_address)
		return rights & 3 ? KEY_IS_OPEN : KEY_ALLOWS;
	if (access_disable || (write && write_disable && (user_access || processor->wp)))
		return KEY_DENIES;
	return KEY_ALLOWS;
}

static const char *user_denial(const struct rights *rights, const struct model_access *access,
			       bool write)
{
	if (!rights->user_address)
		return "user access to a supervisor-mode address";
	if (write && !rights->writable)
		return "user write without R/W";
	if (access->fetch && rights->no_execute)
		return "user fetch with XD";
	return 0;
}

static const char *supervisor_denial(const struct rights *rights,
				     const struct model_processor *processor,
				     const struct model_access *access, bool write)
{
	if (access->fetch) {
		if (rights->user_address && processor->smep)
			return "supervisor fetch from a user-mode address with CR4.SMEP";
		return rights->no_execute ? "supervisor fetch with XD" : 0;
	}
	if (rights->user_address && processor->smap && (access->implicit || !access->ac))
		return "supervisor access to a user-mode address with CR4.SMAP";
	if (write && !rights->writable && processor->wp)
		return "supervisor write without R/W with CR0.WP";
	return 0;
}

/* "Determination of Access Rights": shadow-stack accesses go to shadow-stack pages of their own
 * mode alone, which are those with R/W = 0 and D = 1 in the last entry and R/W = 1 in all above. */
static const char *shadow_stack_denial(const struct walk *walk, const struct rights *rights,
				       const struct model_access *access)
{
	uint64_t last = walk->step[walk->count - 1].entry, above = RW;

	for (unsigned i = 0; i + 1 < walk->count; i++)
		above &= walk->step[i].entry;
	if (!above || (last & (RW | D)) != D)
		return "shadow-stack access elsewhere than to a shadow-stack page";
	if (rights->user_address != (access->user && !access->implicit))
		return "shadow-stack access to a shadow-stack page of the other mode";
	return 0;
}

/* Why the rights deny the access; NULL if they allow it. */
static const char *denial(const struct walk *walk, const struct model_processor *processor,
			  const struct model_access *access, bool write)
{
	struct rights rights = combined_rights(walk, &processor->rules);
	const char *why;

	if (access->shadow_stack)
		why = shadow_stack_denial(walk, &rights, access);
	else if (access->user && !access->implicit)
		why = user_denial(&rights, access, write);
	else
		why = supervisor_denial(&rights, processor, access, write);
	if (!why && key_verdict(walk, processor, access, write) == KEY_DENIES)
		return "the protection key";
	return why;
}

/* "Page-Fault Exceptions": the error code says what the access was, and whether a translation was
 * found. */
static uint64_t error_code(const struct walk *walk, const struct model_processor *processor,
			   const struct model_access *access, bool write)
{
	uint64_t code = 0;

	if (walk->end != WALK_NOT_PRESENT)
		code |= ERROR_P;
	if (walk->end == WALK_RESERVED)
		code |= ERROR_RSVD;
	if (write)
		code |= ERROR_W;
	if (access->user && !access->implicit)
		code |= ERROR_U;
	if (access->fetch && (processor->smep || processor->rules.execute_disable))
		code |= ERROR_ID;
	if (access->shadow_stack)
		code |= ERROR_SS;
	return code;
}

/* "Accessed and Dirty Flags": used entries get A, the one that maps the page D by a write. In
 * tables that reference themselves that may be one of those above as well. */
static void complete(struct model_outcome *outcome, const struct walk *walk, bool write)
{
	uint64_t mapping = walk->count ? walk->step[walk->count - 1].address : 0;

	outcome->vector = MODEL_COMPLETES;
	outcome->why = "allowed";
	for (unsigned i = 0; i < walk->count; i++) {
		outcome->must[i] = A;
		if (write && walk->step[i].address == mapping)
			outcome->must[i] |= D;
	}
}

/* "Page-Fault Exceptions": PK says what the key's rights are, also where others deny the access. */
static void report_key(struct model_outcome *outcome, enum key_verdict verdict)
{
	if (verdict == KEY_DENIES)
		outcome->error_code |= ERROR_PK;
	if (verdict == KEY_IS_OPEN)
		outcome->open_code |= ERROR_PK;
}

/* A faulting access may have set A above (P9), never D, and never anything in an entry that is not
 * present or has a reserved bit set. */
static void fault(struct model_outcome *outcome, const struct walk *walk, uint64_t code,
		  const char *why)
{
	outcome->vector = VECTOR_PAGE_FAULT;
	outcome->error_code = code;
	outcome->why = why;
	for (unsigned i = 0; i < walk->count; i++)
		outcome->may[i] = A;
	if (walk->end != WALK_MAPPED && walk->count)
		outcome->may[walk->count - 1] = 0;
}

struct model_outcome model_permitted(const struct walk *walk,
				     const struct model_processor *processor,
				     const struct model_access *access, bool write)
{
	struct model_outcome outcome = {0};
	const char *why = 0;

	if (walk->end == WALK_NOT_PRESENT)
		why = "an entry is not present";
	else if (walk->end == WALK_RESERVED)
		why = "a reserved bit is set";
	else if (walk->count) /* without paging there are no rights */
		why = denial(walk, processor, access, write);
	if (why)
		fault(&outcome, walk, error_code(walk, processor, access, write), why);
	else
		complete(&outcome, walk, write);
	if (why && walk->end == WALK_MAPPED)
		report_key(&outcome, key_verdict(walk, processor, access, write));
	return outcome;
}

bool model_root(const struct model_processor *processor, uint64_t linear, uint64_t *root)
{
	*root = processor->root;
	if (!processor->pdpte)
		return true;
	*root = processor->pdpte[linear >> PDPTE_SHIFT] & ENTRY_ADDRESS;
	return processor->pdpte[linear >> PDPTE_SHIFT] & P;
}

void model_translate(struct model_answer *answer, const struct model_processor *processor,
		     const struct model_access *access, read_entry_fn *read_entry,
		     const void *memory)
{
	uint64_t root, linear;

	answer->count = 1;
	if (!model_linear_address(processor, access, &linear)) {
		answer->walk = (struct walk){.format = processor->format, .linear = linear};
		answer->outcome[0] = (struct model_outcome){
			.vector = VECTOR_GENERAL, .why = "the linear address is not canonical"};
		return;
	}
	if (model_root(processor, linear, &root))
		walk_linear(&answer->walk, processor->format, &processor->rules, root, linear,
			    read_entry, memory);
	else
		answer->walk = (struct walk){
			.format = processor->format, .linear = linear, .end = WALK_NOT_PRESENT};
	answer->outcome[0] = model_permitted(&answer->walk, processor, access, access->write);
	if (access->may_write)
		answer->outcome[answer->count++] =
			model_permitted(&answer->walk, processor, access, !access->write);
}
