// SPDX-License-Identifier: GPL-2.0-only
/* The migsim/ attribute group: plain knobs and what can be read */

#include <linux/kstrtox.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/sysfs.h>

#include "migsim.h"

/**
 * struct migsim_scalar - a knob that is one number
 * @attr: the attribute
 * @offset: of the u64 in struct migsim_knobs
 * @max: largest value accepted
 */
struct migsim_scalar {
	struct device_attribute attr;
	size_t offset;
	u64 max;
};

static struct migsim_scalar *to_scalar(struct device_attribute *attr)
{
	return container_of(attr, struct migsim_scalar, attr);
}

static u64 *scalar_field(struct migsim_device *dev,
			 struct device_attribute *attr)
{
	return (void *)&dev->knobs + to_scalar(attr)->offset;
}

static ssize_t scalar_show(struct device *device,
			   struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);

	return sysfs_emit(buf, "%llu\n", READ_ONCE(*scalar_field(dev, attr)));
}

static int scalar_parse(struct device_attribute *attr, const char *buf,
			u64 *value)
{
	int ret = kstrtou64(buf, 0, value);

	if (ret)
		return ret;
	return *value > to_scalar(attr)->max ? -ERANGE : 0;
}

static ssize_t scalar_store(struct device *device,
			    struct device_attribute *attr, const char *buf,
			    size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);
	u64 value;
	int ret;

	ret = scalar_parse(attr, buf, &value);
	if (ret)
		return ret;
	WRITE_ONCE(*scalar_field(dev, attr), value);
	return len;
}

/* state_size, seed and in_memory: the payload follows at once */
static ssize_t payload_store(struct device *device,
			     struct device_attribute *attr, const char *buf,
			     size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);
	u64 *field = scalar_field(dev, attr);
	u64 value, old;
	int ret;

	ret = scalar_parse(attr, buf, &value);
	if (ret)
		return ret;

	migsim_state_lock(dev);
	old = *field;
	WRITE_ONCE(*field, value);
	ret = migsim_payload_reset(dev);
	if (ret)
		WRITE_ONCE(*field, old);
	migsim_state_unlock(dev);
	return ret ? ret : len;
}

static ssize_t dirty_rate_store(struct device *device,
				struct device_attribute *attr, const char *buf,
				size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);
	u64 value;
	int ret;

	ret = scalar_parse(attr, buf, &value);
	if (ret)
		return ret;
	migsim_state_lock(dev);
	migsim_knob_dirty_rate(dev, value);
	migsim_state_unlock(dev);
	return len;
}

#define AT(field)	offsetof(struct migsim_knobs, field)
#define SCALAR(name, where, limit, store)				\
	static struct migsim_scalar knob_##name = {			\
		.attr = __ATTR(name, 0644, scalar_show, store),		\
		.offset = where,					\
		.max = limit,						\
	}

#define RATE_MAX	(100 * USEC_PER_SEC)

SCALAR(state_size, AT(state_size), MIGSIM_UNKEPT_MAX, payload_store);
SCALAR(seed, AT(seed), U64_MAX, payload_store);
SCALAR(in_memory, AT(in_memory), 1, payload_store);
SCALAR(precopy_size, AT(precopy_size), MIGSIM_PRECOPY_MAX, scalar_store);
SCALAR(dirty_rate, AT(dirty_rate), MIGSIM_DIRTY_MAX, dirty_rate_store);
SCALAR(poll, AT(poll), 1, scalar_store);
SCALAR(nonblock, AT(nonblock), 1, scalar_store);
SCALAR(read_iter, AT(read_iter), 1, scalar_store);
SCALAR(lossy, AT(lossy), 1, scalar_store);
SCALAR(arc_ms, AT(arc_ms), MIGSIM_ARC_MS_MAX, scalar_store);
SCALAR(arc_us, AT(arc_us), MIGSIM_ARC_US_MAX, scalar_store);
SCALAR(read_us_per_mib, AT(read_us_per_mib), RATE_MAX, scalar_store);
SCALAR(write_us_per_mib, AT(write_us_per_mib), RATE_MAX, scalar_store);
SCALAR(read_chunk, AT(read_chunk), U64_MAX, scalar_store);
SCALAR(write_chunk, AT(write_chunk), U64_MAX, scalar_store);
SCALAR(headerless, AT(headerless), 1, scalar_store);
SCALAR(fail_to_error, AT(fail_to_error), 1, scalar_store);
SCALAR(serial, AT(serial), MIGSIM_SERIAL_MAX, scalar_store);

