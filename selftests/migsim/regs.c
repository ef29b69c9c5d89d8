// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of QEMU's edu device, saved and restored through BAR 0
 *
 * What is written is not always what is read back, so each register is
 * restored by the write that leads to the saved value:
 *
 *	0x04 liveness	the complement
 *	0x08 factorial	the n with n! == value; the device computes it anew
 *	0x20 status	bit 7 (interrupt after factorial) as it was
 *	0x24 irq status	0x64 clears all bits, 0x60 raises the saved ones
 *	0x80-0x90 dma	as they were, in one 8-byte access each
 *	0x98 dma cmd	not restored: a write of it starts a transfer, and the
 *			bits without RUN cannot be written. Saving waits for
 *			a running transfer instead.
 *
 * 0x60 also interrupts. While the saved bits are raised, bus mastering is off
 * and INTx disabled, so neither a message nor a line change leaves the
 * device. A level that was asserted on the source is asserted again once INTx
 * is enabled: it is part of the state. The 4 KiB buffer behind DMA is no
 * register, nobody can read it through the BAR, and it is not saved.
 *
 * edu answers accesses of 4 bytes below 0x80, of 4 or 8 above; it has no reset
 * handler, so the driver sets the registers after a reset.
 */

#include <linux/delay.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/pci.h>

#include "migsim.h"

#define EDU_LIVE		0x04
#define EDU_FACT		0x08
#define EDU_STATUS		0x20
#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_RAISE		0x60
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_CNT		0x90
#define EDU_DMA_CMD		0x98

#define EDU_STATUS_COMPUTING	0x01
#define EDU_STATUS_IRQFACT	0x80
#define EDU_DMA_RUN		0x01

/* 34! is the first that is 0 modulo 2^32, and it stays so */
#define EDU_FACT_ZERO		34

#define IDLE_TIMEOUT_MS		10000
#define WRITE_TRIES		3
#define FACT_TIMEOUT_US		(10 * USEC_PER_SEC)

/*
 * The user may have switched memory decoding off (QEMU does so around a
 * reset). memory_lock keeps the user and a reset away from PCI_COMMAND and
 * from the BAR while decoding is on for us; irqlock is what VFIO's interrupt
 * code holds when it changes PCI_COMMAND.
 */
static u16 command_change(struct migsim_device *dev, u16 clear, u16 set)
{
	struct pci_dev *pdev = dev->core.pdev;
	unsigned long flags;
	u16 old;

	spin_lock_irqsave(&dev->core.irqlock, flags);
	pci_read_config_word(pdev, PCI_COMMAND, &old);
	pci_write_config_word(pdev, PCI_COMMAND, (old & ~clear) | set);
	spin_unlock_irqrestore(&dev->core.irqlock, flags);
	return old;
}

static int bar_begin(struct migsim_device *dev, u16 *old)
{
	lockdep_assert_held(&dev->state_mutex);

	if (!dev->open)
		return -ENODEV;
	down_write(&dev->core.memory_lock);
	/* without the capability the core may not know the state: it is D0 */
	if (dev->core.pdev->pm_cap && dev->core.pdev->current_state != PCI_D0) {
		up_write(&dev->core.memory_lock);
		return -EIO;
	}
	*old = command_change(dev, 0, PCI_COMMAND_MEMORY);
	return 0;
}

static void bar_end(struct migsim_device *dev, u16 old)
{
	if (!(old & PCI_COMMAND_MEMORY))
		command_change(dev, PCI_COMMAND_MEMORY, 0);
	up_write(&dev->core.memory_lock);
}

static void read_all(void __iomem *io, struct migsim_regs *regs)
{
	regs->live = readl(io + EDU_LIVE);
	regs->fact = readl(io + EDU_FACT);
	regs->status = readl(io + EDU_STATUS);
	regs->irq = readl(io + EDU_IRQ_STATUS);
	regs->src = readq(io + EDU_DMA_SRC);
	regs->dst = readq(io + EDU_DMA_DST);
	regs->cnt = readq(io + EDU_DMA_CNT);
	regs->cmd = readq(io + EDU_DMA_CMD);
}

/**
 * migsim_regs_read - read all registers
 * @dev: the device
 * @regs: result
 *
 * Context: state_mutex; takes memory_lock, may sleep.
 * Return: 0, -ENODEV if the device is not open, -EIO if it is powered down.
 */
int migsim_regs_read(struct migsim_device *dev, struct migsim_regs *regs)
{
	u16 old;
	int ret;

	ret = bar_begin(dev, &old);
	if (ret)
		return ret;
	read_all(dev->core.barmap[0], regs);
	bar_end(dev, old);
	return 0;
}

static int factorial_find(u32 value)
{
	u32 product = 1;
	int n;

	for (n = 1; n <= EDU_FACT_ZERO; n++) {
		product *= n;
		if (product == value)
			return n;
	}
	return -EINVAL;
}

static int factorial_wait(void __iomem *io)
{
	u64 until = ktime_get_ns() + FACT_TIMEOUT_US * NSEC_PER_USEC;

	while (readl(io + EDU_STATUS) & EDU_STATUS_COMPUTING) {
		if (ktime_get_ns() > until)
			return -ETIMEDOUT;
		usleep_range(50, 200);
	}
	return 0;
}

