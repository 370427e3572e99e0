#include "textflag.h"

// SHA-256 of two texts, block by block at the same time. The instructions of one text
// depend on each other, so that the processor waits between them; those of the other
// fill the gaps. X0 is for both: the instruction takes its words from there.

// The round constants, four a group (FIPS 180-4, 4.2.2).
DATA constants<>+0x00(SB)/8, $0x71374491428a2f98
DATA constants<>+0x08(SB)/8, $0xe9b5dba5b5c0fbcf
DATA constants<>+0x10(SB)/8, $0x59f111f13956c25b
DATA constants<>+0x18(SB)/8, $0xab1c5ed5923f82a4
DATA constants<>+0x20(SB)/8, $0x12835b01d807aa98
DATA constants<>+0x28(SB)/8, $0x550c7dc3243185be
DATA constants<>+0x30(SB)/8, $0x80deb1fe72be5d74
DATA constants<>+0x38(SB)/8, $0xc19bf1749bdc06a7
DATA constants<>+0x40(SB)/8, $0xefbe4786e49b69c1
DATA constants<>+0x48(SB)/8, $0x240ca1cc0fc19dc6
DATA constants<>+0x50(SB)/8, $0x4a7484aa2de92c6f
DATA constants<>+0x58(SB)/8, $0x76f988da5cb0a9dc
DATA constants<>+0x60(SB)/8, $0xa831c66d983e5152
DATA constants<>+0x68(SB)/8, $0xbf597fc7b00327c8
DATA constants<>+0x70(SB)/8, $0xd5a79147c6e00bf3
DATA constants<>+0x78(SB)/8, $0x1429296706ca6351
DATA constants<>+0x80(SB)/8, $0x2e1b213827b70a85
DATA constants<>+0x88(SB)/8, $0x53380d134d2c6dfc
DATA constants<>+0x90(SB)/8, $0x766a0abb650a7354
DATA constants<>+0x98(SB)/8, $0x92722c8581c2c92e
DATA constants<>+0xa0(SB)/8, $0xa81a664ba2bfe8a1
DATA constants<>+0xa8(SB)/8, $0xc76c51a3c24b8b70
DATA constants<>+0xb0(SB)/8, $0xd6990624d192e819
DATA constants<>+0xb8(SB)/8, $0x106aa070f40e3585
DATA constants<>+0xc0(SB)/8, $0x1e376c0819a4c116
DATA constants<>+0xc8(SB)/8, $0x34b0bcb52748774c
DATA constants<>+0xd0(SB)/8, $0x4ed8aa4a391c0cb3
DATA constants<>+0xd8(SB)/8, $0x682e6ff35b9cca4f
DATA constants<>+0xe0(SB)/8, $0x78a5636f748f82ee
DATA constants<>+0xe8(SB)/8, $0x8cc7020884c87814
DATA constants<>+0xf0(SB)/8, $0xa4506ceb90befffa
DATA constants<>+0xf8(SB)/8, $0xc67178f2bef9a3f7
GLOBL constants<>(SB), RODATA|NOPTR, $256

// The bytes of four words, from big-endian.
DATA order<>+0(SB)/8, $0x0405060700010203
DATA order<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL order<>(SB), RODATA|NOPTR, $16

// LOAD reads a state into s0 and s1 as the instructions want it: words a b e f and c d g h.
#define LOAD(from, s0, s1, t) \
	MOVOU 0(from), s0        \
	MOVOU 16(from), s1       \
	MOVO s0, t               \
	PUNPCKLQDQ s1, s0        \
	PUNPCKHQDQ t, s1         \
	PSHUFD $0x1b, s0, s0     \
	PSHUFD $0xb1, s1, s1

// STORE is the reverse of LOAD.
#define STORE(to, s0, s1, t) \
	MOVO s0, t           \
	PUNPCKLQDQ s1, s0    \
	PUNPCKHQDQ t, s1     \
	PSHUFD $0xb1, s0, s0 \
	PSHUFD $0x1b, s1, s1 \
	MOVOU s1, 0(to)      \
	MOVOU s0, 16(to)

// WORDS reads four words of a block.
#define WORDS(from, at, m) \
	MOVOU at(from), m \
	PSHUFB X15, m

// ROUNDS does four rounds with the words m of one text.
#define ROUNDS(at, m, s0, s1) \
	MOVO m, X0                 \
	PADDD at(AX), X0           \
	SHA256RNDS2 X0, s0, s1     \
	PUNPCKHQDQ X0, X0          \
	SHA256RNDS2 X0, s1, s0

