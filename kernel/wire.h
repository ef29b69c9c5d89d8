/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire format and every limit in it: QEMU's multifd device state (10.0
 * and later) from source to destination, and on the otherwise unused reverse
 * direction our answer to a question, acknowledgments and verdict.  All integers are
 * big-endian.
 * Documentation/wire.rst describes the same in prose.
 *
 * The structs have no padding and need no packing; a buffer that is decoded
 * must be aligned like its struct.
 */
#ifndef MIGMUX_WIRE_H
#define MIGMUX_WIRE_H

#include "pure.h"

#define MIGMUX_WIRE_MAGIC		0x11223344u
#define MIGMUX_WIRE_VERSION		1u
#define MIGMUX_WIRE_PAYLOAD_VERSION	0u
#define MIGMUX_WIRE_VERDICT_MAGIC	0x4d4d5856u	/* "MMXV" */
#define MIGMUX_WIRE_CONFIRM_MAGIC	0x4d4d5843u	/* "MMXC" */
#define MIGMUX_WIRE_ACK_MAGIC		0x4d4d5841u	/* "MMXA" */
#define MIGMUX_WIRE_QUERY_MAGIC		0x4d4d5851u	/* "MMXQ" */
#define MIGMUX_WIRE_READY_MAGIC		0x4d4d5852u	/* "MMXR" */
#define MIGMUX_WIRE_REPLY_VERSION	1u

/* Packet flags */
#define MIGMUX_WIRE_F_SYNC		0x01u
#define MIGMUX_WIRE_F_COMPRESSION	0x3eu	/* zlib, zstd, qpl, uadk, qatzip */
#define MIGMUX_WIRE_F_DEVICE_STATE	0x40u

/* Payload flags; all but the first are for peers that give a verdict */
#define MIGMUX_WIRE_P_CONFIG		0x01u
#define MIGMUX_WIRE_P_ACK		0x02u
#define MIGMUX_WIRE_P_PRECOPY		0x04u
#define MIGMUX_WIRE_P_VERIFY		0x08u	/* between our ends: see the verdict */

/* What a destination that is ready says of its session */
#define MIGMUX_WIRE_R_VERIFY		0x01u	/* it verifies */
#define MIGMUX_WIRE_R_SHARED		0x02u	/* its devices share the channel */

enum migmux_wire_limits {
	MIGMUX_WIRE_UUID_LEN = 16,
	MIGMUX_WIRE_IDSTR_LEN = 256,		/* with its terminating NUL */
	MIGMUX_WIRE_REASON_LEN = 232,		/* with its terminating NUL */
	MIGMUX_WIRE_DATA_MAX = 1 << 20,		/* device state in one frame */
	MIGMUX_WIRE_CONFIG_MAX = 256 << 10,	/* config blob of a device */
	MIGMUX_WIRE_RAM_DATA_MAX = 1 << 20,	/* pages after a RAM packet */
	MIGMUX_WIRE_ERRNO_MAX = 4095,		/* status in verdict, confirmation */
	MIGMUX_WIRE_FAULT_LEN = 96,		/* enough for any fault text */
	MIGMUX_WIRE_DRIVER_LEN = 32,		/* with its terminating NUL */
	MIGMUX_WIRE_DEVICES_MAX = 64,		/* devices of a destination */
};

/* Sizes as they are on the wire; static_assert()ed against the structs. */
enum migmux_wire_sizes {
	MIGMUX_WIRE_INIT_SIZE = 64,
	MIGMUX_WIRE_PREFIX_SIZE = 12,
	MIGMUX_WIRE_PACKET_SIZE = 276,
	MIGMUX_WIRE_PAYLOAD_SIZE = 12,
	MIGMUX_WIRE_FRAME_SIZE = 288,
	MIGMUX_WIRE_RAM_SIZE = 1344,		/* with pages of 4 KiB */
	MIGMUX_WIRE_VERDICT_SIZE = 512,
	MIGMUX_WIRE_ACK_SIZE = 512,
	MIGMUX_WIRE_CONFIRM_SIZE = 16,
	MIGMUX_WIRE_QUERY_SIZE = 12,
	MIGMUX_WIRE_READY_SIZE = 512,
};

