/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfio_pci_migsim: a VFIO PCI variant driver with live migration for QEMU's
 * edu device
 *
 * Lock order (outer first):
 *
 *	vfio_device_set.lock
 *	  migsim_device.state_mutex
 *	    the bit of a "serial" group (arcs.c)
 *	      migsim_file.io_lock
 *	        mmap_lock (a fault of the user's buffer)
 *	          vfio_pci_core_device.memory_lock
 *	      migsim_file.lock
 *	        migsim_device.knob_lock (spinlock)
 *
 * A reset arrives with memory_lock held for writing, which is the wrong way
 * round: migsim_reset_done() therefore only tries state_mutex, and whoever
 * holds it does the work on its way out (migsim_state_unlock()). That work
 * takes migsim_file.lock and nothing that could fault; this is why bytes are
 * copied from and to the user under io_lock only.
 *
 * A data_fd may outlive the device. Its file reaches the device only while
 * it holds migsim_file.lock and has seen that the phase is not
 * MIGSIM_FILE_DISABLED; migsim_file_disable() cuts it off.
 */
#ifndef MIGSIM_H
#define MIGSIM_H

#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/vfio_pci_core.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../../kernel/compat.h"
#include "stream.h"

#define MIGSIM_NUM_STATES	(VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)
#define MIGSIM_STATE_MAX	((u64)SZ_2G)	/* bytes of payload in memory */
#define MIGSIM_UNKEPT_MAX	(64 * (u64)SZ_1G)	/* and of one that is not */
#define MIGSIM_PRECOPY_MAX	((u64)SZ_1G)	/* bytes of pre-copy data */
#define MIGSIM_DIRTY_MAX	(16 * (u64)SZ_1G)	/* bytes per second */
#define MIGSIM_BLOCK		4096UL	/* what gets dirty at once */
#define MIGSIM_ARC_MS_MAX	60000
#define MIGSIM_ARC_US_MAX	1000
#define MIGSIM_SERIAL_MAX	31	/* groups of devices */
#define MIGSIM_ARC_MS_UNSET	U32_MAX
/* so many that the whole log fits one sysfs page */
#define MIGSIM_LOG_SIZE		56
#define MIGSIM_PART		SZ_64K	/* most of a payload that is made at once */

/**
 * struct migsim_blob - bytes that never change once they are a payload
 * @ref: held by the device for its current payload and by each saving file
 * @base: vmalloc memory, NULL if there is none
 * @data: first byte of the content inside @base; NULL: there is no content, or it is
 *	not kept
 * @size: bytes of content
 * @seed: what the content was generated from, if @generated
 * @generated: false for a payload that was loaded
 * @crc_valid: @crc has been computed; both under state_mutex
 * @crc: CRC-32 of the content (the one of zlib and Ethernet)
 *
 * Because the content is fixed, a read of a saving file needs no lock, and a
 * save costs no copy.
 *
 * Content that is not kept is made of the seed where it is wanted; that of a
 * payload that was loaded is gone, and only its CRC is known.
 */
struct migsim_blob {
	struct kref ref;
	void *base;
	const u8 *data;
	size_t size;
	u64 seed;
	bool generated;
	bool crc_valid;
	u32 crc;
};

/**
 * struct migsim_files - how many data_fds of a device are alive
 * @ref: one for each of them and one for the device, which they may outlive
 */
struct migsim_files {
	struct kref ref;
};

enum migsim_file_phase {
	MIGSIM_FILE_PRECOPY,	/* saving: more will come, -ENOMSG or 0 when dry */
	MIGSIM_FILE_FINAL,	/* saving: the device is stopped, 0 at the end */
	MIGSIM_FILE_LOADING,
	MIGSIM_FILE_DISABLED,	/* its state was left: -ENODEV for ever */
};

/**
 * struct migsim_segment - a run of bytes of the saved stream
 * @data: first byte, owned by the file or by a blob that the file holds; NULL:
 *	of the payload, which is not kept
 * @from: without @data: where in the payload
 * @size: bytes
 */
struct migsim_segment {
	const void *data;
	u64 from;
	size_t size;
};

/**
 * struct migsim_precopy - what the device writes while its payload is saved
 * @base: the payload as it was in the beginning; NULL: no pre-copy
 * @live: copy of it that the device writes to; NULL until it does
 * @size: so much of the payload, from its start, is given in PRE_COPY
 * @given: so much of that was given at least once
 * @dirty: a bit for each block below @given that was written to since
 * @next: the block that the device writes to next
 * @stamp: makes what it writes different each time
 * @clock: until when all is done that was due
 * @seq: number of the next record
 * @record: the record that is being read
 * @is_initial: it is one of the first pass
 * @reinit: the first pass began anew, and nobody was told yet
 *
 * Made under state_mutex, then under migsim_file.lock; @record is filled under
 * io_lock too, and read under that alone.
 */
struct migsim_precopy {
	struct migsim_blob *base;
	struct migsim_blob *live;
	u64 size;
	u64 given;
	unsigned long *dirty;
	unsigned long next;
	u64 stamp;
	ktime_t clock;
	u32 seq;
	u8 *record;
	bool is_initial;
	bool reinit;
};

/**
 * struct migsim_file - a data_fd
 * @f: the file; the device holds one reference while it uses it
 * @dev: the device; see the rule at the top of this file
 * @files: where it is counted
 * @io_lock: one read or write at a time; protects the pacing and what is
 *	loaded; held across the pacing sleep and the user copy
 * @lock: protects @phase, @pos, @crc, @seg and @precopy; held for as long as it takes to
 *	copy a record, or once the payload
 * @wait: pacing sleeps here, so that disabling the file ends the sleep; poll waits here
 * @poll_timer: wakes @wait when there will be something to read
 * @phase: what a read or write may do
 * @pos: bytes read or written so far
 * @crc: a payload that is not kept: of what moved of it so far, without the final
 *	inversion; who moves bytes has io_lock and reads it without the lock
 * @part: saving: where such a payload is made
 * @busy_since: when the step that is being paced began, 0 if none
 * @ready_at: when the device is done with all steps so far
 * @late: how long after @ready_at the last sleep ended, less what the steps since have used up
 * @due_ns: when the step that a read without waiting has begun will be done, 0 if
 *	there is none; no lock
 * @seg: saving: what follows @seg_pos of the stream
 * @nseg: saving: valid entries of @seg
 * @seg_pos: saving: where in the stream @seg begins
 * @end: saving: where it ends
 * @last: saving: @seg is the end of the stream
 * @precopy: saving: see there
 * @payload: saving: the payload as of STOP_COPY, or NULL before
 * @start: saving: what comes of it in the STATE record begins here
 * @state_head: saving: record header and registers before @payload
 * @headerless: loading: the stream is the payload
 * @unkept: loading: of the payload there will be a CRC
 * @parser: loading: how far the stream is understood
 * @piece: loading: data of a PRECOPY record that is not complete
 * @piece_len: loading: bytes of it that came
 * @image: loading: the payload so far
 * @capacity: loading: size of @image
 */
struct migsim_file {
	struct file *f;
	struct migsim_device *dev;
	struct migsim_files *files;
	struct mutex io_lock;	/* one read or write at a time */
	struct mutex lock;	/* phase, pos, crc, seg, precopy */
	wait_queue_head_t wait;
	struct timer_list poll_timer;
	enum migsim_file_phase phase;
	u64 pos;
	u32 crc;
	void *part;
	ktime_t busy_since;
	ktime_t ready_at;
	ktime_t late;
	ktime_t due_ns;

	struct migsim_segment seg[2];
	unsigned int nseg;
	u64 seg_pos;
	u64 end;
	bool last;
	struct migsim_precopy precopy;
	struct migsim_blob *payload;
	u64 start;
	struct migsim_state_head state_head;

	bool headerless;
	bool unkept;
	struct migsim_parser parser;
	u8 *piece;
	size_t piece_len;
	u8 *image;
	u64 capacity;
};

/**
 * struct migsim_fault - an error to be injected at a byte of a stream
 * @armed: false: nothing will fail
 * @at: position in the stream
 * @err: positive errno
 * @count: how often it still happens, 0 for always
 */
struct migsim_fault {
	bool armed;
	u64 at;
	int err;
	u32 count;
};

/**
 * struct migsim_arc_fault - what is to happen at an arc: an error, or a reset
 * @armed: false: nothing will happen
 * @from: state that the arc leaves
 * @to: state that it would reach
 * @err: positive errno, if it is an error
 * @count: how often it still happens, 0 for always
 */
struct migsim_arc_fault {
	bool armed;
	u8 from;
	u8 to;
	int err;
	u32 count;
};

/**
 * struct migsim_knobs - what the test sets through sysfs
 * @state_size: bytes of payload
 * @seed: what payload and registers are made of
 * @in_memory: payloads are kept
 * @precopy_size: bytes of the payload that are given in PRE_COPY, 0 for none
 * @dirty_rate: bytes of them per second that the device writes to in PRE_COPY
 * @precopy_zero: "nothing now" in PRE_COPY is 0, not -ENOMSG
 * @poll: data_fds can be polled
 * @nonblock: data_fds are born with O_NONBLOCK
 * @read_iter: data_fds have read_iter and write_iter, not read and write
 * @lossy: a read or write that a signal interrupts has moved bytes already
 * @arc_ms: how long an arc takes, unless @arcs says otherwise
 * @read_us_per_mib: how long the device needs to yield 1 MiB
 * @write_us_per_mib: and to take it
 * @read_chunk: most that one read returns, 0 for no limit
 * @write_chunk: most that one write takes, 0 for no limit
 * @headerless: the stream is the payload alone
 * @fail_to_error: a failed arc ends in ERROR
 * @serial: the devices of a group run one arc at a time, 0 for no group
 * @arc_us: microseconds for which an arc keeps the CPU busy
 * @arcs: milliseconds per arc, or MIGSIM_ARC_MS_UNSET
 * @fail_arc: the arc that fails
 * @reset_at_arc: the arc after which the device is reset
 * @fail_read: the byte that cannot be read
 * @fail_write: the byte that cannot be written
 *
 * The numbers before @arcs are all u64, for the sake of sysfs, and read and written whole
 * (READ_ONCE()); @state_size, @seed and @in_memory change under state_mutex. The rest is
 * under migsim_device.knob_lock.
 */
struct migsim_knobs {
	u64 state_size;
	u64 seed;
	u64 in_memory;
	u64 precopy_size;
	u64 dirty_rate;
	u64 precopy_zero;
	u64 poll;
	u64 nonblock;
	u64 read_iter;
	u64 lossy;
	u64 arc_ms;
	u64 read_us_per_mib;
	u64 write_us_per_mib;
	u64 read_chunk;
	u64 write_chunk;
	u64 headerless;
	u64 fail_to_error;
	u64 serial;
	u64 arc_us;

	u32 arcs[MIGSIM_NUM_STATES][MIGSIM_NUM_STATES];
	struct migsim_arc_fault fail_arc;
	struct migsim_arc_fault reset_at_arc;
	struct migsim_fault fail_read;
	struct migsim_fault fail_write;
};

/**
 * struct migsim_log_entry - one arc as it happened
 * @start_ns: CLOCK_MONOTONIC before the arc's delay, when its turn has come
 * @end_ns: CLOCK_MONOTONIC when it was done
 * @from: state before
 * @to: state it was to reach
 * @err: 0 or negative errno
 */
struct migsim_log_entry {
	u64 start_ns;
	u64 end_ns;
	u8 from;
	u8 to;
	int err;
};

/**
 * struct migsim_device - a bound edu device
 * @core: must be the driver data of the PCI device
 * @files: counts the data_fds
 * @state_mutex: one arc at a time; protects all down to @regs_stale
 * @mig_state: the state; read without the lock by the "state" attribute
 * @open: between open_device and close_device, so BAR 0 is mapped
 * @payload: current payload; NULL if it is the one of the seed and not in
 *	memory (generated on demand)
 * @saving: the data_fd being read, or NULL
 * @loading: the data_fd being written, or NULL
 * @in_arc: the holder is in an arc, which may take long; read without the lock
 * @regs_stale: a reset happened, the registers are yet to be set from the seed
 * @reset_lock: makes "defer or do" of a reset atomic against the release of
 *	@state_mutex; protects @deferred_reset
 * @deferred_reset: the holder of @state_mutex has a reset to finish
 * @reset_work: sets the registers after a reset; that of an ioctl waits for no work
 * @knob_lock: protects the structured knobs and the log
 * @knobs: see struct migsim_knobs
 * @log: ring of the last arcs
 * @log_count: arcs since the log was cleared
 * @saved_bytes: bytes read from the current or last saving file
 * @loaded_bytes: bytes written to the current or last loading file
 * @lost_bytes: bytes that interrupted reads and writes moved without saying so,
 *	since the last data_fd was opened
 */
struct migsim_device {
	struct vfio_pci_core_device core;
	struct migsim_files *files;

	/* what the kernel had found of the device, while it has this driver */
	u8 pin;
	unsigned int d3cold_delay;

	struct mutex state_mutex;	/* one arc at a time; see above */
	enum vfio_device_mig_state mig_state;
	bool open;
	struct migsim_blob *payload;
	struct migsim_file *saving;
	struct migsim_file *loading;
	bool in_arc;
	bool regs_stale;

	spinlock_t reset_lock;	/* deferred_reset against state_mutex */
	bool deferred_reset;
	struct work_struct reset_work;

	spinlock_t knob_lock;	/* structured knobs, log */
	struct migsim_knobs knobs;
	struct migsim_log_entry log[MIGSIM_LOG_SIZE];
	u64 log_count;

	u64 saved_bytes;
	u64 loaded_bytes;
	u64 lost_bytes;
};

/* main.c */
void migsim_state_lock(struct migsim_device *dev);
void migsim_state_unlock(struct migsim_device *dev);
void migsim_reset(struct migsim_device *dev);

/* arcs.c */
extern const struct vfio_migration_ops migsim_mig_ops;
const char *migsim_state_name(unsigned int state);
int migsim_state_parse(const char *name);
void migsim_files_disable(struct migsim_device *dev);

/* data_fd.c */
struct migsim_files *migsim_files_create(void);
void migsim_files_put(struct migsim_files *files);
unsigned int migsim_files_alive(struct migsim_files *files);
struct migsim_file *migsim_file_create(struct migsim_device *dev,
				       const struct file_operations fops[4],
				       int flags, enum migsim_file_phase phase);
void migsim_file_disable(struct migsim_file *file);
int migsim_file_release(struct inode *inode, struct file *f);
int migsim_file_pace(struct migsim_file *file, u64 us_per_mib, u64 bytes,
		     bool nonblock);
bool migsim_file_lossy(struct migsim_file *file, bool nonblock);
int migsim_file_lost(struct migsim_file *file, int ret, u64 bytes);
void migsim_file_poll_in(struct migsim_file *file, u64 ns);
u64 migsim_file_due_in(struct migsim_file *file);

/* precopy.c */
int migsim_precopy_start(struct migsim_file *file, struct migsim_blob *payload,
			 u64 size);
void migsim_precopy_free(struct migsim_precopy *pre);
void migsim_precopy_write(struct migsim_file *file, u64 bytes);
void migsim_precopy_reinit(struct migsim_file *file);
void migsim_precopy_catch_up(struct migsim_file *file);
u64 migsim_precopy_next_ns(struct migsim_file *file);
u64 migsim_precopy_initial(const struct migsim_precopy *pre);
u64 migsim_precopy_dirty(const struct migsim_precopy *pre);
size_t migsim_precopy_record(struct migsim_file *file, bool initial);

/* save.c */
struct migsim_file *migsim_save_start(struct migsim_device *dev, bool precopy);
int migsim_save_finish(struct migsim_device *dev, struct migsim_file *file);
void migsim_save_abandon(struct migsim_device *dev);
u64 migsim_save_left(struct migsim_device *dev);

/* load.c */
struct migsim_file *migsim_load_start(struct migsim_device *dev);
int migsim_load_finish(struct migsim_device *dev, struct migsim_file *file);

/* regs.c */
int migsim_regs_read(struct migsim_device *dev, struct migsim_regs *regs);
int migsim_regs_write(struct migsim_device *dev,
		      const struct migsim_regs *regs);
int migsim_regs_reset(struct migsim_device *dev);
int migsim_regs_wait_idle(struct migsim_device *dev, bool dma_only);

/* blob.c */
struct migsim_blob *migsim_blob_generate(u64 seed, size_t size, bool kept);
struct migsim_blob *migsim_blob_wrap(void *base, size_t offset, size_t size);
struct migsim_blob *migsim_blob_get(struct migsim_blob *blob);
void migsim_blob_put(struct migsim_blob *blob);
const void *migsim_blob_part(const struct migsim_blob *blob, u64 from,
			     size_t *len, void *part);
u32 migsim_blob_crc(struct migsim_blob *blob);
void *migsim_blob_alloc(size_t size);
u64 migsim_rand(u64 *state);
bool migsim_blob_is_kept(const struct migsim_blob *blob);
int migsim_payload_reset(struct migsim_device *dev);
int migsim_payload_need(struct migsim_device *dev);

/* knobs.c */
void migsim_knobs_init(struct migsim_device *dev);
u32 migsim_knob_arc_ms(struct migsim_device *dev, unsigned int from,
		       unsigned int to);
int migsim_knob_arc_fault(struct migsim_device *dev, unsigned int from,
			  unsigned int to);
bool migsim_knob_arc_reset(struct migsim_device *dev, unsigned int from,
			   unsigned int to);
int migsim_knob_fault(struct migsim_device *dev, struct migsim_fault *fault,
		      u64 pos, size_t *len);
int migsim_knob_dirty(struct migsim_device *dev, u64 bytes);
void migsim_knob_dirty_rate(struct migsim_device *dev, u64 rate);
int migsim_knob_reinit(struct migsim_device *dev);
void migsim_log_add(struct migsim_device *dev,
		    const struct migsim_log_entry *entry);

/* sysfs.c, sysfs_specs.c */
extern const struct attribute_group *migsim_groups[];
extern struct device_attribute migsim_attr_arcs;
extern struct device_attribute migsim_attr_fail_arc;
extern struct device_attribute migsim_attr_reset_at_arc;
extern struct device_attribute migsim_attr_fail_read_at;
extern struct device_attribute migsim_attr_fail_write_at;
extern struct device_attribute migsim_attr_arcs_log;
extern struct device_attribute migsim_attr_precopy_end;

/*
 * A data_fd comes with one of four tables, by the knobs that were set when it was
 * opened: a table cannot change, and what is in it is all that a user sees.
 */
#define MIGSIM_FOPS_POLL	1
#define MIGSIM_FOPS_ITER	2

/* Since Linux 7.1 a user can ask to be told that there is new initial data. */
static inline bool migsim_knows_reinit(struct migsim_device *dev)
{
	return migmux_compat_is_precopy_v2(&dev->core.vdev);
}

static inline struct migsim_device *migsim_from_vfio(struct vfio_device *vdev)
{
	return container_of(vdev, struct migsim_device, core.vdev);
}

static inline struct migsim_device *migsim_from_dev(struct device *dev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(dev);

	return container_of(core, struct migsim_device, core);
}

#endif /* MIGSIM_H */
