// SPDX-License-Identifier: GPL-2.0-only
/*
 * edutool - play the guest of QEMU's edu devices
 *
 * Fills the registers of open VFIO devices with values made of a seed and the
 * device's position, or checks that they hold those values. The devices are
 * given as fd numbers, or by VFMIG_DEVICES="pci/ADDRESS=FD ...", which is how
 * `vfmig send|recv --exec` hands over the devices that it has open.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include <linux/types.h>
#include <linux/vfio.h>

#define MAX_DEVICES	64
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define EDU_ID		0x00
#define EDU_ID_MASK	0xffff
#define EDU_ID_VALUE	0x00ed
#define EDU_LIVE	0x04
#define EDU_FACT	0x08
#define EDU_STATUS	0x20
#define EDU_IRQ_STATUS	0x24
#define EDU_IRQ_RAISE	0x60
#define EDU_IRQ_ACK	0x64
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_CNT	0x90

#define STATUS_COMPUTING	0x01
#define STATUS_IRQFACT		0x80

enum { EXIT_OK, EXIT_DIFFERS, EXIT_USAGE };

struct device {
	const char *name;
	int fd;
	__u64 bar0;	/* offset of the region in the device fd */
};

/* What a reader sees, in the order of registers[]. */
struct values {
	__u32 reg[7];
	__u32 n;	/* the factorial's operand */
};

static const struct {
	const char *name;
	unsigned int offset;
} registers[] = {
	{ "liveness", EDU_LIVE },
	{ "factorial", EDU_FACT },
	{ "status", EDU_STATUS },
	{ "irq-status", EDU_IRQ_STATUS },
	{ "dma-source", EDU_DMA_SRC },
	{ "dma-destination", EDU_DMA_DST },
	{ "dma-count", EDU_DMA_CNT },
};

enum { LIVE, FACT, STATUS, IRQ, SRC, DST, CNT };

static int bar_read(const struct device *dev, unsigned int offset,
		    __u32 *value)
{
	ssize_t n = pread(dev->fd, value, sizeof(*value), dev->bar0 + offset);

	if (n == sizeof(*value))
		return 0;
	fprintf(stderr, "%s: read of register 0x%02x: %s\n", dev->name, offset,
		n < 0 ? strerror(errno) : "short");
	return -1;
}

static int bar_write(const struct device *dev, unsigned int offset,
		     __u32 value)
{
	ssize_t n = pwrite(dev->fd, &value, sizeof(value), dev->bar0 + offset);

	if (n == sizeof(value))
		return 0;
	fprintf(stderr, "%s: write of register 0x%02x: %s\n", dev->name,
		offset, n < 0 ? strerror(errno) : "short");
	return -1;
}

static __u32 mix(__u32 x)
{
	x = (x ^ (x >> 16)) * 0x7feb352dU;
	x = (x ^ (x >> 15)) * 0x846ca68bU;
	return x ^ (x >> 16);
}

static void values_make(struct values *v, __u32 seed, unsigned int position)
{
	__u32 base = mix(seed) + position * 0x1000;
	__u32 i;

	v->n = 1 + mix(base) % 12;
	v->reg[FACT] = 1;
	for (i = 2; i <= v->n; i++)
		v->reg[FACT] *= i;
	v->reg[LIVE] = mix(base + 1);
	v->reg[STATUS] = mix(base + 2) & STATUS_IRQFACT;
	v->reg[IRQ] = mix(base + 3) | 0x100;
	v->reg[SRC] = mix(base + 4);
	v->reg[DST] = mix(base + 5);
	v->reg[CNT] = mix(base + 6);
}

static int idle_wait(const struct device *dev)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	__u32 status;
	int i;

	for (i = 0; i < 10000; i++) {
		if (bar_read(dev, EDU_STATUS, &status))
			return -1;
		if (!(status & STATUS_COMPUTING))
			return 0;
		nanosleep(&ms, NULL);
	}
	fprintf(stderr, "%s: the factorial does not end\n", dev->name);
	return -1;
}

/*
 * Raising bits in the interrupt status also asserts INTx. Nobody in this
 * process listens, so it is masked at the device for good.
 */
static int intx_mask(const struct device *dev)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__u16 command;

	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info) ||
	    pread(dev->fd, &command, 2, info.offset + PCI_COMMAND) != 2)
		goto err;
	command |= PCI_COMMAND_INTX_DISABLE;
	if (pwrite(dev->fd, &command, 2, info.offset + PCI_COMMAND) != 2)
		goto err;
	return 0;
err:
	fprintf(stderr, "%s: config space: %s\n", dev->name, strerror(errno));
	return -1;
}

static int device_fill(const struct device *dev, const struct values *v)
{
	/* status after the factorial: its end would raise an interrupt */
	if (intx_mask(dev) || idle_wait(dev) ||
	    bar_write(dev, EDU_STATUS, 0) ||
	    bar_write(dev, EDU_LIVE, ~v->reg[LIVE]) ||
	    bar_write(dev, EDU_FACT, v->n) || idle_wait(dev) ||
	    bar_write(dev, EDU_IRQ_ACK, UINT32_MAX) ||
	    bar_write(dev, EDU_IRQ_RAISE, v->reg[IRQ]) ||
	    bar_write(dev, EDU_DMA_SRC, v->reg[SRC]) ||
	    bar_write(dev, EDU_DMA_DST, v->reg[DST]) ||
	    bar_write(dev, EDU_DMA_CNT, v->reg[CNT]) ||
	    bar_write(dev, EDU_STATUS, v->reg[STATUS]))
		return EXIT_USAGE;
	return EXIT_OK;
}

