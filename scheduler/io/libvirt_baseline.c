/* What all hosts can give, computed by one of them: libvirt's own rules for it (which features can be taken from which model) are
 * those that decide at the start of a guest and at its migration. */
#include "libvirt_baseline.h"

#include <stdlib.h>
#include <string.h>

#include "libvirt_internal.h"
#include "libvirt_xml.h"

struct hosts {
	const struct libvirt_host *hosts;
	virConnectPtr *conns;
	char **cpus;
	size_t n;
	char *arch;
};

static bool open_all(struct hosts *all, struct error *err)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct lv_host host = { .uri = (char *)(uintptr_t)all->hosts[i].uri };
		all->conns[i] = lv_open(&host, err);
		if (!all->conns[i])
			return error_wrap(err, "host %s", all->hosts[i].name);
		LV_AUTO(text_free) char *caps = virConnectGetCapabilities(all->conns[i]);
		LV_AUTO(text_free) char *arch = caps ? lv_xml_text(caps, "/capabilities/host/cpu/arch") : NULL;
		if (!arch)
			return lv_error(err, ERR_UNSUPPORTED, "host %s: the architecture of its CPU", all->hosts[i].name);
		if (all->arch && strcmp(all->arch, arch) != 0)
			return error_set(err, ERR_UNSUPPORTED, "no CPU for all: host %s is %s, host %s is %s", all->hosts[0].name, all->arch,
					 all->hosts[i].name, arch);
		if (!all->arch)
			all->arch = xstrdup(arch);
	}
	return true;
}

static bool read_cpus(struct hosts *all, const char *virt_type, struct error *err)
{
	for (size_t i = 0; i < all->n; i++) {
		LV_AUTO(text_free) char *caps = virConnectGetDomainCapabilities(all->conns[i], NULL, all->arch, NULL, virt_type, 0);
		free(all->cpus[i]);
		all->cpus[i] = caps ? lv_xml_host_model(caps) : NULL;
		if (all->cpus[i])
			continue;
		lv_error(err, ERR_UNSUPPORTED, "host %s: its CPU model for guests of type %s", all->hosts[i].name, virt_type);
		virResetLastError();
		return false;
	}
	return true;
}

static bool compute(struct hosts *all, struct baseline *ret, struct error *err)
{
	ret->virt_type = "kvm";
	if (!read_cpus(all, ret->virt_type, NULL)) {
		ret->virt_type = "qemu";
		if (!read_cpus(all, ret->virt_type, err))
			return false;
	}
	ret->cpu = virConnectBaselineHypervisorCPU(all->conns[0], NULL, all->arch, NULL, ret->virt_type, (const char **)all->cpus,
						   (unsigned)all->n, VIR_CONNECT_BASELINE_CPU_MIGRATABLE);
	return ret->cpu || lv_error(err, ERR_UNSUPPORTED, "host %s cannot compute a CPU for all %zu hosts", all->hosts[0].name, all->n);
}

bool libvirt_baseline(const struct libvirt_host *hosts, size_t n, struct baseline *ret, struct error *err)
{
	struct hosts all = { hosts, xcalloc(n, sizeof *all.conns), xcalloc(n, sizeof *all.cpus), n, NULL };
	bool ok = lv_event_thread_start(err) && open_all(&all, err) && compute(&all, ret, err);

	for (size_t i = 0; i < n; i++) {
		if (all.conns[i])
			virConnectClose(all.conns[i]);
		free(all.cpus[i]);
	}
	free(all.conns);
	free(all.cpus);
	free(all.arch);
	return ok;
}
