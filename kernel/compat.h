/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that asks which kernel this is.
 */
#ifndef MIGMUX_COMPAT_H
#define MIGMUX_COMPAT_H

#include <linux/version.h>
#include <linux/vfio.h>
#include <net/sock.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "vfio_migmux needs Linux 6.12 or newer"
#endif

/*
 * Since 7.1 a driver can say that new initial data came in pre-copy, to those who
 * have told VFIO that they understand it. Elsewhere drivers leave the flags, which
 * we give as zero, alone.
 */
#ifdef VFIO_PRECOPY_INFO_REINIT
#define MIGMUX_COMPAT_PRECOPY_VERSION	2

static inline void migmux_compat_precopy_v2(struct vfio_device *vdev)
{
	vdev->precopy_info_v2 = 1;
}

static inline bool migmux_compat_is_precopy_v2(const struct vfio_device *vdev)
{
	return vdev->precopy_info_v2;
}
#else
#define MIGMUX_COMPAT_PRECOPY_VERSION	1
#define VFIO_PRECOPY_INFO_REINIT	BIT(0)

static inline void migmux_compat_precopy_v2(struct vfio_device *vdev)
{
}

static inline bool migmux_compat_is_precopy_v2(const struct vfio_device *vdev)
{
	return false;
}
#endif

/* Where crc32c() is declared. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#include <linux/crc32c.h>
#else
#include <linux/crc32.h>
#endif

/* Its name since 6.17; later kernels warn of the old one. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define migmux_compat_unbound_wq	system_unbound_wq
#else
#define migmux_compat_unbound_wq	system_dfl_wq
#endif

/* The namespace of iommufd's symbols, of which there are none where it is not built. */
#if !IS_ENABLED(CONFIG_IOMMUFD)
#define MIGMUX_COMPAT_IMPORT_IOMMUFD
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define MIGMUX_COMPAT_IMPORT_IOMMUFD	MODULE_IMPORT_NS(IOMMUFD)
#else
#define MIGMUX_COMPAT_IMPORT_IOMMUFD	MODULE_IMPORT_NS("IOMMUFD")
#endif

/* What vfio_pci_core_match() calls since 6.17, in the ops of the simulated driver. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define MIGMUX_COMPAT_MATCH_TOKEN
#else
#define MIGMUX_COMPAT_MATCH_TOKEN	.match_token_uuid = vfio_pci_core_match_token_uuid,
#endif

/* What VFIO asks for a device's regions since 6.19, where it asked the ioctl op. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define MIGMUX_COMPAT_REGION_INFO
#else
#define MIGMUX_COMPAT_REGION_INFO	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
#endif

/*
 * Map a BAR of a vfio-pci device that is enabled, for the simulated driver: once a
 * function of its own, in 7.3 enabling does it, and all that is left is to ask how it
 * went.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#define migmux_compat_map_bar(core, bar)	vfio_pci_core_setup_barmap(core, bar)
#else
#define migmux_compat_map_bar(core, bar) \
	PTR_ERR_OR_ZERO((void __force *)vfio_pci_core_get_iomap(core, bar))
#endif

/*
 * Since 6.16 an AF_UNIX socket can refuse files that come along with bytes. Says what it did
 * before. Sleeps.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
static inline bool migmux_compat_pass_rights(struct sock *sk, bool on)
{
	return true;
}
#else
static inline bool migmux_compat_pass_rights(struct sock *sk, bool on)
{
	bool was;

	if (!sk_is_unix(sk))
		return true;
	lock_sock(sk);
	was = sk->sk_scm_rights;
	sk->sk_scm_rights = on;
	release_sock(sk);
	return was;
}
#endif

#endif /* MIGMUX_COMPAT_H */
