/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Protection keys (SDM Vol. 3, "Protection Keys"): two bits of rights for each of 16 keys, in PKRU
 * for user-mode addresses and in IA32_PKRS for supervisor-mode ones. The image's own memory has key
 * 0, so IA32_PKRS must leave that key all its rights.
 */
#ifndef CHECK_PROTECTION_KEYS_H
#define CHECK_PROTECTION_KEYS_H

#include <stdint.h>

#define PROTECTION_KEYS	   16
#define KEY_ACCESS_DISABLE 1u
#define KEY_WRITE_DISABLE  2u

/* Bits 62:59 of an entry. */
static inline uint64_t entry_key(unsigned key)
{
	return (uint64_t)key << 59;
}

/* A key's two bits in either register. */
static inline uint32_t key_rights(unsigned key, uint32_t rights)
{
	return rights << 2 * key;
}

/* Needs CR4.PKE = 1; PKRU is 0 again after the case. Nothing is flushed. */
void set_pkru(uint32_t value);

/* The same under CR4.PKS = 1. */
void set_pkrs(uint32_t value);

#endif
