# dripgate: build, test, install.  `make help` lists the targets.
#
#   make                      build/dripgated, build/dripgate
#   make check SAN=address,undefined   the tests under sanitizers (own tree)
#   make install DESTDIR=/tmp/x PREFIX=/usr

CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
DESTDIR ?=
SECONDS ?= 20
SAN     ?=
comma   := ,

VERSION  = 0.1.0
B        = build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
UNITDIR  = $(PREFIX)/lib/systemd/system

PACKAGES = libevent_core libevent_extra libevent_pthreads hiredis inih libpcre2-8 libsystemd
DEBIAN   = build-essential pkg-config libevent-dev libhiredis-dev libinih-dev \
           libpcre2-dev libsystemd-dev check redis-server python3 \
           netcat-openbsd systemd mandoc clang libclang-rt-14-dev \
           redis-tools python3-redis nodejs node-redis

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
       -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef \
       -Wvla -Wswitch-enum $(if $(WERROR),-Werror)
# Not in clang before 16.
ZERO_INIT := $(shell $(CC) -ftrivial-auto-var-init=zero -E -xc /dev/null \
               >/dev/null 2>&1 && echo -ftrivial-auto-var-init=zero)
HARD = -fstack-protector-strong -fstack-clash-protection -fPIE -fcf-protection \
       $(ZERO_INIT) \
       $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
SANITIZE = $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)

all_cflags = -std=c11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -pthread -Isrc -I$(B) $(WARN) $(HARD) \
             $(SANITIZE) $(shell pkg-config --cflags $(PACKAGES)) $(CFLAGS)
all_ldflags = -pthread -pie -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)
libs        = $(shell pkg-config --libs $(PACKAGES))

sources := $(wildcard src/*.c src/*/*.c)
objects  = $(sources:%.c=$(B)/%.o)
scripts  = $(foreach s,leaky_bucket fixed_window sweep limits,$(B)/lua/$s.inc $(B)/lua/$s.sha)

manuals  = src/tool/dripgate.1 conf/dripgate.ini.5 src/wire/dripgate-protocol.7 \
           src/dripgated.8

all: $(B)/dripgated $(B)/dripgate

tool    = $(filter $(B)/src/tool/%,$(objects))
library = $(filter-out $(B)/src/main.o $(B)/src/tool/main.o,$(objects))

$(B)/dripgated: $(filter-out $(tool),$(objects))
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

$(B)/dripgate: $(B)/src/tool/main.o $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

$(B)/%.o: %.c | $(scripts)
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -MMD -MP -c -o $@ $<

# A script becomes the text of a C string, and the name that Redis gives it.
$(B)/lua/leaky_bucket.inc $(B)/lua/leaky_bucket.sha: lua/leaky_bucket.lua lua/batch.lua
$(B)/lua/fixed_window.inc $(B)/lua/fixed_window.sha: lua/fixed_window.lua lua/batch.lua
$(B)/lua/sweep.inc $(B)/lua/sweep.sha: lua/sweep.lua
$(B)/lua/limits.inc $(B)/lua/limits.sha: lua/limits.lua
%.inc:
	@mkdir -p $(@D)
	sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $^ > $@
%.sha:
	@mkdir -p $(@D)
	cat $^ | sha1sum | sed 's/ .*//; s/.*/"&"/' > $@

## tests

