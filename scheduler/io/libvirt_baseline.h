/* The best CPU that every one of several hosts can give a guest. Blocks: for short-lived commands, not for a run. */
#ifndef DROVER_LIBVIRT_BASELINE_H
#define DROVER_LIBVIRT_BASELINE_H

#include "libvirt_hv.h"

struct baseline {
	char *cpu;             /* <cpu> for a guest's XML; with free() */
	const char *virt_type; /* "kvm", or "qemu" where a host has no KVM */
};

/* False names the host that could not say what it can give. */
bool libvirt_baseline(const struct libvirt_host *hosts, size_t n, struct baseline *ret, struct error *err);

#endif
