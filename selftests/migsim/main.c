// SPDX-License-Identifier: GPL-2.0-only
/* Bind, open, reset, close: the VFIO PCI variant driver around the rest */

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "migsim.h"

#define PCI_VENDOR_ID_QEMU_EDU	0x1234
#define PCI_DEVICE_ID_QEMU_EDU	0x11e8
#define EDU_BAR_MIN		0xa0

static bool nomig;
module_param(nomig, bool, 0644);
MODULE_PARM_DESC(nomig, "devices bound from now on cannot migrate");

static bool p2p = true;
module_param(p2p, bool, 0644);
MODULE_PARM_DESC(p2p, "P2P states of devices bound from now on (default on)");

static bool precopy;
module_param(precopy, bool, 0644);
MODULE_PARM_DESC(precopy, "PRE_COPY of devices bound from now on (default off)");

/* The registers follow a reset as soon as a context comes that may sleep. */
static void regs_catch_up(struct migsim_device *dev)
{
	int ret;

	lockdep_assert_held(&dev->state_mutex);

	if (!dev->regs_stale || !dev->open)
		return;
	dev->regs_stale = false;
	ret = migsim_regs_reset(dev);
	if (ret)
		pci_err(dev->core.pdev, "registers after reset: %d\n", ret);
}

static void reset_now(struct migsim_device *dev)
{
	lockdep_assert_held(&dev->state_mutex);

	migsim_files_disable(dev);
	WRITE_ONCE(dev->mig_state, VFIO_DEVICE_STATE_RUNNING);
	dev->regs_stale = true;
	/* a payload that does not fit into memory now is made when needed */
	migsim_payload_reset(dev);
}

/**
 * migsim_state_lock - take the state mutex
 * @dev: the device
 *
 * Context: may sleep; not with memory_lock held.
 */
void migsim_state_lock(struct migsim_device *dev)
{
	mutex_lock(&dev->state_mutex);
	regs_catch_up(dev);
}

/**
 * migsim_state_unlock - release the state mutex
 * @dev: the device
 *
 * Does the reset that arrived while the mutex was held. reset_lock closes the
 * gap between the last look at deferred_reset and the release, in which
 * migsim_reset_done() would find the mutex taken and nobody left to do it.
 */
void migsim_state_unlock(struct migsim_device *dev)
{
again:
	spin_lock(&dev->reset_lock);
	if (dev->deferred_reset) {
		dev->deferred_reset = false;
		spin_unlock(&dev->reset_lock);
		reset_now(dev);
		goto again;
	}
	mutex_unlock(&dev->state_mutex);
	spin_unlock(&dev->reset_lock);
}

static void reset_work(struct work_struct *work)
{
	struct migsim_device *dev = container_of(work, struct migsim_device,
						 reset_work);

	migsim_state_lock(dev);
	migsim_state_unlock(dev);
}

/**
 * migsim_reset - what a reset does to the migration
 * @dev: the device, open
 *
 * While somebody holds state_mutex, the caller perhaps, it is left to him.
 *
 * Context: any; never waits.
 */
void migsim_reset(struct migsim_device *dev)
{
	spin_lock(&dev->reset_lock);
	dev->deferred_reset = true;
	if (mutex_trylock(&dev->state_mutex)) {
		spin_unlock(&dev->reset_lock);
		migsim_state_unlock(dev);
	} else {
		spin_unlock(&dev->reset_lock);
	}
	queue_work(migmux_compat_unbound_wq, &dev->reset_work);
}

/*
 * VFIO holds memory_lock, which state_mutex holders take: see the lock order
 * in migsim.h for why migsim_reset() only tries.
 */
static void migsim_reset_done(struct pci_dev *pdev)
{
	struct migsim_device *dev = migsim_from_dev(&pdev->dev);

	/* the reset at open and close; both bring the device up anew anyway */
	if (READ_ONCE(dev->open))
		migsim_reset(dev);
}

static int migsim_open_device(struct vfio_device *vdev)
{
	struct migsim_device *dev = migsim_from_vfio(vdev);
	int ret;

	ret = vfio_pci_core_enable(&dev->core);
	if (ret)
		return ret;
	ret = migmux_compat_map_bar(&dev->core, 0);
	if (ret)
		goto err_disable;

	migsim_state_lock(dev);
	WRITE_ONCE(dev->mig_state, VFIO_DEVICE_STATE_RUNNING);
	WRITE_ONCE(dev->open, true);
	dev->regs_stale = false;
	ret = migsim_payload_reset(dev);
	if (!ret)
		ret = migsim_regs_reset(dev);
	if (ret)
		WRITE_ONCE(dev->open, false);
	migsim_state_unlock(dev);
	if (ret)
		goto err_disable;

	vfio_pci_core_finish_enable(&dev->core);
	return 0;

err_disable:
	cancel_work_sync(&dev->reset_work);
	vfio_pci_core_disable(&dev->core);
	return ret;
}

/*
 * Once open is false under state_mutex, nothing touches the BAR: arcs cannot
 * come (VFIO has no user left), sysfs and the work look at open first. The
 * payload stays for "payload_crc" until the next open.
 */
static void migsim_close_device(struct vfio_device *vdev)
{
	struct migsim_device *dev = migsim_from_vfio(vdev);

	migsim_state_lock(dev);
	migsim_files_disable(dev);
	WRITE_ONCE(dev->open, false);
	WRITE_ONCE(dev->mig_state, VFIO_DEVICE_STATE_RUNNING);
	migsim_state_unlock(dev);
	cancel_work_sync(&dev->reset_work);

	vfio_pci_core_close_device(vdev);
}

