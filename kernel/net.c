// SPDX-License-Identifier: GPL-2.0-only
/*
 * What belongs to a network namespace.
 */
#include <linux/workqueue.h>
#include <net/netns/generic.h>

#include "net.h"
#include "session.h"

static unsigned int net_id;

static int __net_init enter(struct net *net)
{
	struct migmux_net *mn = migmux_net(net);

	migmux_link_list_init(&mn->links);
	migmux_report_list_init(&mn->reports);
	return 0;
}

/*
 * Nothing can still use what is freed here:
 * 1. Sessions hold their namespace, and the module: none is left, and so no link
 *    is attached.
 * 2. Netlink requests come through a socket that holds its namespace; when the
 *    module goes, the family is unregistered before.
 * A link can be left: if its sockets belong to other namespaces, or the module
 * goes.
 */
static void __net_exit leave(struct net *net)
{
	struct migmux_net *mn = migmux_net(net);

	migmux_link_list_exit(&mn->links);
	migmux_report_list_exit(&mn->reports);
}

static struct pernet_operations net_ops = {
	.init = enter,
	.exit = leave,
	.id = &net_id,
	.size = sizeof(struct migmux_net),
};

/**
 * migmux_net() - our part of a network namespace
 * @net: the namespace; the caller holds it
 *
 * Context: any, between migmux_net_init() and migmux_net_exit().
 * Return: our part, valid as long as @net.
 */
struct migmux_net *migmux_net(struct net *net)
{
	return net_generic(net, net_id);
}

/**
 * migmux_net_init() - get a part in all network namespaces
 *
 * Before everything that a user can reach.
 *
 * Context: sleeps.
 * Return: 0 or an error.
 */
int migmux_net_init(void)
{
	return register_pernet_subsys(&net_ops);
}

static void exit_work(struct work_struct *work)
{
	unregister_pernet_subsys(&net_ops);
}

/**
 * migmux_net_exit() - give that up again
 *
 * After migmux_netlink_exit(), when no session is left. By a worker: a task closes what it
 * puts when it returns to user space, and before that this one waits for what the sockets of
 * links still send. One that is closed gives up on a peer that does not read.
 *
 * Context: sleeps.
 */
void migmux_net_exit(void)
{
	struct work_struct work;

	INIT_WORK_ONSTACK(&work, exit_work);
	queue_work(migmux_wq, &work);
	flush_work(&work);
	destroy_work_on_stack(&work);
}