/*
 * VFIO reads migration_flags in ioctls only, so they can change while nobody
 * has the device open.
 */
static ssize_t flag_store(struct device *device, const char *buf, size_t len,
			  unsigned int flag)
{
	struct migsim_device *dev = migsim_from_dev(device);
	struct vfio_device *vdev = &dev->core.vdev;
	bool value;
	int ret;

	ret = kstrtobool(buf, &value);
	if (ret)
		return ret;

	migsim_state_lock(dev);
	if (dev->open)
		ret = -EBUSY;
	else if (!vdev->migration_flags)
		ret = -EOPNOTSUPP;
	else if (value)
		vdev->migration_flags |= flag;
	else
		vdev->migration_flags &= ~flag;
	migsim_state_unlock(dev);
	return ret ? ret : len;
}

static ssize_t flag_show(struct device *device, char *buf, unsigned int flag)
{
	struct migsim_device *dev = migsim_from_dev(device);

	return sysfs_emit(buf, "%d\n",
			  !!(READ_ONCE(dev->core.vdev.migration_flags) & flag));
}

static ssize_t p2p_show(struct device *device, struct device_attribute *attr,
			char *buf)
{
	return flag_show(device, buf, VFIO_MIGRATION_P2P);
}

static ssize_t p2p_store(struct device *device, struct device_attribute *attr,
			 const char *buf, size_t len)
{
	return flag_store(device, buf, len, VFIO_MIGRATION_P2P);
}
static DEVICE_ATTR_RW(p2p);

static ssize_t precopy_show(struct device *device,
			    struct device_attribute *attr, char *buf)
{
	return flag_show(device, buf, VFIO_MIGRATION_PRE_COPY);
}

static ssize_t precopy_store(struct device *device,
			     struct device_attribute *attr, const char *buf,
			     size_t len)
{
	return flag_store(device, buf, len, VFIO_MIGRATION_PRE_COPY);
}
static DEVICE_ATTR_RW(precopy);

/* Any number but 0: the device loses its state, and nobody is told. */
static ssize_t reset_store(struct device *device,
			   struct device_attribute *attr, const char *buf,
			   size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);
	bool value;
	int ret;

	ret = kstrtobool(buf, &value);
	if (ret)
		return ret;
	if (!value)
		return -EINVAL;
	if (!READ_ONCE(dev->open))
		return -ENODEV;
	migsim_reset(dev);
	return len;
}
static DEVICE_ATTR_WO(reset);

/* So many bytes are dirty, from now on. */
static ssize_t dirty_store(struct device *device,
			   struct device_attribute *attr, const char *buf,
			   size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);
	u64 bytes;
	int ret;

	ret = kstrtou64(buf, 0, &bytes);
	if (ret)
		return ret;
	if (bytes > MIGSIM_PRECOPY_MAX)
		return -ERANGE;
	migsim_state_lock(dev);
	ret = migsim_knob_dirty(dev, bytes);
	migsim_state_unlock(dev);
	return ret ? ret : len;
}
static DEVICE_ATTR_WO(dirty);

static ssize_t reinit_store(struct device *device,
			    struct device_attribute *attr, const char *buf,
			    size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);
	bool value;
	int ret;

	ret = kstrtobool(buf, &value);
	if (ret)
		return ret;
	if (!value)
		return -EINVAL;
	migsim_state_lock(dev);
	ret = migsim_knob_reinit(dev);
	migsim_state_unlock(dev);
	return ret ? ret : len;
}
static DEVICE_ATTR_WO(reinit);

static ssize_t state_show(struct device *device, struct device_attribute *attr,
			  char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);

	/* no lock: an arc under way still shows the state that it leaves */
	return sysfs_emit(buf, "%s\n",
			  migsim_state_name(READ_ONCE(dev->mig_state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t open_show(struct device *device, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%d\n",
			  READ_ONCE(migsim_from_dev(device)->open));
}
static DEVICE_ATTR_RO(open);

static ssize_t saved_bytes_show(struct device *device,
				struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  READ_ONCE(migsim_from_dev(device)->saved_bytes));
}
static DEVICE_ATTR_RO(saved_bytes);

static ssize_t loaded_bytes_show(struct device *device,
				 struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  READ_ONCE(migsim_from_dev(device)->loaded_bytes));
}
static DEVICE_ATTR_RO(loaded_bytes);

