# A thin front: set-up is scripts/setup.sh, the build is Meson's.

BUILD  ?= build
PREFIX ?= /usr/local
# Debian's loader searches /usr/local/lib, and not always the lib64 that Meson would choose.
INTO   := "-Dprefix=$(PREFIX)" -Dlibdir=lib
export SOURCE TARGET OUTPUT RUNS

.PHONY: build gpu isnet run test check-long check-cluster check-minbase check-dockerfile fuzz bench lint install uninstall deb clean help

build:       ## install what is missing, build $(BUILD)/reprise
	@scripts/build.sh "$(BUILD)" $(INTO)

gpu:         ## install ONNX Runtime's CUDA provider, build with CUDA 13; GPU_ARCH=90 for one architecture
	@scripts/build.sh "$(BUILD)" --gpu $(INTO) $(if $(GPU_ARCH),"-Dgpu_arch=$(GPU_ARCH)")

isnet:       ## install ISNet for background_remover (113 MB, of an AGPL-3.0 package; part of nothing else)
	@scripts/isnet.sh

run:         ## build, then swap a face in a sample clip; or SOURCE=me.jpg TARGET=clip.mp4 OUTPUT=out.mp4
	@scripts/build.sh "$(BUILD)" --media $(INTO)
	@BUILD="$(BUILD)" scripts/run.sh

test:        ## install what the tests need and pass every test
	@scripts/build.sh "$(BUILD)" --tests -Dtests=false $(INTO)
	@tests/run.sh

check-long:  ## the tests that take long (a 10-minute clip)
	@scripts/build.sh "$(BUILD)" --tests -Dtests=false $(INTO)
	@tests/long.sh "$(BUILD)"

check-cluster: ## as root: segments by Slurm and GNU parallel, which are installed from Debian if missing
	@scripts/build.sh "$(BUILD)" --tests $(INTO)
	@tests/cluster.sh "$(BUILD)"

check-minbase: ## as root: the first steps on bare Debian 12 systems, downloads 1 GB
	@tests/minbase.sh

check-dockerfile: ## as root: build the Dockerfile by buildah, swap in it; downloads 0.7 GB
	@scripts/build.sh "$(BUILD)" --media $(INTO)
	@tests/dockerfile.sh "$(BUILD)"

fuzz:        ## each fuzzer a million times, or RUNS=N; takes hours; FUZZERS="onnx video" for some
	@scripts/build.sh "$(BUILD)" --tests -Dtests=false $(INTO)
	@tests/run.sh "$(BUILD)" build-clang
	@tests/fuzz.sh "$(BUILD)-clang" $(FUZZERS)

bench:       ## build and run the benchmarks
	@scripts/build.sh "$(BUILD)" --media $(INTO) -Dbench=true
	@meson test -C "$(BUILD)" --benchmark --verbose

lint:        ## check the scripts and the spelling
	shellcheck scripts/*.sh tests/*.sh bench/*.sh .ci/run
	codespell -q 3 src include tests tools scripts docs Makefile README.md

install:     ## install below PREFIX (/usr/local), in DESTDIR if given
	@[ -x "$(BUILD)/reprise" ] || { echo "make: there is no $(BUILD)/reprise; run make first" >&2; exit 1; }
	@scripts/install.sh "$(BUILD)" "$(DESTDIR)" "$(PREFIX)"

uninstall:   ## take away what install put there
	@scripts/install.sh --remove "$(DESTDIR)" "$(PREFIX)"

deb:         ## make a Debian package, out/reprise_VERSION_amd64.deb
	@scripts/deb.sh "$(BUILD)-deb" out

clean:       ## remove what was built and the results in out/
	rm -rf "$(BUILD)" "$(BUILD)-deb" out

help:        ## this text
	@sed -n 's/^\([a-z-]*\): *## /\1|/p' Makefile | sed 's/$$(BUILD)/$(BUILD)/' | \
	  awk -F'|' '{ printf "  make %-16s %s\n", $$1, $$2 }'
