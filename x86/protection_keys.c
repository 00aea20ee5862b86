/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Protection keys: 16 keys, two bits of rights each.
 *
 * The entry that maps a page holds a key. With CR4.PKE = 1 the key of a user-mode address selects
 * two bits of PKRU: AD denies every data access, WD every write, of supervisor mode with CR0.WP = 1
 * only. CR4.PKS and IA32_PKRS do the same for supervisor-mode addresses. Fetches are never denied.
 * PK in the error code is set whenever the key's bits deny the access, also where another right
 * denies it as well (SDM Vol. 3, "Protection Keys", "Page-Fault Exceptions"; APM Vol. 2, "Memory
 * Protection Keys"). The registers act on each access: what is cached of a translation does not
 * matter, and nothing has to be flushed (R25).
 *
 * Caught here: the key of large pages lost, PK left out where R/W = 0 too, WP forgotten (XS07,
 * QT16); rights folded into cached or shadow translations under an old PKRU or WP (BX01); features
 * that are reported and do nothing (PV01); keys of upper entries combined as rights are. Shadow
 * pagers and emulators are at risk, and page walkers in software that hypervisors use for
 * emulation.
 *
 * Not checked: RDPKRU, WRPKRU and XSAVE themselves; PK of user accesses to supervisor-mode
 * addresses under CR4.PKS, which the manual leaves open; key 0 of IA32_PKRS, which the image's own
 * memory has.
 */
#include "test.h"

SUBJECT(protection_keys, "the keys of user-mode and supervisor-mode pages, PKRU and IA32_PKRS");

#define MANUAL "SDM Vol. 3, \"Protection Keys\""
#define TAG    61

/* Reads, writes and fetches: of user mode, of supervisor mode, of supervisor mode with AC. */
enum who { USER = 1, SUPERVISOR = 2, EVERYBODY = 3 };

/* The nth access first, since the first one meets what is cached of others. */
static void try_accesses(const struct subject *subject, enum who who, unsigned first)
{
	for (unsigned i = 0; i < ACCESS_WAYS; i++) {
		struct access access = nth_access((first + i) % ACCESS_WAYS, subject->target);

		if (who & (access.user ? USER : SUPERVISOR))
			expect_as_modelled(access);
	}
}

/* The page's entry with this key and these rights, A and D clear, and nothing cached. */
static void set_page(const struct subject *subject, unsigned key, uint64_t rights)
{
	enum level level = subject->page.level;
	uint64_t entry = *subject->page.entry[level] & ~(RW | US | XD | A | D | PROTECTION_KEY);

	write_entry(&subject->page, level, entry | rights | entry_key(key), MOV_CR3);
}

static uint64_t rights_of(unsigned combination)
{
	return (combination & 1 ? RW : 0) | (combination & 2 ? XD : 0);
}

/* Rights of one key among the opposite ones of all others, so that a wrong key shows. */
static uint32_t register_with(unsigned key, uint32_t rights)
{
	uint32_t others = rights & KEY_ACCESS_DISABLE ? 0 : 0x55555555;

	return (others & ~key_rights(key, 3)) | key_rights(key, rights);
}

/* One of the two registers, and the pages that it rules. */
struct keys {
	uint64_t control, mode; /* CR4's bit; U/S of the page */
	void (*set)(uint32_t value);
};

static const struct keys user_keys = {CR4_PKE, US, set_pkru};
static const struct keys supervisor_keys = {CR4_PKS, 0, set_pkrs};

enum { WITH_WP = 1, WITH_SMAP = 2, SETTINGS = 4 };

static bool set_controls(unsigned setting)
{
	if ((setting & WITH_SMAP) && !has(FEATURE_smap))
		return false;
	(setting & WITH_WP) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
	(setting & WITH_SMAP) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
	return true;
}

/* One key with each rights in the register and in the entry. IA32_PKRS leaves key 0 alone. */
static void try_key(const struct subject *subject, const struct keys *keys, unsigned key,
		    uint64_t mode, enum who who)
{
	for (uint32_t rights = 0; rights < 4; rights++) {
		keys->set(register_with(key, rights) & (keys->mode ? ~0u : ~3u));
		for (unsigned i = 0; i < (has(FEATURE_nx) ? 4 : 2); i++) {
			set_page(subject, key, rights_of(i) | mode);
			try_accesses(subject, who, key + i);
		}
	}
}

static void try_keys(enum level level, const struct keys *keys, unsigned first, unsigned last,
		     uint64_t mode, enum who who)
{
	struct subject subject = map_subject(level, P | RW | US, TAG);

	set_cr4(keys->control);
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (unsigned setting = 0; setting < SETTINGS; setting++)
		for (unsigned key = first; set_controls(setting) && key <= last; key++)
			try_key(&subject, keys, key, mode, who);
}

static void try_all(enum level level, const struct keys *keys, uint64_t mode, enum who who)
{
	try_keys(level, keys, 1, PROTECTION_KEYS - 1, mode, who);
}

TEST(pkru_decides_on_user_accesses_to_4_kbyte_pages,
     "PKRU's bits for the key of a PTE decide on data accesses of user mode", MANUAL, "pku")
{
	try_all(PT, &user_keys, US, USER);
}

TEST(pkru_decides_on_user_accesses_to_large_pages,
     "PKRU's bits for the key of a PDE or PDPTE decide as those for a PTE's key do", MANUAL, "pku")
{
	for (int level = PD; level <= (int)largest_page(); level++)
		try_all((enum level)level, &user_keys, US, USER);
}

/* Apart, for processors that take the register by the mode of the access, not of the address. */
TEST(pkru_decides_on_supervisor_accesses_to_user_mode_pages,
     "AD denies supervisor data accesses to a user-mode page too, WD writes with CR0.WP = 1",
     MANUAL, "pku")
{
	for (int level = PT; level <= (int)largest_page(); level++)
		try_all((enum level)level, &user_keys, US, SUPERVISOR);
}

/* Apart: the image's own memory, in supervisor-mode pages, has this key. */
TEST(key_0_is_a_key_like_any_other,
     "PKRU's bits for key 0 decide on user-mode pages with key 0, and on no others", MANUAL, "pku")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		try_keys((enum level)level, &user_keys, 0, 0, US, EVERYBODY);
		try_keys((enum level)level, &user_keys, 0, 0, 0, EVERYBODY);
	}
}

