#include "go_asm.h"
#include "textflag.h"

// FOUND leaves in to a bit for each of 32 bytes, of which x and y hold the halves, that
// is a quote, a backslash or a control character.
#define FOUND(x, y, to, t) \
	MOVO x, X6          \
	PCMPEQB X0, X6      \
	MOVO x, X7          \
	PCMPEQB X1, X7      \
	POR X7, X6          \
	MOVO x, X7          \
	PMINUB X2, X7       \
	PCMPEQB x, X7       \
	POR X7, X6          \
	PMOVMSKB X6, to     \
	MOVO y, X6          \
	PCMPEQB X0, X6      \
	MOVO y, X7          \
	PCMPEQB X1, X7      \
	POR X7, X6          \
	MOVO y, X7          \
	PMINUB X2, X7       \
	PCMPEQB y, X7       \
	POR X7, X6          \
	PMOVMSKB X6, t      \
	SHLL $16, t         \
	ORL t, to

// func matchSteps(text *byte, at, end int, steps *jsonStep, n int, found *jsonValue) (done, place int, other uint32)
TEXT ·matchSteps(SB), NOSPLIT, $0-68
	MOVQ text+0(FP), SI
	MOVQ at+8(FP), CX
	MOVQ end+16(FP), R8
	MOVQ steps+24(FP), DI
	MOVQ n+32(FP), R9
	MOVQ found+40(FP), R10
	XORL R11, R11              // bytes that are not ASCII
	MOVQ $0x2222222222222222, AX
	MOVQ AX, X0
	PUNPCKLQDQ X0, X0
	MOVQ $0x5c5c5c5c5c5c5c5c, AX
	MOVQ AX, X1
	PUNPCKLQDQ X1, X1
	MOVQ $0x1f1f1f1f1f1f1f1f, AX
	MOVQ AX, X2
	PUNPCKLQDQ X2, X2

step:
	MOVQ CX, R12               // where a step begins that is not for us
	MOVL jsonStep_mask(DI), DX
	TESTL DX, DX
	JZ   out
	MOVQ jsonStep_before(DI), AX
	MOVQ CX, R13
	ADDQ (jsonStep_before+8)(DI), R13
	CMPQ R13, R8
	JGE  out
	MOVOU 0(SI)(CX*1), X4
	MOVOU 16(SI)(CX*1), X5
	MOVOU 0(AX), X6
	MOVOU 16(AX), X7
	PCMPEQB X6, X4
	PCMPEQB X7, X5
	PMOVMSKB X4, AX
	PMOVMSKB X5, BX
	SHLL $16, BX
	ORL  BX, AX
	NOTL AX
	TESTL DX, AX
	JNZ  out
	MOVQ R13, CX
	CMPB jsonStep_closes(DI), $0
	JNE  next

	CMPB 0(SI)(R13*1), $0x22   // a quote
	JNE  null
	INCQ R13
	MOVQ R13, CX

chunk:
	MOVOU 0(SI)(CX*1), X4
	MOVOU 16(SI)(CX*1), X5
	PMOVMSKB X4, AX
	PMOVMSKB X5, BX
	SHLL $16, BX
	ORL  BX, AX
	FOUND(X4, X5, DX, BX)
	TESTL DX, DX
	JZ   longer
	BSFL DX, BX
	ADDQ BX, CX
	CMPQ CX, R8
	JGE  out
	CMPB 0(SI)(CX*1), $0x22
	JNE  out
	LEAL -1(DX), BX
	XORL DX, BX                // the bits up to the quote
	ANDL BX, AX
	ORL  AX, R11
	MOVQ jsonStep_slot(DI), AX
	MOVL R13, 0(R10)(AX*8)
	MOVL CX, 4(R10)(AX*8)
	INCQ CX

next:
	ADDQ $jsonStep__size, DI
	DECQ R9
	JNZ  step
	MOVQ CX, R12
	JMP  out

longer:
	ORL  AX, R11
	ADDQ $32, CX
	CMPQ CX, R8
	JL   chunk
	JMP  out

null:
	CMPL 0(SI)(R13*1), $0x6c6c756e
	JNE  out
	LEAQ 4(R13), CX
	CMPQ CX, R8
	JG   out
	MOVQ jsonStep_slot(DI), AX // a key may come twice
	MOVQ $0, 0(R10)(AX*8)
	JMP  next

out:
	MOVQ n+32(FP), AX
	SUBQ R9, AX
	MOVQ AX, done+48(FP)
	MOVQ R12, place+56(FP)
	MOVL R11, other+64(FP)
	RET
