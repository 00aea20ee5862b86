# SPDX-License-Identifier: BSD-2-Clause
#
# make check              everything below
# make check-build        the other compiler and linker make the same images, without warnings
# make check-host         the parts that need no machine, tested on the host, also with sanitizers
# make check-runner       the runner's own tests
# make check-style        layout, types, shell, lengths, licences
# make check-images       what each ELF file holds, and that it boots by every way in
# make check-docs         the index of cases, the cases in docs/bugs.md, those known to fail and the manual page are up to
#                         date, the documents' code compiles and runs
# make check-sabotage     a few of the bugs that images can play are noticed, and what is permitted is no failure
# make check-suite        the suite on QEMU TCG and on Bochs
# make sabotage           each of those bugs until it is noticed, each case until it notices one, and all controls, on QEMU
#                         TCG and, of what that lacks, on Bochs; goes on where it was. SABOTAGE= for all bugs against all
#                         images (hours), SABOTAGE_ON=qemu-tcg without Bochs
# make matrix             the suite on what scripts/setup --v86 installs: QEMU TCG with each machine and from a UEFI CD, Bochs,
#                         v86; the page is build/matrix.html
# make bench              checked accesses for each CPU second; KUT=FOLDER of a built kvm-unit-tests
# make check-nested       a sample on KVM inside of TCG; not part of check: scripts/setup --nested comes first
# make mutate-model       every known way to break the model is noticed by the host tests

HOST_CC     := gcc
HOST        := $(BUILD)/host
# The images' rooms that are pure, and their tests.
HOST_SOURCES := $(wildcard lib/hosttest/*.c lib/model/*.c) lib/libc/string.c lib/libc/text.c \
		$(wildcard lib/paging/format*.c) lib/paging/walk.c lib/paging/describe.c \
		lib/check/axes.c lib/check/slice.c lib/check/walk_axes.c
HOST_FLAGS  := -std=gnu11 -O2 -g $(WARNINGS) -Ilib -MMD -MP -fno-builtin
SANITIZERS  := -fsanitize=address,undefined -fno-sanitize-recover=all
OTHER       := $(BUILD)/other
OTHER_TOOLS := $(if $(findstring clang,$(CC)),CC=gcc LD=ld CFLAGS_COPIES= LDFLAGS_RWX=--no-warn-rwx-segments, \
		    CC=clang LD=ld.lld CFLAGS_COPIES= LDFLAGS_RWX=)
# What make sabotage runs on, the first before the others, and how.
SABOTAGE_ON ?= qemu-tcg,bochs,bochs-ryzen
SABOTAGE    ?= --enough --keep $(BUILD)/sabotage/kept
PARTS       := check-build check-host check-runner check-style check-images check-docs check-sabotage check-suite

.PHONY: check $(PARTS) check-nested mutate-model index man bench matrix sabotage
check: $(PARTS)

# host_build NAME FLAGS: $(HOST)/NAME/tests. The frame alone uses the host's library as it is.
define host_build
$(HOST)/$(1)/%.c.o: lib/%.c scripts/check.mak config.mak
	@mkdir -p $$(@D)
	$$(call say,HOSTCC,$$<)$(HOST_CC) $(HOST_FLAGS) $(2) \
		$$(if $$(filter lib/hosttest/expect.c,$$<),,-include lib/hosttest/names.h) -c $$< -o $$@

$(HOST)/$(1)/tests: $(patsubst lib/%,$(HOST)/$(1)/%.o,$(HOST_SOURCES))
	$$(call say,HOSTLD,$$@)$(HOST_CC) $(2) $$^ -o $$@
endef
$(eval $(call host_build,plain,))
$(eval $(call host_build,sanitized,$(SANITIZERS)))

check-build:
	@$(MAKE) --no-print-directory BUILD=$(OTHER) OUT=$(OTHER)/x86 $(OTHER_TOOLS) all
	@echo "check-build: $(words $(IMAGES)) images with $(OTHER_TOOLS)"

check-host: $(HOST)/plain/tests $(HOST)/sanitized/tests
	$(HOST)/plain/tests
	$(HOST)/sanitized/tests --quick
	$(PYTHON) scripts/mutate-model --sample 3 $(HOST)/plain

mutate-model: $(HOST)/plain/tests
	$(PYTHON) scripts/mutate-model $(HOST)/plain

check-runner:
	$(PYTHON) -m unittest discover -s scripts/tests

check-style:
	scripts/check/style

check-images: all check-build
	$(PYTHON) scripts/check/images $(IMAGES) -- $(patsubst x86/%,$(OTHER)/x86/%,$(IMAGES))

check-nested: all
	./run --on nested-kvm,nested-kvm-npt global_pages invlpg optional_invalidation table_shapes processor_start

check-docs: all
	$(PYTHON) scripts/index --check $(IMAGES)
	$(PYTHON) scripts/man --check
	$(PYTHON) scripts/check/bugs $(IMAGES)
	$(PYTHON) scripts/check/known $(IMAGES)
	$(PYTHON) scripts/check/snippets --folder $(BUILD)/docs --compile '$(CC) $(CFLAGS) $(TARGET)' \
		--link '$(LD) $(LDFLAGS) $(OBJECTS)' docs/writing-a-test.md

check-suite: all
	@status=0; for on in qemu-tcg bochs; do \
		echo "./run --on $$on"; ./run --on $$on </dev/null || status=1; done; exit $$status

# A few of each family, on images that take no time.
check-sabotage: all
	./run sabotage --on qemu-tcg --first --only \
		invlpg_lost,rw_ignored_in_pde,a_missing_in_pte,error_code_lacks_u,reserved_ignored_in_pte,wp_ignored \
		invlpg reserved_bits accessed_dirty
	./run sabotage --on qemu-tcg --only permitted invlpg reserved_bits

sabotage: all
	mkdir -p $(BUILD)/sabotage
	./run sabotage --on $(SABOTAGE_ON) $(SABOTAGE) --text $(BUILD)/sabotage/matrix.txt --json $(BUILD)/sabotage/matrix.json \
		--html $(BUILD)/sabotage/matrix.html

matrix: all
	./run --on qemu-tcg,qemu-uefi,bochs,v86 --machine microvm,pc,q35 \
		--json $(BUILD)/matrix.jsonl --html $(BUILD)/matrix.html

man:
	$(PYTHON) scripts/man

bench: all
	$(PYTHON) scripts/bench $(if $(KUT),--kut $(KUT))

index: all
	$(PYTHON) scripts/index $(IMAGES)

-include $(shell find $(HOST) -name '*.d' 2>/dev/null)