/**
 * struct migmux_wire_init - first bytes of each channel
 * @magic: MIGMUX_WIRE_MAGIC
 * @version: MIGMUX_WIRE_VERSION
 * @uuid: the VM's UUID, zero if it has none
 * @id: channel number, chosen by the source
 * @reserved: zero
 */
struct migmux_wire_init {
	__be32 magic;
	__be32 version;
	u8 uuid[MIGMUX_WIRE_UUID_LEN];
	u8 id;
	u8 reserved[39];
};

/**
 * struct migmux_wire_prefix - what all packets begin with
 * @magic: MIGMUX_WIRE_MAGIC
 * @version: MIGMUX_WIRE_VERSION
 * @flags: MIGMUX_WIRE_F_*: tells the kind of packet
 */
struct migmux_wire_prefix {
	__be32 magic;
	__be32 version;
	__be32 flags;
};

/**
 * struct migmux_wire_packet - device-state packet
 * @prefix: with flags exactly MIGMUX_WIRE_F_DEVICE_STATE
 * @idstr: the device's name in the VM, padded with NUL, at least one NUL
 * @instance_id: tells apart devices of the same name
 * @size: bytes that follow: payload header and data
 */
struct migmux_wire_packet {
	struct migmux_wire_prefix prefix;
	char idstr[MIGMUX_WIRE_IDSTR_LEN];
	__be32 instance_id;
	__be32 size;
};

/**
 * struct migmux_wire_payload - header of the payload
 * @version: MIGMUX_WIRE_PAYLOAD_VERSION
 * @idx: position among the frames of this device, from 0, never U32_MAX
 * @flags: MIGMUX_WIRE_P_CONFIG on the last frame, whose @idx therefore is the
 *	number of data frames. MIGMUX_WIRE_P_PRECOPY: read before the switchover; such
 *	a frame may have MIGMUX_WIRE_P_ACK too: the destination says when this one and
 *	all before are written. MIGMUX_WIRE_P_VERIFY on all or none
 */
struct migmux_wire_payload {
	__be32 version;
	__be32 idx;
	__be32 flags;
};

/**
 * struct migmux_wire_frame - everything before the data of a frame
 * @packet: packet header
 * @payload: payload header
 */
struct migmux_wire_frame {
	struct migmux_wire_packet packet;
	struct migmux_wire_payload payload;
};

/**
 * struct migmux_wire_ram - the part of a RAM or SYNC packet that one needs to
 *	step over it
 * @prefix: flags without MIGMUX_WIRE_F_DEVICE_STATE
 * @counts: page counts, the VMM's business
 * @size: bytes of pages after the packet, 0 for SYNC
 * @packet_num: running number
 * @rest: page offsets and the name of the RAM block, the VMM's business
 */
struct migmux_wire_ram {
	struct migmux_wire_prefix prefix;
	__be32 counts[2];
	__be32 size;
	__be64 packet_num;
	u8 rest[MIGMUX_WIRE_RAM_SIZE - 32];
};

/**
 * struct migmux_wire_verdict - destination to source: did it load?
 * @magic: MIGMUX_WIRE_VERDICT_MAGIC
 * @version: MIGMUX_WIRE_REPLY_VERSION
 * @status: 0: all devices are loaded; else a positive error number
 * @instance_id: of the device below
 * @idstr: device that failed, empty when the session failed as a whole; or the one
 *	that @crc is of
 * @reason: printable text, NUL-terminated, padded with NUL
 * @verified: 0, or 1 if there is a @crc
 * @crc: CRC32C of the device's state as it was written, or 0
 *
 * Where both ends verify, the same with another magic is the source's confirmation,
 * which thus can say what is wrong.
 */
struct migmux_wire_verdict {
	__be32 magic;
	__be32 version;
	__be32 status;
	__be32 instance_id;
	char idstr[MIGMUX_WIRE_IDSTR_LEN];
	char reason[MIGMUX_WIRE_REASON_LEN];
	__be32 verified;
	__be32 crc;
};

