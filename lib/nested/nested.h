/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The vendor-neutral face of VMX and SVM: an L2 guest that makes accesses.
 *
 * L2 has no kernel, no IDT and no stack. It makes one access per VM entry: registers, RIP (at an
 * instruction of access/instructions.S), privilege level and control registers are loaded, all
 * exceptions are intercepted, and the guest is entered. What comes back is the access's outcome, as
 * from attempt(), or the exit that the second level of translation caused, decoded.
 *
 *   L2 linear  --- L2's own paging structures --->  L2-physical  --- second level --->  L1-physical
 */
#ifndef NESTED_NESTED_H
#define NESTED_NESTED_H

#include "access/access.h"
#include "cpu/registers.h"
#include "nested/second_level.h"

enum l2_mode {
	L2_UNPAGED, /* protected mode, CR0.PG = 0 */
	L2_32BIT,   /* 32-bit paging, CR4.PSE = 1 */
	L2_PAE,
	L2_4LEVEL,
	L2_5LEVEL,
	L2_MODES
};

enum l2_exit_kind {
	L2_EXCEPTION,	     /* intercepted: the access's own outcome */
	L2_VIOLATION,	     /* EPT violation; #NPF without EXITINFO1.RSV */
	L2_MISCONFIGURATION, /* EPT misconfiguration; #NPF with EXITINFO1.RSV */
	L2_ENTRY_FAILED,     /* the VM entry was refused */
	L2_OTHER_EXIT,
};

struct l2_exit {
	enum l2_exit_kind kind;
	unsigned vector;     /* of L2_EXCEPTION */
	uint64_t error_code; /* of L2_EXCEPTION */
	uint64_t linear;     /* CR2 of #PF; guest-linear address of a violation */
	bool linear_valid;
	uint64_t gpa;	 /* guest-physical address of a violation or misconfiguration */
	bool final;	 /* the access itself, not one to L2's paging structures */
	unsigned access; /* SECOND_READ ...: what the access asked for */
	unsigned rights; /* SECOND_READ ...: what the entries allowed, combined */
	uint64_t reason,
		qualification; /* raw: exit reason and qualification; EXITCODE, EXITINFO1 */
	uint64_t rip;
	const char *error; /* of L2_ENTRY_FAILED: in the manual's words */
};

struct l2_outcome {
	bool exited; /* `exit` holds what happened; otherwise `outcome` does */
	struct outcome outcome;
	struct l2_exit exit;
};

/* General registers as L2 starts and ends with them. */
struct l2_registers {
	union {
		struct general_registers general;
		struct {
			GENERAL_REGISTERS;
		};
	};
	uint64_t rsp, rip, rflags; /* these three are only loaded */
};

/* How L2's memory is laid out. Levels say the size of page by which the second level maps: 0 stands
 * for PT. */
struct l2_options {
	enum level second_of_tables; /* each of L2's paging structures */
	enum level second_of_pages;  /* each page that l2_map() maps */
	/* One structure of a page's walk (by level), or the page itself (ALONE_PAGE), that gets an
	 * entry of its own even at the top of the second level. */
	unsigned alone;
	bool accessed_dirty; /* EPT: EPTP bit 6 */
	uint16_t tag;	     /* VPID or ASID; 0: VPID is disabled, the backend's choice of ASID */
	bool five_levels;    /* EPT of 5 levels */
	bool shadow;	     /* SVM: no second level, a shadow pager (nested/shadow.h) instead */
};

#define ALONE_PAGE 0x100

struct l2 {
	enum l2_mode mode;
	struct l2_options options;
	struct second_level second;
	/* What L2 is entered with; a test may change them between attempts. */
	uint64_t cr0, cr3, cr4, efer;
	uint64_t pdpte[4]; /* PAE: loaded by every VM entry, as they were in memory last time */
	bool user;	   /* CPL 3 */
	linear_t code[2];  /* the stubs' page: supervisor-mode, user-mode */
	linear_t steps;	   /* the list of nested/steps.h, and where L1 finds it; 0 before its use */
	gpa_t steps_frame;
	gpa_t root, root_frame;
	unsigned next_slot, pages;
	const struct nested_backend *backend;
	void *vendor; /* the backend's own */
};

struct nested_backend {
	const char *name; /* "VMX" */
	/* Prepares the processor, the guest and an empty second level for l2_start(), whose options
	 * and mode are in *l2; ends the case where it cannot. */
	void (*start)(struct l2 *l2);
	/* One VM entry and exit. */
	void (*enter)(struct l2 *l2, struct l2_registers *registers, struct l2_exit *exit);
};

