// SPDX-License-Identifier: GPL-2.0-only
/* Attributes with a syntax of their own: arcs, failures, the log */

#include <linux/kstrtox.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "migsim.h"

/* Parse "FROM>TO" in place. */
static int arc_parse(char *spec, unsigned int *from, unsigned int *to)
{
	char *second = spec;
	int ret;

	strsep(&second, ">");
	if (!second)
		return -EINVAL;
	ret = migsim_state_parse(spec);
	if (ret < 0)
		return ret;
	*from = ret;
	ret = migsim_state_parse(second);
	if (ret < 0)
		return ret;
	*to = ret;
	return 0;
}

/* Parse "[ERRNO[:COUNT]]", both optional; @spec may be NULL. */
static int failure_parse(char *spec, int *err, u32 *count)
{
	char *word;
	int ret;

	*err = EIO;
	*count = 0;

	word = strsep(&spec, ":");
	if (word) {
		ret = kstrtoint(word, 0, err);
		if (ret)
			return ret;
		if (*err <= 0 || *err > MAX_ERRNO)
			return -ERANGE;
	}
	return spec ? kstrtou32(spec, 0, count) : 0;
}

/* A copy of what was written, without the newline; the caller frees it. */
static char *spec_copy(const char *buf, size_t len, char **spec)
{
	char *copy = kstrndup(buf, len, GFP_KERNEL);

	if (copy)
		*spec = strim(copy);
	return copy;
}

static ssize_t arcs_show(struct device *device, struct device_attribute *attr,
			 char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);
	unsigned int from, to;
	int len = 0;

	for (from = 0; from < MIGSIM_NUM_STATES; from++) {
		for (to = 0; to < MIGSIM_NUM_STATES; to++) {
			u32 ms = READ_ONCE(dev->knobs.arcs[from][to]);

			if (ms != MIGSIM_ARC_MS_UNSET)
				len += sysfs_emit_at(buf, len, "%s>%s=%u\n",
						     migsim_state_name(from),
						     migsim_state_name(to), ms);
		}
	}
	return len;
}

/* One "FROM>TO=MS" or "FROM>TO=default". */
static int arcs_store_one(struct migsim_device *dev, char *spec)
{
	u32 ms = MIGSIM_ARC_MS_UNSET;
	unsigned int from, to;
	char *value = spec;
	int ret;

	strsep(&value, "=");
	if (!value)
		return -EINVAL;
	ret = arc_parse(spec, &from, &to);
	if (ret)
		return ret;
	if (strcmp(value, "default")) {
		ret = kstrtou32(value, 0, &ms);
		if (ret)
			return ret;
		if (ms > MIGSIM_ARC_MS_MAX)
			return -ERANGE;
	}
	WRITE_ONCE(dev->knobs.arcs[from][to], ms);
	return 0;
}

static ssize_t arcs_store(struct device *device, struct device_attribute *attr,
			  const char *buf, size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);
	char *copy, *spec, *word;
	int ret = 0;

	copy = spec_copy(buf, len, &spec);
	if (!copy)
		return -ENOMEM;
	while (!ret && (word = strsep(&spec, " \t\n,")))
		if (*word)
			ret = arcs_store_one(dev, word);
	kfree(copy);
	return ret ? ret : len;
}

struct device_attribute migsim_attr_arcs = __ATTR_RW(arcs);

static ssize_t fail_arc_show(struct device *device,
			     struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);
	struct migsim_arc_fault fault;

	spin_lock(&dev->knob_lock);
	fault = dev->knobs.fail_arc;
	spin_unlock(&dev->knob_lock);
	if (!fault.armed)
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%s>%s:%d:%u\n", migsim_state_name(fault.from),
			  migsim_state_name(fault.to), fault.err, fault.count);
}

static int fail_arc_parse(char *spec, struct migsim_arc_fault *fault)
{
	unsigned int from, to;
	char *rest = spec;
	int ret;

	strsep(&rest, ":");
	if (!strcmp(spec, "none") || !*spec)
		return 0;
	ret = arc_parse(spec, &from, &to);
	if (ret)
		return ret;
	fault->armed = true;
	fault->from = from;
	fault->to = to;
	return failure_parse(rest, &fault->err, &fault->count);
}

static ssize_t arc_fault_store(struct migsim_device *dev,
			       struct migsim_arc_fault *knob,
			       int (*parse)(char *spec, struct migsim_arc_fault *fault),
			       const char *buf, size_t len)
{
	struct migsim_arc_fault fault = {};
	char *copy, *spec;
	int ret;

	copy = spec_copy(buf, len, &spec);
	if (!copy)
		return -ENOMEM;
	ret = parse(spec, &fault);
	kfree(copy);
	if (ret)
		return ret;

	spin_lock(&dev->knob_lock);
	*knob = fault;
	spin_unlock(&dev->knob_lock);
	return len;
}

static ssize_t fail_arc_store(struct device *device,
			      struct device_attribute *attr, const char *buf,
			      size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);

	return arc_fault_store(dev, &dev->knobs.fail_arc, fail_arc_parse, buf, len);
}

struct device_attribute migsim_attr_fail_arc = __ATTR_RW(fail_arc);