// NEXT completes the words that follow m, of which the last ones are before it; their
// first half is in next.
#define NEXT(m, before, next, t) \
	MOVO m, t                 \
	PALIGNR $4, before, t     \
	PADDD t, next             \
	SHA256MSG2 m, next

// BOTH does four rounds of both texts. m are the words; what NEXT and SHA256MSG1 have to
// do for later words stands behind.
#define BOTH(at, ma, mb) \
	ROUNDS(at, ma, X1, X2) \
	ROUNDS(at, mb, X8, X9)

// MIDDLE is BOTH, and prepares words: those after m for the next rounds, and the first
// half of those after them in the place of the words before.
#define MIDDLE(at, ma, beforea, nexta, mb, beforeb, nextb) \
	BOTH(at, ma, mb)               \
	NEXT(ma, beforea, nexta, X7)   \
	NEXT(mb, beforeb, nextb, X14)  \
	SHA256MSG1 ma, beforea         \
	SHA256MSG1 mb, beforeb

// func sumBlocks(a, b *[8]uint32, textA, textB *byte, blocks int)
TEXT ·sumBlocks(SB), NOSPLIT, $64-40
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ textA+16(FP), R8
	MOVQ textB+24(FP), R9
	MOVQ blocks+32(FP), CX
	LEAQ constants<>(SB), AX
	MOVOU order<>(SB), X15
	LOAD(DI, X1, X2, X7)
	LOAD(SI, X8, X9, X14)

block:
	MOVOU X1, 0(SP)
	MOVOU X2, 16(SP)
	MOVOU X8, 32(SP)
	MOVOU X9, 48(SP)

	WORDS(R8, 0, X3)
	WORDS(R9, 0, X10)
	BOTH(0x00, X3, X10)

	WORDS(R8, 16, X4)
	WORDS(R9, 16, X11)
	BOTH(0x10, X4, X11)
	SHA256MSG1 X4, X3
	SHA256MSG1 X11, X10

	WORDS(R8, 32, X5)
	WORDS(R9, 32, X12)
	BOTH(0x20, X5, X12)
	SHA256MSG1 X5, X4
	SHA256MSG1 X12, X11

	WORDS(R8, 48, X6)
	WORDS(R9, 48, X13)
	MIDDLE(0x30, X6, X5, X3, X13, X12, X10)
	MIDDLE(0x40, X3, X6, X4, X10, X13, X11)
	MIDDLE(0x50, X4, X3, X5, X11, X10, X12)
	MIDDLE(0x60, X5, X4, X6, X12, X11, X13)
	MIDDLE(0x70, X6, X5, X3, X13, X12, X10)
	MIDDLE(0x80, X3, X6, X4, X10, X13, X11)
	MIDDLE(0x90, X4, X3, X5, X11, X10, X12)
	MIDDLE(0xa0, X5, X4, X6, X12, X11, X13)
	MIDDLE(0xb0, X6, X5, X3, X13, X12, X10)
	MIDDLE(0xc0, X3, X6, X4, X10, X13, X11)

	BOTH(0xd0, X4, X11)
	NEXT(X4, X3, X5, X7)
	NEXT(X11, X10, X12, X14)
	BOTH(0xe0, X5, X12)
	NEXT(X5, X4, X6, X7)
	NEXT(X12, X11, X13, X14)
	BOTH(0xf0, X6, X13)

	MOVOU 0(SP), X7
	PADDD X7, X1
	MOVOU 16(SP), X7
	PADDD X7, X2
	MOVOU 32(SP), X7
	PADDD X7, X8
	MOVOU 48(SP), X7
	PADDD X7, X9

	ADDQ $64, R8
	ADDQ $64, R9
	DECQ CX
	JNZ  block

	STORE(DI, X1, X2, X7)
	STORE(SI, X8, X9, X14)
	RET

// func features(leaf uint32) (b uint32): the register EBX of CPUID.
TEXT ·features(SB), NOSPLIT, $0-12
	MOVL leaf+0(FP), AX
	XORL CX, CX
	CPUID
	MOVL BX, b+8(FP)
	RET

// func highestLeaf() uint32: the highest leaf of CPUID.
TEXT ·highestLeaf(SB), NOSPLIT, $0-4
	XORL AX, AX
	XORL CX, CX
	CPUID
	MOVL AX, ret+0(FP)
	RET
