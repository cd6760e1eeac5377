# dripgate: build, test, install.  `make help` lists the targets.
#
#   make                      build/dripgated
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

PACKAGES = libevent_core libevent_extra hiredis inih libpcre2-8 libsystemd
DEBIAN   = build-essential pkg-config libevent-dev libhiredis-dev libinih-dev \
           libpcre2-dev libsystemd-dev check redis-server python3 \
           netcat-openbsd systemd
DEBIAN_FUZZ = clang libclang-rt-14-dev

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
       -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef \
       -Wvla -Wswitch-enum $(if $(WERROR),-Werror)
HARD = -fstack-protector-strong -fstack-clash-protection -fPIE -fcf-protection \
       -ftrivial-auto-var-init=zero \
       $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
SANITIZE = $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)

all_cflags = -std=c11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -pthread -Isrc -I$(B) $(WARN) $(HARD) \
             $(SANITIZE) $(shell pkg-config --cflags $(PACKAGES)) $(CFLAGS)
all_ldflags = -pthread -pie -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)
libs        = $(shell pkg-config --libs $(PACKAGES))

sources := $(wildcard src/*.c src/*/*.c)
objects  = $(sources:%.c=$(B)/%.o)
scripts  = $(foreach s,leaky_bucket fixed_window sweep,$(B)/lua/$s.inc $(B)/lua/$s.sha)
units   := $(wildcard tests/unit/*.c)

all: $(B)/dripgated

$(B)/dripgated: $(objects)
	$(CC) $(all_ldflags) -o $@ $^ $(libs)

$(B)/%.o: %.c | $(scripts)
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -MMD -MP -c -o $@ $<

# A script becomes the text of a C string, and the name that Redis gives it.
$(B)/lua/leaky_bucket.inc $(B)/lua/leaky_bucket.sha: lua/leaky_bucket.lua lua/batch.lua
$(B)/lua/fixed_window.inc $(B)/lua/fixed_window.sha: lua/fixed_window.lua lua/batch.lua
$(B)/lua/sweep.inc $(B)/lua/sweep.sha: lua/sweep.lua
%.inc:
	@mkdir -p $(@D)
	sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $^ > $@
%.sha:
	@mkdir -p $(@D)
	cat $^ | sha1sum | sed 's/ .*//; s/.*/"&"/' > $@

-include $(objects:.o=.d)

.PHONY: all
.DELETE_ON_ERROR:
