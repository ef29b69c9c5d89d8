// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of the netlink family's numbers, and memory of the model.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/tls.h>

#include "model.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char * const role_names[] = { "none", "source", "destination" };
static const char * const link_state_names[] = { "idle", "busy", "dead" };
static const char * const send_method_names[] = { "copy", "zerocopy", "splice" };
/* those that kernel TLS knows */
static const char * const cipher_names[] = {
	[TLS_CIPHER_AES_GCM_128] = "aes-128-gcm",
	[TLS_CIPHER_AES_GCM_256] = "aes-256-gcm",
	[TLS_CIPHER_AES_CCM_128] = "aes-128-ccm",
	[TLS_CIPHER_CHACHA20_POLY1305] = "chacha20-poly1305",
	[TLS_CIPHER_SM4_GCM] = "sm4-gcm",
	[TLS_CIPHER_SM4_CCM] = "sm4-ccm",
	[TLS_CIPHER_ARIA_GCM_128] = "aria-128-gcm",
	[TLS_CIPHER_ARIA_GCM_256] = "aria-256-gcm",
};

static const char * const read_method_names[] = { "user", "iter" };
static const char * const dma_kind_names[] = { "type1", "iommufd", "vhost-vdpa" };
static const char * const event_names[] = {
	[VFIO_MIGMUX_EVENT_MILESTONE] = "milestone",
	[VFIO_MIGMUX_EVENT_PHASE_START] = "phase_start",
	[VFIO_MIGMUX_EVENT_PHASE_END] = "phase_end",
	[VFIO_MIGMUX_EVENT_FAILED] = "failed",
	[VFIO_MIGMUX_EVENT_LOST] = "lost",
	[VFIO_MIGMUX_EVENT_ROUND] = "round",
	[VFIO_MIGMUX_EVENT_DMA] = "dma",
};

static const char * const set_event_names[] = {
	[VFIO_MIGMUX_SET_EVENT_TYPE_CALL] = "call",
	[VFIO_MIGMUX_SET_EVENT_TYPE_RETURN] = "return",
	[VFIO_MIGMUX_SET_EVENT_TYPE_EARLY_START] = "early_start",
	[VFIO_MIGMUX_SET_EVENT_TYPE_EARLY_END] = "early_end",
	[VFIO_MIGMUX_SET_EVENT_TYPE_CLAIM] = "claim",
	[VFIO_MIGMUX_SET_EVENT_TYPE_TAKE_BACK] = "take_back",
	[VFIO_MIGMUX_SET_EVENT_TYPE_DROP] = "drop",
};

/* By bit of enum vfio_migmux_set_policy. */
static const char * const policy_names[MODEL_NR_POLICIES] = {
	"stop", "copy", "start", "resume", "setup", "barrier",
};

static const char *name_of(const char * const *names, size_t n, uint32_t value)
{
	return value < n && names[value] ? names[value] : "unknown";
}

const char *model_role_name(uint32_t role)
{
	return name_of(role_names, ARRAY_SIZE(role_names), role);
}

const char *model_link_state_name(uint32_t state)
{
	return name_of(link_state_names, ARRAY_SIZE(link_state_names), state);
}

const char *model_send_method_name(uint32_t method)
{
	return name_of(send_method_names, ARRAY_SIZE(send_method_names), method);
}

const char *model_tls_version_name(uint32_t version)
{
	return version == TLS_1_3_VERSION ? "1.3" : version == TLS_1_2_VERSION ? "1.2" : "unknown";
}

const char *model_tls_cipher_name(uint32_t cipher)
{
	return name_of(cipher_names, ARRAY_SIZE(cipher_names), cipher);
}

const char *model_read_method_name(uint32_t method)
{
	return name_of(read_method_names, ARRAY_SIZE(read_method_names), method);
}

const char *model_dma_kind_name(uint32_t kind)
{
	return name_of(dma_kind_names, ARRAY_SIZE(dma_kind_names), kind);
}

const char *model_event_name(uint32_t type)
{
	return name_of(event_names, ARRAY_SIZE(event_names), type);
}

const char *model_set_event_name(uint32_t type)
{
	return name_of(set_event_names, ARRAY_SIZE(set_event_names), type);
}

const char *model_policy_name(unsigned int bit)
{
	return name_of(policy_names, ARRAY_SIZE(policy_names), bit);
}

/**
 * model_grow() - make room for one more element at the end of an array
 * @array: the array, NULL if it is empty
 * @n: its elements
 * @size: of one element
 *
 * Ends the program if there is no memory: a list of devices that does not fit is
 * no list that could be shown.
 *
 * Return: the array with a zeroed element at @n.
 */
void *model_grow(void *array, size_t n, size_t size)
{
	char *p = reallocarray(array, n + 1, size);

	if (!p)
		abort();
	memset(p + n * size, 0, size);
	return p;
}

/**
 * model_sets_free() - free a list and what hangs on it
 * @list: the list, empty afterwards
 */
void model_sets_free(struct set_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i].members);
	free(list->v);
	*list = (struct set_list){ 0 };
}

/**
 * model_sessions_free() - free a list and what hangs on it
 * @list: the list, empty afterwards
 */
void model_sessions_free(struct session_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i].devices);
	free(list->v);
	*list = (struct session_list){ 0 };
}
