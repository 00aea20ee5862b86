/* SPDX-License-Identifier: BSD-2-Clause */
#include "hosttest/naive_keys.h"

static bool bit(uint64_t value, unsigned number)
{
	return value >> number & 1;
}

/* "User-mode and supervisor-mode accesses": those made at CPL 3 are user-mode accesses, but for the
 * implicit ones, which are supervisor-mode accesses regardless of CPL. */
bool naive_user_mode_access(const struct naive_question *q)
{
	return q->cpl3 && !q->implicit_supervisor;
}

/* "Protection Keys", for user-mode addresses. */
bool naive_pkru_allows(const struct naive_question *q, unsigned key)
{
	bool ad = bit(q->pkru, 2 * key), wd = bit(q->pkru, 2 * key + 1);

	if (!q->cr4_pke)
		return true;
	if (q->fetch)
		return true;
	if (ad)
		return false;
	if (!wd)
		return true;
	if (!q->write)
		return true;
	if (naive_user_mode_access(q))
		return false;
	return !q->cr0_wp;
}

/* And for supervisor-mode addresses. */
bool naive_pkrs_allows(const struct naive_question *q, unsigned key)
{
	bool ad = bit(q->ia32_pkrs, 2 * key), wd = bit(q->ia32_pkrs, 2 * key + 1);

	if (!q->cr4_pks)
		return true;
	if (q->fetch)
		return true;
	if (ad)
		return false;
	if (wd && q->write && q->cr0_wp)
		return false;
	return true;
}
