.DEFAULT_GOAL := help
SEED ?= 1
SEEDS ?= 1000
RULES ?= 10000
PEOPLE ?= 500
MEETINGS ?= 10000
DAYS ?= 365
FUZZTIME ?= 30s
RUNS ?= 20
EVENTS ?= 10000
STORES ?= single
DURATION ?= 30m
RATE ?= 200

.PHONY: help
help: ## Show these lines.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Two simulated calendars with the gateway between them, on one page.
	go run . demo

.PHONY: test
test: ## All tests, as the integration machine runs them.
	./scripts/test

.PHONY: lint
lint: ## go vet and golangci-lint.
	./scripts/lint

.PHONY: properties
properties: ## Random histories of one meeting: make properties SEEDS=100000 SEED=7
	go test ./reconciler -run 'Histories' -count=1 -rapid.checks=$(SEEDS) -rapid.seed=$(SEED) -timeout 0

.PHONY: series
series: ## Random histories of a series, with the whole system and with plans alone: make series SEEDS=10000 SEED=7
	go test ./test/series -run '^(TestHistories|TestSeriesComeTogetherAfterAnyEdit)$$' -count=1 -histories=$(SEEDS) -history=$(SEED) -rapid.checks=$(SEEDS) -rapid.seed=$(SEED) -timeout 0

.PHONY: rules
rules: ## Random rules of series against python-dateutil: make rules RULES=100000 SEED=7
	go test ./test/recurrence -count=1 -v -rules=$(RULES) -seed=$(SEED) -timeout 0

.PHONY: second
second: ## A second person connects where 10,000 meetings are known: make second MEETINGS=1000
	go test ./test/life -run '^TestSecondPerson$$' -count=1 -v -meetings=$(MEETINGS) -timeout 0

.PHONY: matrix
matrix: ## Every kind of meeting with every action; the table goes to build/meetings.txt.
	mkdir -p build
	go test ./test/meetings -run '^TestMatrix$$' -count=1 -table=$(CURDIR)/build/meetings.txt

.PHONY: people
people: ## Random histories of five people: make people SEEDS=10000 SEED=7
	go test ./test/meetings -run '^TestFivePeople$$' -count=1 -seeds=$(SEEDS) -seed=$(SEED) -timeout 0

.PHONY: fuzz
fuzz: ## Each fuzz test in turn, on new inputs: make fuzz FUZZTIME=5m
	./scripts/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## Speed and memory, each beside a floor measured in the same run.
	go test ./test/bench -run '^TestReport$$' -count=1 -v -report -timeout 30m

.PHONY: soak
soak: ## Changes at a steady rate for a long time; build/soak.csv and .svg show memory: make soak DURATION=5m RATE=100
	go test ./test/bench -run '^TestSoak$$' -count=1 -v -soak=$(DURATION) -rate=$(RATE) -soak-folder=$(CURDIR)/build -timeout 0

.PHONY: simulate
simulate: ## Simulated weeks of the whole system: make simulate SEEDS=500 SEED=7
	go test ./test/weeks -run TestWeeks -count=1 -v -seeds=$(SEEDS) -seed=$(SEED) -timeout 0

.PHONY: shorten
shorten: ## The shortest part of a simulated week that still fails: make shorten SEED=7
	go test ./test/weeks -run TestShortest$$ -count=1 -v -shorten -seed=$(SEED) -timeout 0

.PHONY: switches
switches: ## The histories under everything that is not established about Outlook: make switches SEEDS=20
	SEEDS=$(if $(filter file,$(origin SEEDS)),4,$(SEEDS)) SEED=$(SEED) ./scripts/switches

.PHONY: year
year: ## A simulated year of 500 people, which takes hours: make year PEOPLE=50 DAYS=90 SEED=7
	GOGC=400 go test ./test/years -run TestYear -count=1 -v -people=$(PEOPLE) -days=$(DAYS) -seed=$(SEED) -edits=0.3 -tokens=20h -rounds=12h -sweeps=24h -timeout 0

.PHONY: processes
processes: build ## Three gateways and each kind of Redis, killed at random while people edit: make processes RUNS=20 SEED=7
	go test ./test/process -run '^TestProcesses$$' -count=1 -v -binary=$(CURDIR)/build/outlook-gateway -setups=single,sentinel,cluster -chaos=2m -runs=$(RUNS) -seed=$(SEED) -timeout 0

.PHONY: firstsync
firstsync: build ## A gateway killed in the middle of a large first sync: make firstsync EVENTS=2000 STORES=embedded,memory
	go test ./test/process -run '^TestFirstSync$$' -count=1 -v -binary=$(CURDIR)/build/outlook-gateway -homes=$(STORES) -events=$(EVENTS) -latency=100ms -deaths=2 -timeout 0

.PHONY: monitoring
monitoring: ## Check the alert rules with promtool (Debian's package prometheus), and run their tests.
	promtool check rules monitoring/alerts.yaml
	promtool test rules monitoring/alerts_test.yaml

.PHONY: screenshots
screenshots: ## Pictures of every page, in both languages and at two widths, in build/screenshots.
	SCREENSHOTS=$(CURDIR)/build/screenshots go test ./test/console ./test/signin -count=1

.PHONY: build
build: ## A static binary.
	CGO_ENABLED=0 go build -trimpath -o build/outlook-gateway .

.PHONY: image
image: ## The container image.
	docker build -t outlook-gateway .

.PHONY: tidy
tidy: ## Bring go.mod and formatting in order.
	go mod tidy
	go tool -modfile=tools/go.mod gofumpt -w .
