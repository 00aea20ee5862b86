// SPDX-License-Identifier: BSD-2-Clause
//
// Boots an image in v86 without a browser: launch.mjs PACKAGE IMAGE MEMORY ARGS
// Serial port 1 goes to standard output; a write to port 0xF4 ends it, as QEMU's isa-debug-exit does.

import fs from "node:fs";
import path from "node:path";
import url from "node:url";

const [packageFolder, image, memory, args] = process.argv.slice(2);
const build = path.resolve(packageFolder, "build");
const { V86 } = await import(url.pathToFileURL(path.join(build, "libv86.mjs")));

const content = fs.readFileSync(image);
let console_bytes = [];
let writing = false;

function flush() {
	if (console_bytes.length)
		fs.writeSync(1, Buffer.from(console_bytes));
	console_bytes = [];
	writing = false;
}

// What a throw inside of the emulator means to whoever waits for the report.
function give_up(error) {
	flush();
	fs.writeSync(2, `v86: fatal: ${error && error.message || error}\n`);
	process.exit(1);
}
process.on("uncaughtException", give_up);
process.on("unhandledRejection", give_up);

const emulator = new V86({
	wasm_path: path.join(build, "v86.wasm"),
	multiboot: { buffer: content.buffer.slice(content.byteOffset, content.byteOffset + content.length) },
	cmdline: args,
	memory_size: Number(memory) * 1024 * 1024,
	vga_memory_size: 1024 * 1024,
	disable_speaker: true,
	autostart: true,
});

emulator.add_listener("serial0-output-byte", (byte) => {
	console_bytes.push(byte);
	if (!writing) {
		writing = true;
		setImmediate(flush);
	}
});
emulator.add_listener("emulator-loaded", () => {
	const end = (value) => {
		flush();
		process.exit(value & 0xff);
	};
	emulator.v86.cpu.io.register_write(0xf4, emulator, end, end, end);
});
