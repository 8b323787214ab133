/* See empty.h. By hand, with bpf(2), so that nothing has to be installed to build it. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "empty.h"

/* include/uapi/linux/bpf.h of Linux 6.6 */
#define TCX_EGRESS 47
#define TCX_NEXT -1

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* The bytes that follow a type in BTF (Documentation/bpf/btf.rst). */
static size_t extra(const struct btf_type *type)
{
	unsigned int count = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT: case BTF_KIND_VAR: case BTF_KIND_DECL_TAG: return 4;
	case BTF_KIND_ARRAY: return sizeof(struct btf_array);
	case BTF_KIND_STRUCT: case BTF_KIND_UNION: return count * sizeof(struct btf_member);
	case BTF_KIND_ENUM: return count * sizeof(struct btf_enum);
	case BTF_KIND_FUNC_PROTO: return count * sizeof(struct btf_param);
	case BTF_KIND_DATASEC: return count * sizeof(struct btf_var_secinfo);
	case BTF_KIND_ENUM64: return count * 12;
	default: return 0;
	}
}

/* The number of a function's or a typedef's type in the kernel's BTF. */
static uint32_t kernel_type(unsigned int kind, const char *name)
{
	const char *file = "/sys/kernel/btf/vmlinux";
	static char blob[32 << 20];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	const struct btf_header *header = (void *)blob;
	size_t size = 0;
	ssize_t got;

	while (fd >= 0 && (got = read(fd, blob + size, sizeof(blob) - size)) > 0)
		size += got;
	if (size < sizeof(*header) || size == sizeof(blob))
		err(1, "%s", file);
	close(fd);
	const char *at = blob + header->hdr_len + header->type_off, *end = at + header->type_len;
	const char *strings = blob + header->hdr_len + header->str_off;

	for (uint32_t id = 1; at < end; id++) {
		const struct btf_type *type = (void *)at;

		if (BTF_INFO_KIND(type->info) == kind && !strcmp(strings + type->name_off, name))
			return id;
		at += sizeof(*type) + extra(type);
	}
	errx(1, "%s knows no %s", file, name);
}

/* A program that returns `value`. */
static int load(int type, int attach_type, uint32_t btf_id, int value)
{
	struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = type,
		.expected_attach_type = attach_type,
		.attach_btf_id = btf_id,
		.insns = (uintptr_t)program,
		.insn_cnt = sizeof(program) / sizeof(*program),
		.license = (uintptr_t)"GPL",
		.prog_name = "empty",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

static int attach(int program, int target, int attach_type)
{
	union bpf_attr attr = {
		.link_create = { .prog_fd = program, .target_fd = target, .attach_type = attach_type },
	};

	return bpf(BPF_LINK_CREATE, &attr);
}

static int attach_kprobe_multi(const char *function)
{
	union bpf_attr attr = {
		.link_create = {
			.prog_fd = load(BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, 0, 0),
			.attach_type = BPF_TRACE_KPROBE_MULTI,
			.kprobe_multi = { .cnt = 1, .syms = (uintptr_t)&function },
		},
	};

	return bpf(BPF_LINK_CREATE, &attr);
}

/* A program of the BPF security module: where the kernel calls the module's own, empty function. */
static int attach_lsm(const char *hook)
{
	char function[128];

	snprintf(function, sizeof(function), "bpf_lsm_%s", hook);
	return attach(load(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, kernel_type(BTF_KIND_FUNC, function), 0), 0, BPF_LSM_MAC);
}

static int attach_tracepoint(const char *name)
{
	char type[128];
	union bpf_attr attr = {};

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	attr.raw_tracepoint.prog_fd =
		load(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, kernel_type(BTF_KIND_TYPEDEF, type), 0);
	return bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
}

static int attach_kprobe(const char *function)
{
	struct perf_event_attr probe = { .size = sizeof(probe), .kprobe_func = (uintptr_t)function };
	FILE *type = fopen("/sys/bus/event_source/devices/kprobe/type", "re");

	if (!type || fscanf(type, "%u", &probe.type) != 1)
		err(1, "the kernel has no kprobe events");
	fclose(type);
	int event = syscall(SYS_perf_event_open, &probe, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	return attach(load(BPF_PROG_TYPE_KPROBE, 0, 0, 0), event, BPF_PERF_EVENT);
}

void attach_empty(const char *kind_and_place)
{
	const char *place = strchr(kind_and_place, ':');
	int link;

	if (!place)
		errx(2, "%s is not KIND:PLACE", kind_and_place);
	size_t length = place++ - kind_and_place;
#define IS(kind) (length == strlen(kind) && !strncmp(kind_and_place, kind, length))
	if (IS("fmod_ret"))
		link = attach(load(BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, kernel_type(BTF_KIND_FUNC, place), 0),
			      0, BPF_MODIFY_RETURN);
	else if (IS("tp_btf"))
		link = attach_tracepoint(place);
	else if (IS("kprobe_multi"))
		link = attach_kprobe_multi(place);
	else if (IS("lsm"))
		link = attach_lsm(place);
	else if (IS("kprobe"))
		link = attach_kprobe(place);
	else if (IS("tcx"))
		link = attach(load(BPF_PROG_TYPE_SCHED_CLS, 0, 0, TCX_NEXT), if_nametoindex(place), TCX_EGRESS);
	else if (IS("cgroup_skb"))
		link = attach(load(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, 0, 1),
			      open(place, O_RDONLY | O_CLOEXEC), BPF_CGROUP_INET_INGRESS);
	else
		errx(2, "unknown kind of program: %s", kind_and_place);
	if (link < 0)
		err(1, "cannot attach an empty program to %s", kind_and_place);
}
