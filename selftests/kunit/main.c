// SPDX-License-Identifier: GPL-2.0-only
/* The suites are in the other files; KUnit runs them when the module is loaded. */

#include <linux/module.h>

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suites of vfio_migmux's pure parts");
