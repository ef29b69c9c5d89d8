#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm: --hosts 2 --devices 4
#
# Is the test host what the other tests rely on: an IOMMU group per edu on both hosts,
# modules that load and unload, a link that carries packets?

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh

ktap_plan 7

groups()
{
	for bdf in $(edu_list); do
		iommu_group "$bdf"
	done | sort -u | wc -l
}

devices=$(edu_list | wc -l)
check "host a has the devices asked for" [ "$devices" -eq "$VM_DEVICES" ]
check "each has its own IOMMU group" [ "$(groups)" -eq "$devices" ]
# shellcheck disable=SC2016 # host b expands it
check "host b has as many" on_b sh -c \
	'. /lib/migmux/hosts.sh; [ "$(edu_list | wc -l)" -eq "$VM_DEVICES" ]'
check "the link carries packets" ping -c 1 -W 5 "$ADDR_B"

bdf=$(edu_list | head -n 1)
modprobe vfio_pci
if driver_bind vfio-pci "$bdf" && [ -e "/dev/vfio/$(iommu_group "$bdf")" ]; then
	ok "vfio-pci takes a device"
else
	not_ok "vfio-pci takes a device"
fi
driver_unbind "$bdf"

for module in vfio_migmux vfio_pci_migsim; do
	if ! grep -q "/$module\.ko:" "/lib/modules/$(uname -r)/modules.dep"; then
		skip "$module loads and unloads" "not built"
	elif modprobe "$module" && rmmod "$module"; then
		ok "$module loads and unloads"
	else
		not_ok "$module loads and unloads"
	fi
done

ktap_exit
