#include "go_asm.h"
#include "textflag.h"

// PLACE adds the place of the lowest bit of AX to the ends, and clears the bit.
#define PLACE(to) \
	TZCNTQ AX, R15     \
	ADDL R8, R15       \
	MOVL R15, to(R14)  \
	BLSRQ AX, AX

// func cutBlocks(c *plainCut)
//
// What a block has changed is stored in c behind it, so that a block that is refused
// leaves nothing.
TEXT ·cutBlocks(SB), NOSPLIT, $0-8
	MOVQ c+0(FP), DX
	MOVQ plainCut_text(DX), SI
	MOVQ plainCut_at(DX), R8
	MOVQ plainCut_ends(DX), DI
	MOVQ plainCut_end(DX), R9
	MOVQ plainCut_rows(DX), CX
	MOVQ plainCut_row(DX), R10
	IMUL3Q $csvRow__size, R10, R10
	MOVQ plainCut_first(DX), R11
	MOVBLZX plainCut_kind(DX), R12
	ADDQ R8, SI
	VPBROADCASTB plainCut_delim(DX), Y0
	VPBROADCASTB plainCut_quote(DX), Y1
	VPBROADCASTB plainCut_feed(DX), Y2
	VPBROADCASTB plainCut_limit(DX), Y3
	VPXOR Y9, Y9, Y9           // what is NUL or not ASCII

block:
	VMOVDQU 0(SI), Y4
	VMOVDQU 32(SI), Y5
	VPCMPEQB Y1, Y4, Y6
	VPCMPEQB Y1, Y5, Y7
	VPOR Y6, Y7, Y7
	VPMOVMSKB Y7, AX
	TESTL AX, AX
	JNZ  out                   // a quote

	VPCMPEQB Y2, Y4, Y6
	VPMOVMSKB Y6, BX
	VPCMPEQB Y2, Y5, Y7
	VPMOVMSKB Y7, R14
	SHLQ $32, R14
	ORQ  R14, BX               // line feeds
	VPCMPEQB Y0, Y4, Y6
	VPMOVMSKB Y6, AX
	VPCMPEQB Y0, Y5, Y7
	VPMOVMSKB Y7, R14
	SHLQ $32, R14
	ORQ  R14, AX
	ORQ  BX, AX                // separators
	MOVQ AX, R13

	LEAQ (DI)(R9*4), R14
eight:
	PLACE(0)
	PLACE(4)
	PLACE(8)
	PLACE(12)
	PLACE(16)
	PLACE(20)
	PLACE(24)
	PLACE(28)
	ADDQ $32, R14
	TESTQ AX, AX
	JNZ  eight

	TESTQ BX, BX
	JZ   done
row:
	BLSMSKQ BX, R14
	ANDQ R13, R14
	POPCNTQ R14, R14
	ADDQ R9, R14               // behind the row's last separator
	MOVQ R14, R15
	SUBQ R11, R15
	CMPQ R15, $2
	JLT  out                   // a row of one field may be blank
	MOVL R11, csvRow_first(CX)(R10*1)
	MOVL R15, csvRow_fields(CX)(R10*1)
	MOVB R12, csvRow_kind(CX)(R10*1)
	ADDQ $csvRow__size, R10
	INCQ plainCut_row(DX)
	MOVQ R14, R11
	XORL R12, R12              // the next one is plain
	BLSRQ BX, BX
	JNZ  row

done:
	VPCMPGTB Y4, Y3, Y6        // limit > byte, as signed numbers
	VPCMPGTB Y5, Y3, Y7
	VPOR Y6, Y9, Y9
	VPOR Y7, Y9, Y9
	POPCNTQ R13, R14
	ADDQ R14, R9
	SHRQ $63, R13
	ADDQ $64, SI
	ADDQ $64, R8
	MOVQ R8, plainCut_at(DX)
	MOVQ R9, plainCut_end(DX)
	MOVQ plainCut_row(DX), R14
	MOVQ R14, plainCut_whole(DX)
	MOVQ R11, plainCut_first(DX)
	MOVB R12, plainCut_kind(DX)
	MOVQ R13, plainCut_after(DX)
	CMPQ R8, plainCut_stop(DX)
	JLT  block

out:
	VPMOVMSKB Y9, AX
	MOVL AX, plainCut_odd(DX)
	VZEROUPPER
	RET
