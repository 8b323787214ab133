/* Attaches a program that does nothing, for as long as this process lives: what the injector's own
 * programs are compared with. PLACE is a function, a tracepoint, a device or a cgroup's directory:
 *   fmod_ret:FUNCTION kprobe:FUNCTION kprobe_multi:FUNCTION lsm:HOOK
 *   tp_btf:TRACEPOINT tcx:DEVICE cgroup_skb:DIRECTORY
 * Ends the process if that is not possible. */
#pragma once

void attach_empty(const char *kind_and_place);
