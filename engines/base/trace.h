/* The USDT points of daxlab: provider `daxlab`, the only contract with the kernel side (probes/ *.bpf.c).
 *
 * C compatible. A point that nothing is attached to is a 5-byte nop and costs nothing measurable; arguments are
 * register or constant operands only, because libbpf cannot parse "symbol(%rip)". Coarse events only: a point that
 * is traced costs about 0.5 us, forty times a cache-line flush.
 *
 *   map_region(address, size_bytes)        a user mapping of a file on the medium now covers this range
 *   unmap_region(address)
 *   phase_mark(id)                         the measured section changes: 0 outside, 1 warm-up, 2 measured, 3 paused
 *   fault_begin(address, is_write)         a fault on a mapped file reached user level
 *   fault_end(address, errc_or_minus_1)
 *   write_begin(offset, size_bytes)        File::write or File::append of an engine with a lock to wait for
 *   write_end(offset, size_bytes)
 *   fsync_begin(ino)  fsync_end(ino)
 *   commit_begin(kind) commit_end(bytes)   a transaction, checkpoint or log tail becomes durable
 *   lock_contended(lock, scope)            a try-lock failed and the thread will wait; scope as in LockScope
 *   lock_acquired(lock, scope)             ... and got it
 */
#pragma once

#if __has_include(<sys/sdt.h>) && defined(__x86_64__)
#define STAP_SDT_ARG_CONSTRAINT nr
#include <sys/sdt.h>
#undef _SDT_NOP
#define _SDT_NOP .nops 5 /* Linux >= 6.18 rewrites it to a call; older kernels single-step nothing either way */
#define DAXLAB_TRACE1(name, a) STAP_PROBE1(daxlab, name, a)
#define DAXLAB_TRACE2(name, a, b) STAP_PROBE2(daxlab, name, a, b)
#define DAXLAB_HAS_USDT 1
#else
#define DAXLAB_TRACE1(name, a) ((void)(a))
#define DAXLAB_TRACE2(name, a, b) ((void)(a), (void)(b))
#define DAXLAB_HAS_USDT 0
#endif