static int device_check(const struct device *dev, const struct values *v)
{
	int ret = EXIT_OK;
	__u32 value;
	size_t i;

	if (idle_wait(dev))
		return EXIT_USAGE;
	for (i = 0; i < ARRAY_SIZE(registers); i++) {
		if (bar_read(dev, registers[i].offset, &value))
			return EXIT_USAGE;
		if (value == v->reg[i])
			continue;
		fprintf(stderr,
			"%s: %s is 0x%08x, not 0x%08x\n",
			dev->name, registers[i].name, value, v->reg[i]);
		ret = EXIT_DIFFERS;
	}
	return ret;
}

static int device_dump(const struct device *dev)
{
	__u32 value;
	size_t i;

	printf("%s:", dev->name);
	for (i = 0; i < ARRAY_SIZE(registers); i++) {
		if (bar_read(dev, registers[i].offset, &value))
			return EXIT_USAGE;
		printf(" %s=0x%08x", registers[i].name, value);
	}
	printf("\n");
	return EXIT_OK;
}

static int device_attach(struct device *dev)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	__u32 id;

	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info)) {
		fprintf(stderr, "%s: fd %d is no VFIO device: %s\n", dev->name,
			dev->fd, strerror(errno));
		return -1;
	}
	dev->bar0 = info.offset;
	if (bar_read(dev, EDU_ID, &id))
		return -1;
	if ((id & EDU_ID_MASK) != EDU_ID_VALUE) {
		fprintf(stderr, "%s: no edu device (id 0x%08x)\n",
			dev->name, id);
		return -1;
	}
	return 0;
}

static int parse_number(const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 0);
	if (errno || end == text || *end || *value > max) {
		fprintf(stderr, "\"%s\" is not a number up to %lu\n", text, max);
		return -1;
	}
	return 0;
}

/* Split "pci/ADDRESS=FD ..."; the names point into @list. */
static int devices_from_env(char *list, struct device *dev)
{
	char *word, *fd, *save = NULL;
	unsigned long value;
	int n = 0;

	for (word = strtok_r(list, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		fd = strchr(word, '=');
		if (!fd || n == MAX_DEVICES) {
			fprintf(stderr, "VFMIG_DEVICES: \"%s\"\n", word);
			return -1;
		}
		*fd++ = '\0';
		if (parse_number(fd, INT32_MAX, &value))
			return -1;
		dev[n++] = (struct device) { .name = word, .fd = value };
	}
	return n;
}

static int help(FILE *out)
{
	fprintf(out,
		"usage: edutool [--fd N]... fill SEED | check SEED | dump\n"
		"\n"
		"Devices are open VFIO device fds: --fd, or those that VFMIG_DEVICES\n"
		"(\"pci/0000:01:00.0=7 ...\") names. What is filled depends on the seed\n"
		"and on a device's position in the list.\n"
		"Exit codes: 0 all is well, 1 a register differs, 2 usage or I/O error.\n");
	return out == stdout ? EXIT_OK : EXIT_USAGE;
}

static int device_run(const struct device *dev, const char *verb,
		      const struct values *v)
{
	if (!strcmp(verb, "fill"))
		return device_fill(dev, v);
	if (!strcmp(verb, "check"))
		return device_check(dev, v);
	return device_dump(dev);
}

int main(int argc, char **argv)
{
	struct device dev[MAX_DEVICES];
	int n = 0, i = 1, d, ret = EXIT_OK;
	unsigned long value = 0;
	const char *verb;
	char *list;

	for (; i + 1 < argc && !strcmp(argv[i], "--fd"); i += 2) {
		if (n == MAX_DEVICES || parse_number(argv[i + 1], INT32_MAX, &value))
			return EXIT_USAGE;
		dev[n++] = (struct device) { .name = argv[i + 1], .fd = value };
	}
	if (i < argc && !strcmp(argv[i], "--help"))
		return help(stdout);
	if (i == argc)
		return help(stderr);
	verb = argv[i++];
	if (!strcmp(verb, "fill") || !strcmp(verb, "check")) {
		if (i + 1 != argc || parse_number(argv[i], UINT32_MAX, &value))
			return help(stderr);
	} else if (strcmp(verb, "dump") || i != argc) {
		return help(stderr);
	}

	list = getenv("VFMIG_DEVICES");
	if (!n && list)
		n = devices_from_env(list, dev);
	if (n <= 0) {
		fprintf(stderr, "no devices: give --fd or VFMIG_DEVICES\n");
		return EXIT_USAGE;
	}

	for (d = 0; d < n; d++) {
		struct values v;
		int one;

		values_make(&v, value, d);
		one = device_attach(&dev[d]) ? EXIT_USAGE :
		      device_run(&dev[d], verb, &v);
		if (one > ret)
			ret = one;
	}
	return ret;
}
