/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The console: COM1 (115200 8N1, polled), mirrored to the debug port 0xE9.
 */
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

/* COM1's scratch register, which does nothing but keep a byte. */
#define SERIAL_SCRATCH 0x3ff

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>

/* Programs the UART, which some machines leave unprogrammed; notes whether one answers at all. */
void serial_init(void);

/* Sends bytes, LF as CR LF. Waits are bounded: a UART that never gets ready is given up for good.
 */
void serial_put(const char *bytes, size_t length);

/* Waits, within bounds, until the last byte has left the UART. Call it before the machine ends. */
void serial_drain(void);

/* Whether there is a UART that keeps what its scratch register is given; the oldest ones have none.
 */
bool serial_has_scratch(void);
#endif

#endif
