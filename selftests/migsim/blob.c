// SPDX-License-Identifier: GPL-2.0-only
/* Payloads: generated from a seed or loaded, never changed in place */

#include <linux/crc32.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "migsim.h"

#define RAND_STEP	0x9e3779b97f4a7c15ULL

/**
 * migsim_rand - next 64 bits of a seeded sequence
 * @state: state of the sequence, the seed at first
 *
 * A Weyl sequence through a multiply-xorshift mixer: fast, full period, and
 * every seed (0 too) gives unrelated content.
 *
 * Return: the next value.
 */
u64 migsim_rand(u64 *state)
{
	u64 z = (*state += RAND_STEP);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/**
 * migsim_blob_alloc - memory for a payload or a load buffer
 * @size: bytes, more than 0
 *
 * Sizes come from the user: fail instead of waking the OOM killer, and stay
 * silent about it.
 *
 * Context: may sleep.
 * Return: vmalloc memory or NULL.
 */
void *migsim_blob_alloc(size_t size)
{
	return __vmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
			 __GFP_NOWARN);
}

static void fill(u8 *data, size_t size, u64 seed)
{
	u64 *word = (u64 *)data;
	size_t i;

	/* the allocation is page-grained: the last word always fits */
	for (i = 0; i < DIV_ROUND_UP(size, sizeof(*word)); i++)
		word[i] = migsim_rand(&seed);
}

/**
 * migsim_blob_wrap - make a blob of memory that holds content already
 * @base: from migsim_blob_alloc(), or NULL if @size is 0; now the blob's
 * @offset: where the content starts in @base
 * @size: bytes of content
 *
 * Return: a blob with one reference, or NULL, and then @base is still the
 * caller's.
 */
struct migsim_blob *migsim_blob_wrap(void *base, size_t offset, size_t size)
{
	struct migsim_blob *blob = kzalloc(sizeof(*blob), GFP_KERNEL_ACCOUNT);

	if (!blob)
		return NULL;
	kref_init(&blob->ref);
	blob->base = base;
	blob->data = base ? (u8 *)base + offset : NULL;
	blob->size = size;
	return blob;
}

/**
 * migsim_blob_generate - make a blob of pseudo-random content
 * @seed: seed of the content
 * @size: bytes, 0 allowed
 * @kept: false: have the content made where it is wanted, and memory for a part
 *
 * Return: a blob with one reference, or NULL.
 */
struct migsim_blob *migsim_blob_generate(u64 seed, size_t size, bool kept)
{
	struct migsim_blob *blob;
	void *base = NULL;

	if (size) {
		base = migsim_blob_alloc(kept ? PAGE_ALIGN(size) : MIGSIM_PART);
		if (!base)
			return NULL;
	}
	if (size && kept)
		fill(base, size, seed);

	blob = migsim_blob_wrap(base, 0, size);
	if (!blob) {
		vfree(base);
		return NULL;
	}
	if (!kept)
		blob->data = NULL;
	blob->seed = seed;
	blob->generated = true;
	return blob;
}

/**
 * migsim_blob_get - take a reference
 * @blob: the blob; the caller of migsim_blob_put() gives it back
 *
 * Return: @blob.
 */
struct migsim_blob *migsim_blob_get(struct migsim_blob *blob)
{
	kref_get(&blob->ref);
	return blob;
}

static void blob_free(struct kref *ref)
{
	struct migsim_blob *blob = container_of(ref, struct migsim_blob, ref);

	vfree(blob->base);
	kfree(blob);
}

/**
 * migsim_blob_put - drop a reference
 * @blob: the blob, NULL allowed
 *
 * Context: may sleep.
 */
void migsim_blob_put(struct migsim_blob *blob)
{
	if (blob)
		kref_put(&blob->ref, blob_free);
}

/**
 * migsim_blob_is_kept - is the content in memory?
 * @blob: the blob
 *
 * Return: true if so, and if there is none.
 */
bool migsim_blob_is_kept(const struct migsim_blob *blob)
{
	return blob->data || !blob->size;
}

/**
 * migsim_blob_part - get at some of the content
 * @blob: the blob; kept or generated
 * @from: where it begins
 * @len: bytes that are wanted, then bytes that there are; more than 0, and not
 *	beyond the end
 * @part: MIGSIM_PART bytes, to make it in if it is not kept
 *
 * Return: the first byte.
 */
const void *migsim_blob_part(const struct migsim_blob *blob, u64 from,
			     size_t *len, void *part)
{
	size_t skip = from % sizeof(u64);

	if (blob->data)
		return blob->data + from;
	*len = min(*len, MIGSIM_PART - skip);
	fill(part, skip + *len, blob->seed + from / sizeof(u64) * RAND_STEP);
	return part + skip;
}

/**
 * migsim_blob_crc - CRC-32 of the content, as zlib computes it
 * @blob: the blob
 *
 * Context: state_mutex of the device whose payload it is.
 * Return: the CRC.
 */
u32 migsim_blob_crc(struct migsim_blob *blob)
{
	u64 from, left;
	size_t len;
	u32 crc;

	if (blob->crc_valid)
		return blob->crc;
	crc = ~0U;
	for (from = 0, left = blob->size; left; from += len, left -= len) {
		const void *part;

		len = left;
		part = migsim_blob_part(blob, from, &len, blob->base);
		crc = crc32_le(crc, part, len);
		cond_resched();
	}
	blob->crc = ~crc;
	blob->crc_valid = true;
	return blob->crc;
}

/**
 * migsim_payload_need - make sure that the device has a payload
 * @dev: the device
 *
 * Context: state_mutex.
 * Return: 0 or -ENOMEM.
 */
int migsim_payload_need(struct migsim_device *dev)
{
	lockdep_assert_held(&dev->state_mutex);

	if (!dev->payload)
		dev->payload = migsim_blob_generate(dev->knobs.seed,
						    dev->knobs.state_size,
						    dev->knobs.in_memory);
	return dev->payload ? 0 : -ENOMEM;
}

/**
 * migsim_payload_reset - give the device the payload of its seed
 * @dev: the device
 *
 * Keeps the payload if it is that already. A saving file keeps its own
 * reference to the old one.
 *
 * Context: state_mutex; a reset calls it with memory_lock held, so nothing
 * here may fault on user memory.
 * Return: 0; -ERANGE and nothing has changed; -ENOMEM and the device has no payload
 * until it is needed.
 */
int migsim_payload_reset(struct migsim_device *dev)
{
	struct migsim_blob *blob = dev->payload;

	lockdep_assert_held(&dev->state_mutex);

	if (dev->knobs.in_memory && dev->knobs.state_size > MIGSIM_STATE_MAX)
		return -ERANGE;
	if (blob && blob->generated && blob->seed == dev->knobs.seed &&
	    blob->size == dev->knobs.state_size &&
	    (!blob->size || migsim_blob_is_kept(blob) == dev->knobs.in_memory))
		return 0;
	dev->payload = NULL;
	migsim_blob_put(blob);
	return migsim_payload_need(dev);
}
