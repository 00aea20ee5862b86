# SPDX-License-Identifier: BSD-2-Clause
#
# make            every test image, x86/NAME.c -> x86/NAME.flat
# make check      host tests, the runner's tests, style and types, then the suite
# make index      docs/cases.md, the list of all cases
# make man        docs/run.1, the manual page of ./run
# make format     lay out C and Python sources
# make clean

ifeq ($(wildcard config.mak),)
$(info run ./configure first: doing it now)
$(shell ./configure >&2)
endif
include config.mak

BUILD  := build
OUT    := x86
ROOMS  := boot libc cpu drivers mem paging access sabotage model check smp vmx svm nested
# Which images are built with -m32 their sources say; a compiler without that leaves them out.
NAMES_32 := $(patsubst x86/%.c,%,$(shell grep -l '^BUILT_FOR_32BIT' x86/*.c))
NAMES_64 := $(filter-out $(NAMES_32),$(patsubst x86/%.c,%,$(wildcard x86/*.c)))
IMAGES   := $(patsubst %,$(OUT)/%.flat,$(sort $(NAMES_64) $(if $(HAVE_M32),$(NAMES_32))))

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	    -Wno-missing-field-initializers
CFLAGS   := -std=gnu11 -O2 -g $(WARNINGS) -Ilib -MMD -MP
FREE     := -ffile-prefix-map=$(CURDIR)=. -ffreestanding -fno-pic -mgeneral-regs-only -fno-stack-protector \
	    -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fcf-protection=none \
	    -fno-strict-aliasing -ffunction-sections -fdata-sections $(CFLAGS_COPIES)
TARGET    := -m64 -mno-red-zone $(FREE)
TARGET_32 := -m32 -march=i586 $(FREE)
# Unused parts of the library are left out: Bochs 2.7 loads no more than 128 KBytes rightly.
LINK     := -nostdlib -static --gc-sections -z max-page-size=4096 -z noexecstack --build-id=none \
	    $(LDFLAGS_RWX) -T lib/boot/image.lds
LDFLAGS    := -m elf_x86_64 $(LINK)
LDFLAGS_32 := -m elf_i386 $(LINK)

# What 32-bit images are made of: these, and everything that is named *_32.*.
BOTH       := boot/boot_info.c boot/header.S boot/main.c libc/string.c libc/text.c \
	      cpu/exception.c cpu/features.c cpu/sabotage.c cpu/svm_features.c cpu/vmx_features.c \
	      drivers/acpi.c drivers/local_apic.c drivers/timer.c drivers/power.c drivers/serial.c mem/frames.c \
	      paging/describe.c paging/format.c paging/format_legacy.c paging/invalidate.c paging/walk.c \
	      access/access.c $(patsubst %,sabotage/%.c,cache events falsify instructions lend \
			operation processor translate translate_wrongly) model/model.c model/judge.c model/linear.c \
	      $(patsubst %,check/%.c,axes effort expect guard judge_access needs options report run slice state unexpected walk \
			walk_axes walk_machine walk_pages walk_ways)
ROOMS_32   := boot libc cpu access sabotage paging check
ONLY_32    := $(foreach room,$(ROOMS_32),$(wildcard lib/$(room)/*_32.c lib/$(room)/*_32.S))
SOURCES_32 := $(addprefix lib/,$(BOTH)) $(ONLY_32)
OBJECTS_32 := $(patsubst lib/%,$(BUILD)/32/%.o,$(SOURCES_32))

SOURCES := $(filter-out $(ONLY_32),$(foreach room,$(ROOMS),$(wildcard lib/$(room)/*.c lib/$(room)/*.S)))
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

$(BUILD)/32/%.c.o: lib/%.c config.mak Makefile
	@mkdir -p $(@D)
	$(call say,CC32,$<)$(CC) $(CFLAGS) $(TARGET_32) -c $< -o $@

$(BUILD)/32/%.S.o: lib/%.S config.mak Makefile
	@mkdir -p $(@D)
	$(call say,CC32,$<)$(CC) $(CFLAGS) $(TARGET_32) -c $< -o $@

$(BUILD)/32/x86/%.o: x86/%.c config.mak Makefile
	@mkdir -p $(@D)
	$(call say,CC32,$<)$(CC) $(CFLAGS) $(TARGET_32) -c $< -o $@

# Linked as what the code is, then put into the container that all loaders of 64-bit images take.
$(patsubst %,$(OUT)/%.flat,$(NAMES_32)): $(OUT)/%.flat: $(BUILD)/32/x86/%.o $(OBJECTS_32) lib/boot/image.lds
	@mkdir -p $(@D)
	$(call say,LD32,$@)$(LD) $(LDFLAGS_32) -o $(BUILD)/32/x86/$*.elf $(OBJECTS_32) $<
	@$(OBJCOPY) -I elf32-i386 -O elf64-x86-64 $(BUILD)/32/x86/$*.elf $@

clean:
	rm -rf $(BUILD) x86/*.flat

include scripts/check.mak

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
