#include "textflag.h"

// EQUAL stores at DI+at the mask of the bytes of X4-X7 that equal those of pattern.
#define EQUAL(pattern, at) \
	MOVO X4, X8; PCMPEQB pattern, X8; PMOVMSKB X8, AX  \
	MOVO X5, X9; PCMPEQB pattern, X9; PMOVMSKB X9, BX  \
	MOVO X6, X10; PCMPEQB pattern, X10; PMOVMSKB X10, R8 \
	MOVO X7, X11; PCMPEQB pattern, X11; PMOVMSKB X11, R9 \
	SHLQ $16, BX; SHLQ $32, R8; SHLQ $48, R9            \
	ORQ  BX, AX; ORQ R9, R8; ORQ R8, AX                 \
	MOVQ AX, at(DI)

// func markBlocks(to *marks, text *byte, blocks int, m *markers)
TEXT ·markBlocks(SB), NOSPLIT, $0-32
	MOVQ to+0(FP), DI
	MOVQ text+8(FP), SI
	MOVQ blocks+16(FP), CX
	MOVQ m+24(FP), DX

	MOVQ 0(DX), X0
	PUNPCKLQDQ X0, X0
	MOVQ 8(DX), X1
	PUNPCKLQDQ X1, X1
	MOVQ 16(DX), X2
	PUNPCKLQDQ X2, X2
	MOVQ 24(DX), X3
	PUNPCKLQDQ X3, X3

block:
	MOVOU 0(SI), X4
	MOVOU 16(SI), X5
	MOVOU 32(SI), X6
	MOVOU 48(SI), X7

	EQUAL(X0, 0)
	EQUAL(X1, 8)
	EQUAL(X2, 16)

	// limit > byte, as signed numbers: so are bytes that are not ASCII.
	MOVO X3, X8
	PCMPGTB X4, X8
	PMOVMSKB X8, AX
	MOVO X3, X9
	PCMPGTB X5, X9
	PMOVMSKB X9, BX
	MOVO X3, X10
	PCMPGTB X6, X10
	PMOVMSKB X10, R8
	MOVO X3, X11
	PCMPGTB X7, X11
	PMOVMSKB X11, R9
	SHLQ $16, BX
	SHLQ $32, R8
	SHLQ $48, R9
	ORQ BX, AX
	ORQ R9, R8
	ORQ R8, AX
	MOVQ AX, 24(DI)

	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNZ block
	RET