/**
 * struct migmux_wire_confirm - source to destination, after the verdict
 * @magic: MIGMUX_WIRE_CONFIRM_MAGIC
 * @version: MIGMUX_WIRE_REPLY_VERSION
 * @status: 0: the devices are handed over; else a positive error number
 * @reserved: zero
 */
struct migmux_wire_confirm {
	__be32 magic;
	__be32 version;
	__be32 status;
	__be32 reserved;
};

/**
 * struct migmux_wire_ack - destination to source: a frame and all before are written
 * @magic: MIGMUX_WIRE_ACK_MAGIC
 * @version: MIGMUX_WIRE_REPLY_VERSION
 * @idx: of the frame, which had MIGMUX_WIRE_P_ACK
 * @instance_id: of the device
 * @idstr: the device's name
 * @reserved: zero. As long as a verdict: what is received is told apart afterwards
 */
struct migmux_wire_ack {
	__be32 magic;
	__be32 version;
	__be32 idx;
	__be32 instance_id;
	char idstr[MIGMUX_WIRE_IDSTR_LEN];
	u8 reserved[240];
};

/**
 * struct migmux_wire_query - source to destination, between two packets: are you ready?
 * @magic: MIGMUX_WIRE_QUERY_MAGIC
 * @version: MIGMUX_WIRE_REPLY_VERSION
 * @id: comes back in the answer, which may find another source there
 *
 * As long as the prefix of a packet: what is received is told apart afterwards.
 */
struct migmux_wire_query {
	__be32 magic;
	__be32 version;
	__be32 id;
};

/**
 * struct migmux_wire_ready - destination to source: all is ready; one for each device
 * @magic: MIGMUX_WIRE_READY_MAGIC
 * @version: MIGMUX_WIRE_REPLY_VERSION
 * @id: that of the question
 * @instance_id: of the device
 * @idstr: the device's name
 * @driver: its driver, printable, padded with NUL, at least one NUL
 * @index: counts the records of an answer, from 0
 * @nr_devices: how many there are, 1 to MIGMUX_WIRE_DEVICES_MAX
 * @migration_flags: VFIO_MIGRATION_* of the device, STOP_COPY at least
 * @precopy_version: 0 without PRE_COPY; 1, or 2 if new initial data may come in it
 * @flags: MIGMUX_WIRE_R_*, the same in all records
 * @reserved: zero
 * @staging: bytes of state that wait in the destination's memory, the same in all
 * @max_state: most bytes of state that it takes of a device, 0 is any; the same in all
 * @padding: zero. As long as a verdict: what is received is told apart afterwards
 */
struct migmux_wire_ready {
	__be32 magic;
	__be32 version;
	__be32 id;
	__be32 instance_id;
	char idstr[MIGMUX_WIRE_IDSTR_LEN];
	char driver[MIGMUX_WIRE_DRIVER_LEN];
	__be32 index;
	__be32 nr_devices;
	__be32 migration_flags;
	__be32 precopy_version;
	__be32 flags;
	__be32 reserved;
	__be64 staging;
	__be64 max_state;
	u8 padding[168];
};

static_assert(sizeof(struct migmux_wire_init) == MIGMUX_WIRE_INIT_SIZE);
static_assert(sizeof(struct migmux_wire_prefix) == MIGMUX_WIRE_PREFIX_SIZE);
static_assert(sizeof(struct migmux_wire_packet) == MIGMUX_WIRE_PACKET_SIZE);
static_assert(sizeof(struct migmux_wire_payload) == MIGMUX_WIRE_PAYLOAD_SIZE);
static_assert(sizeof(struct migmux_wire_frame) == MIGMUX_WIRE_FRAME_SIZE);
static_assert(sizeof(struct migmux_wire_ram) == MIGMUX_WIRE_RAM_SIZE);
static_assert(sizeof(struct migmux_wire_verdict) == MIGMUX_WIRE_VERDICT_SIZE);
static_assert(sizeof(struct migmux_wire_confirm) == MIGMUX_WIRE_CONFIRM_SIZE);
static_assert(sizeof(struct migmux_wire_ack) == MIGMUX_WIRE_ACK_SIZE);
static_assert(sizeof(struct migmux_wire_ack) == sizeof(struct migmux_wire_verdict));
static_assert(sizeof(struct migmux_wire_query) == MIGMUX_WIRE_QUERY_SIZE);
static_assert(sizeof(struct migmux_wire_query) == sizeof(struct migmux_wire_prefix));
static_assert(sizeof(struct migmux_wire_ready) == MIGMUX_WIRE_READY_SIZE);
static_assert(sizeof(struct migmux_wire_ready) == sizeof(struct migmux_wire_verdict));