extern const struct nested_backend nested_vmx;
extern const struct nested_backend *const nested_svm; /* NULL until the suite has it */

/* A guest in this mode, with a second level and its stubs mapped; gone after the case.
 * l2_start(L2_4LEVEL, .accessed_dirty = true) */
#define l2_start(mode, ...) l2_start_with(mode, (struct l2_options){__VA_ARGS__})
struct l2 *l2_start_with(enum l2_mode mode, struct l2_options options);

/* A page of L2: its linear address, where it is in L2's physical memory, which frame of L1's that
 * is, and the paging structures that translate it, each in a page of its own that is mapped by
 * entries of its own in the second level. */
struct l2_page {
	linear_t linear;
	gpa_t gpa;   /* L2-physical */
	gpa_t frame; /* L1-physical */
	enum level level;
	uint64_t bytes;
	gpa_t table[MOST_LEVELS + 1]; /* L2-physical, of the structure that holds the entry */
	uint64_t entry_gpa[MOST_LEVELS + 1]; /* L2-physical, of the entry itself */
	volatile uint8_t
		*entry[MOST_LEVELS + 1]; /* in L1's identity map; 4 bytes in 32-bit paging */
};

/* Maps a new page of `level`'s size; entries above the last get P | RW | US | A, the last `flags`.
 * The page is filled with frame_word(tag). */
struct l2_page l2_map(struct l2 *l2, enum level level, uint64_t flags, uint32_t tag);

/* A second address space of L2's: a root of its own in which nothing but the stubs is mapped, at
 * once in l2->cr3; the pages mapped next get the linear addresses that the first ones have. */
void l2_new_space(struct l2 *l2);

/* Any frame of L1's, of the second level's page size, somewhere in L2's physical memory. */
gpa_t l2_place(struct l2 *l2, gpa_t frame, enum level second, bool alone);

/* Where the second level maps an L2-physical address now; 0 where it does not. */
gpa_t l2_frame_of(const struct l2 *l2, gpa_t gpa);

/* Replaces an entry of L2's paging structures; nothing is invalidated. */
void l2_write_entry(const struct l2 *l2, const struct l2_page *page, enum level level,
		    uint64_t value);

/* Accessed and dirty flags of all entries that translate the page: these set, the others clear; D
 * in the last entry only. */
void l2_set_flags(const struct l2 *l2, const struct l2_page *page, uint64_t flags);

/* The processor as the model sees it while L2 accesses `linear`. */
struct model_processor l2_processor(const struct l2 *l2, linear_t linear);

/* Makes one access in L2. */
struct l2_outcome l2_attempt(struct l2 *l2, struct access access);

/* Appends "EPT violation: ..." with everything that the exit says. */
void text_l2_outcome(struct text *text, const struct l2_outcome *outcome);

/* Expectations, as in check/expect.h. All judge one attempt by l2. */

/* By the model, for structures of which nothing is cached: everything is invalidated first. */
#define expect_l2_as_modelled(l2, access) judge_l2_access(__FILE__, __LINE__, l2, access)

/* The access completes and reads this value. */
#define expect_l2_read(l2, access, value) judge_l2_read(__FILE__, __LINE__, l2, access, value)

/* The access completes. */
#define expect_l2_completes(l2, access)	  judge_l2_completes(__FILE__, __LINE__, l2, access)

/* A violation, or a misconfiguration, at this L2-physical address. */
#define expect_l2_violation(l2, access, gpa) \
	judge_l2_exit(__FILE__, __LINE__, l2, access, L2_VIOLATION, gpa)
#define expect_l2_misconfiguration(l2, access, gpa) \
	judge_l2_exit(__FILE__, __LINE__, l2, access, L2_MISCONFIGURATION, gpa)

/* #PF, which L2's own structures cause, with CR2 at the access's address. */
#define expect_l2_page_fault(l2, access, error_code) \
	judge_l2_page_fault(__FILE__, __LINE__, l2, access, error_code)

struct l2_outcome judge_l2_access(const char *file, int line, struct l2 *l2, struct access access);
struct l2_outcome judge_l2_read(const char *file, int line, struct l2 *l2, struct access access,
				uint64_t value);
struct l2_outcome judge_l2_completes(const char *file, int line, struct l2 *l2,
				     struct access access);
struct l2_outcome judge_l2_exit(const char *file, int line, struct l2 *l2, struct access access,
				enum l2_exit_kind kind, gpa_t gpa);
struct l2_outcome judge_l2_page_fault(const char *file, int line, struct l2 *l2,
				      struct access access, uint64_t error_code);

#endif