TEST(pkru_is_ignored_for_supervisor_mode_pages,
     "The key of a supervisor-mode page does nothing with CR4.PKS = 0, not even in error codes",
     MANUAL, "pku")
{
	for (int level = PT; level <= (int)largest_page(); level++)
		try_all((enum level)level, &user_keys, 0, EVERYBODY);
}

TEST(pkrs_decides_on_supervisor_mode_pages,
     "IA32_PKRS's bits decide on data accesses to supervisor-mode pages, and to no others", MANUAL,
     "pks")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		try_all((enum level)level, &supervisor_keys, 0, EVERYBODY);
		try_all((enum level)level, &supervisor_keys, US, EVERYBODY);
	}
}

TEST(each_mode_of_address_has_its_register,
     "With PKE and PKS the page's U/S chooses the register, for every access", MANUAL, "pku pks")
{
	struct subject subject = map_subject(PT, P | RW | US, TAG);

	set_cr4(CR4_PKE | CR4_PKS);
	for (unsigned key = 1; key < PROTECTION_KEYS; key++) {
		for (uint32_t rights = 0; rights < 16; rights++) {
			set_pkru(key_rights(key, rights & 3));
			set_pkrs(key_rights(key, rights >> 2));
			for (unsigned entry = 0; entry < 4; entry++) {
				set_page(&subject, key,
					 (entry & 2 ? US : 0) | (entry & 1 ? RW : 0));
				try_accesses(&subject, EVERYBODY, entry);
			}
		}
	}
}

/* Settings of one key and of WP in all ordered pairs, the translation used under the first; nothing
 * is flushed. */
enum { HOT_WP = 4, HOT_SETTINGS = 8, HOT_KEY = 11 };

static void set_hot(const struct keys *keys, unsigned setting)
{
	keys->set(key_rights(HOT_KEY, setting & 3));
	(setting & HOT_WP) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
}