/**
 * enum migmux_wire_err - why something from the wire was refused
 * @MIGMUX_WIRE_OK: it was not
 * @MIGMUX_WIRE_BAD_MAGIC: the magic
 * @MIGMUX_WIRE_BAD_VERSION: the version
 * @MIGMUX_WIRE_BAD_UUID: offset of the first difference
 * @MIGMUX_WIRE_BAD_RESERVED: offset of the first byte not zero
 * @MIGMUX_WIRE_SYNC_AND_STATE: the flags
 * @MIGMUX_WIRE_COMPRESSED_STATE: the flags
 * @MIGMUX_WIRE_BAD_FLAGS: the flags
 * @MIGMUX_WIRE_IDSTR_EMPTY: 0
 * @MIGMUX_WIRE_IDSTR_UNTERMINATED: size of the field
 * @MIGMUX_WIRE_IDSTR_UNPRINTABLE: the byte
 * @MIGMUX_WIRE_IDSTR_PADDING: the byte
 * @MIGMUX_WIRE_TOO_SHORT: packet size, without its header
 * @MIGMUX_WIRE_TOO_LONG: packet size, without its header
 * @MIGMUX_WIRE_BAD_PAYLOAD_VERSION: the version
 * @MIGMUX_WIRE_BAD_PAYLOAD_FLAGS: the flags
 * @MIGMUX_WIRE_BAD_IDX: the idx
 * @MIGMUX_WIRE_NO_DATA: the idx
 * @MIGMUX_WIRE_CONFIG_TOO_LONG: bytes of config
 * @MIGMUX_WIRE_SYNC_PAYLOAD: bytes announced
 * @MIGMUX_WIRE_RAM_TOO_LONG: bytes announced
 * @MIGMUX_WIRE_BAD_STATUS: the status
 * @MIGMUX_WIRE_REASON_UNTERMINATED: size of the field
 * @MIGMUX_WIRE_BAD_VERIFIED: the field
 * @MIGMUX_WIRE_STRAY_CRC: the CRC
 * @MIGMUX_WIRE_BAD_DRIVER: offset of the first byte that is wrong
 * @MIGMUX_WIRE_BAD_COUNT: number of devices
 * @MIGMUX_WIRE_BAD_INDEX: the index
 * @MIGMUX_WIRE_BAD_MIGRATION: VFIO_MIGRATION_* flags
 * @MIGMUX_WIRE_BAD_PRECOPY: version of pre-copy
 * @MIGMUX_WIRE_BAD_READY: the flags
 * @MIGMUX_GATHER_DUPLICATE: the idx
 * @MIGMUX_GATHER_SECOND_CONFIG: idx of the second config frame
 * @MIGMUX_GATHER_BEYOND_END: the idx
 * @MIGMUX_GATHER_END_TOO_LOW: idx of the config frame
 * @MIGMUX_GATHER_NOT_RISING: the idx
 *
 * The codes of the decoders come first, then those of gather.h, so that a
 * session has one vocabulary for everything that a peer can do wrong.  Beside
 * each code stands what the value of its &struct migmux_wire_fault means.
 */
