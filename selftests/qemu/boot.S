/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest of the stock QEMU test: one boot sector
 *
 * It finds the edu devices on PCI bus 0 and then, at each tick of the timer, checks
 * that their registers hold what it wrote last, and writes new values, eight times
 * over. Between ticks it sleeps, so that the emulated machine it runs in is free for
 * the rest. On the debug console it says
 *
 *	B<n>	at the start: n devices were found
 *	.	at every tick
 *	X<i><r>	device i, counted from 0, has lost register r: l liveness,
 *		f factorial, s and d the DMA addresses, c the DMA count
 *
 * The DMA count is written once and stays; the others are never the same twice in a
 * row. A device that does not answer stops the ticks.
 *
 * What the machine asks to have unplugged is let go at the next tick.
 */

#define DEBUG_PORT	0xe9
#define ROUNDS		8

#define DEVICES		0x1000		/* their BARs; a 0 ends them */
#define COUNTER		0x1100
#define IDT		0x2000

#define PIC_COMMAND	0x20
#define PIC_DATA	0x21
#define TIMER_VECTOR	8		/* as the BIOS has programmed the PIC */

#define PCI_ADDRESS	0xcf8
#define PCI_DATA	0xcfc
#define PCI_BUS_0	0x80000000
#define PCI_BUS_1	0x80010000
#define PCI_BAR0	0x10
#define EDU_ID		0x11e81234

#define HOTPLUG_DOWN	0xae04		/* slots to let go, a bit each */
#define HOTPLUG_EJECT	0xae08

#define EDU_LIVE	0x04
#define EDU_FACT	0x08
#define EDU_STATUS	0x20
#define EDU_COMPUTING	0x01
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_CNT	0x90

#define CODE		0x08
#define DATA		0x10

	.code16
	.globl	_start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$CODE, $protected

	.code32
protected:
	movw	$DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$_start, %esp
	cld

	/* the timer, and no other interrupt */
	movl	$(CODE << 16) + tick, IDT + TIMER_VECTOR * 8
	movl	$0x8e00, IDT + TIMER_VECTOR * 8 + 4
	lidtl	idt_pointer
	movb	$~1, %al
	outb	%al, $PIC_DATA

	movl	$PCI_BUS_0, %ebx
	movl	$DEVICES, %edi
scan:
	movl	%ebx, %eax
	call	config_read
	cmpl	$EDU_ID, %eax
	jne	next
	leal	PCI_BAR0(%ebx), %eax
	call	config_read
	andb	$0xf0, %al
	stosl
next:
	addl	$0x800, %ebx
	cmpl	$PCI_BUS_1, %ebx
	jne	scan

	movb	$'B', %al
	call	print
	leal	-DEVICES(%edi), %eax
	shrl	$2, %eax
	orb	$'0', %al
	call	print
	xorl	%eax, %eax
	stosl
	movl	%eax, COUNTER

	movl	$DEVICES, %esi
first:
	lodsl
	testl	%eax, %eax
	jz	run
	movl	%eax, %ebx
	call	constant
	movl	%edx, EDU_DMA_CNT(%ebx)
	jmp	first

run:
	call	write_all
	movl	$ROUNDS, %ebp
round:
	call	check_all
	incl	COUNTER
	call	write_all
	decl	%ebp
	jnz	round

	movw	$HOTPLUG_DOWN, %dx
	inl	%dx, %eax
	movw	$HOTPLUG_EJECT, %dx
	outl	%eax, %dx
	movb	$'.', %al
	call	print
	sti
	hlt
	cli
	call	check_all
	jmp	run

tick:
	pushl	%eax
	movb	$0x20, %al
	outb	%al, $PIC_COMMAND
	popl	%eax
	iret

/* %eax: address, then the value */
config_read:
	movw	$PCI_ADDRESS, %dx
	outl	%eax, %dx
	movw	$PCI_DATA, %dx
	inl	%dx, %eax
	ret

print:
	outb	%al, $DEBUG_PORT
	ret

/* %edx: what the device at %ebx keeps in its DMA count */
constant:
	imull	$0x9e3779b1, %ebx, %edx
	notl	%edx
	ret

/* %edx: what the device at %ebx gets in this round, %eax: its factorial's operand */
values:
	movl	COUNTER, %eax
	incl	%eax
	imull	$0x85ebca6b, %eax, %edx
	addl	%ebx, %edx
	andl	$7, %eax
	incl	%eax
	ret

write_all:
	movl	$DEVICES, %esi
write:
	lodsl
	testl	%eax, %eax
	jz	done
	movl	%eax, %ebx
	call	values
	movl	%eax, EDU_FACT(%ebx)
	movl	%edx, EDU_LIVE(%ebx)
	roll	$8, %edx
	movl	%edx, EDU_DMA_SRC(%ebx)
	roll	$8, %edx
	movl	%edx, EDU_DMA_DST(%ebx)
	jmp	write
done:
	ret

check_all:
	movl	$DEVICES, %esi
check:
	lodsl
	testl	%eax, %eax
	jz	done
	movl	%eax, %ebx
idle:
	movl	EDU_STATUS(%ebx), %eax
	testb	$EDU_COMPUTING, %al
	jnz	idle

	call	values
	pushl	%eax
	movl	EDU_LIVE(%ebx), %eax
	notl	%eax
	movb	$'l', %cl
	call	expect
	roll	$8, %edx
	movl	EDU_DMA_SRC(%ebx), %eax
	movb	$'s', %cl
	call	expect
	roll	$8, %edx
	movl	EDU_DMA_DST(%ebx), %eax
	movb	$'d', %cl
	call	expect
	call	constant
	movl	EDU_DMA_CNT(%ebx), %eax
	movb	$'c', %cl
	call	expect

	popl	%ecx
	xorl	%eax, %eax
	incl	%eax
factor:
	mull	%ecx
	loop	factor
	movl	EDU_FACT(%ebx), %edx
	movb	$'f', %cl
	call	expect
	jmp	check

/* %eax and %edx are equal, or register %cl is lost */
expect:
	cmpl	%eax, %edx
	je	equal
	movb	$'X', %al
	call	print
	leal	-DEVICES - 4(%esi), %eax
	shrl	$2, %eax
	orb	$'0', %al
	call	print
	movb	%cl, %al
	call	print
equal:
	ret

gdt:
	.quad	0
	.quad	0x00cf9a000000ffff	/* CODE: all 4 GiB, 32 bits */
	.quad	0x00cf92000000ffff	/* DATA: the same */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
idt_pointer:
	.word	TIMER_VECTOR * 8 + 7
	.long	IDT

	.org	510
	.word	0xaa55
