// The smallest program that says hello on Linux, so that the image of the quick start really runs. It makes two system
// calls, write(1, text, length) and exit(0), and needs no library and no compiler.

const ADDRESS = 0x400000;
const ENTRY = 64 + 56; // behind the headers: one of the file, one of its only segment

/** An executable file for `amd64` or `arm64` that prints the text. */
export function programOf(architecture, text) {
  const message = Buffer.from(text);
  const code = CODE[architecture](message.length);
  const size = ENTRY + code.length + message.length;

  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bit, little-endian, version 1
  header.writeUInt16LE(2, 16); // an executable
  header.writeUInt16LE(architecture === 'amd64' ? 62 : 183, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(ADDRESS + ENTRY), 24);
  header.writeBigUInt64LE(64n, 32); // the segment's header follows this one
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);

  const segment = Buffer.alloc(56);
  segment.writeUInt32LE(1, 0); // to be loaded
  segment.writeUInt32LE(5, 4); // readable and executable
  segment.writeBigUInt64LE(BigInt(ADDRESS), 16);
  segment.writeBigUInt64LE(BigInt(ADDRESS), 24);
  segment.writeBigUInt64LE(BigInt(size), 32);
  segment.writeBigUInt64LE(BigInt(size), 40);
  segment.writeBigUInt64LE(0x10000n, 48); // arm64 has pages of up to 64 KiB
  return Buffer.concat([header, segment, code, message]);
}

const CODE = {
  amd64: (length) => {
    const hex = [
      'b8 01000000', // mov eax, 1 (write)
      'bf 01000000', // mov edi, 1 (standard output)
      '488d35 10000000', // lea rsi, [rip + 16] (the text, behind the code)
      'ba 00000000', // mov edx, length
      '0f05', // syscall
      'b8 3c000000', // mov eax, 60 (exit)
      '31ff', // xor edi, edi
      '0f05', // syscall
    ];
    const code = Buffer.from(hex.join('').replaceAll(' ', ''), 'hex');
    code.writeUInt32LE(length, 18);
    return code;
  },
  arm64: (length) => {
    const words = [
      0xd2800020, // mov x0, #1 (standard output)
      0x100000e1, // adr x1, #28 (the text, behind the code)
      0xd2800002 | (length << 5), // mov x2, #length
      0xd2800808, // mov x8, #64 (write)
      0xd4000001, // svc #0
      0xd2800000, // mov x0, #0
      0xd2800ba8, // mov x8, #93 (exit)
      0xd4000001, // svc #0
    ];
    const code = Buffer.alloc(4 * words.length);
    for (const [i, word] of words.entries()) code.writeUInt32LE(word >>> 0, 4 * i);
    return code;
  },
};
