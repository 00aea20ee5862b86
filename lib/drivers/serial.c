/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/serial.h"

#include "cpu/io.h"

#define COM1	   0x3f8
#define DEBUG_PORT 0xe9

enum {
	UART_DATA = 0,
	UART_INTERRUPT_ENABLE = 1,
	UART_FIFO_CONTROL = 2, /* written */
	UART_INTERRUPT_ID = 2, /* read */
	UART_LINE_CONTROL = 3,
	UART_MODEM_CONTROL = 4,
	UART_LINE_STATUS = 5,
};

#define LINE_CONTROL_DLAB     0x80
#define LINE_CONTROL_8N1      0x03
#define LINE_STATUS_THR_EMPTY 0x20
#define LINE_STATUS_IDLE      0x40
#define FIFO_ENABLE_AND_CLEAR 0x07
#define MODEM_CONTROL_DTR_RTS 0x03
#define DIVISOR_115200	      1
#define MOST_POLLS	      100000
#define FIFO_BYTES	      16
#define INTERRUPT_ID_FIFO     0xc0
#define NOTHING_THERE	      0xff

static bool present;
static unsigned fifo_bytes;
static unsigned room; /* bytes that surely fit in the transmit FIFO without another poll */

void serial_init(void)
{
	present = in8(COM1 + UART_LINE_STATUS) != NOTHING_THERE;
	if (!present)
		return;
	out8(COM1 + UART_INTERRUPT_ENABLE, 0);
	out8(COM1 + UART_LINE_CONTROL, LINE_CONTROL_DLAB);
	out8(COM1 + UART_DATA, DIVISOR_115200);
	out8(COM1 + UART_INTERRUPT_ENABLE, 0); /* the divisor's high byte */
	out8(COM1 + UART_LINE_CONTROL, LINE_CONTROL_8N1);
	out8(COM1 + UART_FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR);
	out8(COM1 + UART_MODEM_CONTROL, MODEM_CONTROL_DTR_RTS);
	fifo_bytes = (in8(COM1 + UART_INTERRUPT_ID) & INTERRUPT_ID_FIFO) ? FIFO_BYTES : 1;
	room = 0;
}

static bool wait_for(uint8_t status)
{
	for (unsigned polls = 0; polls < MOST_POLLS; polls++) {
		if ((in8(COM1 + UART_LINE_STATUS) & status) == status)
			return true;
		pause();
	}
	return false;
}

static void send(char c)
{
	out8(DEBUG_PORT, (uint8_t)c);
	if (!present)
		return;
	if (!room) {
		present = wait_for(LINE_STATUS_THR_EMPTY);
		room = fifo_bytes;
	}
	out8(COM1 + UART_DATA, (uint8_t)c);
	room--;
}

void serial_put(const char *bytes, size_t length)
{
	for (; length; length--, bytes++) {
		if (*bytes == '\n')
			send('\r');
		send(*bytes);
	}
}

bool serial_has_scratch(void)
{
	if (!present)
		return false;
	out8(SERIAL_SCRATCH, 0x5a);
	if (in8(SERIAL_SCRATCH) != 0x5a)
		return false;
	out8(SERIAL_SCRATCH, 0xa5);
	return in8(SERIAL_SCRATCH) == 0xa5;
}

void serial_drain(void)
{
	if (present)
		wait_for(LINE_STATUS_IDLE);
}
