// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio_migmux: migrate the state of several VFIO devices at once.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

#include "compat.h"
#include "hook.h"
#include "main.h"
#include "net.h"
#include "netlink.h"
#include "send.h"
#include "session.h"
#include "set.h"

struct workqueue_struct *migmux_wq;

static struct miscdevice misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vfio_migmux",
	.nodename = "vfio/migmux",
	.mode = 0600,
	.fops = &migmux_fops,
};

static int __init migmux_init(void)
{
	int err;

	migmux_wq = alloc_workqueue("vfio_migmux", WQ_UNBOUND, 0);
	if (!migmux_wq)
		return -ENOMEM;
	err = migmux_net_init();
	if (err)
		goto err_wq;
	err = migmux_netlink_init();
	if (err)
		goto err_net;
	err = misc_register(&misc);
	if (err)
		goto err_netlink;
	err = migmux_hook_init(misc.this_device);
	if (err)
		goto err_misc;
	return 0;

err_misc:
	misc_deregister(&misc);
err_netlink:
	migmux_netlink_exit();
	migmux_set_exit();
err_net:
	migmux_net_exit();
err_wq:
	destroy_workqueue(migmux_wq);
	return err;
}

/*
 * An open session holds a reference to the module, so none lives here, once those are
 * closed whose file was closed by a mover; and no mover, batch or link that is in use. Sets
 * do not: unregistering the hooks ends what they do, and then they have no devices. What
 * sockets still send is waited for.
 */
static void __exit migmux_exit(void)
{
	flush_workqueue(migmux_wq);
	migmux_hook_exit();
	misc_deregister(&misc);
	migmux_netlink_exit();
	migmux_set_exit();
	migmux_net_exit();
	migmux_zerocopy_exit();
	destroy_workqueue(migmux_wq);
}

module_init(migmux_init);
module_exit(migmux_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Migrate the state of several VFIO devices at once");
MODULE_AUTHOR("vfio_migmux developers");