static ssize_t lost_bytes_show(struct device *device,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  READ_ONCE(migsim_from_dev(device)->lost_bytes));
}
static DEVICE_ATTR_RO(lost_bytes);

static ssize_t data_files_show(struct device *device,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  migsim_files_alive(migsim_from_dev(device)->files));
}
static DEVICE_ATTR_RO(data_files);

static ssize_t payload_size_show(struct device *device,
				 struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);
	u64 size;

	migsim_state_lock(dev);
	size = dev->payload ? dev->payload->size : dev->knobs.state_size;
	migsim_state_unlock(dev);
	return sysfs_emit(buf, "%llu\n", size);
}
static DEVICE_ATTR_RO(payload_size);

static ssize_t payload_crc_show(struct device *device,
				struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);
	u32 crc = 0;
	int ret;

	migsim_state_lock(dev);
	ret = migsim_payload_need(dev);
	if (!ret)
		crc = migsim_blob_crc(dev->payload);
	migsim_state_unlock(dev);
	return ret ? ret : sysfs_emit(buf, "%08x\n", crc);
}
static DEVICE_ATTR_RO(payload_crc);

static ssize_t registers_show(struct device *device,
			      struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);
	struct migsim_regs regs;
	int ret, len;

	ret = pm_runtime_resume_and_get(device);
	if (ret)
		return ret;
	migsim_state_lock(dev);
	ret = migsim_regs_read(dev, &regs);
	migsim_state_unlock(dev);
	pm_runtime_put(device);
	if (ret)
		return ret;

	len = sysfs_emit(buf, "live=0x%08x fact=0x%08x ", regs.live, regs.fact);
	len += sysfs_emit_at(buf, len, "status=0x%02x irq=0x%08x ",
			     regs.status, regs.irq);
	len += sysfs_emit_at(buf, len, "src=0x%llx dst=0x%llx cnt=0x%llx ",
			     regs.src, regs.dst, regs.cnt);
	len += sysfs_emit_at(buf, len, "cmd=0x%llx\n", regs.cmd);
	return len;
}
static DEVICE_ATTR_RO(registers);

static struct attribute *migsim_attrs[] = {
	&knob_state_size.attr.attr,
	&knob_seed.attr.attr,
	&knob_in_memory.attr.attr,
	&knob_precopy_size.attr.attr,
	&knob_dirty_rate.attr.attr,
	&dev_attr_dirty.attr,
	&migsim_attr_precopy_end.attr,
	&knob_poll.attr.attr,
	&knob_nonblock.attr.attr,
	&knob_read_iter.attr.attr,
	&knob_lossy.attr.attr,
	&dev_attr_reinit.attr,
	&knob_arc_ms.attr.attr,
	&knob_arc_us.attr.attr,
	&knob_read_us_per_mib.attr.attr,
	&knob_write_us_per_mib.attr.attr,
	&knob_read_chunk.attr.attr,
	&knob_write_chunk.attr.attr,
	&knob_headerless.attr.attr,
	&knob_fail_to_error.attr.attr,
	&knob_serial.attr.attr,
	&dev_attr_p2p.attr,
	&dev_attr_precopy.attr,
	&migsim_attr_arcs.attr,
	&migsim_attr_fail_arc.attr,
	&migsim_attr_reset_at_arc.attr,
	&dev_attr_reset.attr,
	&migsim_attr_fail_read_at.attr,
	&migsim_attr_fail_write_at.attr,
	&migsim_attr_arcs_log.attr,
	&dev_attr_state.attr,
	&dev_attr_open.attr,
	&dev_attr_saved_bytes.attr,
	&dev_attr_loaded_bytes.attr,
	&dev_attr_lost_bytes.attr,
	&dev_attr_data_files.attr,
	&dev_attr_payload_size.attr,
	&dev_attr_payload_crc.attr,
	&dev_attr_registers.attr,
	NULL
};

static const struct attribute_group migsim_group = {
	.name = "migsim",
	.attrs = migsim_attrs,
};

const struct attribute_group *migsim_groups[] = {
	&migsim_group,
	NULL
};