static int factorial_write(void __iomem *io, int n)
{
	int ret;

	/* a computation under way would swallow the write */
	ret = factorial_wait(io);
	if (ret)
		return ret;
	writel(n, io + EDU_FACT);
	ret = factorial_wait(io);
	if (ret)
		return ret;
	/*
	 * edu's thread looks at the interrupt bit of the status only after it
	 * has cleared COMPUTING: let it pass before the bit is restored.
	 */
	usleep_range(200, 400);
	return 0;
}

static void irq_write(struct migsim_device *dev, void __iomem *io, u32 bits)
{
	u16 old;

	writel(~0U, io + EDU_IRQ_ACK);
	if (!bits)
		return;

	old = command_change(dev, PCI_COMMAND_MASTER,
			     PCI_COMMAND_INTX_DISABLE);
	writel(bits, io + EDU_IRQ_RAISE);
	readl(io + EDU_IRQ_STATUS);
	command_change(dev, old & PCI_COMMAND_INTX_DISABLE ?
		       0 : PCI_COMMAND_INTX_DISABLE, old & PCI_COMMAND_MASTER);
}

static int write_all(struct migsim_device *dev, void __iomem *io,
		     const struct migsim_regs *regs, int n)
{
	struct migsim_regs now;
	int ret;

	writel(0, io + EDU_STATUS);
	writel(~regs->live, io + EDU_LIVE);
	ret = factorial_write(io, n);
	if (ret)
		return ret;
	writeq(regs->src, io + EDU_DMA_SRC);
	writeq(regs->dst, io + EDU_DMA_DST);
	writeq(regs->cnt, io + EDU_DMA_CNT);
	irq_write(dev, io, regs->irq);
	writel(regs->status & EDU_STATUS_IRQFACT, io + EDU_STATUS);

	read_all(io, &now);
	if (now.live != regs->live || now.fact != regs->fact ||
	    now.status != regs->status || now.irq != regs->irq ||
	    now.src != regs->src || now.dst != regs->dst ||
	    now.cnt != regs->cnt) {
		pci_warn(dev->core.pdev,
			 "registers read %x %x %x %x %llx %llx %llx, written %x %x %x %x %llx %llx %llx\n",
			 now.live, now.fact, now.status, now.irq, now.src,
			 now.dst, now.cnt, regs->live, regs->fact, regs->status,
			 regs->irq, regs->src, regs->dst, regs->cnt);
		return -EIO;
	}
	return 0;
}

/**
 * migsim_regs_write - make all registers but cmd read as given
 * @dev: the device
 * @regs: the values
 *
 * Context: state_mutex; takes memory_lock, may sleep.
 * Return: 0; -EINVAL if no write leads to these values (the registers are
 * then untouched); -ENODEV, -EIO as migsim_regs_read(), -EIO also if they
 * read differently afterwards (a DMA transfer is running); -ETIMEDOUT.
 */
int migsim_regs_write(struct migsim_device *dev,
		      const struct migsim_regs *regs)
{
	int n = factorial_find(regs->fact);
	u16 old;
	int ret;
	u32 i;

	if (n < 0)
		return n;
	if (regs->status & ~EDU_STATUS_IRQFACT)
		return -EINVAL;

	ret = bar_begin(dev, &old);
	if (ret)
		return ret;
	/* the emulated device sometimes loses a write right after a reset */
	for (i = 0; i < WRITE_TRIES; i++) {
		ret = write_all(dev, dev->core.barmap[0], regs, n);
		if (ret != -EIO)
			break;
	}
	bar_end(dev, old);
	return ret;
}

/**
 * migsim_regs_reset - set the registers from the seed
 * @dev: the device
 *
 * No interrupt is pending and none enabled, as after any reset. A transfer
 * that the reset overtook is waited for: edu has no way to stop one.
 *
 * Context: state_mutex; takes memory_lock, may sleep.
 * Return: 0, or as migsim_regs_write().
 */
int migsim_regs_reset(struct migsim_device *dev)
{
	u64 state = ~dev->knobs.seed;
	struct migsim_regs regs = {
		.live = migsim_rand(&state),
		.fact = 1,
		.src = migsim_rand(&state),
		.dst = migsim_rand(&state),
		.cnt = migsim_rand(&state),
	};
	u32 n = migsim_rand(&state) % 12 + 1;
	int ret;

	for (; n; n--)
		regs.fact *= n;

	ret = migsim_regs_wait_idle(dev, false);
	if (!ret)
		ret = migsim_regs_write(dev, &regs);
	return ret;
}

/**
 * migsim_regs_wait_idle - wait until the device works on nothing
 * @dev: the device
 * @dma_only: a factorial may go on (it touches no other device)
 *
 * Context: state_mutex; takes memory_lock, sleeps.
 * Return: 0, -ETIMEDOUT, or as migsim_regs_read().
 */
int migsim_regs_wait_idle(struct migsim_device *dev, bool dma_only)
{
	u64 until = ktime_get_ns() + IDLE_TIMEOUT_MS * (u64)NSEC_PER_MSEC;
	struct migsim_regs regs;
	int ret;

	for (;;) {
		ret = migsim_regs_read(dev, &regs);
		if (ret)
			return ret;
		if (!(regs.cmd & EDU_DMA_RUN) &&
		    (dma_only || !(regs.status & EDU_STATUS_COMPUTING)))
			return 0;
		if (ktime_get_ns() > until)
			return -ETIMEDOUT;
		usleep_range(1000, 2000);
	}
}
