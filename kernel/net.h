/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What belongs to a network namespace: links and session reports.
 */
#ifndef MIGMUX_NET_H
#define MIGMUX_NET_H

#include <net/net_namespace.h>

#include "link.h"
#include "report.h"

struct migmux_net {
	struct migmux_link_list links;
	struct migmux_report_list reports;
};

struct migmux_net *migmux_net(struct net *net);
int migmux_net_init(void);
void migmux_net_exit(void);

#endif /* MIGMUX_NET_H */