enum migmux_wire_err {
	MIGMUX_WIRE_OK = 0,
	MIGMUX_WIRE_BAD_MAGIC,
	MIGMUX_WIRE_BAD_VERSION,
	MIGMUX_WIRE_BAD_UUID,
	MIGMUX_WIRE_BAD_RESERVED,
	MIGMUX_WIRE_SYNC_AND_STATE,
	MIGMUX_WIRE_COMPRESSED_STATE,
	MIGMUX_WIRE_BAD_FLAGS,
	MIGMUX_WIRE_IDSTR_EMPTY,
	MIGMUX_WIRE_IDSTR_UNTERMINATED,
	MIGMUX_WIRE_IDSTR_UNPRINTABLE,
	MIGMUX_WIRE_IDSTR_PADDING,
	MIGMUX_WIRE_TOO_SHORT,
	MIGMUX_WIRE_TOO_LONG,
	MIGMUX_WIRE_BAD_PAYLOAD_VERSION,
	MIGMUX_WIRE_BAD_PAYLOAD_FLAGS,
	MIGMUX_WIRE_BAD_IDX,
	MIGMUX_WIRE_NO_DATA,
	MIGMUX_WIRE_CONFIG_TOO_LONG,
	MIGMUX_WIRE_SYNC_PAYLOAD,
	MIGMUX_WIRE_RAM_TOO_LONG,
	MIGMUX_WIRE_BAD_STATUS,
	MIGMUX_WIRE_REASON_UNTERMINATED,
	MIGMUX_WIRE_BAD_VERIFIED,
	MIGMUX_WIRE_STRAY_CRC,
	MIGMUX_WIRE_BAD_DRIVER,
	MIGMUX_WIRE_BAD_COUNT,
	MIGMUX_WIRE_BAD_INDEX,
	MIGMUX_WIRE_BAD_MIGRATION,
	MIGMUX_WIRE_BAD_PRECOPY,
	MIGMUX_WIRE_BAD_READY,

	MIGMUX_GATHER_DUPLICATE,
	MIGMUX_GATHER_SECOND_CONFIG,
	MIGMUX_GATHER_BEYOND_END,
	MIGMUX_GATHER_END_TOO_LOW,
	MIGMUX_GATHER_NOT_RISING,
	/* private: */
	MIGMUX_WIRE_ERR_NR,
};

/**
 * struct migmux_wire_fault - a refusal, in detail
 * @err: what was wrong
 * @value: the offending value, see &enum migmux_wire_err
 */
struct migmux_wire_fault {
	enum migmux_wire_err err;
	u64 value;
};

/**
 * enum migmux_wire_kind - what a prefix announces
 * @MIGMUX_WIRE_DEVICE_STATE: a &struct migmux_wire_frame, then data
 * @MIGMUX_WIRE_RAM: a &struct migmux_wire_ram, then pages; not for us
 * @MIGMUX_WIRE_SYNC: a &struct migmux_wire_ram alone; not for us
 */
enum migmux_wire_kind {
	MIGMUX_WIRE_DEVICE_STATE,
	MIGMUX_WIRE_RAM,
	MIGMUX_WIRE_SYNC,
};

/**
 * struct migmux_wire_head - a frame's header, in the host's terms
 * @idstr: device name; after decoding it points into the buffer that was
 *	decoded and is known to be terminated and printable
 * @instance_id: tells apart devices of the same name
 * @bytes: bytes of data after the header (without the payload header)
 * @idx: position among the frames of the device
 * @config: the last frame, with the VMM's config blob
 * @precopy: read before the device's switchover began
 * @ack: to be acknowledged; such a frame may be empty
 * @verify: the source verifies
 */
struct migmux_wire_head {
	const char *idstr;
	u32 instance_id;
	u32 bytes;
	u32 idx;
	bool config;
	bool precopy;
	bool ack;
	bool verify;
};

/**
 * struct migmux_wire_result - a verdict, in the host's terms
 * @status: 0 or a positive error number
 * @instance_id: of the device that failed or was verified
 * @idstr: that device, or empty; printable
 * @reason: text, printable
 * @verified: there is a @crc
 * @crc: CRC32C of the state that was written
 */
struct migmux_wire_result {
	u32 status;
	u32 instance_id;
	char idstr[MIGMUX_WIRE_IDSTR_LEN];
	char reason[MIGMUX_WIRE_REASON_LEN];
	bool verified;
	u32 crc;
};

