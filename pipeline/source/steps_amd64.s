#include "go_asm.h"
#include "textflag.h"

// func matchSteps(text *byte, at, end int, steps *jsonStep, n int, found *jsonValue) (done, place int, other uint32)
//
// Where a text was as long in the last two lines, it is expected to be so again: what
// follows need not wait until its end has been found, but only be right.
TEXT ·matchSteps(SB), NOSPLIT, $0-68
	MOVQ text+0(FP), SI
	MOVQ at+8(FP), CX
	MOVQ end+16(FP), R8
	MOVQ steps+24(FP), DI
	MOVQ n+32(FP), R9
	MOVQ found+40(FP), R10
	XORL R11, R11              // bytes that are not ASCII
	MOVL $0x22, AX
	VMOVQ AX, X0
	VPBROADCASTB X0, Y0        // quotes
	MOVL $0x5c, AX
	VMOVQ AX, X1
	VPBROADCASTB X1, Y1        // backslashes
	MOVL $0x1f, AX
	VMOVQ AX, X2
	VPBROADCASTB X2, Y2        // the highest control character
	MOVL $0x30, AX
	VMOVQ AX, X3
	VPBROADCASTB X3, Y3        // zeros
	MOVL $9, AX
	VMOVQ AX, X8
	VPBROADCASTB X8, Y8        // nines, as numbers

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
	VMOVDQU 0(SI)(CX*1), Y4
	VPCMPEQB 0(AX), Y4, Y4
	VPMOVMSKB Y4, AX
	NOTL AX
	TESTL DX, AX
	JNZ  out
	MOVQ R13, CX
	CMPB jsonStep_closes(DI), $0
	JNE  next

	CMPB 0(SI)(R13*1), $0x22
	JNE  null
	INCQ R13
	MOVQ R13, CX

chunk:
	VMOVDQU 0(SI)(CX*1), Y4
	VPCMPEQB Y0, Y4, Y5
	VPCMPEQB Y1, Y4, Y6
	VPMINUB Y2, Y4, Y7
	VPCMPEQB Y4, Y7, Y7
	VPOR Y5, Y6, Y6
	VPOR Y6, Y7, Y7
	VPMOVMSKB Y7, DX           // what may end a text
	VPMOVMSKB Y4, AX           // what is not ASCII
	TESTL DX, DX
	JZ   longer
	LEAL -1(DX), BX
	XORL DX, BX                // the bits up to the end
	ANDL BX, AX
	ORL  AX, R11
	BSFL DX, BX
	ADDQ CX, BX
	SUBQ R13, BX               // the length
	MOVLQZX jsonStep_length(DI), AX
	CMPL BX, AX
	JNE  unexpected
	LEAQ (R13)(AX*1), CX

ended:
	CMPQ CX, R8
	JGE  out
	CMPB 0(SI)(CX*1), $0x22
	JNE  out
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

unexpected:
	LEAQ (R13)(BX*1), CX
	MOVL $-1, AX               // longer than any
	CMPL BX, jsonStep_last(DI)
	JNE  changed
	MOVL BX, AX
changed:
	MOVL AX, jsonStep_length(DI)
	MOVL BX, jsonStep_last(DI)
	JMP  ended

longer:
	ORL  AX, R11
	ADDQ $32, CX
	CMPQ CX, R8
	JL   chunk
	JMP  out

null:
	CMPL 0(SI)(R13*1), $0x6c6c756e
	JNE  number
	LEAQ 4(R13), CX
	CMPQ CX, R8
	JG   out
	MOVQ jsonStep_slot(DI), AX // a key may come twice
	MOVQ $0, 0(R10)(AX*8)
	JMP  next

number: // digits, and digits behind a point; what has an exponent is not for us
	MOVQ R13, CX
	CMPB 0(SI)(CX*1), $0x2d    // minus
	JNE  digits
	INCQ CX
digits:
	VMOVDQU 0(SI)(CX*1), Y4
	VPSUBB Y3, Y4, Y4
	VPMINUB Y8, Y4, Y5
	VPCMPEQB Y4, Y5, Y5
	VPMOVMSKB Y5, DX
	NOTL DX
	TESTL DX, DX
	JZ   out
	BSFL DX, BX                // digits before the point
	TESTL BX, BX
	JZ   out
	CMPL BX, $1
	JE   point
	CMPB 0(SI)(CX*1), $0x30    // a zero before other digits
	JE   out
point:
	LEAQ (CX)(BX*1), AX
	CMPB 0(SI)(AX*1), $0x2e
	JNE  whole
	LEAL -1(DX), AX
	ANDL AX, DX                // without the point
	JZ   out
	BSFL DX, DX
	INCL BX
	CMPL DX, BX                // no digits behind it
	JE   out
	MOVL DX, BX
whole:
	ADDQ BX, CX
	CMPQ CX, R8
	JGE  out
	MOVBLZX 0(SI)(CX*1), AX
	CMPL AX, $0x2c             // a comma or a closing brace follows
	JE   there
	CMPL AX, $0x7d
	JNE  out
there:
	MOVQ jsonStep_slot(DI), AX
	MOVL R13, 0(R10)(AX*8)
	MOVL CX, 4(R10)(AX*8)
	JMP  next

out:
	MOVQ n+32(FP), AX
	SUBQ R9, AX
	MOVQ AX, done+48(FP)
	MOVQ R12, place+56(FP)
	MOVL R11, other+64(FP)
	VZEROUPPER
	RET