static void try_hot(enum level level, const struct keys *keys, enum who who)
{
	struct subject subject = map_subject(level, P | keys->mode, TAG);

	set_cr4(keys->control);
	for (unsigned writable = 0; writable < 2; writable++) {
		set_page(&subject, HOT_KEY, keys->mode | (writable ? RW : 0));
		for (unsigned pair = 0; pair < HOT_SETTINGS * HOT_SETTINGS; pair++) {
			set_hot(keys, pair % HOT_SETTINGS);
			try_accesses(&subject, who, pair);
			set_hot(keys, pair / HOT_SETTINGS);
			try_accesses(&subject, who, pair);
		}
	}
}

TEST(wrpkru_takes_effect_on_cached_translations,
     "WRPKRU decides on the next access of user mode without any flush", MANUAL, "pku")
{
	for (int level = PT; level <= (int)largest_page(); level++)
		try_hot((enum level)level, &user_keys, USER);
}

TEST(wrpkru_and_wp_take_effect_on_supervisor_accesses,
     "WRPKRU and CR0.WP decide on the next supervisor access without any flush", MANUAL, "pku")
{
	for (int level = PT; level <= (int)largest_page(); level++)
		try_hot((enum level)level, &user_keys, SUPERVISOR);
}

TEST(pkrs_and_wp_take_effect_on_cached_translations,
     "WRMSR of IA32_PKRS and CR0.WP decide on the next access without any flush", MANUAL, "pks")
{
	for (int level = PT; level <= (int)largest_page(); level++)
		try_hot((enum level)level, &supervisor_keys, EVERYBODY);
}

/* Flushed after each change of PKE: what is cached under PKE = 0 need not hold a key. */
TEST(keys_are_ignored_while_pke_is_clear,
     "Bits 62:59 of an entry do nothing with CR4.PKE = 0, whatever PKRU holds", MANUAL, "pku")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		struct subject subject = map_subject((enum level)level, P | RW | US, TAG);

		for (unsigned key = 0; key < PROTECTION_KEYS; key++) {
			set_cr4(CR4_PKE);
			set_pkru(key_rights(key, KEY_ACCESS_DISABLE));
			set_page(&subject, key, RW | US);
			try_accesses(&subject, USER, key);
			clear_cr4(CR4_PKE);
			set_page(&subject, key, RW | US);
			try_accesses(&subject, EVERYBODY, key);
		}
	}
}

TEST(keys_above_the_page_are_ignored, "Bits 62:59 of an entry that references a table do nothing",
     MANUAL, "pku")
{
	struct subject subject = map_subject(PT, P | RW | US, TAG);

	set_cr4(CR4_PKE);
	set_pkru(0xfffffffc); /* nothing but key 0 */
	for (int level = PD; level <= PML4; level++) {
		uint64_t good = *subject.page.entry[level];

		for (unsigned key = 0; key < PROTECTION_KEYS; key++) {
			write_entry(&subject.page, (enum level)level, good | entry_key(key),
				    MOV_CR3);
			set_page(&subject, 0, RW | US);
			try_accesses(&subject, EVERYBODY, key);
			set_page(&subject, PROTECTION_KEYS - 1, RW | US);
			try_accesses(&subject, USER, key);
		}
		write_entry(&subject.page, (enum level)level, good, MOV_CR3);
	}
}

TEST(two_pages_of_one_frame_have_keys_of_their_own,
     "Each entry's key decides on accesses through that entry", MANUAL, "pku")
{
	struct subject one = map_subject(PT, P | RW | US | entry_key(3), TAG), two = one;

	two.page = map_page_at(PT, one.page.frame, P | RW | US | entry_key(4));
	two.target = linear_plus(two.page.linear, one.target.value - one.page.linear.value);
	set_cr4(CR4_PKE);
	for (uint32_t rights = 0; rights < 16; rights++) {
		set_pkru(key_rights(3, rights & 3) | key_rights(4, rights >> 2));
		try_accesses(&one, USER, rights);
		try_accesses(&two, USER, rights);
	}
}
