# Every target sets up what it needs: a machine with Node 20 or newer, npm and make is enough.
# The project brings its own Node 24 (the npm package `node`); `node_modules/.bin` goes first on the PATH.

SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
INSTALLED := node_modules/.package-lock.json
# By its path: the older compiler beside it (for its API) has a command of the same name.
TSC := node_modules/typescript/bin/tsc
# What was compiled once is kept, and garbage is collected in small steps and before it has piled up: a faster start, and
# 90 MB less; long work (a reconciliation) stays as small as it began.
NODE := NODE_COMPILE_CACHE=node_modules/.cache/tollgate node --max-semi-space-size=4 --heap-growing-percent=40

.PHONY: up dev import test lint typecheck build format install openapi bench bench-check bench-growth bench-webhook bench-receive bench-start bench-sandbox bench-reconcile bench-import torture-lost torture torture-kill simulate simulate-bugs

install: $(INSTALLED)

$(INSTALLED): package-lock.json
# Some packages declare a newer Node than the one that runs npm here: they run on the project's own.
	npm ci --no-audit --no-fund --loglevel=error
	@touch $(INSTALLED)

## Run the whole service, offline, with the sandbox and a demo when nothing else is configured.
up: install
	$(NODE) packages/server/src/main.ts

## The same, restarted at every change.
dev: install
	$(NODE) --watch packages/server/src/main.ts

## Imports what a Stripe account has into a project of a running service: ARGS="--project prj_… --reason '…' --dry-run".
import: install
	@$(NODE) packages/server/src/import.ts $(ARGS)

## Every test with coverage. VITEST_ARGS adds options.
test: install
	vitest run --coverage $(VITEST_ARGS)

lint: install
	biome ci .

format: install
	biome check --write .

typecheck: install
	$(TSC) --noEmit -p tsconfig.json

## Compiles what other programs import: the core to dist/, the sandbox to its own.
build: install
	rm -rf dist
	$(TSC) -p tsconfig.build.json
	npm run build --silent --workspace @tollgate/stripe-sandbox

## Writes docs/openapi.json again after a change of a route or schema.
openapi: install
	vitest run --project server packages/server/test/integration/openapi.test.ts --update

BENCHES := bench-check bench-growth bench-webhook bench-receive bench-start bench-sandbox bench-reconcile bench-import

bench: $(BENCHES)

$(BENCHES): bench-%: install
	node benchmarks/$*.ts

torture: torture-lost torture-kill

## Kills the service KILLS times (200) under load: nothing acknowledged may be lost. See docs/correctness.md.
torture-kill: install
	node benchmarks/torture.ts

## Many customers while events are lost, doubled and shuffled, then one reconciliation: see docs/correctness.md.
torture-lost: install
	TORTURE_CUSTOMERS=$(or $(CUSTOMERS),500) TORTURE_SEED=$(or $(SEED),1) vitest run --project server packages/server/test/integration/reconcile-lossy.test.ts

## The whole service under a seeded, hostile world: SEEDS=1..200 CUSTOMERS=8 MONTHS=6, see simulation/README.md.
simulate: install
	node simulation/main.ts $(or $(SEEDS),1..20) --customers $(or $(CUSTOMERS),8) --months $(or $(MONTHS),6) $(SIMULATE_ARGS)

## Plants each bug of simulation/bugs.ts by itself, and shows the smallest story in which the simulation finds it.
simulate-bugs: install
	node simulation/main.ts $(or $(SEEDS),1..40) --customers $(or $(CUSTOMERS),5) --months $(or $(MONTHS),2) --pace 6 --projects 1 --bugs $(SIMULATE_ARGS)
