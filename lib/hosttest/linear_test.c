/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses before translation: model against naive walker around every border, and a few by hand.
 */
#include "hosttest/expect.h"
#include "hosttest/naive_linear.h"
#include "model/linear.h"

static struct model_processor processor;
static struct model_access access;

static struct naive_question question_now(void)
{
	return (struct naive_question){
		.five_levels = processor.format == &paging_5level,
		.cr3_lam_u48 = processor.lam_u48,
		.cr3_lam_u57 = processor.lam_u57,
		.cr4_lam_sup = processor.lam_sup,
		.linear = access.linear,
		.fetch = access.fetch,
		.compatibility_mode = access.compatibility,
	};
}

static void compare(uint64_t pointer)
{
	uint64_t model = 0, naive = 0;
	struct naive_question question;
	bool accepted;

	access.linear = pointer;
	question = question_now();
	accepted = model_linear_address(&processor, &access, &model);
	expect_equal(accepted, naive_linear(&question, &naive));
	if (accepted)
		expect_equal(model, naive);
}

/* All settings as one number. */
static void set(unsigned setting)
{
	processor = (struct model_processor){
		.format = setting & 1 ? &paging_5level : &paging_4level,
		.lam_u48 = setting & 2,
		.lam_u57 = setting & 4,
		.lam_sup = setting & 8,
	};
	access = (struct model_access){.fetch = setting & 16, .compatibility = setting & 32};
}

/* Runs of ones between any two bits, and each with one bit flipped. */
HOST_TEST(model_agrees_on_linear_addresses)
{
	for (unsigned setting = 0; setting < 64; setting++) {
		set(setting);
		for (unsigned first = 40; first < 64; first++) {
			for (unsigned last = first; last < 64; last++) {
				uint64_t run = (2ull << last) - (1ull << first);

				compare(run | 0x12345678);
				for (unsigned flip = 30; flip < 64; flip++)
					compare(run ^ 1ull << flip);
			}
		}
	}
}

static uint64_t result(unsigned setting, uint64_t pointer)
{
	uint64_t linear;

	set(setting);
	access.linear = pointer;
	return model_linear_address(&processor, &access, &linear) ? linear : 0xbad;
}

HOST_TEST(model_gives_the_known_linear_addresses)
{
	expect_equal(result(0, 0x0000800000000000), 0xbad);
	expect_equal(result(1, 0x0000800000000000), 0x0000800000000000);
	expect_equal(result(2, 0x7abc000000001000), 0x1000);
	expect_equal(result(2, 0x7abc800000001000), 0xbad);
	expect_equal(result(4, 0x7e00000000001000), 0x1000);
	expect_equal(result(4, 0x7e00800000001000), 0xbad);
	expect_equal(result(5, 0x7e00800000001000), 0x0000800000001000);
	expect_equal(result(6, 0x7abc000000001000), 0xbad);
	expect_equal(result(8, 0x8000800000001000), 0xffff800000001000);
	expect_equal(result(9, 0x8100000000001000), 0xff00000000001000);
	expect_equal(result(8, 0x0001000000001000), 0xbad);
	expect_equal(result(16 | 2, 0x7abc000000001000), 0xbad);
	expect_equal(result(32, 0xdeadbeef12345678), 0x12345678);
	expect_equal(result(32 | 8, 0x00000000ffffffff), 0xffffffff);
}

HOST_TEST(operands_wrap_in_compatibility_mode_alone)
{
	set(0);
	access.linear = 0xfffffffe;
	expect_equal(model_byte_address(&access, 1), 0xffffffff);
	expect_equal(model_byte_address(&access, 2), 0x100000000);
	access.compatibility = true;
	expect_equal(model_byte_address(&access, 1), 0xffffffff);
	expect_equal(model_byte_address(&access, 2), 0);
}
