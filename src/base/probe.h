/**
 * probe: places where bpftrace, perf or gdb can look on (USDT, <sys/sdt.h> of
 * systemtap-sdt-dev).
 *
 * A probe is one instruction that does nothing, and a note in the binary of
 * where it is and where its arguments are: up to six integers or pointers.
 * Pass only values that the code has at hand.  Without <sys/sdt.h> a probe
 * compiles to nothing. tests/README.md lists the probes, and shows how to use
 * them.
 */
#ifndef BASE_PROBE_H
#define BASE_PROBE_H

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROBE3(name, a, b, c)    DTRACE_PROBE3(dripgate, name, a, b, c)
#define PROBE4(name, a, b, c, d) DTRACE_PROBE4(dripgate, name, a, b, c, d)
#else
#define PROBE3(name, a, b, c)    ((void)(a), (void)(b), (void)(c))
#define PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

#endif