/*
 * A user who resets the device finds the registers set when the ioctl
 * returns, unless an arc is under way: then they follow with its end.
 */
static long migsim_ioctl(struct vfio_device *vdev, unsigned int cmd,
			 unsigned long arg)
{
	struct migsim_device *dev = migsim_from_vfio(vdev);
	long ret = vfio_pci_core_ioctl(vdev, cmd, arg);

	/* reset_work may be at it: whoever else holds the mutex is soon done */
	if ((cmd == VFIO_DEVICE_RESET || cmd == VFIO_DEVICE_PCI_HOT_RESET) &&
	    !READ_ONCE(dev->in_arc)) {
		migsim_state_lock(dev);
		migsim_state_unlock(dev);
	}
	return ret;
}

static int migsim_init_dev(struct vfio_device *vdev)
{
	struct migsim_device *dev = migsim_from_vfio(vdev);
	int ret;

	dev->files = migsim_files_create();
	if (!dev->files)
		return -ENOMEM;
	mutex_init(&dev->state_mutex);
	spin_lock_init(&dev->reset_lock);
	spin_lock_init(&dev->knob_lock);
	INIT_WORK(&dev->reset_work, reset_work);
	dev->mig_state = VFIO_DEVICE_STATE_RUNNING;
	migsim_knobs_init(dev);

	if (!READ_ONCE(nomig)) {
		vdev->migration_flags = VFIO_MIGRATION_STOP_COPY;
		if (READ_ONCE(p2p))
			vdev->migration_flags |= VFIO_MIGRATION_P2P;
		if (READ_ONCE(precopy))
			vdev->migration_flags |= VFIO_MIGRATION_PRE_COPY;
		vdev->mig_ops = &migsim_mig_ops;
	}
	ret = vfio_pci_core_init_dev(vdev);
	/* without a success there is no release */
	if (ret)
		migsim_files_put(dev->files);
	return ret;
}

static void migsim_release_dev(struct vfio_device *vdev)
{
	struct migsim_device *dev = migsim_from_vfio(vdev);

	cancel_work_sync(&dev->reset_work);
	migsim_blob_put(dev->payload);
	migsim_files_put(dev->files);
	mutex_destroy(&dev->state_mutex);
	vfio_pci_core_release_dev(vdev);
}

static const struct vfio_device_ops migsim_ops = {
	.name = "migsim-vfio-pci",
	.init = migsim_init_dev,
	.release = migsim_release_dev,
	.open_device = migsim_open_device,
	.close_device = migsim_close_device,
	.ioctl = migsim_ioctl,
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = vfio_pci_core_read,
	.write = vfio_pci_core_write,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	MIGMUX_COMPAT_MATCH_TOKEN
	MIGMUX_COMPAT_REGION_INFO
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
};

/*
 * VFIO resets and enables a device whenever it is opened. This one is there at once after a reset:
 * nobody has to wait 0.1 s. And it has no line for interrupts, which nobody uses: to find out
 * where that leads the debug kernel of an emulated machine runs ACPI's methods for a second.
 */
static void migsim_make_quick(struct migsim_device *dev)
{
	struct pci_dev *pdev = dev->core.pdev;

	swap(dev->d3cold_delay, pdev->d3cold_delay);
	swap(dev->pin, pdev->pin);
	dev->core.nointx = !pdev->pin;
}

static int migsim_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct migsim_device *dev;
	int ret;

	if (!(pci_resource_flags(pdev, 0) & IORESOURCE_MEM) ||
	    pci_resource_len(pdev, 0) < EDU_BAR_MIN)
		return -ENODEV;

	dev = vfio_alloc_device(migsim_device, core.vdev, &pdev->dev,
				&migsim_ops);
	if (IS_ERR(dev))
		return PTR_ERR(dev);

	pci_set_drvdata(pdev, &dev->core);
	migsim_make_quick(dev);
	ret = vfio_pci_core_register_device(&dev->core);
	if (ret) {
		migsim_make_quick(dev);
		vfio_put_device(&dev->core.vdev);
	}
	return ret;
}

static void migsim_remove(struct pci_dev *pdev)
{
	struct migsim_device *dev = migsim_from_dev(&pdev->dev);

	/* waits until every user has closed the device */
	vfio_pci_core_unregister_device(&dev->core);
	migsim_make_quick(dev);
	vfio_put_device(&dev->core.vdev);
}

static const struct pci_device_id migsim_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_QEMU_EDU,
					  PCI_DEVICE_ID_QEMU_EDU) },
	{}
};
MODULE_DEVICE_TABLE(pci, migsim_ids);

static const struct pci_error_handlers migsim_err_handlers = {
	.reset_done = migsim_reset_done,
	.error_detected = vfio_pci_core_aer_err_detected,
};

static struct pci_driver migsim_driver = {
	.name = KBUILD_MODNAME,
	.id_table = migsim_ids,
	.probe = migsim_probe,
	.remove = migsim_remove,
	.err_handler = &migsim_err_handlers,
	.dev_groups = migsim_groups,
	.driver_managed_dma = true,
};
module_pci_driver(migsim_driver);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vfio_migmux authors");
MODULE_DESCRIPTION("VFIO PCI variant driver with simulated live migration for QEMU's edu device");