tests   := $(wildcard tests/unit/*.c tests/integration/*.c tests/fuzz/*.c tests/fleet/*.c)
fuzzers := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
check_libs = $(libs) $(shell pkg-config --libs check)
test_programs = $(B)/dripgated $(B)/dripgate $(B)/arithmetic $(B)/hiredis $(B)/fleet
test_env = DRIPGATED=$(abspath $(B)/dripgated) DRIPGATE=$(abspath $(B)/dripgate) \
           ARITHMETIC=$(abspath $(B)/arithmetic) HIREDIS=$(abspath $(B)/hiredis) \
           FLEET=$(abspath $(B)/fleet)

$(B)/unit: $(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/*.c)) $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(check_libs)

$(B)/arithmetic: $(patsubst %.c,$(B)/%.o,$(wildcard tests/integration/arithmetic*.c)) $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

# A client of Redis that is built on hiredis.
$(B)/hiredis: $(B)/tests/integration/hiredis_client.o
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

$(B)/fleet: $(B)/tests/fleet/fleet.o $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

# The corpus of each fuzz target, replayed as an ordinary test.
$(B)/replay-%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

check: check-layers check-mandoc check-unit check-corpus check-integration

check-layers:
	python3 tests/layers.py

check-mandoc:
	mandoc -Tlint -Wwarning $(manuals)

check-unit: $(B)/unit
	$(B)/unit

check-corpus: $(fuzzers:%=$(B)/replay-%)
	for f in $(fuzzers); do $(B)/replay-$$f tests/fuzz/corpus/$$f || exit 1; done

check-integration: $(test_programs)
	$(test_env) python3 -m unittest discover -s tests/integration -t tests/integration -v

# One file of integration tests: make check-protocol
check-%: $(test_programs)
	$(test_env) python3 tests/integration/test_$*.py -v

# What takes too long for every run: 10^7 operations, a minute of saturation.
check-long: $(test_programs)
	$(test_env) OPERATIONS=10000000 python3 tests/integration/test_arithmetic.py
	$(test_env) SECONDS_EXACT=60 python3 tests/integration/test_exact.py

# The clients of Redis that npm has, not Debian's.  Needs npm, and the network.
check-npm: $(test_programs)
	npm install --silent --no-audit --no-fund --prefix $(B)/npm ioredis redis
	NPM=$(abspath $(B)/npm) $(test_env) python3 tests/integration/test_redis_clients.py -v

## fuzzing, by libFuzzer: SECONDS for each target

fuzz:
	$(MAKE) CC=clang SAN=fuzzer-no-link,address,undefined fuzz-run

fuzz-run: $(fuzzers:%=$(B)/fuzz-%)
	for f in $(fuzzers); do mkdir -p $(B)/corpus/$$f; \
	  $(B)/fuzz-$$f -max_total_time=$(SECONDS) -rss_limit_mb=1024 -timeout=10 \
	    -artifact_prefix=$(B)/ $(B)/corpus/$$f tests/fuzz/corpus/$$f || exit 1; done

$(B)/fuzz-%: $(B)/tests/fuzz/fuzz_%.o $(library)
	$(CC) $(all_ldflags) -fsanitize=fuzzer -o $@ $^ $(libs)

## benchmarks: ratios against redis-server; BENCH=name for one row, JSON=file
## and CHART=file.svg for the figures

$(B)/load: $(wildcard tests/bench/*.[ch])
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -D_GNU_SOURCE $(WARN) -o $@ $(filter %.c,$^) -lm

bench: $(B)/load $(B)/dripgated
	LOAD=$(B)/load DRIPGATED=$(B)/dripgated python3 tests/bench/bench.py \
	  $(if $(BENCH),--only $(BENCH)) $(if $(JSON),--json $(JSON)) $(if $(CHART),--chart $(CHART))

# What Redis sees of a fleet that reloads: 200 daemons' subscribers, 10 s.
fleet: $(B)/fleet
	FLEET=$(B)/fleet python3 tests/fleet/fleet.py

## running and installing

run: $(B)/dripgated
	$(B)/dripgated -c conf/dripgate.ini

deps:
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(DEBIAN)

install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(B)/dripgated $(B)/dripgate
	install -D -m 644 src/tool/dripgate.bash \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dripgate
	for m in $(manuals); do \
	  install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${m##*.} $$m || exit 1; done
	install -D -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/dripgate/README.md
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)/etc/dripgate
	for u in service socket; do \
	  sed 's|/usr/local|$(PREFIX)|g' systemd/dripgated.$$u \
	    > $(DESTDIR)$(UNITDIR)/dripgated.$$u || exit 1; done
	for f in dripgate limits; do test -e $(DESTDIR)/etc/dripgate/$$f.ini || \
	  install -m 644 conf/$$f.ini $(DESTDIR)/etc/dripgate || exit 1; done

# Settings and limits stay.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/dripgated $(DESTDIR)$(PREFIX)/bin/dripgate
	rm -f $(DESTDIR)$(PREFIX)/share/doc/dripgate/README.md
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dripgate
	for m in $(manuals); do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done
	rm -f $(DESTDIR)$(UNITDIR)/dripgated.service $(DESTDIR)$(UNITDIR)/dripgated.socket

clean:
	rm -rf build build-*

help:
	@echo 'deps       install what is needed (Debian, as root)'
	@echo 'all        build $(B)/dripgated and $(B)/dripgate'
	@echo 'run        build and run it here, with conf/'
	@echo 'check      all tests; SAN=address,undefined for a sanitizer build'
	@echo 'check-NAME one file of integration tests, as check-protocol'
	@echo 'check-long the tests that take minutes'
	@echo 'check-npm  more clients of Redis, from npm'
	@echo 'fuzz       all fuzz targets, SECONDS=$(SECONDS) each'
	@echo 'bench      measure against redis-server; BENCH=name for one row'
	@echo 'fleet      how evenly 200 subscribers reload, as Redis sees it'
	@echo 'install    below DESTDIR, PREFIX=$(PREFIX); uninstall undoes it'
	@echo 'clean      remove what was built'

-include $(objects:.o=.d) $(tests:%.c=$(B)/%.d)

.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all check check-layers check-unit check-corpus check-integration \
        check-mandoc check-long check-npm fuzz fuzz-run bench fleet run deps install \
        uninstall clean help
