# SPDX-License-Identifier: BSD-2-Clause
#
# make            every test image, x86/NAME.c -> x86/NAME.flat
# make check      host tests, the runner's tests, style and types, then the suite
# make index      docs/cases.md, the list of all cases
# make format     lay out C and Python sources
# make clean

ifeq ($(wildcard config.mak),)
$(info run ./configure first: doing it now)
$(shell ./configure >&2)
endif
include config.mak

BUILD  := build
OUT    := x86
ROOMS  := boot libc cpu drivers mem paging access model check vmx svm nested
IMAGES := $(patsubst x86/%.c,$(OUT)/%.flat,$(wildcard x86/*.c))

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	    -Wno-missing-field-initializers
CFLAGS   := -std=gnu11 -O2 -g $(WARNINGS) -Ilib -MMD -MP
TARGET   := -m64 -ffile-prefix-map=$(CURDIR)=. -ffreestanding -fno-pic -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	    -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fcf-protection=none \
	    -fno-strict-aliasing $(CFLAGS_COPIES)
LDFLAGS  := -m elf_x86_64 -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none \
	    $(LDFLAGS_RWX) -T lib/boot/image.lds

SOURCES := $(foreach room,$(ROOMS),$(wildcard lib/$(room)/*.c lib/$(room)/*.S))
OBJECTS := $(patsubst lib/%,$(BUILD)/64/%.o,$(SOURCES))
LIBRARY := $(BUILD)/64/library.a

# make V=1 shows whole commands.
say = $(if $(V),,@echo "  $(1) $(2)";)

.PHONY: all clean format
all: $(IMAGES)

$(BUILD)/64/%.c.o: lib/%.c config.mak Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CFLAGS) $(TARGET) -c $< -o $@

$(BUILD)/64/%.S.o: lib/%.S config.mak Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CFLAGS) $(TARGET) -c $< -o $@

$(BUILD)/64/x86/%.o: x86/%.c config.mak Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CFLAGS) $(TARGET) -c $< -o $@

$(OUT)/%.flat: $(BUILD)/64/x86/%.o $(OBJECTS) lib/boot/image.lds
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LD) $(LDFLAGS) -o $@ $(OBJECTS) $<

clean:
	rm -rf $(BUILD) x86/*.flat

include scripts/check.mak

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
