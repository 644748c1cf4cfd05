# The book's commands. `make` lists them; each sets up what it needs.
#   make PYTHON=/usr/bin/python3.12 html     with a Python of your choice
#   make test ARGS="--slow -k optimization"  with arguments of pytest's
#   make html JOBS=1                         with one page running at a time

VENV_PYTHON := $(if $(filter Windows_NT,$(OS)),.venv/Scripts/python.exe,.venv/bin/python)
VERSIONS := 3.13 3.12 3.11 3.10
UV := 0.13.9

# What somebody has set for other work has no place in the book's environment.
unexport PYTHONPATH PYTHONHOME JUPYTER_PATH

.PHONY: help html pdf links test serve bench setup lock clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-12s%s\n", $$1, $$2}' Makefile

# Each candidate is run, since one that is there need not work (a shim of pyenv's, say).
# The environment's own comes first, so that it keeps its version.
CANDIDATES = $(if $(PYTHON),"$(PYTHON)",$(VENV_PYTHON) python3 $(VERSIONS:%=python%) python)
define FIND_PYTHON
python=; found=; nearly=; \
for candidate in $(CANDIDATES); do \
  version=$$("$$candidate" bootstrap.py --probe 2>/dev/null); code=$$?; \
  if [ $$code -eq 0 ]; then python=$$candidate; break; fi; \
  if [ $$code -eq 4 ]; then nearly=$${nearly:-$$candidate}; fi; \
  if command -v "$$candidate" >/dev/null; then found="$$found, $$candidate ($${version:-does not run})"; fi; \
done; \
python=$${python:-$$nearly}; \
if [ -z "$$python" ]; then \
  found=$${found#, }; \
  echo "set-up: needs Python $(lastword $(VERSIONS)) to $(firstword $(VERSIONS)); found $${found:-none}." \
    "Install one of them, or name it: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; \
  exit 1; \
fi
endef

setup: ## make the environment (.venv), where it is not ready
	@$(VENV_PYTHON) -IS bootstrap.py --ready $(if $(PYTHON),"$(PYTHON)") 2>/dev/null || { $(FIND_PYTHON); exec "$$python" bootstrap.py; }

# A page that fails does so on every run: the extension `coursebook` sees to that.
html: setup ## build the book into _build/html
	@$(if $(JOBS),COURSEBOOK_JOBS="$(JOBS)") $(VENV_PYTHON) -c "from jupyter_book.cli.main import main; main()" build . -W --keep-going || { \
	  echo "make html: the book was not built; what is wrong stands above." >&2; exit 1; }
	@echo "The book is in _build/html. To read it: make serve"

# With Chromium, which has to be installed; COURSEBOOK_CHROMIUM names another one.
pdf: html ## print the book into _build/pdf
	@$(VENV_PYTHON) -m coursebook pdf $(ARGS)

links: html ## check the links that lead out of the book
	@$(VENV_PYTHON) -m coursebook links $(ARGS)

# Not tests/site, which needs the built book: make html && make test TESTS=tests/site. Its tests
# share one walk through the site, so they stay together; others run on every core, a file at a
# time. To stop in a debugger: make test ARGS="-n 0 --pdb"
TESTS = $(wildcard tests/dlcourse tests/coursebook tests/setup)
test: setup ## run the tests
	@$(VENV_PYTHON) -m pytest $(if $(findstring tests/site,$(TESTS)),,-n auto --dist loadfile) $(TESTS) $(ARGS)

serve: setup ## show the built book on this machine
	@test -f _build/html/index.html || { echo "make serve: there is no book yet; first: make html" >&2; exit 1; }
	@$(VENV_PYTHON) -u -m http.server --bind 127.0.0.1 --directory _build/html 0

bench: setup ## compare the speed of dlcourse and others, and of our build and a stock one
	@failed=0; for benchmark in epoch cnn backprop sparse_coding build; do \
	  $(VENV_PYTHON) benchmarks/$$benchmark.py $(ARGS) || failed=1; \
	done; exit $$failed

# The versions in the lock stay where they fit; `make lock ARGS=--upgrade` takes the newest.
lock: ## write requirements.txt from pyproject.toml
	@$(FIND_PYTHON); "$$python" -m venv --clear _build/lock
	@_build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	@_build/lock/bin/python -m uv pip compile pyproject.toml -o requirements.txt --quiet --universal \
	  --python-version $(lastword $(VERSIONS)) --all-extras --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" $(ARGS)

clean: ## take away what was built
	rm -rf _build

distclean: clean ## take away the environment too
	rm -rf .venv node_modules