/* "FROM>TO[:COUNT]" or "none" */
static int reset_at_arc_parse(char *spec, struct migsim_arc_fault *fault)
{
	unsigned int from, to;
	char *rest = spec;
	int ret;

	strsep(&rest, ":");
	if (!strcmp(spec, "none") || !*spec)
		return 0;
	ret = arc_parse(spec, &from, &to);
	if (ret)
		return ret;
	*fault = (struct migsim_arc_fault) {
		.armed = true,
		.from = from,
		.to = to,
		.err = EIO,	/* any: it only says that it happens */
	};
	return rest ? kstrtou32(rest, 0, &fault->count) : 0;
}

static ssize_t reset_at_arc_show(struct device *device,
				 struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);
	struct migsim_arc_fault fault;

	spin_lock(&dev->knob_lock);
	fault = dev->knobs.reset_at_arc;
	spin_unlock(&dev->knob_lock);
	if (!fault.armed)
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%s>%s:%u\n", migsim_state_name(fault.from),
			  migsim_state_name(fault.to), fault.count);
}

static ssize_t reset_at_arc_store(struct device *device,
				  struct device_attribute *attr,
				  const char *buf, size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);

	return arc_fault_store(dev, &dev->knobs.reset_at_arc, reset_at_arc_parse, buf,
			       len);
}

struct device_attribute migsim_attr_reset_at_arc = __ATTR_RW(reset_at_arc);

static ssize_t fault_show(struct migsim_device *dev,
			  const struct migsim_fault *knob, char *buf)
{
	struct migsim_fault fault;

	spin_lock(&dev->knob_lock);
	fault = *knob;
	spin_unlock(&dev->knob_lock);
	if (!fault.armed)
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%llu:%d:%u\n", fault.at, fault.err,
			  fault.count);
}

static int fault_parse(char *spec, struct migsim_fault *fault)
{
	char *rest = spec;
	int ret;

	strsep(&rest, ":");
	if (!strcmp(spec, "none") || !*spec)
		return 0;
	ret = kstrtou64(spec, 0, &fault->at);
	if (ret)
		return ret;
	fault->armed = true;
	return failure_parse(rest, &fault->err, &fault->count);
}

static ssize_t fault_store(struct migsim_device *dev,
			   struct migsim_fault *knob, const char *buf,
			   size_t len)
{
	struct migsim_fault fault = {};
	char *copy, *spec;
	int ret;

	copy = spec_copy(buf, len, &spec);
	if (!copy)
		return -ENOMEM;
	ret = fault_parse(spec, &fault);
	kfree(copy);
	if (ret)
		return ret;

	spin_lock(&dev->knob_lock);
	*knob = fault;
	spin_unlock(&dev->knob_lock);
	return len;
}

static ssize_t fail_read_at_show(struct device *device,
				 struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);

	return fault_show(dev, &dev->knobs.fail_read, buf);
}

static ssize_t fail_read_at_store(struct device *device,
				  struct device_attribute *attr,
				  const char *buf, size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);

	return fault_store(dev, &dev->knobs.fail_read, buf, len);
}

struct device_attribute migsim_attr_fail_read_at = __ATTR_RW(fail_read_at);

static ssize_t fail_write_at_show(struct device *device,
				  struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);

	return fault_show(dev, &dev->knobs.fail_write, buf);
}

static ssize_t fail_write_at_store(struct device *device,
				   struct device_attribute *attr,
				   const char *buf, size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);

	return fault_store(dev, &dev->knobs.fail_write, buf, len);
}

struct device_attribute migsim_attr_fail_write_at = __ATTR_RW(fail_write_at);

static ssize_t arcs_log_show(struct device *device,
			     struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);
	u64 i = 0;
	int len = 0;

	spin_lock(&dev->knob_lock);
	if (dev->log_count > MIGSIM_LOG_SIZE)
		i = dev->log_count - MIGSIM_LOG_SIZE;
	for (; i < dev->log_count; i++) {
		const struct migsim_log_entry *entry =
			&dev->log[i % MIGSIM_LOG_SIZE];

		len += sysfs_emit_at(buf, len, "%llu %llu %s %s %d\n",
				     entry->start_ns, entry->end_ns,
				     migsim_state_name(entry->from),
				     migsim_state_name(entry->to), entry->err);
	}
	spin_unlock(&dev->knob_lock);
	return len;
}

static ssize_t arcs_log_store(struct device *device,
			      struct device_attribute *attr, const char *buf,
			      size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);

	spin_lock(&dev->knob_lock);
	dev->log_count = 0;
	spin_unlock(&dev->knob_lock);
	return len;
}

struct device_attribute migsim_attr_arcs_log = __ATTR_RW(arcs_log);

static ssize_t precopy_end_show(struct device *device,
				struct device_attribute *attr, char *buf)
{
	struct migsim_device *dev = migsim_from_dev(device);

	return sysfs_emit(buf, "%s\n", READ_ONCE(dev->knobs.precopy_zero) ?
			  "zero" : "enomsg");
}

static ssize_t precopy_end_store(struct device *device,
				 struct device_attribute *attr, const char *buf,
				 size_t len)
{
	struct migsim_device *dev = migsim_from_dev(device);
	bool zero = sysfs_streq(buf, "zero");

	if (!zero && !sysfs_streq(buf, "enomsg"))
		return -EINVAL;
	WRITE_ONCE(dev->knobs.precopy_zero, zero);
	return len;
}

struct device_attribute migsim_attr_precopy_end = __ATTR_RW(precopy_end);