/**
 * struct migmux_wire_peer - a device of the destination, in the host's terms
 * @id: of the question
 * @index: its place in the answer
 * @nr_devices: how many there are
 * @flags: MIGMUX_WIRE_R_*
 * @staging: bytes
 * @max_state: bytes of a device's state, 0 is any
 * @instance_id: of the device
 * @migration_flags: VFIO_MIGRATION_*
 * @precopy_version: 0 if it has none
 * @idstr: its name
 * @driver: its driver
 */
struct migmux_wire_peer {
	u32 id;
	u32 index;
	u32 nr_devices;
	u32 flags;
	u64 staging;
	u64 max_state;
	u32 instance_id;
	u32 migration_flags;
	u32 precopy_version;
	char idstr[MIGMUX_WIRE_IDSTR_LEN];
	char driver[MIGMUX_WIRE_DRIVER_LEN];
};

/* All decoders: 0 or -EPROTO and @fault filled; never touch it on success. */

void migmux_wire_init_encode(struct migmux_wire_init *init,
			     const u8 uuid[MIGMUX_WIRE_UUID_LEN], u8 id);
int migmux_wire_init_decode(const struct migmux_wire_init *init,
			    const u8 uuid[MIGMUX_WIRE_UUID_LEN], u8 *id,
			    struct migmux_wire_fault *fault);

int migmux_wire_frame_encode(struct migmux_wire_frame *frame,
			     const struct migmux_wire_head *head);
int migmux_wire_prefix_decode(const struct migmux_wire_prefix *prefix,
			      enum migmux_wire_kind *kind,
			      struct migmux_wire_fault *fault);
int migmux_wire_packet_decode(const struct migmux_wire_packet *packet,
			      struct migmux_wire_head *head,
			      struct migmux_wire_fault *fault);
int migmux_wire_payload_decode(const struct migmux_wire_payload *payload,
			       struct migmux_wire_head *head,
			       struct migmux_wire_fault *fault);
int migmux_wire_ram_decode(const struct migmux_wire_ram *ram, u32 *skip,
			   struct migmux_wire_fault *fault);

void migmux_wire_verdict_encode(struct migmux_wire_verdict *verdict,
				const struct migmux_wire_result *result);
int migmux_wire_verdict_decode(const struct migmux_wire_verdict *verdict,
			       struct migmux_wire_result *result,
			       struct migmux_wire_fault *fault);
void migmux_wire_answer_encode(struct migmux_wire_verdict *answer,
			       const struct migmux_wire_result *result);
int migmux_wire_answer_decode(const struct migmux_wire_verdict *answer,
			      struct migmux_wire_result *result,
			      struct migmux_wire_fault *fault);
void migmux_wire_confirm_encode(struct migmux_wire_confirm *confirm, u32 status);
int migmux_wire_confirm_decode(const struct migmux_wire_confirm *confirm,
			       u32 *status, struct migmux_wire_fault *fault);
void migmux_wire_ack_encode(struct migmux_wire_ack *ack,
			    const struct migmux_wire_head *head);
bool migmux_wire_is_ack(const struct migmux_wire_ack *ack);
int migmux_wire_ack_decode(const struct migmux_wire_ack *ack,
			   struct migmux_wire_head *head,
			   struct migmux_wire_fault *fault);

void migmux_wire_query_encode(struct migmux_wire_query *query, u32 id);
bool migmux_wire_is_query(const struct migmux_wire_query *query);
int migmux_wire_query_decode(const struct migmux_wire_query *query, u32 *id,
			     struct migmux_wire_fault *fault);
void migmux_wire_ready_encode(struct migmux_wire_ready *ready,
			      const struct migmux_wire_peer *peer);
bool migmux_wire_is_ready(const struct migmux_wire_ready *ready);
int migmux_wire_ready_decode(const struct migmux_wire_ready *ready,
			     struct migmux_wire_peer *peer,
			     struct migmux_wire_fault *fault);

int migmux_wire_idstr_check(const char *idstr, struct migmux_wire_fault *fault);
void migmux_wire_text_copy(char *dst, const char *src, size_t size);
const char *migmux_wire_strerror(enum migmux_wire_err err);
int migmux_wire_fault_format(char *buf, size_t size,
			     const struct migmux_wire_fault *fault);

#endif /* MIGMUX_WIRE_H */
